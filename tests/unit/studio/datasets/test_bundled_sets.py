"""The rendered sets that come with the project: what was promised of them, and the score's oracles on them.

Nothing here needs the head model.
"""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib.evaluation.heredity import baselines
from kinlib.evaluation.heredity.scoring import compare, load_reference
from kinlib.runtime import config
from kinlib.studio.datasets import family_plan
from kinlib.studio.datasets.encoding import pack_genomes
from kinlib.studio.datasets.planted_faults import KINDS, faulty_text
from kinlib.studio.render import VERSION
from kinlib.training.data import render_reference

STUDIO = config.data_dir() / "studio"
FAMILIES = STUDIO / "families"
MOST_BYTES = 8_000_000


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_parquet(STUDIO / "truth.parquet")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_parquet(STUDIO / "people.parquet")


def test_the_set_has_the_promised_size(truth, people):
    note = json.loads((STUDIO / "studio.json").read_text())
    assert note["families"] >= 24 and note["people"] == len(people) >= 150 and note["renderer"] == VERSION
    assert truth.groupby("name").size().between(8, 10).all()
    assert people["generation"].max() == 4
    files = [path for path in FAMILIES.rglob("*") if path.is_file()]
    tables = [STUDIO / name for name in ("truth.parquet", "people.parquet", "faults.json", "studio.json")]
    assert sum(path.stat().st_size for path in files + tables) <= MOST_BYTES


def test_every_photograph_is_there_and_no_other(truth):
    found = {str(path.relative_to(FAMILIES)) for path in FAMILIES.rglob("*.jpg")}
    assert found == set(truth["file"])
    for file in truth["file"].iloc[::97]:
        with Image.open(FAMILIES / file) as photo:
            assert photo.size == (120, 150)


def test_the_families_follow_from_their_seed(people):
    plan = family_plan.plan(json.loads((STUDIO / "studio.json").read_text())["seed"])
    assert (FAMILIES / "FAMILY101.txt").read_bytes() == faulty_text(plan.pedigree, plan.faults).encode()
    assert people["name"].tolist() == plan.pedigree.people["name"].tolist()
    assert [fault["kind"] for fault in json.loads((STUDIO / "faults.json").read_text())] == list(KINDS)


def test_genomes_are_those_of_the_pedigree(truth):
    pedigree = family_plan.plan(0).pedigree
    packed = dict(zip(pedigree.people["name"], pack_genomes(pedigree.genomes), strict=True))
    assert all(packed[row.name_] == row.genome for row in truth.rename(columns={"name": "name_"}).itertuples())


def test_masks_agree_with_the_landmarks(truth):
    masked = truth[truth["mask"].notna() & (truth["yaw"].abs() < 20)].iloc[:40]
    nose = 0
    for row in masked.itertuples():
        classes = np.asarray(Image.open(io.BytesIO(row.mask)))
        x, y = np.round(np.float32(row.landmarks).reshape(68, 2)[30]).astype(int)
        nose += classes[y, x] == 2
    assert nose > 0.9 * len(masked) > 20


def test_twelve_portraits_of_six_couples():
    names = {f"couple_{number}_{role}.jpg" for number in range(1, 7) for role in ("father", "mother")}
    assert {path.name for path in (STUDIO / "portraits").glob("*.jpg")} == names
    for name in names:
        with Image.open(STUDIO / "portraits" / name) as portrait:
            assert portrait.size == (256, 256)
    assert set(pd.read_parquet(STUDIO / "portraits" / "couples.parquet")["picture"]) == names


@pytest.fixture(scope="module")
def comparison():
    reference = load_reference()
    truth, others = baselines.hold_out(reference)
    methods = {
        "true": others,
        "less varied": baselines.shrink(others, 0.6),
        "constant": baselines.constant_child(truth),
        "parent": baselines.copied_parent(truth),
        "unrelated": baselines.unrelated_child(truth),
        "average": baselines.average_child(truth),
    }
    return compare(methods, truth)


def test_the_reference_has_the_promised_size():
    reference = load_reference()
    assert reference.children.shape == (render_reference.NUM_COUPLES, 64, 512)
    assert reference.provenance.renderer == str(VERSION)
    assert reference.measured.isna().to_numpy().mean() < 0.01  # faces not found


def test_true_siblings_cannot_be_told_from_the_truth(comparison):
    value = comparison.ranking("energy_distance").loc["true"]
    assert value["low"] <= 0 <= value["high"]


@pytest.mark.parametrize("measure", ["energy_distance", "mmd2", "traits_energy_distance"])
@pytest.mark.parametrize("loser", ["constant", "parent", "unrelated", "average"])
def test_true_siblings_win(comparison, measure, loser):
    assert comparison.difference(loser, "true", measure)["low"] > 0


def test_less_variety_is_noticed(comparison):
    assert comparison.difference("less varied", "true", "energy_distance")["low"] > 0


def test_an_average_child_loses_on_variance(comparison):
    assert comparison.reports["average"].summary.loc["spread", "value"] < 0.05
    spread = comparison.reports["true"].summary.loc["spread"]
    assert spread["low"] < 1 < spread["high"]
    assert not {"average", "constant"} & set(comparison.ranking("coverage").index[-1:])


def test_the_same_couples_in_freely_taken_photographs():
    portraits, album = load_reference(), load_reference(pictures="album")
    assert (album.children == portraits.children).all()
    names = {f"{couple}_{role}.jpg" for couple in album.couples for role in ("father", "mother")}
    assert {path.name for path in (STUDIO / "heredity" / "album").iterdir()} == names
    for name in names:
        with Image.open(STUDIO / "heredity" / "album" / name) as photo:
            assert photo.size == (render_reference.PARENT_SIZE,) * 2
