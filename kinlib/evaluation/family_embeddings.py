"""Identity embeddings of a data set's couples and their children: what kinship verification is trained and tested on.

Faces cropped from one photograph share its light, camera and background, by which a verifier tells relatives without
looking at faces (Dawson, Zisserman and Nellaker 2018, "From Same Photo: Cheating on Visual Kinship Challenges"). Where
a set states the photograph of each face, as FIW and FF-Database do, the share of children who were photographed with a
parent is reported, and they can be left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kinlib.evaluation.embedding import embed_pictures
from kinlib.evaluation.heredity import Reference
from kinlib.faces.align import find_and_align
from kinlib.families import FamilyTables, trios
from kinlib.runtime.errors import KinlibError

__all__ = ["FamilyEmbeddings", "embed_families", "of_reference"]


@dataclass(frozen=True, eq=False)
class FamilyEmbeddings:
    """Couples with their children, as `kinlib.evaluation.kinship.sample_pairs` takes them.

    Attributes:
        parents: [F, 2, D], father and mother of each couple, unit length: the mean direction of their photographs.
        children: of each couple [n, D], one row for each photograph of a child, unit length.
        homes: the extended family of each couple.
        couples: (father, mother) of each couple, as the data set names them.
        photographs: of each couple one of the father's and one of the mother's, in which a face was found; as in the
            table of images.
        unread: photographs in which no face was found, or which could not be read.
        same_photo: share of the children's photographs from which a parent's were cropped as well; NaN if the data set
            does not state it.
    """

    parents: np.ndarray
    children: list[np.ndarray]
    homes: list[str]
    couples: list[tuple[str, str]]
    photographs: list[tuple[str, str]]
    unread: int = 0
    same_photo: float = float("nan")

    def __len__(self) -> int:
        return len(self.children)

    def select(self, rows: Sequence[int]) -> "FamilyEmbeddings":
        """Some of the couples."""
        names = ("children", "homes", "couples", "photographs")
        lists = {name: [getattr(self, name)[row] for row in rows] for name in names}
        return FamilyEmbeddings(self.parents[list(rows)], **lists, unread=self.unread, same_photo=self.same_photo)


def embed_families(
    tables: FamilyTables, photos_each: int = 2, seed: int = 0, with_parent: bool = True
) -> FamilyEmbeddings:
    """Align and embed some photographs of each member of the trios of a data set, with the bundled identity network.

    Args:
        tables: from `kinlib.families.read`.
        photos_each: photographs of each person, at most; those in which no face is found are left out.
        seed: of their choice.
        with_parent: False leaves out children's faces cropped from the photograph that a parent's face is from.

    Raises:
        KinlibError: if `photos_each` is below 1, there are no trios, or none of whom faces are found.
    """
    if photos_each < 1:
        raise KinlibError(f"photos_each must be 1 or more, not {photos_each}")
    table = trios.build(tables)
    members = {person for role in trios.ROLES for person in table[role]}
    if not tables.images["person"].isin(members).any():
        raise KinlibError("the data set has no father, mother and child with photographs")
    faces, unread = _embed_people(tables, members, photos_each, seed)
    couples = table.groupby(list(trios.ROLES[:2]), sort=True)
    young = {couple: _children(faces, *couple, some["child"]) for couple, some in couples}
    kept = {couple: found[with_parent | ~together] for couple, (found, together) in young.items() if len(together)}
    kept = {couple: found for couple, found in kept.items() if len(found)}
    if not kept:
        raise KinlibError(f"faces were found of no father, mother and child of {tables.name}: check its pictures")
    shared = np.concatenate([together for _, together in young.values()])
    return FamilyEmbeddings(
        parents=np.array([[faces[parent].direction for parent in couple] for couple in kept]),
        children=list(kept.values()),
        homes=[str(home) for home in couples["family"].first()[list(kept)]],
        couples=list(kept),
        photographs=[tuple(faces[parent].images[0] for parent in couple) for couple in kept],
        unread=unread,
        same_photo=float(shared.mean()) if tables.images["photo"].notna().any() else float("nan"),
    )


def of_reference(reference: Reference, couples: Sequence[str], num_children: int) -> FamilyEmbeddings:
    """The true children of reference couples, as a data set of portraits.

    Raises:
        KinlibError: if a couple is unknown, or there are fewer than `num_children` or than 1.
    """
    if not 1 <= num_children <= reference.num_siblings:
        raise KinlibError(f"num_children must be from 1 to {reference.num_siblings}, not {num_children}")
    rows = [reference.row(couple) for couple in couples]
    return FamilyEmbeddings(
        parents=np.stack([reference.fathers[rows], reference.mothers[rows]], axis=1),
        children=[reference.children[row][:num_children] for row in rows],
        homes=list(couples),
        couples=[(f"{couple} father", f"{couple} mother") for couple in couples],
        photographs=[tuple(str(reference.picture(couple, role)) for role in trios.ROLES[:2]) for couple in couples],
    )


@dataclass(frozen=True, eq=False)
class _Faces:
    """One person's embeddings [n, D], their files, and the photographs that these were cropped from (or None)."""

    embeddings: np.ndarray
    images: list[str]
    photos: list[str | None]

    @property
    def direction(self) -> np.ndarray:
        """Of the mean embedding, [D], unit length."""
        mean = self.embeddings.mean(axis=0)
        return mean / np.linalg.norm(mean)


def _children(
    faces: dict[str, _Faces], father: str, mother: str, children: Iterable[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings [n, D] of a couple's children, and which are from a photograph of a parent, bool [n].

    Both are empty where a parent's face was not found.
    """
    parents, own = [faces.get(father), faces.get(mother)], [faces[child] for child in children if child in faces]
    if not own or not all(parents):
        return np.empty((0, 0)), np.empty(0, bool)
    theirs = {photo for parent in parents for photo in parent.photos} - {None}
    together = [photo in theirs for child in own for photo in child.photos]
    return np.concatenate([child.embeddings for child in own]), np.array(together)


def _embed_people(tables: FamilyTables, people: set[str], each: int, seed: int) -> tuple[dict[str, _Faces], int]:
    """The faces of each person of whom there are any, and the number of photographs without one."""
    shuffled = tables.images[tables.images["person"].isin(people)].sample(frac=1, random_state=seed)
    chosen = shuffled.groupby("person", sort=True).head(each)
    faces, kept = [], []
    for row, image in enumerate(chosen["image"]):
        try:
            faces.append(find_and_align(tables.path(image)).aligned)
        except KinlibError:  # no face, or no picture
            continue
        kept.append(row)
    if not faces:
        return {}, len(chosen)
    found, table = embed_pictures(faces), chosen.iloc[kept].reset_index(drop=True)
    return {
        person: _Faces(found[part.index], part["image"].tolist(), [None if pd.isna(p) else p for p in part["photo"]])
        for person, part in table.groupby("person", sort=True)
    }, len(chosen) - len(kept)
