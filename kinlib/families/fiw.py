"""Families in the Wild (FIW), in its original layout and in that of the Kaggle competition.

    FIDs/F0001/mid.csv                    original: a matrix of relations, names and sexes, see `fiw_matrix`
    FIDs/F0001/MID1/P00001_face0.jpg      face 0 of photograph P00001

    train_relationships.csv               Kaggle: pairs of kin "F0002/MID1,F0002/MID3", without the kind of relation
    train/F0002/MID1/P00009_face3.jpg     or train-faces/

(Robinson, Shao, Wu, Liu, Gillis and Fu, "Visual kinship recognition of Families in the Wild", PAMI 2018.) The number
of the photograph identifies faces cropped from the same one. Kaggle's pairs go into `pairs`; they give no parents. Its
anonymous images in `test` are not read.
"""

import os
import re
from pathlib import Path

from kinlib.families.fiw_matrix import read_matrix
from kinlib.families.person_folders import PersonFolders
from kinlib.families.relations import members_of
from kinlib.families.source import check_root, find_folder, list_folder, natural, read_lines
from kinlib.families.tables import OFFSPRING, FamilyTables, Problem, frame
from kinlib.runtime.errors import KinlibError

__all__ = ["PAIRS", "find", "read"]

PAIRS = "train_relationships.csv"
FAMILY = re.compile(r"F\d{3,}")
MEMBER = re.compile(r"F\d{3,}/MID\d+")
PHOTO = re.compile(r"(P\d+)_face\d+\.\w+")


def read(root: str | os.PathLike) -> FamilyTables:
    """Read FIW in either layout.

    Args:
        root: the folder with FIDs, or with train_relationships.csv, or one above it.

    Raises:
        KinlibError: if it is neither, or a list cannot be read.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(
            f"'{root}' has neither folders F0001 with mid.csv nor {PAIRS}: give the folder that FIW was unpacked into"
        )
    return _read_kaggle(folder) if (folder / PAIRS).is_file() else _read_matrices(folder)


def find(root: Path) -> Path | None:
    """The folder with Kaggle's list, or the one with the original layout; None if there is neither."""
    return find_folder(root, lambda folder: (folder / PAIRS).is_file() or _has_matrices(folder))


def _families(folder: Path) -> list[str]:
    """Names of the families' folders."""
    try:
        names = [path.name for path in folder.iterdir() if FAMILY.fullmatch(path.name) and path.is_dir()]
    except OSError:
        return []
    return sorted(names, key=natural)


def _has_matrices(folder: Path) -> bool:
    return any(_matrix_name(folder, family) for family in _families(folder)[:20])


def _matrix_name(folder: Path, family: str) -> str | None:
    """A family's list: mid.csv, or in some releases F0001.csv."""
    return next((name for name in ("mid.csv", f"{family}.csv") if (folder / family / name).is_file()), None)


def _photo(image: str) -> str | None:
    found = PHOTO.fullmatch(image.rpartition("/")[2])
    return found[1] if found else None


def _read_matrices(folder: Path) -> FamilyTables:
    people, relations, problems, lists, lines = [], [], [], [], {}
    for family in _families(folder):
        name = _matrix_name(folder, family)
        if name is None:
            problems.append(Problem("missing_file", f"{family}/mid.csv", f"{family} has no list of members", family))
            continue
        lists.append(f"{family}/{name}")
        found = read_matrix(read_lines(folder / lists[-1]), family, lists[-1])
        people += found.people
        relations += found.relations
        problems += found.problems
        lines |= {person: f"{lists[-1]}:{line}" for person, line in found.lines.items()}
    table, rows = frame("people", people), frame("relations", relations)
    members = members_of(rows, table)
    homes = members[members["role"].isin(OFFSPRING)].set_index("person")["house"]
    rows["house"] = rows["child"].map(homes).astype("Int64")
    extra = [name for name in list_folder(folder).others if name.startswith("FIW_")]  # names, addresses
    wanted = {(family, person.rpartition("/")[2]): person for person, family, *_ in people}
    files = PersonFolders(folder, wanted, "mid.csv", [*lists, *extra], lines)
    problems += files.problems
    return FamilyTables("FIW", folder, table, files.images(_photo), rows, problems, members)


def _read_kaggle(folder: Path) -> FamilyTables:
    pairs, lines, problems = _read_pairs(folder)
    pictures = find_folder(folder, lambda inside: bool(_families(inside))) or folder
    listed = [person for pair in pairs for person in pair[:2]]
    present = [person for family in _families(pictures) for person in _members(pictures, family)]
    people = sorted({*listed, *present}, key=natural)
    table = frame("people", [(person, *person.split("/"), None) for person in people])
    wanted = {tuple(person.split("/")): person for person in people}
    files = PersonFolders(pictures, wanted, PAIRS, [PAIRS], lines)
    problems += files.problems
    rows = frame("relations", [])
    return FamilyTables("FIW", pictures, table, files.images(_photo), rows, problems, pairs=frame("pairs", pairs))


def _members(folder: Path, family: str) -> list[str]:
    """People with a folder, listed or not."""
    return [f"{family}/{name}" for name in list_folder(folder, family).folders if re.fullmatch(r"MID\d+", name)]


def _read_pairs(folder: Path) -> tuple[list[tuple], dict[str, str], list[Problem]]:
    """Kaggle's pairs of kin, each once (first, second, kin, kind, fold), and the line that first names each person."""
    pairs, lines, problems, seen = [], {}, [], set()
    for line, text in enumerate(read_lines(folder / PAIRS), 1):
        names = [name.strip().replace("//", "/") for name in text.split(",")]
        where = f"{PAIRS}:{line}"
        if not text.strip() or (line == 1 and names == ["p1", "p2"]):
            continue
        if len(names) != 2 or not all(map(MEMBER.fullmatch, names)) or names[0] == names[1]:
            problems.append(
                Problem("malformed_line", where, f"'{text.strip()}' is not a pair such as F0001/MID1,F0001/MID2")
            )
        elif names[0].split("/")[0] != names[1].split("/")[0]:
            problems.append(Problem("wrong_pair", where, f"{names[0]} and {names[1]} are of two families"))
        elif frozenset(names) in seen:
            problems.append(Problem("repeated_line", where, f"{names[0]} and {names[1]} are a pair already"))
        else:
            pairs.append((*names, True, None, None))
            for name in names:
                lines.setdefault(name, where)
        seen.add(frozenset(names))
    return pairs, lines, problems
