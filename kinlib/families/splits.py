"""Training, validation and test sets that share no family, no photograph and no file.

A network can predict kinship without comparing faces if training data share people, relatives or photographs with the
test set (Dawson, Zisserman and Nellåker, "From same photo: cheating on visual kinship challenges", ACCV 2018).
Therefore whole families are assigned to a part, and families that share anything are kept together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kinlib.families.pictures import content_hashes
from kinlib.families.source import folded
from kinlib.families.tables import FamilyTables
from kinlib.runtime.errors import KinlibError

__all__ = ["SHARES", "Leaks", "count_leaks", "groups", "naive_split", "split"]

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
ORDERS = 50  # random orders of the groups that are tried; the one closest to the shares is kept


@dataclass(frozen=True)
class Leaks:
    """Leakage of a split: what occurs in more than one part.

    Attributes:
        people, families, groups: numbers of those with images in several parts (groups: see `groups`).
        photos, contents: photographs and identical files in several parts; contents is None if files were not compared.
        known_people, known_families: shares of the images outside the training part whose person, or family, has images
            in it.
    """

    people: int
    families: int
    groups: int
    photos: int
    contents: int | None
    known_people: float = 0.0
    known_families: float = 0.0


def groups(tables: FamilyTables, by_content: bool = False) -> pd.Series:
    """Group number by person; families that share nothing are in different groups.

    Families are joined by relations, photographs, people with the same name (as reported by the reader), and with
    `by_content` by identical image files.
    """
    links = [tables.people[["person", "family"]].to_numpy()]
    links.append(tables.relations[["parent", "child"]].to_numpy())
    links.append(tables.images.dropna(subset=["photo"])[["person", "photo"]].to_numpy())
    links.append(_same_names(tables))
    if by_content:
        images = tables.images.assign(content=tables.images["image"].map(content_hashes(tables)))
        links.append(images.dropna(subset=["content"])[["person", "content"]].to_numpy())
    kinds = ("family", "person", "photo", "name", "content")
    ends = [(("person", one), (kind, two)) for kind, pairs in zip(kinds, links, strict=False) for one, two in pairs]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(end for pair in ends for end in pair))}
    edges = np.array([[numbers[one], numbers[two]] for one, two in ends], dtype=int).reshape(-1, 2)
    joined = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(numbers), len(numbers)))
    found = connected_components(joined, directed=False)[1]
    people = tables.people["person"]
    own = [found[numbers["person", person]] for person in people]
    return pd.Series(pd.factorize(np.array(own))[0], index=people.to_numpy(), name="group")


def _same_names(tables: FamilyTables) -> np.ndarray:
    """(person, name) of people who may be one person in two families."""
    names = tables.people["name"].map(folded)
    later = {problem.person for problem in tables.problems if problem.kind == "same_name"}
    doubted = set(names[tables.people["person"].isin(later)])
    return np.column_stack([tables.people["person"], names])[names.isin(doubted)]


def split(
    tables: FamilyTables, shares: Mapping[str, float] = SHARES, seed: int = 0, by_content: bool = False
) -> pd.DataFrame:
    """Split whole groups of families into parts.

    Args:
        tables: of a data set.
        shares: of the images (of the people, if there are no images) in each part, summing to 1; met as closely as
            whole groups allow.
        seed: of the order of assignment.
        by_content: keep families with identical image files together.

    Returns:
        One row a person: `person`, `family`, `group`, `part`.

    Raises:
        KinlibError: if the shares do not sum to 1, or there are fewer groups than parts.
    """
    _check(shares)
    group = groups(tables, by_content)
    people = tables.people[["person", "family"]].assign(group=group.to_numpy())
    weights = tables.images["person"].map(group).value_counts() if len(tables.images) else group.value_counts()
    sizes = weights.reindex(range(group.max() + 1), fill_value=0).to_numpy(dtype=float)
    parts = [part for part, share in shares.items() if share]
    if len(sizes) < len(parts):
        raise KinlibError(f"{len(sizes)} groups of families cannot make {len(parts)} parts: ask for fewer parts")
    wanted = np.array([shares[part] for part in parts]) * sizes.sum()
    chosen = _deal(sizes, wanted, np.random.default_rng(seed))
    return people.assign(part=[parts[chosen[number]] for number in people["group"]])


def _check(shares: Mapping[str, float]) -> None:
    if any(share < 0 for share in shares.values()) or not np.isclose(sum(shares.values()), 1):
        raise KinlibError(f"the shares {dict(shares)} must be 0 or more and sum to 1")


def _deal(sizes: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The part of each group: greedily the part that lacks most, in the best of several random orders."""
    best, least = None, np.inf
    for _ in range(ORDERS):
        parts, have, counts = np.empty(len(sizes), dtype=int), np.zeros(len(wanted)), np.zeros(len(wanted), dtype=int)
        for turn, group in enumerate(rng.permutation(len(sizes))):
            need = (wanted - have) / wanted
            if len(sizes) - turn <= (counts == 0).sum():  # the last groups go to empty parts
                need[counts > 0] = -np.inf
            part = parts[group] = int(np.argmax(need))
            have[part] += sizes[group]
            counts[part] += 1
        off = np.abs(have - wanted).sum()
        if off < least:
            best, least = parts, off
    return best


def naive_split(tables: FamilyTables, shares: Mapping[str, float] = SHARES, seed: int = 0) -> pd.Series:
    """A split by image, which leaks people and families; for comparison. The part by `image`."""
    _check(shares)
    images = tables.images["image"].to_numpy()
    ends = np.round(np.cumsum(list(shares.values())) * len(images)).astype(int)
    parts = np.repeat(list(shares), np.diff(ends, prepend=0))
    return pd.Series(parts, index=np.random.default_rng(seed).permutation(images), name="part").loc[images]


def count_leaks(tables: FamilyTables, parts: pd.Series, by_content: bool = False, train: str = "train") -> Leaks:
    """Measure the leakage of a split.

    Args:
        tables: of a data set.
        parts: the part of every image, by `image`; or of every person, by `person`.
        by_content: compare the files' bytes too.
        train: name of the training part.

    Raises:
        KinlibError: if an image has no part.
    """
    images = tables.images.assign(family=tables.images["person"].map(tables.family_of))
    images["group"] = images["person"].map(groups(tables, by_content))
    by_image = images["image"].isin(parts.index).all()
    images["part"] = images["image" if by_image else "person"].map(parts)
    if images["part"].isna().any():
        raise KinlibError("every image or every person needs a part: some have none")
    learnt = images["part"] == train
    counts = {"people": "person", "families": "family", "groups": "group", "photos": "photo"}
    found = {name: _in_several(images, column) for name, column in counts.items()}
    if by_content:
        images["content"] = images["image"].map(content_hashes(tables))
    found["contents"] = _in_several(images, "content") if by_content else None
    known = {
        f"known_{name}": float(images.loc[~learnt, counts[name]].isin(images.loc[learnt, counts[name]]).mean())
        for name in ("people", "families")
        if not learnt.all()
    }
    return Leaks(**found, **known)


def _in_several(images: pd.DataFrame, column: str) -> int:
    """Number of values of a column that occur in more than one part."""
    return int((images.dropna(subset=[column]).groupby(column)["part"].nunique() > 1).sum())
