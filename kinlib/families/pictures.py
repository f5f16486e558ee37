"""Faults of a set's pictures that can be found without a network.

Damaged files, single channels, pixelation, unusual sizes and duplicates. A picture without a face takes a detector, and
a picture of the wrong person takes an identity network.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from kinlib.families.tables import FamilyTables, Problem
from kinlib.runtime.errors import KinlibError

__all__ = ["blockiness", "check", "content_hashes", "detail", "sample"]

# Measured on the studio's pictures of 120 x 150: unchanged ones have at least 0.43; of 40 pixelated with squares of 8
# pixels or more, 95% have 0.34 or less, down to a JPEG quality of 50.
BLOCKY, SQUARE = 0.36, 4  # share of the gradient magnitude; least side of squares in pixels
# Measured on the same pictures: unchanged ones have at least 0.063; of 60 downsampled to a width of 32 pixels and back,
# 95% have 0.046 or less.
FINE, PLAIN = 48, 0.05  # width in pixels; share of the contrast
COMMON = 0.9  # share of pictures that must have one size for another size to be a fault
SAME = 2  # grey levels by which the channels of a grey picture may differ


def content_hashes(tables: FamilyTables) -> pd.Series:
    """A hash of every image file's bytes, by `image`; files that cannot be read are missing."""
    found = {}
    for image in tables.images["image"]:
        try:
            found[image] = hashlib.blake2b(tables.path(image).read_bytes(), digest_size=16).hexdigest()
        except OSError:
            continue
    return pd.Series(found, dtype=object, name="content")


def check(tables: FamilyTables) -> list[Problem]:
    """Check every picture for the kinds corrupt, grey, pixelated, little_detail, odd_size and duplicate."""
    problems, sizes = [], {}
    rows = list(tables.images[["image", "person"]].itertuples(index=False, name=None))
    for image, person in rows:
        about = (tables.family_of[person], person)
        picture = _opened(tables.path(image))
        if picture is None:
            problems.append(Problem("corrupt", image, "the file cannot be decoded to its end", *about))
            continue
        sizes[image] = picture.size
        problems += [Problem(kind, image, text, *about) for kind, text in _faults(picture)]
    return problems + list(_odd_sizes(tables, sizes)) + list(_duplicates(tables))


def sample(tables: FamilyTables, number: int, seed: int = 0) -> pd.DataFrame:
    """A random sample of the readable images: rows of `tables.images` with a column `picture` (RGB).

    Args:
        tables: the data set.
        number: of images that are drawn; damaged ones among them are left out.
        seed: of the sample.
    """
    chosen = tables.images.sample(min(number, len(tables.images)), random_state=seed)
    pictures = [_readable(tables, image) for image in chosen["image"]]
    return chosen.assign(picture=pd.Series(pictures, chosen.index, dtype=object)).dropna(subset="picture")


def _readable(tables: FamilyTables, image: str) -> Image.Image | None:
    """An image of the set; None if its file is damaged."""
    try:
        return tables.load_image(image)
    except KinlibError:
        return None


def _opened(path: Path) -> Image.Image | None:
    """The decoded picture; None if the file is damaged."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.copy()
    except Exception:  # decoders raise nearly anything on damaged bytes
        return None


def _faults(picture: Image.Image) -> Iterator[tuple[str, str]]:
    """Kind and description of each fault of a single picture."""
    if picture.mode in ("1", "L", "LA", "I;16", "I", "F"):
        yield "grey", "a single channel"
    else:
        colours = np.asarray(picture.convert("RGB"), dtype=np.int16)
        if np.ptp(colours, axis=2).max() <= SAME:
            yield "grey", "three channels that are all the same"
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    if min(grey.shape) < FINE:
        yield "pixelated", f"{picture.width} x {picture.height} pixels only"
    elif blockiness(grey) < BLOCKY:
        yield "pixelated", "squares instead of detail"
    elif picture.width >= 2 * FINE and detail(grey) < PLAIN:
        yield "little_detail", f"hardly more detail than {FINE} pixels across have"


def blockiness(grey: np.ndarray) -> float:
    """Share of the gradient magnitude outside the quarter of columns, or rows, with the largest gradients.

    In a picture of squares of four pixels or more, all gradients lie on the borders of squares.

    Args:
        grey: float32 [H, W] in 0 to 255.

    Returns:
        From 0, for squares, to 0.75, for gradients that are the same everywhere; the larger of columns and rows.
    """
    return max(_spread(np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)) for axis in (0, 1))


def _spread(changes: np.ndarray) -> float:
    """Share of a sum that remains without the largest quarter of its terms."""
    rest = np.sort(changes)[: len(changes) * (SQUARE - 1) // SQUARE]
    return float(rest.sum() / max(changes.sum(), 1e-6))


def detail(grey: np.ndarray) -> float:
    """Share of the contrast that is lost by downsampling to a width of 48 pixels and upsampling again.

    Args:
        grey: float32 [H, W] in 0 to 255.
    """
    height, width = grey.shape
    small = cv2.resize(grey, (FINE, max(1, round(FINE * height / width))), interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return float(np.sqrt(np.square(grey - back).mean()) / (grey.std() + 1))


def _odd_sizes(tables: FamilyTables, sizes: dict[str, tuple[int, int]]) -> Iterator[Problem]:
    """Pictures of an unusual size, in sets where nearly all have the same."""
    if not sizes:
        return
    (usual, count), *_ = Counter(sizes.values()).most_common(1)
    if count < COMMON * len(sizes):
        return
    owners = dict(zip(tables.images["image"], tables.images["person"], strict=True))
    for image, size in sizes.items():
        if size != usual:
            person = owners[image]
            text = f"{size[0]} x {size[1]} pixels, where others have {usual[0]} x {usual[1]}"
            yield Problem("odd_size", image, text, tables.family_of[person], person)


def _duplicates(tables: FamilyTables) -> Iterator[Problem]:
    """Files with the same bytes as an earlier one, filed under the same person or another."""
    hashes, first = content_hashes(tables), {}
    for image, person in zip(tables.images["image"], tables.images["person"], strict=True):
        if (content := hashes.get(image)) is None:
            continue
        if content in first:
            other, whose = first[content]
            text = f"the same file as {other}" + ("" if whose == person else f", which is filed under {whose}")
            yield Problem("duplicate", image, text, tables.family_of[person], person)
        else:
            first[content] = image, person
