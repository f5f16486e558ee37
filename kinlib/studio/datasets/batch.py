"""Rendering of training pictures into Parquet files on all cores, resumable: `kinlib render`.

A part holds the pictures of some people and is written whole when the last of them is done; a later call with the same
settings renders the missing parts. One row per picture:

| column | content |
|---|---|
| person, view | numbers; splits keep a person's pictures together |
| image | JPEG bytes |
| mask, regions | PNG bytes: classes of CelebAMask-HQ, regions of StyleGene (see `labels`) |
| landmarks | 136 floats, x and y of 68 points in pixels |
| yaw, pitch, roll | degrees |
| identity, proportions | 100 coefficients of the head model and 23 z-scores |
| attributes | JSON, see `rendering.ground_truth.attributes` |
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png
from kinlib.studio.datasets.parts import render_parts, split_evenly
from kinlib.studio.datasets.sampling import member, sessions
from kinlib.studio.person import Person
from kinlib.studio.render import LARGEST, SMALLEST, Picture, prepare_subject, render_shot

__all__ = ["CROPS", "RenderSettings", "render_people"]

CROPS = ("ffhq", "photo")
PICTURES_PER_PART = 72  # approximate: a person's pictures are never split
QUALITY = 93  # of JPEG
MOST_PEOPLE, MOST_IMAGES = 1_000_000, 100
NOTE = "render.json"


@dataclass(frozen=True)
class RenderSettings:
    """Everything that a set of renders depends on.

    Attributes:
        people: how many people.
        images_each: pictures of each.
        size: side in pixels.
        seed: of everything.
        crop: "ffhq" (aligned for generators) or "photo" (loosely framed).
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
                raise KinlibError(f"--{name} must be from {low:,} to {high:,}, not {value}")
        if self.crop not in CROPS:
            raise KinlibError(f"unknown crop '{self.crop}': choose {' or '.join(CROPS)}")

    @property
    def parts(self) -> list[range]:
        """The people of each part."""
        step = max(1, PICTURES_PER_PART // self.images_each)
        return split_evenly(self.people, step)


def render_people(
    settings: RenderSettings, out: Path, workers: int | None = None, engine: str = "local"
) -> Iterator[int]:
    """Render the missing parts of the folder `out`; yields the number of pictures so far, existing ones included.

    Raises:
        KinlibError: if a setting is impossible, the head model is missing, or `out` cannot be written to or holds
            renders made with other settings. Nothing is written then.
    """
    settings.check()
    note = NOTE, "people", "renders"
    yield from render_parts(settings, Path(out), settings.images_each, _render_person, workers, note, engine)


def _render_person(job: tuple[RenderSettings, int]) -> list[dict]:
    """Rows of one person's pictures."""
    settings, number = job
    person = member(settings.seed, number)
    rows = []
    for look, shots in sessions(person, settings.seed, number, settings.images_each):
        subject = prepare_subject(person, look, settings.size)
        for shot in shots:
            picture = render_shot(subject, shot, settings.size, settings.crop)
            rows.append({"person": number, "view": len(rows)} | _row(picture, person))
    return rows


def _row(picture: Picture, person: Person) -> dict:
    return {
        "image": array_to_jpeg(picture.image, QUALITY),
        "mask": array_to_png(picture.classes),
        "regions": array_to_png(picture.regions),
        "landmarks": picture.landmarks.astype(np.float32).ravel(),
        **{"yaw": picture.yaw, "pitch": picture.pitch, "roll": picture.roll},
        "identity": person.traits.shape,
        "proportions": person.traits.proportions,
        "attributes": json.dumps(picture.attributes),
    }
