"""Trios of a father, a mother and one of their children; image trios with one image of each.

    trios = build(tables)                       one row a trio, with all images of its people
    pairs = pair_images(trios, how="min")       one row an image trio
    fathers, mothers, children = aligned_lists(pairs)

A trio with F, M and C images of its people gives a number of image trios that depends on the strategy:

- `min`: min(F, M, C). No image is used twice in a trio. The smallest album sets the number.
- `all`: F x M x C, every combination. Families with many images dominate.
- `fixed`: the same number for every family, drawn from the combinations. Families have equal weight.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from kinlib.families.tables import FamilyTables
from kinlib.runtime.errors import KinlibError

__all__ = ["HOW", "MOST", "ROLES", "AlignedLists", "aligned_lists", "attach_images", "build", "effective_number"]
__all__ += ["num_image_trios", "pair_images", "weights"]

ROLES = ("father", "mother", "child")
HOW = ("min", "all", "fixed")
MOST = 5_000_000  # image trios that are made at once
PER = ("family", "house", "trio")


class AlignedLists(NamedTuple):
    """Three lists of paths: the n-th father, mother and child are one image trio."""

    fathers: list[str]
    mothers: list[str]
    children: list[str]


def build(tables: FamilyTables, images: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every father, mother and child, once.

    Children without a known father or mother give no trio; this includes children with contradicting houses.

    Args:
        tables: of a data set.
        images: replaces the set's images, with columns `image` and `person`; for instance without discarded images, or
            the aligned ones.

    Returns:
        `family`, `house`, `father`, `mother`, `child` (persons), and `father_images`, `mother_images`, `child_images`
        (lists of paths, which may be empty).
    """
    known = tables.relations
    fathers = known.loc[known["kind"] == "father", ["child", "parent", "house"]].rename(columns={"parent": "father"})
    mothers = known.loc[known["kind"] == "mother", ["child", "parent"]].rename(columns={"parent": "mother"})
    trios = fathers.merge(mothers, on="child").drop_duplicates(list(ROLES), ignore_index=True)
    trios.insert(0, "family", trios["child"].map(tables.family_of).astype(object))
    trios = trios[["family", "house", *ROLES]]
    return attach_images(trios, tables.images if images is None else images)


def attach_images(trios: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The trios with other images.

    Args:
        trios: as from `build`.
        images: columns `image` and `person`.
    """
    own = images.groupby("person", sort=False)["image"].agg(list).to_dict()
    lists = {f"{role}_images": [list(own.get(person, [])) for person in trios[role]] for role in ROLES}
    return trios.assign(**lists)


def pair_images(
    trios: pd.DataFrame, how: str = "min", number: int = 100, per: str = "family", seed: int = 0, most: int = MOST
) -> pd.DataFrame:
    """Make image trios.

    Args:
        trios: as from `build`; a trio in which a person has no images gives none.
        how: `min`: as many as the smallest of the three albums, each image at most once in a trio; `all`: every
            combination; `fixed`: `number` different combinations for each family, taken in turn from its trios (fewer,
            where there are not so many).
        number: for `fixed`.
        per: the unit that gets this number: "family" (extended), "house" (nuclear) or "trio".
        seed: of the choice of images, for `min` and `fixed`.
        most: limit on the number of image trios.

    Returns:
        `family`, `house`, `father`, `mother`, `child`, `father_image`, `mother_image`, `child_image`; no row twice.

    Raises:
        KinlibError: if `how`, `number` or `per` is none of these, or there would be more than `most` image trios.
    """
    counts = _image_trio_counts(trios, how, number, per)
    if counts.sum() > most:
        raise KinlibError(
            f"how='{how}' would make {counts.sum():,} image trios, more than {most:,}: take 'min' or 'fixed'"
        )
    rng = np.random.default_rng(seed)
    choose = CHOICES[how]
    chosen = [choose(sizes, count, rng) for sizes, count in zip(_sizes(trios).tolist(), counts.tolist(), strict=True)]
    pairs = trios.loc[trios.index.repeat(counts), ["family", "house", *ROLES]].reset_index(drop=True)
    for column, role in enumerate(ROLES):
        lists = trios[f"{role}_images"]
        pairs[f"{role}_image"] = pd.Series(
            [images[i] for images, rows in zip(lists, chosen, strict=True) for i in rows[:, column]], dtype=object
        )
    return pairs


def num_image_trios(trios: pd.DataFrame, how: str = "min", number: int = 100, per: str = "family") -> pd.Series:
    """Number of image trios of each trio, without creating them; see `pair_images`."""
    return pd.Series(_image_trio_counts(trios, how, number, per), index=trios.index, name="image_trios")


def aligned_lists(pairs: pd.DataFrame) -> AlignedLists:
    """Image trios as three lists of equal length, the input of encoders of whole folders."""
    return AlignedLists(*(pairs[f"{role}_image"].tolist() for role in ROLES))


def weights(trios: pd.DataFrame, counts: pd.Series, by: str = "family") -> pd.Series:
    """Share of each family (or other unit `by`) in all image trios, in descending order, summing to 1."""
    sums = counts.groupby(trios[by], sort=False).sum().sort_values(ascending=False, kind="stable")
    return sums / max(sums.sum(), 1)


def effective_number(shares: pd.Series) -> float:
    """Effective number of families: 1 / sum of squared shares (the inverse Simpson index); 0 without shares."""
    total = float(np.square(shares).sum())
    return 1 / total if total else 0.0


def _sizes(trios: pd.DataFrame) -> np.ndarray:
    """Numbers of images [N, 3] of father, mother and child."""
    columns = [trios[f"{role}_images"].map(len).to_numpy(dtype=np.int64) for role in ROLES]
    return np.column_stack(columns).reshape(len(trios), 3)


def _image_trio_counts(trios: pd.DataFrame, how: str, number: int, per: str) -> np.ndarray:
    """Image trios of each trio."""
    if how not in HOW:
        raise KinlibError(f"unknown way '{how}' to pair images: choose one of {', '.join(HOW)}")
    if per not in PER or number < 1:
        raise KinlibError(f"a fixed number must be 1 or more, for each {', '.join(PER)}; not {number} for '{per}'")
    sizes = _sizes(trios)
    if how == "min":
        return sizes.min(axis=1)
    room = sizes.prod(axis=1)
    if how == "all":
        return room
    counts = np.zeros(len(trios), dtype=np.int64)
    for rows in _sharing(trios, per):
        counts[rows] = _in_turn(room[rows], number)
    return counts


def _sharing(trios: pd.DataFrame, per: str) -> list[np.ndarray]:
    """The rows that share a fixed number."""
    if per == "trio":
        return [np.array([row]) for row in range(len(trios))]
    keys = ["family"] if per == "family" else ["family", "house"]
    return list(trios.groupby(keys, sort=False, dropna=False).indices.values())


def _in_turn(room: np.ndarray, number: int) -> np.ndarray:
    """Distribute a number evenly over places with limited capacity; the remainder goes to the first with capacity."""
    shares = np.zeros(len(room), dtype=np.int64)
    while (left := number - shares.sum()) > 0 and (free := np.flatnonzero(room > shares)).size:
        each = max(1, left // free.size)
        places = free[:left]
        shares[places] += np.minimum(each, (room - shares)[places])
    return shares


def _choose_min(sizes: list[int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Row numbers [count, 3] of images: a random selection from each album, without repetition."""
    return np.column_stack([rng.permutation(size)[:count] for size in sizes])


def _choose_all(sizes: list[int], count: int, rng: np.random.Generator) -> np.ndarray:
    return np.stack(np.unravel_index(np.arange(count), sizes), axis=1) if count else np.empty((0, 3), dtype=int)


def _choose_fixed(sizes: list[int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Different combinations, drawn from all."""
    if not count:
        return np.empty((0, 3), dtype=int)
    drawn = rng.choice(int(np.prod(sizes)), size=count, replace=False)
    return np.stack(np.unravel_index(drawn, sizes), axis=1)


CHOICES: dict[str, Callable[[list[int], int, np.random.Generator], np.ndarray]] = {
    "min": _choose_min,
    "all": _choose_all,
    "fixed": _choose_fixed,
}
