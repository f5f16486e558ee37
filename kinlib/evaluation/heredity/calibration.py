"""Calibration: whether a method's children are as uncertain as heredity is, and no more.

A couple's true child is one of many. If a method samples the true distribution, a true child's rank among the generated
ones is uniform in every trait (simulation-based calibration, Talts et al. 2018), and the central interval that holds
80% of the generated children holds 80% of the true ones. Ranks at both ends in excess: siblings too alike; in the
middle: too different; at one end: children systematically wrong.

That is about one trait at a time. All together are tested by distances to random points (TARP, Lemos et al. 2023), and
the dependence between traits by the variogram score (Scheuerer and Hamill 2015).

All functions take, of each couple, generated children [n, D] and true children [T, D]: the same D traits, as numbers.
Couples are the units of the intervals.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import Statistic, draw_weights, estimate, mean
from kinlib.evaluation.heredity.traits import common_traits, numerical
from kinlib.runtime.errors import KinlibError

__all__ = ["LEVELS", "coverage", "distance_ranks", "rank_histogram", "ranks", "trait_sets", "variogram_score"]
__all__ += ["variogram_scores"]

LEVELS = (0.5, 0.8, 0.9)
ORDER = 0.5  # of the variogram, as Scheuerer and Hamill advise: larger ones follow outliers
Sets = Sequence[np.ndarray]


def trait_sets(
    generated: Sequence[pd.DataFrame], true: Sequence[pd.DataFrame]
) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
    """The numerical traits that both have, as arrays for the functions below, and their names.

    Args:
        generated, true: one table a couple, one row a child.

    Raises:
        KinlibError: if they share no numerical trait.
    """
    numbers = set(numerical(true[0]))
    names = [name for name in common_traits(generated[0], true[0]) if name in numbers]
    if not names:
        raise KinlibError("the children's traits and the reference's have no number in common")
    return *([table[names].to_numpy(np.float64) for table in tables] for tables in (generated, true)), names


def ranks(children: Sets, truth: Sets, seed: int = 0) -> list[np.ndarray]:
    """Randomised ranks of true children among the generated ones of their couple, trait by trait.

    Args:
        children: [n, D] of each couple; NaN where a trait could not be measured, which is left out.
        truth: [T, D] of each couple.
        seed: of what breaks ties and spreads a rank over its step: with n children a rank has n + 1 values.

    Returns:
        [T, D] of each couple, from 0 to 1, uniform for a perfect method; NaN where the truth or all children are.

    Raises:
        KinlibError: if there are no couples, or the sets do not fit together.
    """
    _check(children, truth)
    rng = np.random.default_rng(seed)
    found = []
    for mine, theirs in zip(children, truth, strict=True):
        there = np.isfinite(mine).sum(axis=0)  # [D]
        below = (mine[:, None] < theirs).sum(axis=0)  # [T, D]
        equal = (mine[:, None] == theirs).sum(axis=0)
        place = (below + rng.random(below.shape) * (equal + 1)) / (there + 1)
        found.append(np.where(np.isfinite(theirs) & (there > 0), place, np.nan))
    return found


def distance_ranks(children: Sets, truth: Sets, seed: int = 0) -> list[np.ndarray]:
    """Randomised ranks of true children by their distance from random points: all traits at once (TARP).

    Traits are standardised by the true children's deviations within couples. Each true child has a random point of its
    own, a true child of any couple. Rows with a NaN are left out.

    Returns:
        [T, 1] of each couple, as `ranks`.

    Raises:
        KinlibError: as `ranks`.
    """
    _check(children, truth)
    rng = np.random.default_rng(seed)
    scale = _deviation(truth)
    children, truth = ([some[np.isfinite(some).all(axis=1)] / scale for some in sets] for sets in (children, truth))
    everybody = np.concatenate(truth)
    found = []
    for mine, theirs in zip(children, truth, strict=True):
        points = everybody[rng.integers(0, len(everybody), len(theirs))]  # [T, D]
        to_mine = np.linalg.norm(mine[:, None] - points, axis=2)  # [n, T]
        to_truth = np.linalg.norm(theirs - points, axis=1)
        below = (to_mine < to_truth).sum(axis=0)
        found.append(((below + rng.random(len(theirs))) / (len(mine) + 1))[:, None])
    return found


def coverage(found: Sets, levels: Sequence[float] = LEVELS, seed: int = 0) -> pd.DataFrame:
    """Share of true children within the central interval that holds a given share of the generated ones.

    Args:
        found: ranks of each couple, from `ranks` or `distance_ranks`.
        levels: shares of the generated children, from 0 to 1.
        seed: of the intervals' bootstrap.

    Returns:
        One row a level: `level`, `mean`, and the ends `low` and `high` of its 95% interval. A perfect method's mean
        is the level.
    """
    inside = {level: [_share(np.abs(2 * one - 1) <= level, one) for one in found] for level in levels}
    return _table({"level": list(inside)}, [mean(np.array(column)) for column in inside.values()], len(found), seed)


def rank_histogram(found: Sets, bins: int = 10, seed: int = 0) -> pd.DataFrame:
    """Share of the ranks in each of equal bins: 1 / bins in each for a perfect method.

    Returns:
        One row a bin: `middle`, `mean`, and the ends `low` and `high` of its 95% interval.
    """
    place = [np.minimum((np.nan_to_num(one) * bins).astype(int), bins - 1) for one in found]
    columns = [
        mean(np.array([_share(bin_ == number, one) for bin_, one in zip(place, found, strict=True)]))
        for number in range(bins)
    ]
    return _table({"middle": (np.arange(bins) + 0.5) / bins}, columns, len(found), seed)


def variogram_scores(children: Sets, truth: Sets) -> np.ndarray:
    """The variogram score of each couple, [C]: how wrong the differences between two traits are.

    For each pair of traits i, j the mean of |y_i - y_j|^(1/2) over generated children is compared with that of each
    true child; squared differences are averaged over pairs and true children. Traits are standardised by the true
    deviations within couples, around each couple's true mean. It is proper: the true distribution has the least, which
    is not zero; only differences between methods mean something.

    Raises:
        KinlibError: as `ranks`, or with one trait only.
    """
    _check(children, truth)
    if np.shape(truth[0])[1] < 2:
        raise KinlibError("a variogram compares pairs of traits: give two or more")
    scale = _deviation(truth)
    scores = []
    for mine, theirs in zip(children, truth, strict=True):
        centre = np.nanmean(theirs, axis=0)
        x, y = (((some - centre) / scale)[np.isfinite(some).all(axis=1)] for some in (mine, theirs))
        first, second = np.triu_indices(y.shape[1], 1)
        expected = (np.abs(x[:, first] - x[:, second]) ** ORDER).mean(axis=0)
        seen = np.abs(y[:, first] - y[:, second]) ** ORDER  # [T, pairs]
        scores.append(np.square(seen - expected).mean())
    return np.array(scores)


def variogram_score(children: Sets, truth: Sets, seed: int = 0) -> dict[str, float]:
    """Mean of `variogram_scores` over couples: `mean`, and the ends `low` and `high` of its 95% interval."""
    scores = variogram_scores(children, truth)
    return _table({}, [mean(scores)], len(scores), seed).iloc[0].to_dict()


def _deviation(truth: Sets) -> np.ndarray:
    """Standard deviation of each trait within couples, [D]; 1 where a trait does not vary."""
    found = np.sqrt(np.mean([np.nanvar(one, axis=0) for one in truth], axis=0))
    return np.where(found > 0, found, 1.0)


def _share(chosen: np.ndarray, one: np.ndarray) -> float:
    """Share of the finite ranks that are chosen; NaN without any."""
    there = np.isfinite(one)
    return float(chosen[there].mean()) if there.any() else float("nan")


def _table(columns: dict, statistics: Sequence[Statistic], couples: int, seed: int) -> pd.DataFrame:
    weights = draw_weights(couples, seed=seed)
    rows = [dict(zip(("mean", "low", "high"), estimate(one, weights), strict=True)) for one in statistics]
    return pd.DataFrame(columns | {name: [row[name] for row in rows] for name in ("mean", "low", "high")})


def _check(children: Sets, truth: Sets) -> None:
    if not len(children) or len(children) != len(truth):
        raise KinlibError(f"give generated and true children of the same couples, not {len(children)} and {len(truth)}")
    for mine, theirs in zip(children, truth, strict=True):
        if np.ndim(mine) != 2 or np.ndim(theirs) != 2 or np.shape(mine)[1] != np.shape(theirs)[1]:
            raise KinlibError(f"children must be [n, D] and [T, D], not {np.shape(mine)} and {np.shape(theirs)}")
