"""How well predicted ratings fit: MAE, RMSE, Pearson and Spearman correlation, with intervals over people.

Pictures of one person are not independent, so people are drawn for an interval, all their pictures with them. A rank
correlation is that of the ranks among all pictures, which are not computed anew in each draw.
"""

import numpy as np
from scipy.stats import rankdata

from kinlib.evaluation.bootstrap import Statistic, difference, draw_weights, estimate
from kinlib.runtime.errors import KinlibError

__all__ = ["MEASURES", "compare", "measure", "statistics"]

MEASURES = ("mae", "rmse", "pearson", "spearman")


def statistics(predicted: np.ndarray, truth: np.ndarray, units: np.ndarray) -> dict[str, Statistic]:
    """The four measures as functions of sums over each person's pictures, by name.

    Args:
        predicted, truth: [N].
        units: [N], equal for pictures of one person.

    Raises:
        KinlibError: if there are none, their numbers differ, or a value is not finite.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if not len(predicted) or not len(predicted) == len(truth) == len(units):
        raise KinlibError(
            f"as many predictions as ratings are needed, not {len(predicted)}, {len(truth)} and {len(units)}"
        )
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()):
        raise KinlibError("predictions and ratings must be finite numbers")
    errors = predicted - truth
    ones = np.ones(len(errors))
    return {
        "mae": Statistic(_sums(units, np.abs(errors), ones), np.divide),
        "rmse": Statistic(_sums(units, errors**2, ones), lambda squares, count: np.sqrt(squares / count)),
        "pearson": _correlation(predicted, truth, units),
        "spearman": _correlation(rankdata(predicted), rankdata(truth), units),
    }


def measure(predicted: np.ndarray, truth: np.ndarray, units: np.ndarray, seed: int = 0) -> dict[str, list[float]]:
    """Every measure as [value, low, high]; arguments as for `statistics`."""
    return _estimated(statistics(predicted, truth, units), len(np.unique(units)), seed)


def compare(
    first: np.ndarray, second: np.ndarray, truth: np.ndarray, units: np.ndarray, seed: int = 0
) -> dict[str, list[float]]:
    """First minus second of two predictions of the same pictures, as [value, low, high] of every measure."""
    one, other = (statistics(predicted, truth, units) for predicted in (first, second))
    return _estimated({name: difference(one[name], other[name]) for name in MEASURES}, len(np.unique(units)), seed)


def _estimated(found: dict[str, Statistic], count: int, seed: int) -> dict[str, list[float]]:
    weights = draw_weights(count, seed=seed)
    return {name: [round(float(value), 5) for value in estimate(one, weights)] for name, one in found.items()}


def _sums(units: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """Sums of columns over each unit, [U, K]."""
    _, place = np.unique(units, return_inverse=True)
    return np.column_stack([np.bincount(place, column) for column in columns])


def _correlation(x: np.ndarray, y: np.ndarray, units: np.ndarray) -> Statistic:
    x, y = x - x.mean(), y - y.mean()  # for precision; the correlation is the same
    return Statistic(_sums(units, np.ones(len(x)), x, y, x * x, y * y, x * y), _pearson)


def _pearson(count: np.ndarray, x: np.ndarray, y: np.ndarray, *products: np.ndarray) -> np.ndarray:
    """Pearson's correlation from mean sums of 1, x, y, xx, yy and xy, [B] each."""
    xx, yy, xy = products
    covariance = xy - x * y / count
    return covariance / np.sqrt((xx - x * x / count) * (yy - y * y / count))
