"""Texture space: the surface point of each texel, and the triangle at a texture coordinate.

Convention: row 0 of a map is v = 0 (the throat), v grows with the row; the centre of texel (row, column) of a map with
S rows is ((column + 0.5) / S, (row + 0.5) / S). The back of the head has its own map, at u in 1..2.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates

from kinlib.runtime.compiled import njit
from kinlib.studio.head.model import FACE, HEAD, HeadModel
from kinlib.studio.rendering.raster import cover

__all__ = ["Chart", "Finder", "interpolate", "make_chart", "make_finder", "sample"]

CELLS = 160  # cells of the search grid per unit of u and v


@dataclass(frozen=True, eq=False)
class Chart:
    """The texture of one part of the head, S by S texels.

    Attributes:
        corners: int32 [S, S, 3], vertices of the triangle at each texel; outside the chart, of the nearest one.
        weights: float32 [S, S, 3], barycentric weights.
        covered: bool [S, S], whether the texel belongs to the surface.
        position: float32 [S, S, 3], position of each texel on the neutral head, cm.
        normal: float32 [S, S, 3], outward and of unit length.
    """

    corners: np.ndarray
    weights: np.ndarray
    covered: np.ndarray
    position: np.ndarray
    normal: np.ndarray

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Interpolate values [V] or [V, C] of vertices over the texture: float32 [S, S] or [S, S, C]."""
        return np.einsum("rci...,rci->rc...", values[self.corners], self.weights).astype(np.float32)


def make_chart(head: HeadModel, normals: np.ndarray, part: int, size: int) -> Chart:
    """The texture of a part (FACE or HEAD) with the neutral positions and `normals` float32 [V, 3]."""
    chosen = head.triangle_part == part
    points = np.zeros((len(head.uv), 3), np.float32)  # rasterised in texture space; depth is 0
    points[:, :2] = (head.uv - [part, 0]) * size - 0.5
    texels = cover(points, head.triangle_uv[chosen], size, size)
    covered = texels.triangle >= 0
    # texels outside the chart take the triangle of the nearest inside, against bleeding at seams
    nearest = tuple(distance_transform_edt(~covered, return_distances=False, return_indices=True))
    triangle, weights = texels.triangle[nearest], texels.weights[nearest]
    weights = np.concatenate([1 - weights.sum(axis=-1, keepdims=True), weights], axis=-1)  # [S, S, 3]
    chart = Chart(head.triangles[chosen][triangle], weights, covered, np.empty(0), np.empty(0))
    normal = chart.spread(normals)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return replace(chart, position=chart.spread(head.vertices), normal=normal)


def sample(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Values of a map [S, S] or [S, S, C] at texture coordinates [n, 2] in 0..1, bilinear: float32 [n] or [n, C]."""
    size = len(texture)
    where = np.clip(np.asarray(uv, np.float32).T[::-1] * size - 0.5, 0, size - 1)  # rows, then columns
    if texture.ndim == 2:
        return map_coordinates(texture, where, order=1, output=np.float32, mode="nearest")
    return np.stack([sample(texture[..., channel], uv) for channel in range(texture.shape[2])], axis=-1)


@dataclass(frozen=True, eq=False)
class Finder:
    """Point location in texture space with a uniform grid.

    Attributes:
        rows: int32 [N], row of `HeadModel.triangles` for each triangle below.
        corners: float32 [N, 3, 2], texture coordinates.
        starts: int32 [cells + 1], offsets into `members`.
        members: int32 [M]; members[starts[c]:starts[c + 1]] are the triangles whose box touches cell c.
    """

    rows: np.ndarray
    corners: np.ndarray
    starts: np.ndarray
    members: np.ndarray

    def locate(self, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Triangle int32 [n] and barycentric weights float32 [n, 3] for texture coordinates [n, 2].

        A coordinate outside the chart gets the nearest point of its border found in the grid.
        """
        uv = np.ascontiguousarray(uv, np.float64).reshape(-1, 2)
        found, weights = _locate(uv, self.corners, self.starts, self.members)
        return self.rows[found], weights


def make_finder(head: HeadModel) -> Finder:
    """The search grid for the face and the back of the head."""
    rows = np.flatnonzero(np.isin(head.triangle_part, (FACE, HEAD))).astype(np.int32)
    corners = np.ascontiguousarray(head.uv[head.triangle_uv[rows]])
    low = np.clip(corners.min(axis=1) * CELLS, 0, [2 * CELLS - 1, CELLS - 1]).astype(int)
    high = np.clip(corners.max(axis=1) * CELLS, 0, [2 * CELLS - 1, CELLS - 1]).astype(int)
    width, height = (high - low + 1).T
    number = np.repeat(np.arange(len(rows)), width * height)  # each triangle once for each cell that it may touch
    # running number of the cell within each triangle's box
    place = np.arange(len(number)) - np.repeat(np.cumsum(width * height) - width * height, width * height)
    column, row = low[number, 0] + place % width[number], low[number, 1] + place // width[number]
    cell = row * 2 * CELLS + column
    starts = np.searchsorted(np.sort(cell), np.arange(2 * CELLS * CELLS + 1)).astype(np.int32)
    return Finder(rows, corners, starts, number[np.argsort(cell, kind="stable")].astype(np.int32))


def interpolate(values: np.ndarray, triangles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values [V] or [V, C] of vertices at points of triangles int [n, 3] with weights [n, 3]: [n] or [n, C]."""
    return np.einsum("ni...,ni->n...", values[triangles], weights)


@njit(cache=True)
def _locate(uv, corners, starts, members):
    found = np.zeros(len(uv), np.int32)
    weights = np.zeros((len(uv), 3), np.float32)
    for n in range(len(uv)):
        u, v = uv[n]
        left = CELLS if u >= 1 else 0  # the face's map or the back's; the search stays within one
        column, row = left + min(max(int(u * CELLS) - left, 0), CELLS - 1), min(max(int(v * CELLS), 0), CELLS - 1)
        best = -np.inf
        for reach in range(CELLS):  # the cell itself, then growing rings where it is empty
            for y in range(max(0, row - reach), min(CELLS, row + reach + 1)):
                for x in range(max(left, column - reach), min(left + CELLS, column + reach + 1)):
                    cell = y * 2 * CELLS + x
                    for k in range(starts[cell], starts[cell + 1]):
                        score = _weigh(u, v, corners[members[k]], weights[n], best)
                        if score > best:
                            best, found[n] = score, members[k]
            if best > -np.inf:
                break
    return found, weights


@njit(cache=True)
def _weigh(u, v, corner, weights, best):
    """Minus the distance from (u, v) to a triangle; if it beats `best`, `weights` become those of the nearest point."""
    x1, y1 = corner[1, 0] - corner[0, 0], corner[1, 1] - corner[0, 1]
    x2, y2 = corner[2, 0] - corner[0, 0], corner[2, 1] - corner[0, 1]
    area = x1 * y2 - x2 * y1
    if abs(area) < 1e-14:
        return -np.inf
    du, dv = u - corner[0, 0], v - corner[0, 1]
    second, third = (du * y2 - x2 * dv) / area, (x1 * dv - du * y1) / area
    first = 1 - second - third
    if min(first, second, third) < 0:  # outside: clamp and renormalise the weights; the score is the distance moved
        first, second, third = max(first, 0.0), max(second, 0.0), max(third, 0.0)
        total = first + second + third
        first, second, third = first / total, second / total, third / total
    score = -np.hypot(second * x1 + third * x2 - du, second * y1 + third * y2 - dv)
    if score > best:
        weights[0], weights[1], weights[2] = first, second, third
    return score
