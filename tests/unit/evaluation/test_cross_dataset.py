"""Verification across data sets, and on one by cross-validation: no family is in training and test."""

import numpy as np
import pytest

from kinlib.evaluation.cross_dataset import across, cross_validate, halves, pairs_of
from kinlib.evaluation.family_embeddings import FamilyEmbeddings
from kinlib.runtime.errors import KinlibError


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def people(homes: int, seed: int, likeness: float = 0.6, light: float = 0.0, each: int = 2) -> FamilyEmbeddings:
    """Two couples of each extended family; children resemble their parents, relatives of a family share a light."""
    rng = np.random.default_rng(seed)
    count = 2 * homes
    shared = np.repeat(unit(rng.normal(size=(homes, 16))), 2, axis=0)  # [F, 16]
    parents = unit(unit(rng.normal(size=(count, 2, 16))) + light * shared[:, None])
    chance = unit(rng.normal(size=(count, each, 16)))
    middle = unit(parents.mean(axis=1, keepdims=True))
    children = unit(likeness * middle + (1 - likeness) * chance + light * shared[:, None])
    names = [f"home {number // 2}" for number in range(count)]
    pairs = [(f"f{number}", f"m{number}") for number in range(count)]
    return FamilyEmbeddings(parents, list(children), names, pairs, pairs)


def test_no_stranger_is_of_the_own_family():
    found = people(4, 0)
    pairs = pairs_of(found)
    homes = np.array(found.homes)
    for parent, child, related in zip(pairs.parents, pairs.children, pairs.related, strict=True):
        of_parent = next(row for row in range(8) if (found.parents[row] == parent).all(axis=1).any())
        of_child = next(row for row in range(8) if (found.children[row] == child).all(axis=1).any())
        assert (of_parent == of_child) == related
        assert (homes[of_parent] == homes[of_child]) == related
    with pytest.raises(KinlibError, match="two families or more"):
        pairs_of(found.select([0, 1]))


def test_halves_share_no_family():
    training, tested = halves(people(9, 0), seed=1)
    assert not set(training.homes) & set(tested.homes) and len(training) + len(tested) == 18
    assert len(training.parents) == len(training) == len(training.photographs)
    assert len(set(halves(people(7, 0))[0].homes)) == 5
    with pytest.raises(KinlibError, match="from 7 families on, not 6"):
        halves(people(6, 0))


def test_likeness_carries_over_to_another_set_and_its_absence_does_not():
    sets = {"one": people(20, 1), "another": people(20, 2), "no likeness": people(20, 3, likeness=0.0)}
    table = across(sets).set_index(["trained_on", "tested_on"])
    assert list(table.columns) == ["accuracy", "auc", "low", "high"] and len(table) == 9
    assert table.loc[("one", "another"), "low"] > 0.6 and table.loc[("one", "one"), "low"] > 0.6
    none = table.loc[("one", "no likeness")]
    assert none["low"] < 0.5 < none["high"]
    own = table.loc[("no likeness", "no likeness")]
    assert own["low"] < 0.55, "families that are tested were not trained on"


def test_cross_validation_needs_families():
    with pytest.raises(KinlibError, match="10 families with trios or more, not 9"):
        cross_validate(people(9, 0))
