"""Backgrounds: plain walls, studio paper, and rooms, gardens and streets far out of focus.

Scenes are painted at low resolution, blurred and enlarged: that is fast, and they look alike at every resolution.
Positions are in units of the picture's shorter side: x from 0 at the left, y from 0 at the top. Colours and sizes were
set by eye.
"""

from collections.abc import Callable

import cv2
import numpy as np

from kinlib.studio.colour import to_linear
from kinlib.studio.person import Shot

__all__ = ["draw"]

SHORT = 128  # pixels of the shorter side of the painted scene
Colour = np.ndarray | tuple[float, float, float]  # sRGB in 0..1


def draw(shot: Shot, height: int, width: int) -> np.ndarray:
    """The background of a shot, float32 [height, width, 3], linear RGB; a function of shot and aspect ratio."""
    rng = np.random.default_rng([shot.seed, 3])
    canvas = _Canvas(height / min(height, width), width / min(height, width))
    _SCENES[shot.background](canvas, rng)
    scene = canvas.cropped(rng.uniform(0.62, 0.95), rng)
    if shot.light is not None:  # tinted like the ambient light, at half its saturation
        scene = scene * np.sqrt(shot.light.ambient / shot.light.ambient.mean()).astype(np.float32)
    return np.maximum(cv2.resize(scene, (width, height), interpolation=cv2.INTER_CUBIC), 0)


class _Canvas:
    """A small picture in linear light, `tall` x `wide` in units of the shorter side."""

    def __init__(self, tall: float, wide: float):
        self.tall, self.wide = tall, wide
        self.light = np.zeros((round(tall * SHORT), round(wide * SHORT), 3), np.float32)
        rows, columns = self.light.shape[:2]
        self.y, self.x = np.mgrid[0:rows, 0:columns].astype(np.float32)[..., None] / SHORT

    def fill(self, colour: Colour) -> None:
        """Fill with one colour."""
        self.light[:] = to_linear(colour)

    def shade(self, factor: np.ndarray) -> None:
        """Multiply by a field that broadcasts to [rows, columns, 1]."""
        self.light *= factor.astype(np.float32)

    def slope(self, top: Colour, bottom: Colour) -> None:
        """Fill with a vertical gradient."""
        share = self.y / self.tall
        self.light[:] = to_linear(top) * (1 - share) + to_linear(bottom) * share

    def box(self, x: float, y: float, wide: float, tall: float, colour: Colour, strength: float = 1.0) -> None:
        """Fill a rectangle; `strength` scales the linear colour."""
        corners = np.array([[x, y], [x + wide, y + tall]]) * SHORT
        corners = np.round(corners * 8).astype(int)  # fixed point with 3 bits, as OpenCV draws
        ink = (to_linear(colour) * strength).tolist()
        cv2.rectangle(self.light, tuple(corners[0].tolist()), tuple(corners[1].tolist()), ink, -1, cv2.LINE_8, 3)

    def disc(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """Fill a circle; `strength` scales the linear colour."""
        middle = (int(x * SHORT * 8), int(y * SHORT * 8))
        cv2.circle(
            self.light, middle, max(int(radius * SHORT * 8), 1), (to_linear(colour) * strength).tolist(), -1, 8, 3
        )

    def cropped(self, share: float, rng: np.random.Generator) -> np.ndarray:
        """A random part with the same aspect ratio, `share` of each side: long lenses show little background."""
        rows, columns = (round(share * side) for side in self.light.shape[:2])
        top, left = (
            int(rng.integers(side - part + 1)) for side, part in zip(self.light.shape, (rows, columns), strict=False)
        )
        return self.light[top : top + rows, left : left + columns]

    def blur(self, width: float) -> None:
        """Gaussian blur; `width` is the standard deviation in shorter sides."""
        cv2.GaussianBlur(self.light, (0, 0), width * SHORT, self.light)

    def bokeh(self, spots: np.ndarray, colours: np.ndarray, radius: float, strength: float) -> None:
        """Add points of light out of focus as soft discs: places [n, 2], colours sRGB [n, 3]."""
        glow = np.zeros_like(self.light)
        for number, ((x, y), colour) in enumerate(zip(spots, colours, strict=True)):
            ink = to_linear(colour) * strength * (0.4 + 0.6 * (number % 3) / 2)
            centre = (int(x * SHORT * 8), int(y * SHORT * 8))
            cv2.circle(glow, centre, int(radius * SHORT * (6 + number % 4)), ink.tolist(), -1, cv2.LINE_8, 3)
        self.light += cv2.GaussianBlur(glow, (0, 0), radius * SHORT * 0.25)


def _muted(rng: np.random.Generator, choices: tuple[Colour, ...], spread: float = 0.03) -> np.ndarray:
    """A random colour of `choices` with random lightness (sd `spread`) and hue."""
    colour = np.array(choices[rng.integers(len(choices))]) + rng.normal() * spread + rng.normal(size=3) * spread / 3
    return np.clip(colour, 0.02, 0.97)


# sRGB in 0..1, here and below
WALLS = (
    *((0.86, 0.85, 0.82), (0.80, 0.78, 0.74), (0.74, 0.76, 0.77), (0.70, 0.66, 0.60), (0.78, 0.72, 0.64)),
    *((0.62, 0.66, 0.68), (0.66, 0.70, 0.64), (0.58, 0.55, 0.53), (0.83, 0.80, 0.76)),
)
PAPERS = (
    *((0.62, 0.64, 0.66), (0.45, 0.47, 0.50), (0.52, 0.49, 0.45), (0.36, 0.40, 0.46), (0.74, 0.73, 0.71)),
    *((0.40, 0.36, 0.33), (0.50, 0.56, 0.58), (0.30, 0.31, 0.33)),
)


def _plain(canvas: _Canvas, rng: np.random.Generator) -> None:
    """A wall on which light falls from one side."""
    canvas.fill(_muted(rng, WALLS))
    side, up = rng.uniform(-0.35, 0.35), rng.uniform(0.0, 0.25)
    canvas.shade(1 + side * (canvas.x / canvas.wide - 0.5) + up * (0.5 - canvas.y / canvas.tall))


def _gradient(canvas: _Canvas, rng: np.random.Generator) -> None:
    """Studio paper with a pool of light behind the subject."""
    canvas.fill(_muted(rng, PAPERS))
    x, y = canvas.wide * rng.uniform(0.35, 0.65), canvas.tall * rng.uniform(0.35, 0.65)
    distance = ((canvas.x - x) ** 2 + (canvas.y - y) ** 2) / rng.uniform(0.25, 0.6)
    canvas.shade(0.55 + rng.uniform(0.5, 0.8) * np.exp(-distance))
    if rng.random() < 0.4:  # a mottled canvas instead of paper
        mottle = cv2.GaussianBlur(rng.normal(size=canvas.light.shape[:2]).astype(np.float32), (0, 0), 0.09 * SHORT)
        canvas.shade(1 + 0.10 * (mottle / mottle.std())[..., None])


def _room(canvas: _Canvas, rng: np.random.Generator) -> None:
    """A wall with a window, a shelf, a picture or a lamp, and furniture below."""
    wall = _muted(rng, WALLS)
    canvas.fill(wall)
    canvas.shade(1.0 + rng.uniform(-0.3, 0.3) * (canvas.x / canvas.wide - 0.5) - 0.25 * canvas.y / canvas.tall)
    left = rng.random() < 0.5
    things: list[Callable] = [_window, _shelf, _picture, _door, _curtain]
    first, second = rng.choice(len(things), 2, replace=False)
    for thing, at_left in ((things[first], left), (things[second], not left)):
        thing(canvas, rng, rng.uniform(-0.12, 0.12) if at_left else canvas.wide - rng.uniform(0.28, 0.45))
    low = canvas.tall * rng.uniform(0.68, 0.85)
    canvas.box(-0.1, low, canvas.wide * rng.uniform(0.4, 1.3), 1.0, _muted(rng, FURNITURE))
    canvas.blur(rng.uniform(0.022, 0.045))
    if rng.random() < 0.3:
        lamp = np.array([[rng.uniform(0.1, 0.9) * canvas.wide, rng.uniform(0.1, 0.4)]])
        canvas.bokeh(lamp, np.array([[1.0, 0.85, 0.6]]), rng.uniform(0.05, 0.09), 0.8)


FURNITURE = ((0.33, 0.25, 0.19), (0.45, 0.36, 0.27), (0.28, 0.29, 0.31), (0.55, 0.52, 0.48), (0.24, 0.27, 0.33))
SPINES = (
    *((0.45, 0.22, 0.18), (0.20, 0.28, 0.38), (0.70, 0.64, 0.52), (0.30, 0.36, 0.28), (0.80, 0.78, 0.74)),
    *((0.25, 0.22, 0.20), (0.55, 0.42, 0.25), (0.40, 0.44, 0.48)),
)


def _window(canvas: _Canvas, rng: np.random.Generator, x: float) -> None:
    wide, top, tall = rng.uniform(0.3, 0.45), rng.uniform(-0.1, 0.1), canvas.tall * rng.uniform(0.55, 0.75)
    canvas.box(x - 0.02, top - 0.02, wide + 0.04, tall + 0.04, (0.80, 0.79, 0.77))
    canvas.box(x, top, wide, tall, (0.90, 0.93, 0.96), rng.uniform(0.9, 1.3))
    canvas.box(x, top + tall * 0.62, wide, tall * 0.38, (0.62, 0.70, 0.60))
    canvas.box(x + wide * 0.48, top, 0.025, tall, (0.82, 0.81, 0.79))
    canvas.box(x, top + tall * 0.45, wide, 0.02, (0.82, 0.81, 0.79))


def _shelf(canvas: _Canvas, rng: np.random.Generator, x: float) -> None:
    wide, pitch = rng.uniform(0.35, 0.5), rng.uniform(0.20, 0.26)
    back = _muted(rng, ((0.42, 0.35, 0.28), (0.72, 0.69, 0.64), (0.30, 0.26, 0.23)))
    canvas.box(x, -0.1, wide, canvas.tall + 0.2, back * 0.75)
    for level in np.arange(rng.uniform(0.1, 0.2), canvas.tall, pitch):
        place = x + 0.01
        while place < x + wide - 0.05:
            thick = rng.uniform(0.018, 0.05)
            if rng.random() < 0.85:
                tall = pitch * rng.uniform(0.5, 0.82)
                canvas.box(place, level - tall, thick, tall, _muted(rng, SPINES))
            place += thick + 0.004
        canvas.box(x, level, wide, 0.022, back)


def _picture(canvas: _Canvas, rng: np.random.Generator, x: float) -> None:
    wide, tall, top = rng.uniform(0.22, 0.34), rng.uniform(0.22, 0.36), rng.uniform(0.05, 0.25)
    canvas.box(x, top, wide, tall, _muted(rng, ((0.20, 0.17, 0.15), (0.50, 0.40, 0.28), (0.85, 0.84, 0.82))))
    canvas.box(x + 0.025, top + 0.025, wide - 0.05, tall - 0.05, (0.88, 0.87, 0.84))
    canvas.box(x + 0.07, top + 0.07, wide - 0.14, tall - 0.14, _muted(rng, SPINES, 0.08))


def _door(canvas: _Canvas, rng: np.random.Generator, x: float) -> None:
    colour = _muted(rng, ((0.84, 0.83, 0.80), (0.50, 0.38, 0.27), (0.36, 0.33, 0.31)))
    canvas.box(x, 0.02, 0.42, canvas.tall, colour * 0.85)
    canvas.box(x + 0.03, 0.05, 0.36, canvas.tall, colour)
    for top in (0.12, 0.55):
        canvas.box(x + 0.09, top, 0.24, 0.34, colour * 0.92)


def _curtain(canvas: _Canvas, rng: np.random.Generator, x: float) -> None:
    colour, wide = _muted(rng, (*WALLS, *SPINES)), rng.uniform(0.25, 0.4)
    edges = np.linspace(x, x + wide, 9)
    for fold, edge in enumerate(edges[:-1]):
        canvas.box(edge, -0.1, edges[1] - edges[0], canvas.tall + 0.2, colour * (0.78 + 0.22 * (fold % 2)))


def _garden(canvas: _Canvas, rng: np.random.Generator) -> None:
    """Trees against the sky, bushes, grass, and light that falls through leaves."""
    canvas.slope(_muted(rng, ((0.78, 0.85, 0.92), (0.86, 0.88, 0.90), (0.68, 0.79, 0.90))), (0.84, 0.87, 0.86))
    greens = GREENS[rng.integers(len(GREENS))]
    horizon = canvas.tall * rng.uniform(0.55, 0.8)
    skyline = canvas.tall * rng.uniform(-0.2, 0.35)
    depth = np.array(greens[0]) * 0.7
    canvas.box(-0.1, skyline + 0.5 * (horizon - skyline), canvas.wide + 0.2, horizon, depth)
    for share in np.linspace(0, 1, 90) ** 0.8:  # far crowns first, near bushes last
        x, y = rng.uniform(-0.1, canvas.wide + 0.1), skyline + (horizon - skyline) * share + rng.normal() * 0.05
        light = rng.uniform(0.35, 1.25) * (1.25 - 0.5 * share)
        canvas.disc(x, y, rng.uniform(0.04, 0.15), np.clip(_muted(rng, greens) * light, 0.02, 0.9))
    if rng.random() < 0.4:
        canvas.box(rng.uniform(0, 0.9) * canvas.wide, -0.1, rng.uniform(0.04, 0.1), horizon + 0.1, (0.26, 0.21, 0.17))
    grass = _muted(rng, ((0.45, 0.52, 0.28), (0.38, 0.45, 0.24), (0.55, 0.55, 0.36)))
    canvas.box(-0.1, horizon, canvas.wide + 0.2, canvas.tall, grass)
    canvas.blur(rng.uniform(0.03, 0.055))
    count = rng.integers(2, 16)
    places = np.column_stack([rng.uniform(0, canvas.wide, count), rng.uniform(max(skyline, 0), horizon, count)])
    colours = np.clip([0.85, 0.90, 0.62] + rng.normal(size=(count, 1)) * 0.08, 0, 1)
    canvas.bokeh(places, colours, rng.uniform(0.028, 0.05), rng.uniform(0.05, 0.16))


GREENS = (
    ((0.28, 0.38, 0.18), (0.36, 0.45, 0.22), (0.20, 0.30, 0.16), (0.48, 0.54, 0.28)),
    ((0.22, 0.34, 0.22), (0.30, 0.42, 0.28), (0.18, 0.27, 0.19), (0.40, 0.48, 0.36)),
    ((0.46, 0.42, 0.20), (0.52, 0.38, 0.18), (0.34, 0.34, 0.18), (0.60, 0.50, 0.26)),  # autumn
)
FACADES = (
    *((0.66, 0.58, 0.48), (0.58, 0.42, 0.35), (0.70, 0.68, 0.64), (0.50, 0.50, 0.50), (0.74, 0.68, 0.58)),
    *((0.44, 0.38, 0.34), (0.60, 0.62, 0.62)),
)


def _street(canvas: _Canvas, rng: np.random.Generator) -> None:
    """Houses along a street that recedes behind the subject, by day or at dusk."""
    dusk = rng.random() < 0.3
    canvas.slope(
        (0.74, 0.80, 0.86) if not dusk else (0.46, 0.50, 0.60), (0.88, 0.88, 0.86) if not dusk else (0.66, 0.56, 0.52)
    )
    vanish, ground = canvas.wide * rng.uniform(0.3, 0.7), canvas.tall * rng.uniform(0.6, 0.75)
    for side in (-1, 1):
        _row_of_houses(canvas, rng, side, vanish, ground)
    canvas.box(-0.1, ground, canvas.wide + 0.2, canvas.tall, _muted(rng, ((0.45, 0.45, 0.46), (0.52, 0.50, 0.47))))
    for _ in range(rng.integers(1, 5)):  # parked cars
        x, size = rng.uniform(0, canvas.wide), rng.uniform(0.08, 0.2)
        canvas.box(x, ground - size * 0.3, size, size * 0.45, _muted(rng, FURNITURE))
    if dusk:
        canvas.shade(np.array(0.55))
    canvas.blur(rng.uniform(0.03, 0.05))
    count = rng.integers(10, 26) if dusk else rng.integers(0, 7)
    places = np.column_stack([rng.uniform(0, canvas.wide, count), rng.uniform(0.5 * ground, ground, count)])
    colours = np.array([(1.0, 0.80, 0.52), (1.0, 0.92, 0.78), (0.95, 0.42, 0.30), (0.80, 0.88, 1.0)])
    canvas.bokeh(places, colours[rng.choice(4, count, p=[0.5, 0.3, 0.1, 0.1])], rng.uniform(0.028, 0.045), 0.4)


def _row_of_houses(canvas: _Canvas, rng: np.random.Generator, side: int, vanish: float, ground: float) -> None:
    """Houses on one side, the far ones first; each nearer one is larger and further out."""
    near = (canvas.wide - vanish if side > 0 else vanish) + 0.05
    out = np.append(near * np.array([0.06, 0.2, 0.42, 0.72]), near + 0.2)
    for inner, outer in zip(out[:-1], out[1:], strict=True):
        colour, tall = (
            _muted(rng, FACADES) * (0.85 if side > 0 else 1.0),
            ground * (0.35 + inner / near * rng.uniform(0.6, 1.0)),
        )
        x = vanish + inner if side > 0 else vanish - outer
        canvas.box(x, ground - tall, outer - inner, tall, colour)
        step = (outer - inner) / 3
        for row in np.arange(ground - tall + step * 0.4, ground - step, step * 1.5):
            for column in range(3):
                pane = colour * 0.55 if rng.random() < 0.85 else np.array([0.85, 0.78, 0.6])
                canvas.box(x + step * (column + 0.25), row, step * 0.5, step * 0.8, pane)


_SCENES: dict[str, Callable[[_Canvas, np.random.Generator], None]] = {
    "plain": _plain,
    "gradient": _gradient,
    "room": _room,
    "garden": _garden,
    "street": _street,
}
