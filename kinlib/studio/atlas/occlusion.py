"""Ambient occlusion per vertex, from depth buffers.

The head is rasterised orthographically from many directions. A vertex sees the sky in a direction if it is not behind
the depth buffer; directions are weighted by the cosine to the vertex normal.
"""

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.rendering.raster import depths

__all__ = ["occlusion"]

DIRECTIONS = 160  # over the whole sphere
PIXELS = 512  # side of a depth buffer
LIFT = 0.05  # cm, offset along the normal against self-occlusion


def occlusion(vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Visible share of the sky per vertex, float32 [V] in 0..1; 1 for vertices of no triangle."""
    seen, total = np.full(len(vertices), 1e-6), np.full(len(vertices), 1e-6)
    raised = vertices + LIFT * normals
    for direction in _directions():
        basis = _basis(direction)
        flat = vertices @ basis  # [V, 3], in the view's axes
        low, extent = flat[:, :2].min(axis=0), np.ptp(flat[:, :2], axis=0).max() * 1.01
        scale = np.array([PIXELS / extent, PIXELS / extent, -1], np.float32)  # depth grows away from the viewer
        shift = np.array([*low, 0], np.float32)
        depth = depths((flat - shift) * scale, triangles, PIXELS, PIXELS)
        cosine = np.maximum(normals @ direction, 0)  # [V]
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
    """Orthonormal basis float32 [3, 3]; columns: two axes across a direction, and the direction."""
    helper = np.eye(3)[np.argmin(np.abs(direction))]
    across = np.cross(helper, direction)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(direction, across), direction], axis=1).astype(np.float32)


@njit(cache=True)
def _visible(points, depth, cosine):
    """Bilinear share of the four surrounding pixels in which a point (column, row, depth) is not occluded, [n]."""
    result = np.zeros(len(points), np.float32)
    size = len(depth)
    for n in range(len(points)):
        if cosine[n] <= 0:
            continue
        x, y, z = points[n]
        column, row = min(max(int(x), 0), size - 2), min(max(int(y), 0), size - 2)
        right, down = x - column, y - row
        slack = 0.02 + 0.04 / (cosine[n] + 0.1)  # cm of tolerance; slanted surfaces vary in depth within a pixel
        for i in range(2):
            for j in range(2):
                share = (down if i else 1 - down) * (right if j else 1 - right)
                if depth[row + i, column + j] >= z - slack:
                    result[n] += share
    return result
