"""Reading Parquet tables that kinlib wrote, and the pictures within; one sentence where a file is damaged."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from kinlib.runtime.errors import KinlibError

__all__ = ["column_names", "decode_picture", "read_table"]

DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A Parquet file, or some of its columns.

    Raises:
        KinlibError: if it cannot be read, is damaged, or lacks a column.
    """
    absent = set(columns or ()).difference(column_names(path))
    if absent:
        raise KinlibError(f"'{path}' lacks the column '{min(absent)}': it belongs to another set, or to an older one")
    try:
        return pd.read_parquet(path, columns=None if columns is None else list(columns))
    except DAMAGED as error:
        raise _damaged(path) from error


def column_names(path: Path) -> list[str]:
    """The columns of a Parquet file.

    Raises:
        KinlibError: if it cannot be read, or is damaged.
    """
    try:
        return pq.read_schema(path).names
    except DAMAGED as error:
        raise _damaged(path) from error


def decode_picture(content: bytes, mode: str | None = None) -> np.ndarray:
    """A picture of a table's cell, uint8 [H, W] or [H, W, C]; `mode` is Pillow's, None leaves it as it is stored.

    Raises:
        KinlibError: if it is damaged.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return np.array(picture if mode is None else picture.convert(mode))
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise KinlibError("a picture of the set is damaged: render it again in another folder") from error


def _damaged(path: Path) -> KinlibError:
    return KinlibError(f"'{path}' is damaged, or no Parquet file: delete it, and write it again")
