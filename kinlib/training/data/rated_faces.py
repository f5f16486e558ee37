"""Rated pictures as tensors: studio renders with simulated raters, or a published set; and their augmentation.

Augmentation as the paper has it: pictures are resized a little larger than needed and cropped at random, colours
jittered, pictures rotated (Xu and Xiang 2020, section 3.2). It states no strengths; those here were set by hand.
"""

import io
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinlib.attractiveness import readers
from kinlib.attractiveness.prediction import square
from kinlib.attractiveness.raters import ADULT, LEVELS, Panel, facts
from kinlib.evaluation.groups import population_indices
from kinlib.io.images import resize, to_tensor
from kinlib.io.photos import read_photo
from kinlib.io.resume import read_note
from kinlib.io.tables import read_table
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import HELD_OUT_EVERY, SET_NOTE, read_attributes
from kinlib.studio.genetics.populations import POPULATIONS

__all__ = ["RatedFaces", "augment", "load_rated_pictures", "load_rated_renders", "read_adults"]

COLUMNS = ["person", "view", "image", "yaw", "pitch", "identity", "proportions", "attributes"]
ANGLE = 10.0  # degrees, largest rotation
MARGIN = 0.125  # share of the side: pictures are resized to 256 px for crops of 224, as is usual
JITTER = 0.2  # largest change of brightness, contrast and saturation


@dataclass(frozen=True, eq=False)
class RatedFaces:
    """N pictures with their ratings.

    Attributes:
        images: uint8 [N, 3, S, S].
        scores: float32 [N], mean ratings on the scale from 1 to `levels`.
        table: one row a picture: `unit` (what pictures of one person share) and what else is known.
        levels: of the scale.
    """

    images: Tensor
    scores: Tensor
    table: pd.DataFrame
    levels: int = LEVELS

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: np.ndarray) -> "RatedFaces":
        """Some of the pictures: bool [N] or indices."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        some = torch.from_numpy(index)
        return RatedFaces(
            self.images[some], self.scores[some], self.table.iloc[index].reset_index(drop=True), self.levels
        )

    def split(self) -> tuple["RatedFaces", "RatedFaces"]:
        """Renders: (training set, held-out set), no person in both."""
        held_out = (self.table["unit"] % HELD_OUT_EVERY == 0).to_numpy()
        return self.select(~held_out), self.select(held_out)


def read_adults(folder: Path) -> pd.DataFrame:
    """The rows of a set of renders that show adults, with their attributes, `unit` and `population`.

    Raises:
        KinlibError: if there are none, or the set lacks columns or the seed of its people.
    """
    parts = sorted(Path(folder).glob("*.parquet"))
    if not parts:
        raise KinlibError(f"no *.parquet file with training pictures in {folder}")
    try:
        table = pd.concat([read_table(part, COLUMNS) for part in parts], ignore_index=True)
    except (ValueError, OSError) as error:  # pyarrow raises both for columns that are not there
        raise KinlibError(f"'{folder}' holds no renders of this program: {error}") from error
    attributes = pd.DataFrame([read_attributes(text) for text in table["attributes"]])
    table = pd.concat([table.drop(columns="attributes"), attributes], axis=1)
    table = table[table["age"] >= ADULT].reset_index(drop=True)
    seed = (read_note(Path(folder) / SET_NOTE) or {}).get("seed")
    if seed is None:
        raise KinlibError(
            f"'{folder}' has no {SET_NOTE} with the seed of its people: render a set with `kinlib render`"
        )
    homes = np.array(POPULATIONS, dtype=object)[population_indices(seed, table["person"].to_numpy())]
    return table.assign(unit=table["person"], population=homes)


def load_rated_renders(folder: Path, panel: Panel, size: int = 64, seed: int = 0) -> RatedFaces:
    """Pictures of adults from a set of renders, rated by a panel.

    Args:
        folder: of `kinlib render`.
        panel: the raters.
        size: side of the pictures; larger ones are reduced.
        seed: of the ratings.

    Raises:
        KinlibError: as `read_adults`.
    """
    table = read_adults(folder)
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda data: _decode(data, size), table["image"]))
    seen = facts(table)
    table = table.drop(columns="image").assign(expected=panel.expected(seen))
    scores = panel.rate(seen, seed).mean(axis=1)
    return RatedFaces(torch.from_numpy(np.stack(images)), torch.from_numpy(scores).float(), table)


def load_rated_pictures(root: Path, split: str, size: int) -> tuple[RatedFaces, RatedFaces]:
    """(training set, test set) of one split of a published set, resized to squares.

    Raises:
        KinlibError: if the folder holds no known set, it has no such split, or a picture cannot be read.
    """
    rated = readers.read(root)
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda name: _squared(rated.path(name), size), rated.table["picture"]))
    table = rated.table.assign(unit=np.arange(len(rated)), male=rated.table["sex"] == "male")
    scores = torch.from_numpy(rated.ratings()).float()
    faces = RatedFaces(torch.from_numpy(np.stack(images)), scores, table, rated.levels)
    train, test = (faces.select(rows) for rows in rated.fold(split))
    return train, test


def _squared(path: Path, size: int) -> np.ndarray:
    """A picture file as uint8 [3, S, S]: the middle of it, with the shorter side resized."""
    return _to_bytes(resize(to_tensor(square(read_photo(path))), size))


def _decode(data: bytes, size: int) -> np.ndarray:
    """JPEG to uint8 [3, S, S]."""
    return _to_bytes(resize(to_tensor(Image.open(io.BytesIO(data)).convert("RGB")), size))


def _to_bytes(image: Tensor) -> np.ndarray:
    """[1, 3, S, S] in [-1, 1] to uint8 [3, S, S]."""
    return ((image[0].clamp(-1, 1) + 1) * 127.5).round().byte().numpy()


def augment(images: Tensor, generator: torch.Generator, size: int) -> Tensor:
    """Random rotation, crop and colours, each picture's own.

    Args:
        images: uint8 [B, 3, S, S].
        generator: of all random numbers.
        size: side of the result in pixels.

    Returns:
        [B, 3, size, size] in [-1, 1].
    """
    x = images.float() / 127.5 - 1
    count = len(x)
    angle = _uniform(count, math.radians(ANGLE), generator)
    zoom = 1 / (1 + MARGIN)
    shift = _uniform((count, 2), 1 - zoom, generator)  # the crop stays within the enlarged picture
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1).view(count, 2, 3)
    grid = F.affine_grid(rows, [count, 3, size, size], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    brightness, contrast, saturation = (1 + _uniform((count, 1, 1, 1), JITTER, generator) for _ in range(3))
    x = (x + 1) / 2 * brightness  # [0, 1]
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = mean + (x - mean) * contrast
    grey = x.mean(dim=1, keepdim=True)
    return (grey + (x - grey) * saturation).clamp(0, 1) * 2 - 1


def _uniform(shape, most: float, generator: torch.Generator) -> Tensor:
    """Between `-most` and `most`."""
    return (torch.rand(shape, generator=generator) * 2 - 1) * most
