"""A family tree of faces: generations in rows, couples side by side, children below them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.style
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from kinlib.errors import KinlibError
from kinlib.figures.family import Fixed
from kinlib.figures.style import STYLE, Plot

__all__ = ["Tile", "arrange", "family_tree"]

WIDTH, WIDEST = 7.2, 1.0  # inches, of the figure and of one place in a row
MARGIN, ROMAN, TITLE = 0.08, 0.20, 0.34
LABEL, FALL = 0.28, 0.26  # for two lines of words, and for the lines down to the next generation
LINE_HEIGHT = 0.105  # of words
SHARE = 0.84  # of a place that its picture fills
INK, LINE = "#222222", "#777777"
NUMERALS = ("I", "II", "III", "IV", "V", "VI")

Couple = tuple[str, str, Sequence[str]]


@dataclass(frozen=True)
class Tile:
    """One person in the tree: a picture (None for a blank), words below it, and round corners for women."""

    picture: Image.Image | None
    label: str
    female: bool


def family_tree(couples: Sequence[Couple], tiles: Mapping[str, Tile], title: str | None = None) -> Plot:
    """Faces of an extended family. As in pedigree charts, men have square corners and women round ones.

    Args:
        couples: (husband, wife, their children), by any keys; in the order in which children stand from left to right.
        tiles: picture and words for each of them.
        title: above everything.

    Raises:
        KinlibError: as `arrange`, or if somebody has no tile.
    """
    places = arrange(couples)
    if missing := [who for who in places if who not in tiles]:
        raise KinlibError(f"'{missing[0]}' is in the family but has no picture to draw: give a tile for everybody")
    tallest = max((_height(tiles[who]) for who in places), default=1.0)
    columns = max(x for x, _ in places.values()) + 0.5
    unit = min((WIDTH - 2 * MARGIN - ROMAN) / columns, WIDEST)
    step = SHARE * unit * tallest + LABEL + FALL
    rows = max(row for _, row in places.values()) + 1
    height = rows * step - FALL + 2 * MARGIN + (TITLE if title else 0)
    canvas = _Canvas(height, (WIDTH - columns * unit + ROMAN) / 2, TITLE if title else 0.0, unit, step, tallest)
    with matplotlib.style.context(STYLE):
        canvas.figure = Plot(figsize=(WIDTH, height), layout=Fixed())
        if title:
            canvas.words(canvas.left, MARGIN + TITLE / 3, title, fontsize=11, weight="bold", ha="left")
        for row in range(rows):
            canvas.words(canvas.left - ROMAN, canvas.middle(row), NUMERALS[row % len(NUMERALS)], fontsize=9, color=LINE)
        _draw_lines(canvas, couples, places)
        for who, place in places.items():
            canvas.tile(tiles[who], *place)
    return canvas.figure


def arrange(couples: Sequence[Couple]) -> dict[str, tuple[float, int]]:
    """Where everybody stands: (middle, in places from the left; generation from 0). No two stand nearer than one place.

    Raises:
        KinlibError: if there are no couples, somebody has more than two, two people who were born in the family have
            married each other, or it is more than one family.
    """
    if not couples:
        raise KinlibError("a family tree needs at least one couple")
    houses = _houses(couples)
    born = {child for _, _, children in couples for child in children}
    roots = [who for who in houses if who not in born]
    if len(roots) != 1:
        raise KinlibError(
            f"a family tree begins with one person, but {', '.join(roots) or 'nobody'} have no parents here"
        )
    places: dict[str, tuple[float, int]] = {}
    _place(roots[0], 0.0, 0, houses, places)
    return places


def _houses(couples: Sequence[Couple]) -> dict[str, list[Couple]]:
    """Couples by the one through whom the family goes on: who was born into it, or whoever married more often."""
    born = {child for _, _, children in couples for child in children}
    times: dict[str, int] = {}
    for couple in couples:
        for parent in couple[:2]:
            times[parent] = times.get(parent, 0) + 1
    houses: dict[str, list[Couple]] = {}
    for couple in couples:
        own = [parent for parent in couple[:2] if parent in born]
        if len(own) > 1:
            raise KinlibError(f"'{own[0]}' and '{own[1]}' were both born in this family: such a tree cannot be drawn")
        houses.setdefault(own[0] if own else max(couple[:2], key=times.__getitem__), []).append(couple)
    if (most := max(houses, key=lambda who: len(houses[who]))) and len(houses[most]) > 2:
        raise KinlibError(f"'{most}' has more than two marriages: such a tree cannot be drawn")
    return houses


def _width(who: str, houses: dict[str, list[Couple]]) -> float:
    """Places that somebody, spouses and all descendants need."""
    own = houses.get(who, [])
    return max(1.0 + len(own), sum(_breadth(couple, houses) for couple in own))


def _breadth(couple: Couple, houses: dict[str, list[Couple]]) -> float:
    """Places that a couple's children need."""
    return sum(_width(child, houses) for child in couple[2])


def _place(who: str, left: float, row: int, houses: dict[str, list[Couple]], places: dict) -> None:
    """Children first, then the couple above their middle."""
    own, width = houses.get(who, []), _width(who, houses)
    start = left + (width - sum(_breadth(couple, houses) for couple in own)) / 2
    middles = []
    for couple in own:
        for child in couple[2]:
            _place(child, start, row + 1, houses, places)
            start += _width(child, houses)
        spread = [places[child][0] for child in couple[2]]
        middles.append((min(spread) + max(spread)) / 2 if spread else left + width / 2)
    in_row = _row_of(who, own)
    half = len(in_row) / 2
    middle = float(np.clip(np.mean(middles) if middles else left + width / 2, left + half, left + width - half))
    for number, member in enumerate(in_row):
        places[member] = (middle - half + 0.5 + number, row)


def _row_of(who: str, own: list[Couple]) -> list[str]:
    """Somebody and the spouses, from left to right: husband and wife, or one spouse on each side."""
    if len(own) < 2:
        return list(own[0][:2]) if own else [who]
    first, second = (couple[1] if couple[0] == who else couple[0] for couple in own)
    return [first, who, second]


class _Canvas:
    """Places and rows in inches from the top left."""

    def __init__(self, height: float, left: float, top: float, unit: float, step: float, tallest: float):
        self.height, self.left, self.top, self.unit, self.step, self.tallest = height, left, top, unit, step, tallest
        self.figure: Plot

    def across(self, x: float) -> float:
        return self.left + x * self.unit

    def above(self, row: float) -> float:
        """Upper edge of a row's pictures."""
        return MARGIN + self.top + row * self.step

    def middle(self, row: float) -> float:
        """Middle of a row's pictures."""
        return self.above(row) + SHARE * self.unit * self.tallest / 2

    def words(self, x: float, y: float, text: str, **style) -> None:
        self.figure.text(
            x / WIDTH, 1 - y / self.height, text, **{"ha": "center", "va": "center", "color": INK, **style}
        )

    def line(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        places = [x / WIDTH for x in xs], [1 - y / self.height for y in ys]
        self.figure.add_artist(Line2D(*places, color=LINE, linewidth=0.9, solid_joinstyle="miter", zorder=-1))

    def tile(self, tile: Tile, x: float, row: int) -> None:
        side = SHARE * self.unit
        tall = side * _height(tile)
        top = self.middle(row) - tall / 2
        left = self.across(x) - side / 2
        box = (left / WIDTH, 1 - (top + tall) / self.height, side / WIDTH, tall / self.height)
        axes = self.figure.add_axes(box)
        axes.set_axis_off()
        picture = tile.picture or Image.new("RGB", (4, 5), (238, 238, 238))
        drawn = axes.imshow(np.asarray(picture.convert("RGB")), interpolation="lanczos", aspect="auto")
        radius = 0.22 if tile.female else 0.001
        style = {"boxstyle": f"round,pad=0,rounding_size={radius}", "transform": axes.transAxes, "clip_on": False}
        drawn.set_clip_path(FancyBboxPatch((0, 0), 1, 1, **style))
        axes.add_patch(FancyBboxPatch((0, 0), 1, 1, facecolor="none", edgecolor=LINE, linewidth=0.9, **style))
        for number, line in enumerate(tile.label.splitlines()):
            below = top + tall + LINE_HEIGHT * (number + 1)
            self.words(self.across(x), below, line, fontsize=6.5, va="baseline")


def _height(tile: Tile) -> float:
    """Height of a tile in its widths."""
    return tile.picture.height / tile.picture.width if tile.picture else 1.25


def _draw_lines(canvas: _Canvas, couples: Sequence[Couple], places: Mapping[str, tuple[float, int]]) -> None:
    """From one spouse to the other, and from between them down to the children."""
    seen: dict[int, int] = {}
    for husband, wife, children in couples:
        (left, row), (right, _) = sorted((places[husband], places[wife]))
        across = canvas.middle(row)
        canvas.line([canvas.across(left), canvas.across(right)], [across, across])
        if not children:
            continue
        seen[row] = seen.get(row, 0) + 1
        drop = canvas.across((left + right) / 2)
        bar = canvas.above(row + 1) - (0.08 if seen[row] % 2 else 0.14)
        canvas.line([drop, drop], [across, bar])
        ends = [canvas.across(places[child][0]) for child in children]
        canvas.line([min(*ends, drop), max(*ends, drop)], [bar, bar])
        for end in ends:
            canvas.line([end, end], [bar, canvas.above(row + 1)])
