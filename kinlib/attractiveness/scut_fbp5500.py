"""SCUT-FBP5500: 5,500 frontal faces of 350 px, rated by 60 volunteers from 1 to 5.

    Images/{AF,AM,CF,CM}<n>.jpg                                    second release: Asian or Caucasian, female or male
           {f,m}t{y,w}<n>.jpg                                      first release
    train_test_files/All_labels.txt                                <file>.jpg <mean rating>
    train_test_files/split_of_60%training and 40%testing/{train,test}.txt
    train_test_files/5_folders_cross_validations_files/cross_validation_<k>/{train,test}_<k>.txt

(Liang, Lin, Jin, Xie and Li, "SCUT-FBP5500: a diverse benchmark dataset for multi-paradigm facial beauty prediction",
ICPR 2018.) The first release's names say the same in other letters, with the same numbers: `ftw437.jpg` is `CF437.jpg`.
ComboLoss' code tells sex and group by the first release's letters, which is wrong for every name of the second.
"""

import os
import re
from pathlib import Path

import pandas as pd

from kinlib.attractiveness.rating_tables import COLUMNS, Problem, RatedPictures, match_pictures, split_into
from kinlib.families.source import check_root, find_folder, read_lines
from kinlib.runtime.errors import KinlibError

__all__ = ["FIVE", "SIXTY", "TERMS", "find", "group_of", "read"]

NAME, TERMS = "SCUT-FBP5500", "non-commercial research only (the authors' README)"
PICTURES, LISTS = "Images", "train_test_files"
LABELS = "All_labels.txt"
SIXTY = "split_of_60%training and 40%testing"
FIVE = "5_folders_cross_validations_files"
RATERS = 60
SECOND = re.compile(r"([AC])([FM])(\d+)")
FIRST = re.compile(r"([fm])t([yw])(\d+)")
GROUPS = {"A": "Asian", "y": "Asian", "C": "Caucasian", "w": "Caucasian"}
SEXES = {"F": "female", "f": "female", "M": "male", "m": "male"}
LETTERS = {"Asian": ("A", "y"), "Caucasian": ("C", "w"), "female": ("F", "f"), "male": ("M", "m")}


def find(root: Path) -> Path | None:
    """The folder with the pictures and the lists; None if there is none."""
    return find_folder(root, lambda folder: (folder / PICTURES).is_dir() and (folder / LISTS / LABELS).is_file())


def read(root: str | os.PathLike) -> RatedPictures:
    """Read SCUT-FBP5500; splits are `60_40` and `fold_1` to `fold_5`.

    Raises:
        KinlibError: if the folder holds no such set, or none of its pictures.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(f"'{root}' holds no SCUT-FBP5500: there is no {PICTURES} with {LISTS}/{LABELS} beside it")
    problems: list[Problem] = []
    scores = read_scores(folder / LISTS / LABELS, LABELS, problems)
    others = {Path(name).stem: _other_names(Path(name).stem) for name in scores}
    found = match_pictures(folder, PICTURES, list(scores), problems, others, LABELS)
    if not found:
        raise KinlibError(f"'{folder / PICTURES}' holds none of the pictures that {LABELS} lists")
    rows = [(path, scores[name], None, RATERS, *_described(name, problems)) for name, path in found.items()]
    folds = {split: _split(folder, split, files, scores, list(found), problems) for split, files in _splits().items()}
    known = {name: column for name, column in folds.items() if column is not None}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return RatedPictures(NAME, folder, table, pd.DataFrame(known, index=table.index), terms=TERMS, problems=problems)


def group_of(stem: str) -> tuple[str | None, str | None]:
    """Sex and group by a name of either release: "AF1" and "fty1" are ("female", "Asian"); Nones for another name."""
    if match := SECOND.fullmatch(stem):
        return SEXES[match[2]], GROUPS[match[1]]
    if match := FIRST.fullmatch(stem):
        return SEXES[match[1]], GROUPS[match[2]]
    return None, None


def read_scores(path: Path, where: str, problems: list[Problem]) -> dict[str, float]:
    """Mean ratings by file name from lines "<file> <number>"; names may hold spaces."""
    scores: dict[str, float] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        name, _, text = line.strip().rpartition(" ")
        score = _number(text)
        if not name or score is None:
            problems.append(Problem("malformed_line", f"{where}:{number}", "not a file name and a number"))
        elif name in scores:
            problems.append(Problem("repeated_line", f"{where}:{number}", f"'{name}' is listed before"))
        else:
            scores[name] = score
    return scores


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 1 <= value <= 5 else None  # the scale; also false for NaN


def _other_names(stem: str) -> tuple[str, ...]:
    """The same picture's stem in the other release."""
    sex, group = group_of(stem)
    if sex is None or group is None:
        return ()
    number = re.sub(r"\D", "", stem)
    first = f"{LETTERS[sex][1]}t{LETTERS[group][1]}{number}"
    second = f"{LETTERS[group][0]}{LETTERS[sex][0]}{number}"
    return (first, second)


def _described(name: str, problems: list[Problem]) -> tuple[str | None, str | None]:
    sex, group = group_of(Path(name).stem)
    if sex is None:
        problems.append(Problem("unknown_group", name, "neither AF1.jpg nor fty1.jpg is like it"))
    return sex, group


def _splits() -> dict[str, dict[str, str]]:
    """Lists of each split by its parts, relative to the folder."""
    parts = ("train", "test")
    found = {"60_40": {part: f"{LISTS}/{SIXTY}/{part}.txt" for part in parts}}
    for k in range(1, 6):
        found[f"fold_{k}"] = {part: f"{LISTS}/{FIVE}/cross_validation_{k}/{part}_{k}.txt" for part in parts}
    return found


def _split(
    folder: Path, split: str, files: dict[str, str], scores: dict[str, float], names: list[str], problems: list[Problem]
) -> list[str | None] | None:
    """The part of each picture; None where the lists are absent."""
    absent = [file for file in files.values() if not (folder / file).is_file()]
    if absent:
        problems += [Problem("missing_list", file, f"the split {split} needs it") for file in absent]
        return None
    listed = {part: read_scores(folder / file, file, problems) for part, file in files.items()}
    for part, rated in listed.items():
        for name, score in rated.items():
            if name in scores and abs(score - scores[name]) > 1e-4:
                text = f"{score} in {files[part]}, {scores[name]} in {LABELS}"
                problems.append(Problem("differing_score", name, text))
    return split_into(names, listed, f"the split {split}", problems)
