"""Small aligned faces with yes-or-no attributes, of renders or of CelebA: what the autoencoder learns from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.edits.labelled import LONG_HAIR
from kinlib.evaluation.edits.readers import proportions
from kinlib.io.images import resize
from kinlib.studio.datasets.renders import HELD_OUT_EVERY, load_faces
from kinlib.studio.rendering.ground_truth import CELEBA
from kinlib.training.data.celeba import is_celeba, read_celeba, read_pictures

__all__ = ["AttributeFaces", "load_attribute_faces", "render_attributes"]

PART = 1000  # pictures resized at once, which bounds the memory


@dataclass
class AttributeFaces:
    """Faces of one set.

    Attributes:
        images: uint8 [N, 3, S, S].
        attributes: one row a picture; 1.0 with, 0.0 without, NaN where neither can be said.
        table: one row a picture, with `person` and `view` for renders.
        people: how many there are; None where that is unknown.
    """

    images: Tensor
    attributes: pd.DataFrame
    table: pd.DataFrame
    people: int | None

    def __len__(self) -> int:
        return len(self.images)

    def pictures(self, index: Tensor) -> Tensor:
        """Pictures of a batch of indices, [B, 3, S, S] in [-1, 1]."""
        return self.images[index].float() / 127.5 - 1


def load_attribute_faces(folder: Path, size: int, limit: int | None = None) -> tuple[AttributeFaces, AttributeFaces]:
    """(training set, held-out set) of a folder of renders, or of CelebA, at `size` px.

    Of renders, people are held out; of CelebA, what its partition keeps for validation and test.

    Args:
        folder: what `kinlib render` wrote, or CelebA's folder.
        size: side of the pictures, px.
        limit: most pictures of either set to read.

    Raises:
        KinlibError: if the folder holds neither, or its files cannot be read.
    """
    if is_celeba(folder):
        table = read_celeba(folder)
        return tuple(_of_celeba(table[table.held_out == held_out].iloc[:limit], size) for held_out in (False, True))
    faces = load_faces(folder)
    whole = AttributeFaces(_small(faces.images, size), render_attributes(faces.table), faces.table, None)
    held_out = (faces.table.person % HELD_OUT_EVERY == 0).to_numpy()
    return _rows(whole, np.flatnonzero(~held_out)[:limit]), _rows(whole, np.flatnonzero(held_out)[:limit])


def render_attributes(table: pd.DataFrame) -> pd.DataFrame:
    """The thirteen attributes of CelebA that renders have under their own names, and more.

    A number becomes an attribute by its outer thirds; the middle third counts for neither.

    Args:
        table: of a `FaceSet`.
    """
    points = np.stack([np.reshape(row, (68, 2)) for row in table.landmarks]).astype(float)
    numbers = {
        "Old": table.age,
        "Smiling": table.smile,
        "Dark_Skin": table.melanin,
        "Gray_Hair": table.grey,
        "Light_Hair": table.hair_light,
        "Curly_Hair": table.hair_curl,
        "Wide_Face": proportions(points)["roundness"],
        "Facing_Right": table.yaw,
    }
    words = {
        "Long_Hair": table.hair_style.isin(LONG_HAIR),
        "Wearing_Hat": table.hat,
        "Beard": table.beard == "full",
    }
    plain = pd.DataFrame({name: table[name] for name in CELEBA} | words, index=table.index).astype(float)
    return pd.concat([plain, pd.DataFrame({name: _outer(values) for name, values in numbers.items()})], axis=1)


def _outer(values: pd.Series | np.ndarray) -> np.ndarray:
    """1 in the upper third of values [N], 0 in the lower one, NaN between; a value shared by many decides for all."""
    values = np.asarray(values, dtype=float)
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    return np.where(values > high, 1.0, np.where(values <= low, 0.0, np.nan))


def _of_celeba(table: pd.DataFrame, size: int) -> AttributeFaces:
    images = torch.from_numpy(read_pictures(list(table.file), size)) if len(table) else torch.empty(0, 3, size, size)
    table = table.reset_index(drop=True)
    return AttributeFaces(images, table.drop(columns=["file", "held_out"]).astype(float), table[["file"]], None)


def _rows(faces: AttributeFaces, rows: np.ndarray) -> AttributeFaces:
    attributes, table = (one.iloc[rows].reset_index(drop=True) for one in (faces.attributes, faces.table))
    return AttributeFaces(faces.images[torch.from_numpy(rows)], attributes, table, table.person.nunique())


def _small(images: Tensor, size: int) -> Tensor:
    parts = [resize(part.float(), size).round().clamp(0, 255).byte() for part in images.split(PART)]
    return torch.cat(parts)
