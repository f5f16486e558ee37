"""Children as points in a space, couple by couple: identity embeddings, or all numerical traits jointly."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import Statistic, mean, ratio
from kinlib.evaluation.heredity.distances import measure_point_sets, median_distance
from kinlib.evaluation.heredity.traits import common_traits, numerical
from kinlib.runtime.errors import KinlibError

__all__ = ["PointSets", "point_set_statistics", "measure_couples", "trait_point_sets"]

AVERAGED = {"energy_distance": 0.0, "energy_score": None, "mmd2": 0.0}  # measure -> ideal; None: a column of its own
SHARES = {"mean_shift": ("shift", 0.0), "midparent_shift": ("midparent_shift", 0.0), "spread": ("spread", 1.0)}
BALLS = {"precision": None, "recall": None, "density": 1.0, "coverage": None}


@dataclass(frozen=True, eq=False)
class PointSets:
    """Points of C couples in one space.

    Attributes:
        children: of each couple, float64 [n, D]; n may differ, and be below two where nothing could be measured.
        truth: the same for the true children.
        midparents: float64 [C, D], the mean of both parents; NaN where unknown.
    """

    children: list[np.ndarray]
    truth: list[np.ndarray]
    midparents: np.ndarray


def measure_couples(sets: PointSets, neighbours: int) -> tuple[pd.DataFrame, float]:
    """Every measure of `kinlib.evaluation.heredity.distances`, one row a couple, and the kernel's bandwidth.

    `shift`, `midparent_shift` (both squared and unbiased), `spread` and `true_spread` are in the space's own unit. A
    couple with fewer than two children that could be measured gets NaN.

    Raises:
        KinlibError: if true children are too few to be compared with, or shapes do not fit.
    """
    bandwidth = float(np.median([median_distance(truth) for truth in sets.truth]))
    rows = []
    for children, truth, midparent in zip(sets.children, sets.truth, sets.midparents, strict=True):
        if len(children) < 2:
            rows.append({})
            continue
        row = measure_point_sets(children, truth, bandwidth, neighbours)
        distance = float(np.square(midparent - truth.mean(axis=0)).sum())
        rows.append(row | {"midparent_shift": distance - row["true_spread"] / len(truth)})
    if not any(rows):
        raise KinlibError("no couple has two children that could be measured")
    return pd.DataFrame(rows, dtype=np.float64), bandwidth


def point_set_statistics(table: pd.DataFrame, prefix: str = "") -> dict[tuple[str, str], Statistic]:
    """Means and shares over couples, by ("", measure), from the rows of `measure_couples`."""
    statistics = {}
    for name, ideal in (AVERAGED | BALLS).items():
        if ideal is None:
            ideal = float(table[f"ideal_{name}"].mean())
        statistics["", prefix + name] = mean(table[name], ideal)
    for name, (column, ideal) in SHARES.items():
        statistics["", prefix + name] = ratio(table[column], table["true_spread"], ideal)
    return statistics


def trait_point_sets(
    generated: list[pd.DataFrame], true: list[pd.DataFrame], parents: list[pd.DataFrame]
) -> tuple[PointSets, list[str]]:
    """Numerical traits in units of their true standard deviation within families.

    Args:
        generated: of each couple, one row a child; a child with a missing trait is left out.
        true: the same for the true children.
        parents: of each couple two rows, father and mother.

    Returns:
        The point sets, and the traits that are their dimensions: those that both tables have and that vary.

    Raises:
        KinlibError: if the tables have no trait in common.
    """
    numbers = set(numerical(true[0]))
    names = [name for name in common_traits(generated[0], true[0]) if name in numbers]
    deviation = np.sqrt(np.mean([_array(table, names).var(axis=0, ddof=1) for table in true], axis=0))
    varies = deviation > 0
    names, deviation = [name for name, use in zip(names, varies, strict=True) if use], deviation[varies]
    sets = PointSets(
        children=[_array(table, names) / deviation for table in generated],
        truth=[_array(table, names) / deviation for table in true],
        midparents=np.stack([_array(table, names, whole=False).mean(axis=0) / deviation for table in parents]),
    )
    return sets, names


def _array(table: pd.DataFrame, names: list[str], whole: bool = True) -> np.ndarray:
    """The columns as float64 [n, D]; with `whole`, only rows in which nothing is missing."""
    values = table[names].to_numpy(dtype=np.float64)
    return values[np.isfinite(values).all(axis=1)] if whole else values
