"""Files written whole: first under a temporary name in the same folder, then renamed.

Whatever interrupts the writing, the old file or none is there, never half a new one.
"""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from kinlib.runtime.errors import KinlibError

__all__ = ["cannot_write", "make_folder", "parse_json", "sweep", "write_bytes", "write_json", "write_whole"]


def write_whole(path: Path, save: Callable[[BinaryIO], object] | None) -> None:
    """Let `save` fill a temporary file and give it the name `path`; with None only try whether that would work.

    Raises:
        KinlibError: if the file cannot be written.
    """
    # Made by hand, not by tempfile: its files can be read by their owner alone, and the rename would keep that.
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as file:
            if save is not None:
                save(file)
        if save is not None:
            os.replace(temporary, path)
    except (OSError, ValueError) as error:  # Pillow raises both for what a format cannot hold
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def sweep(paths: Iterable[Path]) -> None:
    """Remove those of some files that `write_whole` was writing when its process was killed."""
    for path in paths:
        if re.fullmatch(r"\.[0-9a-f]{16}\.part", path.name):
            path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole; raises as `write_whole`."""
    write_whole(path, lambda file: file.write(content))


def write_json(path: Path, content: dict | list) -> None:
    """Write JSON whole; raises as `write_whole`."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def parse_json(content: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: if it is none, also where it is nested more deeply than Python can follow.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def make_folder(path: Path) -> Path:
    """Make a folder and those above it.

    Raises:
        KinlibError: if that is not possible, or `path` is a file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from error
    return path


def cannot_write(path: Path, error: Exception) -> KinlibError:
    """The operating system's words, without number and path."""
    return KinlibError(f"'{path}' cannot be written: {getattr(error, 'strerror', None) or error}")
