"""The output of every reader of rated pictures: one table, the folds, the terms of use, and a list of problems.

Whatever a reader leaves out or reads otherwise than it is written is reported as a `Problem` with its place. `KINDS`
lists the kinds of problems and their consequences.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib.families.source import list_folder
from kinlib.families.tables import Problem
from kinlib.runtime.errors import KinlibError

__all__ = ["COLUMNS", "KINDS", "Problem", "RatedPictures", "five_folds", "match_pictures", "split_into"]

KINDS = {  # kind of problem: description; consequence
    "missing_file": "a rated picture that does not exist; left out",
    "renamed_file": "a rated picture under another name than the list has; read under that name",
    "unlisted_file": "a picture without a rating; left out",
    "empty_file": "a picture of no bytes; left out",
    "unreadable": "a file or folder that the operating system does not open; left out",
    "hidden_file": "a hidden file, such as operating systems create; left out",
    "other_file": "a file that is no picture; left out",
    "duplicate": "a picture with the same contents as another; kept",
    "malformed_line": "a line that cannot be read; left out",
    "repeated_line": "a picture that is listed twice; the first line counts",
    "differing_score": "a picture with different ratings in two lists; that of the first list counts",
    "in_both_parts": "a picture in the training set and the test set of one split; it is left out of the training set",
    "in_no_part": "a picture that a split does not list; it is in neither of its parts",
    "unknown_group": "a name from which sex and group cannot be told; kept, without them",
    "missing_list": "a list of the set that is absent; what it holds is missing",
}
COLUMNS = ("picture", "score", "deviation", "raters", "sex", "group")
PARTS = ("train", "test")


@dataclass(frozen=True, eq=False)
class RatedPictures:
    """A set of rated pictures. Missing values are None or NaN; test them with `isna`.

    Attributes:
        name: of the set.
        root: the folder that `picture` is relative to.
        table: one row a picture: `picture` (path relative to `root`, with slashes), `score` (mean rating as the set
            gives it), `deviation` (standard deviation over raters), `raters` (their number), `sex` ("female", "male"),
            `group` (of the pictured person, in the set's own words).
        folds: a column for each split, "train", "test" or None, in the rows of `table`.
        levels: number of levels that losses divide the scale into.
        scale: (slope, offset) from the set's scores to a scale from 1 to `levels`.
        terms: under which the set may be used.
        problems: in the order in which they were found.
    """

    name: str
    root: Path
    table: pd.DataFrame
    folds: pd.DataFrame
    levels: int = 5
    scale: tuple[float, float] = (1.0, 0.0)
    terms: str = ""
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.table)

    def path(self, picture: str) -> Path:
        """The file of a picture."""
        return self.root / picture

    def ratings(self) -> np.ndarray:
        """Scores on the scale from 1 to `levels`, float64 [N]; what lies outside is moved to its ends."""
        slope, offset = self.scale
        # Half a level beyond either end still rounds to a level; a hair less, since halves round downwards.
        return np.clip(slope * self.table["score"].to_numpy(float) + offset, 0.501, self.levels + 0.5)

    def fold(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the training set and of the test set of a split, bool [N] each.

        Raises:
            KinlibError: if there is no such split, or one of its parts is empty.
        """
        if name not in self.folds:
            raise KinlibError(f"{self.name} has no split '{name}': {', '.join(self.folds) or 'none was found'}")
        train, test = ((self.folds[name] == part).to_numpy() for part in PARTS)
        if not train.any() or not test.any():
            raise KinlibError(f"a part of the split '{name}' of {self.name} is empty: its pictures are missing")
        return train, test

    def summary(self) -> dict[str, int]:
        """Number of problems by kind."""
        return dict(Counter(problem.kind for problem in self.problems))


def match_pictures(
    root: Path,
    place: str,
    listed: Sequence[str],
    problems: list[Problem],
    other_names: Mapping[str, Sequence[str]] | None = None,
    where: str = "",
    known: Iterable[str] = (),
) -> dict[str, str]:
    """Find the files of listed pictures, and report what is missing, renamed, unlisted or there twice.

    Args:
        root: the set's folder.
        place: the folder of pictures, relative to it.
        listed: file names in the order of the list.
        problems: is added to.
        other_names: further stems under which a listed picture may be found, by stem.
        where: the list, for messages.
        known: files beside the pictures that are expected, relative to `root`.

    Returns:
        Path relative to `root`, by listed name, of the pictures that exist.
    """
    listing = list_folder(root, place, known)
    inside = f"{place}/" if place else ""
    problems += listing.problems
    problems += [Problem("other_file", f"{inside}{name}", "no picture") for name in (*listing.others, *listing.folders)]
    by_stem = {Path(name).stem.casefold(): name for name in listing.images}
    there = set(listing.images)
    found, taken = {}, set()
    for name in listed:
        file = name if name in there else _by_stem(Path(name).stem, by_stem, other_names or {})
        if file is None:
            problems.append(Problem("missing_file", name, f"'{name}' is in {where}, but not in the folder '{place}'"))
            continue
        if file != name:
            problems.append(Problem("renamed_file", f"{inside}{file}", f"{where} calls it '{name}'"))
        found[name] = f"{inside}{file}"
        taken.add(file)
    problems += [
        Problem("unlisted_file", f"{inside}{name}", f"{where} has no rating of it")
        for name in listing.images
        if name not in taken
    ]
    problems += _duplicates(root, list(found.values()))
    return found


def _by_stem(stem: str, by_stem: Mapping[str, str], other_names: Mapping[str, Sequence[str]]) -> str | None:
    for one in (stem, *other_names.get(stem, ())):
        if one.casefold() in by_stem:
            return by_stem[one.casefold()]
    return None


def _duplicates(root: Path, pictures: Iterable[str]) -> list[Problem]:
    """Files with the same bytes as an earlier one; only files of one size are opened."""
    sizes: dict[int, list[str]] = {}
    for picture in pictures:
        sizes.setdefault((root / picture).stat().st_size, []).append(picture)
    problems, first = [], {}
    for group in sizes.values():
        for picture in group if len(group) > 1 else ():
            content = hashlib.blake2b((root / picture).read_bytes(), digest_size=16).digest()
            if content in first:
                problems.append(Problem("duplicate", picture, f"the same file as {first[content]}"))
            first.setdefault(content, picture)
    return problems


def split_into(
    names: Sequence[str], parts: Mapping[str, Iterable[str]], where: str, problems: list[Problem]
) -> list[str | None]:
    """The part of each picture in one split; a picture in both is tested on only.

    Args:
        names: of the pictures in the table's order.
        parts: listed names by "train" and "test".
        where: the split, for messages.
        problems: is added to.
    """
    train, test = (set(parts.get(part, ())) for part in PARTS)
    result: list[str | None] = []
    for name in names:
        if name in train and name in test:
            problems.append(Problem("in_both_parts", name, f"{where} both trains and tests on it"))
        part = "test" if name in test else "train" if name in train else None
        if part is None:
            problems.append(Problem("in_no_part", name, f"{where} does not list it"))
        result.append(part)
    return result


def five_folds(count: int, seed: int = 0) -> pd.DataFrame:
    """Five random folds for a set that has none of its own: each picture is tested on once."""
    order = np.random.default_rng(seed).permutation(count)
    fold = np.empty(count, int)
    fold[order] = np.arange(count) % 5
    return pd.DataFrame({f"fold_{number + 1}": np.where(fold == number, "test", "train") for number in range(5)})
