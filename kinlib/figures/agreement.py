"""Estimates against ground truth, one panel a method: the closer to the diagonal, the better."""

from collections.abc import Mapping

import matplotlib.style
import numpy as np

from kinlib.figures.style import STYLE, Plot, subplots
from kinlib.runtime.errors import KinlibError

__all__ = ["agreement_plot"]

WIDTH, HEIGHT = 7.2, 2.7  # inches


def agreement_plot(
    true: np.ndarray,
    estimated: Mapping[str, np.ndarray],
    quantity: str,
    unit: str,
    ends: tuple[float, float],
    limits: tuple[float, float],
    colour: str = "#0072B2",
) -> Plot:
    """Scatter plots of estimated against true values; the black line is their agreement.

    Args:
        true: float [N].
        estimated: float [N] by method; NaN where there is no estimate.
        quantity, unit: for the axes, such as "yaw" and "degrees".
        ends: of the diagonal.
        limits: of the vertical axis; estimates beyond it are cut off.
        colour: of the points.

    Raises:
        KinlibError: if there is no method, or numbers differ.
    """
    wrong = [name for name, values in estimated.items() if np.shape(values) != np.shape(true)]
    if wrong or not estimated:
        raise KinlibError(f"each method needs one estimate for each of {len(true)} true values: {wrong or 'no method'}")
    with matplotlib.style.context(STYLE):
        figure, axes = subplots(1, len(estimated), size=(WIDTH, HEIGHT), sharex=True, sharey=True, squeeze=False)
        for axis, (name, values) in zip(axes[0], estimated.items(), strict=True):
            # Thousands of points: pixels inside the SVG keep the file small.
            axis.scatter(true, values, s=3, color=colour, alpha=0.4, linewidths=0, rasterized=True)
            axis.plot(ends, ends, color="black", linewidth=0.8)
            axis.set(title=name, xlabel=f"true {quantity}, {unit}")
        axes[0, 0].set(ylabel=f"estimated {quantity}, {unit}", ylim=limits)
    return figure
