"""Growing strands: from its root each is led by the comb and by gravity, over the skin, and round the face.

A `Comb` says per strand where it sets out, what bends it, how long it gets and how far from the skin it comes to lie.
The face keeps clear behind a guard: an ellipse about the face, seen from the front, that hair slides round.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from kinlib.studio.hair.scalp import Roots, Skin, reach

__all__ = ["Comb", "grow"]

GUARD_MIDDLE, GUARD_HEIGHT = 1.5, 9.7  # cm, of the ellipse round the face
GUARD_BACK = 2.5  # cm; the guard stands before this z


@dataclass
class Comb:
    """How each strand is combed; float32 arrays, lengths in cm of the generic head.

    Attributes:
        direction: [n, 3], at the root; need not be unit.
        pull: [n, 3], what bends it, per cm: gravity, and where the hair is combed to.
        length: [n].
        layer: [n], height above the skin at which it lies.
        rise: [n], way from the root over which it rises to that height.
        guard: [n], half the width of the face that it keeps clear; 0 for none.
        curtain: [n], at the height of the ears and below, hair stays behind this z.
        turn_in: [n], bending towards the neck's axis in the lower part, per cm.
        hug: bending back to the head of hair that stands off above the ears, per cm.
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
        """Brings all arrays to float32."""
        for name, value in vars(self).items():
            if name != "hug":
                setattr(self, name, np.ascontiguousarray(value, np.float32))


def grow(roots: Roots, comb: Comb, skin: Skin, num_points: int) -> np.ndarray:
    """Strands float32 [n, K, 3] from the roots, in the generic frame."""
    points = np.empty((len(roots), num_points, 3), np.float32)
    led = (comb.direction, comb.pull, comb.length, comb.layer, comb.rise, comb.guard, comb.curtain, comb.turn_in)
    _grow(roots.points, roots.normals, *led, np.float32(comb.hug), skin.head, skin.neck, points)
    return points


@njit(cache=True, fastmath=True)
def _grow(roots, normals, direction, pull, length, layer, rise, guard, curtain, turn_in, hug, head, neck, points):
    count, num_points = points.shape[0], points.shape[1]
    for s in range(count):
        x, y, z = roots[s]
        dx, dy, dz = direction[s]
        step = length[s] / (num_points - 1)
        for c in range(3):
            points[s, 0, c] = roots[s, c] - 0.03 * normals[s, c]
        for k in range(1, num_points):
            way = k * step
            ease = step * min(1.0, 0.3 + way / 3)
            dx, dy, dz = dx + pull[s, 0] * ease, dy + pull[s, 1] * ease, dz + pull[s, 2] * ease
            if turn_in[s] != 0 and y < 2:
                across = np.sqrt(x * x + z * z) + 1e-6
                dx -= turn_in[s] * step * x / across
                dz -= turn_in[s] * step * (z + 1) / across
            size = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
            dx, dy, dz = dx / size, dy / size, dz / size
            x, y, z = x + dx * step, y + dy * step, z + dz * step
            if guard[s] > 0:
                x, y, z, dx, dy, dz = _keep_clear(x, y, z, dx, dy, dz, guard[s], curtain[s], step)
            distance, surface, ux, uy, uz = reach(head, neck, x, y, z)
            wanted = surface + 0.04 + layer[s] * min(1.0, way / rise[s])
            if distance < wanted:
                out = wanted - distance
                x, y, z = x + ux * out, y + uy * out, z + uz * out
                inward = dx * ux + dy * uy + dz * uz
                if inward < 0:
                    dx, dy, dz = dx - ux * inward, dy - uy * inward, dz - uz * inward
            elif hug > 0 and y > 1:
                back = hug * step * min(1.0, distance - wanted)
                dx, dy, dz = dx - ux * back, dy - uy * back, dz - uz * back
            points[s, k, 0], points[s, k, 1], points[s, k, 2] = x, y, z


@njit(cache=True, fastmath=True)
def _keep_clear(x, y, z, dx, dy, dz, guard, curtain, step):
    """Slide a point out of the guard before the face, and back behind the curtain; also bends the direction."""
    if z > GUARD_BACK and y < 11.5:
        above = y - GUARD_MIDDLE
        half = guard if above > 0 else guard * (1 + 0.035 * above)
        ex, ey = x / half, (above / GUARD_HEIGHT if above > 0 else 0.0)
        inside = np.sqrt(ex * ex + ey * ey)
        if inside < 1:
            gx, gy = ex / half, ey / GUARD_HEIGHT
            size = np.sqrt(gx * gx + gy * gy) + 1e-6
            gx, gy = gx / size, gy / size
            out = min(0.9 * step, (1 - inside) * half)
            x, y, z = x + gx * out, y + 0.6 * gy * out, z - 0.35 * out
            dz = min(dz, 0.25)
            inward = dx * gx + dy * gy
            if inward < 0:
                dx, dy = dx - 0.7 * gx * inward, dy - 0.7 * gy * inward
    limit = curtain + 1.1 * max(0.0, y - 4.5)
    if z > limit and y < 9:
        z -= min(0.8 * step, z - limit)
    return x, y, z, dx, dy, dz
