"""Scalp hair: from a subject and a look to shaded strands.

    hairline -> roots -> combing and gravity (or a knot) -> clumping, curl, frizz -> hat -> volume shading, colour

Strands are computed in the generic head's frame and mapped to the subject's head at the end. The natural curl acts on
every style: a coily bob is round, a straight one hangs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.hair import loose, tied
from kinlib.studio.hair.clumping import Clumps, clump_strands, crosses_face, keep_outside, make_clumps, press_down
from kinlib.studio.hair.colour import strand_colours
from kinlib.studio.hair.growth import Comb, grow
from kinlib.studio.hair.hairline import hairline
from kinlib.studio.hair.scalp import BodySurface, HeadFrame, Roots, fit_frame, measure_body, place_roots, root_pool
from kinlib.studio.hair.strands import Strands, label_array
from kinlib.studio.hair.style_context import StyleContext, curl_parameters, prepare_style
from kinlib.studio.hair.volume import volume_shading
from kinlib.studio.labels import class_id, region_id
from kinlib.studio.person import HAIR_STYLES, Look, Person
from kinlib.studio.vectors import unit

__all__ = ["scalp_hair"]

STRAND_WIDTH = 0.062  # cm at detail 1; a strand stands for several hairs
HAT_FRONT, HAT_BACK = 8.3, 1.0  # cm, y of a hat's brim at the forehead and at the nape
HAT_HEIGHT = 0.12  # cm, thickness of the hair under a hat
MARGIN = 0.03  # cm of clearance over the skin
CREST_LIGHT = 0.32  # openness gained on the outside of a clump
FACE_LIMIT, FRINGE_LIMIT = 8.5, 4.5  # cm above the middle of the face kept free, without and with a fringe
COVERED = 1.2  # cm; roots further than this under a hat are left out in short styles


@dataclass(frozen=True)
class Style:
    """Parameters of a style.

    Attributes:
        comb: function that gives the growth parameters; None for gathered hair.
        strands: number of strands at detail 1.
        points: per strand, for straight hair.
        clumps: number of clumps of hair with a curl up to 0.6.
        curl_points: points per strand of curly hair.
        least_curl: 0..1, curl that the style adds to straight hair.
        wave: factor on the natural radius of the waves.
        frizz: factor on the natural frizz.
        gather: factor on the natural clumping.
        width: factor on `STRAND_WIDTH`; long hair covers more of the picture.
    """

    comb: Callable[[StyleContext], Comb] | None
    strands: int
    points: int
    clumps: int
    curl_points: int = 0
    least_curl: float = 0.0
    wave: float = 1.0
    frizz: float = 1.0
    gather: float = 1.0
    width: float = 1.0


@dataclass(frozen=True)
class GenericStrands:
    """Strands before shading, in the generic head's frame.

    Attributes:
        points: float32 [n, K, 3].
        crest: float32 [n, K], 1 on the outer side of a clump, -1 inside.
        clumps: int [n], clump of each strand.
        thin: float [n], factor on the width.
    """

    points: np.ndarray
    crest: np.ndarray
    clumps: np.ndarray
    thin: np.ndarray

    def select(self, chosen: np.ndarray) -> "GenericStrands":
        """The strands that a mask [n] chooses."""
        return GenericStrands(self.points[chosen], self.crest[chosen], self.clumps[chosen], self.thin[chosen])


# Strands, points, clumps, points when curly. By eye: strands to cover the scalp, points for the style's longest curve,
# few clumps for wide locks.
STYLES = {
    "receding": Style(loose.comb_receding, 7000, 7, 700, 9, wave=0.5, frizz=0.5, gather=0.7),
    "buzz": Style(loose.comb_buzz, 15000, 4, 3000, 5, wave=0.0, frizz=0.2, gather=0.3),
    "short": Style(loose.comb_short, 13000, 10, 520, 16, wave=0.62, frizz=0.8, gather=0.75),
    "side": Style(loose.comb_side, 13000, 13, 360, 20, wave=0.7, frizz=0.6, gather=0.8),
    "crop": Style(loose.comb_crop, 13000, 10, 600, 16, wave=0.6, frizz=0.6, gather=0.7),
    "afro": Style(loose.comb_afro, 12000, 20, 1300, 22, least_curl=0.8),
    "curly": Style(loose.comb_curly, 11000, 20, 210, 26, least_curl=0.5),
    "mid": Style(loose.comb_mid, 12000, 20, 230, 32, width=1.1),
    "bob": Style(loose.comb_bob, 13000, 20, 300, 32, frizz=0.7),
    "long": Style(loose.comb_long, 12000, 22, 220, 40, width=1.3),
    "wavy": Style(loose.comb_wavy, 12000, 26, 190, 40, least_curl=0.3, width=1.3),
    "back": Style(loose.comb_back, 12000, 20, 380, 28, wave=0.7, frizz=0.7, width=1.2),
    "ponytail": Style(None, 11500, 20, 450, 26, wave=0.12, frizz=0.25),
    "bun": Style(None, 11500, 20, 450, 26, wave=0.12, frizz=0.25),
    "braids": Style(None, 11500, 20, 450, 26, wave=0.12, frizz=0.25),
}
COVERED_STYLES = ("mid", "bob", "long", "wavy", "back")  # long enough to show below a hat
FRINGED = ("mid", "bob", "long", "wavy", "curly", "ponytail", "bun", "braids")
GATHERED = 0.32  # strands beyond the knot, as a share of those drawn to it


def scalp_hair(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, detail: float = 1.0
) -> Strands | None:
    """Scalp hair of a subject.

    Args:
        person: curl and colour of the hair; sex and seed vary the hairline.
        look: style with length, volume, parting and fringe; age, grey, hat.
        vertices: float32 [V, 3], the neutral head, cm.
        normals: float32 [V, 3], unit vectors.
        detail: > 0, factor on the number of strands; their width is divided by it.

    Returns:
        Strands in the head's frame, or None if none grow.

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
    body = measure_body(vertices, frame := fit_frame(vertices))
    roots = _roots(person, look, vertices, normals, frame, round(style.strands * detail), rng)
    if len(roots) < 3:
        return None
    # tightly curled hair forms up to 60% more clumps
    curl = max(person.traits.hair_curl, style.least_curl)
    context = prepare_style(roots, person, look, curl, int(style.clumps * (1 + 1.5 * max(0, curl - 0.6))), rng)
    strands = _tied(context, style, body, detail) if style.comb is None else _combed(context, style, body)
    keep_outside(strands.points, body, MARGIN)
    # strands that still cross the face after the collisions are dropped
    free = FRINGE_LIMIT if look.fringe or look.hair_style == "curly" else FACE_LIMIT
    strands = strands.select(~crosses_face(strands.points, free))
    if look.hat is not None:
        press_down(strands.points, body, HAT_FRONT, HAT_BACK, HAT_HEIGHT)
    return _finish(context, style, frame, strands, detail)


def _roots(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, frame: HeadFrame, count: int, rng
) -> Roots:
    """Roots of the strands; under a hat only where hair can show below the brim."""
    positions = root_pool().positions
    density = hairline(positions, person, look)
    if look.hat is not None and look.hair_style not in COVERED_STYLES:
        # the brim falls linearly from the forehead (z = 8 cm) to the nape (z = -8 cm)
        edge = HAT_BACK + (HAT_FRONT - HAT_BACK) * np.clip((positions[:, 2] + 8) / 16, 0, 1)
        density = density * (positions[:, 1] < edge + COVERED)
    return place_roots(vertices, normals, frame, density, count, rng)


def _combed(context: StyleContext, style: Style, body: BodySurface) -> GenericStrands:
    """Loose hair, grown by its comb."""
    comb = style.comb(context)
    if context.look.fringe and context.look.hair_style in FRINGED and context.curl <= loose.COILY:
        loose.lay_fringe(context, comb)
    thin = _baby_hair(context, comb)
    points = grow(context.roots, comb, body, style.points)
    return GenericStrands(*_clumped(context, style, points, comb.length, context.clumps), context.clumps.index, thin)


def _baby_hair(context: StyleContext, comb: Comb) -> np.ndarray:
    """Shorten most strands at the border of the hairline, in place; returns a factor [n] on their width."""
    border = np.clip(1 - context.roots.density, 0, 1)
    # 75% of the hairs at the border are vellus hair: 80% shorter, 45% thinner
    short = border * (context.rng.random(len(border)) < 0.75)
    comb.length *= 1 - 0.8 * short
    return 1 - 0.45 * border


def _clumped(
    context: StyleContext, style: Style, points: np.ndarray, lengths: np.ndarray, clumps: Clumps, free: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Clumped points [n, M, 3] and their crest [n, M]; `free` hair ignores the style's factors."""
    wave, frizz, gather = (1.0, 1.0, 1.0) if free else (style.wave, style.frizz, style.gather)
    # short hair curls from a quarter of its length
    onset = min(1.0, 0.25 * float(np.median(lengths)))
    kind = curl_parameters(context.curl, radius=wave, frizz=frizz, gather=gather, onset=onset)
    starts = points[:, 0]
    # [n], radians: smooth over the head, with periods of 18 and 8 cm
    phase = (5.0 * np.sin(0.35 * starts.sum(axis=1)) + 2 * np.sin(0.8 * starts[:, 0])).astype(np.float32)
    num_points = _enough_points(style, context.curl)
    return clump_strands(points, lengths.astype(np.float32), clumps, kind, phase, num_points, context.rng)


def _enough_points(style: Style, curl: float) -> int:
    """Points per strand: from `points` at curl 0.25 to `curl_points` at 0.65."""
    return style.points + round(np.clip((curl - 0.25) / 0.4, 0, 1) * (style.curl_points - style.points))


def _tied(context: StyleContext, style: Style, body: BodySurface, detail: float) -> GenericStrands:
    """Hair drawn to a knot, and the hair beyond it."""
    places = tied.knots(context)
    drawn, lengths = tied.draw_to_knots(context, places, body, style.points)
    thin = 1 - 0.4 * np.clip(1 - context.roots.density, 0, 1)  # [n], thinner at the hairline
    points, crest = _clumped(context, style, drawn, lengths, context.clumps)
    num_points = points.shape[1]
    count = round(style.strands * GATHERED * detail)
    bundle = tied.gathered(context, places, count, num_points)
    # 12 strands to a clump for colour; curling hair forms 90 clumps by its points half way down
    loose, loose_crest, clumps = bundle.points, bundle.crest, np.arange(len(bundle.points)) // 12
    if bundle.curls:
        together = make_clumps(loose[:, num_points // 2], np.zeros(len(loose), np.float32), 90, context.rng)
        loose, loose_crest = _clumped(context, style, loose, bundle.lengths, together, free=True)
        clumps = together.index
    return GenericStrands(
        np.concatenate([points, loose]),
        np.concatenate([crest, loose_crest]),
        np.concatenate([context.clumps.index, context.clumps.count + clumps]),
        np.concatenate([thin, np.ones(len(loose))]),
    )


def _finish(context: StyleContext, style: Style, frame: HeadFrame, strands: GenericStrands, detail: float) -> Strands:
    """Shade, colour and map strands to the subject's head."""
    points, rng, count = strands.points, context.rng, len(strands.points)
    # [n], widths scatter by 20%
    width = style.width * STRAND_WIDTH / detail * strands.thin * np.exp(0.2 * rng.normal(size=count))
    width = width.astype(np.float32)
    normals, openness = volume_shading(points, width)
    openness = np.clip(openness * (1 + CREST_LIGHT * strands.crest), 0.05, 1)
    _, y, z = points[:, 0].T
    # temples (y about 5 cm, in front of z = -2) turn grey first
    greying = np.exp(-(((y - 5) / 4) ** 2)) * (z > -2) - 0.3
    colour = strand_colours(None, context.person, context.look, greying, strands.clumps, rng)
    return Strands(
        points=frame.to_own(points),
        normals=unit(normals / frame.scale),  # normals transform with the inverse scale
        openness=openness,
        colour=colour,
        width=width * float(frame.scale.mean()),
        label=label_array(count, class_id("hair")),
        region=label_array(count, region_id("hair")),
        shine=float(0.8 - 0.65 * context.curl),  # straight hair reflects as one surface, coily hair hardly
        cast=1.0,
    )
