"""Which pictures there are to prepare: those of a data set of families, or all that lie in a folder.

The order is fixed and every picture stands once, so that the same folder always gives the same parts.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kinlib.families import READERS, FamilyTables
from kinlib.families.source import IMAGE_SUFFIXES, check_root, natural
from kinlib.runtime.errors import KinlibError

__all__ = ["FOLDER", "Listing", "ListedPhoto", "list_photos"]

FOLDER = "folder"  # the kind of a folder that is none of the data sets
JPEG = (".jpg", ".jpeg")
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
        fingerprint: of names and sizes; another one means that the folder has changed.
    """

    root: Path
    kind: str
    photos: tuple[ListedPhoto, ...]
    fingerprint: str

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
    if found:
        tables = READERS[found[0]].read(folder)
        base, name, rows = tables.root, tables.name, _rows_of_tables(tables)
    else:
        base, name, rows = folder, FOLDER, [(image, None, None) for image in _pictures_below(folder)]
    if not rows:
        raise KinlibError(f"'{root}' holds no pictures: give the folder of a data set, or of photographs")
    photos = tuple(_with_targets(rows))
    return Listing(base.resolve(), name, photos, _fingerprint(base, photos))


def _rows_of_tables(tables: FamilyTables) -> list[tuple[str, str | None, str | None]]:
    """(image, person, family) of a data set, and of the files that its reader left out because they cannot be read."""
    rows = {image: person for image, person in zip(tables.images["image"], tables.images["person"], strict=True)}
    for problem in tables.problems:
        if problem.kind in UNOPENED and problem.where.casefold().endswith(IMAGE_SUFFIXES):
            rows.setdefault(problem.where, problem.person)
    return [(image, person, tables.family_of.get(person)) for image, person in rows.items()]


def _pictures_below(folder: Path) -> list[str]:
    """Pictures in a folder and those below it, by name; hidden files and folders are left out."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(folder)
        names = [name for name in files if name.casefold().endswith(IMAGE_SUFFIXES) and not name.startswith(".")]
        found += [(inside / _as_text(name)).as_posix() for name in names]
    return sorted(found, key=lambda image: natural(image + "/"))


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


def _fingerprint(root: Path, photos: tuple[ListedPhoto, ...]) -> str:
    digest = hashlib.sha256()
    for photo in photos:
        try:
            size = (root / photo.image).stat().st_size
        except OSError:
            size = -1
        digest.update(f"{photo.image}\0{photo.person}\0{photo.family}\0{size}\n".encode())
    return digest.hexdigest()
