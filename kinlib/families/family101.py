"""Family101: 101 extended families in one list, with a folder of images for each person.

    FAMILY101.txt                       members and roles, see `family_file`
    <FAMILY>/<Person_Name>/*.jpg        pictures, 120 x 150, some with a single channel

(Fang, Gallagher, Chen and Loui, "Kinship classification by modeling facial feature heredity", ICIP 2013.) The studio's
families have the same layout. The source photographs of the images are not known.
"""

import os
from pathlib import Path

import pandas as pd

from kinlib.families.family_file import SEX, Row, house_rows, parse
from kinlib.families.person_folders import PersonFolders
from kinlib.families.relations import relations_of
from kinlib.families.source import check_root, find_folder, folded, read_lines
from kinlib.families.tables import FamilyTables, Problem, frame
from kinlib.runtime.errors import KinlibError

__all__ = ["LIST", "find", "read"]

LIST = "FAMILY101.txt"


def read(root: str | os.PathLike) -> FamilyTables:
    """Read Family101, or the studio's families.

    Args:
        root: the folder with FAMILY101.txt, or one above it.

    Raises:
        KinlibError: if there is no such list, it cannot be read, or it has no people.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(f"there is no {LIST} in '{root}': give the folder that Family101 was unpacked into")
    file = _list_name(folder)
    rows, problems = parse(read_lines(folder / file), file)
    rows, more = house_rows(rows, file)
    if not rows:
        raise KinlibError(f"'{folder / file}' lists no people: its lines must be number, role and name between tabs")
    people, doubts = _people(rows, file)
    members = frame("members", [(row.family, row.house, row.role, _person(row), row.line) for row in rows])
    relations, contested = relations_of(members, file)
    lines = {_person(row): f"{file}:{row.line}" for row in reversed(rows)}  # the first line of each person
    listed = {(row.family, row.name): _person(row) for row in rows}
    files = PersonFolders(folder, listed, file, {file}, lines)
    problems += [*more, *doubts, *contested, *files.problems]
    return FamilyTables("Family101", folder, people, files.images(), relations, problems, members)


def find(root: Path) -> Path | None:
    """The folder with the list: `root` or one below it; None if there is none."""
    return find_folder(root, lambda folder: _list_name(folder) is not None, depth=2)


def _list_name(folder: Path) -> str | None:
    """File name of the list, in any letter case."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.casefold() == LIST.casefold())
    except OSError:
        return None
    return LIST if LIST in names else names[0] if names else None


def _person(row: Row) -> str:
    return f"{row.family}/{row.name}"


def _people(rows: list[Row], file: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Each person once over all houses; the sex is unknown if stated both ways."""
    first: dict[str, Row] = {}
    sexes: dict[str, dict[str, Row]] = {}
    for row in rows:
        first.setdefault(_person(row), row)
        sexes.setdefault(_person(row), {}).setdefault(SEX[row.role], row)
    problems = _same_names(first, file)
    for person, stated in sexes.items():
        if len(stated) > 1:
            one, other = stated.values()
            text = f"{person} is {one.role} in line {one.line} and {other.role} in line {other.line}"
            problems.append(Problem("differing_sex", f"{file}:{other.line}", text, one.family, person, other.house))
    table = [
        (person, row.family, row.name, next(iter(sexes[person])) if len(sexes[person]) == 1 else None)
        for person, row in first.items()
    ]
    return frame("people", table), problems


def _same_names(first: dict[str, Row], file: str) -> list[Problem]:
    """Names in more than one family: most likely one person who married into the other."""
    families: dict[str, Row] = {}
    problems = []
    for person, row in first.items():
        known = families.setdefault(folded(row.name), row)
        if known.family != row.family:
            text = f"{row.name} is in {known.family} and in {row.family}"
            problems.append(Problem("same_name", f"{file}:{row.line}", text, row.family, person))
    return problems
