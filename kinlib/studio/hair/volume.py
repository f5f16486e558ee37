"""Shading of hair as a volume: outward normals and ambient occlusion from a density grid.

Strands are accumulated in a coarse grid as optical density (projected area per volume: width times length / cm³). The
negative gradient of the smoothed density is the outward normal; the density integrated along it gives the occlusion.
"""

import numpy as np

from kinlib.runtime.compiled import njit

__all__ = ["volume_shading"]

CELL = 0.6  # cm, side of a cell; coarse, since only the overall form of the hair is wanted
LOW = np.array([-17.0, -23.0, -16.0], np.float32)  # cm, corner of the grid in the generic frame
CELLS = (57, 76, 57)  # 34 x 46 x 34 cm: the longest hair and the largest afro
EXTINCTION = 0.075  # 1/cm per unit of density, by eye
SAMPLES, STRIDE = 4, 0.8  # samples along the outward ray, and their distance in cells
ROUND = 0.75  # weight of the head's radial direction against the density gradient in the normals
LIT_BURIED = 0.30  # least openness: light scattered by the strands themselves


def volume_shading(points: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward normals float32 [n, K, 3] and openness float32 [n, K] in 0.3..1 of strands.

    Args:
        points: float32 [n, K, 3], cm.
        width: float32 [n], cm.
    """
    density = _accumulate(points, width, LOW, CELLS)  # [57, 76, 57]
    # normals need a smoother field (three passes) than the occlusion (none)
    smooth = _blur(_blur(density))
    normals = np.empty_like(points)
    openness = np.empty(points.shape[:2], np.float32)
    _shade(points, density, _blur(smooth), LOW, normals, openness)
    return normals, LIT_BURIED + (1 - LIT_BURIED) * openness


@njit(cache=True, fastmath=True)
def _accumulate(points, width, low, cells):
    """Density of strands on the grid; each segment goes to the cell of its midpoint."""
    density = np.zeros(cells, np.float32)
    for s in range(points.shape[0]):
        for k in range(points.shape[1] - 1):
            ax, ay, az = points[s, k]
            bx, by, bz = points[s, k + 1]
            length = np.sqrt((bx - ax) ** 2 + (by - ay) ** 2 + (bz - az) ** 2)
            i = int((0.5 * (ax + bx) - low[0]) / CELL)
            j = int((0.5 * (ay + by) - low[1]) / CELL)
            h = int((0.5 * (az + bz) - low[2]) / CELL)
            if 0 <= i < cells[0] and 0 <= j < cells[1] and 0 <= h < cells[2]:
                density[i, j, h] += length * width[s] / CELL**3
    return density


@njit(cache=True, fastmath=True)
def _blur(density):
    """A binomial blur (1, 2, 1) / 4 along each axis."""
    a, b, c = density.shape
    first, second, third = np.zeros_like(density), np.zeros_like(density), np.zeros_like(density)
    for i in range(1, a - 1):
        for j in range(b):
            for h in range(c):
                first[i, j, h] = 0.25 * (density[i - 1, j, h] + density[i + 1, j, h]) + 0.5 * density[i, j, h]
    for i in range(a):
        for j in range(1, b - 1):
            for h in range(c):
                second[i, j, h] = 0.25 * (first[i, j - 1, h] + first[i, j + 1, h]) + 0.5 * first[i, j, h]
    for i in range(a):
        for j in range(b):
            for h in range(1, c - 1):
                third[i, j, h] = 0.25 * (second[i, j, h - 1] + second[i, j, h + 1]) + 0.5 * second[i, j, h]
    return third


@njit(cache=True, fastmath=True)
def _at(grid, x, y, z):
    """Trilinear interpolation; x, y, z in cells, whole numbers at cell centres."""
    x = min(max(x, 0.0), grid.shape[0] - 1.001)
    y = min(max(y, 0.0), grid.shape[1] - 1.001)
    z = min(max(z, 0.0), grid.shape[2] - 1.001)
    i, j, h = int(x), int(y), int(z)
    a, b, c = x - i, y - j, z - h
    front = (grid[i, j, h] * (1 - a) + grid[i + 1, j, h] * a) * (1 - b)
    front += (grid[i, j + 1, h] * (1 - a) + grid[i + 1, j + 1, h] * a) * b
    rear = (grid[i, j, h + 1] * (1 - a) + grid[i + 1, j, h + 1] * a) * (1 - b)
    rear += (grid[i, j + 1, h + 1] * (1 - a) + grid[i + 1, j + 1, h + 1] * a) * b
    return front * (1 - c) + rear * c


@njit(cache=True, fastmath=True)
def _shade(points, density, smooth, low, normals, openness):
    """Write normals and unscaled openness of every point."""
    for s in range(points.shape[0]):
        for k in range(points.shape[1]):
            px, py, pz = points[s, k]
            x, y, z = (px - low[0]) / CELL - 0.5, (py - low[1]) / CELL - 0.5, (pz - low[2]) / CELL - 0.5
            # negative gradient by central differences
            gx = _at(smooth, x - 1, y, z) - _at(smooth, x + 1, y, z)
            gy = _at(smooth, x, y - 1, z) - _at(smooth, x, y + 1, z)
            gz = _at(smooth, x, y, z - 1) - _at(smooth, x, y, z + 1)
            size = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-6
            # the skull is empty in the grid, so inner strands would face inwards: the radial direction is added
            ux, uy, uz = px, 0.8 * (py - 4.0) if py > 4 else 0.15 * (py - 4.0), pz
            far = np.sqrt(ux * ux + uy * uy + uz * uz) + 1e-6
            nx, ny, nz = gx / size + ROUND * ux / far, gy / size + ROUND * uy / far, gz / size + ROUND * uz / far
            size = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-6
            nx, ny, nz = nx / size, ny / size, nz / size
            normals[s, k, 0], normals[s, k, 1], normals[s, k, 2] = nx, ny, nz
            met = 0.0  # sum of the densities along the ray
            for q in range(1, SAMPLES + 1):
                met += _at(density, x + nx * q * STRIDE, y + ny * q * STRIDE, z + nz * q * STRIDE)
            openness[s, k] = np.exp(-EXTINCTION * CELL * STRIDE * met)  # Beer-Lambert
