"""Scalp hair: from a person and a look to strands.

    hairline -> roots -> comb and gravity (or a knot) -> locks, waves, frizz -> hat -> volume shading, colour

Everything happens in the generic head's frame and is brought to the person's head at the end. The natural curl of the
traits shows in every style: a coily bob is round, a straight one hangs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.hair import loose, tied
from kinlib.studio.hair.clumping import Locks, crosses_face, dress, keep_outside, make_locks, press_down
from kinlib.studio.hair.colour import hair_colour, strand_colours
from kinlib.studio.hair.growth import Comb, grow
from kinlib.studio.hair.hairline import hairline
from kinlib.studio.hair.scalp import Frame, Roots, Skin, fit_frame, place_roots, root_pool, skin_map
from kinlib.studio.hair.strands import Strands, label_array, unit
from kinlib.studio.hair.style_context import StyleContext, prepare_style, texture
from kinlib.studio.hair.volume import volume_shading
from kinlib.studio.labels import class_id, region_id
from kinlib.studio.person import HAIR_STYLES, Look, Person

__all__ = ["hair_colour", "hairline", "scalp_hair"]

STRAND_WIDTH = 0.062  # cm at detail 1; a strand stands for several hairs
HAT_FRONT, HAT_BACK, HAT_HEIGHT = 8.3, 1.0, 0.12  # cm: y of a hat's edge before and behind; hair below it
MARGIN = 0.03  # cm that hair keeps off the skin
CREST_LIGHT = 0.32  # how much lighter a lock is on its outside than in its middle
FACE_LIMIT, FRINGE_LIMIT = 8.5, 4.5  # cm over the middle of the face that hair leaves free, without and with a fringe
COVERED = 1.2  # cm; shorter hair that far under a hat is left out


@dataclass(frozen=True)
class Style:
    """How a style is made.

    Attributes:
        comb: leads the strands; None for gathered hair.
        strands: number at detail 1.
        points: per strand.
        locks: number of locks, before curl.
        curl_points: points per strand of curly hair.
        least_curl: the style itself curls hair that far.
        wave: share of the natural waves' size that shows.
        fray: share of the natural fray.
        gather: share of the natural gathering into locks.
        width: of a strand, times `STRAND_WIDTH`; long hair is spread over more of the picture.
    """

    comb: Callable[[StyleContext], Comb] | None
    strands: int
    points: int
    locks: int
    curl_points: int = 0
    least_curl: float = 0.0
    wave: float = 1.0
    fray: float = 1.0
    gather: float = 1.0
    width: float = 1.0


@dataclass(frozen=True)
class Hairs:
    """Strands on their way, in the generic head's frame.

    Attributes:
        points: float32 [n, K, 3].
        crest: float32 [n, K], 1 on the outer side of a lock, -1 inside.
        locks: int [n], which strands go together.
        thin: float [n], thickness as a share of the usual.
    """

    points: np.ndarray
    crest: np.ndarray
    locks: np.ndarray
    thin: np.ndarray

    def select(self, chosen: np.ndarray) -> "Hairs":
        """The strands that a mask [n] chooses."""
        return Hairs(self.points[chosen], self.crest[chosen], self.locks[chosen], self.thin[chosen])


STYLES = {
    "receding": Style(loose.comb_receding, 7000, 7, 700, 9, wave=0.5, fray=0.5, gather=0.7),
    "buzz": Style(loose.comb_buzz, 15000, 4, 3000, 5, wave=0.0, fray=0.2, gather=0.3),
    "short": Style(loose.comb_short, 13000, 10, 520, 16, wave=0.62, fray=0.8, gather=0.75),
    "side": Style(loose.comb_side, 13000, 13, 360, 20, wave=0.7, fray=0.6, gather=0.8),
    "crop": Style(loose.comb_crop, 13000, 10, 600, 16, wave=0.6, fray=0.6, gather=0.7),
    "afro": Style(loose.comb_afro, 12000, 20, 1300, 22, least_curl=0.8),
    "curly": Style(loose.comb_curly, 11000, 20, 210, 26, least_curl=0.5),
    "mid": Style(loose.comb_mid, 12000, 20, 230, 32, width=1.1),
    "bob": Style(loose.comb_bob, 13000, 20, 300, 32, fray=0.7),
    "long": Style(loose.comb_long, 12000, 22, 220, 40, width=1.3),
    "wavy": Style(loose.comb_wavy, 12000, 26, 190, 40, least_curl=0.3, width=1.3),
    "back": Style(loose.comb_back, 12000, 20, 380, 28, wave=0.7, fray=0.7, width=1.2),
    "ponytail": Style(None, 11500, 20, 450, 26, wave=0.12, fray=0.25),
    "bun": Style(None, 11500, 20, 450, 26, wave=0.12, fray=0.25),
    "braids": Style(None, 11500, 20, 450, 26, wave=0.12, fray=0.25),
}
COVERED_STYLES = ("mid", "bob", "long", "wavy", "back")  # under a hat their hair comes out below
FRINGED = ("mid", "bob", "long", "wavy", "curly", "ponytail", "bun", "braids")
GATHERED = 0.32  # share of a gathered style's strands that is beyond the knot


def scalp_hair(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, detail: float = 1.0
) -> Strands | None:
    """The hair of a head.

    Args:
        person: curl and colour of the hair; sex and seed shape the hairline.
        look: style and its wishes, age, grey, hat.
        vertices: float32 [V, 3], the neutral head, cm.
        normals: float32 [V, 3].
        detail: scales the number of strands; they get wider in turn.

    Returns:
        Strands in the head's frame, or None for a bald head.

    Raises:
        KinlibError: if the style is unknown or detail is not positive.
    """
    if look.hair_style not in HAIR_STYLES:
        raise KinlibError(f"unknown hair style '{look.hair_style}': choose one of {', '.join(HAIR_STYLES)}")
    if not detail > 0:
        raise KinlibError(f"detail must be above 0, got {detail}")
    if look.hair_style == "bald":
        return None
    rng = np.random.default_rng([person.seed, look.seed, 21])
    style = STYLES[look.hair_style]
    skin = skin_map(vertices, frame := fit_frame(vertices))
    roots = _roots(person, look, vertices, normals, frame, round(style.strands * detail), rng)
    if len(roots) < 3:
        return None
    curl = max(person.traits.hair_curl, style.least_curl)
    context = prepare_style(roots, person, look, curl, int(style.locks * (1 + 1.5 * max(0, curl - 0.6))), rng)
    hairs = _tied(context, style, skin, detail) if style.comb is None else _combed(context, style, skin)
    keep_outside(hairs.points, skin, MARGIN)
    free = FRINGE_LIMIT if look.fringe or look.hair_style == "curly" else FACE_LIMIT
    hairs = hairs.select(~crosses_face(hairs.points, free))
    if look.hat is not None:
        press_down(hairs.points, skin, HAT_FRONT, HAT_BACK, HAT_HEIGHT)
    return _finish(context, style, frame, hairs, detail)


def _roots(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, frame: Frame, count: int, rng
) -> Roots:
    """Places of the strands; under a hat only where hair can come out below it."""
    positions = root_pool().positions
    density = hairline(positions, person, look)
    if look.hat is not None and look.hair_style not in COVERED_STYLES:
        edge = HAT_BACK + (HAT_FRONT - HAT_BACK) * np.clip((positions[:, 2] + 8) / 16, 0, 1)
        density = density * (positions[:, 1] < edge + COVERED)
    return place_roots(vertices, normals, frame, density, count, rng)


def _combed(context: StyleContext, style: Style, skin: Skin) -> Hairs:
    """Hair that hangs or stands as it is combed."""
    comb = style.comb(context)
    if context.look.fringe and context.look.hair_style in FRINGED and context.curl <= loose.COILY:
        loose.lay_fringe(context, comb)
    thin = _baby_hair(context, comb)
    points = grow(context.roots, comb, skin, style.points)
    return Hairs(*_dressed(context, style, points, comb.length, context.locks), context.locks.lock, thin)


def _baby_hair(context: StyleContext, comb: Comb) -> np.ndarray:
    """Shorten most hairs at the border of the hairline, in place; returns how thin hairs are there."""
    border = np.clip(1 - context.roots.density, 0, 1)
    short = border * (context.rng.random(len(border)) < 0.75)
    comb.length *= 1 - 0.8 * short
    return 1 - 0.45 * border


def _dressed(
    context: StyleContext, style: Style, points: np.ndarray, lengths: np.ndarray, locks: Locks, free: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Locks and waves, and the crest of these; `free` hair waves as it likes, whatever the style does to the rest."""
    wave, fray, gather = (1.0, 1.0, 1.0) if free else (style.wave, style.fray, style.gather)
    onset = min(1.0, 0.25 * float(np.median(lengths)))
    kind = texture(context.curl, radius=wave, fray=fray, gather=gather, onset=onset)
    starts = points[:, 0]
    phase = (5.0 * np.sin(0.35 * starts.sum(axis=1)) + 2 * np.sin(0.8 * starts[:, 0])).astype(np.float32)
    num_points = _enough_points(style, context.curl)
    return dress(points, lengths.astype(np.float32), locks, kind, phase, num_points, context.rng)


def _enough_points(style: Style, curl: float) -> int:
    """Points per strand of a style: as many as its curls take."""
    return style.points + round(np.clip((curl - 0.25) / 0.4, 0, 1) * (style.curl_points - style.points))


def _tied(context: StyleContext, style: Style, skin: Skin, detail: float) -> Hairs:
    """Hair drawn to a knot, and what is beyond it."""
    places = tied.knots(context)
    drawn, lengths = tied.draw_to_knots(context, places, skin, style.points)
    thin = 1 - 0.4 * np.clip(1 - context.roots.density, 0, 1)
    points, crest = _dressed(context, style, drawn, lengths, context.locks)
    num_points = points.shape[1]
    count = round(style.strands * GATHERED * detail)
    bundle = tied.gathered(context, places, count, num_points)
    loose, loose_crest, locks = bundle.points, bundle.crest, np.arange(len(bundle.points)) // 12
    if bundle.curls:
        together = make_locks(loose[:, num_points // 2], np.zeros(len(loose), np.float32), 90, context.rng)
        loose, loose_crest = _dressed(context, style, loose, bundle.lengths, together, free=True)
        locks = together.lock
    return Hairs(
        np.concatenate([points, loose]),
        np.concatenate([crest, loose_crest]),
        np.concatenate([context.locks.lock, context.locks.count + locks]),
        np.concatenate([thin, np.ones(len(loose))]),
    )


def _finish(context: StyleContext, style: Style, frame: Frame, hairs: Hairs, detail: float) -> Strands:
    """Shade, colour and bring to the person's head."""
    points, rng, count = hairs.points, context.rng, len(hairs.points)
    width = style.width * STRAND_WIDTH / detail * hairs.thin * np.exp(0.2 * rng.normal(size=count))
    width = width.astype(np.float32)
    normals, openness = volume_shading(points, width)
    openness = np.clip(openness * (1 + CREST_LIGHT * hairs.crest), 0.05, 1)
    _, y, z = points[:, 0].T
    greying = np.exp(-(((y - 5) / 4) ** 2)) * (z > -2) - 0.3
    colour = strand_colours(None, context.person, context.look, greying, hairs.locks, rng)
    return Strands(
        points=frame.to_own(points),
        normals=unit(normals / frame.scale),
        openness=openness,
        colour=colour,
        width=width * float(frame.scale.mean()),
        label=label_array(count, class_id("hair")),
        region=label_array(count, region_id("hair")),
        shine=float(0.8 - 0.65 * context.curl),
        cast=1.0,
    )
