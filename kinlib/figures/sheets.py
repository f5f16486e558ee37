"""Contact sheets of small pictures in named rows, and pictures with their label maps."""

import math
import textwrap
from collections.abc import Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image
from scipy.ndimage import distance_transform_edt

from kinlib.figures.family import Fixed, draw_picture
from kinlib.figures.style import STYLE, Plot
from kinlib.runtime.errors import KinlibError

__all__ = ["contact_sheet", "truth_picture"]

WIDTH, MARGIN = 7.2, 0.08  # inches
BOLD, PLAIN = 0.72, 0.62  # mean width of a letter, in sizes of the type
HEADING, LABEL, ROW_GAP = 0.86, 0.17, 0.10  # width of a row's name, height of words below pictures, between rows
COLUMNS = 10
INK = "#222222"
LEGEND_LINE, LEGEND_COLUMNS = 0.165, 5
TITLE, APART = 0.3, 0.12  # inches: above the panels of a label map, and between them
ROOM = 0.085  # inches around a number in a map
SHADES = ("tab20", "tab20b")

Row = tuple[str, Sequence[Image.Image], Sequence[str]]


def contact_sheet(rows: Sequence[Row], columns: int = COLUMNS) -> Plot:
    """Rows of pictures with the name of the row on the left and a label below each picture.

    Args:
        rows: (name, pictures, labels); rows longer than `columns` are wrapped.
        columns: pictures per line.

    Raises:
        KinlibError: if a row has no pictures, or not as many labels.
    """
    lines = [line for row in rows for line in _lines(row, columns)]
    side = (WIDTH - 2 * MARGIN - HEADING) / columns
    step = side * 0.95 + LABEL
    gaps = [ROW_GAP if name and number else 0.0 for number, (name, _, _) in enumerate(lines)]
    height = 2 * MARGIN + sum(gaps) + step * len(lines)
    with matplotlib.style.context(STYLE):
        figure = Plot(figsize=(WIDTH, height), layout=Fixed())
        top = MARGIN
        for (name, pictures, labels), gap in zip(lines, gaps, strict=True):
            top += gap
            words = textwrap.fill(name, 12)
            place = MARGIN / WIDTH, 1 - (top + side / 2) / height
            points = _fitting(words.splitlines(), HEADING, 8.0, BOLD)
            figure.text(*place, words, fontsize=points, weight="bold", va="center", color=INK)
            points = _fitting(labels, side, 6.2, PLAIN)
            for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
                left = MARGIN + HEADING + number * side
                box = (left / WIDTH, 1 - (top + 0.95 * side) / height, 0.95 * side / WIDTH, 0.95 * side / height)
                draw_picture(figure, picture, box, label, points)
            top += step
    return figure


def _fitting(words: Sequence[str], inches: float, points: float, wide: float) -> float:
    """Size of type in points at which the longest of some words fits: `points`, or less."""
    longest = max((len(word) for word in words), default=0)
    return min(points, 72 * inches / (wide * longest)) if longest else points  # 72 points are an inch


def truth_picture(
    image: Image.Image,
    points: np.ndarray,
    maps: Sequence[tuple[str, np.ndarray, Sequence[str]]],
) -> Plot:
    """A picture with its landmarks, and label maps beside it with legends.

    Args:
        image: the picture.
        points: float [K, 2], x and y in its pixels.
        maps: (title, uint8 [H, W] class numbers, class names).

    Raises:
        KinlibError: if a map has another size than the picture.
    """
    for title, numbers, _ in maps:
        if numbers.shape != (image.height, image.width):
            raise KinlibError(f"the map '{title}' has another size than its picture")
    side = (WIDTH - 2 * MARGIN - APART * len(maps)) / (1 + len(maps))
    top = TITLE + side * image.height / image.width
    present = [_present(numbers, names) for _, numbers, names in maps]
    legends = [0.26 + LEGEND_LINE * math.ceil(len(block) / LEGEND_COLUMNS) for block in present]
    height = top + sum(legends) + MARGIN
    with matplotlib.style.context(STYLE):
        figure = Plot(figsize=(WIDTH, height), layout=Fixed())
        for number, title in enumerate([f"{len(points)} points", *(title for title, _, _ in maps)]):
            left = MARGIN + number * (side + APART)
            axes = figure.add_axes((left / WIDTH, 1 - top / height, side / WIDTH, (top - TITLE) / height))
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
        figure.axes[0].imshow(np.asarray(image), interpolation="lanczos")
        style = {"markersize": 2.6, "markeredgecolor": "black", "markeredgewidth": 0.4, "color": "#56B4E9"}
        figure.axes[0].plot(*points.T, marker="o", linestyle="none", **style)
        for axes, (title, numbers, names), block, legend in zip(figure.axes[1:], maps, present, legends, strict=True):
            _draw_map(axes, numbers, names, side / image.width)
            _draw_legend(figure, title, block, top, height)
            top += legend
    return figure


def _lines(row: Row, columns: int) -> list[Row]:
    """A row wrapped into lines of equal length; only the first has the name."""
    name, pictures, labels = row
    if not pictures or len(pictures) != len(labels):
        raise KinlibError(f"the row '{name}' has {len(pictures)} pictures and {len(labels)} labels")
    length = math.ceil(len(pictures) / math.ceil(len(pictures) / columns))
    starts = range(0, len(pictures), length)
    return [(name if not at else "", pictures[at : at + length], labels[at : at + length]) for at in starts]


def _present(numbers: np.ndarray, names: Sequence[str]) -> list[tuple[int, str]]:
    return [(int(number), names[number]) for number in np.unique(numbers)]


def _colours(count: int) -> np.ndarray:
    """Float [count, 3]: the first is nearly white, for the background."""
    shades = np.concatenate([matplotlib.colormaps[name].colors for name in SHADES])
    return np.concatenate([[(0.93, 0.93, 0.93)], shades])[np.arange(count) % (len(shades) + 1)]


def _draw_map(axes: Axes, numbers: np.ndarray, names: Sequence[str], inches: float) -> None:
    """Coloured regions, each with its number where it fits."""
    axes.imshow(_colours(len(names))[numbers], interpolation="nearest")
    for number, _ in _present(numbers, names):
        depth = distance_transform_edt(np.pad(numbers == number, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        if depth[y, x] * inches >= ROOM:
            style = {"ha": "center", "va": "center", "fontsize": 5.5, "color": "black"}
            axes.text(x, y, str(number), **style, bbox={"facecolor": "white", "alpha": 0.6, "pad": 0.6, "linewidth": 0})


def _draw_legend(figure: Plot, title: str, present: list[tuple[int, str]], top: float, height: float) -> None:
    """Number, colour and name of each class in a map, in columns."""
    figure.text(MARGIN / WIDTH, 1 - (top + 0.15) / height, title, fontsize=7.5, weight="bold", color=INK, va="center")
    colours, wide = _colours(max(number for number, _ in present) + 1), (WIDTH - 2 * MARGIN) / LEGEND_COLUMNS
    rows = math.ceil(len(present) / LEGEND_COLUMNS)
    for place, (number, name) in enumerate(present):
        left, down = MARGIN + wide * (place // rows), top + 0.26 + LEGEND_LINE * (place % rows + 0.4)
        corner = left / WIDTH, 1 - (down + 0.045) / height
        patch = Rectangle(corner, 0.13 / WIDTH, 0.09 / height, facecolor=colours[number], edgecolor="none")
        figure.add_artist(patch)
        figure.text((left + 0.18) / WIDTH, 1 - down / height, f"{number} {name}", fontsize=6.8, va="center", color=INK)
