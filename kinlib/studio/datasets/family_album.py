"""Reading the family data set with its ground truth: people, couples, photographs and their labels.

`families.family101` reads the published list of people, planted faults included; this module reads the ground truth
beside it, which real data sets lack.
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

YAW_YEARS = 0.5  # years of age that one degree of yaw is worth when a photograph is chosen


@dataclass(frozen=True)
class Photograph:
    """One photograph with its ground truth.

    Attributes:
        image: as stored, RGB.
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
        folder: holds `families/`.
        people: one row per person: columns of `pedigree.Pedigree.people`, then the traits.
        truth: one row per photograph: file, family, name, age, fault, pose, landmarks, attributes, masks, genome.
    """

    folder: Path
    people: pd.DataFrame
    truth: pd.DataFrame

    def families(self) -> list[str]:
        """Names of the families, the largest first."""
        sizes = self.people.groupby("family").size()
        return sizes.sort_values(ascending=False, kind="stable").index.tolist()

    def couples(self, family: str) -> list[tuple[str, str, list[str]]]:
        """(husband, wife, names of their children) of all couples of a family; children by birth.

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
        """The row of a person.

        Raises:
            KinlibError: if the name is unknown.
        """
        found = self.people[self.people["name"] == name]
        if found.empty:
            raise KinlibError(f"there is nobody called '{name}' in {self.folder}")
        return found.iloc[0]

    def photograph(self, name: str, age: float = 30.0, masks: bool = False) -> Photograph | None:
        """The faultless photograph of a person that is nearest to an age and a frontal pose; None if there is none.

        Args:
            name: of the person.
            age: years.
            masks: whether only photographs with masks are considered.

        Raises:
            KinlibError: if a file is missing or damaged.
        """
        rows = self.truth[(self.truth["name"] == name) & self.truth["fault"].isna()]
        rows = rows[rows["mask"].notna()] if masks else rows
        if rows.empty:
            return None
        return self._read(rows.loc[((rows["age"] - age).abs() + YAW_YEARS * rows["yaw"].abs()).idxmin()])

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
    """Label map uint8 [H, W] of a PNG; None for a missing value."""
    return None if png is None or pd.isna(png) else np.asarray(Image.open(io.BytesIO(png)))
