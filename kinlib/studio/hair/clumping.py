"""Clumping, curl and frizz of smooth strands, and their collision with the head, the face and a hat.

Strands are attracted to the leader of their clump, displaced along a helix or wave, and spread by frizz, like the
clump, coil and noise modifiers of grooming tools such as XGen.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from kinlib.runtime.compiled import njit
from kinlib.studio.hair.scalp import BodySurface, radial_distance

__all__ = ["Clumps", "Curl", "clump_strands", "crosses_face", "keep_outside", "make_clumps", "press_down"]

FACE_MIDDLE, FACE_WIDTH, FACE_BELOW = 1.5, 5.8, 7.5  # cm, ellipse of the face: y of its middle, half axes
FACE_DEPTH = 5.0  # cm, z from which on hair lies before the face


@dataclass(frozen=True)
class Clumps:
    """Clumps of n strands: `leader` int64 [n] (row of the clump's leader), `index` int64 [n] of the clump, `count`."""

    leader: np.ndarray
    index: np.ndarray
    count: int


@dataclass(frozen=True)
class Curl:
    """Parameters of clumping and curl.

    Attributes:
        gather: 0..1, share of the way to the clump's leader that a strand moves at its tip.
        radius: cm, amplitude of the waves.
        wavelength: cm along the strand.
        flatness: 0 a helix, 1 a wave in the plane of the skin.
        frizz: cm, standard deviation of the tips about their clump.
        even: 0..1, share of the phase that neighbouring clumps have in common.
        onset: cm from the root to the full wave.
    """

    gather: float
    radius: float
    wavelength: float
    flatness: float
    frizz: float
    even: float
    onset: float = 2.5


def make_clumps(roots: np.ndarray, sides: np.ndarray, count: int, rng: np.random.Generator) -> Clumps:
    """Assign every strand to the nearest of `count` randomly chosen leaders.

    Args:
        roots: float32 [n, 3].
        sides: float32 [n]; strands with different values never share a clump.
        count: number of clumps.
        rng: source of randomness.
    """
    leaders = rng.choice(len(roots), min(count, len(roots)), replace=False)
    # a fourth coordinate, 100 cm apart for the two sides, keeps clumps on one side of the parting
    apart = np.concatenate([roots, 50 * sides[:, None]], axis=1)  # [n, 4]
    clump = cKDTree(apart[leaders]).query(apart)[1]
    return Clumps(leaders[clump].astype(np.int64), clump.astype(np.int64), len(leaders))


def clump_strands(
    points: np.ndarray,
    lengths: np.ndarray,
    clumps: Clumps,
    curl: Curl,
    phase: np.ndarray,
    num_points: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Apply clumping, curl and frizz to smooth strands.

    Args:
        points: float32 [n, K, 3].
        lengths: float32 [n], cm.
        clumps: leader of each strand.
        curl: amounts, see `Curl`.
        phase: float32 [n], radians, smooth over the head; weighted by `curl.even`.
        num_points: M, points per strand of the result; curls need more than smooth strands.
        rng: source of randomness.

    Returns:
        Points float32 [n, M, 3], and the crest of the waves float32 [n, M]: 1 where a strand lies on the outer side of
        its curl or clump, -1 where it lies inside.
    """
    count = len(points)
    # [n], radians: one phase per clump, 0.35 rad of scatter between its strands
    own = rng.uniform(0, 2 * np.pi, clumps.count)[clumps.index] + 0.35 * rng.normal(size=count)
    mixed = (curl.even * phase + (1 - curl.even) * own).astype(np.float32)
    # [n], wavelengths differ by about 24% between clumps
    stretch = np.exp(0.24 * rng.normal(size=clumps.count))[clumps.index].astype(np.float32)
    # [n]: 3% of the strands are flyaways with 2.4 times the frizz
    loose = np.where(rng.random(count) < 0.03, 2.4, 1.0) * np.abs(1 + 0.4 * rng.normal(size=count))
    frizz = (rng.normal(size=(count, 3)) * (curl.frizz * loose)[:, None]).astype(np.float32)  # [n, 3], cm
    # [n]: loose strands follow their leader less
    gather = (curl.gather * np.clip(1.15 - 0.3 * loose, 0.1, 1)).astype(np.float32)
    numbers = (curl.radius, curl.wavelength, curl.flatness, curl.onset)
    clumped = np.empty((count, num_points, 3), np.float32)  # [n, M, 3]
    crest = np.empty((count, num_points), np.float32)  # [n, M]
    numbers = (np.float32(value) for value in numbers)
    _clump_strands(points, lengths, clumps.leader, gather, mixed, stretch, frizz, *numbers, clumped, crest)
    return clumped, crest


def keep_outside(points: np.ndarray, body: BodySurface, margin: float) -> None:
    """Move all points [n, K, 3] except the roots out of head, neck and shoulders, in place; `margin` in cm."""
    _keep_outside(points, body.head, body.neck, np.float32(margin))


def crosses_face(points: np.ndarray, height: float) -> np.ndarray:
    """Which strands [n, K, 3] cover the face, bool [n]; the face is an ellipse, `height` cm from middle to top."""
    return _crosses_face(points, np.float32(height))


def press_down(points: np.ndarray, body: BodySurface, front: float, back: float, height: float) -> None:
    """Flatten hair [n, K, 3] under a hat to `height` cm off the skin, in place; `front`, `back`: y of the brim."""
    _press_down(points, body.head, body.neck, np.float32(front), np.float32(back), np.float32(height))


@njit(cache=True, fastmath=True)
def _at(points, s, place):
    """Linear interpolation along strand s; place in 0..K-1."""
    low = min(int(place), points.shape[1] - 2)
    mix = place - low
    x = points[s, low, 0] * (1 - mix) + points[s, low + 1, 0] * mix
    y = points[s, low, 1] * (1 - mix) + points[s, low + 1, 1] * mix
    z = points[s, low, 2] * (1 - mix) + points[s, low + 1, 2] * mix
    return x, y, z


@njit(cache=True, fastmath=True)
def _axes(points, s, place):
    """Two unit vectors across a strand: along the skin, and away from the head."""
    last = points.shape[1] - 1
    # tangent by a central difference over 1.4 points
    ax, ay, az = _at(points, s, max(0.0, place - 0.7))
    bx, by, bz = _at(points, s, min(float(last), place + 0.7))
    x, y, z = 0.5 * (ax + bx), 0.5 * (ay + by), 0.5 * (az + bz)
    tx, ty, tz = bx - ax, by - ay, bz - az
    size = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6
    tx, ty, tz = tx / size, ty / size, tz / size
    # rough outward direction: a sphere about (0, 4, -0.5) above y = 2 cm, nearly a cylinder below
    ox, oy, oz = x, (y - 4.0 if y > 2 else 0.3 * (y - 4.0)), z + 0.5
    # tangent x outward, along the skin
    bx, by, bz = ty * oz - tz * oy, tz * ox - tx * oz, tx * oy - ty * ox
    size = np.sqrt(bx * bx + by * by + bz * bz) + 1e-6
    bx, by, bz = bx / size, by / size, bz / size
    return bx, by, bz, by * tz - bz * ty, bz * tx - bx * tz, bx * ty - by * tx


@njit(cache=True, fastmath=True)
def _clump_strands(
    points, lengths, leader, gather, phase, stretch, frizz, radius, wavelength, flatness, onset, clumped, crest
):
    last, end = points.shape[1] - 1, clumped.shape[1] - 1
    for s in range(len(points)):
        g = leader[s]
        # a strand follows its leader at equal distance from the root, not at equal share of the length
        ratio = lengths[s] / max(lengths[g], 0.1)
        turn = 2 * np.pi / (wavelength * stretch[s])  # radians per cm
        for k in range(end + 1):
            along = k / end  # 0 root, 1 tip
            place = along * last
            x, y, z = _at(points, s, place)
            gx, gy, gz = _at(points, g, min(place * ratio, last - 0.001))
            gx, gy, gz = gx - x, gy - y, gz - z
            apart = gx * gx + gy * gy + gz * gz  # squared distance to the leader, cm²
            way = along * lengths[s]  # cm from the root
            # clumping sets in over 1.3 onsets and grows towards the tip
            pull = gather[s] * min(1.0, way / (1.3 * onset)) * (1 - (1 - along) * (1 - gather[s]))
            pull *= min(1.0, 4.0 / (apart + 1e-6))  # beyond 2 cm the pull fades: a strand on the other side stays there
            bx, by, bz, cx, cy, cz = _axes(points, s, place)
            # cm, amplitude: full after the onset, 15% less at the tip
            wide = radius * min(1.0, way / onset) * (1 - 0.15 * along)
            angle = turn * way + phase[s]
            outer = np.sin(angle)  # 1 on the outer side of the wave
            a, b = np.cos(angle) * wide, outer * wide * (1 - flatness)
            stray = along * along  # frizz grows quadratically from the root
            clumped[s, k, 0] = x + gx * pull + bx * a + cx * b + frizz[s, 0] * stray
            clumped[s, k, 1] = y + gy * pull + by * a + cy * b + frizz[s, 1] * stray
            clumped[s, k, 2] = z + gz * pull + bz * a + cz * b + frizz[s, 2] * stray
            above = -(gx * cx + gy * cy + gz * cz)  # cm above the clump's axis
            # waves of less than 0.33 cm count less; depth in the clump counts less at the thin tip (1.6 per cm: by eye)
            crest[s, k] = min(1.0, max(-1.0, outer * min(1.0, 3 * wide) + 1.6 * above * (1 - 0.5 * along)))


@njit(cache=True, fastmath=True)
def _keep_outside(points, head, neck, margin):
    for s in range(points.shape[0]):
        # k = 0, the root, lies in the skin
        for k in range(1, points.shape[1]):
            x, y, z = points[s, k]
            distance, surface, ux, uy, uz = radial_distance(head, neck, x, y, z)
            out = surface + margin - distance  # cm inside the margin
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
            # the brim is a tilted line from the back (z = -8) to the front (z = 8)
            share = min(1.0, max(0.0, (z + 8.0) / 16.0))
            above = y - (back + (front - back) * share)
            # hair more than 2.5 cm below the brim hangs free; in between the limit opens by 0.9 cm per cm
            if above < -2.5:
                continue
            distance, surface, ux, uy, uz = radial_distance(head, neck, x, y, z)
            limit = surface + height + 0.9 * max(0.0, -above)
            if distance > limit:
                points[s, k, 0] -= ux * (distance - limit)
                points[s, k, 1] -= uy * (distance - limit)
                points[s, k, 2] -= uz * (distance - limit)
