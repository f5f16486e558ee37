"""Making the heredity reference: true children of true parents, measured, the same however the work was interrupted."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.evaluation.heredity.measures import MEASURES
from kinlib.evaluation.heredity.reference import load_reference
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import kin_couples
from kinlib.studio.genetics import phenotypes
from kinlib.studio.render import Picture
from kinlib.training.data import render_reference
from kinlib.training.data.render_reference import (
    CHILD_AGE,
    PARENT_SIZE,
    ReferencePlan,
    plan,
    siblings,
    write,
    write_album,
)

SMALL = ReferencePlan(seed=4, num_couples=2, num_siblings=3)


@pytest.fixture
def rendered(monkeypatch) -> Counter:
    """A renderer of noise, seeded by person, with quick measures; counts the renders by crop."""
    count: Counter = Counter()

    def portrait(person, seed, age, size, crop="photo") -> Picture:
        count[crop] += 1
        image = np.random.default_rng([person.seed, size]).integers(0, 256, (size, size, 3), np.uint8)
        return Picture(image, np.zeros((68, 2)), 0.0, 0.0, 0.0, image[..., 0], image[..., 0], {})

    def measure(pictures: list[np.ndarray]) -> pd.DataFrame:
        return pd.DataFrame({name: [picture.mean() for picture in pictures] for name in MEASURES})

    def embed(pictures: list[np.ndarray]) -> np.ndarray:
        rows = np.stack([picture[:16, :32, 0].ravel() for picture in pictures]).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    monkeypatch.setattr(kin_couples, "portrait", portrait)
    monkeypatch.setattr(render_reference, "measure_all", measure)
    monkeypatch.setattr(render_reference, "embed_pictures", embed)
    monkeypatch.setattr(render_reference, "load_head", lambda: None)
    monkeypatch.setattr(render_reference, "warm_up", lambda: None)
    return count


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bundled_plan():
    bundled = plan()
    assert (bundled.num_couples, bundled.num_siblings) == (32, 64)
    assert bundled.num_pictures == 32 * 66


def test_siblings_are_children_of_their_parents():
    father, mother, young = siblings(SMALL, 1)
    assert len(young) == 3 and (father.sex[0], mother.sex[0]) == (1, 0)
    for child in range(3):
        for copy, parent in enumerate((father, mother)):
            inherited = young.alleles[child, copy]
            assert ((inherited == parent.alleles[0, 0]) | (inherited == parent.alleles[0, 1])).all()
    again = siblings(SMALL, 1)[2]
    assert (again.alleles == young.alleles).all() and (again.seeds == young.seeds).all()
    assert not (siblings(SMALL, 0)[2].alleles == young.alleles).all()


def test_progress_and_files(rendered, tmp_path):
    assert list(write(SMALL, tmp_path, workers=1)) == list(range(11))
    assert rendered == {"ffhq": 10, "photo": 4}  # parents are photographed too
    assert sorted(contents(tmp_path)) == [
        "embeddings.safetensors",
        "measured.parquet",
        *(f"parents/couple_0{number}_{role}.jpg" for number in (1, 2) for role in ("father", "mother")),
        "reference.json",
        "true.parquet",
    ]
    reference = load_reference(tmp_path)
    assert reference.children.shape == (2, 3, 512) and reference.couples == ("couple_01", "couple_02")
    assert reference.provenance.extra == {"num_couples": 2, "num_siblings": 3, "child_age": CHILD_AGE}
    with Image.open(tmp_path / reference.mother_pictures[1]) as picture:
        assert picture.size == (PARENT_SIZE, PARENT_SIZE)


def test_rows_belong_to_their_people(rendered, tmp_path):
    list(write(SMALL, tmp_path, workers=1))
    reference = load_reference(tmp_path)
    father, _, young = siblings(SMALL, 1)
    mine = reference.true[reference.true["couple"] == "couple_02"].set_index(["role", "number"])
    looks = phenotypes(young)
    assert mine.loc["father", "melanin"].item() == pytest.approx(phenotypes(father).melanin[0], abs=1e-5)
    assert mine.loc["child", "melanin"].tolist() == pytest.approx(looks.melanin.tolist(), abs=1e-5)
    assert mine.loc["child", "iris"].tolist() == looks.iris.tolist()
    assert not [name for name in reference.true if name.startswith("shape_")]
    portrait = kin_couples.portrait(looks.person(2), kin_couples.STUDIO, CHILD_AGE, render_reference.SIZE).image
    expected = render_reference.embed_pictures([portrait])[0]
    assert reference.children[1, 2] @ expected == pytest.approx(1, abs=1e-3)
    seen = reference.measured[reference.measured["couple"] == "couple_02"].set_index(["role", "number"])
    assert seen.loc[("child", 2), "face_width"] == pytest.approx(portrait.mean(), rel=1e-5)


@pytest.mark.parametrize("steps", [1, 3, 5, 6, 9])
def test_resumed_work_writes_the_same_files(rendered, tmp_path, steps):
    list(write(SMALL, tmp_path / "whole", workers=1))
    progress = write(SMALL, tmp_path / "stopped", workers=1)
    for _ in range(steps):
        next(progress)
    progress.close()
    with pytest.raises(KinlibError, match="there is no heredity reference"):
        load_reference(tmp_path / "stopped")
    rendered.clear()
    kept = 5 * ((steps - 1) // 5)  # whole couples
    assert list(write(SMALL, tmp_path / "stopped", workers=1)) == list(range(kept, 11))
    assert rendered["ffhq"] == 10 - kept
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_complete_set_is_left_alone(rendered, tmp_path, monkeypatch):
    list(write(SMALL, tmp_path, workers=1))
    before = contents(tmp_path)
    monkeypatch.setattr(render_reference, "load_head", lambda: pytest.fail("the head model is not needed"))
    assert list(write(SMALL, tmp_path, workers=1)) == [10]
    assert contents(tmp_path) == before


def test_other_sets_are_refused(rendered, tmp_path):
    list(write(SMALL, tmp_path / "set", workers=1))
    before = contents(tmp_path / "set")
    for other in (ReferencePlan(5, 2, 3), ReferencePlan(4, 2, 4), ReferencePlan(4, 1, 3)):
        with pytest.raises(KinlibError, match="holds another set"):
            list(write(other, tmp_path / "set", workers=1))
    assert contents(tmp_path / "set") == before
    next(write(SMALL, tmp_path / "begun", workers=1))
    with pytest.raises(KinlibError, match="unfinished work on another set"):
        list(write(ReferencePlan(5, 2, 3), tmp_path / "begun", workers=1))


@needs_head
def test_the_real_thing(tmp_path):
    """Portraits by the renderer, measured by the networks: every face is found, and no two people are the same."""
    tiny = ReferencePlan(seed=4, num_couples=1, num_siblings=2)
    list(write(tiny, tmp_path / "one", workers=1))
    reference = load_reference(tmp_path / "one")
    assert np.isfinite(reference.measured[list(MEASURES)].to_numpy()).all()  # a face is found in every portrait
    family = np.concatenate([reference.fathers, reference.mothers, reference.children[0]])
    alike = family @ family.T
    assert (alike[np.triu_indices(4, 1)] < 0.99).all() and np.allclose(np.diag(alike), 1, atol=0.01)


def test_album_shots_are_added_and_kept(rendered, tmp_path, monkeypatch):
    def negative(person, rng, size, crop) -> Picture:
        picture = kin_couples.portrait(person, 0, 30.0, size, crop)
        return replace(picture, image=255 - picture.image)

    monkeypatch.setattr(render_reference, "album_picture", negative)
    list(write(SMALL, tmp_path, workers=1))
    assert list(write_album(SMALL, tmp_path, workers=1)) == [0, 1, 2, 3, 4]
    album, portraits = load_reference(tmp_path, pictures="album"), load_reference(tmp_path)
    assert (album.children == portraits.children).all() and album.couples == portraits.couples
    for role in ("father", "mother"):
        for couple in album.couples:
            assert album.picture(couple, role).is_file()
            assert album.picture(couple, role).read_bytes() != portraits.picture(couple, role).read_bytes()
    before = contents(tmp_path)
    album.picture("couple_02", "mother").unlink()
    assert list(write_album(SMALL, tmp_path, workers=1)) == [3, 4]
    assert contents(tmp_path) == before


def test_sets_without_album_shots(rendered, tmp_path):
    list(write(SMALL, tmp_path, workers=1))
    with pytest.raises(KinlibError, match="there is no picture"):
        load_reference(tmp_path, pictures="album")
    with pytest.raises(KinlibError, match="unknown kind of pictures 'selfies': choose portraits or album"):
        load_reference(tmp_path, pictures="selfies")
