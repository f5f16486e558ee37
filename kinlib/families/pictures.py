"""What is wrong with a set's pictures, as far as it can be told without a network.

Damaged files, single channels, squares instead of detail, odd sizes, and one file under two names. Whether a picture
shows a face, and whether it is the face of the person it is filed under, takes a detector and an identity network.
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

__all__ = ["blockiness", "check", "content_hashes", "detail"]

# Of the studio's pictures of 120 x 150, the plain ones have at least 0.43. Enlarged from squares of 8 pixels or more,
# nineteen in twenty of 40 have 0.34 or less, down to a JPEG quality of 50.
BLOCKY, SQUARE = 0.36, 4  # share of the change; least side of squares in pixels
# There, the plain ones have at least 0.063; of 60 brought down to 32 pixels across and back, nineteen in twenty had
# 0.046 or less.
FINE, PLAIN = 48, 0.05  # pixels across; share of the contrast
COMMON = 0.9  # share of pictures that must have one size for another to be odd
SAME = 2  # levels by which the channels of a grey picture may differ


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
    """Look at every picture: corrupt, grey, pixelated, little_detail, odd_size, duplicate."""
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


def _opened(path: Path) -> Image.Image | None:
    """The decoded picture; None if the file is damaged."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture.copy()
    except Exception:  # decoders raise nearly anything on damaged bytes
        return None


def _faults(picture: Image.Image) -> Iterator[tuple[str, str]]:
    """Kind and words of all that is wrong with a picture by itself."""
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
    """Share of the change from pixel to pixel that lies outside the quarter of columns, or rows, that change most.

    In a picture made of squares of four pixels or more, all change is where one square meets the next.

    Args:
        grey: float32 [H, W] in 0 to 255.

    Returns:
        From 0, for squares, to 0.75, for change that is the same everywhere; of columns and rows the larger.
    """
    return max(_spread(np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)) for axis in (0, 1))


def _spread(changes: np.ndarray) -> float:
    """Share of a sum that is left without the largest quarter of its terms."""
    rest = np.sort(changes)[: len(changes) * (SQUARE - 1) // SQUARE]
    return float(rest.sum() / max(changes.sum(), 1e-6))


def detail(grey: np.ndarray) -> float:
    """Share of a picture's contrast that is lost when it is brought down to 48 pixels across and enlarged again.

    Args:
        grey: float32 [H, W] in 0 to 255.
    """
    height, width = grey.shape
    small = cv2.resize(grey, (FINE, max(1, round(FINE * height / width))), interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return float(np.sqrt(np.square(grey - back).mean()) / (grey.std() + 1))


def _odd_sizes(tables: FamilyTables, sizes: dict[str, tuple[int, int]]) -> Iterator[Problem]:
    """Pictures of another size, where nearly all have one."""
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
    """Files with the same bytes as one before: of one person a repetition, of two people somebody's mistake."""
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
