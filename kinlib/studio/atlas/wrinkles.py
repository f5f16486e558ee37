"""Wrinkles, in groups that appear at different ages.

Each group is a map float32 [S, S] from 0 (smooth) to about 1 (bottom of its deepest crease). Lines on both sides of the
face differ slightly. Positions, depths and widths were set by eye on the generic face.
"""

from dataclasses import dataclass

import numpy as np

from kinlib.studio.atlas.curves import curve_distance, smooth_open
from kinlib.studio.atlas.features import on_front
from kinlib.studio.atlas.uv import Chart

__all__ = ["WRINKLES", "paint_wrinkles"]


@dataclass(frozen=True)
class Line:
    """One crease: points (x, y) in cm seen from the front, depth 0..1, and half width (standard deviation) in cm."""

    points: tuple
    depth: float
    width: float
    both: bool = True  # drawn on both sides; False for a line that crosses the middle


def _across(y: float, depth: float) -> Line:
    """A line across the forehead at height y, parallel to the brows: lower in the middle and at its ends."""
    points = [(x, y + 0.012 * x * x * (1 - 0.09 * x * x)) for x in np.linspace(-3.7, 3.7, 9)]
    return Line(tuple(points), depth, 0.1, both=False)


def _up_from_lip(x: float) -> Line:
    """A vertical line above the upper lip at x."""
    top, slant = -2.55 - 0.12 * max(0.0, x - 0.7) ** 2, 0.06 * x
    return Line(((x, top - 0.15), (x + slant, top + 0.15), (x + 2 * slant, top + 0.5)), 0.9, 0.05)


GROUPS = {
    "forehead": tuple(_across(y, depth) for y, depth in ((7.3, 0.8), (8.15, 1.0), (9.0, 0.9), (9.9, 0.55))),
    "frown": (
        Line(((0.62, 4.85), (0.58, 5.5), (0.72, 6.4)), 1.0, 0.09),
        Line(((0.95, 5.5), (1.05, 6.0), (1.25, 6.5)), 0.5, 0.08),
        Line(((-0.7, 4.35), (0, 4.28), (0.7, 4.35)), 0.45, 0.09, both=False),
    ),
    "crow_feet": (
        Line(((5.0, 3.75), (5.6, 4.1), (6.35, 4.45)), 0.8, 0.07),
        Line(((5.05, 3.45), (5.75, 3.5), (6.6, 3.6)), 1.0, 0.07),
        Line(((5.0, 3.1), (5.6, 2.85), (6.4, 2.6)), 0.8, 0.07),
        Line(((4.8, 2.8), (5.3, 2.35), (6.0, 1.9)), 0.55, 0.07),
    ),
    "under_eye": (
        Line(((1.85, 2.95), (2.4, 2.35), (3.3, 2.12), (4.3, 2.4)), 0.9, 0.11),
        Line(((2.0, 2.5), (2.7, 1.85), (3.6, 1.65)), 0.5, 0.14),
        Line(((2.3, 2.75), (3.1, 2.62), (4.2, 2.85)), 0.45, 0.06),
    ),
    "nasolabial": (Line(((1.95, 0.0), (2.35, -0.8), (2.85, -1.8), (3.2, -2.8), (3.4, -3.6)), 1.0, 0.17),),
    "marionette": (Line(((2.75, -3.8), (3.0, -4.6), (3.05, -5.4), (2.85, -6.2)), 1.0, 0.14),),
    "lip_lines": tuple(_up_from_lip(x) for x in (0.3, 0.75, 1.15, 1.55, 1.95)),
    "chin": (Line(((-1.3, -5.05), (0, -4.95), (1.3, -5.05)), 1.0, 0.15, both=False),),
    "neck": tuple(
        Line(((-3.5, y + 0.5), (-1.8, y), (0, y - 0.15), (1.8, y), (3.5, y + 0.5)), depth, 0.14, both=False)
        for y, depth in ((-10.2, 1.0), (-11.8, 0.8))
    ),
}
WRINKLES = tuple(GROUPS)


def paint_wrinkles(chart: Chart) -> dict[str, np.ndarray]:
    """The map of each group of `WRINKLES`."""
    rng = np.random.default_rng(3)
    return {name: _paint_group(chart, lines, rng) for name, lines in GROUPS.items()}


def _paint_group(chart: Chart, lines: tuple[Line, ...], rng: np.random.Generator) -> np.ndarray:
    """The deepest of all lines at each texel, [S, S]."""
    deepest = np.zeros(chart.covered.shape, np.float32)
    for line in lines:
        for side in (1, -1) if line.both else (1,):
            # 0.35 mm of irregularity
            points = np.array(line.points) * [side, 1] + rng.normal(scale=0.035, size=(len(line.points), 2))
            places, _ = on_front(chart, points)
            distance, along = curve_distance(chart.position, smooth_open(places))
            # depth fades at both ends, width to half
            fading = np.sqrt(np.clip(np.sin(np.pi * np.clip(along, 0, 1)), 0, 1))
            width = line.width * (0.5 + 0.5 * fading)
            deepest = np.maximum(deepest, line.depth * fading * np.exp(-((distance / width) ** 2) / 2))
    return deepest
