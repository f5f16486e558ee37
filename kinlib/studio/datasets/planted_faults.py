"""Faults of real data sets, planted on purpose and recorded, so that an exploration of the data can be scored.

Family101 and similar sets have repeated house numbers, people without pictures, houses without a parent, and pictures
without a face. Each kind is planted in a different family, so that no fault hides another.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from kinlib.runtime.errors import KinlibError
from kinlib.studio.pedigree.extended_families import Pedigree, family101_text

__all__ = ["KINDS", "Fault", "faulty_text", "plant"]

KINDS = {  # the kinds that fewest families can hold come first
    "two_houses": "a child is listed in the houses of two marriages",
    "repeated_house": "a house bears the number of the one before it",
    "incomplete_house": "a house lacks the wife",
    "missing_folder": "a person is listed but has no folder",
    "faceless": "a picture shows no face",
    "pixelated": "a picture of a dozen pixels across, enlarged",
    "grey": "a picture with a single channel",
    "hidden_file": "a stray hidden file lies in a person's folder",
}
OF_PICTURES = ("faceless", "pixelated", "grey")


@dataclass(frozen=True)
class Fault:
    """One planted fault: its kind, and the family, house, person (name) and picture (number from 1) it concerns."""

    kind: str
    family: str
    house: int | None = None
    person: str | None = None
    picture: int | None = None

    def record(self) -> dict:
        """Fields and the meaning in words, for `faults.json`."""
        return {**asdict(self), "meaning": KINDS[self.kind]}


def plant(pedigree: Pedigree, seed: int, num_photos: int = 8) -> list[Fault]:
    """One fault of each kind, in different families; faulty pictures are among the first `num_photos` of a person.

    Raises:
        KinlibError: if the families are too few or too small for all kinds.
    """
    rng = np.random.default_rng([seed, 5])
    free = [str(name) for name in rng.permutation(pedigree.houses["family"].unique())]
    faults = []
    for kind in KINDS:
        fault = next((found for name in free if (found := _place(kind, name, pedigree, num_photos, rng))), None)
        if fault is None:
            raise KinlibError(f"the families are too few or too small for the fault '{kind}': simulate more of them")
        free.remove(fault.family)
        faults.append(fault)
    return faults


def _place(kind: str, family: str, pedigree: Pedigree, num_photos: int, rng: np.random.Generator) -> Fault | None:
    """A fault of this kind in a family; None if the family cannot hold it."""
    houses = pedigree.houses[pedigree.houses["family"] == family]
    names = pedigree.people["name"]
    if kind == "repeated_house":
        return Fault(kind, family, int(houses["house"].iloc[1])) if len(houses) > 1 else None
    if kind == "incomplete_house":
        return Fault(kind, family, int(houses["house"].iloc[-1]), str(names[houses["wife"].iloc[-1]]))
    if kind == "two_houses":
        return _second_home(family, houses, names)
    children = [child for row in houses["children"] for child in row]
    person = str(names[int(rng.choice(children))])
    return Fault(kind, family, None, person, int(rng.integers(1, num_photos + 1)) if kind in OF_PICTURES else None)


def _second_home(family: str, houses: pd.DataFrame, names: pd.Series) -> Fault | None:
    """A child of a remarried parent, listed in the second house too; None if no parent remarried."""
    for parent in ("husband", "wife"):
        for _, marriages in houses.groupby(parent):
            if len(marriages) > 1:
                child = marriages["children"].iloc[0][-1]
                return Fault("two_houses", family, int(marriages["house"].iloc[1]), str(names[child]))
    return None


def faulty_text(pedigree: Pedigree, faults: list[Fault]) -> str:
    """FAMILY101.txt with the faults that concern its rows."""
    blocks: dict[str, list[list[str]]] = {}
    for line in family101_text(pedigree).splitlines():
        row = line.split("\t")
        blocks.setdefault(row[2] if row[1] == "FAMI" else next(reversed(blocks)), []).append(row)
    sexes = dict(zip(pedigree.people["name"], pedigree.people["sex"], strict=True))
    for fault in faults:
        rows = blocks[fault.family]
        if fault.kind == "repeated_house":
            blocks[fault.family] = [
                [str(fault.house - 1), *row[1:]] if row[0] == str(fault.house) else row for row in rows
            ]
        elif fault.kind == "incomplete_house":
            blocks[fault.family] = [row for row in rows if row[:2] != [str(fault.house), "WIFE"]]
        elif fault.kind == "two_houses":
            last = max(i for i, row in enumerate(rows) if row[0] == str(fault.house))
            role = "SONN" if sexes[fault.person] == "male" else "DAUG"
            rows.insert(last + 1, [str(fault.house), role, fault.person])
    return "".join("\t".join(row) + "\r\n" for rows in blocks.values() for row in rows)
