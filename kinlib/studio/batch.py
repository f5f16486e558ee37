"""Many renders into Parquet files, on all cores, in parts that survive a stop: `kinlib render`.

A part holds the pictures of some people and is written whole when the last of them is done; a later call with the same
settings renders what is missing. One row a picture:

| column | |
|---|---|
| person, view | numbers; keep people together when splitting |
| image | JPEG bytes |
| mask, regions | PNG bytes: classes of CelebAMask-HQ, regions of StyleGene (see `labels`) |
| landmarks | 136 floats, x and y of 68 points in pixels |
| yaw, pitch, roll | degrees |
| identity, proportions | 100 coefficients of the head model and 23 z-scores |
| attributes | JSON, see `truth.attributes` |
"""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.errors import KinlibError
from kinlib.files import make_folder, write_json, write_whole
from kinlib.studio.crowd import member, sessions
from kinlib.studio.person import Person
from kinlib.studio.render import LARGEST, SMALLEST, VERSION, Picture, sit, take, warm_up
from kinlib.studio.workers import spread

__all__ = ["CROPS", "RenderSettings", "as_jpeg", "as_png", "render_people"]

CROPS = ("ffhq", "photo")
PEOPLE_PER_PART = 24
QUALITY = 93  # of JPEG
MOST_PEOPLE, MOST_IMAGES = 10_000_000, 1000
NOTES = "render.json"


@dataclass(frozen=True)
class RenderSettings:
    """What a set of renders depends on.

    Attributes:
        people: how many people.
        images_each: pictures of each.
        size: side in pixels.
        seed: of everything.
        crop: "ffhq" (aligned as generators want it) or "photo" (loosely framed).
    """

    people: int = 100
    images_each: int = 3
    size: int = 128
    seed: int = 0
    crop: str = "ffhq"

    def check(self) -> None:
        """Raises KinlibError if a setting is impossible."""
        for name, value, low, high in (
            ("people", self.people, 1, MOST_PEOPLE),
            ("images-each", self.images_each, 1, MOST_IMAGES),
            ("size", self.size, SMALLEST, LARGEST),
            ("seed", self.seed, 0, 2**31 - 1),
        ):
            if not low <= value <= high:
                raise KinlibError(f"--{name} must be from {low} to {high}, not {value}")
        if self.crop not in CROPS:
            raise KinlibError(f"unknown crop '{self.crop}': choose {' or '.join(CROPS)}")


def render_people(settings: RenderSettings, out: Path, workers: int | None = None) -> Iterator[int]:
    """Render what is missing in the folder `out`; yields the number of pictures done so far, those found included.

    Raises:
        KinlibError: if a setting is impossible, or `out` is a file or holds renders made with other settings.
    """
    settings.check()
    out = _open_folder(settings, Path(out))
    parts = range(0, settings.people, PEOPLE_PER_PART)
    missing = [part for part in parts if not _part_path(out, part).exists()]
    people = [number for part in missing for number in _members(settings, part)]
    done = (settings.people - len(people)) * settings.images_each
    yield done
    rows: list[dict] = []
    found_rows = spread(_render_person, ((settings, number) for number in people), workers, warm_up)
    for number, found in zip(people, found_rows, strict=True):
        rows += found
        part = number - number % PEOPLE_PER_PART
        if number == _members(settings, part)[-1]:
            table = pd.DataFrame(rows)
            write_whole(_part_path(out, part), lambda file, table=table: table.to_parquet(file, index=False))
            rows = []
        done += settings.images_each
        yield done


def _members(settings: RenderSettings, part: int) -> range:
    return range(part, min(part + PEOPLE_PER_PART, settings.people))


def _part_path(out: Path, first: int) -> Path:
    return out / f"part-{first // PEOPLE_PER_PART:05d}.parquet"


def _open_folder(settings: RenderSettings, out: Path) -> Path:
    """Make the folder, or check that what lies in it was made with the same settings."""
    notes = asdict(settings) | {"renderer": VERSION}
    if out.exists() and not out.is_dir():
        raise KinlibError(f"'{out}' is a file: --out needs a folder")
    path = out / NOTES
    if path.exists():
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise KinlibError(f"{path} cannot be read: choose another folder") from error
        if {**known, "people": 0} != {**notes, "people": 0}:
            raise KinlibError(f"'{out}' holds renders made with other settings: choose another folder, or delete it")
        if known["people"] > settings.people:
            raise KinlibError(f"'{out}' holds {known['people']} people already: ask for as many or more")
        _drop_last(out, known["people"], settings.people)
    elif out.exists() and any(out.glob("part-*.parquet")):
        raise KinlibError(f"'{out}' holds pictures but no {NOTES}: choose another folder")
    write_json(make_folder(out) / NOTES, notes)
    return out


def _drop_last(out: Path, had: int, want: int) -> None:
    """When a set grows, its last part may have been short: it is made again."""
    if want > had and had % PEOPLE_PER_PART:
        _part_path(out, had - had % PEOPLE_PER_PART).unlink(missing_ok=True)


def _render_person(job: tuple[RenderSettings, int]) -> list[dict]:
    settings, number = job
    person = member(settings.seed, number)
    rows = []
    for look, shots in sessions(person, settings.seed, number, settings.images_each):
        sitter = sit(person, look, settings.size)
        for shot in shots:
            picture = take(sitter, shot, settings.size, settings.crop)
            rows.append({"person": number, "view": len(rows)} | _row(picture, person))
    return rows


def _row(picture: Picture, person: Person) -> dict:
    return {
        "image": as_jpeg(picture.image),
        "mask": as_png(picture.classes),
        "regions": as_png(picture.regions),
        "landmarks": picture.landmarks.astype(np.float32).ravel(),
        **{"yaw": picture.yaw, "pitch": picture.pitch, "roll": picture.roll},
        "identity": person.traits.shape,
        "proportions": person.traits.proportions,
        "attributes": json.dumps(picture.attributes),
    }


def as_jpeg(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """A picture uint8 [H, W, 3] or [H, W] as JPEG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def as_png(labels: np.ndarray) -> bytes:
    """Labels uint8 [H, W] as PNG."""
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG", optimize=True)
    return stream.getvalue()
