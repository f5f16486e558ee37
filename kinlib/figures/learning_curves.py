"""How good something becomes with more examples, beside what others reach."""

from collections.abc import Mapping

import matplotlib.style
import pandas as pd

from kinlib.figures.intervals import interval_curve
from kinlib.figures.style import STYLE, Plot, subplots
from kinlib.runtime.errors import KinlibError

__all__ = ["learning_curve_plot"]

WIDTH, HEIGHT = 7.2, 2.8  # inches
DASHES = ("--", ":", "-.")


def learning_curve_plot(
    curves: Mapping[str, pd.DataFrame], levels: Mapping[str, Mapping[str, float]], x: str, measure: str
) -> Plot:
    """One panel for each curve, with a band; the numbers of examples are spaced evenly in their logarithm.

    Args:
        curves: title of the panel -> table with the columns `x`, `mean`, `low` and `high`.
        levels: title of the panel -> name -> value of horizontal lines.
        x: name of the horizontal axis, and of its column.
        measure: name of the vertical axis.

    Raises:
        KinlibError: if there is no curve, or too many lines to tell apart.
    """
    if not curves or any(len(some) > len(DASHES) for some in levels.values()):
        raise KinlibError(f"learning curves need a curve at least, and {len(DASHES)} levels at most")
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(1, len(curves), size=(WIDTH, HEIGHT), sharey=True, squeeze=False)
        for axis, (title, table) in zip(axes[0], curves.items(), strict=True):
            interval_curve(axis, table, x)
            for dash, (name, value) in zip(DASHES, levels.get(title, {}).items(), strict=False):
                axis.axhline(value, color="black", linewidth=0.9, linestyle=dash, label=name)
            axis.set(title=title, xlabel=x, xscale="log")
            axis.set_xticks(table[x], [str(count) for count in table[x]])
            axis.minorticks_off()
        axes[0, 0].set(ylabel=measure, ylim=(0, 1))
        axes[0, 0].legend(loc="lower right")
    return figure
