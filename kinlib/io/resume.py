"""Resuming sets that take long to make: a note in the folder says which set it is, so that no other one is resumed.

While a set is being made, its folder holds `.work` with that note and with what is done so far. A note of another name,
written last, says that the set is complete.
"""

import shutil
from pathlib import Path

from kinlib.io.files import make_folder, parse_json, write_json
from kinlib.runtime.errors import KinlibError

__all__ = ["BEGUN", "WORK", "check_folder", "is_complete", "open_work", "read_note", "read_record"]

WORK, BEGUN = ".work", "begun.json"


def check_folder(out: Path) -> None:
    """Refuse a file where a folder is needed; the folder need not exist.

    Raises:
        KinlibError: if `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise KinlibError(f"'{out}' is a file: --out needs a folder")


def read_note(path: Path) -> dict | None:
    """What a note says; None if there is none.

    Raises:
        KinlibError: if it cannot be understood.
    """
    try:
        note = parse_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not isinstance(note, dict):
        raise _damaged(path)
    return note


def read_record(path: Path, *keys: str) -> dict:
    """The results of a study, which belong to the bundled data.

    Args:
        path: the JSON file.
        keys: what it must hold.

    Raises:
        KinlibError: if it is missing, damaged, or lacks a key.
    """
    note = read_note(path)
    if note is None or not note.keys() >= set(keys):
        raise KinlibError(f"'{path}' is missing or damaged: restore it")
    return note


def is_complete(out: Path, name: str, settings: dict) -> bool:
    """Whether the note `name` says that the folder holds this set, whole.

    Raises:
        KinlibError: if it holds another one, or is no folder.
    """
    check_folder(out)
    note = read_note(out / name)
    if note is None:
        return False
    if any(note.get(key) != value for key, value in settings.items()):
        raise KinlibError(f"'{out}' holds another set (see {name}): choose another folder, or delete it")
    shutil.rmtree(out / WORK, ignore_errors=True)  # there if it was stopped at the very end
    return True


def open_work(out: Path, settings: dict) -> Path:
    """The folder for unfinished work, made if it is missing.

    Raises:
        KinlibError: if it holds work on another set, or cannot be written to.
    """
    check_folder(out)
    note = read_note(out / WORK / BEGUN)
    if note is None:
        write_json(make_folder(out / WORK) / BEGUN, settings)
    elif note != settings:
        raise KinlibError(f"'{out / WORK}' holds unfinished work on another set: choose another folder, or delete it")
    return out / WORK


def _damaged(path: Path) -> KinlibError:
    return KinlibError(f"'{path}' is damaged: delete it with its folder, or choose another one")
