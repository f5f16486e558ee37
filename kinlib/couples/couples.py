"""Which couples there are: the rows of a CSV file, with the photographs of a father and a mother."""

import csv
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinlib.families.source import read_lines
from kinlib.runtime.errors import KinlibError

__all__ = ["Couple", "fingerprint", "named", "read_couples"]

PARENTS = ("father", "mother")
COLUMNS = (*PARENTS, "couple")
DELIMITERS = ",;\t"  # spreadsheets write semicolons where the comma is the decimal sign
RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # by some file system
LONGEST = 200  # bytes of a name, of which file systems take 255


@dataclass(frozen=True)
class Couple:
    """One couple.

    Attributes:
        name: of its folder; no two of a list are the same to a file system that ignores case.
        father, mother: paths of the photographs as the list has them; None for one who is unknown.
        root: the folder that relative paths start from.
    """

    name: str
    father: str | None
    mother: str | None
    root: Path

    def photo(self, role: str) -> Path | None:
        """The photograph of "father" or "mother"."""
        given = getattr(self, role)
        return None if given is None else self.root / given


def read_couples(path: str | os.PathLike) -> list[Couple]:
    """The couples of a CSV file, whose columns are separated by commas, semicolons or tabs.

    | column | |
    |---|---|
    | father, mother | paths of the photographs, relative to the table's folder; empty for a parent who is unknown |
    | couple | name of the couple; `couple_0001` and so on where it is left out, by the number of the row |

    Others are passed over, as are empty lines.

    Raises:
        KinlibError: if there is no such file, it is no table, lacks a column or rows, or a name comes twice or cannot
            be a folder's.
    """
    path = Path(path)
    if not path.is_file():
        kind = "is no file" if path.exists() else "does not exist"
        raise KinlibError(f"'{path}' {kind}: give a CSV file with the columns father and mother")
    lines, rows = _rows(path)
    if not rows:
        raise KinlibError(f"'{path}' is empty: give a CSV file with the columns father and mother")
    columns = _columns(rows[0], path)
    root, couples = path.absolute().parent, []
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) > len(rows[0]):
            there = f"{len(row)} cells where the header has {len(rows[0])}"
            raise KinlibError(f"line {line} of '{path}' has {there}: put paths with a comma in quotation marks")
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
        name = cells.get("couple") or f"couple_{len(couples) + 1:04d}"  # the same when the table grows
        couples.append(Couple(name, cells["father"] or None, cells["mother"] or None, root))
    if not couples:
        raise KinlibError(f"'{path}' holds no couple below its header")
    return named(couples, f"'{path}'")


def named(couples: Sequence[Couple], source: str) -> list[Couple]:
    """The couples, after a check of their names.

    Args:
        couples: of one list.
        source: what messages call the list.

    Raises:
        KinlibError: if a name cannot be a folder's on some system, or two are the same to one.
    """
    seen: dict[str, str] = {}
    for couple in couples:
        name = couple.name
        if problem := _problem(name):
            raise KinlibError(f"the couple '{name}' of {source} cannot name a folder: {problem}")
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            other = "" if seen[key] == name else f", once as '{seen[key]}'"
            raise KinlibError(f"the couple '{name}' stands twice in {source}{other}: give every couple its own name")
        seen[key] = name
    return list(couples)


def fingerprint(couples: Iterable[Couple]) -> str:
    """What tells one list of couples from another, wherever it lies."""
    digest = hashlib.sha256()
    for couple in couples:
        digest.update("\0".join((couple.name, couple.father or "", couple.mother or "")).encode() + b"\n")
    return digest.hexdigest()


def _problem(name: str) -> str:
    """Why a name cannot be a folder's in the output, or ""."""
    if not name:
        return "it is empty"
    if found := RESERVED.search(name):
        return f"leave out {found[0]!r}"
    if name.startswith(".") or name.endswith("."):
        return "it may not begin or end with a full stop"
    if name.casefold().startswith("children."):
        return "files of the output have such names"
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST:
        return "it is too long"
    return ""


def _rows(path: Path) -> tuple[list[int], list[list[str]]]:
    """The rows that are not empty, and the line that each ends at."""
    lines = read_lines(path)
    head = next((line for line in lines if line.strip()), "")
    reader = csv.reader(lines, delimiter=max(DELIMITERS, key=head.count))
    try:
        found = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:  # a field of more than 131,072 characters: a quotation mark that is never closed
        raise KinlibError(f"'{path}' is no table: {error}") from error
    return [number for number, _ in found], [row for _, row in found]


def _columns(header: list[str], path: Path) -> dict[str, int]:
    """Where the known columns stand."""
    names = [name.strip().casefold() for name in header]
    for name in COLUMNS:
        if names.count(name) > 1:
            raise KinlibError(f"'{path}' has the column {name} twice")
    for name in PARENTS:
        if name not in names:
            raise KinlibError(f"'{path}' has no column {name}: its first line must name the columns father and mother")
    return {name: names.index(name) for name in COLUMNS if name in names}
