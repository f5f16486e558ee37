"""From smooth strands to hair: they gather in locks, wave or curl, fray, and stay out of the head and under a hat."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from kinlib.studio.hair.scalp import Skin, reach

__all__ = ["Curl", "Locks", "crosses_face", "dress", "keep_outside", "make_locks", "press_down"]

FACE_MIDDLE, FACE_WIDTH, FACE_BELOW = 1.5, 5.8, 7.5  # cm, ellipse of the face: y of its middle, half axes
FACE_DEPTH = 5.0  # cm, z from which on hair lies before the face


@dataclass(frozen=True)
class Locks:
    """Which strands go together: `leader` int64 [n] (a strand's number), `lock` int64 [n] from 0, `count` of locks."""

    leader: np.ndarray
    lock: np.ndarray
    count: int


@dataclass(frozen=True)
class Curl:
    """How strands gather and wave.

    Attributes:
        gather: 0..1, how far a strand joins its lock's leader at the tip.
        radius: cm, of waves.
        wavelength: cm along the strand.
        flatness: 0 a helix, 1 a wave in the plane of the skin.
        fray: cm, how far the tip strays from its lock.
        even: 0..1, how far neighbouring locks wave in step.
        onset: cm from the root to the full wave.
    """

    gather: float
    radius: float
    wavelength: float
    flatness: float
    fray: float
    even: float
    onset: float = 2.5


def make_locks(roots: np.ndarray, sides: np.ndarray, count: int, rng: np.random.Generator) -> Locks:
    """Gather strands about randomly chosen leaders, nearest root first.

    Args:
        roots: float32 [n, 3].
        sides: float32 [n]; strands with different values never share a lock.
        count: number of locks.
        rng: randomness.
    """
    leaders = rng.choice(len(roots), min(count, len(roots)), replace=False)
    apart = np.concatenate([roots, 50 * sides[:, None]], axis=1)
    lock = cKDTree(apart[leaders]).query(apart)[1]
    return Locks(leaders[lock].astype(np.int64), lock.astype(np.int64), len(leaders))


def dress(
    points: np.ndarray,
    lengths: np.ndarray,
    locks: Locks,
    curl: Curl,
    phase: np.ndarray,
    num_points: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Gather, curl and fray strands.

    Args:
        points: float32 [n, K, 3].
        lengths: float32 [n], cm.
        locks: who leads whom.
        curl: how.
        phase: float32 [n], radians, smooth over the head; used as far as `curl.even` says.
        num_points: M, points per strand of the result; curls need more than smooth strands.
        rng: randomness.

    Returns:
        Points float32 [n, M, 3], and the crest of the waves float32 [n, M]: 1 where a strand lies on the outer side of
        its curl or lock, -1 where it lies below.
    """
    count = len(points)
    own = rng.uniform(0, 2 * np.pi, locks.count)[locks.lock] + 0.35 * rng.normal(size=count)
    turned = (curl.even * phase + (1 - curl.even) * own).astype(np.float32)
    stretch = np.exp(0.24 * rng.normal(size=locks.count))[locks.lock].astype(np.float32)
    loose = np.where(rng.random(count) < 0.03, 2.4, 1.0) * np.abs(1 + 0.4 * rng.normal(size=count))
    fray = (rng.normal(size=(count, 3)) * (curl.fray * loose)[:, None]).astype(np.float32)
    gather = (curl.gather * np.clip(1.15 - 0.3 * loose, 0.1, 1)).astype(np.float32)
    numbers = (curl.radius, curl.wavelength, curl.flatness, curl.onset)
    dressed = np.empty((count, num_points, 3), np.float32)
    crest = np.empty((count, num_points), np.float32)
    numbers = (np.float32(value) for value in numbers)
    _dress(points, lengths, locks.leader, gather, turned, stretch, fray, *numbers, dressed, crest)
    return dressed, crest


def keep_outside(points: np.ndarray, skin: Skin, margin: float) -> None:
    """Move points [n, K, 3] but the roots out of head, neck and shoulders, in place; `margin` in cm."""
    _keep_outside(points, skin.head, skin.neck, np.float32(margin))


def crosses_face(points: np.ndarray, height: float) -> np.ndarray:
    """Which strands [n, K, 3] hang before the face: bool [n]. The face is an ellipse, `height` cm over its middle."""
    return _crosses_face(points, np.float32(height))


def press_down(points: np.ndarray, skin: Skin, front: float, back: float, height: float) -> None:
    """Flatten hair under a hat to `height` cm above the skin, in place; the hat's edge is at y = front .. back."""
    _press_down(points, skin.head, skin.neck, np.float32(front), np.float32(back), np.float32(height))


@njit(cache=True, fastmath=True)
def _at(points, s, place):
    """A point of strand s between its points; place in 0..K-1."""
    low = min(int(place), points.shape[1] - 2)
    mix = place - low
    x = points[s, low, 0] * (1 - mix) + points[s, low + 1, 0] * mix
    y = points[s, low, 1] * (1 - mix) + points[s, low + 1, 1] * mix
    z = points[s, low, 2] * (1 - mix) + points[s, low + 1, 2] * mix
    return x, y, z


@njit(cache=True, fastmath=True)
def _axes(points, s, place):
    """Unit vectors across a strand: along the skin, and outwards."""
    last = points.shape[1] - 1
    ax, ay, az = _at(points, s, max(0.0, place - 0.7))
    bx, by, bz = _at(points, s, min(float(last), place + 0.7))
    x, y, z = 0.5 * (ax + bx), 0.5 * (ay + by), 0.5 * (az + bz)
    tx, ty, tz = bx - ax, by - ay, bz - az
    size = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6
    tx, ty, tz = tx / size, ty / size, tz / size
    ox, oy, oz = x, (y - 4.0 if y > 2 else 0.3 * (y - 4.0)), z + 0.5
    bx, by, bz = ty * oz - tz * oy, tz * ox - tx * oz, tx * oy - ty * ox
    size = np.sqrt(bx * bx + by * by + bz * bz) + 1e-6
    bx, by, bz = bx / size, by / size, bz / size
    return bx, by, bz, by * tz - bz * ty, bz * tx - bx * tz, bx * ty - by * tx


@njit(cache=True, fastmath=True)
def _dress(points, lengths, leader, gather, phase, stretch, fray, radius, wavelength, flatness, onset, dressed, crest):
    last, end = points.shape[1] - 1, dressed.shape[1] - 1
    for s in range(len(points)):
        g = leader[s]
        ratio = lengths[s] / max(lengths[g], 0.1)
        turn = 2 * np.pi / (wavelength * stretch[s])
        for k in range(end + 1):
            along = k / end
            place = along * last
            x, y, z = _at(points, s, place)
            gx, gy, gz = _at(points, g, min(place * ratio, last - 0.001))
            gx, gy, gz = gx - x, gy - y, gz - z
            apart = gx * gx + gy * gy + gz * gz
            way = along * lengths[s]
            pull = gather[s] * min(1.0, way / (1.3 * onset)) * (1 - (1 - along) * (1 - gather[s]))
            pull *= min(1.0, 4.0 / (apart + 1e-6))  # a strand that fell to the other side stays there
            bx, by, bz, cx, cy, cz = _axes(points, s, place)
            wide = radius * min(1.0, way / onset) * (1 - 0.15 * along)
            angle = turn * way + phase[s]
            outer = np.sin(angle)
            a, b = np.cos(angle) * wide, outer * wide * (1 - flatness)
            stray = along * along
            dressed[s, k, 0] = x + gx * pull + bx * a + cx * b + fray[s, 0] * stray
            dressed[s, k, 1] = y + gy * pull + by * a + cy * b + fray[s, 1] * stray
            dressed[s, k, 2] = z + gz * pull + bz * a + cz * b + fray[s, 2] * stray
            above = -(gx * cx + gy * cy + gz * cz)  # over the lock's middle
            crest[s, k] = min(1.0, max(-1.0, outer * min(1.0, 3 * wide) + 1.6 * above * (1 - 0.5 * along)))


@njit(cache=True, fastmath=True)
def _keep_outside(points, head, neck, margin):
    for s in range(points.shape[0]):
        for k in range(1, points.shape[1]):
            distance, surface, ux, uy, uz = reach(head, neck, points[s, k, 0], points[s, k, 1], points[s, k, 2])
            out = surface + margin - distance
            if out > 0:
                points[s, k, 0] += ux * out
                points[s, k, 1] += uy * out
                points[s, k, 2] += uz * out


@njit(cache=True, fastmath=True)
def _crosses_face(points, height):
    crossing = np.zeros(len(points), np.bool_)
    for s in range(points.shape[0]):
        for k in range(points.shape[1]):
            x, y, z = points[s, k]
            tall = height if y > FACE_MIDDLE else FACE_BELOW
            if z > FACE_DEPTH and (x / FACE_WIDTH) ** 2 + ((y - FACE_MIDDLE) / tall) ** 2 < 1:
                crossing[s] = True
                break
    return crossing


@njit(cache=True, fastmath=True)
def _press_down(points, head, neck, front, back, height):
    for s in range(points.shape[0]):
        for k in range(points.shape[1]):
            x, y, z = points[s, k]
            share = min(1.0, max(0.0, (z + 8.0) / 16.0))
            above = y - (back + (front - back) * share)
            if above < -2.5:
                continue
            distance, surface, ux, uy, uz = reach(head, neck, x, y, z)
            limit = surface + height + 0.9 * max(0.0, -above)
            if distance > limit:
                points[s, k, 0] -= ux * (distance - limit)
                points[s, k, 1] -= uy * (distance - limit)
                points[s, k, 2] -= uz * (distance - limit)
