"""Kinship verification: pairs, a classifier, and its accuracy with intervals over families."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kinlib.evaluation.kinship import Pairs, Verifier, _Curve, right_by_family, sample_pairs, verify
from kinlib.runtime.errors import KinlibError


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def families(count: int, seed: int, likeness: float, each: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Parents [F, 2, 16] and children [F, n, 16], which are a mixture of the mid-parent and chance."""
    rng = np.random.default_rng(seed)
    parents = unit(rng.normal(size=(count, 2, 16)))
    chance = unit(rng.normal(size=(count, each, 16)))
    return parents, unit(likeness * unit(parents.mean(axis=1, keepdims=True)) + (1 - likeness) * chance)


def test_pairs_are_of_one_family_or_of_two():
    parents, children = families(5, 0, 1.0)
    pairs = sample_pairs(parents, children)
    assert pairs.related.sum() == 40 and len(pairs.related) == 80
    for parent, child, related, (mine, other) in zip(
        pairs.parents, pairs.children, pairs.related, pairs.families, strict=True
    ):
        assert (parent == parents[mine]).all(axis=1).any()
        assert (child == children[other]).all(axis=1).any()
        assert related == (mine == other)
    fewer = sample_pairs(parents, children, 10)
    assert fewer.related.sum() == 10 and (~fewer.related).sum() == 10
    assert not np.array_equal(sample_pairs(parents, children, 10, seed=1).parents, fewer.parents)


def test_couples_may_have_different_numbers_of_children():
    parents, children = families(4, 0, 1.0)
    some = [one[: 1 + number] for number, one in enumerate(children)]
    pairs = sample_pairs(parents, some)
    assert pairs.related.sum() == 2 * (1 + 2 + 3 + 4)
    for child, related, (mine, other) in zip(pairs.children, pairs.related, pairs.families, strict=True):
        assert (child == some[other]).all(axis=1).any()
        assert related == (mine == other)


def test_likeness_is_found_and_its_absence_too():
    verifier = Verifier.fit(sample_pairs(*families(60, 1, 0.6)))
    same = verify(verifier, sample_pairs(*families(60, 2, 0.6)))
    assert same.loc["auc", "low"] > 0.75 and same.loc["accuracy", "value"] > 0.7
    none = [verify(verifier, sample_pairs(*families(60, seed, 0.0))).loc["auc"] for seed in range(3, 23)]
    assert np.mean([auc["low"] < 0.5 < auc["high"] for auc in none]) >= 0.85
    assert (same["low"] <= same["value"]).all() and (same["value"] <= same["high"]).all()


def test_copies_of_a_parent_beat_children_as_likely_as_the_true_ones():
    """What the protocol measures is likeness, not heredity."""
    parents, children = families(60, 4, 0.6)
    verifier = Verifier.fit(sample_pairs(*families(60, 5, 0.6)))
    copied = np.repeat(unit(parents.mean(axis=1, keepdims=True)), 4, axis=1)
    true, copy = (verify(verifier, sample_pairs(parents, found)) for found in (children, copied))
    assert copy.loc["auc", "value"] > true.loc["auc", "value"]


def test_accuracy_by_family_is_accuracy_in_parts():
    verifier = Verifier.fit(sample_pairs(*families(30, 1, 0.6)))
    pairs = sample_pairs(*families(20, 2, 0.6))
    each = right_by_family(verifier, pairs)
    assert each.shape == (20,) and each.min() < each.max()
    assert each.mean() == pytest.approx(verify(verifier, pairs).loc["accuracy", "value"])  # as many pairs of each


def test_homes_that_do_not_fit():
    with pytest.raises(KinlibError, match="of 5 couples, not of 2"):
        sample_pairs(*families(5, 0, 1.0), homes=["a", "b"])


def test_weighted_area_is_that_of_repeated_pairs():
    rng = np.random.default_rng(0)
    found, related, weights = rng.integers(0, 6, 40) / 6, rng.random(40) < 0.5, rng.integers(0, 3, 40)
    expected = roc_auc_score(np.repeat(related, weights), np.repeat(found, weights))
    assert _Curve(found, related).area(weights.astype(float)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, c: (p[:1], c[:1]), "two or more"),
        (lambda p, c: (p, c[:-1]), "of the same couples"),
        (lambda p, c: (p[:, :1], c), r"parents must be \[F, 2, D\]"),
        (lambda p, c: (p, c[:, :0]), r"each couple \[n, D\]"),
        (lambda p, c: (p, 2 * c), "unit length"),
        (lambda p, c: (p, c * np.nan), "finite"),
    ],
)
def test_wrong_input_is_refused(change, words):
    with pytest.raises(KinlibError, match=words):
        sample_pairs(*change(*families(5, 0, 1.0)))


@pytest.mark.parametrize("count", [0, 41])
def test_more_pairs_than_there_are_are_refused(count):
    with pytest.raises(KinlibError, match="from 1 to 40"):
        sample_pairs(*families(5, 0, 1.0), count)


def test_too_few_families_to_train_on():
    with pytest.raises(KinlibError, match="5 families"):
        Verifier.fit(sample_pairs(*families(4, 0, 1.0)))
    assert isinstance(sample_pairs(*families(4, 0, 1.0)), Pairs)
