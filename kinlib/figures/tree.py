"""A family tree of faces: generations in rows, couples side by side, children below them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.style
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from kinlib.figures.family import Fixed
from kinlib.figures.style import STYLE, Plot
from kinlib.runtime.errors import KinlibError

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
    """One person in the tree: a picture (None for a blank), a label, and round corners for women."""

    picture: Image.Image | None
    label: str
    female: bool


def family_tree(couples: Sequence[Couple], tiles: Mapping[str, Tile], title: str | None = None) -> Plot:
    """Faces of an extended family. As in pedigree charts, men have square corners and women round ones.

    Args:
        couples: (husband, wife, their children), by any keys; children from left to right.
        tiles: picture and label for each of them.
        title: above everything.

    Raises:
        KinlibError: as `arrange`, or if a person has no tile.
    """
    places = arrange(couples)
    if missing := [who for who in places if who not in tiles]:
        raise KinlibError(f"'{missing[0]}' is in the family but has no tile: give one for each person")
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
    """Position of each person: (centre, in places from the left; generation from 0), at least one place apart.

    Raises:
        KinlibError: if there are no couples, a person is married more than twice, two people who were born in the
            family have married each other, or it is more than one family.
    """
    households = _households(couples)
    born = {child for _, _, children in couples for child in children}
    roots, members = [], {}
    for household in households:
        own = [who for who in household.row if who in born]
        if len(own) > 1:
            raise KinlibError(f"'{own[0]}' and '{own[1]}' were both born in this family: such a tree cannot be drawn")
        roots += [] if own else [household]
        members |= dict.fromkeys(own, household)
    if len(roots) != 1:
        raise KinlibError(f"a family tree begins with one couple, not with {len(roots)}")
    places: dict[str, tuple[float, int]] = {}
    _place(roots[0], 0.0, 0, members, places)
    return places


@dataclass
class _Household:
    """People in a row, each married to the next, and their couples from left to right."""

    row: list[str]
    couples: list[Couple]


def _households(couples: Sequence[Couple]) -> list[_Household]:
    """Couples merged where a person married twice; that person is placed between the spouses."""
    if not couples:
        raise KinlibError("a family tree needs at least one couple")
    waiting, households = list(couples), []
    while waiting:
        couple = waiting.pop(0)
        household = _Household(list(couple[:2]), [couple])
        while (found := _joining(household, waiting)) is not None:
            _join(household, found)
            waiting.remove(found)
        households.append(household)
    return households


def _joining(household: _Household, waiting: list[Couple]) -> Couple | None:
    """A couple with one member already in the household."""
    return next((couple for couple in waiting if set(couple[:2]) & set(household.row)), None)


def _join(household: _Household, couple: Couple) -> None:
    """Add the new spouse at the end of the row, to the right of a first marriage."""
    known, new = couple[:2] if couple[0] in household.row else couple[1::-1]
    if len(household.row) == 2 and known == household.row[0]:
        household.row.reverse()
    if known == household.row[-1]:
        household.row.append(new)
        household.couples.append(couple)
    elif known == household.row[0]:
        household.row.insert(0, new)
        household.couples.insert(0, couple)
    else:
        raise KinlibError(f"'{known}' has more than two marriages: such a tree cannot be drawn")


def _width(who: str, members: dict[str, _Household]) -> float:
    """Number of places for a person with spouses and all descendants."""
    return _span(members[who], members) if who in members else 1.0


def _span(household: _Household, members: dict[str, _Household]) -> float:
    return max(float(len(household.row)), sum(_breadth(couple, members) for couple in household.couples))


def _breadth(couple: Couple, members: dict[str, _Household]) -> float:
    """Number of places for a couple's children."""
    return sum(_width(child, members) for child in couple[2])


def _place(household: _Household, left: float, row: int, members: dict[str, _Household], places: dict) -> None:
    """Place children first, then each couple as close as possible above the centre of its own."""
    width = _span(household, members)
    start = left + (width - sum(_breadth(couple, members) for couple in household.couples)) / 2
    wanted = []
    for number, couple in enumerate(household.couples):
        for child in couple[2]:
            if child in members:
                _place(members[child], start, row + 1, members, places)
            else:
                places[child] = (start + 0.5, row + 1)
            start += _width(child, members)
        spread = [places[child][0] for child in couple[2]]
        if spread:
            wanted.append((min(spread) + max(spread)) / 2 - number - 1)
    middle = left + (width - len(household.row)) / 2
    begin = float(np.clip(np.mean(wanted) if wanted else middle, left, left + width - len(household.row)))
    for number, member in enumerate(household.row):
        places[member] = (begin + number + 0.5, row)


class _Canvas:
    """Conversion of places and rows to inches from the top left."""

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
    """Lines between spouses, and from between them to the children."""
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
