"""Ambient occlusion: how much of the sky each point of the head sees.

The head is looked at from many directions, each time without perspective and into a depth buffer. A vertex sees the
sky in a direction if nothing in that buffer lies before it; directions count by the cosine to the vertex' normal.
"""

import numba
import numpy as np

from kinlib.studio.rendering.raster import depths

__all__ = ["occlusion"]

DIRECTIONS = 160
PIXELS = 512  # of the depth buffers, along each side
LIFT = 0.05  # cm that a vertex is raised from the surface before it is tested


def occlusion(vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Share of the sky that each vertex sees, float32 [V] in 0 (none) .. 1 (all of it, or belongs to no triangle)."""
    seen, total = np.full(len(vertices), 1e-6), np.full(len(vertices), 1e-6)
    raised = vertices + LIFT * normals
    for direction in _directions():
        basis = _basis(direction)
        flat = vertices @ basis
        low, extent = flat[:, :2].min(axis=0), np.ptp(flat[:, :2], axis=0).max() * 1.01
        scale = np.array([PIXELS / extent, PIXELS / extent, -1], np.float32)  # depth grows away from the looker
        shift = np.array([*low, 0], np.float32)
        depth = depths((flat - shift) * scale, triangles, PIXELS, PIXELS)
        cosine = np.maximum(normals @ direction, 0)
        seen += cosine * _visible((raised @ basis - shift) * scale, depth, cosine)
        total += cosine
    return np.clip(seen / total, 0, 1).astype(np.float32)


def _directions() -> np.ndarray:
    """Directions spread evenly over the sphere, float32 [DIRECTIONS, 3] (a Fibonacci lattice)."""
    k = np.arange(DIRECTIONS)
    y = 1 - (2 * k + 1) / DIRECTIONS
    angle = k * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - y * y)
    return np.stack([radius * np.cos(angle), y, radius * np.sin(angle)], axis=1).astype(np.float32)


def _basis(direction: np.ndarray) -> np.ndarray:
    """Columns: two axes across a direction, and the direction itself."""
    helper = np.eye(3)[np.argmin(np.abs(direction))]
    across = np.cross(helper, direction)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(direction, across), direction], axis=1).astype(np.float32)


@numba.njit(cache=True)
def _visible(points, depth, cosine):
    """1 where nothing lies before a point (column, row, depth), by the mean over the four pixels around it."""
    result = np.zeros(len(points), np.float32)
    size = len(depth)
    for n in range(len(points)):
        if cosine[n] <= 0:
            continue
        x, y, z = points[n]
        column, row = min(max(int(x), 0), size - 2), min(max(int(y), 0), size - 2)
        right, down = x - column, y - row
        slack = 0.02 + 0.04 / (cosine[n] + 0.1)  # a pixel of a slanting surface reaches before its middle
        for i in range(2):
            for j in range(2):
                share = (down if i else 1 - down) * (right if j else 1 - right)
                if depth[row + i, column + j] >= z - slack:
                    result[n] += share
    return result
