"""Photographs from a FileUpload, whose value is a dictionary in ipywidgets 7 and a tuple in 8."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError

__all__ = ["read_upload", "uploaded"]


def uploaded(value: Mapping | Sequence) -> tuple[str, bytes]:
    """Name and content of the newest file of a FileUpload's value.

    Raises:
        KinlibError: if there is none.
    """
    if not value:
        raise KinlibError("no photograph was uploaded")
    if isinstance(value, Mapping):  # {name: {"metadata": ..., "content": bytes}}
        name, entry = list(value.items())[-1]
    else:  # ({"name": ..., "content": memoryview, ...},)
        entry = value[-1]
        name = entry["name"]
    return name, bytes(entry["content"])


def read_upload(value: Mapping | Sequence) -> Image.Image:
    """The photograph of a FileUpload's value, upright RGB.

    Raises:
        KinlibError: if there is none, or it cannot be read.
    """
    name, content = uploaded(value)
    safe = re.sub(r"[^\w. -]", "_", name)[-80:].strip(". ") or "photograph"
    with tempfile.TemporaryDirectory(prefix="kinlib-") as folder:  # files are checked more closely than bytes
        path = Path(folder, safe)
        path.write_bytes(content)
        try:
            return read_photo(path)
        except KinlibError as problem:
            raise KinlibError(str(problem).replace(f"{folder}{os.sep}", "")) from problem
