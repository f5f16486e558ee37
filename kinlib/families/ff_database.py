"""FF-Database (ChildPredictor): faces of families, each family cropped from one photograph, labels in file names.

    {train,val,test}/<family>/ori.png          the photograph; not a face
                              NNabcdef.png     NN = 01 father, 02 mother, 03 and on children; a = 1 male, 2 female

(Zhao, Po, Wang, Yan, Shen, Zhang, Liu, Wong, Pun, Zhou, Lam and Xu, "ChildPredictor: a child face prediction framework
with disentangled learning", IEEE Transactions on Multimedia 2022.) The meaning of the digits b to f is not documented.
All faces of a family share its photograph. Faces were upscaled fourfold by a network, so their detail is generated.
"""

import os
import re
from pathlib import Path

from kinlib.families.relations import relations_of
from kinlib.families.source import check_root, find_folder, list_folder, natural
from kinlib.families.tables import FamilyTables, Problem, frame
from kinlib.runtime.errors import KinlibError

__all__ = ["PARTS", "PHOTO", "find", "read"]

PARTS = ("train", "val", "test")
PHOTO = "ori"
FACE = re.compile(r"(\d\d)(\d)\d{5}\.\w+")
SEXES = {"1": "male", "2": "female"}
PARENTS = {"01": ("husband", "male"), "02": ("wife", "female")}
CHILD = {"male": "son", "female": "daughter", None: "child"}
TRIED = 20  # folders that are searched for a face, to recognise the families


def read(root: str | os.PathLike) -> FamilyTables:
    """Read FF-Database; families have the names of their folders: "train/0001".

    Args:
        root: the folder with train, val and test, one of them, or a folder above.

    Raises:
        KinlibError: if there are no such folders.
    """
    folder = find(check_root(root))
    if folder is None:
        raise KinlibError(
            f"there are no families with faces such as 01112111.png in '{root}': give the folder with train"
        )
    parts = [part for part in PARTS if _has_families(folder / part)]
    tables = _Tables(folder)
    for part in parts or [""]:
        listing = list_folder(folder, part)
        tables.problems += listing.problems
        for family in sorted(listing.folders, key=natural):
            tables.add(f"{part}/{family}" if part else family)
    return tables.whole()


def find(root: Path) -> Path | None:
    """The folder with train, val or test, or with the families themselves; None if there is none."""
    return find_folder(root, lambda folder: any(_has_families(folder / part) for part in (*PARTS, "")))


def _has_families(folder: Path) -> bool:
    """Whether a face lies in one of the first folders."""
    try:
        families = [path for path in sorted(folder.iterdir()) if path.is_dir()][:TRIED]
        return any(FACE.fullmatch(path.name) for family in families for path in family.iterdir())
    except OSError:
        return False


class _Tables:
    """Rows of all tables; each family is added without state from the previous one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.people, self.images, self.members = [], [], []
        self.problems: list[Problem] = []

    def add(self, family: str) -> None:
        """Add the faces of one family's folder."""
        listing = list_folder(self.folder, family, family=family)
        self.problems += listing.problems
        photo = next((f"{family}/{name}" for name in listing.images if Path(name).stem == PHOTO), None)
        faces: dict[str, list[str]] = {}
        for name in [*listing.images, *listing.others, *listing.folders]:
            found = FACE.fullmatch(name) if name in listing.images else None
            if found and found[1] != "00":
                faces.setdefault(found[1], []).append(name)
            elif Path(name).stem != PHOTO:
                self._problem("other_file", f"{family}/{name}", "not a name such as 01112111.png", family)
        for number, names in faces.items():
            self._add_person(family, number, names, photo)
        lacks = [role for number, (role, _) in PARENTS.items() if number not in faces]
        lacks += [] if set(faces) - set(PARENTS) else ["child"]
        if lacks:
            self._problem("incomplete_house", family, f"{family} has no {' and no '.join(lacks)}", family, None, 1)

    def _add_person(self, family: str, number: str, names: list[str], photo: str | None) -> None:
        """Add the face of one number; two faces with one number are ambiguous and left out."""
        if len(names) > 1:
            for name in names:
                text = f"{len(names)} faces of {family} have the number {number}"
                self._problem("repeated_number", f"{family}/{name}", text, family)
            return
        person, where, role = f"{family}/{number}", f"{family}/{names[0]}", PARENTS.get(number)
        sex = SEXES.get(FACE.fullmatch(names[0])[2])
        if sex is None:
            self._problem("unknown_sex", where, "the third digit is neither 1 nor 2", family, person)
        elif role and sex != role[1]:
            self._problem("differing_sex", where, f"a {role[0]}, but {sex} by the third digit", family, person)
            sex = None
        self.people.append((person, family, number, sex))
        self.members.append((family, 1, role[0] if role else CHILD[sex], person, None))
        self.images.append((where, person, photo))

    def _problem(self, *about) -> None:
        self.problems.append(Problem(*about))

    def whole(self) -> FamilyTables:
        """The tables of all families added."""
        members = frame("members", self.members)
        relations, more = relations_of(members, self.folder.name)
        people, images = frame("people", self.people), frame("images", self.images)
        return FamilyTables("FF-Database", self.folder, people, images, relations, self.problems + more, members)
