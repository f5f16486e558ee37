"""Close-ups of faces, 68 landmarks by group, and the square of the crop."""

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from PIL import Image, ImageDraw

from kinlib.figures.family import Fixed
from kinlib.figures.style import STYLE, Plot
from kinlib.runtime.errors import KinlibError

__all__ = ["GROUPS", "close_up", "landmark_picture", "mark_crop"]

GROUPS = {  # name: ranges of points, whether the contour is closed, colour
    "jaw": (((0, 17),), False, "#F0E442"),
    "brows": (((17, 22), (22, 27)), False, "#009E73"),
    "nose": (((27, 31), (31, 36)), False, "#FFFFFF"),
    "eyes": (((36, 42), (42, 48)), True, "#56B4E9"),
    "mouth": (((48, 60), (60, 68)), True, "#CC79A7"),
}
SQUARE, DOT, LINE = "#F0E442", "#56B4E9", "#D55E00"
GREY = (238, 238, 238)
FINENESS = 110  # width of a picture in line widths
WIDTH, LEGEND, NUMBERED = 7.2, 1.75, (0, 8, 17, 26, 30, 36, 45, 48, 54)  # inches; points that bear their number
ROOM = 0.35  # around the landmarks, as a share of their width


def landmark_picture(image: Image.Image, landmarks: np.ndarray) -> Plot:
    """The face in a photograph, enlarged, with its 68 landmarks connected by group, and a legend.

    Args:
        image: the photograph.
        landmarks: [68, 2], x and y in its pixels.

    Raises:
        KinlibError: if there are not 68 points.
    """
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape != (68, 2):
        raise KinlibError(f"landmarks must have the shape [68, 2], not {list(landmarks.shape)}")
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    room = ROOM * (high - low)[0]
    low, high = np.maximum(low - room, -0.5), np.minimum(high + room, np.array(image.size) - 0.5)
    shown = 4.4 / max(high - low)  # inches a pixel
    wide, height = (high - low) * shown
    with matplotlib.style.context(STYLE):
        figure = Plot(figsize=(WIDTH, height + 0.1), layout=Fixed())
        left = (WIDTH - LEGEND - wide) / 2
        axes = figure.add_axes((left / WIDTH, 0.05 / (height + 0.1), wide / WIDTH, height / (height + 0.1)))
        axes.set_axis_off()
        axes.imshow(np.asarray(image), interpolation="lanczos")
        _draw_groups(axes, landmarks)
        _draw_names(figure, (left + wide + 0.25) / WIDTH)
        axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]))
    return figure


def _draw_groups(axes: Axes, landmarks: np.ndarray) -> None:
    """The points of each group connected by lines, some with their number."""
    style = {"linestyle": "-", "linewidth": 1.2, "marker": "o", "markersize": 3.2, "markeredgecolor": "black"}
    for parts, ring, colour in GROUPS.values():
        for first, end in parts:
            axes.plot(*landmarks[[*range(first, end), *([first] if ring else [])]].T, color=colour, **style)
    words = {"fontsize": 6.5, "color": "white", "xytext": (4, 4), "textcoords": "offset points"}
    box = {"facecolor": "black", "alpha": 0.5, "pad": 0.8, "linewidth": 0}
    for number in NUMBERED:
        axes.annotate(str(number), landmarks[number], **words, bbox=box)


def _draw_names(figure: Plot, left: float) -> None:
    """Colour, numbers and name of each group; `left` is a fraction of the figure's width."""
    for place, (name, (parts, _, colour)) in enumerate(GROUPS.items()):
        height = 0.85 - 0.1 * place
        dot = {"marker": "o", "markersize": 8, "markerfacecolor": colour, "markeredgecolor": "black"}
        figure.add_artist(Line2D([left], [height], linestyle="none", **dot))
        words = f"{parts[0][0]} to {parts[-1][1] - 1}  {name}"
        figure.text(left + 0.025, height, words, fontsize=9, va="center", color="#222222")


def close_up(
    picture: Image.Image, landmarks: np.ndarray, size: int = 240, room: float = 0.2, smooth: bool = True
) -> Image.Image:
    """A square crop around a face, without rotation.

    Args:
        picture: the photograph.
        landmarks: [K, 2], x and y in its pixels.
        size: side of the result in pixels.
        room: around the landmarks, as a share of their extent.
        smooth: bicubic if true, else nearest neighbour.
    """
    middle = (landmarks.min(axis=0) + landmarks.max(axis=0)) / 2 + 0.5
    side = min((1 + 2 * room) * float(np.ptp(landmarks, axis=0).max()), *picture.size)
    left, top = np.clip(middle - side / 2, 0, np.array(picture.size) - side).tolist()
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return picture.resize((size, size), how, box=(left, top, left + side, top + side))


def mark_crop(
    picture: Image.Image,
    quad: np.ndarray,
    points: np.ndarray | None = None,
    lines: np.ndarray | None = None,
    factor: int = 3,
) -> Image.Image:
    """An enlarged copy of a photograph with the square of its crop; grey beyond the edges.

    Args:
        picture: the photograph.
        quad: corners [4, 2], x and y in its pixels.
        points: [K, 2], dots.
        lines: [M, 2, 2], start and end points.
        factor: how many times to enlarge.
    """
    low = np.minimum(np.floor(np.min(quad, axis=0)) - 1, 0).astype(int)
    high = np.maximum(np.ceil(np.max(quad, axis=0)) + 2, picture.size).astype(int)
    large = Image.new("RGB", tuple((factor * (high - low)).tolist()), GREY)
    size = (picture.width * factor, picture.height * factor)
    large.paste(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), tuple((-low * factor).tolist()))
    draw, thick = ImageDraw.Draw(large), max(3, large.width // FINENESS)

    def place(one: np.ndarray) -> list[tuple[float, float]]:
        return [tuple(pair) for pair in ((np.asarray(one, np.float64) - low + 0.5) * factor).tolist()]

    corners = place(quad)
    for colour, width in (("black", thick + 2), (SQUARE, thick)):
        draw.line([*corners, corners[0], corners[1]], fill=colour, width=width, joint="curve")
    for line in [] if lines is None else lines:
        draw.line(place(line), fill=LINE, width=thick)
    for x, y in [] if points is None else place(points):
        draw.ellipse([x - thick, y - thick, x + thick, y + thick], fill=DOT, outline="black")
    return large
