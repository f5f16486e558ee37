"""The set of edits: one attribute changes where it lies and nowhere else, and a set is whole however it came about."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.editing.rules import ATTRIBUTES
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import edits, parts
from kinlib.studio.datasets.edit_pairs import (
    LEAST_EDITS,
    Edit,
    changed_region,
    possible_edits,
    render_edits,
    sitter,
)
from kinlib.studio.datasets.edits import NOTE, PEOPLE_PER_PART, EditSettings, render_edit_set
from kinlib.studio.datasets.sampling import member
from kinlib.studio.labels import class_id
from kinlib.studio.rendering.ground_truth import attributes

SETTINGS = EditSettings(people=PEOPLE_PER_PART + 3, pairs=2, size=32)
# What a name of CelebA excludes or implies by its meaning.
IMPLIED = {
    "Bald": {"Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair"},
    "Black_Hair": {"Blond_Hair", "Brown_Hair"},
    "Blond_Hair": {"Black_Hair", "Brown_Hair"},
    "Brown_Hair": {"Black_Hair", "Blond_Hair"},
    "Mustache": {"No_Beard"},
    "No_Beard": {"Mustache"},
}


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """A renderer that draws nothing; returns the numbers of the people it was asked for."""
    asked: list[int] = []

    def render_person(job: tuple[EditSettings, int]) -> list[dict]:
        settings, number = job
        asked.append(number)
        return [{"person": number, "pair": pair} for pair in range(settings.pairs)]

    monkeypatch.setattr(edits, "_render_person", render_person)
    monkeypatch.setattr(parts, "load_head", lambda: None)
    monkeypatch.setattr(parts, "warm_up", lambda: None)
    return asked


def celeba(view) -> dict[str, bool]:
    record = attributes(view.person, view.look, view.shot)
    return {name: record[name] for name in ATTRIBUTES}


def test_edits_change_the_attribute_they_name():
    """Over many people every attribute occurs, both ways where it can, and at least so many edits are possible."""
    seen = set()
    for number in range(120):
        view = sitter(5, number)
        before = celeba(view)
        found = possible_edits(view, np.random.default_rng(number))
        assert len(found) >= LEAST_EDITS and view.look.hat is None
        for edit in found:
            after = celeba(edit.view)
            changed = {name: after[name] - before[name] for name in ATTRIBUTES if after[name] != before[name]}
            assert changed[edit.attribute] == edit.change
            assert set(changed) <= {edit.attribute} | IMPLIED.get(edit.attribute, set())
            seen.add((edit.attribute, edit.change))
    added_only = {"Black_Hair", "Blond_Hair", "Brown_Hair"}  # a colour goes when another comes
    assert seen == {(name, sign) for name in ATTRIBUTES for sign in (1, -1) if sign == 1 or name not in added_only}


def test_new_glasses_are_of_one_frame_unless_any_is_asked_for():
    views = [view for number in range(40) if (view := sitter(5, number)).look.glasses is None]
    for any_frame, frames in ((False, 1), (True, len(views))):
        found = set()
        for number, view in enumerate(views):
            edits = possible_edits(view, np.random.default_rng(number), any_frame)
            (added,) = (edit for edit in edits if edit.attribute == "Eyeglasses")
            found.add(added.view.look.glasses)
        assert len(found) == frames


def test_nobody_is_in_the_set_of_unrelated_people():
    for number in range(20):
        assert not np.array_equal(sitter(1, number).person.traits.shape, member(1, number).traits.shape)


def test_a_set_is_resumed_and_grows_in_people_alone(asked, tmp_path):
    progress = render_edit_set(SETTINGS, tmp_path, workers=1)
    for _ in range(PEOPLE_PER_PART + 2):
        next(progress)
    progress.close()
    asked.clear()
    assert list(render_edit_set(SETTINGS, tmp_path, workers=1))[-1] == SETTINGS.num_pairs
    assert asked == list(range(PEOPLE_PER_PART, SETTINGS.people))
    table = pd.concat([pd.read_parquet(path) for path in sorted(tmp_path.glob("*.parquet"))])
    assert table.person.tolist() == np.repeat(np.arange(SETTINGS.people), 2).tolist()
    assert json.loads((tmp_path / NOTE).read_text())["pairs"] == 2
    for change in ({"pairs": 3}, {"size": 64}, {"seed": 1}, {"frames": "any"}):
        with pytest.raises(KinlibError, match="holds a set of edits made with other settings"):
            list(render_edit_set(replace(SETTINGS, **change), tmp_path, workers=1))
    with pytest.raises(KinlibError, match="is for 19 people already"):
        list(render_edit_set(replace(SETTINGS, people=1), tmp_path, workers=1))


@pytest.fixture(scope="module")
def edited() -> tuple[list[Edit], list]:
    """One woman, and her edits."""
    view = sitter(0, 1)
    found = possible_edits(view, np.random.default_rng(0))
    return found, render_edits(view, found, 64)


@needs_head
def test_what_does_not_change_is_the_same_to_the_pixel(edited):
    found, (before, *afterwards) = edited
    for edit, after in zip(found, afterwards, strict=True):
        region = changed_region(before, after)
        assert region.any(), edit.attribute
        corner = slice(0, 6), slice(0, 6)  # background beside the head
        assert np.array_equal(before.image[corner], after.image[corner]), edit.attribute
        assert (before.yaw, before.pitch, before.roll) == (after.yaw, after.pitch, after.roll)


@needs_head
@pytest.mark.parametrize(
    ("attribute", "classes"),
    [
        ("Blond_Hair", ("hair", "l_brow", "r_brow")),
        ("Eyeglasses", ("eye_g",)),
        ("Pale_Skin", ("skin", "nose", "neck", "l_ear", "r_ear", "u_lip", "l_lip")),
    ],
)
def test_changes_lie_where_their_classes_are(edited, attribute, classes):
    found, (before, *afterwards) = edited
    number = [edit.attribute for edit in found].index(attribute)
    region = changed_region(before, afterwards[number])
    wanted = [class_id(name) for name in classes]
    inside = np.isin(before.classes, wanted) | np.isin(afterwards[number].classes, wanted)
    # At 64 px half of such an area is its border, which blur and shadows cross.
    assert (region & inside).sum() > 0.7 * region.sum()
    assert region[inside].mean() > 2 * region[~inside].mean()


@needs_head
def test_a_person_for_real(tmp_path):
    list(render_edit_set(EditSettings(people=1, pairs=2, size=48, seed=7), tmp_path, workers=1))
    table = pd.read_parquet(tmp_path / "part-00000.parquet")
    assert table.person.tolist() == [0, 0] and table.image[0] == table.image[1]
    for row in table.itertuples():
        before, after = json.loads(row.attributes), json.loads(row.edited_attributes)
        assert after[row.attribute] - before[row.attribute] == row.change
        first, second = (np.asarray(Image.open(io.BytesIO(data))).astype(int) for data in (row.image, row.edited))
        changed = np.asarray(Image.open(io.BytesIO(row.changed))) == 255
        difference = np.abs(first - second).max(axis=-1)
        assert difference[changed].mean() > 4 * difference[~changed].mean()  # but for JPEG
