"""Figures of families: a tree, the album of a person, image trios."""

from collections.abc import Sequence

import pandas as pd
from PIL import Image

from kinlib import figures
from kinlib.families.tables import FamilyTables, couples, extended_families
from kinlib.families.trios import ROLES
from kinlib.runtime.errors import KinlibError

__all__ = ["album", "drawable", "portrait", "short", "tree", "trio_sheet"]

BLANK = Image.new("RGB", (120, 150), (238, 238, 238))
MOST = 30  # pictures of an album in the figure
COLUMNS = 10


def drawable(tables: FamilyTables) -> list[str]:
    """Families whose tree can be drawn, the largest first; see `figures.arrange` for those that cannot."""
    by_family = _couples(tables)
    found = []
    for family in extended_families(tables)["family"]:
        try:
            figures.arrange(by_family.get(family, []))
        except KinlibError:
            continue
        found.append(family)
    return found


def tree(tables: FamilyTables, family: str) -> figures.Plot:
    """A family's known couples and their children, each with one picture; other members are left out.

    Raises:
        KinlibError: if the tree cannot be drawn.
    """
    own = _couples(tables).get(family, [])
    names = dict(zip(tables.people["person"], tables.people["name"], strict=True))
    sexes = dict(zip(tables.people["person"], tables.people["sex"], strict=True))
    tiles = {}
    for person in figures.arrange(own):
        count = len(tables.images_of[person])
        label = f"{short(names[person])}\n{count} pictures" if count else f"{short(names[person])}\nno pictures"
        tiles[person] = figures.Tile(portrait(tables, person), label, sexes[person] == "female")
    return figures.family_tree(own, tiles, f"The family {family.title()}")


def portrait(tables: FamilyTables, person: str) -> Image.Image | None:
    """The middle picture of a person's album; None without a readable one."""
    own = tables.images_of[person]
    try:
        return tables.load_image(own[len(own) // 2]) if own else None
    except KinlibError:
        return None


def album(tables: FamilyTables, person: str) -> figures.Plot:
    """The first pictures of a person's album, labelled with their file names.

    Raises:
        KinlibError: if there are none, or one cannot be read.
    """
    own = tables.images_of[person][:MOST]
    pictures = [tables.load_image(image) for image in own]
    labels = [image.rpartition("/")[2].rpartition(".")[0][-14:] for image in own]
    return figures.contact_sheet([(short(person.rpartition("/")[2]), pictures, labels)], COLUMNS)


def trio_sheet(tables: FamilyTables, pairs: pd.DataFrame, columns: int = 6) -> figures.Plot:
    """Image trios: fathers above mothers above children.

    Args:
        tables: whose images these are.
        pairs: rows from `trios.pair_images`.
        columns: per line.

    Raises:
        KinlibError: if there are none, or a picture cannot be read.
    """
    if not len(pairs):
        raise KinlibError("there are no image trios to draw: take trios whose three people have images")
    rows: list[tuple[str, Sequence[Image.Image], Sequence[str]]] = []
    for start in range(0, len(pairs), columns):
        part = pairs.iloc[start : start + columns]
        for role in ROLES:
            pictures = [tables.load_image(image) for image in part[f"{role}_image"]]
            rows.append((role, pictures, [short(person.rpartition("/")[2]) for person in part[role]]))
    return figures.contact_sheet(rows, columns)


def short(name: str) -> str:
    """A given name."""
    return name.replace("_", " ").split(" ")[0]


def _couples(tables: FamilyTables) -> dict[str, list[tuple[str, str, list[str]]]]:
    """Couples with their children, by family."""
    found: dict[str, list[tuple[str, str, list[str]]]] = {}
    for row in couples(tables).itertuples():
        found.setdefault(row.family, []).append((row.father, row.mother, row.children))
    return found
