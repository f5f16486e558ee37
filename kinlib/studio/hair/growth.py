"""Strand growth: explicit integration of every strand from its root under combing, gravity and collision.

A `Comb` gives per strand the start direction, the bending per cm, the length and the height above the skin. Each step
bends the direction, moves on, and resolves collisions with the skin and with the face guard: an ellipse around the
face, seen from the front, that hair slides around.
"""

from dataclasses import dataclass

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.hair.scalp import BodySurface, Roots, radial_distance

__all__ = ["Comb", "grow"]

GUARD_MIDDLE, GUARD_HEIGHT = 1.5, 9.7  # cm: y of the ellipse's centre (tip of the nose), upper half axis (hairline)
GUARD_BACK = 2.5  # cm; the guard acts in front of this z (just before the ears)


@dataclass
class Comb:
    """Growth parameters of n strands; float32 arrays, lengths in cm of the generic head.

    Attributes:
        direction: [n, 3], at the root; need not be unit.
        pull: [n, 3], bending of the direction per cm: gravity, and where the hair is combed to.
        length: [n].
        layer: [n], height above the skin at which the strand settles.
        rise: [n], length from the root over which it rises to that height.
        guard: [n], half width of the face guard; 0 for none.
        curtain: [n], largest z of the strand from the ears down.
        turn_in: [n], bending towards the neck's axis below y = 2 cm, per cm.
        hug: bending of raised hair back to the head above y = 1 cm, per cm.
    """

    direction: np.ndarray
    pull: np.ndarray
    length: np.ndarray
    layer: np.ndarray
    rise: np.ndarray
    guard: np.ndarray
    curtain: np.ndarray
    turn_in: np.ndarray
    hug: float = 0.0

    def __post_init__(self) -> None:
        """Convert all arrays to contiguous float32, as the compiled kernel needs."""
        for name, value in vars(self).items():
            if name != "hug":
                setattr(self, name, np.ascontiguousarray(value, np.float32))


def grow(roots: Roots, comb: Comb, body: BodySurface, num_points: int) -> np.ndarray:
    """Integrate all strands.

    Args:
        roots: n roots.
        comb: growth parameters, [n] each.
        body: skin distances for the collisions.
        num_points: K, points per strand.

    Returns:
        float32 [n, K, 3], cm, in the generic frame; point 0 lies 0.3 mm below the skin.
    """
    points = np.empty((len(roots), num_points, 3), np.float32)
    arrays = (comb.direction, comb.pull, comb.length, comb.layer, comb.rise, comb.guard, comb.curtain, comb.turn_in)
    _grow(roots.points, roots.normals, *arrays, np.float32(comb.hug), body.head, body.neck, points)
    return points


@njit(cache=True, fastmath=True)
def _grow(roots, normals, direction, pull, length, layer, rise, guard, curtain, turn_in, hug, head, neck, points):
    count, num_points = points.shape[0], points.shape[1]
    for s in range(count):
        x, y, z = roots[s]
        dx, dy, dz = direction[s]
        step = length[s] / (num_points - 1)  # cm between two points
        for c in range(3):
            # 0.3 mm below the skin, so that no gap shows
            points[s, 0, c] = roots[s, c] - 0.03 * normals[s, c]
        for k in range(1, num_points):
            way = k * step  # cm from the root
            # hair is stiff at the root: bending grows from 30% to the whole within 2.1 cm
            ease = step * min(1.0, 0.3 + way / 3)
            dx, dy, dz = dx + pull[s, 0] * ease, dy + pull[s, 1] * ease, dz + pull[s, 2] * ease
            if turn_in[s] != 0 and y < 2:
                across = np.sqrt(x * x + z * z) + 1e-6  # distance from the neck's axis; 1 cm behind x = z = 0
                dx -= turn_in[s] * step * x / across
                dz -= turn_in[s] * step * (z + 1) / across
            # unit direction, then one explicit Euler step
            size = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
            dx, dy, dz = dx / size, dy / size, dz / size
            x, y, z = x + dx * step, y + dy * step, z + dz * step
            if guard[s] > 0:
                x, y, z, dx, dy, dz = _keep_clear(x, y, z, dx, dy, dz, guard[s], curtain[s], step)
            distance, surface, ux, uy, uz = radial_distance(head, neck, x, y, z)
            # least distance from the centre: 0.4 mm of clearance plus the layer, reached linearly over `rise`
            wanted = surface + 0.04 + layer[s] * min(1.0, way / rise[s])
            if distance < wanted:
                out = wanted - distance
                x, y, z = x + ux * out, y + uy * out, z + uz * out
                # remove the inward part of the direction: the strand slides along the skin
                inward = dx * ux + dy * uy + dz * uz
                if inward < 0:
                    dx, dy, dz = dx - ux * inward, dy - uy * inward, dz - uz * inward
            elif hug > 0 and y > 1:
                # proportional to the gap up to 1 cm, constant beyond
                back = hug * step * min(1.0, distance - wanted)
                dx, dy, dz = dx - ux * back, dy - uy * back, dz - uz * back
            points[s, k, 0], points[s, k, 1], points[s, k, 2] = x, y, z


@njit(cache=True, fastmath=True)
def _keep_clear(x, y, z, dx, dy, dz, guard, curtain, step):
    """Push a point out of the face guard and behind the curtain; returns point and bent direction."""
    # above y = 11.5 cm (the hairline) hair may lie over the forehead
    if z > GUARD_BACK and y < 11.5:
        above = y - GUARD_MIDDLE
        # below the middle the face tapers to the chin: 3.5% of the width per cm
        half = guard if above > 0 else guard * (1 + 0.035 * above)
        ex, ey = x / half, (above / GUARD_HEIGHT if above > 0 else 0.0)
        inside = np.sqrt(ex * ex + ey * ey)  # < 1 inside the ellipse
        if inside < 1:
            # gradient of the ellipse: the way out
            gx, gy = ex / half, ey / GUARD_HEIGHT
            size = np.sqrt(gx * gx + gy * gy) + 1e-6
            gx, gy = gx / size, gy / size
            # at most 90% of a step, so that strands bend around the face rather than jump
            out = min(0.9 * step, (1 - inside) * half)
            x, y, z = x + gx * out, y + 0.6 * gy * out, z - 0.35 * out
            # no further forwards; and 70% of the inward part of the direction goes
            dz = min(dz, 0.25)
            inward = dx * gx + dy * gy
            if inward < 0:
                dx, dy = dx - 0.7 * gx * inward, dy - 0.7 * gy * inward
    # the curtain opens upwards by 1.1 cm per cm above the ears (y = 4.5 cm) and ends at y = 9 cm
    limit = curtain + 1.1 * max(0.0, y - 4.5)
    if z > limit and y < 9:
        z -= min(0.8 * step, z - limit)
    return x, y, z, dx, dy, dz
