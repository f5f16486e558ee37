"""Signed distances to polygons and curves given in centimetres, and soft steps of them.

A polygon lies in a plane in front of the face (x, y) or beside it (z, y) and selects the surface behind it. A curve
lies on the surface; distances to it are Euclidean in space. Left and right are painted together: x stands for |x|.
"""

import numpy as np
from scipy.interpolate import splev, splprep

from kinlib.runtime.compiled import njit

__all__ = ["bump", "curve_distance", "inside", "ramp", "smooth_closed", "smooth_open"]

FAR = 1.5  # in the unit of the points; nothing is painted further from a line, so distances beyond it are approximate


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothstep: 0 below `low`, 1 above `high`; decreasing if `low` > `high`. Same shape as `values`, float32."""
    t = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(first: np.ndarray, second: np.ndarray, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """A Gaussian over two coordinates, 1 at its centre; `radii` are standard deviations."""
    return np.exp(-(((first - centre[0]) / radii[0]) ** 2 + ((second - centre[1]) / radii[1]) ** 2) / 2)


def smooth_open(points: np.ndarray, count: int = 40) -> np.ndarray:
    """A cubic spline through points [K, D], sampled at `count` points [count, D]."""
    points = np.asarray(points, float)
    knots, _ = splprep(points.T, s=0, k=min(3, len(points) - 1))
    return np.stack(splev(np.linspace(0, 1, count), knots), axis=1)


def smooth_closed(points: np.ndarray, count: int = 80) -> np.ndarray:
    """A closed cubic spline through points [K, D], sampled at `count` points [count, D]."""
    points = np.asarray(points, float)
    knots, _ = splprep(np.vstack([points, points[:1]]).T, s=0, per=True)
    return np.stack(splev(np.linspace(0, 1, count, endpoint=False), knots), axis=1)


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Signed distance of points [..., 2] to the border of a polygon [K, 2], positive inside: float32 [...].

    Further than `FAR` from the polygon's bounding box it is the distance to that box.
    """
    flat = np.ascontiguousarray(points, np.float32).reshape(-1, 2)  # [P, 2]
    return _inside(flat, np.ascontiguousarray(polygon, np.float32)).reshape(points.shape[:-1])


def curve_distance(points: np.ndarray, curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of points [..., D] to a polyline [K, D], and the position of the nearest point on it (0 start, 1 end).

    Further than `FAR` from the polyline's bounding box the distance is that to the box, and the position 0.
    """
    flat = np.ascontiguousarray(points, np.float32).reshape(-1, points.shape[-1])  # [P, D]
    distance, place = _curve_distance(flat, np.ascontiguousarray(curve, np.float32))
    return distance.reshape(points.shape[:-1]), place.reshape(points.shape[:-1])


@njit(cache=True, fastmath=True)
def _box(line):
    """Lowest and highest corner of the box around a line."""
    low, high = line[0].copy(), line[0].copy()
    for point in line:
        low, high = np.minimum(low, point), np.maximum(high, point)
    return low, high


@njit(cache=True, fastmath=True)
def _gap(point, low, high):
    """Distance from a point to a box, 0 inside."""
    squared = 0.0
    for d in range(len(point)):
        squared += max(0.0, low[d] - point[d], point[d] - high[d]) ** 2
    return np.sqrt(squared)


@njit(cache=True, fastmath=True)
def _inside(points, polygon):
    """Even-odd rule for the sign, nearest edge for the distance."""
    result = np.empty(len(points), np.float32)
    low, high = _box(polygon)
    for n in range(len(points)):
        gap = _gap(points[n], low, high)
        if gap > FAR:
            result[n] = -gap
            continue
        x, y = points[n]
        nearest, within = np.inf, False
        j = len(polygon) - 1
        for i in range(len(polygon)):
            ax, ay = polygon[j, 0] - x, polygon[j, 1] - y
            bx, by = polygon[i, 0] - x, polygon[i, 1] - y
            dx, dy = bx - ax, by - ay
            t = min(1.0, max(0.0, -(ax * dx + ay * dy) / (dx * dx + dy * dy + 1e-12)))
            nearest = min(nearest, (ax + t * dx) ** 2 + (ay + t * dy) ** 2)
            if (ay > 0) != (by > 0) and ax - ay * dx / dy > 0:  # edge crosses the ray to +x
                within = not within
            j = i
        result[n] = np.sqrt(nearest) if within else -np.sqrt(nearest)
    return result


@njit(cache=True, fastmath=True)
def _curve_distance(points, curve):
    """Nearest segment by brute force; curves have few dozen segments."""
    distance = np.empty(len(points), np.float32)
    place = np.empty(len(points), np.float32)
    segments = len(curve) - 1
    low, high = _box(curve)
    for n in range(len(points)):
        gap = _gap(points[n], low, high)
        if gap > FAR:
            distance[n], place[n] = gap, 0.0
            continue
        nearest = np.inf
        for k in range(segments):
            along, length = 0.0, 1e-12
            for d in range(curve.shape[1]):
                step = curve[k + 1, d] - curve[k, d]
                along += step * (points[n, d] - curve[k, d])
                length += step * step
            t = min(1.0, max(0.0, along / length))
            squared = 0.0
            for d in range(curve.shape[1]):
                squared += (curve[k, d] + t * (curve[k + 1, d] - curve[k, d]) - points[n, d]) ** 2
            if squared < nearest:
                nearest = squared
                place[n] = (k + t) / segments
        distance[n] = np.sqrt(nearest)
    return distance, place
