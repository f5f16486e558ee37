"""A part of a folder: the pictures that are prepared together, by one process, and kept or lost together."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kinlib.prepare.listing import ListedPhoto, Listing
from kinlib.prepare.settings import PrepareSettings
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import one_thread

__all__ = ["Part", "PreparedPart", "prepare_part", "split"]

PHOTOS_PER_PART = 32  # what is computed together; the last bits of the codes depend on it
QUALITY = 95  # of the aligned pictures' JPEG


@dataclass(frozen=True)
class Part:
    """What one call has to do.

    Attributes:
        number: of the part, from 0.
        root: the folder that the pictures lie in.
        photos: the pictures.
        settings: how.
        device: where the networks compute.
    """

    number: int
    root: Path
    photos: tuple[ListedPhoto, ...]
    settings: PrepareSettings
    device: str


@dataclass(frozen=True)
class PreparedPart:
    """What came of it.

    Attributes:
        number: of the part.
        table: its rows as a Parquet file.
        pictures: aligned faces as JPEG files, by path relative to the prepared folder.
    """

    number: int
    table: bytes
    pictures: dict[str, bytes]


def split(listing: Listing, settings: PrepareSettings, device: str) -> Iterator[Part]:
    """The parts of a folder, in order."""
    for number, first in enumerate(range(0, len(listing), PHOTOS_PER_PART)):
        photos = listing.photos[first : first + PHOTOS_PER_PART]
        yield Part(number, listing.root, photos, settings, device)


def prepare_part(part: Part) -> PreparedPart:
    """Prepare the pictures of one part, on one core or the device.

    Raises:
        KinlibError: if the networks cannot be loaded, or memory does not suffice.
    """
    import torch

    from kinlib.prepare.networks import load_networks
    from kinlib.prepare.stages import run_stages
    from kinlib.prepare.table import as_parquet

    try:
        with one_thread():  # the other cores have parts of their own
            works = run_stages(part.root, part.photos, load_networks(part.settings, part.device))
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise KinlibError("the memory does not suffice: run the same again with fewer --workers") from error
    pictures = {work.photo.aligned: _as_jpeg(work.face.aligned) for work in works if work.status == "ok"}
    return PreparedPart(part.number, as_parquet(works), pictures)


def _as_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
