"""One reader for all sets of rated pictures; the set is recognised by the contents of its folder."""

import os
from types import ModuleType

from kinlib.attractiveness import hotornot, scut_fbp, scut_fbp5500
from kinlib.attractiveness.rating_tables import RatedPictures
from kinlib.families.source import pick_reader

__all__ = ["READERS", "read", "recognise"]

READERS: dict[str, ModuleType] = {"scut_fbp5500": scut_fbp5500, "scut_fbp": scut_fbp, "hotornot": hotornot}


def read(root: str | os.PathLike, kind: str | None = None) -> RatedPictures:
    """Read a set of rated pictures.

    Args:
        root: the folder that it was unpacked into.
        kind: a key of `READERS`; None recognises the set.

    Raises:
        KinlibError: if there is no such folder or kind, no set or more than one is recognised, or a list is damaged.
    """
    return READERS[pick_reader(root, READERS, kind, "sets")].read(root)


def recognise(root: str | os.PathLike) -> str:
    """The set in a folder: a key of `READERS`.

    Raises:
        KinlibError: if it is none of them, or more than one.
    """
    return pick_reader(root, READERS, None, "sets")
