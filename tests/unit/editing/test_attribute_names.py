"""Changes as users ask for them: names, what contradicts, and the differences that follow."""

import pytest
import torch

from kinlib.editing.names import (
    already_there,
    check_changes,
    check_present,
    difference_of,
    editable_attributes,
)
from kinlib.editing.rules import ATTRIBUTES, EXCLUDED
from kinlib.runtime.errors import KinlibError


def present(*names: str) -> torch.Tensor:
    return torch.tensor([float(name in names) for name in ATTRIBUTES])


def as_names(difference: torch.Tensor) -> dict[str, float]:
    return {name: value for name, value in zip(ATTRIBUTES, difference[0].tolist(), strict=True) if value}


def test_every_attribute_of_the_networks_has_a_name_and_a_label_once():
    listed = editable_attributes()
    assert tuple(one.celeba for one in listed) == ATTRIBUTES
    assert len({one.name for one in listed}) == len({one.label for one in listed}) == len(ATTRIBUTES)
    assert all(one.name.isidentifier() for one in listed)


def test_both_kinds_of_names_are_understood_and_zero_is_no_change():
    assert check_changes({"glasses": +1, "Blond_Hair": 0.5, "young": 0}) == {"Eyeglasses": 1.0, "Blond_Hair": 0.5}
    assert check_present(None) == {} and check_present({"glasses": 0, "Bald": True}) == {"Eyeglasses": 0, "Bald": 1}


def test_a_new_hair_colour_takes_the_place_of_the_old_one():
    brown = present("Brown_Hair", "Young")
    assert as_names(difference_of({"Blond_Hair": 1.0}, brown)) == {"Blond_Hair": 1.0, "Brown_Hair": -1.0}
    assert as_names(difference_of({"Blond_Hair": 0.5}, brown)) == {"Blond_Hair": 0.5, "Brown_Hair": -0.5}
    both = difference_of({"Bald": 1.0, "Bangs": -1.0}, present("Brown_Hair", "Bangs"))
    assert as_names(both) == {"Bald": 1.0, "Bangs": -1.0, "Brown_Hair": -1.0}


def test_what_is_there_is_not_added_again():
    changes = {"Eyeglasses": 1.0, "Bald": -1.0, "Young": -1.0}
    assert as_names(difference_of(changes, present("Eyeglasses", "Young"))) == {"Young": -1.0}
    assert already_there(changes, present("Eyeglasses", "Young")) == ["glasses", "not bald"]


def test_single_changes_exclude_as_in_training():
    for name in ATTRIBUTES:
        everything = torch.ones(len(ATTRIBUTES))
        everything[ATTRIBUTES.index(name)] = 0
        removed = {other for other, value in as_names(difference_of({name: 1.0}, everything)).items() if value < 0}
        assert removed == set(EXCLUDED.get(name, ()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hair_black": 1, "hair_blond": 1}, "black hair and blond hair contradict each other"),
        ({"bald": 1, "bangs": 0.5}, "contradict"),
        ({"no_beard": 1, "Mustache": 1}, "contradict"),
        ({"smile": 1}, "unknown attribute 'smile': choose one of bald, bangs"),
        ({"glasses": 1, "Eyeglasses": 1}, "given twice"),
        ({"glasses": 1.5}, "from -1 .remove. to 1 .add., not 1.5"),
        ({"glasses": float("nan")}, "not nan"),
        ({"glasses": "yes"}, "not yes"),
        ({"glasses": None}, "not None"),
        ({"glasses": 10**400}, "glasses must be"),
        (["glasses"], "not of the type list"),
    ],
)
def test_unusable_changes_are_refused(changes, words):
    with pytest.raises(KinlibError, match=words):
        check_changes(changes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"glasses": 0.5}, "but not 0.5"),
        ({"hat": 1}, "unknown attribute"),
        ({"glasses": "1"}, "but not"),
        (3, "type int"),
    ],
)
def test_unusable_facts_are_refused(given, words):
    with pytest.raises(KinlibError, match=words):
        check_present(given)
