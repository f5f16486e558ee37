"""One reader for all data sets; the set is recognised by the contents of its folder."""

import os
from types import ModuleType

from kinlib.families import family101, ff_database, fiw, kinfacew, tskinface
from kinlib.families.source import pick_reader
from kinlib.families.tables import FamilyTables

__all__ = ["READERS", "read", "recognise"]

READERS: dict[str, ModuleType] = {
    "family101": family101,
    "tskinface": tskinface,
    "kinfacew": kinfacew,
    "fiw": fiw,
    "ff_database": ff_database,
}


def read(root: str | os.PathLike, kind: str | None = None) -> FamilyTables:
    """Read a data set of families.

    Args:
        root: the folder that it was unpacked into.
        kind: a key of `READERS`; None recognises the set.

    Raises:
        KinlibError: if there is no such folder or kind, no set or more than one is recognised, or a list is damaged.
    """
    return READERS[pick_reader(root, READERS, kind, "data sets")].read(root)


def recognise(root: str | os.PathLike) -> str:
    """The data set in a folder: a key of `READERS`.

    Raises:
        KinlibError: if it is none of them, or more than one.
    """
    return pick_reader(root, READERS, None, "data sets")
