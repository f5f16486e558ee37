"""Regular grids on the skin that deform with every head.

A grid is located once on the generic head, unrolled to a plane: each grid point becomes a fixed barycentric combination
of three vertices. On any other head it costs one small matrix product.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay

from kinlib.studio.vectors import unit

__all__ = ["SkinGrid", "normals", "sample", "skin_grid"]


@dataclass(frozen=True)
class SkinGrid:
    """Points on the skin as barycentric combinations of vertices.

    Attributes:
        indices: int64 [rows, columns, 3], vertices.
        weights: float32 [rows, columns, 3], sum 1.
    """

    indices: np.ndarray
    weights: np.ndarray

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """The grid on a head: float32 [rows, columns, 3] from vertices [V, 3]."""
        return np.einsum("rck,rckx->rcx", self.weights, vertices[self.indices])


def skin_grid(vertices: np.ndarray, flat: np.ndarray, targets: np.ndarray) -> SkinGrid:
    """The grid whose points lie at `targets` of the unrolled skin.

    Args:
        vertices: int64 [n], rows of candidate vertices.
        flat: float64 [n, 2], their positions in the plane.
        targets: float64 [rows, columns, 2], in the same plane; points outside the hull are clamped to a triangle.
    """
    plane = Delaunay(flat)
    wanted = targets.reshape(-1, 2)
    simplex = plane.find_simplex(wanted)
    transform = plane.transform[simplex]
    two = np.einsum("nij,nj->ni", transform[:, :2], wanted - transform[:, 2])  # [n, 2], first two barycentric weights
    weights = np.clip(np.column_stack([two, 1 - two.sum(1)]), 0, 1)
    weights /= weights.sum(1, keepdims=True)
    shape = (*targets.shape[:2], 3)
    return SkinGrid(
        vertices[plane.simplices[simplex]].reshape(shape), np.ascontiguousarray(weights.reshape(shape), np.float32)
    )


def sample(grid: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Values [..., k] of a closed grid [R, C, k] at fractional rows and columns [...], bilinear."""
    rows = np.clip(rows, 0, len(grid) - 1.001)
    row, column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    v, u = (rows - row)[..., None], (columns - column)[..., None]  # [..., 1]
    left, right = column % grid.shape[1], (column + 1) % grid.shape[1]
    above = grid[row, left] * (1 - u) + grid[row, right] * u
    below = grid[row + 1, left] * (1 - u) + grid[row + 1, right] * u
    return above * (1 - v) + below * v


def normals(grid: np.ndarray) -> np.ndarray:
    """Unit normals [R, C, 3] of a closed grid: (direction of growing rows) x (direction of growing columns)."""
    down = np.gradient(grid, axis=0)
    along = np.roll(grid, -1, axis=1) - np.roll(grid, 1, axis=1)
    return unit(np.cross(down, along))
