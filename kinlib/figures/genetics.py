"""Figures of chromosomes, gametes, and mid-parent regression."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image

from kinlib.figures.family import Fixed, draw_picture
from kinlib.figures.style import STYLE, Plot, subplots

__all__ = ["Mark", "chromosome_picture", "gamete_picture", "mid_parent_plot"]

WIDTH = 7.2  # inches
COPIES = ("#9ecae1", "#fdbe85")  # paternal and maternal copy
STRANDS = ("#0072B2", "#E69F00")  # the same, in gametes
HATCH = ("", "////")
INK, GREY = "#222222", "#777777"
BAR, PAIR = 0.075, 0.36  # inches: height of a copy, and from one pair to the next
NUMBERS, COLUMN_SPARE = 0.36, 0.6  # inches: for the numbers of chromosomes, and that besides gaps


@dataclass(frozen=True)
class Mark:
    """A locus: chromosome from 0, position in Morgans, the alleles (paternal, maternal), and an optional name.

    Unnamed loci are strokes where the allele is 1; named ones are diamonds, filled where it is 1.
    """

    chromosome: int
    position: float
    alleles: tuple[int, int]
    name: str = ""


def chromosome_picture(
    lengths: Sequence[float], marks: Sequence[Mark], face: Image.Image | None = None, label: str = ""
) -> Plot:
    """All pairs of chromosomes with some loci, and the face of the person.

    Args:
        lengths: of the chromosomes, in Morgans.
        marks: the loci.
        face: whose genome it is.
        label: of the face.
    """
    rows = -(-len(lengths) // 2)
    aside = 1.75 if face is not None else 0.0
    height = max(rows * PAIR + 0.62, aside + 0.3)
    longest = [max(lengths[:rows]), max(lengths[rows:], default=0.0)]
    scale = (WIDTH - aside - 2 * COLUMN_SPARE) / sum(longest)  # inches a Morgan
    with matplotlib.style.context(STYLE):
        figure = Plot(figsize=(WIDTH, height), layout=Fixed())
        axes = _blank(figure, (0, 0, 1, 1), WIDTH, height)
        for number, length in enumerate(lengths):
            top = height - 0.25 - PAIR * (number % rows)
            left = NUMBERS + (number // rows) * (longest[0] * scale + COLUMN_SPARE)
            here = [mark for mark in marks if mark.chromosome == number]
            _draw_pair(axes, str(number + 1), left, top, length * scale, [(m.position * scale, m) for m in here])
        _chromosome_legend(axes, any(mark.name for mark in marks))
        if face is not None:
            side = aside - 0.2
            place = ((WIDTH - side - 0.1) / WIDTH, (height - side) / 2 / height, side / WIDTH, side / height)
            draw_picture(figure, face, place, label)
    return figure


def gamete_picture(strands: np.ndarray, positions: np.ndarray, length: float, title: str = "") -> Plot:
    """A pair of chromosomes, and below it gametes recombined from both copies.

    Args:
        strands: uint8 [n, L], the copy (0 paternal, 1 maternal) at each locus of each gamete.
        positions: float [L], Morgans, ascending.
        length: of the chromosome, in Morgans.
        title: above everything.
    """
    names = ["from the father", "from the mother", *(f"gamete {i + 1}" for i in range(len(strands)))]
    rows = [np.zeros_like(strands[0]), np.ones_like(strands[0]), *strands]
    figure, axes = subplots(size=(6.5, 0.32 * len(rows) + 0.95))
    heights = [-i - (0.7 if i > 1 else 0.0) for i in range(len(rows))]
    for strand, height, number in zip(rows, heights, range(-2, len(strands)), strict=True):
        stretches = _stretches(strand, positions, length)
        for begin, end, copy in stretches:
            style = {"facecolor": STRANDS[copy], "hatch": HATCH[copy], "edgecolor": "white", "linewidth": 0}
            axes.add_patch(Rectangle((begin, height - 0.3), end - begin, 0.6, **style))
        if number >= 0:
            count = len(stretches) - 1
            words = f"{count} crossover{'' if count == 1 else 's'}"
            axes.text(length * 1.015, height, words, va="center", fontsize=8, color=GREY)
    axes.set_yticks(heights, names)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, length), ylim=(heights[-1] - 0.6, 0.6), xlabel="Morgans from the chromosome's start")
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    if title:
        axes.set_title(title, loc="left", fontsize=10, weight="bold")
    return figure


def mid_parent_plot(
    mid_parents: np.ndarray, children: np.ndarray, slope: float, half_width: float, stated: float, trait: str
) -> Plot:
    """Mid-parent regression: children against the mean of their parents, the fitted line, and that of the heritability.

    Args:
        mid_parents, children: float [n], of one trait.
        slope: of the regression of children on mid-parents.
        half_width: of the slope's 95% interval.
        stated: the true heritability.
        trait: its name and unit, for the axes.
    """
    figure, axes = subplots(size=(4.6, 4.0))
    axes.scatter(mid_parents, children, s=5, color="#0072B2", alpha=0.35, rasterized=True)  # thousands of dots
    ends = np.array([mid_parents.min(), mid_parents.max()])
    middle = mid_parents.mean(), children.mean()
    fitted = f"fitted: {slope:.2f} ± {half_width:.2f}"
    axes.plot(ends, middle[1] + slope * (ends - middle[0]), color="black", linestyle="-", label=fitted)
    promised = f"true heritability: {stated:.2f}"
    axes.plot(ends, middle[1] + stated * (ends - middle[0]), color="#D55E00", linestyle="--", label=promised)
    axes.legend(title="slope", loc="lower right", alignment="left", frameon=True, edgecolor="none")
    axes.set(xlabel=f"mean of the parents, {trait}", ylabel=f"child, {trait}")
    axes.set_aspect("equal", adjustable="datalim")
    return figure


def _blank(figure: Plot, place: tuple[float, float, float, float], width: float, height: float) -> Axes:
    """Empty axes in units of inches."""
    axes = figure.add_axes(place)
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return axes


def _draw_pair(
    axes: Axes, number: str, left: float, top: float, length: float, marks: list[tuple[float, Mark]]
) -> None:
    """One pair: two bars, strokes for loci without a name, diamonds and words for those with one."""
    axes.text(left - 0.08, top - BAR, number, ha="right", va="center", fontsize=7.5, color=GREY)
    for copy, colour in enumerate(COPIES):
        low = top - (copy + 1) * BAR - copy * 0.02
        shape = f"round,pad=0,rounding_size={BAR / 2}"
        axes.add_patch(FancyBboxPatch((left, low), length, BAR, boxstyle=shape, facecolor=colour, edgecolor="none"))
        plain = [at for at, mark in marks if not mark.name and mark.alleles[copy]]
        axes.vlines(np.add(left, plain), low, low + BAR, color=INK, linewidth=0.8)
        for at, mark in marks:
            if mark.name:
                face = INK if mark.alleles[copy] else "white"
                style = {"marker": "D", "markersize": 4.2, "markeredgecolor": INK, "markeredgewidth": 0.7}
                axes.plot([left + at], [low + BAR / 2], markerfacecolor=face, linestyle="none", **style)
    for at, mark in marks:
        if mark.name:
            axes.text(left + at + 0.06, top + 0.015, mark.name, fontsize=6.5, color=INK, va="bottom", ha="center")


def _chromosome_legend(axes: Axes, named: bool) -> None:
    """Legend of colours and symbols, in one line at the bottom."""
    words = [("copy from the father", COPIES[0]), ("copy from the mother", COPIES[1])]
    left = NUMBERS
    for text, colour in words:
        axes.add_patch(Rectangle((left, 0.09), 0.22, BAR, facecolor=colour, edgecolor="none"))
        axes.text(left + 0.28, 0.09 + BAR / 2, text, fontsize=7, va="center", color=INK)
        left += 1.45
    axes.vlines([left + 0.05], 0.08, 0.08 + BAR, color=INK, linewidth=0.8)
    axes.text(left + 0.12, 0.09 + BAR / 2, "allele 1", fontsize=7, va="center", color=INK)
    if named:
        for at, face, text in ((left + 0.75, INK, "named locus, allele 1"), (left + 2.15, "white", "allele 0")):
            style = {"marker": "D", "markersize": 4.2, "markeredgecolor": INK, "markeredgewidth": 0.7}
            axes.plot([at], [0.09 + BAR / 2], markerfacecolor=face, linestyle="none", **style)
            axes.text(at + 0.09, 0.09 + BAR / 2, text, fontsize=7, va="center", color=INK)


def _stretches(strand: np.ndarray, positions: np.ndarray, length: float) -> list[tuple[float, float, int]]:
    """Start, end and copy of each segment; a crossover is drawn halfway between the loci around it."""
    changes = np.flatnonzero(np.diff(strand)) + 1
    between = (positions[changes - 1] + positions[changes]) / 2
    borders = [0.0, *between.tolist(), length]
    copies = strand[np.concatenate([[0], changes])]
    return [(begin, end, int(copy)) for begin, end, copy in zip(borders, borders[1:], copies, strict=False)]
