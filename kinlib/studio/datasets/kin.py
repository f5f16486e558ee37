"""Rendering of the kin set, from which methods of inheritance learn: `kinlib render --kin`.

Couples of founders, each parent in one portrait as in the reference for scoring children and in some album shots, and
true children as portraits. All are FFHQ crops. The couples follow from the seed and their number alone, and share
nobody with the reference. A part holds some couples and is written whole; a later call with the same settings renders
the missing parts. One row per picture, the father's first, then the mother's, then the children's:

| column | content |
|---|---|
| couple, role, number | the person: father and mother have the number 0, children count from 0 |
| kind, view | "portrait" or "album"; which picture of the person it is |
| image | JPEG bytes |
| mask | PNG bytes: classes of CelebAMask-HQ |
| age, yaw, pitch, roll | years; degrees |
| sex, melanin, ... | true traits, constant for life: the columns of `genetics.Phenotypes.to_frame` |
| attributes | JSON, see `rendering.ground_truth.attributes` |

Genomes are not stored: `kin_couples.family` gives them for any couple.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png
from kinlib.studio.datasets.kin_couples import CHILD_AGE, KIN, PARENT_AGES, album_picture, family, plain_portrait
from kinlib.studio.datasets.parts import render_parts, split_evenly
from kinlib.studio.genetics import Phenotypes, phenotypes
from kinlib.studio.person import Person
from kinlib.studio.render import LARGEST, SMALLEST, Picture

__all__ = ["NOTE", "KinSettings", "render_kin"]

COUPLES_PER_PART = 8  # half a minute's work on two cores, the most that is lost when a run is stopped
QUALITY = 93  # of JPEG
NOTE = "kin.json"


@dataclass(frozen=True)
class KinSettings:
    """Everything that a kin set depends on.

    Attributes:
        couples: how many couples.
        children: true children of each.
        albums: album shots of each parent, beside the portrait.
        size: side in pixels.
        seed: of everything.
    """

    couples: int = 1000
    children: int = 4
    albums: int = 2
    size: int = 128
    seed: int = 0

    def check(self) -> None:
        """Raises KinlibError if a setting is impossible."""
        for name, value, low, high in (
            ("couples", self.couples, 1, 1_000_000),
            ("children", self.children, 1, 100),
            ("albums", self.albums, 0, 100),
            ("size", self.size, SMALLEST, LARGEST),
            ("seed", self.seed, 0, 2**31 - 1),
        ):
            if not low <= value <= high:
                raise KinlibError(f"--{name} must be from {low:,} to {high:,}, not {value}")

    @property
    def pictures_each(self) -> int:
        """Pictures of one couple with its children."""
        return 2 * (1 + self.albums) + self.children

    @property
    def num_pictures(self) -> int:
        """Pictures in all."""
        return self.couples * self.pictures_each

    @property
    def parts(self) -> list[range]:
        """The couples of each part."""
        return split_evenly(self.couples, COUPLES_PER_PART)


def render_kin(settings: KinSettings, out: Path, workers: int | None = None, engine: str = "local") -> Iterator[int]:
    """Render the missing parts of the folder `out`; yields the number of pictures so far, existing ones included.

    Raises:
        KinlibError: if a setting is impossible, the head model is missing, or `out` cannot be written to or holds
            a set made with other settings. Nothing is written then.
    """
    settings.check()
    note = NOTE, "couples", "a kin set"
    yield from render_parts(settings, Path(out), settings.pictures_each, _render_couple, workers, note, engine)


def _render_couple(job: tuple[KinSettings, int]) -> list[dict]:
    """Rows of one couple's pictures."""
    settings, couple = job
    father, mother, young = family(settings.seed, KIN, couple, settings.children)
    rows: list[dict] = []
    for number, (role, parent) in enumerate((("father", father), ("mother", mother))):
        seen = phenotypes(parent)
        rng = np.random.default_rng([settings.seed, KIN, couple, 1 + number])  # 0 would be the couple's own stream
        shown = {"couple": couple, "role": role, "number": 0}
        rows += [shown | row for row in _parent(seen, rng, settings)]
    seen = phenotypes(young)
    for number in range(len(seen)):
        shown = {"couple": couple, "role": "child", "number": number}
        picture = plain_portrait(seen.person(number), CHILD_AGE, settings.size)
        rows.append(shown | _row("portrait", 0, picture, seen, number))
    return rows


def _parent(seen: Phenotypes, rng: np.random.Generator, settings: KinSettings) -> Iterator[dict]:
    """Rows of one parent: the portrait, then the album shots."""
    person: Person = seen.person(0)
    yield _row("portrait", 0, plain_portrait(person, float(rng.uniform(*PARENT_AGES)), settings.size), seen, 0)
    for view in range(1, 1 + settings.albums):
        yield _row("album", view, album_picture(person, rng, settings.size), seen, 0)


def _row(kind: str, view: int, picture: Picture, seen: Phenotypes, number: int) -> dict:
    return {
        "kind": kind,
        "view": view,
        "image": array_to_jpeg(picture.image, QUALITY),
        "mask": array_to_png(picture.classes),
        **{"age": picture.attributes["age"], "yaw": picture.yaw, "pitch": picture.pitch, "roll": picture.roll},
        **seen.to_frame().iloc[number].to_dict(),
        "attributes": json.dumps(picture.attributes),
    }
