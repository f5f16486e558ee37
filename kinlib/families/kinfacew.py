"""KinFaceW-I and -II: pairs of a parent and a child, and the set's own list of pairs for verification in five folds.

    [KinFaceW-II/]images/{father-dau,father-son,mother-dau,mother-son}/fd_001_1.jpg     the parent
                                                                       fd_001_2.jpg     the child
                  meta_data/{fd,fs,md,ms}_pairs.mat                                     fold, kin or not, parent, child

(Lu, Zhou, Tan, Shang and Zhou, "Neighborhood repulsed metric learning for kinship verification", PAMI 2014.) Each pair
is a family with one known parent, so the set gives no trios. In KinFaceW-II, parent and child are crops of the same
photograph.
"""

import os
import re
from collections import Counter
from pathlib import Path

from kinlib.families.matlab import read_cells
from kinlib.families.relations import relations_of
from kinlib.families.source import check_root, find_folder, list_folder
from kinlib.families.tables import FamilyTables, Problem, frame
from kinlib.runtime.errors import KinlibError

__all__ = ["FOLDERS", "SIZES", "find", "read"]

FOLDERS = {"father-dau": "fd", "father-son": "fs", "mother-dau": "md", "mother-son": "ms"}
SIZES = {  # number of pairs of each kind, which identifies the set
    "KinFaceW-I": {"fd": 134, "fs": 156, "md": 127, "ms": 116},
    "KinFaceW-II": {"fd": 250, "fs": 250, "md": 250, "ms": 250},
}
ROLES = {"f": ("husband", "male"), "m": ("wife", "female"), "d": ("daughter", "female"), "s": ("son", "male")}
FILE = re.compile(r"(f|m)(d|s)_(\d+)_([12])\.\w+", re.IGNORECASE)


def read(root: str | os.PathLike) -> FamilyTables:
    """Read KinFaceW-I or -II; `pairs` holds the set's list for verification.

    Args:
        root: the folder with `images` and `meta_data`, or one above it.

    Raises:
        KinlibError: if there is no such folder, or it holds both sets.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(f"there is no folder images/father-dau of one KinFaceW in '{root}': give the one with images")
    images, problems = _images(folder)
    name, doubts = _which(folder, Path(root), images)
    people = dict.fromkeys((family, number) for family, number, _ in images)
    table = frame("people", [_person_row(*person) for person in people])
    members = frame("members", [(f, 1, ROLES[f[int(n) - 1]][0], f"{f}/{n}", None) for f, n in people])
    relations, more = relations_of(members, "images")
    rows = [(image, f"{family}/{n}", family if name == "KinFaceW-II" else None) for family, n, image in images]
    pairs, wrong = _pairs(folder, {Path(image).name: f"{family}/{n}" for family, n, image in images})
    problems += [*doubts, *more, *_halves(people), *wrong]
    return FamilyTables(name, folder, table, frame("images", rows), relations, problems, members, frame("pairs", pairs))


def find(root: Path) -> Path | None:
    """The folder with `images`; None if there is none."""
    return find_folder(root, lambda folder: any((folder / "images" / name).is_dir() for name in FOLDERS))


def _person_row(family: str, number: str) -> tuple:
    return f"{family}/{number}", family, number, ROLES[family[int(number) - 1]][1]


def _images(folder: Path) -> tuple[list[tuple[str, str, str]], list[Problem]]:
    """(family, "1" or "2", image) of every picture; families are called as the files: "fd_001"."""
    rows, problems = [], []
    for inside, kind in FOLDERS.items():
        place = f"images/{inside}"
        if not (folder / place).is_dir():
            problems.append(Problem("missing_folder", place, f"there is no folder {inside}, a part of KinFaceW"))
            continue
        listing = list_folder(folder, place)
        problems += listing.problems
        for name in [*listing.images, *listing.others, *listing.folders]:
            found = FILE.fullmatch(name) if name in listing.images else None
            if found and (found[1] + found[2]).lower() == kind:
                rows.append((f"{kind}_{found[3]}", found[4], f"{place}/{name}"))
            else:
                problems.append(Problem("other_file", f"{place}/{name}", f"not a name such as {kind}_001_1.jpg"))
    return rows, problems


def _which(folder: Path, root: Path, images: list) -> tuple[str, list[Problem]]:
    """The set's name by the numbers of its pairs, or else by the folder's name."""
    counts = Counter(family[:2] for family in {family for family, _, _ in images})
    by_size = next((name for name, sizes in SIZES.items() if counts == sizes), None)
    words = re.findall(r"KinFaceW-?_?(II|I)(?![A-Z])", f"{root.name}/{folder.name}", re.IGNORECASE)
    by_name = f"KinFaceW-{words[-1].upper()}" if words else None
    if by_size and by_name and by_size != by_name:
        text = f"the folder is called {by_name} but has {by_size}'s numbers of pairs"
        return by_size, [Problem("wrong_set", ".", text)]
    return by_size or by_name or "KinFaceW", []


def _halves(people: dict[tuple[str, str], None]) -> list[Problem]:
    """Pairs of which one picture is missing."""
    problems = []
    for family in dict.fromkeys(family for family, _ in people):
        missing = [what for number, what in (("1", "parent"), ("2", "child")) if (family, number) not in people]
        if missing:
            problems.append(Problem("incomplete_house", family, f"{family} has no {missing[0]}", family, None, 1))
    return problems


def _pairs(folder: Path, persons: dict[str, str]) -> tuple[list[tuple], list[Problem]]:
    """The set's own pairs: first, second, kin, kind, fold."""
    rows, problems = [], []
    places = {kind: f"meta_data/{kind}_pairs.mat" for kind in FOLDERS.values()}
    for kind, cells in _lists(folder, places, problems).items():
        place = places[kind]
        for number, row in enumerate(cells, 1):
            where = f"{place}:{number}"
            try:
                fold, kin, parent, child = row
                fold, kin = int(fold), bool(int(kin))
                parent, child = str(parent), str(child)
            except (ValueError, TypeError, OverflowError):
                problems.append(Problem("malformed_line", where, "a row is not: fold, kin, parent, child"))
                continue
            absent = [name for name in (parent, child) if name not in persons]
            if absent:
                problems.append(Problem("missing_file", where, f"there is no image {absent[0]}"))
            elif kin != (parent.split("_")[1] == child.split("_")[1]):
                text = f"{parent} and {child} are {'' if kin else 'not '}kin by the list, against their numbers"
                problems.append(Problem("wrong_pair", where, text))
            else:
                rows.append((persons[parent], persons[child], kin, kind, fold))
    return rows, problems


def _lists(folder: Path, places: dict[str, str], problems: list[Problem]) -> dict[str, list[list]]:
    """The rows of each .mat file by kind; of those that are missing or damaged none, and a problem."""
    there = {}
    for kind, place in places.items():
        if (folder / place).is_file():
            there[kind] = folder / place
        else:
            problems.append(Problem("missing_file", place, "the list of pairs for verification is not there"))
    found = dict(zip(there, read_cells(list(there.values()), "pairs"), strict=True))
    for kind, rows in found.items():
        if isinstance(rows, str):
            problems.append(Problem("unreadable", places[kind], f"cannot be read as a list of pairs: {rows}"))
    return {kind: rows for kind, rows in found.items() if not isinstance(rows, str)}
