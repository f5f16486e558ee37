"""Styles in which hair falls: from a parting to the jaw or the shoulders, curls about the ears, hair combed back."""

import numpy as np

from kinlib.studio.hair_chair import Chair
from kinlib.studio.hair_grow import Comb
from kinlib.studio.hair_short import trim_round

__all__ = ["comb_back", "comb_bob", "comb_curly", "comb_long", "comb_mid", "comb_wavy", "lay_fringe"]

COILY = 0.75  # tighter curls fall no more freely than these
EAR = 4.0  # cm, y from which lengths are measured
FRINGE_END = 6.3  # cm, y: at the brows


def comb_mid(chair: Chair) -> Comb:
    """Loose, to the jaw, layered: shorter on top."""
    if chair.curl > COILY:
        return trim_round(chair, middle=5.0, radius=11.0, droop=0.05)
    return _fall(chair, end=-5.5, layered=2.8, uneven=0.10, turn_in=0.02)


def comb_bob(chair: Chair) -> Comb:
    """To the chin in one line, higher at the nape, tips turned in."""
    return _fall(chair, end=-6.8, layered=0.7, uneven=0.05, turn_in=0.11, nape=2.2)


def comb_long(chair: Chair) -> Comb:
    """Below the shoulders."""
    return _fall(chair, end=-17.0, layered=3.0, uneven=0.08, turn_in=0.012)


def comb_wavy(chair: Chair) -> Comb:
    """To the shoulders, layered, fuller."""
    return _fall(chair, end=-14.0, layered=4.5, uneven=0.11, turn_in=0.02)


def _fall(
    chair: Chair, end: float, layered: float, uneven: float, turn_in: float, nape: float = 0.0, forward: float = 0.0
) -> Comb:
    """Hair from a parting down.

    Args:
        chair: whom to comb.
        end: y at which the hair ends, cm, before `look.hair_length`.
        layered: cm by which hair from the top ends higher.
        uneven: spread of lengths, as a share.
        turn_in: bending of the tips towards the neck.
        nape: cm by which the back is shorter.
        forward: how far the hair above the forehead is combed forwards.
    """
    x, y, _ = chair.roots.points.T
    look, curl, count = chair.look, min(chair.curl, COILY), len(chair.roots)
    parted = (1 - 0.6 * curl**2) * (0.25 + chair.top)
    aside = np.stack([chair.sides * parted, -0.25 - 1.0 * (1 - chair.top**3), -0.3 - 0.6 * chair.front], 1)
    aside[:, 2] += forward * chair.front * chair.top
    aside += (0.10 + 0.2 * curl) * chair.smooth + (0.05 + 0.15 * curl) * chair.random
    lift = chair.top * chair.flat * (0.30 * look.volume + 0.3 * curl) + 0.25 * curl
    height = np.clip((y + 4) / 16, 0, 1)
    end = EAR - (EAR - end) * look.hair_length * (1 - 0.3 * curl**1.5)
    ends = end + layered * (chair.top * chair.rng.random(count) + 0.3 * chair.smooth[:, 1] + 0.3 * chair.front)
    ends += nape * chair.back
    length = np.maximum((y - ends) + 0.45 * np.maximum(0, 8.5 - np.abs(x)) * chair.top, 2.5)
    thick = (0.55 + 0.55 * look.volume) * (0.55 + 1.5 * curl)
    guard = 6.2 + 1.5 * (1 - chair.front) * chair.top + 0.4 * chair.smooth[:, 2] + 0.4 * chair.random[:, 0]
    return Comb(
        direction=chair.along_skin(aside, lift),
        pull=np.stack([np.zeros(count), chair.full(-0.55 + 0.42 * curl), chair.full(-0.03)], 1),
        length=length * (1 + uneven * chair.random[:, 1]).clip(0.6, 1.2),
        layer=0.12 + thick * height * chair.flat * (0.8 + 0.14 * chair.random[:, 2]).clip(0.35, 1.15),
        rise=chair.full(2.6),
        guard=guard,
        curtain=4.3 + 0.5 * chair.smooth[:, 0] + 0.3 * chair.random[:, 2],
        turn_in=turn_in * chair.rng.uniform(0.3, 1.4, count),
        hug=0.06,
    )


def comb_curly(chair: Chair) -> Comb:
    """Loose curls to the ears, some over the forehead."""
    if chair.curl > COILY:
        return trim_round(chair, middle=6.0, radius=11.4, droop=0.02)
    comb = _fall(chair, end=0.2, layered=3.0, uneven=0.16, turn_in=0.05, nape=-1.5, forward=1.3)
    front = chair.front * chair.top
    comb.layer *= 1.25
    comb.length *= 1 - 0.35 * front
    comb.guard *= np.where(chair.roots.points[:, 2] > 6, 0.72, 0.96)
    return comb


def comb_back(chair: Chair) -> Comb:
    """Off the forehead, over the ears, to the neck; women's longer."""
    x, y, z = chair.roots.points.T
    look, curl = chair.look, min(chair.curl, COILY)
    back = np.stack([0.06 * x, -0.2 - 1.3 * chair.back, -chair.full(1.0)], 1) + 0.12 * chair.smooth
    back += 0.05 * chair.random
    lift = chair.top * chair.front * 0.75 * look.volume + 0.10 + 0.3 * curl
    thick = (0.5 + 0.75 * look.volume) * (0.7 + 1.0 * curl)
    end = EAR - (EAR + (4.5 if chair.person.male else 10.0)) * look.hair_length * (1 - 0.3 * curl**1.5)
    before_ear = np.where(z > 0.5, np.clip((y - 2.5) / 4, 0.06, 1), 1)
    over_top = 0.75 * (z + 8.5) * (0.35 + 0.65 * chair.top) + 0.4 * np.maximum(0, z)
    return Comb(
        direction=chair.along_skin(back, lift),
        pull=np.stack([-0.008 * x, chair.full(-0.42 + 0.25 * curl), chair.full(-0.05)], 1),
        length=np.maximum(y - end + over_top, 2) * before_ear * (1 + 0.09 * chair.random[:, 1]).clip(0.6, 1.3),
        layer=0.15 + thick * np.clip((z + 9) / 17, 0.2, 1) * (0.8 + 0.14 * chair.random[:, 2]).clip(0.35, 1.15),
        rise=chair.full(2.6),
        guard=chair.full(7.4),
        curtain=-1.5 + 0.4 * chair.random[:, 0],
        turn_in=chair.full(0.02),
        hug=0.25,
    )


def lay_fringe(chair: Chair, comb: Comb) -> None:
    """Bring the hair of the front down over the forehead, in place: straight, or swept to the side of the parting."""
    x, y, z = chair.roots.points.T
    fringe = (z > 3.4) & (y > 9.6) & (np.abs(x) < 4.9 - 0.25 * chair.random[:, 0])
    swept = 0.9 * np.tanh(chair.look.part) * (chair.person.seed % 3 != 0)
    forward = np.stack([0.10 * x - 0.5 * swept, -0.3 + 0 * x, 1.0 + 0 * x], 1) + 0.10 * chair.smooth
    direction = chair.along_skin(forward, 0.35 * chair.look.volume + 0.5 * chair.curl)
    comb.direction[fringe] = direction[fringe]
    comb.pull[fringe] = (-0.10 * swept, -0.32 + 0.15 * chair.curl, -0.04)
    ends = FRINGE_END + 0.30 * chair.random[:, 1] + 0.35 * chair.smooth[:, 1] - 0.02 * x**2 + 0.6 * chair.curl
    way = (y - ends) * 1.04 + 0.75 * np.clip(9.0 - z, 0, 6) + 0.5 + 0.6 * abs(swept)
    comb.length[fringe] = np.maximum(way, 1.0)[fringe]
    comb.layer[fringe] = (0.10 + 0.35 * chair.look.volume * chair.rng.random(len(x)))[fringe]
    comb.guard[fringe] = 0
