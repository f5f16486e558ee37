"""The rules against Tables 3 to 6, evaluated as the document writes them, for every combination of changes."""

import itertools
import math

import pytest

from kinlib.editing.attribute_sets import DOCUMENT
from kinlib.editing.rules import ATTRIBUTES, EXCLUDED, LOSSES, MASKS, select
from kinlib.runtime.errors import KinlibError

# Tables 3 and 5 as printed: attributes, with the sign for those that differ by direction.
HAIR = {"Black_Hair+", "Black_Hair-", "Blond_Hair+", "Blond_Hair-", "Brown_Hair+", "Brown_Hair-", "Bald+"}
HAIR |= {"Bangs+", "Bangs-"}
SKIN = {f"{name}{sign}" for sign in "+-" for name in ("Bushy_Eyebrows", "Male", "Mustache", "No_Beard", "Pale_Skin")}
SKIN |= {"Young+", "Young-", "Bangs+", "Bangs-", "Eyeglasses+"}
EYE_G = {"Eyeglasses-"}
UNKNOWN = {"Mouth_Slightly_Open+", "Mouth_Slightly_Open-", "Bald-"}
TARGET = {"Bald+", "Eyeglasses-", "Pale_Skin+", "Pale_Skin-"} | {c for c in HAIR if c[:-1].endswith("_Hair")}
NONTARGET = {f"{name}{sign}" for sign in "+-" for name in ("Bangs", "Bushy_Eyebrows", "Male", "Mustache", "No_Beard")}
NONTARGET |= {"Eyeglasses+", "Young+", "Young-"}


def printed(changes: set[str]) -> tuple[str, str]:
    """Tables 4 and 6, condition by condition; exactly one of each must hold."""
    hair, skin, eye_g, unknown = (bool(changes & flag) for flag in (HAIR, SKIN, EYE_G, UNKNOWN))
    conditions = {
        "unknown": unknown,
        "hair": hair and not (skin or eye_g or unknown),
        "skin": skin and not (hair or unknown),
        "eye_g": eye_g and not (hair or skin or unknown),
        "person": hair and (skin or eye_g) and not unknown,
        "zero": not (hair or eye_g or skin or unknown),
    }
    (mask,) = (name for name, holds in conditions.items() if holds)
    target, nontarget, none = (bool(changes & flag) for flag in (TARGET, NONTARGET, UNKNOWN))
    conditions = {"none": none, "nontarget": nontarget and not none, "target": target and not (nontarget or none)}
    losses = [name for name, holds in conditions.items() if holds] or ["none"]
    (loss,) = losses
    return mask, loss


def test_every_combination_of_up_to_four_changes_and_some_larger_ones():
    seen = set()
    for count in range(5):
        for names in itertools.combinations(ATTRIBUTES, count):
            for signs in itertools.product((1, -1), repeat=count):
                changes = dict(zip(names, signs, strict=True))
                found = select(changes)
                assert found == printed({f"{name}{'+' if sign > 0 else '-'}" for name, sign in changes.items()})
                seen.add(found)
    assert {mask for mask, _ in seen} == set(MASKS) and {loss for _, loss in seen} == set(LOSSES)
    for signs in itertools.product((1, -1), repeat=len(ATTRIBUTES)):
        changes = dict(zip(ATTRIBUTES, signs, strict=True))
        assert select(changes) == ("unknown", "none")  # all at once holds Mouth_Slightly_Open


def test_changes_of_zero_are_none():
    assert select({}) == ("zero", "none")
    assert select(dict.fromkeys(ATTRIBUTES, 0)) == ("zero", "none")
    assert select({"Eyeglasses": 0, "Bald": 0.5}) == ("hair", "target")


def test_unknown_attributes_and_changes_are_refused():
    with pytest.raises(KinlibError, match="there are no rules for the attribute 'glasses': Bald, Bangs"):
        select({"glasses": 1})
    with pytest.raises(KinlibError, match="the change of 'Bald' must be a finite number, not nan"):
        select({"Bald": math.nan})


def test_toggling_removes_what_is_excluded():
    face = [float(name in ("Black_Hair", "Bangs", "No_Beard")) for name in ATTRIBUTES]

    def present(values):
        return {name for name, value in zip(ATTRIBUTES, values, strict=True) if value}

    assert present(DOCUMENT.toggle(face, "Blond_Hair")) == {"Blond_Hair", "Bangs", "No_Beard"}
    assert present(DOCUMENT.toggle(face, "Bald")) == {"Bald", "No_Beard"}
    assert present(DOCUMENT.toggle(face, "Mustache")) == {"Black_Hair", "Bangs", "Mustache"}
    assert present(DOCUMENT.toggle(face, "Bangs")) == {"Black_Hair", "No_Beard"}
    assert DOCUMENT.toggle(DOCUMENT.toggle(face, "Young"), "Young") == face
    with pytest.raises(KinlibError, match="unknown attribute 'Smiling'"):
        DOCUMENT.toggle(face, "Smiling")
    for name, others in EXCLUDED.items():
        assert all(name in EXCLUDED[other] for other in others)
