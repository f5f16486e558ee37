"""The reference set: true children of many couples, as measured, against which methods are scored.

For every couple some dozens of siblings are sampled by the studio's genetics and rendered. Their pictures are not kept,
only what was measured: identity embeddings, the traits that follow from the genome (`true`), and the numbers measured
in the pictures (`measured`, by `kinlib.evaluation.heredity.measures`). A column that both tables have is the same trait
twice, its true value and its measured one. The parents' pictures are kept, as input for methods.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib.runtime.errors import KinlibError

__all__ = ["KEYS", "ROLES", "Provenance", "Reference"]

ROLES = ("father", "mother", "child")
KEYS = ("couple", "role", "number")  # the first columns of both tables


@dataclass(frozen=True)
class Provenance:
    """How a reference set came about.

    Attributes:
        seed: from which all couples, siblings and pictures follow.
        identity_sha256: SHA-256 of the identity network's file.
        renderer: version of the renderer.
        extra: anything else worth knowing: numbers, words, lists and dictionaries of them.
    """

    seed: int
    identity_sha256: str
    renderer: str
    extra: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reference:
    """The true children of C couples, S of each.

    Attributes:
        couples: names of the couples, each once.
        children: float32 [C, S, D], embeddings of unit length.
        fathers: float32 [C, D].
        mothers: float32 [C, D].
        true: one row a person with `couple`, `role` ("father", "mother" or "child") and `number` (0 for a parent), then
            the traits that follow from the genome; numbers, or words and Booleans for categories. Any order of rows.
        measured: the same rows with what was measured in the pictures; may hold NaN. Or None.
        father_pictures: one path a couple, relative to `folder`, with forward slashes.
        mother_pictures: the same.
        provenance: how the set came about.
        folder: where it lies; None for one that was never stored.

    Raises:
        KinlibError: if the parts do not fit together.
    """

    couples: tuple[str, ...]
    children: np.ndarray
    fathers: np.ndarray
    mothers: np.ndarray
    true: pd.DataFrame
    measured: pd.DataFrame | None
    father_pictures: tuple[str, ...]
    mother_pictures: tuple[str, ...]
    provenance: Provenance
    folder: Path | None = None

    def __post_init__(self):
        _check_arrays(self)
        for kind in ("true", "measured"):
            if getattr(self, kind) is not None:
                object.__setattr__(self, kind, _in_order(getattr(self, kind), kind, self.couples, self.num_siblings))

    def __len__(self) -> int:
        return len(self.couples)

    @property
    def num_siblings(self) -> int:
        """S, the number of true children of each couple."""
        return self.children.shape[1]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {couple: row for row, couple in enumerate(self.couples)}

    def row(self, couple: str) -> int:
        """Row of a couple in the arrays.

        Raises:
            KinlibError: if there is no such couple.
        """
        if couple not in self._rows:
            raise KinlibError(f"there is no couple '{couple}' in the reference; its first is '{self.couples[0]}'")
        return self._rows[couple]

    def has_traits(self, kind: str) -> bool:
        """Whether there is a table of that kind ("true" or "measured")."""
        return self._table(kind) is not None

    def traits(self, couple: str, role: str = "child", kind: str = "true") -> pd.DataFrame:
        """Traits of a couple's children [S rows] or of one parent [1 row], without the columns that name the person.

        Raises:
            KinlibError: if couple, role or kind are unknown, or the set has no such table.
        """
        if role not in ROLES:
            raise KinlibError(f"unknown role '{role}': choose one of {', '.join(ROLES)}")
        table = self._table(kind)
        if table is None:
            raise KinlibError("the reference holds no measured traits: use the true ones")
        first = self.row(couple) * (self.num_siblings + 2)  # father, mother, children
        start, stop = {"father": (0, 1), "mother": (1, 2), "child": (2, 2 + self.num_siblings)}[role]
        return table.iloc[first + start : first + stop, len(KEYS) :].reset_index(drop=True)

    def picture(self, couple: str, role: str) -> Path:
        """The picture of a father or mother.

        Raises:
            KinlibError: if couple or role are unknown, or the set was never stored.
        """
        pictures = {"father": self.father_pictures, "mother": self.mother_pictures}
        if role not in pictures or self.folder is None:
            raise KinlibError(f"there is no picture of a '{role}': only parents of a stored reference have one")
        return self.folder / pictures[role][self.row(couple)]

    def _table(self, kind: str) -> pd.DataFrame | None:
        if kind not in ("true", "measured"):
            raise KinlibError(f"unknown kind of traits '{kind}': choose true or measured")
        return getattr(self, kind)


def _check_arrays(reference: Reference) -> None:
    count = len(reference.couples)
    if count == 0 or len(set(reference.couples)) != count:
        raise KinlibError("a reference needs couples, and each of them once")
    shape = np.shape(reference.children)
    if len(shape) != 3 or shape[0] != count or shape[1] < 2:
        raise KinlibError(f"children must have the shape [{count}, S, D] with S of at least 2, not {list(shape)}")
    for name in ("fathers", "mothers"):
        if (other := np.shape(getattr(reference, name))) != (count, shape[2]):
            raise KinlibError(f"{name} must have the shape {[count, shape[2]]}, not {list(other)}")
    for name in ("father_pictures", "mother_pictures"):
        if len(getattr(reference, name)) != count:
            raise KinlibError(f"{name} must name one picture for each of the {count} couples")
    for name in ("children", "fathers", "mothers"):
        if not np.isfinite(getattr(reference, name)).all():
            raise KinlibError(f"{name} holds embeddings that are not finite")


def _in_order(table: pd.DataFrame, kind: str, couples: tuple[str, ...], num_siblings: int) -> pd.DataFrame:
    """A table with its columns checked and its rows by couple, then father, mother, children."""
    if missing := [name for name in KEYS if name not in table]:
        raise KinlibError(f"the table of {kind} traits lacks the column '{missing[0]}'")
    people = [("father", 0), ("mother", 0), *(("child", number) for number in range(num_siblings))]
    wanted = pd.MultiIndex.from_tuples([(couple, *person) for couple in couples for person in people], names=KEYS)
    indexed = table.set_index(list(KEYS))
    if len(indexed) != len(wanted) or not indexed.index.is_unique or not wanted.isin(indexed.index).all():
        raise KinlibError(
            f"the table of {kind} traits must have one row for each father, mother and child (0 to {num_siblings - 1}) "
            f"of the {len(couples)} couples"
        )
    return indexed.loc[wanted].reset_index()
