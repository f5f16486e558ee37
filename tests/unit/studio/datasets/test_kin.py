"""The kin set: true children, portraits as in the reference, nobody of the reference, whole however it came about."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import kin, parts
from kinlib.studio.datasets.kin import COUPLES_PER_PART, NOTE, KinSettings, render_kin
from kinlib.studio.datasets.kin_couples import CHILD_AGE, KIN, PARENT_AGES, family, plain_portrait
from kinlib.studio.genetics import POPULATIONS, phenotypes
from kinlib.studio.render import VERSION
from kinlib.training.data import render_reference

SETTINGS = KinSettings(couples=2 * COUPLES_PER_PART + 3, children=2, albums=1, size=32)


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """A renderer that draws nothing; returns the numbers of the couples it was asked for."""
    asked: list[int] = []

    def render_couple(job: tuple[KinSettings, int]) -> list[dict]:
        settings, couple = job
        asked.append(couple)
        return [{"couple": couple, "picture": number} for number in range(settings.pictures_each)]

    monkeypatch.setattr(kin, "_render_couple", render_couple)
    monkeypatch.setattr(parts, "load_head", lambda: None)
    monkeypatch.setattr(parts, "warm_up", lambda: None)
    return asked


def finish(out: Path, settings: KinSettings = SETTINGS) -> list[int]:
    """Render all; returns the progress."""
    return list(render_kin(settings, out, workers=1))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_couple_once_and_in_order(asked, tmp_path):
    assert finish(tmp_path) == list(range(0, SETTINGS.num_pictures + 1, 6))
    table = pd.concat([pd.read_parquet(path) for path in sorted(tmp_path.glob("*.parquet"))])
    assert table["couple"].tolist() == np.repeat(np.arange(SETTINGS.couples), 6).tolist()
    note = json.loads((tmp_path / NOTE).read_text())
    assert note == {"couples": 19, "children": 2, "albums": 1, "size": 32, "seed": 0, "renderer": VERSION}
    before = contents(tmp_path)
    asked.clear()
    assert finish(tmp_path) == [SETTINGS.num_pictures] and not asked
    assert contents(tmp_path) == before


@pytest.mark.parametrize("couples", [1, COUPLES_PER_PART, COUPLES_PER_PART + 5])
def test_resumed_work_writes_the_same_files(asked, tmp_path, couples):
    finish(tmp_path / "whole")
    progress = render_kin(SETTINGS, tmp_path / "stopped", workers=1)
    for _ in range(couples + 1):
        next(progress)
    progress.close()
    asked.clear()
    finish(tmp_path / "stopped")
    assert asked == list(range(couples - couples % COUPLES_PER_PART, SETTINGS.couples))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_set_grows_in_couples_and_in_nothing_else(asked, tmp_path):
    finish(tmp_path, replace(SETTINGS, couples=COUPLES_PER_PART))
    asked.clear()
    finish(tmp_path)
    assert asked == list(range(COUPLES_PER_PART, SETTINGS.couples))
    before = contents(tmp_path)
    for change in ({"children": 3}, {"albums": 2}, {"size": 64}, {"seed": 1}):
        with pytest.raises(KinlibError, match="holds a kin set made with other settings"):
            finish(tmp_path, replace(SETTINGS, **change))
    with pytest.raises(KinlibError, match="is for 19 couples already"):
        finish(tmp_path, replace(SETTINGS, couples=18))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"couples": 0}, "--couples must be from 1 to 1,000,000, not 0"),
        ({"children": 0}, "--children must be from 1"),
        ({"albums": -1}, "--albums must be from 0"),
        ({"size": 8}, "--size must be from"),
        ({"seed": -1}, "--seed must be from 0"),
    ],
)
def test_impossible_settings(asked, tmp_path, change, words):
    with pytest.raises(KinlibError, match=words):
        finish(tmp_path / "set", replace(SETTINGS, **change))
    assert not (tmp_path / "set").exists() and not asked


def test_children_are_their_parents_and_populations_take_turns():
    homes = set()
    for couple in range(len(POPULATIONS)):
        father, mother, young = family(3, KIN, couple, 4)
        homes.add(int(father.ancestry.argmax()))
        assert (father.sex[0], mother.sex[0]) == (1, 0)
        for copy, parent in enumerate((father, mother)):
            inherited = young.alleles[:, copy]
            assert ((inherited == parent.alleles[0, 0]) | (inherited == parent.alleles[0, 1])).all()
    assert len(homes) == len(POPULATIONS)


def test_nobody_of_the_reference_is_in_the_set():
    plan = render_reference.plan(0)
    known = {parent.alleles.tobytes() for couple in range(32) for parent in render_reference.siblings(plan, couple)[:2]}
    new = {parent.alleles.tobytes() for couple in range(64) for parent in family(0, KIN, couple, 1)[:2]}
    assert len(known) == 64 and len(new) == 128 and not known & new


@needs_head
def test_a_couple_for_real(tmp_path):
    settings = KinSettings(couples=1, children=2, albums=1, size=48, seed=7)
    finish(tmp_path, settings)
    table = pd.read_parquet(tmp_path / "part-00000.parquet")
    assert table.role.tolist() == ["father"] * 2 + ["mother"] * 2 + ["child"] * 2
    assert table.kind.tolist() == ["portrait", "album"] * 2 + ["portrait"] * 2
    assert table.number.tolist() == [0, 0, 0, 0, 0, 1] and table["view"].tolist() == [0, 1, 0, 1, 0, 0]
    parents = table[(table.role != "child") & (table.kind == "portrait")]
    assert parents.age.between(*PARENT_AGES).all() and (table.age[table.role == "child"] == CHILD_AGE).all()
    looks = phenotypes(family(7, KIN, 0, 2)[2])
    assert table.melanin[4:].tolist() == pytest.approx(looks.melanin.tolist())
    assert table.sex[4:].tolist() == [looks.person(i).sex for i in (0, 1)]
    shown = np.asarray(Image.open(io.BytesIO(table.image[5])))
    expected = plain_portrait(looks.person(1), CHILD_AGE, 48).image  # as the reference renders children
    assert np.abs(shown.astype(int) - expected).mean() < 4  # but for JPEG
    assert np.asarray(Image.open(io.BytesIO(table["mask"][0]))).shape == (48, 48)
