"""Checks of the files that a command is to write, before it computes anything."""

import contextlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from kinlib.runtime.errors import KinlibError

__all__ = ["check_file", "check_pictures"]


def check_pictures(
    targets: Sequence[Path],
    photos: Iterable[Path],
    read: str = "the photograph of a parent",
    both: str = "a child's picture and the sheet",
) -> None:
    """Check pictures to write: each can be written, no two are one file, and none is a photograph that is read.

    Two paths name one file by a link, by other steps (`./a.png`), or in another case, which many file systems ignore.
    On those that do not, names that differ in case only are refused all the same.

    Args:
        targets: pictures to write.
        photos: photographs that are read.
        read, both: what messages call a photograph, and two targets.

    Raises:
        KinlibError: if a check fails.
    """
    from kinlib.io import images

    for target in targets:
        images.check_writable(target)
    sources = {mark for photo in photos for mark in _marks(photo)}
    written: set = set()
    for target in targets:
        marks = _marks(target)
        if marks & sources:
            raise KinlibError(f"'{target}' is {read}: choose another name for the output")
        if marks & written:
            raise KinlibError(f"'{target}' cannot be both {both}: choose another name")
        written |= marks


def check_file(target: Path, suffixes: tuple[str, ...]) -> None:
    """Check a file to write that is no picture of a child.

    Raises:
        KinlibError: if its name has none of the suffixes, it is a folder, or its folder is missing or may not be
            written to.
    """
    from kinlib.io.files import write_whole

    if target.suffix.casefold() not in suffixes:
        raise KinlibError(f"'{target}' must end in {' or '.join(suffixes)}")
    if target.is_dir():
        raise KinlibError(f"'{target}' is a folder: give the name of a file")
    if not target.absolute().parent.is_dir():
        raise KinlibError(f"there is no folder '{target.parent}' to write '{target.name}' into")
    write_whole(target, None)  # leaves nothing behind


def _marks(path: Path) -> set:
    """What two paths of one file share: the resolved name, and the file's number where it exists."""
    if "\0" in str(path):  # no file has such a name; reading it says so
        return set()
    marks: set = {unicodedata.normalize("NFC", os.path.realpath(path)).casefold()}
    with contextlib.suppress(OSError):
        status = path.stat()
        marks.add((status.st_dev, status.st_ino))
    return marks
