"""One reader for all data sets; the set is recognised by the contents of its folder."""

import os
from types import ModuleType

from kinlib.families import family101, ff_database, fiw, kinfacew, tskinface
from kinlib.families.source import check_root
from kinlib.families.tables import FamilyTables
from kinlib.runtime.errors import KinlibError

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
    if kind is not None and kind not in READERS:
        raise KinlibError(f"unknown data set '{kind}': choose one of {', '.join(READERS)}")
    return READERS[kind or recognise(root)].read(root)


def recognise(root: str | os.PathLike) -> str:
    """The data set in a folder: a key of `READERS`.

    Raises:
        KinlibError: if it is none of them, or more than one.
    """
    path = check_root(root)
    found = [kind for kind, reader in READERS.items() if reader.find(path) is not None]
    if not found:
        raise KinlibError(
            f"'{root}' holds none of the data sets {', '.join(READERS)}: give the folder that one was unpacked into"
        )
    if len(found) > 1:
        raise KinlibError(f"'{root}' holds {' and '.join(found)}: give the folder of one of them")
    return found[0]
