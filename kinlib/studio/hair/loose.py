"""Styles of loose hair, short and long: each says in which direction hair is combed and how long it is.

Short: cut all over, longer on top, combed to a side or forward, rounded; hair on the sides only. Falling: from a
parting to the jaw or the shoulders, curls about the ears, hair combed back. Gathered hair: `kinlib.studio.hair.tied`.
"""

import numpy as np

from kinlib.studio.hair.growth import Comb
from kinlib.studio.hair.style_context import StyleContext

__all__ = [
    "COILY",
    "comb_afro",
    "comb_back",
    "comb_bob",
    "comb_buzz",
    "comb_crop",
    "comb_curly",
    "comb_long",
    "comb_mid",
]
__all__ += ["comb_receding", "comb_short", "comb_side", "comb_wavy", "lay_fringe"]

COILY = 0.75  # tighter curls are trimmed to a shape instead of combed, and fall no more freely than these
WHORL = np.array([-0.8, 13.2, -4.2], np.float32)  # hair radiates from here
EAR = 4.0  # cm, y from which lengths are measured
FRINGE_END = 6.3  # cm, y: at the brows


def comb_buzz(context: StyleContext) -> Comb:
    """A few millimetres everywhere, the sides shorter."""
    length = (0.45 + 0.25 * context.top) * context.look.hair_length
    return _stand(context, _from_whorl(context), lift=0.7 + 0.2 * context.random[:, 0] ** 2, length=length, gravity=0.0)


def comb_short(context: StyleContext) -> Comb:
    """Up and to a side on top, untidy; short sides."""
    if context.curl > COILY:
        return trim_round(context, middle=7.6, radius=9.2 + 0.5 * context.look.volume, droop=0.0)
    if context.look.fringe:
        return comb_crop(context)
    toward = np.tanh(context.look.part)
    on_top = np.stack([context.full(-0.5 * toward), context.full(0.2), 0.75 - 0.55 * context.front], 1)
    on_top += 0.6 * context.smooth + 0.25 * context.random
    direction = _blend(on_top, _down_sides(context), context.top)
    length = _faded(context, top=3.8, sides=1.3)
    lift = 0.14 + context.top * (0.38 * context.look.volume + 0.30 * context.front)
    return _stand(context, direction, lift, length, gravity=0.12)


def comb_side(context: StyleContext) -> Comb:
    """Parted: the top is combed over from the parting, the sides are short."""
    if context.curl > COILY:
        return trim_round(context, middle=7.4, radius=9.6 + 0.6 * context.look.volume, droop=0.0)
    over = np.stack([context.sides * 1.0, context.full(-0.1), -0.25 - 0.35 * context.front], 1) + 0.14 * context.smooth
    direction = _blend(over, _down_sides(context), context.top)
    x = context.roots.points[:, 0]
    heavy = np.clip(1 - np.abs(x - context.look.part) / 8, 0.3, 1)  # longest at the parting
    length = _faded(context, top=6.0 * 1.0, sides=1.9) * (1 - context.top * (1 - heavy) * 0.5)
    lift = 0.15 + context.top * (0.45 * context.look.volume + 0.15 * context.front)
    return _stand(context, direction, lift, length, gravity=0.22)


def comb_crop(context: StyleContext) -> Comb:
    """Forward from the whorl to a short fringe; on children over the whole forehead and fuller."""
    if context.curl > COILY:
        return trim_round(context, middle=7.6, radius=8.8 + 0.5 * context.look.volume, droop=0.0)
    y, z = context.roots.points[:, 1:].T
    young = float(np.clip((14 - context.look.age) / 6, 0, 1))
    ends = (
        9.0
        - 1.9 * young
        + 0.35 * context.random[:, 1]
        + 0.5 * context.smooth[:, 1]
        - 1.2 * context.look.fringe * (1 - young)
    )
    reach_front = np.maximum(0.7 * (y - ends) + 0.6 * np.clip(9.5 - z, 0, 8), 1.2)
    sides = _faded(context, top=4.0, sides=1.6 + 1.6 * young)
    length = sides + (np.minimum(reach_front, 7.0) - sides) * context.top * context.front
    forward = _from_whorl(context) + np.array([0, 0, 0.5], np.float32) * context.top[:, None] + 0.16 * context.smooth
    direction = _blend(forward, _down_sides(context), context.top)
    lift = 0.12 + 0.25 * context.look.volume * context.top
    return _stand(context, direction, lift, length * context.look.hair_length**0.5, gravity=0.2 + 0.1 * young)


def comb_receding(context: StyleContext) -> Comb:
    """Short hair on the sides and the back."""
    length = np.clip(1.4 + 0.08 * context.roots.points[:, 1], 0.8, 2.4) * context.look.hair_length
    return _stand(context, _down_sides(context), lift=0.18 + 0.1 * context.look.volume, length=length, gravity=0.1)


def comb_afro(context: StyleContext) -> Comb:
    """A ball about the head."""
    radius = 11.6 + 2.6 * (context.look.hair_length - 0.75) + 1.2 * (context.look.volume - 1)
    return trim_round(context, middle=6.3, radius=radius, droop=0.0)


def trim_round(context: StyleContext, middle: float, radius: float, droop: float) -> Comb:
    """Hair that stands off, trimmed to a ball.

    Args:
        context: whom to comb.
        middle, radius: height of the ball's middle and its radius, cm.
        droop: how far hair bends down, per cm.
    """
    roots, rng = context.roots, context.rng
    away = roots.points - np.array([0, middle, -0.8], np.float32)
    direction = roots.normals + 0.10 * context.smooth + 0.12 * context.random + np.array([0, 0.08, 0], np.float32)
    along = (away * roots.normals).sum(axis=1)
    to_ball = -along + np.sqrt(np.maximum(along**2 + radius**2 - (away**2).sum(axis=1), 0.2))
    low = np.clip((roots.points[:, 1] + 5) / 7, min(1.0, 0.25 + 5 * droop), 1)
    return Comb(
        direction=direction,
        pull=np.stack([context.full(0), context.full(-droop), context.full(-0.015)], 1),
        length=np.clip(to_ball, 0.8, 9.0) * low * rng.uniform(0.78, 1.03, len(roots)),
        layer=context.full(0.05),
        rise=context.full(1.0),
        guard=context.full(6.0),
        curtain=context.full(5.2),
        turn_in=context.full(0),
    )


def _stand(
    context: StyleContext, direction: np.ndarray, lift: np.ndarray | float, length: np.ndarray, gravity: float
) -> Comb:
    """Short hair that keeps its direction; curly hair stands and bends less."""
    curl, count = context.curl, len(context.roots)
    lift = lift + (0.15 * curl + 0.6 * curl**2) * np.minimum(1, length / 2)
    uneven = np.exp(0.13 * context.random[:, 1]).clip(0.6, 1.35)
    weight = np.stack([np.zeros(count), context.full(-gravity * (1 - 0.4 * curl)), np.zeros(count)], 1)
    return Comb(
        direction=context.along_skin(direction + 0.08 * context.random, lift),
        pull=weight,
        length=np.maximum(length * uneven * (1 - 0.25 * curl), 0.25),
        layer=np.minimum(0.25 * length, 0.08 + 0.5 * context.look.volume * context.top * context.rng.random(count)),
        rise=np.maximum(0.6 * length, 0.3),
        guard=context.full(0),
        curtain=context.full(99),
        turn_in=context.full(0),
    )


def _faded(context: StyleContext, top: float, sides: float) -> np.ndarray:
    """Lengths that grow from neck and ears to the top, cm."""
    y = context.roots.points[:, 1]
    low = np.clip((y + 5.5) / 9, 0.35, 1)
    return (sides * low + (top - sides) * context.top) * context.look.hair_length


def _from_whorl(context: StyleContext) -> np.ndarray:
    away = context.roots.points - WHORL
    mirrored = np.array([1 if context.person.seed % 2 else -1, 1, 1], np.float32)
    return away * 0.12 + np.cross(away, mirrored * [0, 0.05, 0])


def _down_sides(context: StyleContext) -> np.ndarray:
    """Down, a little backwards above the ears and forwards before them."""
    z = context.roots.points[:, 2]
    return (
        np.stack([context.full(0), context.full(-1.0), -0.35 + 0.06 * np.clip(z - 2, -6, 3)], 1) + 0.12 * context.smooth
    )


def _blend(above: np.ndarray, beside: np.ndarray, top: np.ndarray) -> np.ndarray:
    return beside + (above - beside) * top[:, None]


def comb_mid(context: StyleContext) -> Comb:
    """Loose, to the jaw, layered: shorter on top."""
    if context.curl > COILY:
        return trim_round(context, middle=5.0, radius=11.0, droop=0.05)
    return _fall(context, end=-5.5, layered=2.8, uneven=0.10, turn_in=0.02)


def comb_bob(context: StyleContext) -> Comb:
    """To the chin in one line, higher at the nape, tips turned in."""
    return _fall(context, end=-6.8, layered=0.7, uneven=0.05, turn_in=0.11, nape=2.2)


def comb_long(context: StyleContext) -> Comb:
    """Below the shoulders."""
    return _fall(context, end=-17.0, layered=3.0, uneven=0.08, turn_in=0.012)


def comb_wavy(context: StyleContext) -> Comb:
    """To the shoulders, layered, fuller."""
    return _fall(context, end=-14.0, layered=4.5, uneven=0.11, turn_in=0.02)


def _fall(
    context: StyleContext,
    end: float,
    layered: float,
    uneven: float,
    turn_in: float,
    nape: float = 0.0,
    forward: float = 0.0,
) -> Comb:
    """Hair from a parting down.

    Args:
        context: whom to comb.
        end: y at which the hair ends, cm, before `look.hair_length`.
        layered: cm by which hair from the top ends higher.
        uneven: spread of lengths, as a share.
        turn_in: bending of the tips towards the neck.
        nape: cm by which the back is shorter.
        forward: how far the hair above the forehead is combed forwards.
    """
    x, y, _ = context.roots.points.T
    look, curl, count = context.look, min(context.curl, COILY), len(context.roots)
    parted = (1 - 0.6 * curl**2) * (0.25 + context.top)
    aside = np.stack([context.sides * parted, -0.25 - 1.0 * (1 - context.top**3), -0.3 - 0.6 * context.front], 1)
    aside[:, 2] += forward * context.front * context.top
    aside += (0.10 + 0.2 * curl) * context.smooth + (0.05 + 0.15 * curl) * context.random
    lift = context.top * context.flat * (0.30 * look.volume + 0.3 * curl) + 0.25 * curl
    height = np.clip((y + 4) / 16, 0, 1)
    end = EAR - (EAR - end) * look.hair_length * (1 - 0.3 * curl**1.5)
    ends = end + layered * (context.top * context.rng.random(count) + 0.3 * context.smooth[:, 1] + 0.3 * context.front)
    ends += nape * context.back
    length = np.maximum((y - ends) + 0.45 * np.maximum(0, 8.5 - np.abs(x)) * context.top, 2.5)
    thick = (0.55 + 0.55 * look.volume) * (0.55 + 1.5 * curl)
    guard = 6.2 + 1.5 * (1 - context.front) * context.top + 0.4 * context.smooth[:, 2] + 0.4 * context.random[:, 0]
    return Comb(
        direction=context.along_skin(aside, lift),
        pull=np.stack([np.zeros(count), context.full(-0.55 + 0.42 * curl), context.full(-0.03)], 1),
        length=length * (1 + uneven * context.random[:, 1]).clip(0.6, 1.2),
        layer=0.12 + thick * height * context.flat * (0.8 + 0.14 * context.random[:, 2]).clip(0.35, 1.15),
        rise=context.full(2.6),
        guard=guard,
        curtain=4.3 + 0.5 * context.smooth[:, 0] + 0.3 * context.random[:, 2],
        turn_in=turn_in * context.rng.uniform(0.3, 1.4, count),
        hug=0.06,
    )


def comb_curly(context: StyleContext) -> Comb:
    """Loose curls to the ears, some over the forehead."""
    if context.curl > COILY:
        return trim_round(context, middle=6.0, radius=11.4, droop=0.02)
    comb = _fall(context, end=0.2, layered=3.0, uneven=0.16, turn_in=0.05, nape=-1.5, forward=1.3)
    front = context.front * context.top
    comb.layer *= 1.25
    comb.length *= 1 - 0.35 * front
    comb.guard *= np.where(context.roots.points[:, 2] > 6, 0.72, 0.96)
    return comb


def comb_back(context: StyleContext) -> Comb:
    """Off the forehead, over the ears, to the neck; women's longer."""
    x, y, z = context.roots.points.T
    look, curl = context.look, min(context.curl, COILY)
    back = np.stack([0.06 * x, -0.2 - 1.3 * context.back, -context.full(1.0)], 1) + 0.12 * context.smooth
    back += 0.05 * context.random
    lift = context.top * context.front * 0.75 * look.volume + 0.10 + 0.3 * curl
    thick = (0.5 + 0.75 * look.volume) * (0.7 + 1.0 * curl)
    end = EAR - (EAR + (4.5 if context.person.male else 10.0)) * look.hair_length * (1 - 0.3 * curl**1.5)
    before_ear = np.where(z > 0.5, np.clip((y - 2.5) / 4, 0.06, 1), 1)
    over_top = 0.75 * (z + 8.5) * (0.35 + 0.65 * context.top) + 0.4 * np.maximum(0, z)
    return Comb(
        direction=context.along_skin(back, lift),
        pull=np.stack([-0.008 * x, context.full(-0.42 + 0.25 * curl), context.full(-0.05)], 1),
        length=np.maximum(y - end + over_top, 2) * before_ear * (1 + 0.09 * context.random[:, 1]).clip(0.6, 1.3),
        layer=0.15 + thick * np.clip((z + 9) / 17, 0.2, 1) * (0.8 + 0.14 * context.random[:, 2]).clip(0.35, 1.15),
        rise=context.full(2.6),
        guard=context.full(7.4),
        curtain=-1.5 + 0.4 * context.random[:, 0],
        turn_in=context.full(0.02),
        hug=0.25,
    )


def lay_fringe(context: StyleContext, comb: Comb) -> None:
    """Bring the hair of the front down over the forehead, in place: straight, or swept to the side of the parting."""
    x, y, z = context.roots.points.T
    fringe = (z > 3.4) & (y > 9.6) & (np.abs(x) < 4.9 - 0.25 * context.random[:, 0])
    swept = 0.9 * np.tanh(context.look.part) * (context.person.seed % 3 != 0)
    forward = np.stack([0.10 * x - 0.5 * swept, -0.3 + 0 * x, 1.0 + 0 * x], 1) + 0.10 * context.smooth
    direction = context.along_skin(forward, 0.35 * context.look.volume + 0.5 * context.curl)
    comb.direction[fringe] = direction[fringe]
    comb.pull[fringe] = (-0.10 * swept, -0.32 + 0.15 * context.curl, -0.04)
    ends = FRINGE_END + 0.30 * context.random[:, 1] + 0.35 * context.smooth[:, 1] - 0.02 * x**2 + 0.6 * context.curl
    way = (y - ends) * 1.04 + 0.75 * np.clip(9.0 - z, 0, 6) + 0.5 + 0.6 * abs(swept)
    comb.length[fringe] = np.maximum(way, 1.0)[fringe]
    comb.layer[fringe] = (0.10 + 0.35 * context.look.volume * context.rng.random(len(x)))[fringe]
    comb.guard[fringe] = 0
