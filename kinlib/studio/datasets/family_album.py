"""Reading the family data set with everything that is true of it: people, couples, photographs and their labels.

`families.family101` reads the list of people as it stands, planted faults included; this module reads the truth beside
it, which no real data set has.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["FamilyAlbum", "Photograph", "load_album"]

TURN = 0.5  # years of age that one degree of yaw counts for, when a photograph is chosen


@dataclass(frozen=True)
class Photograph:
    """One photograph and its truth.

    Attributes:
        image: as it lies on the disk, RGB.
        age: years.
        landmarks: float32 [68, 2], x and y in pixels.
        classes: uint8 [H, W], numbers of `labels.CLASSES`; None where masks were not kept.
        regions: uint8 [H, W], numbers of `labels.REGIONS`; None likewise.
    """

    image: Image.Image
    age: float
    landmarks: np.ndarray
    classes: np.ndarray | None
    regions: np.ndarray | None


@dataclass(frozen=True, eq=False)
class FamilyAlbum:
    """The families on disk.

    Attributes:
        folder: where `families/` lies.
        people: one row a person, as `pedigree.Pedigree.people` with the traits behind.
        truth: one row a photograph: file, whose, age, fault, pose, landmarks, attributes, masks, genome.
    """

    folder: Path
    people: pd.DataFrame
    truth: pd.DataFrame

    def families(self) -> list[str]:
        """Names of the families, the largest first."""
        sizes = self.people.groupby("family").size()
        return sizes.sort_values(ascending=False, kind="stable").index.tolist()

    def couples(self, family: str) -> list[tuple[str, str, list[str]]]:
        """(husband, wife, their children) of every couple of a family, by the children's births.

        Raises:
            KinlibError: if there is no such family.
        """
        members = self.people[self.people["family"] == family]
        if members.empty:
            raise KinlibError(f"there is no family '{family}': choose one of {', '.join(self.families())}")
        names = self.people.set_index("person")["name"]
        houses = members.dropna(subset=["father"]).groupby(["father", "mother"], sort=False)["name"]
        return [(names[father], names[mother], list(children)) for (father, mother), children in houses]

    def person(self, name: str) -> pd.Series:
        """Somebody's row.

        Raises:
            KinlibError: if there is nobody of that name.
        """
        found = self.people[self.people["name"] == name]
        if found.empty:
            raise KinlibError(f"there is nobody called '{name}' in {self.folder}")
        return found.iloc[0]

    def photograph(self, name: str, age: float = 30.0, masks: bool = False) -> Photograph | None:
        """The photograph of somebody nearest to an age and to the front; None if there is none without a planted fault.

        Args:
            name: of the person.
            age: years.
            masks: only photographs whose masks were kept.

        Raises:
            KinlibError: if a file is missing or damaged.
        """
        rows = self.truth[(self.truth["name"] == name) & self.truth["fault"].isna()]
        rows = rows[rows["mask"].notna()] if masks else rows
        if rows.empty:
            return None
        return self._read(rows.loc[((rows["age"] - age).abs() + TURN * rows["yaw"].abs()).idxmin()])

    def _read(self, row: pd.Series) -> Photograph:
        path = self.folder / "families" / row["file"]
        try:
            image = Image.open(path).convert("RGB")
            maps = [_labels(row[name]) for name in ("mask", "regions")]
        except OSError as error:
            raise KinlibError(f"{path} or its masks cannot be read: get them again with the project's files") from error
        return Photograph(image, float(row["age"]), np.reshape(row["landmarks"], (-1, 2)).astype(np.float32), *maps)


def load_album(folder: Path | None = None) -> FamilyAlbum:
    """The bundled families, or those in another folder.

    Raises:
        KinlibError: if they are missing or damaged.
    """
    folder = Path(folder or config.data_dir() / "studio")
    tables = []
    for name in ("people", "truth"):
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise KinlibError(f"there are no families in {folder}: get them again with the project's files")
        try:
            tables.append(pd.read_parquet(path))
        except (OSError, ValueError) as error:
            raise KinlibError(f"{path} is damaged: get it again with the project's files") from error
    return FamilyAlbum(folder, *tables)


def _labels(png: bytes | None) -> np.ndarray | None:
    return None if png is None or pd.isna(png) else np.asarray(Image.open(io.BytesIO(png)))
