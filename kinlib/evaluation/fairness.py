"""Does a method serve all groups of people alike? Every metric by group, with intervals, and the gap between groups.

People, or couples, are the units of the intervals: several pictures of one are not independent. The gap between the
group with the highest mean and the one with the lowest is never negative, so that chance alone gives one, and the more
groups there are, the larger it is. It is therefore shown beside the gap that groups of the same sizes have when people
are assigned to them at random: its mean, and its 95th percentile.

The interval of a gap must allow for the choice of the two groups, which is made on the same data. For any means a and
estimates b of all groups, |range(b) - range(a)| <= range(b - a). So the gap plus and minus the 95th percentile of the
range of the estimates' errors holds the true gap in at least 95% of cases. Each group's error has Student's
distribution.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import mean_interval
from kinlib.runtime.errors import KinlibError

__all__ = ["FEWEST", "Gap", "gap", "gaps", "holm", "metrics_by_group"]

FEWEST = 5  # units in a group; with fewer its mean says nothing, and the group is left out of the gap
SHUFFLES = 1000  # random assignments to groups


@dataclass(frozen=True)
class Gap:
    """The difference of the groups with the highest and the lowest mean; which of them is served better depends on the
    metric.

    Attributes:
        highest, lowest: the groups.
        value: higher minus lower mean.
        low, high: 95% interval of the true gap, not below 0.
        expected: mean of the value under random assignment to groups of the same sizes: what to expect without a gap.
        by_chance: the 95th percentile of the value under random assignment.
        p: share of random assignments whose gap is as large.
    """

    highest: str
    lowest: str
    value: float
    low: float
    high: float
    expected: float
    by_chance: float
    p: float


def metrics_by_group(values: Mapping[str, np.ndarray], groups: Mapping[str, np.ndarray], seed: int = 0) -> pd.DataFrame:
    """Means of metrics in each group of units (people or couples), with 95% intervals.

    Args:
        values: one number a unit, float [N], by metric; NaN is left out.
        groups: which units belong to each, bool [N]; groups may overlap.
        seed: of the bootstrap.

    Returns:
        Columns `metric`, `group`, `units`, `value`, `low`, `high`; the group "all" comes first.

    Raises:
        KinlibError: if lengths differ, there are no units, or a metric is infinite.
    """
    columns = {name: np.asarray(column, dtype=float) for name, column in values.items()}
    rows_of = _checked(columns, groups)
    rows = []
    for metric, column in columns.items():
        for group, inside in {"all": np.ones(len(column), bool), **rows_of}.items():
            part = column[inside & np.isfinite(column)]
            if len(part):
                rows.append((metric, group, len(part), *mean_interval(part, seed).values()))
    return pd.DataFrame(rows, columns=["metric", "group", "units", "value", "low", "high"])


def gap(column: np.ndarray, groups: Mapping[str, np.ndarray], seed: int = 0) -> Gap:
    """The gap of one metric between groups that do not overlap, such as the five populations.

    Args:
        column: one number a unit, float [N]; NaN is left out.
        groups: which units belong to each, bool [N]; of fewer than `FEWEST` units they are left out.
        seed: of the random assignments and the interval.

    Raises:
        KinlibError: if lengths differ, groups overlap, or fewer than two have enough units.
    """
    values = np.asarray(column, dtype=float)
    rows_of = _checked({"the metric": values}, groups)
    if np.sum(list(rows_of.values()), axis=0).max() > 1:
        raise KinlibError("groups whose gap is measured must not overlap")
    large = {name: rows & np.isfinite(values) for name, rows in rows_of.items()}
    large = {name: rows for name, rows in large.items() if rows.sum() >= FEWEST}
    if len(large) < 2:
        raise KinlibError(f"a gap needs two groups or more of at least {FEWEST} people or couples each")
    names, labels = list(large), np.full(len(values), -1)
    for number, rows in enumerate(large.values()):
        labels[rows] = number
    used, labels = values[labels >= 0], labels[labels >= 0]
    means = _means(used, labels, len(names))
    rng = np.random.default_rng(seed)
    shuffled = [np.ptp(_means(used, rng.permutation(labels), len(names))) for _ in range(SHUFFLES)]
    found, margin = float(np.ptp(means)), _margin(used, labels, len(names), rng)
    return Gap(
        highest=names[int(means.argmax())],
        lowest=names[int(means.argmin())],
        value=found,
        low=max(0.0, found - margin),
        high=found + margin,
        expected=float(np.mean(shuffled)),
        by_chance=float(np.quantile(shuffled, 0.95)),
        p=float((1 + np.sum(np.array(shuffled) >= found)) / (SHUFFLES + 1)),
    )


def gaps(
    values: Mapping[str, np.ndarray], partitions: Mapping[str, Mapping[str, np.ndarray]], seed: int = 0
) -> pd.DataFrame:
    """The gap of every metric between the groups of every partition, such as sex, age and population.

    Args:
        values: one number a unit, float [N], by metric; NaN is left out.
        partitions: of each, its groups, bool [N], which do not overlap. One with fewer than two groups of `FEWEST`
            units is left out.
        seed: as `gap`.

    Returns:
        One row each: `metric`, `by` (the partition), the attributes of `Gap`, `deviation` (the metric's standard
        deviation over all units, to compare gaps of different metrics) and `p_holm`, p corrected for the number of
        rows (Holm 1979): of twenty gaps, one has a p below 0.05 by chance.

    Raises:
        KinlibError: as `gap`.
    """
    rows = []
    for metric, column in values.items():
        column = np.asarray(column, dtype=float)
        for by, groups in partitions.items():
            used = _checked({metric: column}, groups)
            if sum((rows_of & np.isfinite(column)).sum() >= FEWEST for rows_of in used.values()) > 1:
                deviation = float(np.nanstd(column, ddof=1))
                rows.append({"metric": metric, "by": by, **vars(gap(column, groups, seed)), "deviation": deviation})
    table = pd.DataFrame(rows, columns=["metric", "by", *Gap.__annotations__, "deviation"])
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def holm(p: np.ndarray) -> np.ndarray:
    """Probabilities [N] corrected for their number (Holm 1979): the smallest N-fold, the next one (N - 1)-fold, ..."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return stepped[np.argsort(order, kind="stable")]


def _margin(values: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> float:
    """95th percentile of the range of the errors of the groups' means."""
    sizes, means = np.bincount(labels, minlength=count), _means(values, labels, count)
    variances = np.bincount(labels, (values - means[labels]) ** 2, count) / (sizes - 1)
    errors = rng.standard_t(sizes - 1, (SHUFFLES, count)) * np.sqrt(variances / sizes)  # [shuffles, groups]
    return float(np.quantile(np.ptp(errors, axis=1), 0.95))


def _means(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(labels, values, count) / np.bincount(labels, minlength=count)


def _checked(columns: Mapping[str, np.ndarray], groups: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    lengths = {len(column) for column in [*columns.values(), *groups.values()]}
    if len(lengths) != 1 or 0 in lengths or not columns:
        raise KinlibError(f"metrics and groups must be of one length, 1 or more, not {sorted(lengths)}")
    for name, column in columns.items():
        if np.isinf(column).any():
            raise KinlibError(f"{name} holds values that are infinite")
    return {name: np.asarray(rows, dtype=bool) for name, rows in groups.items()}
