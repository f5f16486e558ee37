"""Filling triangles: the one loop behind texture maps and behind the depth buffers of ambient occlusion."""

import numba
import numpy as np

__all__ = ["fill_triangles"]


@numba.njit(cache=True, fastmath=True)
def fill_triangles(corners: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which triangle is seen at each pixel, the one with the largest depth in front.

    Args:
        corners: float32 [T, 3, 3], column, row and depth of each corner; the first pixel's centre is (0, 0).
        height, width: of the picture.

    Returns:
        Triangle int32 [height, width], -1 where there is none; weights of its second and third corner float32
        [height, width, 2]; and depth float32 [height, width], -inf where there is none.
    """
    triangle = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    depth = np.full((height, width), -np.inf, np.float32)
    for t in range(len(corners)):
        x0, y0, z0 = corners[t, 0]
        x1, y1, z1 = corners[t, 1, 0] - x0, corners[t, 1, 1] - y0, corners[t, 1, 2] - z0
        x2, y2, z2 = corners[t, 2, 0] - x0, corners[t, 2, 1] - y0, corners[t, 2, 2] - z0
        area = x1 * y2 - x2 * y1
        if abs(area) < 1e-12:
            continue
        left, right = max(0, int(np.ceil(x0 + min(0, x1, x2)))), min(width - 1, int(np.floor(x0 + max(0, x1, x2))))
        top, bottom = max(0, int(np.ceil(y0 + min(0, y1, y2)))), min(height - 1, int(np.floor(y0 + max(0, y1, y2))))
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                second = ((column - x0) * y2 - x2 * (row - y0)) / area
                third = (x1 * (row - y0) - (column - x0) * y1) / area
                if second < -1e-6 or third < -1e-6 or second + third > 1 + 1e-6:
                    continue
                z = z0 + second * z1 + third * z2
                if z > depth[row, column]:
                    depth[row, column] = z
                    triangle[row, column] = t
                    weights[row, column, 0] = second
                    weights[row, column, 1] = third
    return triangle, weights, depth
