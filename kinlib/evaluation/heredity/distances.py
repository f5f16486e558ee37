"""Distances between two sets of points: a method's children of one couple, and the couple's true children.

The energy distance (Székely and Rizzo, "Energy statistics", Journal of Statistical Planning and Inference 2013) is zero
only when both sets come from one distribution. It is the strictly proper energy score (Gneiting and Raftery,
"Strictly proper scoring rules", JASA 2007), averaged over the true children, doubled, less what a perfect method would
get: a low one needs the right mean, the right spread and the right shape. The squared maximum mean discrepancy
(Gretton et al., "A kernel two-sample test", JMLR 2012) does the same with a kernel. Both are unbiased here: pairs of a
point with itself are left out (U-statistics), so that a perfect method gets zero on average, sometimes less.

Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) count points within balls
around points, each ball reaching to its k-th nearest neighbour: precision and density fall with implausible children,
recall and coverage with missing ones.

Unit: distances are Euclidean, in the points' own unit. (As a training loss, `kinlib.training.engine.losses` divides the
energy distance by the square root of the dimension, so that its weight does not depend on it.)

All functions take `children` [n, D] and `truth` [m, D] of one couple, any real numbers, at least two points each.
"""

from dataclasses import dataclass
from math import comb

import numpy as np

from kinlib.runtime.errors import KinlibError

__all__ = [
    "NEIGHBOURS",
    "Balls",
    "Moments",
    "balls",
    "energy_distance",
    "energy_score",
    "expected_coverage",
    "expected_precision",
    "measure_point_sets",
    "median_distance",
    "mmd2",
    "moments",
]

NEIGHBOURS = 5  # the k of Naeem et al.


@dataclass(frozen=True)
class Balls:
    """Shares, 0 to 1; `density` may exceed 1.

    Attributes:
        precision: children that lie in a ball of the truth.
        recall: true children that lie in a ball of the generated ones; NaN with too few of those to have balls.
        density: in how many balls of the truth a child lies, on average, divided by k; about 1 for a perfect method.
        coverage: balls of the truth that hold a child.
    """

    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Moments:
    """Mean and variance, which explain an energy distance.

    Attributes:
        shift: squared distance of the two means, unbiased, so that it may be negative.
        spread: variance of the children, summed over all dimensions.
        true_spread: the same of the truth.
    """

    shift: float
    spread: float
    true_spread: float


@dataclass(frozen=True)
class _Distances:
    """Euclidean distances: children to truth [n, m], among the children [n, n], among the truth [m, m]."""

    between: np.ndarray
    children: np.ndarray
    truth: np.ndarray


def energy_distance(children: np.ndarray, truth: np.ndarray) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased: 0 on average for a perfect method, in the points' own unit.

    Raises:
        KinlibError: if the shapes do not fit, a value is not finite, or there are fewer than two points.
    """
    return _energy_distance(_distances(children, truth))


def energy_score(children: np.ndarray, truth: np.ndarray) -> float:
    """E|X - y| - E|X - X'| / 2, mean over the true y, unbiased: lower is better; a perfect method gets E|Y - Y'| / 2.

    Raises:
        KinlibError: as `energy_distance`.
    """
    return _energy_score(_distances(children, truth))


def mmd2(children: np.ndarray, truth: np.ndarray, bandwidth: float | None = None) -> float:
    """Squared maximum mean discrepancy with the kernel exp(-d² / (2 bandwidth²)), unbiased; below 2.

    Args:
        children: [n, D].
        truth: [m, D].
        bandwidth: in the points' unit; None takes the median distance between two true children. Comparisons over
            couples need one bandwidth for all.

    Raises:
        KinlibError: as `energy_distance`, or if the bandwidth is not above zero.
    """
    distances = _distances(children, truth)
    return _mmd2(distances, _median_pair(distances.truth) if bandwidth is None else bandwidth)


def median_distance(points: np.ndarray) -> float:
    """The median Euclidean distance between two of the points [N, D]: the usual bandwidth of a kernel."""
    points = _checked(points, "points")
    return _median_pair(_pairwise(points, points, same=True))


def balls(children: np.ndarray, truth: np.ndarray, neighbours: int = NEIGHBOURS) -> Balls:
    """Precision, recall, density and coverage.

    Raises:
        KinlibError: as `energy_distance`, or if there are no more than `neighbours` true children.
    """
    return _balls(_distances(children, truth), neighbours)


def expected_coverage(num_children: int, num_truth: int, neighbours: int = NEIGHBOURS) -> float:
    """The coverage of a perfect method, whatever the distribution (Naeem et al. 2020, lemma 2)."""
    return 1.0 - comb(num_truth - 1, neighbours) / comb(num_truth - 1 + num_children, neighbours)


def expected_precision(truth: np.ndarray, neighbours: int = NEIGHBOURS) -> float:
    """The precision of a perfect method, estimated by leaving out one true child [m, D] after the other.

    A child left out lies in another's ball, computed without it, when it is one of the other's `neighbours` nearest.
    """
    truth = _checked(truth, "truth")
    return _expected_precision(_pairwise(truth, truth, same=True), neighbours)


def moments(children: np.ndarray, truth: np.ndarray) -> Moments:
    """Squared distance of the two means, and the variance of each set.

    Raises:
        KinlibError: as `energy_distance`.
    """
    children, truth = _checked_pair(children, truth)
    spread, true_spread = (float(points.var(axis=0, ddof=1).sum()) for points in (children, truth))
    plain = float(np.square(children.mean(axis=0) - truth.mean(axis=0)).sum())
    return Moments(plain - spread / len(children) - true_spread / len(truth), spread, true_spread)


def measure_point_sets(
    children: np.ndarray, truth: np.ndarray, bandwidth: float, neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """Every measure of this module by name, distances computed once; `ideal_...` is what a perfect method would get.

    Raises:
        KinlibError: as the single functions.
    """
    distances = _distances(children, truth)
    n, m = distances.between.shape
    precision = _expected_precision(distances.truth, neighbours)
    return {
        "energy_distance": _energy_distance(distances),
        "energy_score": _energy_score(distances),
        "mmd2": _mmd2(distances, bandwidth),
        **vars(moments(children, truth)),
        **vars(_balls(distances, neighbours)),
        "ideal_energy_score": _mean_pair(distances.truth) / 2,
        "ideal_precision": precision,
        "ideal_recall": precision if n == m else float("nan"),
        "ideal_coverage": expected_coverage(n, m, neighbours),
    }


def _energy_distance(distances: _Distances) -> float:
    return float(2 * distances.between.mean() - _mean_pair(distances.children) - _mean_pair(distances.truth))


def _energy_score(distances: _Distances) -> float:
    return float(distances.between.mean() - _mean_pair(distances.children) / 2)


def _mmd2(distances: _Distances, bandwidth: float) -> float:
    if not bandwidth > 0:
        raise KinlibError(f"a kernel's bandwidth must be above 0, not {bandwidth:g}: are all true children alike?")
    between, children, truth = (
        np.exp(-np.square(part / bandwidth) / 2) for part in (distances.between, distances.children, distances.truth)
    )
    return float(_mean_pair(children) + _mean_pair(truth) - 2 * between.mean())


def _balls(distances: _Distances, neighbours: int) -> Balls:
    if len(distances.truth) <= neighbours or neighbours < 1:
        raise KinlibError(f"balls to the {neighbours}th neighbour need more true children than {len(distances.truth)}")
    inside = distances.between <= _radii(distances.truth, neighbours)  # [n, m], child in ball of the truth
    recall = float("nan")
    if len(distances.children) > neighbours:
        radii = _radii(distances.children, neighbours)
        recall = float((distances.between <= radii[:, None]).any(axis=0).mean())
    return Balls(
        precision=float(inside.any(axis=1).mean()),
        recall=recall,
        density=float(inside.sum(axis=1).mean() / neighbours),
        coverage=float(inside.any(axis=0).mean()),
    )


def _radii(among: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance of each point to its k-th nearest neighbour, from the distances [n, n] among them; [n]."""
    return np.partition(among, neighbours, axis=1)[:, neighbours]  # the nearest of all, at 0, is the point itself


def _expected_precision(among: np.ndarray, neighbours: int) -> float:
    inside = among <= _radii(among, neighbours)[:, None]  # [ball, child]
    np.fill_diagonal(inside, False)
    return float(inside.any(axis=0).mean())


def _mean_pair(among: np.ndarray) -> float:
    """Mean over pairs of different points of a symmetric matrix [n, n]."""
    n = len(among)
    return float((among.sum() - np.trace(among)) / (n * (n - 1)))


def _median_pair(among: np.ndarray) -> float:
    return float(np.median(among[np.triu_indices(len(among), 1)]))


def _distances(children: np.ndarray, truth: np.ndarray) -> _Distances:
    children, truth = _checked_pair(children, truth)
    return _Distances(
        between=_pairwise(children, truth),
        children=_pairwise(children, children, same=True),
        truth=_pairwise(truth, truth, same=True),
    )


def _pairwise(first: np.ndarray, second: np.ndarray, same: bool = False) -> np.ndarray:
    """Euclidean distances [n, m] by one matrix product; in float64, for the squares nearly cancel."""
    squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2 * first @ second.T
    result = np.sqrt(np.maximum(squares, 0.0))
    if same:
        np.fill_diagonal(result, 0.0)
    return result


def _checked_pair(children: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    children, truth = _checked(children, "children"), _checked(truth, "truth")
    if children.shape[1] != truth.shape[1]:
        raise KinlibError(f"children have {children.shape[1]} dimensions and the truth {truth.shape[1]}: use one space")
    return children, truth


def _checked(points: np.ndarray, name: str) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or len(points) < 2:
        raise KinlibError(f"'{name}' must have the shape [n, D] with n of at least 2, not {list(points.shape)}")
    if not np.isfinite(points).all():
        raise KinlibError(f"'{name}' holds values that are not finite")
    return points
