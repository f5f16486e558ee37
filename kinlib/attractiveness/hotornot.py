"""HotOrNot: 2,056 faces from a rating site, unaligned, with normalised mean ratings and five splits.

    hotornot_face/<n>.bmp           or .jpg
    eccv2010_split<1..5>.csv        file.bmp, score, train|test; no header

(Gray, Yu, Xu and Gong, "Predicting facial beauty without landmarks", ECCV 2010.) Scores are about standard normal.
CRNet and ComboLoss divide them at -1 and 1 into three levels; `RatedPictures.scale` brings these to 1.5 and 2.5.
"""

import os
from pathlib import Path

import pandas as pd

from kinlib.attractiveness.rating_tables import COLUMNS, PARTS, Problem, RatedPictures, match_pictures, split_into
from kinlib.families.source import check_root, find_folder, read_csv
from kinlib.runtime.errors import KinlibError

__all__ = ["TERMS", "find", "read"]

NAME = "HotOrNot"
TERMS = "scientific research only, no redistribution without the author's permission, cite the ECCV paper"
PICTURES = "hotornot_face"
SPLITS = {f"fold_{number}": f"eccv2010_split{number}.csv" for number in range(1, 6)}
SCALE = (0.5, 2.0)  # from -1 and 1 to 1.5 and 2.5, between the levels


def find(root: Path) -> Path | None:
    """The folder with pictures and splits; None if there is none."""
    return find_folder(
        root, lambda folder: (folder / PICTURES).is_dir() and any((folder / file).is_file() for file in SPLITS.values())
    )


def read(root: str | os.PathLike) -> RatedPictures:
    """Read HotOrNot; splits are `fold_1` to `fold_5`.

    Raises:
        KinlibError: if the folder holds no such set, or none of its pictures.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(f"'{root}' holds no HotOrNot: there is no {PICTURES} with eccv2010_split1.csv beside it")
    problems: list[Problem] = []
    scores: dict[str, float] = {}
    parts = {}
    for split, file in SPLITS.items():
        if not (folder / file).is_file():
            problems.append(Problem("missing_list", file, f"the split {split} needs it"))
            continue
        parts[split] = _read_split(folder / file, scores, problems)
    found = match_pictures(folder, PICTURES, list(scores), problems, where="the splits")
    if not found:
        raise KinlibError(f"'{folder / PICTURES}' holds none of the pictures that the splits list")
    table = pd.DataFrame([(path, scores[name], *[None] * 4) for name, path in found.items()], columns=list(COLUMNS))
    folds = {split: split_into(list(found), some, f"the split {split}", problems) for split, some in parts.items()}
    return RatedPictures(
        NAME,
        folder,
        table,
        pd.DataFrame(folds, index=table.index),
        levels=3,
        scale=SCALE,
        terms=TERMS,
        problems=problems,
    )


def _read_split(path: Path, scores: dict[str, float], problems: list[Problem]) -> dict[str, list[str]]:
    """Names by part; new names are added to `scores`."""
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    seen: set[str] = set()
    for number, row in enumerate(read_csv(path), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        score = _number(cells[1]) if len(cells) == 3 else None
        if score is None or cells[2] not in PARTS:
            problems.append(
                Problem("malformed_line", f"{path.name}:{number}", "not a file, a number, and train or test")
            )
            continue
        if cells[0] in seen and cells[0] in parts[cells[2]]:
            problems.append(Problem("repeated_line", f"{path.name}:{number}", f"'{cells[0]}' is listed before"))
            continue
        if abs(scores.setdefault(cells[0], score) - score) > 1e-4:
            text = f"{score} in {path.name}, {scores[cells[0]]} in an earlier split"
            problems.append(Problem("differing_score", cells[0], text))
        seen.add(cells[0])
        parts[cells[2]].append(cells[0])
    return parts


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 100 else None  # also false for NaN
