"""Identity embeddings of a data set's couples and their children, to train a kinship verifier on."""

from dataclasses import dataclass

import numpy as np

from kinlib.evaluation.embedding import embed_pictures
from kinlib.faces.align import find_and_align
from kinlib.families import FamilyTables, trios
from kinlib.runtime.errors import KinlibError

__all__ = ["FamilyEmbeddings", "embed_families"]


@dataclass(frozen=True, eq=False)
class FamilyEmbeddings:
    """Couples with their children, as `kinlib.evaluation.kinship.sample_pairs` takes them.

    Attributes:
        parents: [F, 2, D], father and mother of each couple, unit length: the mean direction of their photographs.
        children: of each couple [n, D], one row for each photograph of a child, unit length.
    """

    parents: np.ndarray
    children: list[np.ndarray]


def embed_families(tables: FamilyTables, photos_each: int = 2, seed: int = 0) -> FamilyEmbeddings:
    """Align and embed some photographs of each member of the trios of a data set, with the bundled identity network.

    Args:
        tables: from `kinlib.families.read`.
        photos_each: photographs of each person, at most; those in which no face is found are left out.
        seed: of their choice.

    Raises:
        KinlibError: if `photos_each` is below 1, or there are no trios.
    """
    if photos_each < 1:
        raise KinlibError(f"photos_each must be 1 or more, not {photos_each}")
    table = trios.build(tables)
    members = {person for role in trios.ROLES for person in table[role]}
    if not tables.images["person"].isin(members).any():
        raise KinlibError("the data set has no father, mother and child with photographs")
    embedded = _embed_people(tables, members, photos_each, seed)
    parents, children = [], []
    for (father, mother), rows in table.groupby(["father", "mother"], sort=True):
        young = [embedded[child] for child in rows["child"] if child in embedded]
        if father in embedded and mother in embedded and young:
            parents.append([_direction(embedded[father]), _direction(embedded[mother])])
            children.append(np.concatenate(young))
    return FamilyEmbeddings(np.array(parents), children)


def _embed_people(tables: FamilyTables, people: set[str], each: int, seed: int) -> dict[str, np.ndarray]:
    """Embeddings [n, D] of each person's photographs."""
    shuffled = tables.images[tables.images["person"].isin(people)].sample(frac=1, random_state=seed)
    chosen = shuffled.groupby("person", sort=True).head(each)
    owners, faces = [], []
    for image, person in zip(chosen["image"], chosen["person"], strict=True):
        try:
            faces.append(find_and_align(tables.path(image)).aligned)
        except KinlibError:  # no face, or no picture
            continue
        owners.append(person)
    found, owners = embed_pictures(faces), np.array(owners)
    return {person: found[owners == person] for person in np.unique(owners)}


def _direction(embeddings: np.ndarray) -> np.ndarray:
    mean = embeddings.mean(axis=0)
    return mean / np.linalg.norm(mean)
