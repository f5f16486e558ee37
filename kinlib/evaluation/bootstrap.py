"""Confidence intervals by resampling couples (bootstrap).

Siblings share their parents and are not independent; couples are. So whole couples are drawn with replacement, all
their children with them. Every statistic here is a function of means over couples, so a draw is a vector of weights,
and a thousand draws are one matrix product. Two methods are compared on the same draws, so that the difficulty of a
couple, which both share, cancels.

The intervals are bias-corrected and accelerated (BCa; Efron, "Better bootstrap confidence intervals", JASA 1987), for
energy distances are skewed, and plain percentiles then fall short on one side. With few couples all bootstrap intervals
are too narrow, so the percentiles are moved outwards by the ratio of Student's distribution to the normal (Hesterberg,
"What teachers should know about the bootstrap", The American Statistician 2015).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinlib.runtime.errors import KinlibError

__all__ = ["MAX_DRAWS", "Statistic", "difference", "draw_weights", "estimate", "mean", "mean_interval", "ratio"]

MAX_DRAWS = 1_000_000  # weights of 100 couples then take 0.8 GB


@dataclass(frozen=True, eq=False)
class Statistic:
    """A number that depends on the couples through means of some columns only.

    Attributes:
        columns: float64 [C, K], one row a couple; a couple with a NaN is left out.
        combine: takes the K means, each an array [B], and returns the statistic [B].
        ideal: what a perfect method would get, or NaN if that is not known.
    """

    columns: np.ndarray
    combine: Callable[..., np.ndarray]
    ideal: float = float("nan")

    @property
    def usable(self) -> np.ndarray:
        """Which couples have all their numbers; bool [C]."""
        return np.isfinite(self.columns).all(axis=1)

    def at(self, weights: np.ndarray) -> np.ndarray:
        """The statistic for each row of weights [B, C]; [B]."""
        valid = self.usable
        with np.errstate(divide="ignore", invalid="ignore"):  # no couple left, or nothing to divide by: NaN
            means = (weights[:, valid] @ self.columns[valid]) / weights[:, valid].sum(axis=1, keepdims=True)
            return self.combine(*means.T)

    @property
    def value(self) -> float:
        """The statistic with every couple counted once."""
        return float(self.at(np.ones((1, len(self.columns))))[0])


def mean(column: np.ndarray, ideal: float = float("nan")) -> Statistic:
    """Mean over couples of one number [C] each."""
    return Statistic(np.asarray(column, dtype=np.float64)[:, None], lambda value: value, ideal)


def ratio(above: np.ndarray, below: np.ndarray, ideal: float = float("nan")) -> Statistic:
    """Mean of `above` [C] over mean of `below` [C]; steadier than the mean of ratios."""
    return Statistic(np.column_stack([above, below]).astype(np.float64), np.divide, ideal)


def draw_weights(num_couples: int, num_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each couple is drawn: float64 [B, C], every row sums to C.

    Raises:
        KinlibError: if there are no couples or draws.
    """
    if num_couples < 1 or num_bootstrap < 1:
        raise KinlibError(f"an interval needs couples and draws: there are {num_couples} and {num_bootstrap}")
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_couples, np.full(num_couples, 1 / num_couples), size=num_bootstrap).astype(np.float64)


def estimate(statistic: Statistic, weights: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """A statistic and its interval: (value, low, high); low and high are NaN for fewer than three usable couples.

    Args:
        statistic: of C couples.
        weights: draws [B, C].
        confidence: share of intervals that should hold the true value.

    Raises:
        KinlibError: if the draws are of another number of couples, or the confidence is not between 0 and 1.
    """
    if weights.ndim != 2 or weights.shape[1] != len(statistic.columns):
        raise KinlibError(f"draws must be [B, {len(statistic.columns)}] for as many couples, not {list(weights.shape)}")
    if not 0 < confidence < 1:
        raise KinlibError(f"the confidence must be between 0 and 1, not {confidence:g}")
    usable = statistic.usable
    value, count = statistic.value, int(usable.sum())
    draws = statistic.at(weights)
    draws = draws[np.isfinite(draws)]
    if count < 3 or len(draws) == 0 or not np.isfinite(value):
        return value, float("nan"), float("nan")
    without_one = statistic.at(1 - np.eye(len(usable))[usable])  # [count]; leaving out the others changes nothing
    low, high = np.quantile(draws, _shares(value, draws, without_one[np.isfinite(without_one)], count, confidence))
    return value, float(low), float(high)


def mean_interval(column: np.ndarray, seed: int = 0, num_bootstrap: int = 1000) -> dict[str, float]:
    """Mean of one number [C] for each couple, or person, with its 95% interval: `mean`, `low`, `high`.

    Args:
        column: the numbers; NaN is left out, and of fewer than three numbers `low` and `high` are NaN.
        seed: of the draws.
        num_bootstrap: how many.

    Raises:
        KinlibError: if there are no numbers.
    """
    column = np.asarray(column, dtype=np.float64)
    found = estimate(mean(column), draw_weights(len(column), num_bootstrap, seed))
    return dict(zip(("mean", "low", "high"), found, strict=True))


def difference(first: Statistic, second: Statistic) -> Statistic:
    """First minus second, of the same couples; a couple that either statistic lacks is left out of both."""
    split = first.columns.shape[1]

    def combine(*means: np.ndarray) -> np.ndarray:
        return first.combine(*means[:split]) - second.combine(*means[split:])

    return Statistic(np.column_stack([first.columns, second.columns]), combine, first.ideal - second.ideal)


def _shares(value: float, draws: np.ndarray, without_one: np.ndarray, count: int, confidence: float) -> np.ndarray:
    """Which shares of the draws lie below the interval's two ends."""
    from scipy.special import ndtr, ndtri, stdtrit

    least = 1 / (len(draws) + 1)
    below = np.mean(draws < value) + np.mean(draws == value) / 2
    bias = ndtri(np.clip(below, least, 1 - least))
    away = without_one.mean() - without_one
    scale = np.square(away).sum() ** 1.5
    acceleration = (away**3).sum() / (6 * scale) if scale > 0 else 0.0
    ends = np.sqrt(count / (count - 1)) * stdtrit(count - 1, np.array([1 - confidence, 1 + confidence]) / 2)
    return ndtr(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
