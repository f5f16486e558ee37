"""Labelled faces side by side: panels, and the course's layout for a family."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from kinlib.figures.style import STYLE, Plot, pixels
from kinlib.runtime.errors import KinlibError

__all__ = ["Fixed", "draw_picture", "family_picture", "family_row", "panels"]

WIDTH = 7.2  # inches
ONE_ROW = 6  # panels; more are laid out in several rows
POINTS = 8.5  # size of headings

# Inches.
MARGIN, LABEL, TITLE = 0.08, 0.24, 0.34
HEADING, HEADING_LINE = 0.18, 0.14  # padding around a heading, and height of each line
GAP, BLOCK_GAP = 0.05, 0.22  # between panels and between blocks, in panels


Place = tuple[float, float, float, float]


class Fixed(LayoutEngine):
    """A layout engine that moves nothing. Without one, matplotlib adopts the style's engine after the first save."""

    _adjust_compatible = _colorbar_gridspec = True

    def execute(self, fig: Figure) -> None:
        """Nothing to arrange."""


class FaceLike(Protocol):
    """What the layout needs of a parent: the aligned face (see `kinlib.kinship.kinship.Face`)."""

    aligned: Image.Image


class ChildLike(Protocol):
    """What the layout needs of a child: picture, parents, method and seed (see `kinlib.kinship.kinship.Child`)."""

    image: Image.Image
    father: FaceLike
    mother: FaceLike
    method: str
    seed: int


@dataclass(frozen=True)
class _Panel:
    """One picture of a grid; column and row are in units of panels, with gaps included in the column."""

    picture: Image.Image
    label: str
    column: float
    row: int


@dataclass(frozen=True)
class _Heading:
    """Words above the columns from `first` to `end`."""

    text: str
    first: float
    end: float


def panels(pictures: Sequence[Image.Image], labels: Sequence[str], columns: int = 4, title: str | None = None) -> Plot:
    """Labelled pictures in rows.

    Raises:
        KinlibError: if there are none, or not as many labels.
    """
    if not pictures or len(pictures) != len(labels):
        raise KinlibError(f"every picture needs a label: there are {len(pictures)} pictures and {len(labels)} labels")
    columns = min(columns, len(pictures))
    return _grid(_block(pictures, labels, 0, columns), [], title, WIDTH)


def family_row(
    children: Sequence[ChildLike],
    reconstructions: Sequence[Image.Image] | None = None,
    title: str | None = None,
    labels: Sequence[str] | None = None,
    width: float = WIDTH,
) -> Plot:
    """Father | mother | their reconstructions | children: the course's layout for comparing faces.

    Up to six panels stand in one row. With more, the father stands above the mother and the children beside them.

    Args:
        children: one couple's children.
        reconstructions: of the father and the mother, or of the known one, generated from their codes.
        title: above everything.
        labels: of the children; by default the method or the seed, whichever differs.
        width: inches.

    Raises:
        KinlibError: if there are no children, or the number of reconstructions or labels does not fit.
    """
    if not children:
        raise KinlibError("a family picture needs at least one child")
    parents = {"father": children[0].father, "mother": children[0].mother}
    known = [role for role, face in parents.items() if face is not None]
    if reconstructions is not None and len(reconstructions) != len(known):
        wanted = "two reconstructions, the father's and the mother's" if len(known) == 2 else "one reconstruction"
        raise KinlibError(f"give {wanted}, not {len(reconstructions)}")
    labels = list(labels) if labels is not None else _child_labels(children)
    if len(labels) != len(children):
        raise KinlibError(f"every child needs a label: there are {len(children)} children and {len(labels)} labels")
    blocks = [("Photographs", [parents[role].aligned for role in known], known)]
    if reconstructions is not None:
        blocks.append(("Reconstructions", reconstructions, [f"{role}, from code" for role in known]))
    heading = "Their child" if len(children) == 1 else "Their children"
    blocks.append((heading, [child.image for child in children], labels))
    return _grid(*_in_blocks(blocks), title, width)


def family_picture(
    children: Sequence[ChildLike], reconstructions: Sequence[Image.Image], title: str | None = None
) -> Image.Image:
    """`family_row` as a picture, 1200 px wide; rendered in memory, independent of the caller's backend."""
    return pixels(family_row(children, reconstructions, title, width=8.0), 150)


def _child_labels(children: Sequence[ChildLike]) -> list[str]:
    """Labels that distinguish the children."""
    if len(children) == 1:
        return ["child"]
    for attribute in ("method", "seed"):
        values = [getattr(child, attribute) for child in children]
        if len(set(values)) == len(children):
            return [f"child, {value}" if attribute == "method" else f"child, seed {value}" for value in values]
    return [f"child {number + 1}" for number in range(len(children))]


def _in_blocks(blocks: list[tuple]) -> tuple[list[_Panel], list[_Heading]]:
    """Place blocks (heading, pictures, labels) side by side; the last one has the children."""
    count = len(blocks[-1][1])
    one_row = sum(len(pictures) for _, pictures, _ in blocks) <= ONE_ROW
    rows = 1 if one_row else 2 if count <= 8 else math.ceil(count / 4)
    placed, headings, left = [], [], 0.0
    for heading, pictures, labels in blocks:
        columns = math.ceil(len(pictures) / rows)
        placed += _block(pictures, labels, left, columns)
        right = left + columns + GAP * (columns - 1)
        headings.append(_Heading(heading, left, right))
        left = right + BLOCK_GAP
    return placed, headings


def _block(pictures: Sequence[Image.Image], labels: Sequence[str], left: float, columns: int) -> list[_Panel]:
    """Pictures in rows of `columns`."""
    places = [(left + i % columns * (1 + GAP), i // columns) for i in range(len(pictures))]
    return [_Panel(p, label, *place) for p, label, place in zip(pictures, labels, places, strict=True)]


def _grid(placed: list[_Panel], headings: list[_Heading], title: str | None, width: float) -> Plot:
    """Panels with labels below, headings with a rule, and a title."""
    columns = max(panel.column for panel in placed) + 1
    side = (width - 2 * MARGIN) / max(columns, 3.0)  # so that few pictures do not fill the whole width
    left = (width - columns * side) / 2
    words = [_wrapped(heading, side) for heading in headings]
    lines = max((text.count("\n") + 1 for text in words), default=0)
    top = MARGIN + (TITLE if title else 0) + (HEADING + lines * HEADING_LINE if headings else 0)
    height = top + (max(panel.row for panel in placed) + 1) * (side + LABEL)
    with matplotlib.style.context(STYLE):
        figure = Plot(figsize=(width, height), layout=Fixed())
        if title:
            place = (left / width, 1 - (MARGIN + TITLE / 2) / height)
            figure.text(*place, title, fontsize=11, weight="bold", va="center", color="#222222")
        for heading, text in zip(headings, words, strict=True):
            ends = (left + heading.first * side) / width, (left + heading.end * side) / width
            figure.text(ends[0], 1 - (top - 0.12) / height, text, fontsize=POINTS, color="#555555", va="bottom")
            figure.add_artist(Line2D(ends, [1 - (top - 0.07) / height] * 2, color="#bbbbbb", linewidth=0.8))
        for panel in placed:
            x, y = left + panel.column * side, height - top - panel.row * (side + LABEL) - side
            _draw_panel(figure, panel, (x / width, y / height, side / width, side / height))
    return figure


def _wrapped(heading: _Heading, side: float) -> str:
    """The heading in the fewest lines that fit its columns, of balanced length (a letter is about 0.53 em wide)."""
    letters = max(int(72 * (heading.end - heading.first) * side / (0.53 * POINTS)), 12)
    lines = textwrap.wrap(heading.text, letters)
    while letters > 12 and len(textwrap.wrap(heading.text, letters - 1)) == len(lines):
        letters -= 1
    return textwrap.fill(heading.text, letters)


def _draw_panel(figure: Figure, panel: _Panel, place: Place) -> None:
    draw_picture(figure, panel.picture, place, panel.label)


def draw_picture(figure: Figure, picture: Image.Image, place: Place, label: str, points: float = 8.0) -> None:
    """A picture with round corners at (left, bottom, width, height) of the figure, with a label below."""
    axes = figure.add_axes(place)
    axes.set_axis_off()
    drawn = axes.imshow(np.asarray(picture), interpolation="lanczos", aspect="equal")
    corners = FancyBboxPatch((0, 0), 1, 1, boxstyle="round,pad=0,rounding_size=0.035", transform=axes.transAxes)
    drawn.set_clip_path(corners)
    axes.text(0.5, -0.03, label, transform=axes.transAxes, ha="center", va="top", fontsize=points, color="#222222")
