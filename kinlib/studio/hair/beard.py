"""Beards: stubble, full beard, goatee, moustache; grown on the posed face so that they move with the jaw.

Numbers without a source were set by eye.
"""

from functools import lru_cache

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.atlas.atlas import Atlas
from kinlib.studio.hair.clumping import clump_strands, make_clumps
from kinlib.studio.hair.colour import beard_colour, strand_colours
from kinlib.studio.hair.strands import Strands, label_array
from kinlib.studio.hair.style_context import curl_parameters
from kinlib.studio.hair.volume import volume_shading
from kinlib.studio.labels import NONE, region_id
from kinlib.studio.person import BEARDS, Look, Person
from kinlib.studio.vectors import unit

__all__ = ["beard"]

# Strands at detail 1 and `traits.beard` of about 0.8.
STRANDS = {"stubble": 9000, "full": 11000, "goatee": 5000, "moustache": 2600}
MASKS = {"stubble": "beard", "full": "beard", "goatee": "goatee", "moustache": "moustache"}
POINTS, WIDTH = 7, 0.036  # points of a strand; cm
FIRST_AGE = 15  # years
HABITS = (0.55, 0.8, 1.25, 0.7, 1.9)  # cm, trimmed length; one of them by the seeds


def beard(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, atlas: Atlas, detail: float = 1.0
) -> Strands | None:
    """The beard of a subject; None for women, children and the shaven.

    Args:
        person: sex, seed, curl and `traits.beard`.
        look: age, style and grey.
        vertices, normals: float32 [V, 3], the posed face.
        atlas: its beard masks give the density.
        detail: > 0, factor on the number of strands; their width is divided by it.

    Raises:
        KinlibError: if the style is unknown.
    """
    if look.beard not in BEARDS:
        raise KinlibError(f"unknown beard '{look.beard}': choose one of {', '.join(BEARDS)}")
    if look.beard == "none" or not person.male or look.age < FIRST_AGE:
        return None
    rng = np.random.default_rng([person.seed, look.seed, 32])
    # 45% of the strands at `traits.beard` 0, 115% at 1
    count = round(STRANDS[look.beard] * detail * (0.45 + 0.7 * np.clip(person.traits.beard, 0, 1)))
    uv, share, generic = _roots(atlas, MASKS[look.beard], person.traits.beard, count, rng)
    roots, outward = atlas.place(uv, vertices, normals)
    length = _length(person, look, generic, share, rng)
    points = _strands(roots, outward, generic, length, rng)
    crest = np.zeros((count, POINTS), np.float32)
    # 18 strands to a clump; no parting
    clumps = make_clumps(points[:, 0], np.zeros(count, np.float32), max(20, count // 18), rng)
    if look.beard != "stubble":
        curl = float(np.clip(0.3 + 0.7 * person.traits.hair_curl, 0, 1))
        # beard hair curls more than scalp hair (0.3 at least), in smaller, shorter waves; factors by eye
        kind = curl_parameters(curl, radius=0.32, wavelength=0.45, frizz=0.55, gather=0.7, onset=0.3)
        phase = np.zeros(count, np.float32)
        points, crest = clump_strands(points, length.astype(np.float32), clumps, kind, phase, POINTS + 3, rng)
    return _record(person, look, points.astype(np.float32), crest, clumps.index, share, generic, detail, rng)


@lru_cache(maxsize=2)
def _texel_area(atlas: Atlas) -> np.ndarray:
    """Relative area of skin under each texel, float [S, S]; 0 outside the face."""
    across, up = np.gradient(atlas.face_positions, axis=1), np.gradient(atlas.face_positions, axis=0)
    return np.linalg.norm(np.cross(across, up), axis=-1) * atlas.face_covered


def _roots(
    atlas: Atlas, mask: str, thickness: float, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texture coordinates [n, 2], density there [n], and positions on the generic head [n, 3].

    Roots are drawn with a probability of density times area. A thin beard keeps its dense parts and is patchy on the
    cheeks.
    """
    # [S, S]; the exponent falls from 1.5 (thin beard: contrast) to 0.7 (thick)
    grown = np.clip(atlas.masks[mask], 0, 1) ** (1.5 - 0.8 * np.clip(thickness, 0, 1))
    # inverse transform sampling over the texels
    weight = np.cumsum(grown.ravel() * _texel_area(atlas).ravel())
    chosen = np.searchsorted(weight, rng.random(count) * weight[-1])
    rows, columns = np.unravel_index(chosen, grown.shape)  # [n] each
    uv = (np.stack([columns, rows], axis=1) + rng.random((count, 2))) / atlas.size
    return uv, grown[rows, columns], atlas.face_positions[rows, columns]


def _length(person: Person, look: Look, generic: np.ndarray, share: np.ndarray, rng) -> np.ndarray:
    """Lengths [n] in cm: longest at the chin, trimmed above the lip. `generic` [n, 3] places the roots."""
    if look.beard == "stubble":
        return 0.13 + 0.12 * rng.random(len(generic))  # a few days' growth, 1.3 to 2.5 mm
    x, y, z = np.abs(generic[:, 0]), generic[:, 1], generic[:, 2]
    habit = HABITS[(person.seed + look.seed) % len(HABITS)]
    # within about 3 cm of the middle and below the mouth
    chin = np.exp(-((x / 3.2) ** 2)) * (y < -5)
    # 55% on the cheeks, 130% at the chin; sparse places grow shorter hair
    length = habit * (0.55 + 0.75 * chin + 0.15 * (z > 6)) * np.clip(share, 0.25, 1) ** 0.6
    # a moustache is cut at the lip: the longer, the further out and up it starts
    above_lip = (y > -3.0) & (x < 3.2) & (z > 8)
    length = np.where(above_lip, np.minimum(0.42 + 0.25 * habit, 0.32 + 0.5 * x + 0.9 * (y + 2.5).clip(0, 1)), length)
    return length * rng.uniform(0.65, 1.1, len(generic))


def _strands(
    roots: np.ndarray, outward: np.ndarray, generic: np.ndarray, length: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Strands [n, K, 3]: down and forwards on the cheeks, sideways above the lip, the tips bent down by gravity."""
    x, y, z = generic.T
    above_lip = np.clip((y + 3.3) / 0.6, 0, 1) * (np.abs(x) < 3.2) * (z > 8)  # [n], 0..1
    aside = np.sign(x) * above_lip * np.clip(np.abs(x) / 1.2, 0.25, 1.1)
    # [n, 3]; forwards 0.25, backwards under the chin (y < -7.5); scatter of 16%
    flow = np.stack([aside, -np.ones(len(x)), 0.25 - 0.35 * (y < -7.5)], axis=1) + 0.16 * rng.normal(size=(len(x), 3))
    flat = unit(flow - outward * (flow * outward).sum(axis=1, keepdims=True))  # tangential
    # 20 to 32 degrees off the skin, flatter above the lip
    heading = unit(flat + outward * (0.38 + 0.25 * rng.random(len(x)) - 0.2 * above_lip)[:, None])
    t = np.linspace(0, 1, POINTS)[None, :, None]  # [1, K, 1]
    way = t * length[:, None, None]  # [n, K, 1], cm from the root
    # 0.16 per cm: half the bending by gravity
    return roots[:, None] + way * heading[:, None] - np.array([0, 0.16, 0]) * way**2


def _record(
    person: Person,
    look: Look,
    points: np.ndarray,
    crest: np.ndarray,
    clumps: np.ndarray,
    share: np.ndarray,
    generic: np.ndarray,
    detail: float,
    rng: np.random.Generator,
) -> Strands:
    """Width, shading, colour and labels of grown strands [n, K, 3]."""
    count = len(points)
    stubble = look.beard == "stubble"
    # [n], cm; finer in sparse places
    width = WIDTH / detail * np.clip(0.45 + 0.6 * share, 0, 1) * rng.uniform(0.7, 1.2, count)
    normals, openness = volume_shading(points, width.astype(np.float32))
    above_lip = (generic[:, 1] > -3.2) & (np.abs(generic[:, 0]) < 3.2) & (generic[:, 2] > 8)
    early = 0.5 - 0.8 * above_lip - 0.3 * (generic[:, 1] > -3)  # grey shows first at the chin
    colour = strand_colours(beard_colour(person, look), person, look, early, clumps, rng)
    return Strands(
        points=points,
        normals=normals,
        openness=np.clip(openness * (1 + 0.3 * crest), 0.05, 1),
        # stubble is 25% darker and half as wide: dots on the skin
        colour=colour * (0.75 if stubble else 1.0),
        width=width * (0.5 if stubble else 1.0),
        label=label_array(count),
        region=np.where(above_lip, region_id("moustache"), NONE),
        shine=0.3,
        cast=0.0 if stubble else 0.6,
    )
