"""The output of every reader: tables of people, images and relations, and a list of problems.

Whatever a reader leaves out or cannot interpret is reported as a `Problem` with its location. `KINDS` lists the kinds
of problems and their consequences.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
from PIL import Image

from kinlib.io.photos import read_photo
from kinlib.runtime import config

__all__ = ["COLUMNS", "KINDS", "FamilyTables", "Problem", "couples", "extended_families", "frame", "houses", "roles"]
__all__ += ["sex_split"]

KINDS = {  # kind of problem: description; consequence
    "malformed_line": "a line that cannot be read; left out",
    "header_number": "a family header with a number other than 0; read as a header",
    "unknown_role": "a role that the format does not define; the line is left out",
    "no_family": "a member before the first family header; the line is left out",
    "repeated_family": "a family with two headers; read as one family",
    "repeated_line": "the same member of the same house twice; kept once",
    "repeated_house": "a house with the number of another house; kept, under the next free number",
    "several_husbands": "two husbands in one house; both are kept, its children get no father",
    "several_wives": "two wives in one house; both are kept, its children get no mother",
    "two_houses": "a child of two houses; kept, without the parents that differ between the houses",
    "too_many_parents": "more than two parents, or two of one sex; contradicting ones are left out",
    "own_ancestor": "a person who is their own ancestor; kept, without the parents in that cycle",
    "incomplete_house": "a house without husband, wife or child; kept, it gives no trio",
    "differing_sex": "a person listed with both sexes; kept, with unknown sex",
    "unknown_sex": "a person whose sex cannot be read; kept, with unknown sex",
    "repeated_number": "two faces with one number in a family; both are left out",
    "unmirrored": "a relation whose two entries contradict each other; left out",
    "unknown_code": "a relation code that the format does not define; left out",
    "same_name": "the same name in two families; kept as two people in the same part of a split",
    "missing_folder": "a listed person without a folder; kept, without images",
    "folder_spelling": "a folder spelt differently from the list (case, spaces, accents); used for the person",
    "empty_folder": "a person's folder without images; the person is kept",
    "unlisted_folder": "a folder of a person who is not in the list; left out",
    "missing_file": "a listed file that does not exist; left out",
    "hidden_file": "a hidden file, such as operating systems create; left out",
    "empty_file": "an image file of no bytes; left out",
    "other_file": "a file that is not an image or whose name does not fit the format; left out",
    "unreadable": "a file or folder that the operating system does not open; left out",
    "wrong_set": "contents of another set than the folder's name says; read by contents",
    "wrong_pair": "a pair whose kinship label contradicts the families; the line is left out",
    # of images, see `pictures.check`; all are kept
    "corrupt": "an image file that cannot be decoded to its end",
    "grey": "an image with a single channel",
    "pixelated": "an image upscaled from few pixels by repetition",
    "little_detail": "an image with little detail: upscaled, blurred, or without a person",
    "odd_size": "an image of an unusual size",
    "duplicate": "an image file with the same contents as another",
    # of images, detected by networks only
    "faceless": "an image without a face",
    "wrong_person": "an image of another person than its folder says",
}

COLUMNS = {
    "people": ("person", "family", "name", "sex"),
    "images": ("image", "person", "photo"),
    "relations": ("parent", "child", "kind", "house", "line"),
    "members": ("family", "house", "role", "person", "line"),
    "pairs": ("first", "second", "kin", "kind", "fold"),
}
WHOLE = ("house", "line", "fold")  # columns of nullable integers


@dataclass(frozen=True)
class Problem:
    """Something wrong with a data set.

    Attributes:
        kind: one of `KINDS`.
        where: a line ("FAMILY101.txt:12") or a path, relative to the set's folder.
        text: description for the user.
        family, person, house: the entries concerned, as in the tables; None where unknown.
    """

    kind: str
    where: str
    text: str
    family: str | None = None
    person: str | None = None
    house: int | None = None


def frame(name: str, rows: Iterable[tuple]) -> pd.DataFrame:
    """One of the tables from its rows, with the same column types if there are no rows.

    Args:
        name: a key of `COLUMNS`.
        rows: values in the order of the columns, None where missing.
    """
    table = pd.DataFrame(list(rows), columns=list(COLUMNS[name]), dtype=object)
    for column in table.columns:
        table[column] = table[column].astype("Int64" if column in WHOLE else "bool" if column == "kin" else "object")
    return table


@dataclass(frozen=True, eq=False)
class FamilyTables:
    """A family data set. Missing values are None, or `pd.NA` in integer columns; test them with `isna`.

    Attributes:
        name: of the set ("Family101", "TSKinFace", "KinFaceW-I", "KinFaceW-II", "FIW", "FF-Database").
        root: the folder that `image` is relative to.
        people: one row a person: `person` (unique: "FAMILY/Name"), `family` (extended family), `name`, `sex` ("female",
            "male" or missing).
        images: one row an image: `image` (path relative to `root`, with slashes), `person`, `photo` (the photograph it
            was cropped from, if known; images of one photo share camera, light and background).
        relations: one row a parent and child: `parent`, `child` (persons), `kind` ("father", "mother", or "parent"
            where the sex is unknown), `house` (number of the nuclear family within the family, or missing), `line`
            (of the list, or missing).
        problems: in the order in which they were found.
        members: one row a person in a house: `family`, `house`, `role` ("husband", "wife", "parent", "son", "daughter",
            "child"), `person`, `line`. Includes contested parents.
        pairs: one row a pair in the set's own list for verification: `first`, `second` (persons), `kin`, `kind` (as the
            set calls it: "fd", "fs", "md", "ms"; missing where it does not say), `fold` (from 1, or missing).
    """

    name: str
    root: Path
    people: pd.DataFrame
    images: pd.DataFrame
    relations: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)
    members: pd.DataFrame = field(default_factory=lambda: frame("members", []))
    pairs: pd.DataFrame = field(default_factory=lambda: frame("pairs", []))

    @cached_property
    def images_of(self) -> dict[str, list[str]]:
        """Images by person, in the order of the table; an empty list for people without images."""
        listed = self.images.groupby("person", sort=False)["image"].agg(list).to_dict()
        return {person: listed.get(person, []) for person in self.people["person"]}

    @cached_property
    def family_of(self) -> dict[str, str]:
        """Extended family by person."""
        return dict(zip(self.people["person"], self.people["family"], strict=True))

    @property
    def private(self) -> bool:
        """True unless the set is part of the bundled data: it may show real people, so nothing of it is stored."""
        return not self.root.resolve().is_relative_to(config.data_dir().resolve())

    def path(self, image: str) -> Path:
        """Path of an image's file."""
        return self.root / image

    def load_image(self, image: str) -> Image.Image:
        """An image of the set, RGB and upright.

        Raises:
            KinlibError: if its file is missing or damaged.
        """
        return read_photo(self.path(image))

    def parents(self, person: str) -> list[str]:
        """A person's known parents."""
        return self.relations.loc[self.relations["child"] == person, "parent"].tolist()

    def children(self, person: str) -> list[str]:
        """A person's known children."""
        return self.relations.loc[self.relations["parent"] == person, "child"].tolist()

    def spouses(self, person: str) -> list[str]:
        """People who share a house with a person as husband and wife, or as parents."""
        own = self.members[self.members["role"].isin(SPOUSES)]
        at_home = own.loc[own["person"] == person, ["family", "house"]].drop_duplicates()
        others = own.merge(at_home, on=["family", "house"])["person"]
        return [other for other in dict.fromkeys(others) if other != person]

    def problem_counts(self) -> dict[str, int]:
        """Number of problems of each kind that occurs, in the order of `KINDS`."""
        found = Counter(problem.kind for problem in self.problems)
        return {kind: found[kind] for kind in KINDS if found[kind]}


SPOUSES = ("husband", "wife", "parent")
OFFSPRING = ("son", "daughter", "child")


def sex_split(tables: FamilyTables) -> dict[str, int]:
    """Number of people of each sex: keys "female", "male", "unknown"."""
    counts = tables.people["sex"].fillna("unknown").value_counts()
    return {sex: int(counts.get(sex, 0)) for sex in ("female", "male", "unknown")}


def roles(tables: FamilyTables) -> pd.DataFrame:
    """Roles of people over all houses: unique rows of `person` and `role`."""
    return tables.members[["person", "role"]].drop_duplicates(ignore_index=True)


def couples(tables: FamilyTables) -> pd.DataFrame:
    """One row for each father and mother who share a child: `family`, `father`, `mother`, `children` (a list)."""
    known = tables.relations
    fathers = known[known["kind"] == "father"][["child", "parent"]].rename(columns={"parent": "father"})
    mothers = known[known["kind"] == "mother"][["child", "parent"]].rename(columns={"parent": "mother"})
    both = fathers.merge(mothers, on="child").drop_duplicates()
    table = both.groupby(["father", "mother"], sort=False)["child"].agg(list).rename("children").reset_index()
    table.insert(0, "family", table["father"].map(tables.family_of))
    return table


def houses(tables: FamilyTables) -> pd.DataFrame:
    """One row for each nuclear family.

    Returns:
        `family`, `house`, `fathers`, `mothers`, `parents` (of unknown sex), `children` (lists of persons), and
        `complete`: exactly one father, one mother and at least one child.
    """
    at_home: dict[tuple[str, int], dict[str, list[str]]] = {}
    for member in tables.members.itertuples():
        own = at_home.setdefault((member.family, int(member.house)), {role: [] for role in (*SPOUSES, "child")})
        own["child" if member.role in OFFSPRING else member.role].append(member.person)
    rows = []
    for place, own in at_home.items():
        complete = [len(own[role]) for role in SPOUSES] == [1, 1, 0] and bool(own["child"])
        rows.append((*place, *own.values(), complete))
    return pd.DataFrame(rows, columns=["family", "house", "fathers", "mothers", "parents", "children", "complete"])


def extended_families(tables: FamilyTables) -> pd.DataFrame:
    """One row for each extended family, the largest first: `family`, `people`, `houses`, `images`."""
    people = tables.people.groupby("family", sort=False)["person"].nunique().rename("people").to_frame()
    people["houses"] = tables.members.groupby("family")["house"].nunique()
    people["images"] = tables.images["person"].map(tables.family_of).value_counts()
    counts = people.fillna(0).astype(int).reset_index()
    return counts.sort_values("people", ascending=False, kind="stable", ignore_index=True)
