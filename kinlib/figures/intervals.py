"""Values with their intervals, one row a method: several measures side by side."""

from collections.abc import Mapping

import matplotlib.style
import numpy as np
import pandas as pd

from kinlib.figures.style import STYLE, Plot, subplots
from kinlib.runtime.errors import KinlibError

__all__ = ["interval_plot"]

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


def _draw(axis, row: int, values: pd.Series, is_yardstick: bool) -> None:
    colour = ORANGE if is_yardstick else BLUE
    if np.isfinite([values["low"], values["high"]]).all():
        axis.plot([values["low"], values["high"]], [row, row], color=colour, linestyle="-", solid_capstyle="butt")
    axis.plot(values["mean"], row, "o", color=colour, markerfacecolor="white" if is_yardstick else colour)
