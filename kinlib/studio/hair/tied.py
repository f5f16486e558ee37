"""Gathered hair: strands drawn over the head to a knot, and the tail, bun, puff or braid beyond it.

Positions are cm in the generic head's frame; numbers without a source were set by eye.
"""

from dataclasses import dataclass

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.hair.scalp import CENTRE, CENTRE_Y, CENTRE_Z, BodySurface, radial_distance
from kinlib.studio.hair.style_context import StyleContext
from kinlib.studio.vectors import unit

__all__ = ["Bundle", "draw_to_knots", "gathered", "knots"]

# Knots: on the crown, high on the back of the head, in the middle of it, at the nape; (x, y, z) in cm.
TOP_BUN, HIGH, MIDDLE, LOW = (0.0, 15.0, -4.0), (0.0, 13.4, -6.6), (0.0, 8.5, -9.0), (0.0, 0.2, -8.2)
BRAID_KNOT = (5.7, 0.6, -6.0)  # behind each ear
BRAID_WAVE = 3.0  # cm along a braid for one full turn of its three strands


@dataclass(frozen=True)
class Bundle:
    """Hair beyond the knot.

    Attributes:
        points: float32 [m, K, 3].
        crest: float32 [m, K], -1..1, 1 on the outside of a clump.
        lengths: float32 [m], cm.
        curls: whether the subject's natural curl is applied afterwards.
    """

    points: np.ndarray
    crest: np.ndarray
    lengths: np.ndarray
    curls: bool


def knots(context: StyleContext) -> np.ndarray:
    """Positions of the knots, float32 [1 or 2, 3]; of two, the one at the image's left first."""
    style, seed = context.look.hair_style, context.person.seed + context.look.seed
    if style == "braids":
        x, y, z = BRAID_KNOT
        return np.array([(-x, y, z), (x, y, z)], np.float32)
    # the position follows from the seeds; a hat forces a low knot
    choices = (TOP_BUN, MIDDLE, TOP_BUN, LOW) if style == "bun" else (HIGH, LOW, MIDDLE, HIGH)
    place = LOW if context.look.hat else choices[seed % 4]
    return np.array([place], np.float32)


def draw_to_knots(
    context: StyleContext, places: np.ndarray, body: BodySurface, num_points: int
) -> tuple[np.ndarray, np.ndarray]:
    """Strands from the roots over the skin to the knots.

    Args:
        context: of the subject.
        places: float32 [1 or 2, 3], from `knots`.
        body: skin distances.
        num_points: K.

    Returns:
        Points float32 [n, K, 3] and lengths float32 [n], cm.
    """
    sides = np.where(context.sides > 0, len(places) - 1, 0)
    goals = places[sides] + 0.28 * context.random  # [n, 3]; a knot is about half a centimetre thick
    # [n]: height above the skin grows with curl and towards the top, and varies by strand
    loose = (
        (0.5 + 0.9 * context.curl) * (0.35 + 0.65 * context.top) * (0.7 + 0.25 * context.random[:, 0]).clip(0.2, 1.2)
    )
    thick = 0.12 + 0.75 * context.look.volume * loose  # cm above the skin at the highest point
    points = np.empty((len(goals), num_points, 3), np.float32)  # [n, K, 3]
    bend = (0.25 * context.smooth[:, 0]).astype(np.float32)  # [n]: sag, varies over the head
    _draw(context.roots.points, goals.astype(np.float32), thick.astype(np.float32), bend, body.head, body.neck, points)
    return points, np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1).astype(np.float32)


def gathered(context: StyleContext, places: np.ndarray, count: int, num_points: int) -> Bundle:
    """The hair beyond the knots.

    Args:
        context: of the subject; style and curl choose braid, puff, bun or tail.
        places: float32 [1 or 2, 3], from `knots`.
        count: number of strands m; shared by two braids.
        num_points: K.
    """
    style = context.look.hair_style
    if style == "braids":
        halves = [_braid(context, place, count // 2, num_points) for place in places]
        points, crest = (np.concatenate(arrays) for arrays in zip(*halves, strict=True))
    # coily tails stand off as a puff
    elif context.curl > 0.8 or style == "bun":
        points = (_puff if context.curl > 0.8 else _bun)(context, places[0], count, num_points)
        crest = np.zeros(points.shape[:2], np.float32)
    else:
        points = _tail(context, places[0], count, num_points)
        crest = np.zeros(points.shape[:2], np.float32)
    lengths = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1).astype(np.float32)
    return Bundle(
        points.astype(np.float32), crest.astype(np.float32), lengths, style == "ponytail" or context.curl > 0.8
    )


@njit(cache=True, fastmath=True)
def _draw(roots, goals, thick, bend, head, neck, points):
    """Great circles from roots to goals about the head's centre, raised to follow the skin."""
    count, num_points = points.shape[0], points.shape[1]
    for s in range(count):
        ax, ay, az = roots[s, 0], roots[s, 1] - CENTRE_Y, roots[s, 2] - CENTRE_Z
        bx, by, bz = goals[s, 0], goals[s, 1] - CENTRE_Y, goals[s, 2] - CENTRE_Z
        from_far, to_far = np.sqrt(ax * ax + ay * ay + az * az), np.sqrt(bx * bx + by * by + bz * bz)
        # spherical linear interpolation of the direction
        cosine = (ax * bx + ay * by + az * bz) / (from_far * to_far)
        angle = np.arccos(min(1.0, max(-1.0, cosine))) + 1e-4
        for k in range(num_points):
            t = k / (num_points - 1)
            # slerp weights
            u, v = np.sin((1 - t) * angle) / np.sin(angle) / from_far, np.sin(t * angle) / np.sin(angle) / to_far
            x, y, z = ax * u + bx * v, ay * u + by * v, az * u + bz * v
            y -= 0.08 * np.sin(np.pi * t) * (1 + bend[s])  # sag under gravity
            y = _above_ear(x, y, z)
            size = np.sqrt(x * x + y * y + z * z)
            x, y, z = x / size, y / size, z / size
            # skin along that direction; sampled 9 cm from the centre and above NECK_TOP, so always in the head's map
            low = max(y * 9 + CENTRE_Y, -3.4)
            _, surface, _, _, _ = radial_distance(head, neck, x * 9, low, z * 9 + CENTRE_Z)
            # full height after a fifth of the way, half of it at the knot
            raised = thick[s] * min(1.0, 5 * t) * (1 - 0.5 * t)
            far = surface - 0.03 + (0.07 + raised) * min(1.0, 8 * t)  # 0.3 mm below the skin at the root
            # exact root in the first sixth, exact knot in the last quarter
            early = max(0.0, 1 - 6 * t)
            far += (from_far - 0.03 - far) * early
            late = max(0.0, (t - 0.75) / 0.25)
            far += (max(to_far, surface + 0.1) - far) * late * late
            points[s, k, 0], points[s, k, 1], points[s, k, 2] = x * far, y * far + CENTRE_Y, z * far + CENTRE_Z


@njit(cache=True, fastmath=True)
def _above_ear(x, y, z):
    """y of a unit direction (x, y, z), raised where it would lead through an ear."""
    if abs(x) < 0.5:  # within 30 degrees of the midplane there is no ear
        return y
    need = 0.20 - 1.1 * max(0.0, abs(z - 0.06) - 0.26)  # y of the ear's upper border, about 8 cm from the centre
    if y < -0.75 or y >= need:
        return y
    return y + (need - y) * min(1.0, 8 * (abs(x) - 0.5))


def _tail(context: StyleContext, knot: np.ndarray, count: int, num_points: int) -> np.ndarray:
    """Strands [m, K, 3] of a tail: from a high knot behind the neck, from a low one over a shoulder."""
    side = 1.0 if (context.person.seed // 3) % 2 else -1.0
    out = unit(knot - CENTRE)
    if knot[1] < 3:
        # control points of the tail's axis, cm
        stops = [knot, (side * 3.5, -3, -7.6), (side * 7.2, -7.5, -3), (side * 7.6, -11, 2.5), (side * 6.6, -17, 5.5)]
    else:
        start = knot + 2.4 * out + np.array([0.8 * side, 0.9, 0])
        sway = side * 6.8
        stops = [knot, start, (0.55 * sway, start[1] - 5, start[2] - 1.5), (sway, -3, -8.5), (sway * 1.1, -15, -7.5)]
    wide = 0.85 + 0.35 * context.look.volume + 0.5 * context.curl
    # radius along the tail: 0.6 cm at the knot, 1.6 cm in the middle, 0.7 cm at the tip
    radii = np.interp(np.linspace(0, 1, num_points), [0, 0.06, 0.35, 0.75, 1], [0.6, 0.7, 1.6, 1.6, 0.7]) * wide
    # share of the axis that each strand follows: uneven tips
    length = np.clip(0.78 * context.look.hair_length * context.rng.uniform(0.72, 1.05, count), 0.35, 1)
    return _along(np.array(stops, float), radii, length, count, num_points, context.rng)


def _along(stops: np.ndarray, radii: np.ndarray, length: np.ndarray, count: int, num_points: int, rng) -> np.ndarray:
    """Strands [m, K, 3] along a smooth curve through the stops [s, 3], uniform over its cross-section (`radii` [K])."""
    t = np.linspace(0, 1, num_points)[None, :] * length[:, None]  # [m, K]
    middle, across, up = _curve(stops, t)
    # the root makes the density uniform over the disc
    far, angle = np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    wide = radii[None] * far[:, None]  # [m, K]
    return (
        middle + across * (wide * np.cos(angle)[:, None])[..., None] + up * (wide * np.sin(angle)[:, None])[..., None]
    )


def _curve(stops: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of a Catmull-Rom spline at t [...] in 0..1, and two unit vectors across it; each [..., 3]."""
    # end points are repeated by reflection
    padded = np.concatenate([[2 * stops[0] - stops[1]], stops, [2 * stops[-1] - stops[-2]]])
    place = np.clip(t, 0, 0.9999) * (len(stops) - 1)
    low = place.astype(int)
    f = (place - low)[..., None]  # [..., 1]
    a, b, c, d = (padded[low + i] for i in range(4))
    points = b + 0.5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))
    slope = 0.5 * (c - a + 2 * f * (2 * a - 5 * b + 4 * c - d) + 3 * f * f * (3 * (b - c) + d - a))  # derivative
    tangent = unit(slope)
    # any vector that no tail is parallel to
    across = unit(np.cross(tangent, np.array([0.15, 0.1, 1.0])))
    return points, across, np.cross(across, tangent)


def _bun(context: StyleContext, knot: np.ndarray, count: int, num_points: int) -> np.ndarray:
    """Strands [m, K, 3] wound in a ball about the axis that leaves the head at the knot."""
    rng, out = context.rng, unit(knot - CENTRE).astype(np.float64)
    size = 1.9 + 0.45 * context.look.volume + 0.35 * context.look.hair_length  # cm, radius of the ball
    across = unit(np.cross(out, [0.3, 0.2, 1.0]))
    up = np.cross(out, across)
    height = rng.uniform(-0.85, 1.0, count)  # [m], along the axis, in radii; the side at the head stays open
    wide = np.sqrt(1 - height**2) * rng.uniform(0.75, 1.0, count)  # [m], distance from the axis, in radii
    # radians: each strand covers 70 to 180 degrees
    begin, arc = rng.uniform(0, 2 * np.pi, count), rng.uniform(1.2, 3.2, count)
    t = np.linspace(0, 1, num_points)
    angle = begin[:, None] + arc[:, None] * t
    tilt = 0.35 * np.sin(angle + rng.normal(size=count)[:, None] * 0.4)  # [m, K], windings are inclined
    loose = 1 + 0.05 * rng.normal(size=count)[:, None]  # [m, 1]
    middle = knot + 0.75 * size * out
    flat = across * np.cos(angle)[..., None] + up * np.sin(angle)[..., None]  # [m, K, 3]
    return middle + size * loose[..., None] * (
        flat * wide[:, None, None] + 0.8 * out * (height[:, None] + tilt)[..., None]
    )


def _puff(context: StyleContext, knot: np.ndarray, count: int, num_points: int) -> np.ndarray:
    """Strands [m, K, 3] of a ball of coils that stands off the knot."""
    rng, out = context.rng, unit(knot - CENTRE)
    rays = unit(rng.normal(size=(count, 3)) + 0.75 * out)  # [m, 3], all directions, mostly away from the head
    far = (3.0 + 1.1 * context.look.hair_length) * rng.uniform(0.75, 1.03, count)  # [m], cm
    t = np.linspace(0, 1, num_points)[None, :, None]
    return knot + 1.3 * out * t + rays[:, None] * far[:, None, None] * t


def _braid(context: StyleContext, knot: np.ndarray, count: int, num_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points [m, K, 3] and crest [m, K] of a braid of three strands over the shoulder."""
    rng, side = context.rng, np.sign(knot[0])
    stops = np.array(
        [knot, (side * 7.4, -4.6, -4.2), (side * 7.6, -9.2, 0.8), (side * 6.6, -13.6, 4.8), (side * 6.0, -18.0, 5.8)]
    )
    # cm, about the length of the axis
    full = 20.0
    begin = rng.uniform(0, 0.82, count)  # short pieces of 18% each, so that few points follow every turn
    t = begin[:, None] + np.linspace(0, 0.18, num_points)[None]
    middle, across, up = _curve(stops, t)
    # phase of the plait; the three strands are a third of a turn apart
    angle = 2 * np.pi * (t * full / BRAID_WAVE) + rng.integers(0, 3, count)[:, None] * 2 * np.pi / 3
    size = (0.68 + 0.16 * context.look.volume) * (1 - 0.35 * t)  # cm, tapers by 35%
    far, turned = np.sqrt(rng.random(count))[:, None] * 0.7, rng.uniform(0, 2 * np.pi, count)[:, None]
    # a figure of eight (Lissajous curve 1:2), the cross-section of a plait, with a disc of hair around it
    beside = 0.9 * np.sin(angle) + far * np.cos(turned)
    before = 0.5 * np.sin(2 * angle) + far * np.sin(turned)
    points = middle + across * (size * beside)[..., None] + up * (size * before)[..., None]
    return points, np.clip(0.7 * np.sin(2 * angle) + far * np.sin(turned), -1, 1)
