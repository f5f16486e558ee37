"""Metrics by group of people: the same groups for every network, by sex, age, skin and founder population."""

import json

import numpy as np
import pandas as pd

from kinlib.studio.datasets.sampling import member_genome
from kinlib.studio.genetics.populations import POPULATIONS

__all__ = ["by_group", "groups_of", "partitions_of", "population_indices"]

AGE_BANDS = ((0, 18), (18, 40), (40, 60), (60, 101))  # years, without the last: children, and three of adults
SKINS = ("lightest third of skins", "middle third of skins", "darkest third of skins")


def groups_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Rows of each group, bool [N]; groups that are empty, or for which the table has no column, are left out.

    Args:
        table: one row a picture, with any of the columns `male`, `age` (years), `melanin` (whose thirds are those of
            this table) and `population` (a name), or the JSON `attributes` that hold them. The population also
            follows from `seed`, of a set that `kinlib render` wrote, and `person`.
    """
    if "attributes" in table:
        table = table.assign(**pd.DataFrame([json.loads(text) for text in table["attributes"]], table.index))
    groups: dict[str, np.ndarray] = {}
    if "male" in table:
        male = np.array(table["male"], dtype=bool)
        groups |= {"women": ~male, "men": male}
    if "age" in table:
        age = table["age"].to_numpy(dtype=float)
        groups |= {f"{low} to {high - 1} years": (age >= low) & (age < high) for low, high in AGE_BANDS}
    if "melanin" in table and len(table):
        melanin = table["melanin"].to_numpy(dtype=float)
        third = np.searchsorted(np.quantile(melanin, [1 / 3, 2 / 3]), melanin)
        groups |= {name: third == number for number, name in enumerate(SKINS)}
    homes = _populations(table)
    groups |= {name: homes == name for name in (*POPULATIONS, "mixed")}
    return {name: rows for name, rows in groups.items() if rows.any()}


def partitions_of(table: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """The groups of `groups_of` by what divides people into them: "sex", "age", "skin", "population" and "descent".

    Groups of one partition do not overlap; people of mixed descent belong to none of the populations. A partition with
    fewer than two groups is left out.
    """
    groups = groups_of(table)
    names = {"sex": ("women", "men"), "age": [f"{low} to {high - 1} years" for low, high in AGE_BANDS], "skin": SKINS}
    found = {
        by: {name: groups[name] for name in some if name in groups}
        for by, some in {**names, "population": POPULATIONS}.items()
    }
    if "mixed" in groups:
        found["descent"] = {"of one population": ~groups["mixed"], "mixed": groups["mixed"]}
    return {by: some for by, some in found.items() if len(some) > 1 and all(rows.any() for rows in some.values())}


def by_group(groups: dict[str, np.ndarray], **values) -> dict[str, dict[str, float]]:
    """Mean of metrics in each group.

    Args:
        groups: rows of each, bool [N].
        values: arrays or tensors [N], by metric; NaN is left out.

    Returns:
        For each group the number of its `pictures`, and every metric that some of them have.
    """
    arrays = {name: np.asarray(column, dtype=float) for name, column in values.items()}
    result: dict[str, dict[str, float]] = {}
    for group, rows in groups.items():
        result[group] = {"pictures": int(rows.sum())}
        for name, column in arrays.items():
            if np.isfinite(column[rows]).any():
                result[group][name] = round(float(np.nanmean(column[rows])), 4)
    return result


def population_indices(seed: int, people: np.ndarray) -> np.ndarray:
    """Index of each person's founder population, int64 [N], for people by number: it follows from their set's seed."""
    numbers, where = np.unique(people, return_inverse=True)
    found = [int(member_genome(int(seed), int(number)).ancestry[0].argmax()) for number in numbers]
    return np.array(found, np.int64)[where]


def _populations(table: pd.DataFrame) -> np.ndarray:
    """Names of the populations, [N]; empty strings where the table does not hold them."""
    if "population" in table:
        return table["population"].to_numpy(dtype=object)
    if not {"seed", "person"} <= set(table) or table.empty:
        return np.full(len(table), "", dtype=object)
    seed = table["seed"].iloc[0]  # a set has one
    return np.array(POPULATIONS, dtype=object)[population_indices(seed, table["person"].to_numpy())]
