"""Plots of what edits change: rescoring matrices as heat maps."""

from collections.abc import Mapping, Sequence

import matplotlib.style
import numpy as np
import pandas as pd

from kinlib.figures.style import STYLE, Plot, subplots

__all__ = ["rescoring_plot"]

LARGEST = 2.0  # standard deviations at the ends of the colour scale


def rescoring_plot(matrices: Mapping[str, pd.DataFrame], targets: Sequence[str], attributes: Sequence[str]) -> Plot:
    """Heat maps of changes, one a kind of direction: rows are edits, columns what was read.

    Args:
        matrices: as from `kinlib.evaluation.edits.rescoring.matrix`, by title. Values whose interval holds zero are
            printed in grey.
        targets: the rows, as far as a kind has them.
        attributes: the columns; a column "identity" is printed without colour, because it is a cosine.
    """
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(len(matrices), 1, size=(7.2, 0.72 + len(matrices) * (0.62 + 0.235 * len(targets))))
        for axis, (title, table) in zip(np.atleast_1d(axes), matrices.items(), strict=True):
            cells = table.set_index(["target", "attribute"])
            rows = [name for name in targets if name in cells.index.get_level_values("target")]
            means = cells["mean"].unstack().loc[rows, list(attributes)]
            shown = means.to_numpy(copy=True)
            shown[:, [name == "identity" for name in attributes]] = np.nan
            image = axis.imshow(shown, cmap="RdBu_r", vmin=-LARGEST, vmax=LARGEST, aspect="auto")
            for row, target in enumerate(rows):
                for column, name in enumerate(attributes):
                    _print_cell(axis, row, column, cells.loc[(target, name)], shown[row, column])
            for ticks, names, style in (
                (axis.set_xticks, attributes, {"rotation": 35, "ha": "right"}),
                (axis.set_yticks, rows, {}),
            ):
                ticks(range(len(names)), [name.replace("_", " ") for name in names], **style)
            axis.set(title=title, ylabel="edited")
            axis.grid(visible=False)
        figure.colorbar(image, ax=axes, label="change, standard deviations among photographs", shrink=0.5, pad=0.02)
    return figure


def _print_cell(axis, row: int, column: int, cell: pd.Series, shown: float) -> None:
    """One number; `shown` is what gives the cell its colour, NaN for a cosine."""
    settled = not cell["low"] <= 0 <= cell["high"]
    text = f"{cell['mean']:.1f}" if np.isfinite(shown) else f"{cell['mean']:.2f}"
    ink = "white" if abs(shown) > 0.65 * LARGEST else "#222222" if settled else "#999999"  # NaN compares as False
    axis.text(column, row, text, fontsize=6.5, color=ink, ha="center", va="center")
