"""Hair of the face: brows, beard and lashes. They move with the expression, so they are grown on the posed face."""

from functools import lru_cache

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kinlib.studio.atlas.build import Atlas, Brow
from kinlib.studio.hair.beard import beard
from kinlib.studio.hair.colour import brow_colour, brow_strand_colours
from kinlib.studio.hair.strands import Strands, join_strands, label_array, unit
from kinlib.studio.head.model import HeadModel
from kinlib.studio.labels import class_id, region_id
from kinlib.studio.person import Look, Person

__all__ = ["beard", "brow_colour", "brows", "lashes"]

BROW_STRANDS, BROW_POINTS, BROW_WIDTH = 330, 6, 0.026  # of one brow; cm
CM_PER_V = 33.0  # about the brows, of the face's texture
LASHES_UPPER, LASHES_LOWER = 46, 26  # of one eye


def brows(
    person: Person, look: Look, vertices: np.ndarray, normals: np.ndarray, atlas: Atlas, detail: float = 1.0
) -> Strands:
    """Both brows: thick in men, tidy in women, faint in children, bushy in old men.

    Args:
        person: sex, seed and `traits.brow`.
        look: age and grey.
        vertices, normals: float32 [V, 3], the face as it is posed.
        atlas: where brows grow.
        detail: scales the number of strands; they get wider in turn.
    """
    rng = np.random.default_rng([person.seed, 31])
    shape = rng.normal(size=3).clip(-1.8, 1.8)  # arch, height, fullness towards the tail: the same on both sides
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
    man, bushy, child = person.male, _bushy(person, look), float(np.clip((15 - look.age) / 10, 0, 1))
    thick = (1.22 if man else 0.98) * (1 + 0.20 * person.traits.brow) * (1 - 0.2 * child) * (1 + 0.2 * bushy)
    thick = float(np.clip(thick, 0.5, 1.7))
    dense = (1.0 if man else 0.85) * (1 + 0.15 * person.traits.brow) * (1 - 0.45 * child)
    count = max(8, round(BROW_STRANDS * detail * float(np.clip(dense * (0.5 + 0.5 * thick), 0.3, 1.8))))
    along = rng.beta(0.95, 1.2, count)  # 0 beside the nose, 1 at the tail
    across = rng.triangular(-1, -0.05, 1, count)  # -1 lower border, 1 upper
    roots, outward, tangent = _on_brow(atlas.brows[side], along, across * thick, man, shape, vertices, normals, atlas)
    upward = unit(np.cross(outward, tangent) * (1 if side == "left" else -1))
    degrees = np.interp(along, (0, 0.12, 0.3, 0.6, 1), (80, 58, 32, 14, -6)) - 20 * across
    degrees += (7 + 8 * bushy + 5 * man) * rng.normal(size=count)
    length = np.interp(along, (0, 0.2, 0.6, 1), (0.40, 0.68, 0.72, 0.42)) * (1 + 0.3 * bushy) * (1 - 0.25 * child)
    length *= rng.uniform(0.7, 1.1, count)
    lift = 0.06 + 0.30 * bushy * rng.random(count)
    points = _arcs(roots, outward, tangent, upward, np.radians(degrees), length, lift)
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
    """Roots, outward normals and directions along the brow, each [n, 3]."""
    arch, height, tail = shape
    place = np.linspace(0, 1, len(brow.uv))
    rise = (0.05 * arch + (-0.02 if man else 0.05)) * np.exp(-(((place - 0.62) / 0.25) ** 2)) + 0.05 * height
    half = brow.half_width * np.interp(place, (0, 0.1, 0.5, 1), (0.8, 1.1, 1.12, 0.9 + 0.25 * tail))
    curve = brow.uv + np.stack([np.zeros_like(rise), rise / CM_PER_V], axis=1)
    middle, _ = atlas.place(curve, vertices, normals)
    slope = np.gradient(middle, axis=0)
    uv = np.stack([np.interp(along, place, curve[:, c]) for c in range(2)], axis=1)
    uv[:, 1] += across * np.interp(along, place, half) / CM_PER_V
    roots, outward = atlas.place(uv, vertices, normals)
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
    """Short hairs [n, K, 3] that set out at an angle to the brow and bend towards it."""
    t = np.linspace(0, 1, BROW_POINTS)
    turned = angle[:, None] * (1 - 0.55 * t)  # [n, K]
    step = np.cos(turned)[..., None] * tangent[:, None] + np.sin(turned)[..., None] * upward[:, None]
    step = step * (length / (BROW_POINTS - 1))[:, None, None]
    path = np.concatenate([np.zeros((len(roots), 1, 3)), np.cumsum(step[:, :-1], axis=1)], axis=1)
    raised = 0.02 + (lift * length)[:, None] * np.sin(2.2 * t)
    return roots[:, None] + path + outward[:, None] * raised[..., None]


def lashes(person: Person, look: Look, vertices: np.ndarray, head: HeadModel) -> Strands:
    """Lashes of both eyes: along the sheets that the head model has for them.

    Args:
        person: sex; women's are longer and darker.
        look: age.
        vertices: float32 [V, 3], the face as it is posed.
        head: the head model.
    """
    rng = np.random.default_rng([person.seed, 33])
    parts = [_lash_row(vertices[grid], rng, person.male) for grid in _lash_grids(head)]
    points = np.concatenate(parts)
    count = len(points)
    colour = np.minimum(brow_colour(person, look) * 0.45, 0.035)
    thin = (0.020 if person.male else 0.030) * (1 - 0.25 * np.clip((look.age - 55) / 25, 0, 1))
    return Strands(
        points=points,
        normals=np.broadcast_to(np.array([0, 0, 1], np.float32), points.shape),
        openness=np.full(points.shape[:2], 0.6),
        colour=np.tile(colour, (count, 1)),
        width=thin * rng.uniform(0.7, 1.2, count),
        label=label_array(count),
        region=label_array(count, region_id("eyelashes")),
        shine=0.0,
        cast=0.0,
    )


def _lash_row(sheet: np.ndarray, rng: np.random.Generator, male: bool) -> np.ndarray:
    """Single lashes [n, K, 3] fanned over one sheet [columns, K, 3]."""
    columns, num_points = sheet.shape[:2]
    lower = sheet[:, -1, 1].mean() < sheet[:, 0, 1].mean()
    count = LASHES_LOWER if lower else LASHES_UPPER
    begin = (np.arange(count) + rng.random(count)) / count * (columns - 1.01)
    fan = 1.6 * (begin / columns - 0.5) + 0.5 * rng.normal(size=count)
    place = np.clip(begin[:, None] + fan[:, None] * np.linspace(0, 1, num_points), 0, columns - 1.01)
    low = place.astype(int)
    mix, row = (place - low)[..., None], np.arange(num_points)
    points = sheet[low, row] * (1 - mix) + sheet[low + 1, row] * mix
    longer = (0.45 if lower else 0.85) * (0.85 if male else 1.0) * rng.uniform(0.65, 1.05, count)
    return (points[:, :1] + (points - points[:, :1]) * longer[:, None, None]).astype(np.float32)


@lru_cache(maxsize=1)
def _lash_grids(head: HeadModel) -> tuple[np.ndarray, ...]:
    """Vertices [columns, K] of each sheet of lashes, from the lid to the tip."""
    triangles = head.lash_triangles
    used, compact = np.unique(triangles, return_inverse=True)
    compact = compact.reshape(triangles.shape)
    links = np.concatenate([compact[:, :2], compact[:, 1:]])
    _, sheet = connected_components(coo_matrix((np.ones(len(links)), links.T), (len(used), len(used))), directed=False)
    place = np.zeros((len(used), 2), np.float32)
    place[compact] = head.uv[head.lash_uv]
    grids = []
    for number in range(sheet.max() + 1):
        members = np.flatnonzero(sheet == number)
        order = np.lexsort((-place[members, 1], place[members, 0].round(3)))
        columns = len(np.unique(place[members, 0].round(3)))
        if len(members) % columns == 0:
            grids.append(used[members[order]].reshape(columns, -1))
    return tuple(grids)
