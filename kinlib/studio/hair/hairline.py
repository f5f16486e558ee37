"""The hairline: density of hair roots over the generic head, and how it recedes.

The hairline is a closed curve through points of the generic head. Skin points and curve are compared on a spherical map
(longitude and latitude seen from between the ears, in cm), where the curve is a graph over longitude. All constants
were set by eye on the generic head.
"""

import numpy as np

from kinlib.runtime.compiled import njit
from kinlib.studio.person import Look, Person

__all__ = ["hairline", "head_noise"]

MIDDLE = 4.0  # cm, y of the map's centre, between the ears
MAP_RADIUS = 8.5  # cm per radian of the map

# From the middle of the forehead over temple, sideburn and ear to the nape: |x|, y, z in cm.
CURVE = np.array(
    [
        # forehead to temple
        *((0.0, 11.3, 8.5), (1.8, 11.2, 8.3), (3.3, 10.75, 7.9), (4.5, 9.9, 7.3), (5.4, 8.7, 6.8), (6.1, 7.4, 6.1)),
        # temple, sideburn, before the ear
        *((6.8, 6.0, 5.1), (7.1, 4.8, 4.6), (7.3, 3.2, 4.2), (7.3, 1.6, 3.7), (7.3, 0.9, 3.1), (7.4, 2.2, 2.6)),
        # around the ear
        *((7.6, 4.4, 2.2), (7.8, 5.4, 1.2), (7.9, 5.6, 0.2), (7.8, 5.0, -1.0), (7.6, 3.2, -2.0), (7.2, 0.5, -2.9)),
        *((6.4, -2.6, -3.6), (5.2, -4.6, -4.4), (3.0, -5.3, -5.4), (0.0, -5.0, -6.0)),  # nape
    ],
    np.float32,
)
SOFT_FRONT, SOFT_EAR = 0.62, 0.3  # cm, half the width over which hair thins out; wider towards the nape
CORNER = slice(2, 5)  # the points of the curve that recede first
SIDEBURN = slice(8, 12)


def hairline(positions: np.ndarray, person: Person, look: Look) -> np.ndarray:
    """Density of hair roots, float32 [...] in 0 (none) to 1; independent of the style, except for "receding".

    Args:
        positions: float [..., 3], points of the generic, neutral head in cm (not of the subject's).
        person: sex and seed vary the line.
        look: age, recede, and whether the style leaves the top bare.
    """
    flat = np.ascontiguousarray(positions, np.float32).reshape(-1, 3)  # [P, 3]
    longitude, latitude = _on_map(_curve(person, look))
    # 8 phases; the kernel uses four
    phases = np.random.default_rng([person.seed, 22]).uniform(0, 2 * np.pi, 8).astype(np.float32)
    crown, top = _bald_places(look)
    return _density(flat, longitude, latitude, phases, crown, top).reshape(positions.shape[:-1])


def head_noise(positions: np.ndarray, seed: int, wavelength: float) -> np.ndarray:
    """Smooth noise float32 [..., 3] in about -1..1 over the head, the same for the same seed; wavelength in cm."""
    rng = np.random.default_rng(seed)
    # five plane waves; 1.7 is about the root mean square length of a standard normal vector in 3D (1.73)
    waves = rng.normal(size=(5, 3)).astype(np.float32) * (2 * np.pi / wavelength / 1.7)
    phases = rng.uniform(0, 2 * np.pi, size=(3, 5)).astype(np.float32)
    angles = positions.astype(np.float32) @ waves.T  # [..., 5]
    # a sum of five sines has a standard deviation of 1.6; tanh bounds it
    return np.tanh(np.stack([np.sin(angles + phase).sum(axis=-1) for phase in phases], axis=-1) / 2)


def _curve(person: Person, look: Look) -> np.ndarray:
    """The curve of one subject, float32 [22, 3]: height, widow's peak, temples, sideburns."""
    rng = np.random.default_rng([person.seed, 23])
    curve = CURVE.copy()
    # cm per standard deviation below: three traits of the line that are not inherited
    height, peak, burn = rng.normal(size=3).clip(-2, 2)
    young = np.clip((16 - look.age) / 10, 0, 1)
    # height of the forehead: 0.22 cm per sd; 0.3 cm higher in men, 0.2 cm lower in small children
    curve[:6, 1] += 0.22 * height + 0.3 * person.male - 0.2 * young
    curve[0] += np.array([0, -0.12, 0.1], np.float32) * max(0, peak)  # widow's peak
    # cm per unit of `recede` at the three points of each temple; grown men start 0.35 further back
    corner = look.recede * np.array([1.1, 1.7, 1.0]) + 0.35 * (person.male and look.age > 16)
    # back, up and inwards at about equal rates
    curve[CORNER] += corner[:, None] * np.array([-0.55, 0.75, -0.75])
    # the middle of the forehead follows at less than half of that
    curve[:2] += look.recede * np.array([0.0, 0.5, -0.55])
    if not person.male or look.age < 14:
        # women and boys: sideburns end at the height of the ear canal
        curve[SIDEBURN, 1] += np.array([0.6, 1.5, 1.9, 1.0])
    else:
        curve[SIDEBURN, 1] -= 0.4 + 0.4 * burn
    return curve.astype(np.float32)


def _bald_places(look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Two ellipsoids without hair, float32 [7] each: centre, radii, strength. The crown; the whole top."""
    # the crown thins once the temples have receded by 0.9
    thin = np.clip(look.recede - 0.9, 0, 1.1)
    crown = np.array([0, 14, -3.5, 3.0 * thin + 0.1, 3.0, 3.0 * thin + 0.1, min(1, 1.2 * thin)], np.float32)
    bare = look.hair_style == "receding"
    # the horseshoe of the style "receding": 6.6 x 5.6 x 9.4 cm about the top of the head
    top = np.array([0, 13.5, 2.0, 6.6 + 0.2 * look.recede, 5.6, 9.4, 1.0 if bare else 0.0], np.float32)
    return crown, top


def _on_map(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude in cm of points [n, 3], [n] each; left and right are one."""
    x, y, z = points.T
    return MAP_RADIUS * np.arctan2(np.abs(x), z), MAP_RADIUS * np.arctan2(y - MIDDLE, np.hypot(x, z))


@njit(cache=True, fastmath=True)
def _bare(x, y, z, place):
    """Strength inside an ellipsoid, 0 outside; a smoothstep between 0.8 and 1.18 radii."""
    if place[6] <= 0:
        return 0.0
    distance = np.sqrt(
        ((x - place[0]) / place[3]) ** 2 + ((y - place[1]) / place[4]) ** 2 + ((z - place[2]) / place[5]) ** 2
    )
    share = min(1.0, max(0.0, (1.18 - distance) / 0.38))
    return place[6] * share * share * (3 - 2 * share)


@njit(cache=True, fastmath=True)
def _density(points, longitude, latitude, phases, crown, top):
    result = np.zeros(len(points), np.float32)
    for i in range(len(points)):
        x, y, z = points[i]
        # the crown lies far inside the line, face and neck far outside: no distance needed
        if y > 14.0 and top[6] <= 0 and crown[6] <= 0:
            result[i] = 1.0
            continue
        if y < -7.0 or (y < 9.5 and z > 7.5):
            continue
        u = MAP_RADIUS * np.arctan2(abs(x), z)
        v = MAP_RADIUS * np.arctan2(y - MIDDLE, np.sqrt(x * x + z * z))
        distance = _signed_distance(u, v, longitude, latitude)
        # an uneven border: four waves of 0.8 to 2.5 cm length, 0.09 cm each
        ripple = np.sin(2.1 * x + 1.3 * y + phases[0]) + np.sin(3.7 * x - 2.9 * y + phases[1])
        ripple += np.sin(5.9 * y + 4.1 * z + phases[2]) + np.sin(7.3 * x + 2.2 * z + phases[3])
        # half width of the fade: forehead, then widening by 0.4 cm to the nape; sharp around the ear
        soft = SOFT_FRONT if z > 2.5 else SOFT_FRONT + 0.4 * min(1.0, (2.5 - z) / 6)
        if y > 0.5 and -3 < z <= 2.5:
            soft = SOFT_EAR
        # 0.42: density at the line itself, before the smoothstep
        share = min(1.0, max(0.0, (distance + 0.09 * ripple) / (2 * soft) + 0.42))
        density = share * share * (3 - 2 * share)
        result[i] = density * (1 - _bare(x, y, z, crown)) * (1 - _bare(x, y, z, top))
    return result


@njit(cache=True, fastmath=True)
def _signed_distance(u, v, longitude, latitude):
    """Distance in cm from (u, v) to the polyline on the map, positive above it."""
    nearest = 1e9
    border = latitude[len(latitude) - 1]  # latitude of the curve at longitude u
    for k in range(len(longitude) - 1):
        u0, v0, u1, v1 = longitude[k], latitude[k], longitude[k + 1], latitude[k + 1]
        du, dv = u1 - u0, v1 - v0
        along = ((u - u0) * du + (v - v0) * dv) / (du * du + dv * dv + 1e-9)
        along = min(1.0, max(0.0, along))  # nearest point of the segment
        gap = (u - u0 - along * du) ** 2 + (v - v0 - along * dv) ** 2
        nearest = min(nearest, gap)
        if u0 <= u < u1:
            border = v0 + dv * (u - u0) / du
    distance = np.sqrt(nearest)
    return distance if v > border else -distance
