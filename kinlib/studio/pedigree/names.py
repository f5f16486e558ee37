"""Names of the simulated people: given names of many languages, synthetic surnames.

Surnames combine a stem and an ending, and given names are independent of the population, so that a name carries no
information about the face. Names become folders: ASCII letters with one underscore in between.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from kinlib.runtime.errors import KinlibError

__all__ = ["full_name", "surname", "surnames"]

TRIES = 1000  # draws until a free name is found


@lru_cache
def _parts() -> dict[str, list[str]]:
    """Given names under "female" and "male", and the "stems" and "endings" of surnames."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def surname(taken: set[str], rng: np.random.Generator) -> str:
    """A surname that is not among those taken.

    Raises:
        KinlibError: if almost all are taken.
    """
    stems, endings = _parts()["stems"], _parts()["endings"]
    for _ in range(TRIES):
        name = stems[rng.integers(len(stems))] + endings[rng.integers(len(endings))]
        if name not in taken:
            return name
    raise KinlibError(f"surnames have run out: there are {len(stems) * len(endings)}, so simulate fewer families")


def surnames(num: int, rng: np.random.Generator) -> list[str]:
    """`num` different surnames.

    Raises:
        KinlibError: if there are fewer.
    """
    chosen: dict[str, None] = {}
    for _ in range(num):
        chosen[surname(set(chosen), rng)] = None
    return list(chosen)


def full_name(sex: str, last: str, taken: set[str], rng: np.random.Generator) -> str:
    """A name Given_Surname that is not in `taken`; it is added there.

    Raises:
        KinlibError: if almost every given name is taken with this surname.
    """
    given = _parts()[sex]
    for _ in range(TRIES):
        name = f"{given[rng.integers(len(given))]}_{last}"
        if name not in taken:
            taken.add(name)
            return name
    raise KinlibError(f"the family {last} is too large for the given names there are: simulate more, smaller families")
