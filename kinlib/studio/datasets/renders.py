"""Training pictures in memory: aligned renders with their masks, landmarks and attributes.

The files are Parquet, one row a picture: `person`, `view`, `image` (JPEG bytes), `mask` (PNG bytes, 19 classes in the
order of CelebAMask-HQ's g_mask.py), `landmarks` (136 floats, pixels), `attributes` (JSON, see
`kinlib.studio.rendering.ground_truth`). `kinlib render` writes them. A split keeps the pictures of a person together,
so that no identity is in both the training and the held-out set.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.io.files import parse_json
from kinlib.io.resume import read_note
from kinlib.io.tables import column_names, decode_picture, read_table
from kinlib.runtime.errors import KinlibError
from kinlib.studio.person import GREY_HAIR, HAIR_COLOURS

__all__ = ["HELD_OUT_EVERY", "SET_NOTE", "FaceSet", "load_faces", "read_attributes", "read_facts", "read_part"]
__all__ += ["MORE_OF_CELEBA", "with_celeba_names"]

SET_NOTE = "render.json"  # settings of the set, written by `kinlib render` into its folder

HELD_OUT_EVERY = 18  # persons divisible by this are held out: 200 of the first 3,600

# What renders do not record under CelebA's names; thresholds by eye, since CelebA's are annotators' judgements.
MORE_OF_CELEBA: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "Smiling": lambda table: table["smile"] > 0.3,
    "Goatee": lambda table: table["beard"] == "goatee",
    "Gray_Hair": lambda table: (table["grey"] > 0.5) & (table["hair_style"] != "bald"),
    "Receding_Hairline": lambda table: table["recede"] > 0.5,
    "Wearing_Earrings": lambda table: table["earrings"],
    "Wearing_Hat": lambda table: table["hat"],
    "Wearing_Lipstick": lambda table: table["lipstick"] > 0.3,
    "Wearing_Necklace": lambda table: table["necklace"],
}


@dataclass
class FaceSet:
    """Aligned faces of known people.

    Attributes:
        images: uint8 [N, 3, S, S].
        labels: uint8 [N, S, S], the class of each pixel (`kinlib.io.face_labels.CLASSES`), 0 in the background.
        table: one row a picture with person, view, landmarks and attributes (see `read_attributes`); and the set's
            `seed`, where its folder records it.
    """

    images: Tensor
    labels: Tensor
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.images)

    def select(self, rows: np.ndarray) -> "FaceSet":
        """The pictures where the boolean array `rows` is true."""
        index = torch.from_numpy(np.flatnonzero(rows))
        return FaceSet(self.images[index], self.labels[index], self.table[rows].reset_index(drop=True))

    def split(self) -> tuple["FaceSet", "FaceSet"]:
        """(training set, held-out set), no person in both."""
        held_out = (self.table.person % HELD_OUT_EVERY == 0).to_numpy()
        return self.select(~held_out), self.select(held_out)


def load_faces(folder: Path, limit: int | None = None) -> FaceSet:
    """Read and decode all `*.parquet` files of a folder.

    Raises:
        KinlibError: if there are none, one is damaged, or they hold something else.
    """
    parts = sorted(Path(folder).glob("*.parquet"))
    if not parts:
        raise KinlibError(f"no *.parquet file with training pictures in {folder}")
    table = pd.concat([read_table(part) for part in parts], ignore_index=True)
    check_columns(table, ("person", "image", "mask", "attributes"), folder)
    table = table.iloc[:limit]
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(_decode_image, table.image))
        masks = list(pool.map(_decode_mask, table["mask"]))
    if len({image.shape for image in images}) != 1 or {mask.shape for mask in masks} != {images[0].shape[1:]}:
        raise KinlibError(f"'{folder}' holds no pictures of one size with their masks: render a set in another folder")
    attributes = pd.DataFrame([read_attributes(text) for text in table.attributes])
    columns = _with_seed(table.drop(columns=["image", "mask", "attributes"]).reset_index(drop=True), folder)
    return FaceSet(
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack(masks)),
        pd.concat([columns, attributes], axis=1),
    )


def read_part(path: Path, columns: list[str]) -> pd.DataFrame:
    """Columns of one file of a set, with `attributes` and the set's `seed` where they are known.

    Raises:
        KinlibError: if the file is damaged or lacks a column.
    """
    more = ["attributes"] if "attributes" in column_names(path) else []
    return _with_seed(read_table(path, [*columns, *more]), path.parent)


def read_facts(folder: Path, held_out: bool) -> pd.DataFrame:
    """Table of the held-out, or of the training, pictures without pixels, in the order of the files.

    Raises:
        KinlibError: if there is no file, or one is damaged.
    """
    parts = sorted(Path(folder).glob("*.parquet"))
    if not parts:
        raise KinlibError(f"no *.parquet file with training pictures in {folder}")
    table = pd.concat([read_part(path, ["person"]) for path in parts])
    return table[(table.person % HELD_OUT_EVERY == 0) == held_out].reset_index(drop=True)


def _with_seed(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    seed = (read_note(Path(folder) / SET_NOTE) or {}).get("seed")
    return table if seed is None else table.assign(seed=seed)


def read_attributes(text: str) -> dict:
    """Attributes of one picture from the JSON of `studio.rendering.ground_truth.attributes`.

    `hair_light` is added: 0 (black) to 1 (white), the mean over coloured and grey hair.

    Raises:
        KinlibError: if that is damaged.
    """
    try:
        record = parse_json(text)
        coloured, grey = np.mean(HAIR_COLOURS[record["hair_colour"]]), np.mean(GREY_HAIR)
        return record | {"hair_light": float(coloured + (grey - coloured) * record["grey"])}
    except (ValueError, KeyError, TypeError) as error:
        raise KinlibError(f"the attributes of a picture are damaged: {str(text)[:60]!r}") from error


def with_celeba_names(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A table of attributes with those of `columns` that it lacks, as far as they are of `MORE_OF_CELEBA`."""
    lacking = [name for name in columns if name not in table and name in MORE_OF_CELEBA]
    return table.assign(**{name: MORE_OF_CELEBA[name] for name in lacking})


def check_columns(table: pd.DataFrame, columns: Sequence[str], folder: Path) -> None:
    """Raises KinlibError if a table lacks one of the columns, or holds nothing."""
    absent = [name for name in columns if name not in table]
    if absent or not len(table):
        what = f"no column '{absent[0]}'" if absent else "no pictures"
        raise KinlibError(f"'{folder}' holds {what}: give the folder of a set that `kinlib render` wrote")


def _decode_image(data: bytes) -> np.ndarray:
    return decode_picture(data, "RGB").transpose(2, 0, 1)  # [3, S, S]


def _decode_mask(data: bytes) -> np.ndarray:
    return decode_picture(data)  # [S, S]
