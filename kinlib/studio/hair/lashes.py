"""Lashes of both eyes, fanned over the flat sheets that the head model has for them; they move with the lids."""

from functools import lru_cache

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kinlib.studio.hair.colour import brow_colour
from kinlib.studio.hair.strands import Strands, label_array
from kinlib.studio.head.model import HeadModel
from kinlib.studio.labels import region_id
from kinlib.studio.person import Look, Person

__all__ = ["lashes"]

LASHES_UPPER, LASHES_LOWER = 46, 26  # strands of one eye; real lids have two to three times as many


def lashes(person: Person, look: Look, vertices: np.ndarray, head: HeadModel) -> Strands:
    """Lashes of both eyes.

    Args:
        person: sex; women's are longer and thicker.
        look: age.
        vertices: float32 [V, 3], the posed face.
        head: its lash sheets give the curves.
    """
    rng = np.random.default_rng([person.seed, 33])
    parts = [_lash_row(vertices[grid], rng, person.male) for grid in _lash_grids(head)]
    points = np.concatenate(parts)
    count = len(points)
    # nearly black in everyone: linear albedo of at most 0.035
    colour = np.minimum(brow_colour(person, look) * 0.45, 0.035)
    # cm; a quarter thinner from 80 years on
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
    """Single lashes [n, K, 3], fanned over one sheet [columns, K, 3] from lid to tip."""
    columns, num_points = sheet.shape[:2]
    lower = sheet[:, -1, 1].mean() < sheet[:, 0, 1].mean()  # tips below the roots: the lower lid
    count = LASHES_LOWER if lower else LASHES_UPPER
    begin = (np.arange(count) + rng.random(count)) / count * (columns - 1.01)  # [n], column of each root: stratified
    # [n], columns from root to tip: outwards at both ends of the lid, with scatter
    fan = 1.6 * (begin / columns - 0.5) + 0.5 * rng.normal(size=count)
    # [n, K], fractional columns
    place = np.clip(begin[:, None] + fan[:, None] * np.linspace(0, 1, num_points), 0, columns - 1.01)
    low = place.astype(int)
    mix, row = (place - low)[..., None], np.arange(num_points)
    points = sheet[low, row] * (1 - mix) + sheet[low + 1, row] * mix
    # [n], share of the sheet's length: lower lashes half as long
    longer = (0.45 if lower else 0.85) * (0.85 if male else 1.0) * rng.uniform(0.65, 1.05, count)
    return (points[:, :1] + (points - points[:, :1]) * longer[:, None, None]).astype(np.float32)


@lru_cache(maxsize=1)
def _lash_grids(head: HeadModel) -> tuple[np.ndarray, ...]:
    """Vertices int [columns, K] of each lash sheet, from the lid to the tip."""
    triangles = head.lash_triangles
    used, compact = np.unique(triangles, return_inverse=True)
    compact = compact.reshape(triangles.shape)
    # sheets are connected components of the triangles' edges
    links = np.concatenate([compact[:, :2], compact[:, 1:]])
    _, sheet = connected_components(coo_matrix((np.ones(len(links)), links.T), (len(used), len(used))), directed=False)
    place = np.zeros((len(used), 2), np.float32)
    place[compact] = head.uv[head.lash_uv]
    grids = []
    for number in range(sheet.max() + 1):
        members = np.flatnonzero(sheet == number)
        # u runs along the lid, v from the tip to the lid
        order = np.lexsort((-place[members, 1], place[members, 0].round(3)))
        columns = len(np.unique(place[members, 0].round(3)))
        if len(members) % columns == 0:  # a regular grid; anything else is no lash sheet
            grids.append(used[members[order]].reshape(columns, -1))
    return tuple(grids)
