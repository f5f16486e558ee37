"""Smooth displacement fields over a head: what moves when a nose widens or a jaw grows.

A field is written as a few brush strokes on the person's left side of the generic head, or as places that move to
others with everything between them following smoothly. Both are mirrored, so that a field is exactly symmetrical.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from kinlib.studio.head.model import HeadModel

__all__ = ["Brush", "Point", "blink", "paint", "symmetric", "warp"]

Point = tuple[float, float, float]

STIFFNESS = 0.02  # of a warp: how much of an anchor's move its neighbours may overrule


@dataclass(frozen=True)
class Brush:
    """A change that fades with the distance from a place, like a bell curve.

    Attributes:
        at: cm in the head's frame, x >= 0; off the midline, the same happens on the other side.
        radius: cm, standard deviation of the bell, one for all axes or one each.
        shift: cm, by how much the place moves.
        stretch: growth about the place along each axis, 0.1 for a tenth.
        spin: degrees of turn about the place, as a rotation vector.
    """

    at: Point
    radius: float | Point
    shift: Point = (0.0, 0.0, 0.0)
    stretch: Point = (0.0, 0.0, 0.0)
    spin: Point = (0.0, 0.0, 0.0)

    def displace(self, points: np.ndarray) -> np.ndarray:
        """Displacements [N, 3] of points [N, 3], without the mirrored stroke."""
        offset = points - np.asarray(self.at)
        weight = np.exp(-((offset / np.asarray(self.radius)) ** 2).sum(axis=-1, keepdims=True) / 2)
        turned = np.cross(np.radians(self.spin), offset)
        return weight * (np.asarray(self.shift) + np.asarray(self.stretch) * offset + turned)


MIRROR = np.array([-1.0, 1.0, 1.0])


def paint(points: np.ndarray, *brushes: Brush) -> np.ndarray:
    """The field of some strokes and their mirror images.

    Args:
        points: float [N, 3], cm.
        brushes: strokes on the person's left side or on the midline.

    Returns:
        Displacements float32 [N, 3]; those of mirrored points are mirrored exactly.
    """
    return _mirrored(points, lambda half: sum(_both_sides(brush, half) for brush in brushes))


def warp(points: np.ndarray, anchors: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """The field that moves anchors as told and bends as little as possible between them.

    A biharmonic spline in space (kernel r) with an affine part.

    Args:
        points: float [N, 3], cm.
        anchors: float [K, 3] with x >= 0; those off the midline stand for their mirror images too.
        moves: float [K, 3], cm.

    Returns:
        Displacements float32 [N, 3]; those of mirrored points are mirrored exactly.
    """
    anchors, moves = np.asarray(anchors, float), np.asarray(moves, float)
    twin = anchors[:, 0] > 0
    places = np.concatenate([anchors, anchors[twin] * MIRROR])
    steps = np.concatenate([np.where(twin[:, None], moves, moves * [0, 1, 1]), moves[twin] * MIRROR])
    solution = _spline(places, steps)
    return _mirrored(points, lambda half: _kernel(half, places) @ solution)


@lru_cache(maxsize=1)
def blink(head: HeadModel) -> np.ndarray:
    """The field that shuts both eyes, float32 [V, 3]: a little of it makes lids heavier or, taken away, opens them."""
    return symmetric(head.vertices, head.expression("eyeBlink_L") + head.expression("eyeBlink_R"))


def symmetric(points: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A field [N, 3] averaged with its mirror image, exactly symmetrical where points [N, 3] have a mirrored twin."""
    twin = cKDTree(points).query(points * MIRROR)[1]
    return ((field + field[twin] * MIRROR) / 2).astype(np.float32)


def _mirrored(points: np.ndarray, field: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Evaluate a symmetrical field on the left side only; on the right its mirror image."""
    side = np.where(points[:, :1] < 0, MIRROR, 1.0)
    moves = field(points.astype(np.float64) * side)
    moves[points[:, 0] == 0, 0] = 0
    return (moves * side).astype(np.float32)


def _both_sides(brush: Brush, points: np.ndarray) -> np.ndarray:
    if brush.at[0] == 0:
        return brush.displace(points)
    return brush.displace(points) + brush.displace(points * MIRROR) * MIRROR


def _kernel(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Distances [N, K] with the affine columns, float64 [N, K + 4]."""
    distance = np.sqrt(((points[:, None] - places[None]) ** 2).sum(-1))
    return np.concatenate([distance, np.ones((len(points), 1)), points], axis=1)


def _spline(places: np.ndarray, steps: np.ndarray) -> np.ndarray:
    count = len(places)
    rows = _kernel(places, places)
    matrix = np.zeros((count + 4, count + 4))
    matrix[:count] = rows
    matrix[count:, :count] = rows[:, count:].T
    matrix[np.arange(count), np.arange(count)] -= STIFFNESS * 10
    return np.linalg.solve(matrix, np.concatenate([steps, np.zeros((4, 3))]))
