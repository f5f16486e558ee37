"""The result of a score: tables with confidence intervals, and the same as JSON."""

import json
import os
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib.evaluation.bootstrap import Statistic, difference, draw_weights, estimate
from kinlib.io.files import write_bytes
from kinlib.runtime.errors import KinlibError

__all__ = ["Comparison", "Report", "make_comparison", "make_report"]

Statistics = dict[tuple[str, str], Statistic]  # by (trait, measure); the trait is "" for what concerns all of a child


@dataclass(frozen=True, eq=False)
class Report:
    """One method's children against the true ones. Intervals are 95%, by resampling couples.

    Attributes:
        method: the method's name.
        couples: one row a couple, with every measure of its children.
        summary: over all couples; index `measure`, columns `value`, `low`, `high`, `ideal` (what a perfect method would
            get; NaN if unknown).
        traits: trait by trait; columns `trait`, `measure`, `value`, `low`, `high`, `ideal`. Empty without traits.
        settings: what the metrics depend on: seed, numbers of couples and draws, bandwidth, and so on.
        statistics: the metrics as functions of the couples' weights, for comparisons.
    """

    method: str
    couples: pd.DataFrame
    summary: pd.DataFrame
    traits: pd.DataFrame
    settings: dict
    statistics: Statistics = field(repr=False)

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """The report as JSON text, NaN as null; also written to `path`, if there is one."""
        tables = {"summary": self.summary.reset_index(), "traits": self.traits, "couples": self.couples}
        return _write_json({"method": self.method, "settings": self.settings, **tables}, path)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several methods on the same couples.

    Attributes:
        reports: of each method, by name.
        differences: every pair of methods and every measure that both have; columns `first`, `second`, `trait` ("" for
            what concerns all of a child), `measure`, `difference` (first minus second), `low`, `high`, and `apart`,
            whether the interval leaves out zero. Intervals are not widened for the number of comparisons.
    """

    reports: dict[str, Report]
    differences: pd.DataFrame

    def ranking(self, measure: str = "energy_distance") -> pd.DataFrame:
        """The methods by one measure of the summary, lowest first: index `method`, columns `value`, `low`, `high`.

        Raises:
            KinlibError: if a method has no such measure.
        """
        for name, report in self.reports.items():
            if measure not in report.summary.index:
                raise KinlibError(f"'{name}' has no measure '{measure}': it has {', '.join(report.summary.index)}")
        rows = {name: report.summary.loc[measure, ["value", "low", "high"]] for name, report in self.reports.items()}
        return pd.DataFrame(rows).T.rename_axis("method").sort_values("value", kind="stable")

    def difference(self, first: str, second: str, measure: str = "energy_distance", trait: str = "") -> pd.Series:
        """One row of `differences`, with the sign turned if need be: `difference`, `low`, `high`, `apart`.

        Raises:
            KinlibError: if there is none.
        """
        for names, sign in (((first, second), 1), ((second, first), -1)):
            keys = pd.Series([*names, trait, measure], ["first", "second", "trait", "measure"])
            found = self.differences[(self.differences[keys.index] == keys).all(axis=1)]
            if len(found):
                row = found.iloc[0]
                low, high = sorted((sign * row["low"], sign * row["high"]))
                values = {"difference": sign * row["difference"], "low": low, "high": high, "apart": row["apart"]}
                return pd.Series(values)
        raise KinlibError(f"'{first}' and '{second}' were not compared by the measure '{measure}'")

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """Differences and all reports as JSON text, NaN as null; also written to `path`, if there is one."""
        reports = {name: json.loads(report.to_json()) for name, report in self.reports.items()}
        return _write_json({"differences": self.differences, "reports": reports}, path)


def make_report(method: str, couples: pd.DataFrame, statistics: Statistics, settings: dict) -> Report:
    """The tables of a report; `settings` must hold `seed` and `num_bootstrap`."""
    weights = draw_weights(len(couples), settings["num_bootstrap"], settings["seed"])
    rows = []
    for (trait, measure), statistic in statistics.items():
        value, low, high = estimate(statistic, weights)
        interval = {"value": value, "low": low, "high": high, "ideal": statistic.ideal}
        rows.append({"trait": trait, "measure": measure, **interval})
    table = pd.DataFrame(rows, columns=["trait", "measure", "value", "low", "high", "ideal"])
    whole = table["trait"] == ""
    summary = table[whole].drop(columns="trait").set_index("measure")
    return Report(method, couples, summary, table[~whole].reset_index(drop=True), settings, statistics)


def make_comparison(reports: dict[str, Report]) -> Comparison:
    """Every pair of methods on the same draws of couples; the reports must be of the same couples and settings."""
    first = next(iter(reports.values()))
    weights = draw_weights(len(first.couples), first.settings["num_bootstrap"], first.settings["seed"])
    rows = []
    for mine, other in combinations(reports, 2):
        left, right = reports[mine].statistics, reports[other].statistics
        for key in (key for key in left if key in right):
            value, low, high = estimate(difference(left[key], right[key]), weights)
            rows.append((mine, other, *key, value, low, high, bool(low > 0 or high < 0)))
    columns = ["first", "second", "trait", "measure", "difference", "low", "high", "apart"]
    return Comparison(reports, pd.DataFrame(rows, columns=columns))


def _write_json(content: dict, path: str | os.PathLike | None) -> str:
    text = json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"
    if path is not None:
        write_bytes(Path(path), text.encode())
    return text


def _plain(value):
    """As JSON holds it: tables as lists of rows, numbers to six digits, null for what is not finite."""
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value
