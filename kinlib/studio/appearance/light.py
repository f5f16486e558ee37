"""Lights of photographs: studio, window, overcast sky, low sun, lamps, flash, back light.

Ranges were set by eye. Angles in degrees, azimuth from the camera to the image's right; strengths are linear.
"""

from collections.abc import Callable

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.person import Light

__all__ = ["LIGHTS", "random_light", "studio_light"]


def studio_light() -> Light:
    """A large soft key at the upper left, a fill, and a weak rim light; neutral colour, not random."""
    key, fill, rim = _towards(-32, 34), _towards(48, 8), _towards(140, 30)
    sky = _sky(0.52, 0.0, up=0.12, ahead=0.10)
    return _light((key, fill, rim), ((1.15, 0.01), (0.32, 0.0), (0.35, 0.0)), 0.52, 0.0, sky, 3.2)


def random_light(rng: np.random.Generator, kind: str | None = None) -> Light:
    """A random light.

    Args:
        rng: source of randomness.
        kind: one of `LIGHTS`; any by default.

    Raises:
        KinlibError: if there is no such kind.
    """
    if kind is not None and kind not in LIGHTS:
        raise KinlibError(f"unknown light '{kind}': choose one of {', '.join(LIGHTS)}")
    return _MAKERS[kind or LIGHTS[rng.integers(len(LIGHTS))]](rng, float(rng.choice([-1.0, 1.0])))


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector float32 [3] towards a lamp."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], np.float32)


def _tinted(strength: float, warmth: float) -> np.ndarray:
    """Linear RGB float32 [3] of a light; `warmth` > 0 shifts it from blue to red."""
    return (strength * np.array([1 + warmth, 1.0, 1 - warmth])).astype(np.float32)


def _sky(ambient: float, warmth: float, up: float, ahead: float, right: float = 0.0) -> np.ndarray:
    """Gradient [rgb, xyz]: how much brighter than `ambient`, as shares of it, it is to the right, above and ahead."""
    return np.outer(_tinted(ambient, warmth), [right, up, ahead]).astype(np.float32)


def _light(directions, lamps, ambient: float, warmth: float, sky: np.ndarray, softness: float) -> Light:
    """Three lamps (strength and warmth each) and the ambient sky."""
    colours = np.stack([_tinted(*lamp) for lamp in lamps])
    return Light(np.stack(directions), colours, _tinted(ambient, warmth), sky, float(softness))


def _studio(rng: np.random.Generator, side: float) -> Light:
    """Key, fill and rim as in a portrait studio; `side` (here and below) is -1 or 1, the side of the key."""
    key = _towards(side * rng.uniform(15, 50), rng.uniform(22, 45))
    fill, rim = _towards(-side * rng.uniform(35, 60), rng.uniform(0, 15)), _towards(-side * 140, rng.uniform(15, 40))
    ambient = rng.uniform(0.42, 0.58)
    lamps = ((rng.uniform(1.0, 1.5), rng.normal() * 0.02), (rng.uniform(0.2, 0.42), 0.0), (rng.uniform(0, 0.8), 0.0))
    return _light((key, fill, rim), lamps, ambient, 0.0, _sky(ambient, 0.0, 0.12, 0.1), rng.uniform(2.5, 4))


def _window(rng: np.random.Generator, side: float) -> Light:
    """Daylight from one side, warmer interior light from the other."""
    key, fill = _towards(side * rng.uniform(35, 75), rng.uniform(8, 35)), _towards(-side * rng.uniform(40, 70), 5)
    warmth, ambient = rng.uniform(-0.06, 0.02), rng.uniform(0.36, 0.5)
    lamps = ((rng.uniform(1.1, 1.7), warmth), (rng.uniform(0.15, 0.35), 0.06), (rng.uniform(0, 0.3), 0.0))
    sky = _sky(ambient, warmth, 0.10, 0.08, side * rng.uniform(0.1, 0.25))
    return _light(
        (key, fill, _towards(-side * 150, 20)), lamps, ambient, rng.uniform(0, 0.06), sky, rng.uniform(2.8, 4)
    )


def _overcast(rng: np.random.Generator, side: float) -> Light:
    """Light from the whole sky; hardly a shadow."""
    key, ambient = _towards(side * rng.uniform(0, 50), rng.uniform(45, 65)), rng.uniform(0.58, 0.7)
    warmth = rng.uniform(-0.06, 0.0)
    lamps = ((rng.uniform(0.9, 1.15), warmth), (rng.uniform(0.15, 0.3), 0.0), (rng.uniform(0, 0.4), warmth))
    sky = _sky(ambient, warmth, rng.uniform(0.15, 0.3), 0.12)
    return _light((key, _towards(-side * 30, -5), _towards(-side * 150, 45)), lamps, ambient, warmth, sky, 4.0)


def _low_sun(rng: np.random.Generator, side: float) -> Light:
    """Low sun: warm and directional, bluish shadows."""
    key = _towards(side * rng.uniform(25, 65), rng.uniform(15, 38))
    warmth, ambient = rng.uniform(0.06, 0.16), rng.uniform(0.42, 0.55)
    lamps = ((rng.uniform(1.4, 1.9), warmth), (rng.uniform(0.15, 0.3), 0.02), (rng.uniform(0, 0.5), warmth))
    sky = _sky(ambient, -0.06, 0.15, 0.08)
    directions = (key, _towards(-side * 50, 0), _towards(-side * 145, 30))
    return _light(directions, lamps, ambient, rng.uniform(-0.07, -0.02), sky, rng.uniform(1.3, 2.2))


def _lamps(rng: np.random.Generator, side: float) -> Light:
    """Warm indoor lamps from above."""
    warmth, ambient = rng.uniform(0.06, 0.15), rng.uniform(0.42, 0.58)
    key, fill = _towards(side * rng.uniform(5, 50), rng.uniform(32, 52)), _towards(-side * rng.uniform(30, 70), 20)
    lamps = ((rng.uniform(0.95, 1.3), warmth), (rng.uniform(0.3, 0.5), warmth), (rng.uniform(0, 0.5), warmth))
    sky = _sky(ambient, warmth, rng.uniform(0.05, 0.15), 0.08)
    return _light((key, fill, _towards(side * 140, 35)), lamps, ambient, warmth * 0.8, sky, rng.uniform(2.0, 3.2))


def _flash(rng: np.random.Generator, side: float) -> Light:
    """A flash beside the lens."""
    key, ambient = _towards(side * rng.uniform(2, 12), rng.uniform(6, 18)), rng.uniform(0.35, 0.48)
    lamps = ((rng.uniform(1.2, 1.6), rng.normal() * 0.02), (0.1, 0.05), (rng.uniform(0, 0.3), 0.08))
    sky = _sky(ambient, 0.04, 0.08, 0.06)
    return _light(
        (key, _towards(-side * 60, 30), _towards(side * 140, 40)), lamps, ambient, 0.04, sky, rng.uniform(1.2, 2)
    )


def _back(rng: np.random.Generator, side: float) -> Light:
    """Sun from behind; the face in open shade."""
    key, ambient = _towards(-side * rng.uniform(10, 40), rng.uniform(25, 45)), rng.uniform(0.52, 0.68)
    warmth = rng.uniform(-0.03, 0.03)
    lamps = (
        (rng.uniform(0.9, 1.1), warmth),
        (rng.uniform(0.15, 0.3), 0.0),
        (rng.uniform(0.9, 1.6), rng.uniform(0.03, 0.12)),
    )
    sky = _sky(ambient, warmth, 0.12, 0.1)
    directions = (key, _towards(side * 40, 0), _towards(side * rng.uniform(125, 160), rng.uniform(20, 40)))
    return _light(directions, lamps, ambient, warmth, sky, 4.0)


_MAKERS: dict[str, Callable[[np.random.Generator, float], Light]] = {
    "studio": _studio,
    "window": _window,
    "overcast": _overcast,
    "sun": _low_sun,
    "lamps": _lamps,
    "flash": _flash,
    "back": _back,
}
LIGHTS = tuple(_MAKERS)
