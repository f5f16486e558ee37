"""Which pictures there are to prepare: those of a data set of families, or all that lie in a folder.

The order is fixed and every picture stands once, so that the same folder always gives the same parts.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kinlib.families import READERS, FamilyTables
from kinlib.families.source import HIDDEN, check_root, natural
from kinlib.io.photos import IMAGE_SUFFIXES
from kinlib.runtime.errors import KinlibError

__all__ = ["FOLDER", "ListedPhoto", "Listing", "describe_passed_over", "list_photos", "quoted"]

FOLDER = "folder"  # the kind of a folder that is none of the data sets
JPEG = (".jpg", ".jpeg")
NAMED = 5  # of the files passed over
LONGEST = 255  # bytes of a file's name
UNOPENED = ("empty_file", "unreadable")  # problems of a reader that are about a picture, which gets its row too


@dataclass(frozen=True)
class ListedPhoto:
    """One picture to prepare.

    Attributes:
        image: path relative to the listing's root, with slashes.
        person, family: as in the tables of `kinlib.families`; None in a plain folder.
        aligned: where its aligned face goes, relative to the output folder.
    """

    image: str
    person: str | None
    family: str | None
    aligned: str


@dataclass(frozen=True)
class Listing:
    """All pictures of a folder.

    Attributes:
        root: the folder that `ListedPhoto.image` is relative to.
        kind: name of the data set ("Family101", ...), or "folder".
        photos: in the order of the set's table, or by name.
        fingerprint: of the pictures' names, people and families; another one means that the list has changed.
        passed_over: files and folders that are not prepared, by name: files of unknown type, and folders of a plain
            folder that cannot be opened. What systems leave behind (.DS_Store, Thumbs.db) does not count.
    """

    root: Path
    kind: str
    photos: tuple[ListedPhoto, ...]
    fingerprint: str
    passed_over: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.photos)


def list_photos(root: str | os.PathLike, kind: str | None = None) -> Listing:
    """What is to be prepared in a folder; of a data set, the pictures of the people that its list names.

    Args:
        root: a data set of families, in any of the five formats, or a folder of pictures, at any depth.
        kind: a key of `kinlib.families.READERS`, or "folder"; None finds out.

    Raises:
        KinlibError: if there is no such folder or kind, or no picture in it, or a data set cannot be read.
    """
    folder = check_root(root)
    if kind not in (None, FOLDER, *READERS):
        raise KinlibError(f"unknown kind '{kind}': choose one of {', '.join(READERS)} or {FOLDER}")
    found = [] if kind == FOLDER else [kind] if kind else [name for name in READERS if READERS[name].find(folder)]
    if len(found) > 1:
        names = " and ".join(found)
        raise KinlibError(f"'{root}' holds {names}: give the folder of one of them, or say which by --kind")
    others: list[str] = []
    if found:
        tables = READERS[found[0]].read(folder)
        base, name, rows = tables.root, tables.name, _rows_of_tables(tables)
        others = [problem.where for problem in tables.problems if problem.kind == "other_file"]
    else:
        pictures, others = _files_below(folder)
        base, name, rows = folder, FOLDER, [(image, None, None) for image in pictures]
    if not rows:
        beside = f" (there are {len(others):,} files of other types: {quoted(others)})" if others else ""
        raise KinlibError(f"'{root}' holds no pictures{beside}: give the folder of a data set, or of photographs")
    photos = tuple(_with_targets(rows))
    return Listing(base.resolve(), name, photos, _fingerprint(photos), tuple(others))


def describe_passed_over(listing: Listing) -> str:
    """One sentence on what is not prepared, or "" if there is nothing of that kind."""
    count = len(listing.passed_over)
    return f"{count:,} passed over, of unknown type or unreadable: {quoted(listing.passed_over)}" if count else ""


def quoted(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(f"'{name}'" for name in names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _rows_of_tables(tables: FamilyTables) -> list[tuple[str, str | None, str | None]]:
    """(image, person, family) of a data set, and of the files that its reader left out because they cannot be read."""
    rows = {image: person for image, person in zip(tables.images["image"], tables.images["person"], strict=True)}
    for problem in tables.problems:
        if problem.kind in UNOPENED and problem.where.casefold().endswith(IMAGE_SUFFIXES):
            rows.setdefault(problem.where, problem.person)
    return [(image, person, tables.family_of.get(person)) for image, person in rows.items()]


def _files_below(folder: Path) -> tuple[list[str], list[str]]:
    """Pictures in a folder and those below it, and what else lies there, by name.

    Hidden files and folders, and what systems leave behind, are in neither list; a folder that cannot be opened is in
    the second, and does not stop the others.
    """
    pictures, others = [], []

    def not_opened(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise KinlibError(f"'{folder}' cannot be opened: {error.strerror or error}") from error
        others.append(_as_text(Path(error.filename).relative_to(folder).as_posix()) + "/")

    for place, folders, files in os.walk(folder, onerror=not_opened):
        folders[:] = [name for name in folders if not _is_litter(name)]
        inside = Path(place).relative_to(folder)
        for name in files:
            if not _is_litter(name):
                kind = pictures if name.casefold().endswith(IMAGE_SUFFIXES) else others
                kind.append((inside / _as_text(name)).as_posix())
    return sorted(pictures, key=_in_order), sorted(others, key=_in_order)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in HIDDEN


def _in_order(name: str) -> tuple:
    return natural(name + "/")


def _as_text(name: str) -> str:
    """A name that is no text in a form that a table can hold; the file itself then counts as unreadable."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _with_targets(rows: list[tuple[str, str | None, str | None]]) -> Iterator[ListedPhoto]:
    """Give every picture a file of its own for the aligned face: a.png and a.png.jpg, file or folder, must not meet."""
    taken = {image for image, _, _ in rows if image.casefold().endswith(JPEG)}
    taken |= {str(folder) for image, _, _ in rows for folder in PurePosixPath(image).parents}
    for image, person, family in rows:
        target = image
        if image not in taken:
            target = _as_jpeg(image)
            while target in taken:
                target = _as_jpeg(target)
            taken.add(target)
        yield ListedPhoto(image, person, family, f"aligned/{target}")


def _as_jpeg(image: str) -> str:
    """The name with a suffix for JPEG; a shorter one where it would be too long for a file system."""
    name = PurePosixPath(image).name + ".jpg"
    if len(name.encode()) > LONGEST:
        name = hashlib.sha256(name.encode()).hexdigest() + ".jpg"
    return PurePosixPath(image).with_name(name).as_posix()


def _fingerprint(photos: tuple[ListedPhoto, ...]) -> str:
    digest = hashlib.sha256()
    for photo in photos:
        digest.update(f"{photo.image}\0{photo.person}\0{photo.family}\n".encode())
    return digest.hexdigest()
