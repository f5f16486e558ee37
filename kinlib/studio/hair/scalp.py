"""The head under the hair: candidate roots, and the distance of the skin from the head's centre in every direction.

Hair is grown in the generic head's frame. A scale and an offset per axis map the subject's head onto the generic one,
so that the lengths of a style fit children and adults; the finished strands are mapped back.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.head.model import FACE, HEAD, load_head
from kinlib.studio.vectors import unit

__all__ = ["CENTRE", "CENTRE_Y", "CENTRE_Z", "BodySurface", "HeadFrame", "RootPool", "Roots"]
__all__ += ["fit_frame", "measure_body", "place_roots", "radial_distance", "root_pool"]

CENTRE_Y, CENTRE_Z = 4.0, 0.3  # cm, centre of the skull at x = 0, between the ears
CENTRE = np.array([0.0, CENTRE_Y, CENTRE_Z], np.float32)
AXIS_Z = -1.0  # the neck's axis is x = 0 at this z
NECK_TOP = -3.5  # cm; below this y distances are measured from the neck's axis
LOWEST, HIGHEST = -19.5, 0.5  # cm, range of y of the neck's map: shoulders to above the jaw
SHOULDERS = -7.5  # cm; vertices below this y are left out of the head's map
ROWS, COLUMNS = 48, 96  # of both maps; cells of 3.75 degrees
POOL = 60_000  # candidates for roots; four times as many as the densest style uses


@dataclass(frozen=True)
class HeadFrame:
    """Map between a subject's head and the generic frame: generic = (own - offset) / scale, [3] each."""

    scale: np.ndarray
    offset: np.ndarray

    def to_generic(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] of the subject in the generic frame, float32, cm."""
        return ((points - self.offset) / self.scale).astype(np.float32)

    def to_own(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] of the generic frame on the subject, float32, cm."""
        return (points * self.scale + self.offset).astype(np.float32)


@dataclass(frozen=True)
class RootPool:
    """Candidate roots, evenly spread over the scalp and in random order.

    Attributes:
        corners: int [n, 3], vertices of the triangle that holds each candidate.
        weights: float32 [n, 3], barycentric weights.
        positions: float32 [n, 3], cm, on the generic head.
    """

    corners: np.ndarray
    weights: np.ndarray
    positions: np.ndarray


@dataclass(frozen=True)
class Roots:
    """Where strands leave the skin.

    Attributes:
        points, normals: float32 [n, 3], on the subject, in the generic frame.
        generic: float32 [n, 3], the same places on the generic head.
        density: float32 [n] in 0..1, density of the hairline there.
    """

    points: np.ndarray
    normals: np.ndarray
    generic: np.ndarray
    density: np.ndarray

    def __len__(self) -> int:
        """Number of roots."""
        return len(self.points)


@dataclass(frozen=True)
class BodySurface:
    """Radial distance maps of head and neck, cm.

    Attributes:
        head: float32 [ROWS, COLUMNS], from `CENTRE`, by latitude and longitude.
        neck: float32 [ROWS, COLUMNS], from the neck's axis, by y and longitude.
    """

    head: np.ndarray
    neck: np.ndarray


def fit_frame(vertices: np.ndarray) -> HeadFrame:
    """Least-squares scale and offset, per axis, from the generic skull and jaw to those of vertices float32 [V, 3]."""
    chosen, centred, mean = _anchors()
    own = vertices[chosen]
    own_mean = own.mean(axis=0)
    # ordinary least squares of each coordinate on its generic value
    scale = (centred * (own - own_mean)).sum(axis=0) / (centred**2).sum(axis=0)
    return HeadFrame(scale.astype(np.float32), (own_mean - scale * mean).astype(np.float32))


@lru_cache(maxsize=1)
def root_pool() -> RootPool:
    """Candidate roots all over the scalp; computed once, the same for all subjects."""
    head = load_head()
    positions = head.vertices[head.triangles]  # [T, 3, 3]
    middle = positions.mean(axis=1)
    # skin above the nape; below y = 7 cm only what lies behind the cheeks (z < 6 cm)
    scalp = np.isin(head.triangle_part, (FACE, HEAD)) & (middle[:, 1] > -7) & ((middle[:, 1] > 7) | (middle[:, 2] < 6))
    triangles, positions = head.triangles[scalp], positions[scalp]
    # [T], twice the area
    area = np.linalg.norm(np.cross(positions[:, 1] - positions[:, 0], positions[:, 2] - positions[:, 0]), axis=1)
    rng = np.random.default_rng(1)
    places = (np.arange(POOL) + rng.random(POOL)) / POOL * area.sum()  # stratified along the summed area
    chosen = rng.permutation(np.searchsorted(np.cumsum(area), places).clip(max=len(area) - 1))
    weights = rng.dirichlet([1, 1, 1], POOL).astype(np.float32)  # uniform within the triangle
    return RootPool(triangles[chosen], weights, _mix(positions[chosen], weights))


def place_roots(
    vertices: np.ndarray,  # float32 [V, 3], the subject
    normals: np.ndarray,  # float32 [V, 3]
    frame: HeadFrame,
    density: np.ndarray,  # float32 [POOL], 0..1
    count: int,
    rng: np.random.Generator,
) -> Roots:
    """Up to `count` roots on a subject: candidates are kept with the probability of their density."""
    pool = root_pool()
    # a threshold of 0.001 to 1: density 0 never grows hair
    chosen = np.flatnonzero(density > rng.random(len(density)) * 0.999 + 0.001)[:count]
    corners, weights = pool.corners[chosen], pool.weights[chosen]
    return Roots(
        points=frame.to_generic(_mix(vertices[corners], weights)),
        # normals transform with the inverse of the frame's scale
        normals=unit(_mix(normals[corners], weights) * frame.scale).astype(np.float32),
        generic=pool.positions[chosen],
        density=density[chosen],
    )


def measure_body(vertices: np.ndarray, frame: HeadFrame) -> BodySurface:
    """Radial distance maps of a subject, vertices float32 [V, 3], in the generic frame."""
    corners, weights = _samples()
    points = frame.to_generic(_mix(vertices[corners], weights))
    return BodySurface(_smooth(_fill(_head_map(points))), _smooth(_fill(_neck_map(points))))


def _mix(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Points [n, 3] of corners [n, 3, 3] at barycentric weights [n, 3]."""
    return np.einsum("nkc,nk->nc", corners, weights).astype(np.float32)


@lru_cache(maxsize=1)
def _anchors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of skull and jaw int [n], their positions about the mean [n, 3], and the mean [3]."""
    head = load_head()
    _, y, z = head.vertices.T
    skull = (head.vertex_part <= HEAD) & (y > 5.5) & ((z < 7) | (y > 9))  # cranium without the face
    # the 17 jaw landmarks count 20 times, to weigh about as much as the skull
    chosen = np.concatenate([np.flatnonzero(skull), np.repeat(head.landmarks[:17], 20)])
    mean = head.vertices[chosen].mean(axis=0)
    return chosen, head.vertices[chosen] - mean, mean


@lru_cache(maxsize=1)
def _samples() -> tuple[np.ndarray, np.ndarray]:
    """Points evenly spread over the skin, denser than the maps: triangles' vertices [n, 3] and weights [n, 3]."""
    head = load_head()
    triangles = head.triangles[head.triangle_part <= HEAD]
    corners = head.vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    times = np.ceil(area / 0.15).astype(int)  # one point per 0.075 cm²; a cell of the map has about 0.3
    rng = np.random.default_rng(2)
    return np.repeat(triangles, times, axis=0), rng.dirichlet([1, 1, 1], times.sum()).astype(np.float32)


@njit(cache=True, fastmath=True)
def _column(x, z):
    """Fractional column of a direction about the vertical axis; column 0 is at the back."""
    return (np.arctan2(x, z) / (2 * np.pi) + 0.5) * COLUMNS


@njit(cache=True, fastmath=True)
def _head_map(points):
    """Largest distance from the centre per cell of latitude and longitude, 0 where no point lies."""
    reached = np.zeros((ROWS, COLUMNS), np.float32)
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1] - CENTRE_Y, points[i, 2] - CENTRE_Z
        if points[i, 1] < SHOULDERS:
            continue
        radius = np.sqrt(x * x + y * y + z * z)
        row = min(ROWS - 1, max(0, int((np.arcsin(y / radius) / np.pi + 0.5) * ROWS)))  # latitude -90..90 degrees
        column = int(_column(x, z)) % COLUMNS
        reached[row, column] = max(reached[row, column], radius)
    return reached


@njit(cache=True, fastmath=True)
def _neck_map(points):
    """Largest distance from the neck's axis per cell of height and longitude, 0 where no point lies."""
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
    """Fill empty cells with the mean of their neighbours, in up to 12 passes that grow into the gaps."""
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
    """Weighted mean of each cell and its four neighbours."""
    rows, columns = reached.shape
    result = np.empty_like(reached)
    for r in range(rows):
        for c in range(columns):
            total = 4 * reached[r, c] + 2 * (reached[r, (c + 1) % columns] + reached[r, c - 1])
            total += 2 * (reached[max(0, r - 1), c] + reached[min(rows - 1, r + 1), c])
            result[r, c] = max(total / 12, reached[r, c] - 0.15)  # at most 0.15 cm lower: ears must not sink
    return result


@njit(cache=True, fastmath=True)
def radial_distance(head, neck, x, y, z):
    """Distance of (x, y, z) from the centre, distance of the skin in that direction (bilinear), and the unit direction.

    Below `NECK_TOP` the centre is replaced by the nearest point of the neck's axis.
    """
    below = y < NECK_TOP
    cx, cy, cz = x, (0.0 if below else y - CENTRE_Y), (z - AXIS_Z if below else z - CENTRE_Z)
    distance = np.sqrt(cx * cx + cy * cy + cz * cz) + 1e-6
    # cell centres lie at half columns and rows
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
