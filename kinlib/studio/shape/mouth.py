"""The mouth at rest: lips closed, corners close to neutral, teeth and gums rigid.

Some scans behind the identity modes have parted lips or lowered corners of the mouth. That is expression rather than
anatomy, so most of it is removed. Numbers without a source were set by eye.
"""

from functools import lru_cache

import numpy as np

from kinlib.studio.head.model import FACE, GUMS, MOUTH_SOCKET, TEETH, load_head
from kinlib.studio.shape.fields import Brush, paint

__all__ = ["corner_height", "lip_gap", "relax", "stiffen_teeth"]

UPPER, LOWER, CORNERS = [61, 62, 63], [67, 66, 65], [48, 54]  # landmarks of the inner lips and the corners
# cm: y of the line between the generic lips, half height of the band with their edges, least z
LINE, NEAR_LINE, FRONT = -3.36, 0.4, 10.0
STRIPS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # cm from the midline, centres of the strips in which the lips must meet
HALF_STRIP = 0.11  # cm, half width of a strip
ROOM = 0.12  # cm between teeth and lips, in addition to the generic head's
GAP = -0.02  # cm between the edges of closed lips: negative, since they press on each other
CORNER = -0.11  # cm, neutral height of the corners above the middle of the lips
KEPT = 0.35  # share of the deviation from `CORNER` that is kept

CORNER_STROKE = Brush((2.5, -3.5, 10.3), (0.85, 0.6, 1.2), shift=(0.15, 1.0, -0.1))


def lip_gap(vertices: np.ndarray) -> float:
    """Largest gap in cm between upper and lower lip over the strips, negative if they overlap, of vertices [V, 3]."""
    return float(np.max([vertices[upper, 1].min() - vertices[lower, 1].max() for upper, lower in _edges()]))


def corner_height(vertices: np.ndarray) -> float:
    """Height in cm of the corners of the mouth above the middle of the lips, of vertices [V, 3]."""
    marks = vertices[load_head().landmarks]
    return float(marks[CORNERS, 1].mean() - marks[UPPER + LOWER, 1].mean())


def relax(vertices: np.ndarray) -> None:
    """Close the lips and move the corners towards neutral; changes vertices [V, 3] in place."""
    lift, close, lift_unit, close_unit = _strokes()
    vertices += lift * np.float32((1 - KEPT) * (CORNER - corner_height(vertices)) / lift_unit)
    vertices += close * np.float32((GAP - lip_gap(vertices)) / close_unit)


def stiffen_teeth(vertices: np.ndarray) -> None:
    """Make teeth, gums and tongue a moved and scaled copy of the generic ones; changes vertices [V, 3] in place."""
    chosen, offsets, behind = _teeth()
    middle = vertices[chosen].mean(axis=0)
    scale = ((vertices[chosen] - middle) * offsets).sum() / (offsets**2).sum()  # least squares
    middle[2] = min(middle[2], _lips_depth(vertices) - scale * behind)
    vertices[chosen] = middle + scale * offsets


@lru_cache(maxsize=1)
def _edges() -> list[tuple[np.ndarray, np.ndarray]]:
    """Vertices of the edges of upper and lower lip, for each strip."""
    head = load_head()
    raised, lowered = (_lip_moves(way) for way in ("UpperUp", "LowerDown"))
    x, y, z = head.vertices.T
    near = np.isin(head.vertex_part, (FACE, MOUTH_SOCKET)) & (np.abs(y - LINE) < NEAR_LINE) & (z > FRONT)
    # a vertex belongs to the lip whose expression moves it more
    strips = [near & (np.abs(np.abs(x) - middle) < HALF_STRIP) for middle in STRIPS]
    return [(np.flatnonzero(one & (raised > lowered)), np.flatnonzero(one & (lowered > raised))) for one in strips]


def _lip_moves(way: str) -> np.ndarray:
    """Vertical displacement [V] by the expressions mouth<way>_L and _R, absolute."""
    return sum(np.abs(load_head().expression(f"mouth{way}_{side}")[:, 1]) for side in "LR")


@lru_cache(maxsize=1)
def _strokes() -> tuple[np.ndarray, np.ndarray, float, float]:
    """Fields float32 [V, 3] that lift the corners and part the lips, and the effect in cm of each at strength 1."""
    head = load_head()
    lift = paint(head.vertices, CORNER_STROKE)
    part = sum(head.expression(f"mouth{way}_{side}") for way in ("LowerDown", "UpperUp") for side in "LR") / 2
    rest_height, rest_gap = corner_height(head.vertices), lip_gap(head.vertices)
    return lift, part, corner_height(head.vertices + lift) - rest_height, lip_gap(head.vertices + part) - rest_gap


@lru_cache(maxsize=1)
def _teeth() -> tuple[np.ndarray, np.ndarray, float]:
    """Vertices int [n] of teeth, gums and tongue, offsets float32 [n, 3] from their mean, and its cm to the lips."""
    head = load_head()
    chosen = np.flatnonzero(np.isin(head.vertex_part, (GUMS, TEETH)))
    middle = head.vertices[chosen].mean(axis=0)
    return chosen, head.vertices[chosen] - middle, float(_lips_depth(head.vertices) - middle[2] + ROOM)


def _lips_depth(vertices: np.ndarray) -> float:
    """z in cm of the line between the lips, of vertices [V, 3]."""
    return float(vertices[load_head().landmarks][UPPER + LOWER, 2].mean())
