"""One process at a time in a folder: others are told, or wait."""

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kinlib.io.files import cannot_write
from kinlib.runtime.errors import KinlibError

__all__ = ["only_one"]

_held: Counter[tuple[int, int]] = Counter()  # by device and number of the folder: how often this process holds it


@contextlib.contextmanager
def only_one(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold an existing folder for this process within the block; the same process may hold it several times.

    The lock is the operating system's, on the folder itself: it leaves no file behind, and a process that is killed
    lets go of it. Where there are no such locks (Windows, some network drives) nothing is held.

    Args:
        folder: to hold.
        wait: for another process to let go of it, which is said on stderr.

    Raises:
        KinlibError: if another process holds it and `wait` is False, or the folder cannot be opened.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    place = os.fstat(handle).st_dev, os.fstat(handle).st_ino
    try:
        if not _held[place]:
            _take(fcntl, handle, folder, wait)
        _held[place] += 1
        try:
            yield
        finally:
            _held[place] -= 1
    finally:
        os.close(handle)


def _take(fcntl, handle: int, folder: Path, wait: bool) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise KinlibError(
                f"another process is at work in '{folder}': wait until it has ended, or choose another folder"
            ) from None
        print(f"waiting for another process that writes to '{folder}'", file=sys.stderr)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return
