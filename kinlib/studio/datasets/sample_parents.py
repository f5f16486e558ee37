"""Paths of the bundled sample parents: portraits of rendered couples to start with."""

import re
from pathlib import Path

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["couple", "couples"]


def couples() -> list[tuple[Path, Path]]:
    """(father, mother) paths of all bundled couples, by number."""
    folder = config.data_dir() / "studio" / "portraits"
    numbered = {}
    for father in folder.glob("couple_*_father.*"):
        number = re.fullmatch(r"couple_(\d+)_father", father.stem)
        mother = father.with_name(father.name.replace("father", "mother"))
        if number and mother.is_file():
            numbered[int(number[1])] = (father, mother)
    return [numbered[number] for number in sorted(numbered)]


def couple(number: int) -> tuple[Path, Path]:
    """(father, mother) paths of one couple, numbered from 1.

    Raises:
        KinlibError: if there is no couple of that number.
    """
    found = couples()
    if not found:
        folder = config.data_dir() / "studio" / "portraits"
        raise KinlibError(f"the bundled parents are not in {folder}: get them again with the project's files")
    if not 1 <= number <= len(found):
        raise KinlibError(f"there is no couple {number}: choose one from 1 to {len(found)}")
    return found[number - 1]
