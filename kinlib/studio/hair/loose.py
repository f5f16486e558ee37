"""Styles of loose hair, short and long: a function per style gives direction, length and layering of every strand.

Short styles stand on `_stand` or, for coily hair, `trim_round`; long ones on `_fall`. Gathered hair is in `tied`.

Units, unless a line says otherwise: cm in the generic head's frame (y up, z forwards; crown at y = 14.4, brows at 6,
ears from 3.7 to -2, chin at -8.6); directions need no length; `lift` is the tangent of the angle to the skin; gravity
is bending per cm. All numbers were set by eye.
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

COILY = 0.75  # curl from which hair is trimmed to a ball instead of combed; falling hair is capped at it
WHORL = np.array([-0.8, 13.2, -4.2], np.float32)  # cm, centre of the whorl on the crown, from which hair radiates
EAR = 4.0  # cm, y at which the length factor of a style leaves lengths unchanged
FRINGE_END = 6.3  # cm, y of a fringe's tips: at the brows


def comb_buzz(context: StyleContext) -> Comb:
    """A few millimetres everywhere, the sides shorter."""
    # 4.5 mm on the sides, 7 mm on top; lift 0.7 and more: hair this short stands
    length = (0.45 + 0.25 * context.top) * context.look.hair_length
    return _stand(context, _from_whorl(context), lift=0.7 + 0.2 * context.random[:, 0] ** 2, length=length, gravity=0.0)


def comb_short(context: StyleContext) -> Comb:
    """Up and to a side on top, untidy; short sides."""
    if context.curl > COILY:
        # coily: a ball that lies about 3 cm above the crown
        return trim_round(context, middle=7.6, radius=9.2 + 0.5 * context.look.volume, droop=0.0)
    if context.look.fringe:
        return comb_crop(context)
    # -1..1, side to which the hair is combed; 1 for a parting 2 cm off the middle and more
    toward = np.tanh(context.look.part)
    # sideways 0.5, up 0.2, forwards 0.75 at the crown down to 0.2 at the forehead
    on_top = np.stack([context.full(-0.5 * toward), context.full(0.2), 0.75 - 0.55 * context.front], 1)
    # untidy: whole patches differ (0.6), single strands less (0.25)
    on_top += 0.6 * context.smooth + 0.25 * context.random
    direction = _blend(on_top, _down_sides(context), context.top)
    # 3.8 cm on top, 1.3 cm on the sides; the front stands up most
    length = _faded(context, top=3.8, sides=1.3)
    lift = 0.14 + context.top * (0.38 * context.look.volume + 0.30 * context.front)
    return _stand(context, direction, lift, length, gravity=0.12)


def comb_side(context: StyleContext) -> Comb:
    """Parted: the top is combed over from the parting, the sides are short."""
    if context.curl > COILY:
        return trim_round(context, middle=7.4, radius=9.6 + 0.6 * context.look.volume, droop=0.0)
    # away from the parting 1, slightly down, more and more backwards at the front
    over = np.stack([context.sides, context.full(-0.1), -0.25 - 0.35 * context.front], 1) + 0.14 * context.smooth
    direction = _blend(over, _down_sides(context), context.top)
    x = context.roots.points[:, 0]
    heavy = np.clip(1 - np.abs(x - context.look.part) / 8, 0.3, 1)  # longest at the parting
    # 6 cm beside the parting, up to a third less 8 cm away from it; sides 1.9 cm
    length = _faded(context, top=6.0, sides=1.9) * (1 - context.top * (1 - heavy) * 0.5)
    lift = 0.15 + context.top * (0.45 * context.look.volume + 0.15 * context.front)
    return _stand(context, direction, lift, length, gravity=0.22)


def comb_crop(context: StyleContext) -> Comb:
    """Forward from the whorl to a short fringe; on children over the whole forehead and fuller."""
    if context.curl > COILY:
        # coily: shorter than the style "short"
        return trim_round(context, middle=7.6, radius=8.8 + 0.5 * context.look.volume, droop=0.0)
    y, z = context.roots.points[:, 1:].T
    young = float(np.clip((14 - context.look.age) / 6, 0, 1))  # 1 up to 8 years, 0 from 14
    # y of the fringe's tips: 9 cm (upper forehead) in adults, 1.9 cm lower in children, 1.2 cm for a fringe
    ends = (
        9.0
        - 1.9 * young
        + 0.35 * context.random[:, 1]
        + 0.5 * context.smooth[:, 1]
        - 1.2 * context.look.fringe * (1 - young)
    )
    # length to the tips: 0.7 of the way down plus 0.6 of the way forwards (hair takes the diagonal)
    reach_front = np.maximum(0.7 * (y - ends) + 0.6 * np.clip(9.5 - z, 0, 8), 1.2)
    # sides 1.6 cm, in children twice as long
    sides = _faded(context, top=4.0, sides=1.6 + 1.6 * young)
    length = sides + (np.minimum(reach_front, 7.0) - sides) * context.top * context.front
    # from the whorl, turned forwards on top
    forward = _from_whorl(context) + np.array([0, 0, 0.5], np.float32) * context.top[:, None] + 0.16 * context.smooth
    direction = _blend(forward, _down_sides(context), context.top)
    lift = 0.12 + 0.25 * context.look.volume * context.top
    return _stand(context, direction, lift, length * context.look.hair_length**0.5, gravity=0.2 + 0.1 * young)


def comb_receding(context: StyleContext) -> Comb:
    """Short hair on the sides and the back."""
    # 1 cm at the nape to 2.4 cm at the upper border
    length = np.clip(1.4 + 0.08 * context.roots.points[:, 1], 0.8, 2.4) * context.look.hair_length
    return _stand(context, _down_sides(context), lift=0.18 + 0.1 * context.look.volume, length=length, gravity=0.1)


def comb_afro(context: StyleContext) -> Comb:
    """A ball about the head."""
    # 11.6 cm: 3.5 cm of hair above the crown; 2.6 cm more per unit of length, 1.2 cm per unit of volume
    radius = 11.6 + 2.6 * (context.look.hair_length - 0.75) + 1.2 * (context.look.volume - 1)
    return trim_round(context, middle=6.3, radius=radius, droop=0.0)


def trim_round(context: StyleContext, middle: float, radius: float, droop: float) -> Comb:
    """Hair that stands off, trimmed to a ball.

    Args:
        context: of the subject.
        middle: y of the ball's centre, cm.
        radius: of the ball, cm.
        droop: bending downwards, per cm.
    """
    roots, rng = context.roots, context.rng
    away = roots.points - np.array([0, middle, -0.8], np.float32)  # [n, 3], from the ball's centre
    # along the normal, scattered by about 10 degrees, slightly upwards
    direction = roots.normals + 0.10 * context.smooth + 0.12 * context.random + np.array([0, 0.08, 0], np.float32)
    along = (away * roots.normals).sum(axis=1)
    # distance from the root along the normal to the ball (ray-sphere intersection), at least a short hair
    to_ball = -along + np.sqrt(np.maximum(along**2 + radius**2 - (away**2).sum(axis=1), 0.2))
    # shorter from y = 2 cm down to the nape; the more it droops, the less is cut
    low = np.clip((roots.points[:, 1] + 5) / 7, min(1.0, 0.25 + 5 * droop), 1)
    return Comb(
        direction=direction,
        pull=np.stack([context.full(0), context.full(-droop), context.full(-0.015)], 1),
        # uneven: 78 to 103% of the way to the ball
        length=np.clip(to_ball, 0.8, 9.0) * low * rng.uniform(0.78, 1.03, len(roots)),
        layer=context.full(0.05),
        rise=context.full(1.0),
        guard=context.full(6.0),  # half width of the face
        curtain=context.full(5.2),  # keeps the cheeks free
        turn_in=context.full(0),
    )


def _stand(
    context: StyleContext, direction: np.ndarray, lift: np.ndarray | float, length: np.ndarray, gravity: float
) -> Comb:
    """Short hair that keeps its direction; curly hair stands more and bends less.

    Args:
        context: of the subject.
        direction: [n, 3], projected onto the skin here.
        lift: [n] or one number, 0 flat to 1 at 45 degrees.
        length: [n], cm.
        gravity: bending downwards, per cm.
    """
    curl, count = context.curl, len(context.roots)
    # curls stand: up to 0.75 more lift, in hair of 2 cm and longer
    lift = lift + (0.15 * curl + 0.6 * curl**2) * np.minimum(1, length / 2)
    # lengths scatter by 13%
    uneven = np.exp(0.13 * context.random[:, 1]).clip(0.6, 1.35)
    # [n, 3]; coily hair resists gravity by 40%
    weight = np.stack([np.zeros(count), context.full(-gravity * (1 - 0.4 * curl)), np.zeros(count)], 1)
    return Comb(
        direction=context.along_skin(direction + 0.08 * context.random, lift),
        pull=weight,
        # curl takes up to a quarter of the visible length
        length=np.maximum(length * uneven * (1 - 0.25 * curl), 0.25),
        # strands settle in a random depth of up to 0.58 cm at volume 1, never more than a quarter of their length
        layer=np.minimum(0.25 * length, 0.08 + 0.5 * context.look.volume * context.top * context.rng.random(count)),
        rise=np.maximum(0.6 * length, 0.3),
        guard=context.full(0),  # short hair needs no face guard
        curtain=context.full(99),  # none
        turn_in=context.full(0),
    )


def _faded(context: StyleContext, top: float, sides: float) -> np.ndarray:
    """Lengths [n] in cm of a faded cut: `top` on the crown, `sides` at the ears, 35% of `sides` at the nape."""
    y = context.roots.points[:, 1]
    # 0.35 at the nape (y = -5.5 cm) to 1 above the ears
    low = np.clip((y + 5.5) / 9, 0.35, 1)
    return (sides * low + (top - sides) * context.top) * context.look.hair_length


def _from_whorl(context: StyleContext) -> np.ndarray:
    """Directions [n, 3] that spiral out of the whorl, clockwise in half of the subjects."""
    away = context.roots.points - WHORL
    mirrored = np.array([1 if context.person.seed % 2 else -1, 1, 1], np.float32)
    # radial 0.12 and rotational 0.05 per cm
    return away * 0.12 + np.cross(away, mirrored * [0, 0.05, 0])


def _down_sides(context: StyleContext) -> np.ndarray:
    """Directions [n, 3]: down, backwards behind the ears, less so in front of them."""
    z = context.roots.points[:, 2]
    return (
        # backwards 0.35, less by 0.06 per cm in front of z = 2 cm, more behind it
        np.stack([context.full(0), context.full(-1.0), -0.35 + 0.06 * np.clip(z - 2, -6, 3)], 1) + 0.12 * context.smooth
    )


def _blend(above: np.ndarray, beside: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Directions [n, 3]: `above` where `top` [n] is 1, `beside` where it is 0."""
    return beside + (above - beside) * top[:, None]


def comb_mid(context: StyleContext) -> Comb:
    """Loose, to the jaw (y = -5.5 cm), layered: shorter on top."""
    if context.curl > COILY:
        # coily: a ball that reaches the jaw, drooping
        return trim_round(context, middle=5.0, radius=11.0, droop=0.05)
    return _fall(context, end=-5.5, layered=2.8, uneven=0.10, turn_in=0.02)


def comb_bob(context: StyleContext) -> Comb:
    """To the chin in one line, 2.2 cm higher at the nape, tips turned in."""
    return _fall(context, end=-6.8, layered=0.7, uneven=0.05, turn_in=0.11, nape=2.2)


def comb_long(context: StyleContext) -> Comb:
    """Below the shoulders (y = -17 cm)."""
    return _fall(context, end=-17.0, layered=3.0, uneven=0.08, turn_in=0.012)


def comb_wavy(context: StyleContext) -> Comb:
    """To the shoulders (y = -14 cm), layered, fuller."""
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
    """Long hair that falls from a parting.

    Args:
        context: of the subject.
        end: y at which the hair ends, cm, before `look.hair_length`.
        layered: cm by which hair from the top ends higher.
        uneven: relative standard deviation of the lengths.
        turn_in: bending of the tips towards the neck, per cm.
        nape: cm by which the back is shorter.
        forward: forward component of the direction above the forehead.
    """
    x, y, _ = context.roots.points.T
    look, curl, count = context.look, min(context.curl, COILY), len(context.roots)
    # away from the parting: 1.25 on top, 0.25 on the sides; curly hair is parted less
    parted = (1 - 0.6 * curl**2) * (0.25 + context.top)
    # down 0.25 on top to 1.25 on the sides; backwards 0.3, above the forehead 0.9
    aside = np.stack([context.sides * parted, -0.25 - 1.0 * (1 - context.top**3), -0.3 - 0.6 * context.front], 1)
    aside[:, 2] += forward * context.front * context.top
    # scatter of patches and of strands; three times as much in curly hair
    aside += (0.10 + 0.2 * curl) * context.smooth + (0.05 + 0.15 * curl) * context.random
    # roots rise on top with volume and curl, less at the parting; curls rise everywhere
    lift = context.top * context.flat * (0.30 * look.volume + 0.3 * curl) + 0.25 * curl
    height = np.clip((y + 4) / 16, 0, 1)  # 0 at the nape, 1 from y = 12 cm
    # curl shortens the visible length by up to 19% (at 0.75)
    end = EAR - (EAR - end) * look.hair_length * (1 - 0.3 * curl**1.5)
    # [n], y of each tip: layers differ at random on top, by patches, and are higher in front
    ends = end + layered * (context.top * context.rng.random(count) + 0.3 * context.smooth[:, 1] + 0.3 * context.front)
    ends += nape * context.back
    # hair from the top first travels sideways over the skull: 0.45 cm per cm that the root lies inside |x| = 8.5
    length = np.maximum((y - ends) + 0.45 * np.maximum(0, 8.5 - np.abs(x)) * context.top, 2.5)
    # cm of hair above the skin at the top: 0.6 straight, 1.8 at curl 0.75 and volume 1
    thick = (0.55 + 0.55 * look.volume) * (0.55 + 1.5 * curl)
    # half width of the face 6.2 cm; hair from the back of the head stays 1.5 cm further out
    guard = 6.2 + 1.5 * (1 - context.front) * context.top + 0.4 * context.smooth[:, 2] + 0.4 * context.random[:, 0]
    return Comb(
        direction=context.along_skin(aside, lift),
        # gravity 0.55 per cm straight, 0.24 at curl 0.75; a little backwards
        pull=np.stack([np.zeros(count), context.full(-0.55 + 0.42 * curl), context.full(-0.03)], 1),
        length=length * (1 + uneven * context.random[:, 1]).clip(0.6, 1.2),
        # random depth between 35 and 115% of the thickness
        layer=0.12 + thick * height * context.flat * (0.8 + 0.14 * context.random[:, 2]).clip(0.35, 1.15),
        rise=context.full(2.6),  # cm
        guard=guard,
        curtain=4.3 + 0.5 * context.smooth[:, 0] + 0.3 * context.random[:, 2],  # just in front of the ears
        turn_in=turn_in * context.rng.uniform(0.3, 1.4, count),
        hug=0.06,
    )


def comb_curly(context: StyleContext) -> Comb:
    """Loose curls to the ears (y = 0.2 cm), some over the forehead; longer at the nape."""
    if context.curl > COILY:
        # coily: a ball to below the ears
        return trim_round(context, middle=6.0, radius=11.4, droop=0.02)
    comb = _fall(context, end=0.2, layered=3.0, uneven=0.16, turn_in=0.05, nape=-1.5, forward=1.3)
    front = context.front * context.top
    # fuller, shorter by up to 35% above the forehead, and over the temples (72% of the face's width)
    comb.layer *= 1.25
    comb.length *= 1 - 0.35 * front
    comb.guard *= np.where(context.roots.points[:, 2] > 6, 0.72, 0.96)
    return comb


def comb_back(context: StyleContext) -> Comb:
    """Combed off the forehead, over the ears, to the neck; longer in women."""
    x, y, z = context.roots.points.T
    look, curl = context.look, min(context.curl, COILY)
    # backwards 1, outwards 0.06 per cm, downwards only at the back
    back = np.stack([0.06 * x, -0.2 - 1.3 * context.back, -context.full(1.0)], 1) + 0.12 * context.smooth
    back += 0.05 * context.random
    # a quiff: the roots above the forehead stand
    lift = context.top * context.front * 0.75 * look.volume + 0.10 + 0.3 * curl
    # cm at the front: 0.9 straight, 1.8 at curl 0.75 and volume 1
    thick = (0.5 + 0.75 * look.volume) * (0.7 + 1.0 * curl)
    # tips at y = -4.5 cm (men, the nape) or -10 cm (women)
    end = EAR - (EAR + (4.5 if context.person.male else 10.0)) * look.hair_length * (1 - 0.3 * curl**1.5)
    # in front of the ear hair is cut short below y = 6.5 cm, to 6%
    before_ear = np.where(z > 0.5, np.clip((y - 2.5) / 4, 0.06, 1), 1)
    # the way over the skull: 0.75 cm per cm in z from the back of the head
    over_top = 0.75 * (z + 8.5) * (0.35 + 0.65 * context.top) + 0.4 * np.maximum(0, z)
    return Comb(
        direction=context.along_skin(back, lift),
        # towards the middle at the back; gravity 0.42 per cm straight
        pull=np.stack([-0.008 * x, context.full(-0.42 + 0.25 * curl), context.full(-0.05)], 1),
        length=np.maximum(y - end + over_top, 2) * before_ear * (1 + 0.09 * context.random[:, 1]).clip(0.6, 1.3),
        layer=0.15 + thick * np.clip((z + 9) / 17, 0.2, 1) * (0.8 + 0.14 * context.random[:, 2]).clip(0.35, 1.15),
        rise=context.full(2.6),
        guard=context.full(7.4),  # behind the temples
        curtain=-1.5 + 0.4 * context.random[:, 0],  # behind the ears
        turn_in=context.full(0.02),
        hug=0.25,
    )


def lay_fringe(context: StyleContext, comb: Comb) -> None:
    """Comb the front hair over the forehead, in place: straight, or swept to the side of the parting."""
    x, y, z = context.roots.points.T
    # roots within 4.9 cm of the middle, above y = 9.6 cm: the upper forehead
    fringe = (z > 3.4) & (y > 9.6) & (np.abs(x) < 4.9 - 0.25 * context.random[:, 0])
    # two thirds of the subjects wear it swept
    swept = 0.9 * np.tanh(context.look.part) * (context.person.seed % 3 != 0)
    # forwards 1, slightly down, fanning out by 0.1 per cm
    forward = np.stack([0.10 * x - 0.5 * swept, -0.3 + 0 * x, 1.0 + 0 * x], 1) + 0.10 * context.smooth
    direction = context.along_skin(forward, 0.35 * context.look.volume + 0.5 * context.curl)
    comb.direction[fringe] = direction[fringe]
    # gravity less than in `_fall`: a fringe is short and light
    comb.pull[fringe] = (-0.10 * swept, -0.32 + 0.15 * context.curl, -0.04)
    # y of the tips: an arch that is 0.5 cm lower at x = 5; curls shrink by up to 0.6 cm
    ends = FRINGE_END + 0.30 * context.random[:, 1] + 0.35 * context.smooth[:, 1] - 0.02 * x**2 + 0.6 * context.curl
    # down, plus 0.75 cm per cm in z up to the front of the forehead; swept hair takes a longer way
    way = (y - ends) * 1.04 + 0.75 * np.clip(9.0 - z, 0, 6) + 0.5 + 0.6 * abs(swept)
    comb.length[fringe] = np.maximum(way, 1.0)[fringe]
    comb.layer[fringe] = (0.10 + 0.35 * context.look.volume * context.rng.random(len(x)))[fringe]
    comb.guard[fringe] = 0  # a fringe may cover the face
