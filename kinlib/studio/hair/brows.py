"""Brows, grown on the posed face so that they move with the expression.

Numbers without a source were set by eye.
"""

import numpy as np

from kinlib.studio.atlas.atlas import Atlas, Brow
from kinlib.studio.hair.colour import brow_strand_colours
from kinlib.studio.hair.strands import Strands, join_strands, label_array
from kinlib.studio.labels import class_id, region_id
from kinlib.studio.person import Look, Person
from kinlib.studio.vectors import unit

__all__ = ["brows"]

BROW_STRANDS, BROW_POINTS, BROW_WIDTH = 330, 6, 0.026  # strands of one brow, points of a strand, cm
CM_PER_V = 33.0  # cm per unit of the texture coordinate v around the brows, measured (33.4)


def brows(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, atlas: Atlas, detail: float = 1.0
) -> Strands:
    """Both brows: thicker in men, finer in children, longer and more raised in old men.

    Args:
        person: sex, seed and `traits.brow`.
        look: age and grey.
        vertices, normals: float32 [V, 3], the posed face.
        atlas: `atlas.brows` gives the curves.
        detail: > 0, factor on the number of strands; their width is divided by it.
    """
    rng = np.random.default_rng([person.seed, 31])
    shape = rng.normal(size=3).clip(-1.8, 1.8)  # [3]: arch, height, fullness of the tail; the same on both sides
    sides = [_brow(person, look, vertices, normals, atlas, side, shape, detail, rng) for side in ("left", "right")]
    return join_strands(sides)


def _brow(
    person: Person,
    look: Look,
    vertices: np.ndarray,
    normals: np.ndarray,
    atlas: Atlas,
    side: str,
    shape: np.ndarray,
    detail: float,
    rng: np.random.Generator,
) -> Strands:
    """Strands of one brow; `shape` [3] holds z-scores of arch, height and fullness of the tail."""
    man, bushy, child = person.male, _bushy(person, look), float(np.clip((15 - look.age) / 10, 0, 1))
    # factor on the width of the brow: sex, trait (20% per z-score), childhood, age
    thick = (1.22 if man else 0.98) * (1 + 0.20 * person.traits.brow) * (1 - 0.2 * child) * (1 + 0.2 * bushy)
    thick = float(np.clip(thick, 0.5, 1.7))
    # factor on the strands per area, children 45% less
    dense = (1.0 if man else 0.85) * (1 + 0.15 * person.traits.brow) * (1 - 0.45 * child)
    count = max(8, round(BROW_STRANDS * detail * float(np.clip(dense * (0.5 + 0.5 * thick), 0.3, 1.8))))
    # [n]; a little denser towards the nose
    along = rng.beta(0.95, 1.2, count)  # 0 beside the nose, 1 at the tail
    across = rng.triangular(-1, -0.05, 1, count)  # -1 lower border, 1 upper
    roots, outward, tangent = _on_brow(atlas.brows[side], along, across * thick, man, shape, vertices, normals, atlas)
    upward = unit(np.cross(outward, tangent) * (1 if side == "left" else -1))
    # [n], direction against the brow: 80 degrees (upright) beside the nose to -6 at the tail; hairs of the upper border
    # lean down, of the lower up, so that they meet in the middle
    degrees = np.interp(along, (0, 0.12, 0.3, 0.6, 1), (80, 58, 32, 14, -6)) - 20 * across
    # scatter in degrees: tidy 7, men 12, bushy up to 20
    degrees += (7 + 8 * bushy + 5 * man) * rng.normal(size=count)
    # [n], cm: 7 mm in the middle, 4 mm at both ends
    length = np.interp(along, (0, 0.2, 0.6, 1), (0.40, 0.68, 0.72, 0.42)) * (1 + 0.3 * bushy) * (1 - 0.25 * child)
    length *= rng.uniform(0.7, 1.1, count)
    lift = 0.06 + 0.30 * bushy * rng.random(count)  # [n], share of the length that the hair rises off the skin
    points = _arcs(roots, outward, tangent, upward, np.radians(degrees), length, lift)
    # [n], thinner hairs at both borders and at the head of the brow
    border = np.clip(1.25 - np.abs(across) ** 2 - 0.5 * (along < 0.06), 0.35, 1)
    width = BROW_WIDTH / detail * border * (1 + 0.25 * (man + bushy) - 0.3 * child) * rng.uniform(0.7, 1.2, count)
    return Strands(
        points=points,
        normals=np.repeat(outward[:, None], BROW_POINTS, axis=1),
        openness=np.full((count, BROW_POINTS), 0.85),
        colour=brow_strand_colours(person, look, count, rng),
        width=width,
        label=label_array(count, class_id("l_brow" if side == "left" else "r_brow")),
        region=label_array(count, region_id("eyebrow")),
        shine=0.25,
        cast=0.0,
    )


def _bushy(person: Person, look: Look) -> float:
    """How bushy the brows of men grow: 0 up to 50 years, 1 from 75."""
    return float(np.clip((look.age - 50) / 25, 0, 1)) if person.male else 0.0


def _on_brow(
    brow: Brow,
    along: np.ndarray,
    across: np.ndarray,
    man: bool,
    shape: np.ndarray,
    vertices: np.ndarray,
    normals: np.ndarray,
    atlas: Atlas,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places on a brow of this subject.

    Args:
        brow: curve and half width on the generic face.
        along: [n], 0 at the head of the brow, 1 at its tail.
        across: [n], -1 at the lower border, 1 at the upper.
        man: whether the brow is straight and low (men) or arched and raised.
        shape: [3], see `_brow`.
        vertices, normals: float32 [V, 3], the posed face.
        atlas: maps texture coordinates to the face.

    Returns:
        Roots, outward normals and unit tangents along the brow, each [n, 3].
    """
    arch, height, tail = shape
    place = np.linspace(0, 1, len(brow.uv))
    # cm upwards, [60]: an arch at 62% of the length, and a shift of the whole brow
    rise = (0.05 * arch + (-0.02 if man else 0.05)) * np.exp(-(((place - 0.62) / 0.25) ** 2)) + 0.05 * height
    half = brow.half_width * np.interp(place, (0, 0.1, 0.5, 1), (0.8, 1.1, 1.12, 0.9 + 0.25 * tail))  # cm, [60]
    curve = brow.uv + np.stack([np.zeros_like(rise), rise / CM_PER_V], axis=1)  # [60, 2]
    middle, _ = atlas.place(curve, vertices, normals)  # [60, 3]
    slope = np.gradient(middle, axis=0)
    uv = np.stack([np.interp(along, place, curve[:, c]) for c in range(2)], axis=1)  # [n, 2]
    uv[:, 1] += across * np.interp(along, place, half) / CM_PER_V
    roots, outward = atlas.place(uv, vertices, normals)
    # [n, 3], made tangential below
    tangent = np.stack([np.interp(along, place, slope[:, c]) for c in range(3)], axis=1)
    return roots, outward, unit(tangent - outward * (tangent * outward).sum(axis=1, keepdims=True))


def _arcs(
    roots: np.ndarray,
    outward: np.ndarray,
    tangent: np.ndarray,
    upward: np.ndarray,
    angle: np.ndarray,
    length: np.ndarray,
    lift: np.ndarray,
) -> np.ndarray:
    """Hairs [n, K, 3] that start at `angle` [n] (radians) to the brow and bend towards it; `length` [n] in cm."""
    t = np.linspace(0, 1, BROW_POINTS)
    heading = angle[:, None] * (1 - 0.55 * t)  # [n, K], 45% of the angle is left at the tip
    # [n, K, 3], unit
    step = np.cos(heading)[..., None] * tangent[:, None] + np.sin(heading)[..., None] * upward[:, None]
    step = step * (length / (BROW_POINTS - 1))[:, None, None]
    # [n, K, 3], from the root
    path = np.concatenate([np.zeros((len(roots), 1, 3)), np.cumsum(step[:, :-1], axis=1)], axis=1)
    raised = 0.02 + (lift * length)[:, None] * np.sin(2.2 * t)  # [n, K], cm off the skin: 0.2 mm, then an arc
    return roots[:, None] + path + outward[:, None] * raised[..., None]
