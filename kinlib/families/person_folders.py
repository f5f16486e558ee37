"""Folders <FAMILY>/<Person>/ matched with a list of people: missing, unlisted and misspelt folders, stray files."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from kinlib.families.source import IMAGE_SUFFIXES, Listing, folded, list_folder
from kinlib.families.tables import Problem, frame

__all__ = ["PersonFolders"]


class PersonFolders:
    """All images below the folders of a list's people.

    Attributes:
        problems: missing, unlisted, empty and misspelt folders, and stray files.
    """

    def __init__(
        self,
        root: Path,
        people: Mapping[tuple[str, str], str],
        list_name: str,
        known: Iterable[str],
        lines: Mapping[str, str],
    ):
        """Walk through the folders.

        Args:
            root: the folder with one folder a family.
            people: (name of the family's folder, name of the person's) -> person.
            list_name: the list's file, for the problems.
            known: expected files, relative to `root`.
            lines: person -> line of the list, such as "FAMILY101.txt:12", if there is one.
        """
        self.root, self.list_name, self.known, self.lines = root, list_name, set(known), lines
        self.problems: list[Problem] = []
        self._rows: list[tuple[str, str]] = []
        of_family: dict[str, dict[str, str]] = {}
        for (family, name), person in people.items():
            of_family.setdefault(family, {})[name] = person
        listing = self._list("")
        places, unlisted = self._match(of_family, listing.folders, "")
        for family, names in of_family.items():
            self._read_family(family, names, places.get(family))
        self._report_unlisted(unlisted)

    def images(self, photo_of: Callable[[str], str | None] = lambda image: None) -> pd.DataFrame:
        """The table of images; `photo_of` gives the source photograph of a path."""
        return frame("images", [(image, person, photo_of(image)) for image, person in self._rows])

    def _list(self, place: str, images: bool = False, **about) -> Listing:
        """List a folder; unexpected files become problems."""
        found = list_folder(self.root, place, self.known, **about)
        self.problems += found.problems
        for name in found.others + ([] if images else found.images):
            where = f"{place}/{name}" if place else name
            self.problems.append(Problem("other_file", where, "a file outside the folders of people", **about))
        return found

    def _match(self, wanted: Iterable[str], folders: list[str], above: str) -> tuple[dict[str, str], list[str]]:
        """Folder of each listed name, by exact or normalised spelling; and the unmatched folders."""
        places = {name: name for name in wanted if name in set(folders)}
        left = {folded(folder): folder for folder in folders if folder not in places}
        for name in wanted:
            if name not in places and folded(name) in left:
                places[name] = left.pop(folded(name))
                where = f"{above}/{places[name]}" if above else places[name]
                self.problems.append(Problem("folder_spelling", where, f"the list says {name}"))
        return places, [folder for folder in folders if folder not in places.values()]

    def _read_family(self, family: str, names: dict[str, str], place: str | None) -> None:
        """Read the people of a family; all lack a folder if the family has none."""
        folders = self._list(place, family=family).folders if place else []
        places, unlisted = self._match(names, folders, place or "")
        for name, person in names.items():
            if name in places:
                self._read_person(family, person, f"{place}/{places[name]}")
                continue
            path = f"{place or family}/{name}"
            text = f"{person} is in {self.list_name} but has no folder {path}{self._guess(name, unlisted)}"
            self.problems.append(Problem("missing_folder", self.lines.get(person, path), text, family, person))
        self._report_unlisted([f"{place}/{folder}" for folder in unlisted], family)

    @staticmethod
    def _guess(name: str, unlisted: list[str]) -> str:
        near = get_close_matches(name, unlisted, n=1, cutoff=0.8)
        return f"; the unlisted folder {near[0]} may be meant" if near else ""

    def _read_person(self, family: str, person: str, place: str) -> None:
        found = self._list(place, images=True, family=family, person=person)
        self._rows += [(f"{place}/{name}", person) for name in found.images]
        if not found.images:
            self.problems.append(Problem("empty_folder", place, f"{person} has no images", family, person))
        self._report_unlisted([f"{place}/{folder}" for folder in found.folders], family)

    def _report_unlisted(self, places: list[str], family: str | None = None) -> None:
        """Report unlisted folders and how many images are left out with them."""
        for place in places:
            count = sum(path.suffix.casefold() in IMAGE_SUFFIXES for path in (self.root / place).rglob("*"))
            text = f"a folder that {self.list_name} does not list, with {count} images"
            self.problems.append(Problem("unlisted_folder", place, text, family))
