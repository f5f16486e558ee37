"""Whose children they are: exact where it is known, chance where children do not depend on their parents."""

import numpy as np
import pytest

from kinlib.evaluation.heredity.assignment import assign
from kinlib.runtime.errors import KinlibError


def unit(points: np.ndarray) -> np.ndarray:
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


@pytest.fixture
def parents() -> np.ndarray:
    """Fathers and mothers of eight couples, [2, 8, 64]."""
    return unit(np.random.default_rng(0).normal(size=(2, 8, 64)))


def test_children_between_their_parents_are_found(parents):
    children = np.repeat(unit(parents.mean(axis=0))[:, None], 3, axis=1)  # [8, 3, 64]
    table = assign(children, *parents)
    assert len(table) == 8 and (table.right == 1).all() and (table["rank"] == 0).all()
    swapped = assign(children[::-1], *parents)
    assert swapped.right.max() == 0 and swapped["rank"].min() > 0


def test_the_same_children_for_all_are_chance(parents):
    same = np.repeat(unit(np.random.default_rng(1).normal(size=(1, 40, 64))), 8, axis=0)
    table = assign(same, *parents)
    assert table.right.mean() == pytest.approx(1 / 8) and table["rank"].mean() == pytest.approx(0.5)


def test_shapes_that_do_not_fit(parents):
    with pytest.raises(KinlibError, match=r"fathers must be \[3, 64\]"):
        assign(np.zeros((3, 2, 64)), *parents)
    with pytest.raises(KinlibError, match="two or more couples"):
        assign(np.zeros((1, 2, 64)), parents[0, :1], parents[1, :1])
    children = np.repeat(parents[0][:, None], 2, axis=1)
    for wrong in (3 * children, children * np.nan):
        with pytest.raises(KinlibError, match="unit length"):
            assign(wrong, *parents)
