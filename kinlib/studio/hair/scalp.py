"""The head that hair grows on: where roots may sit, and how far the skin and the neck reach in every direction.

Hair is grown in the frame of the generic head: a person's head is brought there by a scale and an offset per axis, so
that a style means the same on a child and on an adult, and is taken back at the end.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from kinlib.studio.hair.strands import unit
from kinlib.studio.head.model import FACE, HEAD, load_head

__all__ = ["CENTRE", "Frame", "Pool", "Roots", "Skin", "fit_frame", "place_roots", "reach", "root_pool", "skin_map"]

CENTRE_Y, CENTRE_Z = 4.0, 0.3  # cm; the skull is seen from x = 0 there
CENTRE = np.array([0.0, CENTRE_Y, CENTRE_Z], np.float32)
AXIS_Z = -1.0  # the neck's axis is x = 0 at this z
NECK_TOP = -3.5  # below, distances are measured from the neck's axis
LOWEST, HIGHEST = -19.5, 0.5  # y that the map of the neck covers
SHOULDERS = -7.5  # below, nothing belongs to the map of the head
ROWS, COLUMNS = 48, 96  # of both maps
POOL = 60_000  # candidates for roots; more than any style wants


@dataclass(frozen=True)
class Frame:
    """A person's head in the generic head's frame: generic = (own - offset) / scale, per axis."""

    scale: np.ndarray
    offset: np.ndarray

    def to_generic(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] of the person, float32, in the generic frame."""
        return ((points - self.offset) / self.scale).astype(np.float32)

    def to_own(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] of the generic frame, float32, on the person."""
        return (points * self.scale + self.offset).astype(np.float32)


@dataclass(frozen=True)
class Pool:
    """Places on the generic head in random order, evenly spread: triangles' vertices [n, 3], weights and positions."""

    corners: np.ndarray
    weights: np.ndarray
    positions: np.ndarray


@dataclass(frozen=True)
class Roots:
    """Where strands leave the skin.

    Attributes:
        points, normals: float32 [n, 3], on this person, in the generic frame.
        generic: float32 [n, 3], the same places of the generic head.
        density: float32 [n], of the hairline there.
    """

    points: np.ndarray
    normals: np.ndarray
    generic: np.ndarray
    density: np.ndarray

    def __len__(self) -> int:
        """Number of roots."""
        return len(self.points)


@dataclass(frozen=True)
class Skin:
    """How far the body reaches, cm.

    Attributes:
        head: float32 [ROWS, COLUMNS], from `CENTRE`, by latitude and longitude.
        neck: float32 [ROWS, COLUMNS], from the neck's axis, by y and longitude.
    """

    head: np.ndarray
    neck: np.ndarray


def fit_frame(vertices: np.ndarray) -> Frame:
    """The scale and offset that bring the generic skull and jaw to those of a person, vertices float32 [V, 3]."""
    chosen, centred, mean = _anchors()
    own = vertices[chosen]
    own_mean = own.mean(axis=0)
    scale = (centred * (own - own_mean)).sum(axis=0) / (centred**2).sum(axis=0)
    return Frame(scale.astype(np.float32), (own_mean - scale * mean).astype(np.float32))


@lru_cache(maxsize=1)
def root_pool() -> Pool:
    """Candidates for roots all over the scalp, the same for everybody."""
    head = load_head()
    positions = head.vertices[head.triangles]  # [T, 3, 3]
    middle = positions.mean(axis=1)
    scalp = np.isin(head.triangle_part, (FACE, HEAD)) & (middle[:, 1] > -7) & ((middle[:, 1] > 7) | (middle[:, 2] < 6))
    triangles, positions = head.triangles[scalp], positions[scalp]
    area = np.linalg.norm(np.cross(positions[:, 1] - positions[:, 0], positions[:, 2] - positions[:, 0]), axis=1)
    rng = np.random.default_rng(1)
    places = (np.arange(POOL) + rng.random(POOL)) / POOL * area.sum()  # stratified: an even cover
    chosen = rng.permutation(np.searchsorted(np.cumsum(area), places).clip(max=len(area) - 1))
    weights = rng.dirichlet([1, 1, 1], POOL).astype(np.float32)
    return Pool(triangles[chosen], weights, _mix(positions[chosen], weights))


def place_roots(
    vertices: np.ndarray, normals: np.ndarray, frame: Frame, density: np.ndarray, count: int, rng: np.random.Generator
) -> Roots:
    """The first `count` places of the pool that pass the density float32 [POOL], on a person; or fewer."""
    pool = root_pool()
    chosen = np.flatnonzero(density > rng.random(len(density)) * 0.999 + 0.001)[:count]
    corners, weights = pool.corners[chosen], pool.weights[chosen]
    return Roots(
        points=frame.to_generic(_mix(vertices[corners], weights)),
        normals=unit(_mix(normals[corners], weights) * frame.scale).astype(np.float32),
        generic=pool.positions[chosen],
        density=density[chosen],
    )


def skin_map(vertices: np.ndarray, frame: Frame) -> Skin:
    """How far a person's skin reaches, in the generic frame."""
    corners, weights = _samples()
    points = frame.to_generic(_mix(vertices[corners], weights))
    return Skin(_smooth(_fill(_head_map(points))), _smooth(_fill(_neck_map(points))))


def _mix(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.einsum("nkc,nk->nc", corners, weights).astype(np.float32)


@lru_cache(maxsize=1)
def _anchors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of skull and jaw, their places about the mean, and the mean."""
    head = load_head()
    _, y, z = head.vertices.T
    skull = (head.vertex_part <= HEAD) & (y > 5.5) & ((z < 7) | (y > 9))
    chosen = np.concatenate([np.flatnonzero(skull), np.repeat(head.landmarks[:17], 20)])
    mean = head.vertices[chosen].mean(axis=0)
    return chosen, head.vertices[chosen] - mean, mean


@lru_cache(maxsize=1)
def _samples() -> tuple[np.ndarray, np.ndarray]:
    """An even cover of the skin, finer than the maps: triangles' vertices [n, 3] and weights [n, 3]."""
    head = load_head()
    triangles = head.triangles[head.triangle_part <= HEAD]
    corners = head.vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    times = np.ceil(area / 0.15).astype(int)
    rng = np.random.default_rng(2)
    return np.repeat(triangles, times, axis=0), rng.dirichlet([1, 1, 1], times.sum()).astype(np.float32)


@njit(cache=True, fastmath=True)
def _column(x, z):
    """Fractional column of a direction about the vertical; column 0 lies behind."""
    return (np.arctan2(x, z) / (2 * np.pi) + 0.5) * COLUMNS


@njit(cache=True, fastmath=True)
def _head_map(points):
    reached = np.zeros((ROWS, COLUMNS), np.float32)
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1] - CENTRE_Y, points[i, 2] - CENTRE_Z
        if points[i, 1] < SHOULDERS:
            continue
        radius = np.sqrt(x * x + y * y + z * z)
        row = min(ROWS - 1, max(0, int((np.arcsin(y / radius) / np.pi + 0.5) * ROWS)))
        column = int(_column(x, z)) % COLUMNS
        reached[row, column] = max(reached[row, column], radius)
    return reached


@njit(cache=True, fastmath=True)
def _neck_map(points):
    reached = np.zeros((ROWS, COLUMNS), np.float32)
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2] - AXIS_Z
        row = int(np.floor((y - LOWEST) / (HIGHEST - LOWEST) * ROWS))
        if 0 <= row < ROWS:
            column = int(_column(x, z)) % COLUMNS
            reached[row, column] = max(reached[row, column], np.sqrt(x * x + z * z))
    return reached


@njit(cache=True, fastmath=True)
def _fill(reached):
    """Give empty cells the mean of their neighbours, in passes that grow into the gaps."""
    rows, columns = reached.shape
    for _ in range(12):
        previous = reached.copy()
        empty = 0
        for r in range(rows):
            for c in range(columns):
                if previous[r, c] > 0:
                    continue
                empty += 1
                total, count = 0.0, 0
                for dr in range(-1, 2):
                    for dc in range(-1, 2):
                        row = min(rows - 1, max(0, r + dr))
                        value = previous[row, (c + dc) % columns]
                        if value > 0:
                            total += value
                            count += 1
                if count > 0:
                    reached[r, c] = total / count
        if empty == 0:
            break
    return reached


@njit(cache=True, fastmath=True)
def _smooth(reached):
    rows, columns = reached.shape
    result = np.empty_like(reached)
    for r in range(rows):
        for c in range(columns):
            total = 4 * reached[r, c] + 2 * (reached[r, (c + 1) % columns] + reached[r, c - 1])
            total += 2 * (reached[max(0, r - 1), c] + reached[min(rows - 1, r + 1), c])
            result[r, c] = max(total / 12, reached[r, c] - 0.15)  # ears stay as high as they are
    return result


@njit(cache=True, fastmath=True)
def reach(head, neck, x, y, z):
    """How far a point at x, y, z is from the centre, how far the skin in that direction, and the direction."""
    below = y < NECK_TOP
    cx, cy, cz = x, (0.0 if below else y - CENTRE_Y), (z - AXIS_Z if below else z - CENTRE_Z)
    distance = np.sqrt(cx * cx + cy * cy + cz * cz) + 1e-6
    column = _column(cx, cz) - 0.5
    if below:
        row = (y - LOWEST) / (HIGHEST - LOWEST) * ROWS - 0.5
        table = neck
    else:
        row = (np.arcsin(min(1.0, max(-1.0, cy / distance))) / np.pi + 0.5) * ROWS - 0.5
        table = head
    row = min(ROWS - 1.001, max(0.0, row))
    top, left = int(row), int(np.floor(column))
    a, b = row - top, column - left
    left, right = left % COLUMNS, (left + 1) % COLUMNS
    upper = table[top, left] * (1 - b) + table[top, right] * b
    lower = table[top + 1, left] * (1 - b) + table[top + 1, right] * b
    return distance, upper * (1 - a) + lower * a, cx / distance, cy / distance, cz / distance
