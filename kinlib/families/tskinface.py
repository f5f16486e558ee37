"""TSKinFace: father, mother and one or two children of each family, one cropped picture of each.

    [TSKinFace_Data/]TSKinFace_cropped/FMS/FMS-<n>-{F,M,S}.jpg         with a son
                                       FMD/FMD-<n>-{F,M,D}.jpg         with a daughter
                                       FMSD/FMSD-<n>-{F,M,S,D}.jpg     with both; two trios

(Qin, Tan and Chen, "Tri-subject kinship verification", IEEE Transactions on Multimedia 2015.) Each group has
its own numbers: FMS-1 and FMSD-1 are different families. Most images of a family are crops of one photograph, which the
files do not state.
"""

import os
import re
from collections import Counter
from pathlib import Path

from kinlib.families.relations import relations_of
from kinlib.families.source import check_root, find_folder, list_folder
from kinlib.families.tables import FamilyTables, Problem, frame
from kinlib.runtime.errors import KinlibError

__all__ = ["GROUPS", "find", "read"]

GROUPS = ("FMS", "FMD", "FMSD")
ROLES = {"F": "husband", "M": "wife", "S": "son", "D": "daughter"}
SEX = {"F": "male", "M": "female", "S": "male", "D": "female"}
FILE = re.compile(r"(FMSD|FMS|FMD)-0*(\d+)-([FMSD])\.\w+", re.IGNORECASE)


def read(root: str | os.PathLike) -> FamilyTables:
    """Read TSKinFace.

    Args:
        root: the folder with FMS, FMD and FMSD, or one above it.

    Raises:
        KinlibError: if there are no such folders.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(f"there are no folders {', '.join(GROUPS)} of TSKinFace in '{root}': give the one with them")
    images, problems = _images(folder)
    people = dict.fromkeys((family, letter) for family, letter, _ in images)
    table = frame("people", [(f"{family}/{letter}", family, letter, SEX[letter]) for family, letter in people])
    members = frame("members", [(family, 1, ROLES[letter], f"{family}/{letter}", None) for family, letter in people])
    relations, more = relations_of(members, folder.name)
    rows = [(image, f"{family}/{letter}", None) for family, letter, image in images]
    problems += [*more, *_incomplete(people)]
    return FamilyTables("TSKinFace", folder, table, frame("images", rows), relations, problems, members)


def find(root: Path) -> Path | None:
    """The folder with the groups; None if there is none."""
    return find_folder(root, lambda folder: any(map(_has_pictures, _groups(folder).values())))


def _groups(folder: Path) -> dict[str, Path]:
    """The groups' folders, in any letter case."""
    try:
        inside = {path.name.upper(): path for path in sorted(folder.iterdir())}
    except OSError:
        return {}
    return {group: inside[group] for group in GROUPS if group in inside and inside[group].is_dir()}


def _has_pictures(folder: Path) -> bool:
    try:
        return any(FILE.fullmatch(path.name) for path in folder.iterdir())
    except OSError:
        return False


def _images(folder: Path) -> tuple[list[tuple[str, str, str]], list[Problem]]:
    """(family, letter, image) of every picture."""
    rows, problems = [], []
    groups = _groups(folder)
    for group in GROUPS:
        if group not in groups:
            problems.append(Problem("missing_folder", group, f"there is no folder {group}, a part of TSKinFace"))
            continue
        place = groups[group].name
        listing = list_folder(folder, place)
        problems += listing.problems
        for name in [*listing.images, *listing.others, *listing.folders]:
            found = FILE.fullmatch(name) if name in listing.images else None
            if found and found[1].upper() == group and found[3].upper() in group:
                rows.append((f"{group}-{int(found[2])}", found[3].upper(), f"{place}/{name}"))
            else:
                text = f"not a name of the group {group}, such as {group}-1-{group[-1]}.jpg"
                problems.append(Problem("other_file", f"{place}/{name}", text))
    return _without_repeated(rows, problems), problems


def _without_repeated(rows: list[tuple[str, str, str]], problems: list[Problem]) -> list[tuple[str, str, str]]:
    """The pictures of people who have one; two with one number, FMS-1-F.jpg and FMS-01-F.jpg, are ambiguous."""
    counts = Counter((family, letter) for family, letter, _ in rows)
    for family, letter, image in rows:
        if (count := counts[family, letter]) > 1:
            text = f"{count} pictures of {family} have the letter {letter}"
            problems.append(Problem("repeated_number", image, text, family))
    return [row for row in rows if counts[row[:2]] == 1]


def _incomplete(people: dict[tuple[str, str], None]) -> list[Problem]:
    """Families that lack one of those whom their group's name promises."""
    letters: dict[str, set[str]] = {}
    for family, letter in people:
        letters.setdefault(family, set()).add(letter)
    problems = []
    for family, own in letters.items():
        missing = [ROLES[letter] for letter in family.partition("-")[0] if letter not in own]
        if missing:
            text = f"{family} has no {' and no '.join(missing)}"
            problems.append(Problem("incomplete_house", family, text, family, None, 1))
    return problems
