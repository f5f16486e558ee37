"""Values with their intervals: a plot of one row a method, and curves and points for plots of other kinds."""

from collections.abc import Mapping

import matplotlib.style
import numpy as np
import pandas as pd

from kinlib.figures.style import STYLE, Plot, subplots
from kinlib.runtime.errors import KinlibError

__all__ = ["interval_curve", "interval_plot", "interval_points"]

WIDTH, ROW, AXIS = 7.2, 0.23, 0.75  # inches; height of a row, and of what is below and above the rows
BLUE, ORANGE = "#0072B2", "#D55E00"


def interval_plot(
    measures: Mapping[str, pd.DataFrame], yardsticks: tuple[str, ...] = (), ideals: Mapping[str, float] | None = None
) -> Plot:
    """One panel a measure, one row a method: a dot, and a line from the interval's low to its high end.

    Args:
        measures: title of the horizontal axis -> table with the methods as index and the columns `mean`, `low`, `high`;
            all have the same methods, shown from top to bottom.
        yardsticks: methods set off by colour and an open dot, such as true siblings.
        ideals: a vertical line in the panel of that title.

    Raises:
        KinlibError: if there is nothing to show, or the tables differ in their methods.
    """
    tables = list(measures.values())
    if not tables or not len(tables[0]) or any(list(one.index) != list(tables[0].index) for one in tables):
        raise KinlibError("an interval plot needs tables of the same methods, and at least one of each")
    methods = list(tables[0].index)
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(1, len(tables), size=(WIDTH, AXIS + ROW * len(methods)), sharey=True, squeeze=False)
        for axis, (title, table) in zip(axes[0], measures.items(), strict=True):
            if title in (ideals or {}):
                axis.axvline(ideals[title], color="black", linewidth=0.8)
            for row, method in enumerate(methods):
                _draw(axis, row, table.loc[method], method in yardsticks)
            axis.set(xlabel=title)
            axis.locator_params(axis="x", nbins=5)
        axes[0, 0].set(yticks=np.arange(len(methods)), yticklabels=methods, ylim=(len(methods) - 0.5, -0.5))
    return figure


def interval_curve(axis, table: pd.DataFrame, x: str, label: str | None = None, **style) -> None:
    """A curve of means with its 95% interval as a band: columns `x`, `mean`, `low` and `high`."""
    (line,) = axis.plot(table[x], table["mean"], label=label, marker="o", **style)
    axis.fill_between(table[x], table["low"], table["high"], color=line.get_color(), alpha=0.18, linewidth=0)


def interval_points(axis, table: pd.DataFrame, at: np.ndarray, label: str | None = None) -> None:
    """Means as points at heights `at`, with their 95% intervals as bars: columns `mean`, `low` and `high`.

    A bias-corrected interval of few values may leave its mean out; the bar then begins at the mean.
    """
    ends = np.array([table["mean"] - table["low"], table["high"] - table["mean"]])  # [2, N]
    axis.errorbar(table["mean"], at, xerr=np.nan_to_num(ends).clip(min=0), fmt="o", label=label)


def _draw(axis, row: int, values: pd.Series, is_yardstick: bool) -> None:
    colour = ORANGE if is_yardstick else BLUE
    if np.isfinite([values["low"], values["high"]]).all():
        axis.plot([values["low"], values["high"]], [row, row], color=colour, linestyle="-", solid_capstyle="butt")
    axis.plot(values["mean"], row, "o", color=colour, markerfacecolor="white" if is_yardstick else colour)
