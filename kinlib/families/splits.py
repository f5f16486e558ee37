"""Training, validation and test sets that share no family, no photograph and no file.

A network that has seen somebody, or somebody's sister, or the sofa on which both were photographed, need not look at
faces any more to tell who is related (Dawson, Zisserman and Nellåker, "From same photo: cheating on visual kinship
challenges", ACCV 2018). So whole families are dealt out, and families that have anything in common go together.
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
ORDERS = 50  # in which groups are dealt out; the one that comes nearest to the shares is kept


@dataclass(frozen=True)
class Leaks:
    """What stands in more than one part, by a split of images.

    Attributes:
        people, families, groups: numbers of those whose images are in several parts (groups: see `groups`).
        photos, contents: photographs and identical files that are in several parts; contents is None where files were
            not compared.
        known_people, known_families: shares of the images outside the training part whose person, or family, that
            part has images of.
    """

    people: int
    families: int
    groups: int
    photos: int
    contents: int | None
    known_people: float = 0.0
    known_families: float = 0.0


def groups(tables: FamilyTables, by_content: bool = False) -> pd.Series:
    """The number of everybody's group, by person: families that share nothing are in different groups.

    Families are joined by relations, by a photograph, by a person with the same name where the reader has found that,
    and with `by_content` by image files with the same bytes.
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
    """(person, name) of those whom the reader takes for one person in two families."""
    names = tables.people["name"].map(folded)
    later = {problem.person for problem in tables.problems if problem.kind == "same_name"}
    doubted = set(names[tables.people["person"].isin(later)])
    return np.column_stack([tables.people["person"], names])[names.isin(doubted)]


def split(
    tables: FamilyTables, shares: Mapping[str, float] = SHARES, seed: int = 0, by_content: bool = False
) -> pd.DataFrame:
    """Deal out whole groups of families.

    Args:
        tables: of a data set.
        shares: of the images (of the people, where there are no images) that each part is to have, summing to 1; met
            as nearly as whole groups allow.
        seed: of the order in which groups are dealt out.
        by_content: keep families together that share an image file.

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
    """A part for each group: each goes where most is missing; of many orders the one that comes nearest."""
    best, least = None, np.inf
    for _ in range(ORDERS):
        parts, have, counts = np.empty(len(sizes), dtype=int), np.zeros(len(wanted)), np.zeros(len(wanted), dtype=int)
        for turn, group in enumerate(rng.permutation(len(sizes))):
            need = (wanted - have) / wanted
            if len(sizes) - turn <= (counts == 0).sum():  # the last groups go to parts that have none
                need[counts > 0] = -np.inf
            part = parts[group] = int(np.argmax(need))
            have[part] += sizes[group]
            counts[part] += 1
        off = np.abs(have - wanted).sum()
        if off < least:
            best, least = parts, off
    return best


def naive_split(tables: FamilyTables, shares: Mapping[str, float] = SHARES, seed: int = 0) -> pd.Series:
    """Images dealt out one by one, whoever is on them: what not to do. The part of every image, by `image`."""
    _check(shares)
    images = tables.images["image"].to_numpy()
    ends = np.round(np.cumsum(list(shares.values())) * len(images)).astype(int)
    parts = np.repeat(list(shares), np.diff(ends, prepend=0))
    return pd.Series(parts, index=np.random.default_rng(seed).permutation(images), name="part").loc[images]


def count_leaks(tables: FamilyTables, parts: pd.Series, by_content: bool = False, train: str = "train") -> Leaks:
    """Count what a split lets through.

    Args:
        tables: of a data set.
        parts: the part of every image, by `image`; or of every person, by `person`.
        by_content: compare the files' bytes too.
        train: name of the part that is learnt from.

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
    """How many values of a column occur in more than one part."""
    return int((images.dropna(subset=[column]).groupby(column)["part"].nunique() > 1).sum())
