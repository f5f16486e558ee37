"""SCUT-FBP: 500 faces of Asian women, rated from 1 to 5.

    Crop/SCUT-FBP-<1..500>.jpg      the faces, or Data_Collection, or beside the list
    SCUT-FBP.xlsx                   Image | Attractiveness label | Standard Deviation; or the same as .csv

(Xie, Liang, Jin, Xu and Li, "SCUT-FBP: a benchmark dataset for facial beauty perception", SMC 2015.) The set has no
folds of its own; five random ones are made, as the papers that use it do.
"""

import os
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from kinlib.attractiveness.rating_tables import COLUMNS, Problem, RatedPictures, five_folds, match_pictures
from kinlib.families.source import check_root, find_folder, is_number, read_csv
from kinlib.runtime.errors import KinlibError

__all__ = ["TERMS", "find", "read", "read_sheet"]

NAME, TERMS = "SCUT-FBP", "research only"
FOLDERS = ("Crop", "Data_Collection", "")
PICTURE = re.compile(r"SCUT-FBP-(\d+)\.\w+", re.IGNORECASE)
LISTS = ("SCUT-FBP.xlsx", "SCUT-FBP.csv")
MOST_BYTES = 50_000_000  # of a part of a sheet once unpacked; 500 rows take a hundredth of that
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def find(root: Path) -> Path | None:
    """The folder with the list of ratings; None if there is none."""
    return find_folder(root, lambda folder: any((folder / name).is_file() for name in LISTS))


def read(root: str | os.PathLike) -> RatedPictures:
    """Read SCUT-FBP; splits are `fold_1` to `fold_5`, random with a fixed seed.

    Raises:
        KinlibError: if the folder holds no such set, its list is damaged, or it has none of the pictures.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(f"'{root}' holds no SCUT-FBP: there is no {' or '.join(LISTS)}")
    place = next((name for name in FOLDERS if _has_pictures(folder / name)), None)
    if place is None:
        raise KinlibError(f"'{folder}' holds no pictures such as Crop/SCUT-FBP-1.jpg")
    problems: list[Problem] = []
    listed = next(folder / name for name in LISTS if (folder / name).is_file())
    rated = _ratings(listed, problems)
    found = match_pictures(folder, place, list(rated), problems, where=listed.name, known=LISTS)
    if not found:
        raise KinlibError(f"'{folder / place}' holds none of the pictures that {listed.name} lists")
    rows = [(path, *rated[name], None, "female", "Asian") for name, path in found.items()]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return RatedPictures(NAME, folder, table, five_folds(len(table)), terms=TERMS, problems=problems)


def _has_pictures(folder: Path) -> bool:
    return folder.is_dir() and any(PICTURE.fullmatch(path.name) for path in folder.iterdir())


def _ratings(path: Path, problems: list[Problem]) -> dict[str, tuple[float, float | None]]:
    """Score and deviation by file name."""
    rows = read_sheet(path) if path.suffix == ".xlsx" else read_csv(path)
    found: dict[str, tuple[float, float | None]] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        values = [_number(cell) for cell in (*row, "", "")[1:3]]
        image = row[0].strip().removesuffix(".0")
        if not is_number(image) or values[0] is None:
            problems.append(Problem("malformed_line", f"{path.name}:{number}", "not a number and a rating"))
            continue
        name = f"SCUT-FBP-{int(image)}.jpg"
        if name in found:
            problems.append(Problem("repeated_line", f"{path.name}:{number}", f"'{name}' is listed before"))
        else:
            found[name] = (values[0], values[1])
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 5 else None


def read_sheet(path: Path) -> list[list[str]]:
    """The cells of the first sheet of an .xlsx file as text, one list a row; empty cells are "".

    Raises:
        KinlibError: if the file is damaged or is no such sheet.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            sheet = next(name for name in sorted(names) if name.startswith("xl/worksheets/sheet"))
            shared = []
            if "xl/sharedStrings.xml" in names:
                shared = [
                    "".join(item.itertext()) for item in _tree(archive, "xl/sharedStrings.xml").iter(f"{SHEET}si")
                ]
            return [_cells(row, shared) for row in _tree(archive, sheet).iter(f"{SHEET}row")]
    except Exception as error:  # of archives, compression, encodings and XML, each with kinds of its own
        raise KinlibError(f"'{path}' is damaged or no Excel sheet: copy it again, or save it as .csv") from error


def _tree(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise ValueError("too large")
    content = archive.read(name)
    if b"<!DOCTYPE" in content[:1000]:  # no spreadsheet has one, and entities can fill the memory
        raise ValueError("a document type")
    return ElementTree.fromstring(content)


def _cells(row: ElementTree.Element, shared: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{SHEET}c"):
        column = _column(cell.get("r", ""), len(cells))
        cells += [""] * (column - len(cells))
        text = "".join(cell.itertext())
        cells.append(shared[int(text)] if cell.get("t") == "s" and text else text)
    return cells


def _column(reference: str, following: int) -> int:
    """Column of a cell from a reference such as "C7", counted from 0."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    number = 0
    for letter in letters[0]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return min(max(number - 1, following), following + 100)  # a damaged reference must not fill the memory
