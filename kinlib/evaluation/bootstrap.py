"""How sure are we? Confidence intervals by drawing couples anew (Efron and Tibshirani 1993).

Siblings share their parents and are not independent; couples are. So whole couples are drawn with replacement, all
children with them. Every figure here is a function of means over couples, so a draw is nothing but a set of weights,
and a thousand draws are one matrix product. Two methods are compared on the same draws: what makes a couple hard for
both then cancels.

Percentile intervals are too narrow for few couples. The percentiles are therefore moved outwards, so that the interval
of a mean is about as wide as Student's (Hesterberg, "What teachers should know about the bootstrap", The American
Statistician 2015, section 5.2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["Statistic", "draw_weights", "interval", "mean", "ratio"]


@dataclass(frozen=True, eq=False)
class Statistic:
    """A figure that depends on the couples through means of some columns only.

    Attributes:
        columns: float64 [C, K], one row a couple; a couple with a NaN is left out.
        combine: takes the K means, each an array [B], and gives the figure [B].
        ideal: what a perfect method would get, or NaN if that is not known.
    """

    columns: np.ndarray
    combine: Callable[..., np.ndarray]
    ideal: float = float("nan")

    def at(self, weights: np.ndarray) -> np.ndarray:
        """The figure for each row of weights [B, C]; [B]."""
        valid = np.isfinite(self.columns).all(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # no couple left, or nothing to divide by: NaN
            means = (weights[:, valid] @ self.columns[valid]) / weights[:, valid].sum(axis=1, keepdims=True)
            return self.combine(*means.T)

    @property
    def value(self) -> float:
        """The figure with every couple counted once."""
        return float(self.at(np.ones((1, len(self.columns))))[0])


def mean(column: np.ndarray, ideal: float = float("nan")) -> Statistic:
    """Mean over couples of one number [C] each."""
    return Statistic(np.asarray(column, dtype=np.float64)[:, None], lambda value: value, ideal)


def ratio(above: np.ndarray, below: np.ndarray, ideal: float = float("nan")) -> Statistic:
    """Mean of `above` [C] over mean of `below` [C]; steadier than the mean of ratios."""
    return Statistic(np.column_stack([above, below]).astype(np.float64), np.divide, ideal)


def draw_weights(num_couples: int, num_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each couple is drawn: float64 [B, C], every row sums to C."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_couples, np.full(num_couples, 1 / num_couples), size=num_bootstrap).astype(np.float64)


def interval(replicates: np.ndarray, num_couples: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval (low, high) from a figure's values [B] over the draws; NaN for fewer than three couples."""
    replicates = replicates[np.isfinite(replicates)]
    if num_couples < 3 or len(replicates) == 0:
        return float("nan"), float("nan")
    tail = _tail(num_couples, confidence)
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache
def _tail(num_couples: int, confidence: float) -> float:
    """The share of the draws that lies beyond the interval on either side."""
    from scipy.stats import norm, t

    widening = np.sqrt(num_couples / (num_couples - 1))
    return float(norm.cdf(widening * t.ppf((1 - confidence) / 2, num_couples - 1)))
