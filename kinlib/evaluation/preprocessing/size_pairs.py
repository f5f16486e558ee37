"""Photographs in two sizes, on which upscalers are trained and measured: the same scene rendered twice.

    kinlib render --crop photo --size 480 --images-each 1 --people 1200 --seed 21 --out runs/upscale/480
    kinlib render --crop photo --size 120 --images-each 1 --people 1200 --seed 21 --out runs/upscale/120

A small render is like a family photograph: not a blurred large one, but fewer pixels of the same soft lens.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.faces.degrade import reduce
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets import family_plan
from kinlib.studio.datasets.family_photos import HEIGHT, WIDTH, PersonJob, person_jobs, render_photo
from kinlib.studio.datasets.family_plan import PlannedPhoto
from kinlib.studio.datasets.renders import HELD_OUT_EVERY, read_part
from kinlib.studio.head.model import load_head

__all__ = ["FACTOR", "QUALITY", "SizePair", "family_jobs", "family_pairs", "read_pairs", "split_people"]

FACTOR = 4  # between the two sizes
QUALITY = 85  # of JPEG, as in the family photographs


@dataclass(frozen=True)
class SizePair:
    """One photograph in two sizes.

    Attributes:
        person: number, or name.
        small: uint8 [H, W, 3].
        large: uint8 [4 H, 4 W, 3].
        landmarks: float32 [68, 2], in pixels of the small one.
        facts: attributes by which pictures are grouped, see `kinlib.evaluation.groups.groups_of`.
    """

    person: int | str
    small: np.ndarray
    large: np.ndarray
    landmarks: np.ndarray
    facts: dict = field(default_factory=dict)


def read_pairs(large: Path, small: Path | None) -> list[SizePair]:
    """The photographs that lie in both folders; without `small`, large ones are reduced instead.

    Raises:
        KinlibError: if there are none, or the sizes do not belong together.
    """
    first = _read(large)
    second = _read(small) if small else {}
    pairs = []
    for key, row in first.items():
        if small and key not in second:
            continue
        picture = _decode(row.image)
        reduced = _decode(second[key].image) if small else reduce(picture, FACTOR)
        if picture.shape[:2] != (reduced.shape[0] * FACTOR, reduced.shape[1] * FACTOR):
            raise KinlibError(f"the pictures in '{large}' must be {FACTOR} times the size of those in '{small}'")
        landmarks = (np.asarray(row.landmarks, np.float32).reshape(68, 2) + 0.5) / FACTOR - 0.5
        facts = {name: getattr(row, name) for name in ("person", "seed", "attributes") if hasattr(row, name)}
        pairs.append(SizePair(int(row.person), reduced, picture, landmarks, facts))
    if not pairs:
        raise KinlibError(f"'{large}' and '{small}' have no photograph in common: render both with the same --seed")
    return pairs


def split_people(pairs: list[SizePair]) -> tuple[list[SizePair], list[SizePair]]:
    """(for training, held out), no person in both."""
    held_out = [pair for pair in pairs if pair.person % HELD_OUT_EVERY == 0]
    return [pair for pair in pairs if pair.person % HELD_OUT_EVERY], held_out


def family_jobs(count: int) -> list[tuple[PersonJob, PlannedPhoto]]:
    """One photograph without a fault of each person of the families on disk, `count` at most; nothing is rendered yet.

    Raises:
        KinlibError: if the photographs or the head model are not here.
    """
    root = config.data_dir() / "studio"
    try:
        plan = family_plan.plan(json.loads((root / "studio.json").read_text())["seed"])
    except (OSError, ValueError, KeyError) as error:
        raise KinlibError(f"there are no family photographs in '{root}': run `kinlib render --families`") from error
    load_head()
    sound = [(album, photo) for album in person_jobs(plan) for photo in album.photos if photo.fault is None]
    first = {album.row: (album, photo) for album, photo in reversed(sound)}
    return sorted(first.values(), key=lambda job: job[0].row)[:count]


def family_pairs(count: int, workers: int = 1) -> Iterator[SizePair]:
    """Family photographs as they are on disk, each with a render of the same scene in full size; see `family_jobs`."""
    jobs = family_jobs(count)
    folder = config.data_dir() / "studio" / "families"
    homes = pd.read_parquet(folder.parent / "people.parquet").set_index("name")["population"]
    for (album, photo), (large, landmarks) in zip(jobs, spread(_take_large, jobs, workers), strict=True):
        small = _decode((folder / album.family / album.name / f"{photo.number:02d}.jpg").read_bytes())
        facts = {"male": album.person.male, "age": photo.age, "melanin": album.person.traits.melanin}
        facts["population"] = homes[album.name]
        yield SizePair(album.name, small, large, (landmarks + 0.5) / FACTOR - 0.5, facts)


def _take_large(job: tuple[PersonJob, PlannedPhoto]) -> tuple[np.ndarray, np.ndarray]:
    picture = render_photo(*job, (HEIGHT * FACTOR, WIDTH * FACTOR))
    return picture.image, picture.landmarks


def _read(folder: Path) -> dict[tuple[int, int], tuple]:
    """Rows of a folder's Parquet files by person and view."""
    parts = sorted(Path(folder).glob("*.parquet"))
    if not parts:
        raise KinlibError(f"there is no *.parquet file with photographs in '{folder}'")
    columns = ["person", "view", "image", "landmarks"]
    table = pd.concat([read_part(part, columns) for part in parts], ignore_index=True)
    return {(row.person, row.view): row for row in table.itertuples(index=False)}


def _decode(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
