"""Large photographs with their small counterparts: what the upscaler learns from and is measured on.

The same people in the same moment, rendered twice: the studio draws whatever it is asked for in any size.

    kinlib render --crop photo --size 480 --images-each 1 --people 1200 --seed 21 --out runs/upscale/480
    kinlib render --crop photo --size 120 --images-each 1 --people 1200 --seed 21 --out runs/upscale/120

A small render is what a family photograph is: no blurred large one, but fewer pixels with the same soft lens.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from kinlib import config
from kinlib.errors import KinlibError
from kinlib.studio import family_plan
from kinlib.studio.family_photos import HEIGHT, WIDTH, Album, albums, take_photo
from kinlib.studio.family_plan import Photo
from kinlib.studio.head import load_head
from kinlib.training.data import HELD_OUT_EVERY, read_part
from kinlib.training.degrade import Degradation, compress_pixels, reduce
from kinlib.workers import spread

__all__ = ["FACTOR", "Batch", "Pair", "Patches", "family_jobs", "family_pairs", "read_pairs", "split_people"]

FACTOR = 4  # between the two sizes
QUALITY = 85  # of JPEG, as in the family photographs
ROUGH = (60.0, 95.0)  # range of JPEG qualities in training
FACES = 0.7  # share of patches around a landmark; the rest lies anywhere


@dataclass(frozen=True)
class Pair:
    """One photograph in two sizes.

    Attributes:
        person: number, or name.
        small: uint8 [H, W, 3].
        large: uint8 [4 H, 4 W, 3].
        landmarks: float32 [68, 2], in pixels of the small one.
        facts: what is known of who is in it and how, see `kinlib.training.groups.groups_of`.
    """

    person: int | str
    small: np.ndarray
    large: np.ndarray
    landmarks: np.ndarray
    facts: dict = field(default_factory=dict)


Batch = tuple[np.ndarray, np.ndarray]  # small and large patches, uint8 [B, P, P, 3] and [B, 4 P, 4 P, 3]


def read_pairs(large: Path, small: Path | None) -> list[Pair]:
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
        pairs.append(Pair(int(row.person), reduced, picture, landmarks, facts))
    if not pairs:
        raise KinlibError(f"'{large}' and '{small}' have no photograph in common: render both with the same --seed")
    return pairs


def split_people(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """(for training, held out), no person in both."""
    held_out = [pair for pair in pairs if pair.person % HELD_OUT_EVERY == 0]
    return [pair for pair in pairs if pair.person % HELD_OUT_EVERY], held_out


def family_jobs(count: int) -> list[tuple[Album, Photo]]:
    """One photograph without a fault of each person of the families on disk, `count` at most; nothing is drawn yet.

    Raises:
        KinlibError: if the photographs or the head model are not here.
    """
    root = config.data_dir() / "studio"
    try:
        plan = family_plan.plan(json.loads((root / "studio.json").read_text())["seed"])
    except (OSError, ValueError, KeyError) as error:
        raise KinlibError(f"there are no family photographs in '{root}': run `kinlib render --families`") from error
    load_head()
    sound = [(album, photo) for album in albums(plan) for photo in album.photos if photo.fault is None]
    first = {album.row: (album, photo) for album, photo in reversed(sound)}
    return sorted(first.values(), key=lambda job: job[0].row)[:count]


def family_pairs(count: int, workers: int = 1) -> Iterator[Pair]:
    """Family photographs as they lie on disk, rendered again in full size; see `family_jobs`."""
    jobs = family_jobs(count)
    folder = config.data_dir() / "studio" / "families"
    homes = pd.read_parquet(folder.parent / "people.parquet").set_index("name")["population"]
    for (album, photo), (large, landmarks) in zip(jobs, spread(_take_large, jobs, workers), strict=True):
        small = _decode((folder / album.family / album.name / f"{photo.number:02d}.jpg").read_bytes())
        facts = {"male": album.person.male, "age": photo.age, "melanin": album.person.traits.melanin}
        facts["population"] = homes[album.name]
        yield Pair(album.name, small, large, (landmarks + 0.5) / FACTOR - 0.5, facts)


def _take_large(job: tuple[Album, Photo]) -> tuple[np.ndarray, np.ndarray]:
    picture = take_photo(*job, (HEIGHT * FACTOR, WIDTH * FACTOR))
    return picture.image, picture.landmarks


@dataclass(frozen=True)
class Patches:
    """Random patches of photographs, small and large.

    Attributes:
        size: side of the small patches in pixels.
        strength: of the degradation, see `Degradation`.
        rendered: share of small patches from small renders; the others are degraded from large ones.
        clean: reduce large ones without any spoiling instead, for all patches, as ESRGAN was trained.
    """

    size: int = 40
    strength: float = 0.6
    rendered: float = 0.5
    clean: bool = False

    def __call__(self, pairs: list[Pair], rng: np.random.Generator) -> Batch:
        """One patch of each photograph."""
        smalls, larges = zip(*[self._patch(pair, rng) for pair in pairs], strict=True)
        return np.stack(smalls), np.stack(larges)

    def _patch(self, pair: Pair, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        left, top = self._corner(pair, rng)
        large = pair.large[top * FACTOR : (top + self.size) * FACTOR, left * FACTOR : (left + self.size) * FACTOR]
        if self.clean:
            small = reduce(large, FACTOR)
        elif rng.random() < self.rendered:
            small = pair.small[top : top + self.size, left : left + self.size]
            small = compress_pixels(small, int(rng.uniform(*ROUGH)))
        else:
            small = Degradation(FACTOR, self.strength)(large, rng)
        if rng.random() < 0.5:
            small, large = cv2.flip(small, 1), cv2.flip(large, 1)
        return small, large

    def _corner(self, pair: Pair, rng: np.random.Generator) -> np.ndarray:
        """Left and top, whole pixels of the small picture."""
        most = np.array([pair.small.shape[1], pair.small.shape[0]]) - self.size
        if most.min() < 0:
            raise KinlibError(
                f"the small photographs are smaller than the patches of {self.size} px: render larger ones"
            )
        if rng.random() < FACES:
            wanted = pair.landmarks[rng.integers(68)] - rng.uniform(0.2, 0.8, 2) * self.size
        else:
            wanted = rng.uniform(0, most + 1)
        return np.clip(wanted.astype(int), 0, most)


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
