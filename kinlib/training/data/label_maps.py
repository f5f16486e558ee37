"""Pictures with label maps in memory, and how both are changed together for training."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.io.face_labels import CLASSES, MIRRORED_CLASSES, REGIONS
from kinlib.io.tables import decode_picture, read_table
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.training.data.augment import Augmentation

__all__ = ["LabelledAugmentation", "LabelledFaces", "load_labelled"]

COLUMNS = ["person", "image", "mask", "regions"]


@dataclass
class LabelledFaces:
    """Aligned faces and what each of their pixels is.

    Attributes:
        images: uint8 [N, 3, S, S].
        labels: uint8 [N, 2, S, S]: the class and the region.
        person: int64 [N].
    """

    images: Tensor
    labels: Tensor
    person: Tensor

    @property
    def fields(self) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels and persons."""
        return self.images, self.labels, self.person

    def __len__(self) -> int:
        return len(self.images)


def load_labelled(folder: Path, held_out: bool | None = None, pictures: int | None = None) -> LabelledFaces:
    """Read the renders of a folder's `*.parquet` files; each picture takes 5 bytes a pixel, and no more while reading.

    Args:
        folder: what `kinlib render` wrote.
        held_out: only the people who are (True) or are not (False) kept for testing, by the rule of `FaceSet.split`.
        pictures: at most so many.

    Raises:
        KinlibError: if there are none, one is damaged, or they lack the regions.
    """
    paths = sorted(Path(folder).glob("*.parquet"))
    if not paths:
        raise KinlibError(f"there is no *.parquet file with training pictures in '{folder}'")
    # People first, which is cheap: the tensors are allocated once.
    count = sum(len(_rows(path, ["person"], held_out)) for path in paths)
    count = min(count, pictures or count)
    if not count:
        raise KinlibError(f"'{folder}' holds too few people to train and to test on: render more")
    faces, done = None, 0
    for path in paths:
        rows = _rows(path, COLUMNS, held_out).iloc[: count - done]  # no more than are still wanted
        if not len(rows):
            continue
        part = _decode(rows)
        if faces is None:
            # Allocated once and filled: joining parts at the end would take the memory twice.
            faces = LabelledFaces(*(torch.empty(count, *field.shape[1:], dtype=field.dtype) for field in part))
        for whole, field in zip(faces.fields, part, strict=True):
            whole[done : done + len(field)] = field
        done += len(part[0])
        if done == count:
            break
    return faces


def _rows(path: Path, columns: list[str], held_out: bool | None) -> pd.DataFrame:
    table = read_table(path, columns)
    return table if held_out is None else table[(table.person % HELD_OUT_EVERY == 0) == held_out]


def _decode(table: pd.DataFrame) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and persons of a file's rows."""
    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter's lock
        images = list(pool.map(lambda data: decode_picture(data, "RGB"), table.image))  # each uint8 [S, S, 3]
        maps = [list(pool.map(decode_picture, table[name])) for name in ("mask", "regions")]
    if len({one.shape for one in images}) != 1 or {one.shape for some in maps for one in some} != {images[0].shape[:2]}:
        raise KinlibError("the pictures and their label maps have not one size: render a new set")
    images, labels = np.stack(images), np.stack([np.stack(some) for some in maps], axis=1)
    if labels[:, 0].max() >= len(CLASSES) or labels[:, 1].max() >= len(REGIONS):
        raise KinlibError("the label maps hold numbers beyond the known classes and regions: render a new set")
    person = torch.from_numpy(table.person.to_numpy(np.int64, copy=True))
    # [N, S, S, 3] -> [N, 3, S, S]
    return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels), person


@dataclass
class LabelledAugmentation(Augmentation):
    """Augmentation of a picture with its label maps; moves more than `Augmentation`, since labels move along.

    Strengths were chosen by eye.

    Attributes:
        turn: degrees, standard deviation.
        zoom: of the logarithm of the scale.
        shift: in halves of the side.
        grey: share of pictures without colour.
        tint: how much the colours mix, standard deviation.
        clutter: share of pictures that get another one, upside down, as background: sharp, and full of hair, skin and
            cloth that do not belong to the face in the middle.
    """

    turn: float = 7.0
    zoom: float = 0.1
    shift: float = 0.05
    grey: float = 0.08
    tint: float = 0.06
    clutter: float = 0.15

    def labelled(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Args: images uint8 [B, 3, H, W], labels uint8 [B, 2, H, W]; returns pictures in [-1, 1], labels int64."""
        x, labels = self.placed(images, labels, generator)
        face = (labels[:, :1] > 0).float()
        busy, _ = self._backgrounds(x, face, generator)
        # The neighbour in the batch, upside down.
        cluttered = torch.rand(len(x), generator=generator) < self.clutter * min(self.strength, 1.0)
        busy = torch.where(cluttered[:, None, None, None], x.roll(1, 0).flip(2), busy)
        x = busy * (1 - face) + x * face
        x = self._tinted(self._light(len(x), generator)(x), generator)
        return self._degrade(x, generator).clamp(-1, 1), labels

    def placed(self, images: Tensor, labels: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotated, scaled, shifted and, half of them, mirrored; labels of the left and the right side change places."""
        n, s = len(images), self.strength
        flip = torch.rand(n, generator=g) < 0.5
        angle = torch.randn(n, generator=g) * s * math.radians(self.turn)
        zoom = torch.exp(torch.randn(n, generator=g) * s * self.zoom)
        shift = torch.randn(n, 2, generator=g) * s * self.shift
        cos, sin, sign = torch.cos(angle) * zoom, torch.sin(angle) * zoom, torch.where(flip, -1.0, 1.0)
        rows = torch.stack([cos * sign, -sin, shift[:, 0], sin * sign, cos, shift[:, 1]], dim=1)
        # rows [B, 6] -> [B, 2, 3], from places in the result to places in the picture
        grid = F.affine_grid(rows.view(n, 2, 3), [n, 3, self.size, self.size], align_corners=False)
        options = {"padding_mode": "border", "align_corners": False}
        x = F.grid_sample(images.float() / 127.5 - 1, grid, mode="bilinear", **options)
        moved = F.grid_sample(labels.float(), grid, mode="nearest", **options).long()  # labels cannot be averaged
        # Only classes tell left from right; regions do not.
        swapped = torch.tensor(MIRRORED_CLASSES)[moved[:, 0]]
        moved[:, 0] = torch.where(flip[:, None, None], swapped, moved[:, 0])
        return x, moved

    def _tinted(self, x: Tensor, g: torch.Generator) -> Tensor:
        """Other colours of skin, hair and light than the renders', and sometimes none at all."""
        n = len(x)
        mix = torch.eye(3) + torch.randn(n, 3, 3, generator=g) * self.tint * self.strength
        mix = mix / mix.sum(dim=2, keepdim=True)  # [B, 3, 3], rows of sum 1: grey stays grey
        without = torch.rand(n, generator=g) < self.grey * min(self.strength, 1.0)
        mix[without] = torch.tensor([0.299, 0.587, 0.114]).expand(3, 3)  # luma of ITU-R BT.601
        return torch.einsum("nij,njhw->nihw", mix, x)
