"""Measurements as tables with one row for each setting and person, and their means with intervals over people."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import mean_interval

__all__ = ["as_table", "change_from", "interval", "intervals"]

RESAMPLES = 2000  # of the bootstrap: the ends of an interval are then steady to a hundredth of a dB


def as_table(measured: Mapping[object, Mapping[str, np.ndarray]], by: str) -> pd.DataFrame:
    """Arrays [N] by name, for each of several settings: one row for each setting and picture.

    Args:
        measured: by setting, such as a number of steps.
        by: name of the column that holds the setting; `picture` has the number of the picture.
    """
    parts = []
    for setting, columns in measured.items():
        count = len(next(iter(columns.values())))
        parts.append(pd.DataFrame({by: [setting] * count, "picture": np.arange(count), **columns}))
    return pd.concat(parts, ignore_index=True)


def change_from(table: pd.DataFrame, by: str, start: object, columns: Sequence[str]) -> pd.DataFrame:
    """Each picture's change from its own values at the setting `start`, so that people's differences drop out.

    Args:
        table: from `as_table`.
        by: its column of settings.
        start: the setting that is compared with, whose changes are 0.
        columns: what is compared; other columns are left out.
    """
    columns = list(columns)
    before = table[table[by] == start].set_index("picture")[columns]
    change = table[columns] - before.loc[table["picture"]].to_numpy()
    return pd.concat([table[[by, "picture"]], change], axis=1)


def interval(values: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Mean of values [N], one a person, with its 95% interval over people: `mean`, `low`, `high`, `people`.

    Fewer than three people have no interval: NaN.
    """
    return mean_interval(values, seed, RESAMPLES) | {"people": len(values)}


def intervals(table: pd.DataFrame, by: str | Sequence[str], column: str, seed: int = 0) -> pd.DataFrame:
    """`interval` of a column for each value of `by`, which becomes the index, in the order of the table."""
    parts = {key: interval(part[column], seed) for key, part in table.groupby(by, sort=False)}
    index = pd.MultiIndex.from_tuples(parts, names=by) if not isinstance(by, str) else pd.Index(list(parts), name=by)
    return pd.DataFrame(list(parts.values()), index=index)
