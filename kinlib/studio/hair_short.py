"""Short styles: cut all over, longer on top, combed to a side or forward, rounded; and hair on the sides only."""

import numpy as np

from kinlib.studio.hair_chair import Chair
from kinlib.studio.hair_grow import Comb

__all__ = ["comb_afro", "comb_buzz", "comb_crop", "comb_receding", "comb_short", "comb_side", "trim_round"]

COILY = 0.75  # tighter curls are trimmed to a shape instead of combed
WHORL = np.array([-0.8, 13.2, -4.2], np.float32)  # hair radiates from here


def comb_buzz(chair: Chair) -> Comb:
    """A few millimetres everywhere, the sides shorter."""
    length = (0.45 + 0.25 * chair.top) * chair.look.hair_length
    return _stand(chair, _from_whorl(chair), lift=0.7 + 0.2 * chair.random[:, 0] ** 2, length=length, gravity=0.0)


def comb_short(chair: Chair) -> Comb:
    """Up and to a side on top, untidy; short sides."""
    if chair.curl > COILY:
        return trim_round(chair, middle=7.6, radius=9.2 + 0.5 * chair.look.volume, droop=0.0)
    if chair.look.fringe:
        return comb_crop(chair)
    toward = np.tanh(chair.look.part)
    on_top = np.stack([chair.full(-0.5 * toward), chair.full(0.2), 0.75 - 0.55 * chair.front], 1)
    on_top += 0.6 * chair.smooth + 0.25 * chair.random
    direction = _blend(on_top, _down_sides(chair), chair.top)
    length = _faded(chair, top=3.8, sides=1.3)
    lift = 0.14 + chair.top * (0.38 * chair.look.volume + 0.30 * chair.front)
    return _stand(chair, direction, lift, length, gravity=0.12)


def comb_side(chair: Chair) -> Comb:
    """Parted: the top is combed over from the parting, the sides are short."""
    if chair.curl > COILY:
        return trim_round(chair, middle=7.4, radius=9.6 + 0.6 * chair.look.volume, droop=0.0)
    over = np.stack([chair.sides * 1.0, chair.full(-0.1), -0.25 - 0.35 * chair.front], 1) + 0.14 * chair.smooth
    direction = _blend(over, _down_sides(chair), chair.top)
    x = chair.roots.points[:, 0]
    heavy = np.clip(1 - np.abs(x - chair.look.part) / 8, 0.3, 1)  # longest at the parting
    length = _faded(chair, top=6.0 * 1.0, sides=1.9) * (1 - chair.top * (1 - heavy) * 0.5)
    lift = 0.15 + chair.top * (0.45 * chair.look.volume + 0.15 * chair.front)
    return _stand(chair, direction, lift, length, gravity=0.22)


def comb_crop(chair: Chair) -> Comb:
    """Forward from the whorl to a short fringe; on children over the whole forehead and fuller."""
    if chair.curl > COILY:
        return trim_round(chair, middle=7.6, radius=8.8 + 0.5 * chair.look.volume, droop=0.0)
    y, z = chair.roots.points[:, 1:].T
    young = float(np.clip((14 - chair.look.age) / 6, 0, 1))
    ends = (
        9.0 - 1.9 * young + 0.35 * chair.random[:, 1] + 0.5 * chair.smooth[:, 1] - 1.2 * chair.look.fringe * (1 - young)
    )
    reach_front = np.maximum(0.7 * (y - ends) + 0.6 * np.clip(9.5 - z, 0, 8), 1.2)
    sides = _faded(chair, top=4.0, sides=1.6 + 1.6 * young)
    length = sides + (np.minimum(reach_front, 7.0) - sides) * chair.top * chair.front
    forward = _from_whorl(chair) + np.array([0, 0, 0.5], np.float32) * chair.top[:, None] + 0.16 * chair.smooth
    direction = _blend(forward, _down_sides(chair), chair.top)
    lift = 0.12 + 0.25 * chair.look.volume * chair.top
    return _stand(chair, direction, lift, length * chair.look.hair_length**0.5, gravity=0.2 + 0.1 * young)


def comb_receding(chair: Chair) -> Comb:
    """Short hair on the sides and the back."""
    length = np.clip(1.4 + 0.08 * chair.roots.points[:, 1], 0.8, 2.4) * chair.look.hair_length
    return _stand(chair, _down_sides(chair), lift=0.18 + 0.1 * chair.look.volume, length=length, gravity=0.1)


def comb_afro(chair: Chair) -> Comb:
    """A ball about the head."""
    radius = 11.6 + 2.6 * (chair.look.hair_length - 0.75) + 1.2 * (chair.look.volume - 1)
    return trim_round(chair, middle=6.3, radius=radius, droop=0.0)


def trim_round(chair: Chair, middle: float, radius: float, droop: float) -> Comb:
    """Hair that stands off, trimmed to a ball.

    Args:
        chair: whom to comb.
        middle, radius: height of the ball's middle and its radius, cm.
        droop: how far hair bends down, per cm.
    """
    roots, rng = chair.roots, chair.rng
    away = roots.points - np.array([0, middle, -0.8], np.float32)
    direction = roots.normals + 0.10 * chair.smooth + 0.12 * chair.random + np.array([0, 0.08, 0], np.float32)
    along = (away * roots.normals).sum(axis=1)
    to_ball = -along + np.sqrt(np.maximum(along**2 + radius**2 - (away**2).sum(axis=1), 0.2))
    low = np.clip((roots.points[:, 1] + 5) / 7, min(1.0, 0.25 + 5 * droop), 1)
    return Comb(
        direction=direction,
        pull=np.stack([chair.full(0), chair.full(-droop), chair.full(-0.015)], 1),
        length=np.clip(to_ball, 0.8, 9.0) * low * rng.uniform(0.78, 1.03, len(roots)),
        layer=chair.full(0.05),
        rise=chair.full(1.0),
        guard=chair.full(6.0),
        curtain=chair.full(5.2),
        turn_in=chair.full(0),
    )


def _stand(chair: Chair, direction: np.ndarray, lift: np.ndarray | float, length: np.ndarray, gravity: float) -> Comb:
    """Short hair that keeps its direction; curly hair stands and bends less."""
    curl, count = chair.curl, len(chair.roots)
    lift = lift + (0.15 * curl + 0.6 * curl**2) * np.minimum(1, length / 2)
    uneven = np.exp(0.13 * chair.random[:, 1]).clip(0.6, 1.35)
    weight = np.stack([np.zeros(count), chair.full(-gravity * (1 - 0.4 * curl)), np.zeros(count)], 1)
    return Comb(
        direction=chair.along_skin(direction + 0.08 * chair.random, lift),
        pull=weight,
        length=np.maximum(length * uneven * (1 - 0.25 * curl), 0.25),
        layer=np.minimum(0.25 * length, 0.08 + 0.5 * chair.look.volume * chair.top * chair.rng.random(count)),
        rise=np.maximum(0.6 * length, 0.3),
        guard=chair.full(0),
        curtain=chair.full(99),
        turn_in=chair.full(0),
    )


def _faded(chair: Chair, top: float, sides: float) -> np.ndarray:
    """Lengths that grow from neck and ears to the top, cm."""
    y = chair.roots.points[:, 1]
    low = np.clip((y + 5.5) / 9, 0.35, 1)
    return (sides * low + (top - sides) * chair.top) * chair.look.hair_length


def _from_whorl(chair: Chair) -> np.ndarray:
    away = chair.roots.points - WHORL
    mirrored = np.array([1 if chair.person.seed % 2 else -1, 1, 1], np.float32)
    return away * 0.12 + np.cross(away, mirrored * [0, 0.05, 0])


def _down_sides(chair: Chair) -> np.ndarray:
    """Down, a little backwards above the ears and forwards before them."""
    z = chair.roots.points[:, 2]
    return np.stack([chair.full(0), chair.full(-1.0), -0.35 + 0.06 * np.clip(z - 2, -6, 3)], 1) + 0.12 * chair.smooth


def _blend(above: np.ndarray, beside: np.ndarray, top: np.ndarray) -> np.ndarray:
    return beside + (above - beside) * top[:, None]
