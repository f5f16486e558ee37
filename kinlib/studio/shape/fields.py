"""Smooth, exactly symmetrical displacement fields over the head.

A field is either a sum of Gaussian brushes or a spline through anchors with given displacements. Both are defined on
the person's left side (x > 0) of the generic head and mirrored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from kinlib.studio.head.model import HeadModel

__all__ = ["Brush", "Point", "blink", "paint", "symmetric", "warp"]

Point = tuple[float, float, float]

STIFFNESS = 0.02  # regularisation of a warp, by eye: how far anchors may be missed for a smoother field


@dataclass(frozen=True)
class Brush:
    """A displacement weighted by a Gaussian of the distance from a place.

    Attributes:
        at: centre, cm in the head's frame, x >= 0; off the midline it is mirrored to the other side.
        radius: cm, standard deviation of the Gaussian, one for all axes or one per axis.
        shift: cm, translation.
        stretch: relative scaling about the centre along each axis, 0.1 for 10%.
        spin: rotation about the centre, a rotation vector in degrees.
    """

    at: Point
    radius: float | Point
    shift: Point = (0.0, 0.0, 0.0)
    stretch: Point = (0.0, 0.0, 0.0)
    spin: Point = (0.0, 0.0, 0.0)

    def displace(self, points: np.ndarray) -> np.ndarray:
        """Displacements [N, 3] of points [N, 3], without the mirror image."""
        offset = points - np.asarray(self.at)
        weight = np.exp(-((offset / np.asarray(self.radius)) ** 2).sum(axis=-1, keepdims=True) / 2)  # [N, 1]
        rotated = np.cross(np.radians(self.spin), offset)  # first order in the angle
        return weight * (np.asarray(self.shift) + np.asarray(self.stretch) * offset + rotated)


MIRROR = np.array([-1.0, 1.0, 1.0])


def paint(points: np.ndarray, *brushes: Brush) -> np.ndarray:
    """The field of brushes and their mirror images.

    Args:
        points: float [N, 3], cm.
        brushes: on the person's left side or on the midline.

    Returns:
        Displacements float32 [N, 3]; those of mirrored points are mirrored exactly.
    """
    return _mirrored(points, lambda half: sum(_both_sides(brush, half) for brush in brushes))


def warp(points: np.ndarray, anchors: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """The smoothest field that moves anchors by given displacements.

    A biharmonic spline in space (kernel r) with an affine part, the 3D analogue of the thin-plate spline (Bookstein,
    1989).

    Args:
        points: float [N, 3], cm.
        anchors: float [K, 3] with x >= 0; those off the midline are mirrored.
        moves: float [K, 3], cm.

    Returns:
        Displacements float32 [N, 3]; those of mirrored points are mirrored exactly.
    """
    anchors, moves = np.asarray(anchors, float), np.asarray(moves, float)
    twin = anchors[:, 0] > 0
    places = np.concatenate([anchors, anchors[twin] * MIRROR])  # [K + mirrored, 3]
    # anchors on the midline stay on it
    steps = np.concatenate([np.where(twin[:, None], moves, moves * [0, 1, 1]), moves[twin] * MIRROR])
    solution = _spline(places, steps)
    return _mirrored(points, lambda half: _kernel(half, places) @ solution)


@lru_cache(maxsize=1)
def blink(head: HeadModel) -> np.ndarray:
    """The field that shuts both eyes, float32 [V, 3]; small multiples of it lower (> 0) or raise (< 0) the lids."""
    return symmetric(head.vertices, head.expression("eyeBlink_L") + head.expression("eyeBlink_R"))


def symmetric(points: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A field [N, 3] averaged with its mirror image; points [N, 3] are paired with the nearest mirrored point."""
    twin = cKDTree(points).query(points * MIRROR)[1]
    return ((field + field[twin] * MIRROR) / 2).astype(np.float32)


def _mirrored(points: np.ndarray, field: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Evaluate a symmetrical field on the left side and mirror it: exact symmetry in floating point."""
    side = np.where(points[:, :1] < 0, MIRROR, 1.0)  # [N, 3]
    moves = field(points.astype(np.float64) * side)
    moves[points[:, 0] == 0, 0] = 0
    return (moves * side).astype(np.float32)


def _both_sides(brush: Brush, points: np.ndarray) -> np.ndarray:
    """Displacements [N, 3] of a brush and, off the midline, its mirror image."""
    if brush.at[0] == 0:
        return brush.displace(points)
    return brush.displace(points) + brush.displace(points * MIRROR) * MIRROR


def _kernel(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Kernel matrix with the affine columns: distances, 1, x, y, z; float64 [N, K + 4]."""
    distance = np.sqrt(((points[:, None] - places[None]) ** 2).sum(-1))  # [N, K]
    return np.concatenate([distance, np.ones((len(points), 1)), points], axis=1)


def _spline(places: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Coefficients [K + 4, 3] of the spline with displacements `steps` [K, 3] at `places` [K, 3]."""
    count = len(places)
    rows = _kernel(places, places)
    matrix = np.zeros((count + 4, count + 4))
    matrix[:count] = rows
    matrix[count:, :count] = rows[:, count:].T
    # r is negative definite of order 1, so regularisation is subtracted; 10 cm is the scale of the head
    matrix[np.arange(count), np.arange(count)] -= STIFFNESS * 10
    return np.linalg.solve(matrix, np.concatenate([steps, np.zeros((4, 3))]))
