"""One reader for all sets of rated pictures; the set is recognised by the contents of its folder."""

import os
from types import ModuleType

from kinlib.attractiveness import hotornot, scut_fbp, scut_fbp5500
from kinlib.attractiveness.rating_tables import RatedPictures
from kinlib.families.source import check_root
from kinlib.runtime.errors import KinlibError

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
    if kind is not None and kind not in READERS:
        raise KinlibError(f"unknown data set '{kind}': choose one of {', '.join(READERS)}")
    return READERS[kind or recognise(root)].read(root)


def recognise(root: str | os.PathLike) -> str:
    """The set in a folder: a key of `READERS`.

    Raises:
        KinlibError: if it is none of them, or more than one.
    """
    path = check_root(root)
    found = [kind for kind, reader in READERS.items() if reader.find(path) is not None]
    if len(found) == 1:
        return found[0]
    what = f"holds {' and '.join(found)}: give the folder of one of them"
    none = f"holds none of the sets {', '.join(READERS)}: give the folder that one was unpacked into"
    raise KinlibError(f"'{root}' {what if found else none}")
