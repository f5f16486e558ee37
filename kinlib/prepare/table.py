"""The table of a prepared folder: one row a picture, also for those that failed.

| column | |
|---|---|
| image | path relative to the data set's folder, with slashes |
| person, family | as in `kinlib.families`; missing in a plain folder |
| status, reason | one of `STATUSES`; why, where it is not "ok" |
| notes | what to know of a face that is "ok": others beside it, a rotated picture, small, turned aside, cut off |
| rotated | degrees, clockwise, by which the picture was rotated for its face to stand upright: 0, 90, 180, 270 |
| width, height | of the upright picture, in pixels |
| faces | how many were found; what follows is about the largest |
| box, score | left, top, right, bottom edge; how sure the detector is, 0 to 1 |
| points | 10 numbers: x and y of eyes, tip of the nose, mouth corners (`kinlib.faces.keypoints`) |
| landmarks | 136 numbers: x and y of 68 points in iBUG order; missing where they disagree with the five |
| yaw, pitch, roll | degrees (`kinlib.faces.pose`) |
| factor | how many times the picture was enlarged before the crop was cut |
| quad | 8 numbers: corners of the crop in the picture (`kinlib.io.crop`) |
| aligned | the crop of 256 px as JPEG, path relative to the prepared folder |
| latent | W+ [L, 512] as bytes: float16, little-endian, row by row; `latents` reads it |
| embedding | identity, 512 numbers of unit length; missing where the preset has no such network |
| stamp | of the file's content, 32 hexadecimal digits; missing where it could not be opened |
| seconds_read, ... | spent in each of `STAGES`; of one that takes pictures together, an equal share |

All points are in pixels of the upright picture, a whole number being a pixel's centre.
"""

import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import torch

    from kinlib.prepare.stages import Work

__all__ = ["SCHEMA", "STAGES", "STATUSES", "TABLE", "as_parquet", "latents", "read_prepared", "stamp_of"]

TABLE = "prepared.parquet"
STATUSES = {
    "ok": "everything is there",
    "unreadable": "the file cannot be read as a picture",
    "no face": "the detector found none",
    "no crop": "a face, but none that an aligned crop can be cut of",
    "failed": "something else went wrong",
}
STAGES = ("read", "detect", "rotate", "upscale", "align", "pose", "encode", "embed")
STYLE = 512  # numbers of one code

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("image", "person", "family", "status", "reason")),
        ("notes", pa.list_(pa.string())),
        *((name, pa.int32()) for name in ("rotated", "width", "height", "faces")),
        ("box", pa.list_(pa.float32())),
        ("score", pa.float32()),
        ("points", pa.list_(pa.float32())),
        ("landmarks", pa.list_(pa.float32())),
        *((name, pa.float32()) for name in ("yaw", "pitch", "roll")),
        ("factor", pa.int32()),
        ("quad", pa.list_(pa.float64())),
        ("aligned", pa.string()),
        ("latent", pa.binary()),
        ("embedding", pa.list_(pa.float32())),
        ("stamp", pa.string()),
        *((f"seconds_{stage}", pa.float32()) for stage in STAGES),
    ]
)


def as_parquet(works: Iterable["Work"]) -> bytes:
    """The rows of pictures that have been through the stages, as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_row(work) for work in works], SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def read_prepared(folder: str | os.PathLike, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The table of a prepared folder, or some of its columns.

    Raises:
        KinlibError: if the folder holds none, it is damaged, or there is no such column.
    """
    path = Path(folder) / TABLE
    unknown = next((name for name in columns or () if name not in SCHEMA.names), None)
    if unknown is not None:
        raise KinlibError(f"unknown column '{unknown}': choose of {', '.join(SCHEMA.names)}")
    if not path.is_file():
        raise KinlibError(f"'{folder}' holds no {TABLE}: make it with `kinlib prepare ROOT --out {folder}`")
    try:
        return pd.read_parquet(path, columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowException) as error:
        raise KinlibError(f"'{path}' is damaged: delete it and run `kinlib prepare` again") from error


def stamp_of(path: Path) -> str | None:
    """What tells a file's content from another's; None if it cannot be opened."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except (OSError, ValueError):  # the second: a name that no file can have
        return None


def latents(table: pd.DataFrame) -> "torch.Tensor":
    """The codes of a table's rows: float32 [N, L, 512].

    Raises:
        KinlibError: if a row has none; choose those whose status is "ok" first.
    """
    import torch

    if table["latent"].isna().any():
        raise KinlibError("some of these pictures have no code: keep those whose status is 'ok'")
    codes = [np.frombuffer(content, "<f2").reshape(-1, STYLE) for content in table["latent"]]
    return torch.from_numpy(np.stack(codes).astype(np.float32)) if codes else torch.empty(0, 0, STYLE)


def _row(work: "Work") -> dict:
    """A picture's row; what it lacks is left to be missing."""
    photo = work.photo
    row = {
        **{"image": photo.image, "person": photo.person, "family": photo.family},
        **{"status": work.status, "reason": work.reason, "stamp": work.stamp},
        **{f"seconds_{stage}": seconds for stage, seconds in work.seconds.items()},
    }
    if work.size:
        row |= {"width": work.size[0], "height": work.size[1]}
    if "detect" in work.seconds:
        row["faces"] = len(work.faces)
    if work.faces:
        row |= {"box": work.faces[0].box, "score": work.faces[0].score, "points": work.faces[0].points.ravel()}
    if work.face:
        landmarks = None if work.face.landmarks is None else work.face.landmarks.ravel()
        row |= {
            "landmarks": landmarks,
            "rotated": work.face.rotated,
            "quad": work.face.quad.ravel(),
            "notes": list(work.face.notes),
        }
        row["factor"] = work.factor
    if work.pose:
        row |= dict(zip(("yaw", "pitch", "roll"), work.pose, strict=True))
    if work.status == "ok":
        row |= {"aligned": photo.aligned, "latent": work.latent.astype("<f2").tobytes(), "embedding": work.embedding}
    return row
