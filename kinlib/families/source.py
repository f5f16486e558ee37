"""Reading lists and folders of data sets: any encoding, any line endings, images separated from other files.

Files are classified by name and size; only lists are opened.
"""

import csv
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from kinlib.families.tables import Problem
from kinlib.io.photos import IMAGE_SUFFIXES
from kinlib.runtime.errors import KinlibError

__all__ = ["IMAGE_SUFFIXES", "Listing", "check_root", "find_folder", "folded", "is_number", "list_folder", "natural"]
__all__ += ["pick_reader", "read_csv", "read_lines"]

HIDDEN = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin")  # besides names that begin with a dot
DIGITS = 9  # of a number in a list; 64 bits hold 18, and no list has as many houses or members
MOST_WRAPPED = 24  # subfolders that are searched for a data set; more are families or people


@dataclass
class Listing:
    """Contents of a folder by name, in natural order (2 before 10).

    Attributes:
        folders: sub-folders.
        images: non-empty files with an image suffix.
        others: other files; the caller reports them if it does not use them.
        problems: hidden, empty and unreadable entries, which are in none of the lists above.
    """

    folders: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def check_root(root: str | os.PathLike) -> Path:
    """The folder of a data set as a path.

    Raises:
        KinlibError: if there is none, or it is a file.
    """
    path = Path(root)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise KinlibError(f"'{root}' {what}: give the folder that a data set was unpacked into")
    return path


def pick_reader(root: str | os.PathLike, readers: Mapping[str, ModuleType], kind: str | None, what: str) -> str:
    """The reader of a folder's data set: a key of `readers`.

    Args:
        root: the folder.
        readers: by kind; each has a `find`, which gives the folder of its data set, or None.
        kind: of the data set; None recognises it.
        what: the data sets in words.

    Raises:
        KinlibError: if there is no such folder or kind, or no data set or more than one is recognised.
    """
    if kind is not None:
        if kind not in readers:
            raise KinlibError(f"unknown data set '{kind}': choose one of {', '.join(readers)}")
        return kind
    path = check_root(root)
    found = [name for name, reader in readers.items() if reader.find(path) is not None]
    if not found:
        raise KinlibError(
            f"'{root}' holds none of the {what} {', '.join(readers)}: give the folder that one was unpacked into"
        )
    if len(found) > 1:
        raise KinlibError(f"'{root}' holds {' and '.join(found)}: give the folder of one of them")
    return found[0]


def find_folder(root: Path, fits: Callable[[Path], bool], depth: int = 3) -> Path | None:
    """The folder that `fits`: `root` itself or one below it, as archives wrap folders in folders.

    Args:
        root: where to begin.
        fits: tells whether a folder is the one.
        depth: how many levels below `root` are tried.

    Returns:
        The one nearest to `root`; None if there is none.

    Raises:
        KinlibError: if several are equally near.
    """
    level = [root]
    for _ in range(depth + 1):
        found = [folder for folder in level if _can_enter(folder) and fits(folder)]
        if len(found) > 1:
            names = " and ".join(f"'{folder.relative_to(root).as_posix()}'" for folder in found)
            raise KinlibError(f"'{root}' holds the same kind of data set more than once, in {names}: give one of them")
        if found:
            return found[0]
        level = [inside for folder in level for inside in _few_folders(folder)]
    return None


def _can_enter(folder: Path) -> bool:
    """Whether what lies in a folder can be looked at; one that cannot is no data set, and stops no search."""
    try:
        next(os.scandir(folder), None)
        (folder / ".").stat()
    except OSError:
        return False
    return True


def _few_folders(folder: Path) -> list[Path]:
    """Subfolders; an empty list where there are too many to be wrappers of a data set."""
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError:
        return []
    return inside if len(inside) <= MOST_WRAPPED else []


def read_lines(path: Path) -> list[str]:
    """The lines of a text file in UTF-8 (with or without a BOM), UTF-16 or Latin-1, with any line endings.

    `str.splitlines` would also split at characters such as U+0085, which occur in Latin-1 text.

    Raises:
        KinlibError: if the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KinlibError(f"'{path}' cannot be read: {error.strerror or error}") from error
    return re.split(r"\r\n|\r|\n", _decoded(content))


def read_csv(path: Path) -> list[list[str]]:
    """The rows of a CSV file in any of `read_lines`' encodings.

    Raises:
        KinlibError: if the file cannot be read or is no table.
    """
    try:
        return list(csv.reader(read_lines(path)))
    except csv.Error as error:  # a field of more than 131,072 characters: a quotation mark that is never closed
        raise KinlibError(f"'{path}' is no table: {error}") from error


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def is_number(text: str) -> bool:
    """Whether a text is a whole number that a table can hold: of nine digits at most."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS


def folded(name: str) -> str:
    """A normalised name for comparison: no accents, lower case, and underscores for spaces and hyphens."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.sub(r"[\s_\-]+", "_", plain.casefold()).strip("_")


def natural(name: str) -> tuple:
    """Key for sorting by text and numbers: "MID2" before "MID10"."""
    parts = re.split(r"(\d+)", name)
    return (*((int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)), name)


def list_folder(root: Path, place: str = "", known: Iterable[str] = (), **about) -> Listing:
    """List the folder `place` of a data set.

    Args:
        root: the data set's folder.
        place: relative to it, with slashes; "" for itself.
        known: files that are expected (lists), relative to `root`: they are left out of the listing.
        about: family, person or house, for the problems.
    """
    found, known = Listing(), set(known)
    try:
        entries = sorted(os.scandir(root / place), key=lambda entry: natural(entry.name))
    except OSError as error:
        found.problems.append(Problem("unreadable", place or ".", f"cannot be opened: {error.strerror}", **about))
        return found
    for entry in entries:
        where = f"{place}/{entry.name}" if place else entry.name
        if where not in known:
            _sort_in(entry, found, where, about)
    return found


def _sort_in(entry: os.DirEntry, found: Listing, where: str, about: dict) -> None:
    """Classify one entry."""
    where = where.encode("utf-8", "backslashreplace").decode()  # undecodable names must not break a table
    name = entry.name
    if name.startswith(".") or name.casefold() in HIDDEN:
        found.problems.append(Problem("hidden_file", where, "a hidden file or folder", **about))
        return
    try:
        name.encode()
        folder, size = entry.is_dir(), entry.stat().st_size
    except (OSError, UnicodeEncodeError) as error:
        reason = "the name is no valid text" if isinstance(error, UnicodeError) else error.strerror
        found.problems.append(Problem("unreadable", where, f"cannot be opened: {reason}", **about))
        return
    if folder:
        found.folders.append(name)
    elif not name.casefold().endswith(IMAGE_SUFFIXES):
        found.others.append(name)
    elif not size:
        found.problems.append(Problem("empty_file", where, "an image file of no bytes", **about))
    elif not os.access(entry.path, os.R_OK):
        found.problems.append(Problem("unreadable", where, "cannot be opened: Permission denied", **about))
    else:
        found.images.append(name)
