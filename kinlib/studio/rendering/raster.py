"""Rasterisation: triangles into a z-buffer, and thin strands into the same depths.

Loops over triangles and strands, compiled by numba. Points are projected: (x, y) in pixels with whole numbers at pixel
centres, depth in cm, smaller is nearer.
"""

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.labels import NONE

__all__ = ["Coverage", "cover", "depths", "draw_strands", "majority", "strand_depths", "vertex_normals"]

FAR = np.float32(1e9)  # depth of empty pixels
FRONT = 0.02  # cm, depth tolerance: a strand that lies on a surface is drawn
SHORTEST = 1e-9  # px²; smaller triangles are degenerate (seen edge-on)


class Coverage:
    """The z-buffer with the visible triangle of each pixel.

    Attributes:
        depth: float32 [H, W], cm.
        triangle: int32 [H, W], -1 where there is nothing.
        weights: float32 [H, W, 2], barycentric weights of the triangle's second and third corner.
    """

    def __init__(self, height: int, width: int):
        self.depth = np.full((height, width), FAR, np.float32)
        self.triangle = np.full((height, width), -1, np.int32)
        self.weights = np.zeros((height, width, 2), np.float32)


def cover(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> Coverage:
    """Rasterise triangles int32 [T, 3] over projected points float32 [V, 3]; both orientations are drawn."""
    coverage = Coverage(height, width)
    _cover(points, triangles, coverage.depth, coverage.triangle, coverage.weights)
    return coverage


def depths(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    """Only the depths, float32 [H, W], of `cover`; for shadow maps."""
    return cover(points, triangles, height, width).depth


@njit(cache=True, fastmath=True)
def _cover(points, triangles, depth, triangle, weights):
    """Scan the bounding box of each triangle; write depth, triangle and weights of the nearest."""
    height, width = depth.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)  # twice the signed area
        if abs(area) < SHORTEST:
            continue
        left, right = max(0, int(np.ceil(min(x0, x1, x2)))), min(width - 1, int(np.floor(max(x0, x1, x2))))
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2)))), min(height - 1, int(np.floor(max(y0, y1, y2))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                # barycentric weights of the second and third corner
                v = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / area
                w = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / area
                u = 1 - v - w
                if u < -1e-5 or v < -1e-5 or w < -1e-5:  # tolerance: no gaps along shared edges
                    continue
                z = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
                if z < depth[y, x]:
                    depth[y, x] = z
                    triangle[y, x] = t
                    weights[y, x, 0] = v
                    weights[y, x, 1] = w


@njit(cache=True, fastmath=True)
def strand_depths(points: np.ndarray, depth: np.ndarray, every: int = 1) -> None:
    """Lower `depth` [H, W] along every `every`-th of the strands [n, K, 3], in place."""
    height, width = depth.shape
    for s in range(0, points.shape[0], every):
        for k in range(points.shape[1] - 1):
            x0, y0, z0 = points[s, k]
            x1, y1, z1 = points[s, k + 1]
            # digital differential analyser: one step per pixel of the longer axis
            steps = int(max(abs(x1 - x0), abs(y1 - y0))) + 1
            for q in range(steps):
                t = q / steps
                x, y = int(np.floor(x0 + (x1 - x0) * t + 0.5)), int(np.floor(y0 + (y1 - y0) * t + 0.5))
                if 0 <= x < width and 0 <= y < height:
                    z = z0 + (z1 - z0) * t
                    if z < depth[y, x]:
                        depth[y, x] = z


@njit(cache=True, fastmath=True)
def draw_strands(
    points: np.ndarray,
    colours: np.ndarray,
    thickness: np.ndarray,
    label: np.ndarray,
    region: np.ndarray,
    picture: np.ndarray,
    depth: np.ndarray,
    labels: np.ndarray,
    regions: np.ndarray,
) -> None:
    """Draw strands into a picture, in place; a strand thinner than a pixel is blended by its coverage.

    Args:
        points: float32 [n, K, 3], projected.
        colours: float32 [n, K, 3], linear RGB, lit.
        thickness: float32 [n], pixels at the root; a third of it at the tip.
        label, region: uint8 [n], 255 where a strand writes none.
        picture: float32 [H, W, 3]; depth: float32 [H, W]; labels, regions: uint8 [H, W].
    """
    height, width = depth.shape
    last = points.shape[1] - 1
    for s in range(points.shape[0]):
        for k in range(last):
            x0, y0, z0 = points[s, k]
            x1, y1, z1 = points[s, k + 1]
            if max(x0, x1) < -1 or min(x0, x1) > width or max(y0, y1) < -1 or min(y0, y1) > height:
                continue
            along = (k + 0.5) / last
            # taper to 35% of the width at the tip
            wide = thickness[s] * (1 - 0.65 * along * along)
            opacity = min(1.0, wide)  # coverage of a strand thinner than a pixel
            flat = abs(y1 - y0) < abs(x1 - x0)  # a flat segment is thickened vertically, a steep one horizontally
            steps = int(max(abs(x1 - x0), abs(y1 - y0))) + 1
            for q in range(steps):
                t = q / steps
                z = z0 + (z1 - z0) * t
                xs, ys = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
                for extra in range(max(1, int(wide + 0.5))):
                    x = int(np.floor(xs + 0.5)) + (0 if flat else extra)
                    y = int(np.floor(ys + 0.5)) + (extra if flat else 0)
                    if not (0 <= x < width and 0 <= y < height) or z > depth[y, x] + FRONT:
                        continue
                    for c in range(3):
                        colour = colours[s, k, c] + (colours[s, k + 1, c] - colours[s, k, c]) * t
                        picture[y, x, c] += (colour - picture[y, x, c]) * opacity
                    # faint strands do not hide what is drawn later
                    if opacity > 0.5 and z < depth[y, x]:
                        depth[y, x] = z
                    if label[s] != NONE:
                        labels[y, x] = label[s]
                    if region[s] != NONE:
                        regions[y, x] = region[s]


@njit(cache=True, fastmath=True)
def vertex_normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Unit normals float32 [V, 3], triangles weighted by their area."""
    normals = np.zeros_like(points)
    for t in range(len(triangles)):
        # cross product of two edges: twice the area along the normal
        a, b, c = triangles[t]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for i in range(len(normals)):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        for c in range(3):
            normals[i, c] /= length
    return normals


@njit(cache=True)
def majority(labels: np.ndarray, factor: int, weak: int) -> np.ndarray:
    """The most frequent label of each block of factor x factor pixels: uint8 [H / factor, W / factor].

    Ties go against labels up to `weak`; otherwise thin objects (brows, rims of glasses) would vanish into skin or
    background.
    """
    height, width = labels.shape[0] // factor, labels.shape[1] // factor
    result = np.zeros((height, width), np.uint8)
    votes = np.zeros(256, np.int64)
    for y in range(height):
        for x in range(width):
            votes[:] = 0
            best = 0
            for j in range(factor):
                for i in range(factor):
                    votes[labels[y * factor + j, x * factor + i]] += 1
            for j in range(factor):
                for i in range(factor):
                    label = labels[y * factor + j, x * factor + i]
                    if votes[label] > votes[best] or (votes[label] == votes[best] and best <= weak < label):
                        best = label
            result[y, x] = best
    return result
