"""The couples of a prepared data set of families: whoever has a child together, by their most frontal photographs."""

import os
from collections import Counter
from pathlib import Path

from kinlib import families
from kinlib.couples.couples import RESERVED, Couple, named
from kinlib.families import tables
from kinlib.io.resume import read_note
from kinlib.prepare.listing import FOLDER
from kinlib.prepare.run import NOTE
from kinlib.prepare.table import read_prepared
from kinlib.runtime.errors import KinlibError

__all__ = ["couples_of_prepared"]


def couples_of_prepared(folder: str | os.PathLike) -> list[Couple]:
    """The couples of a folder that `kinlib prepare` wrote, each named by its family and a number.

    Of each parent's photographs in which a face was found, the one with the smallest yaw is taken. Couples of whom one
    has no such photograph are left out.

    Raises:
        KinlibError: if the folder is not prepared, or not of a data set of families, which has to lie where it lay, or
            there is no couple in it.
    """
    folder = Path(folder)
    prepared = read_prepared(folder, ["image", "person", "status", "yaw"])
    note = read_note(folder / NOTE) or {}
    if "root" not in note:
        raise KinlibError(f"'{folder}' is not complete: run `kinlib prepare` again")
    if note.get("kind") == FOLDER:
        raise KinlibError(f"'{folder}' was made of a plain folder, which names no families: give a table of couples")
    usable = prepared[prepared["status"] == "ok"]
    frontal = usable.iloc[usable["yaw"].abs().argsort(kind="stable")].drop_duplicates("person")
    photos = dict(zip(frontal["person"], frontal["image"], strict=True))
    seen: Counter[str] = Counter()
    couples = []
    for row in tables.couples(families.read(note["root"])).itertuples():
        if row.father in photos and row.mother in photos:
            family = RESERVED.sub("_", str(row.family))
            seen[family] += 1
            couples.append(
                Couple(f"{family}_{seen[family]}", photos[row.father], photos[row.mother], Path(note["root"]))
            )
    if not couples:
        raise KinlibError(f"'{folder}' holds no couple with a child and a face of both: give a table of couples")
    return named(couples, f"'{folder}'")
