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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.io.files import make_folder, write_json, write_whole
from kinlib.io.resume import check_folder, read_note
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png
from kinlib.studio.datasets.kin_couples import CHILD_AGE, KIN, PARENT_AGES, album_picture, family, plain_portrait
from kinlib.studio.genetics import Phenotypes, phenotypes
from kinlib.studio.head.model import load_head
from kinlib.studio.person import Person
from kinlib.studio.render import LARGEST, SMALLEST, VERSION, Picture, warm_up

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
        starts = range(0, self.couples, COUPLES_PER_PART)
        return [range(first, min(first + COUPLES_PER_PART, self.couples)) for first in starts]


def render_kin(settings: KinSettings, out: Path, workers: int | None = None) -> Iterator[int]:
    """Render the missing parts of the folder `out`; yields the number of pictures so far, existing ones included.

    Raises:
        KinlibError: if a setting is impossible, the head model is missing, or `out` cannot be written to or holds
            a set made with other settings. Nothing is written then.
    """
    settings.check()
    out = Path(out)
    _check_folder(settings, out)
    paths = {out / f"part-{number:05d}.parquet": part for number, part in enumerate(settings.parts)}
    missing = {path: part for path, part in paths.items() if not _is_whole(path, part, settings)}
    couples = [couple for part in missing.values() for couple in part]
    if couples:
        load_head()
    write_json(make_folder(out) / NOTE, asdict(settings) | {"renderer": VERSION})
    done = settings.num_pictures - len(couples) * settings.pictures_each
    yield done
    if couples:
        warm_up()  # compiles before worker processes start, instead of once in each
    rendered = spread(_render_couple, [(settings, couple) for couple in couples], workers)
    for path, part in missing.items():
        rows: list[dict] = []
        for couple, found in zip(part, rendered, strict=False):
            rows += found
            if couple == part[-1]:
                _write_part(path, rows)
            done += settings.pictures_each
            yield done


def _check_folder(settings: KinSettings, out: Path) -> None:
    """Refuse a folder that holds other files or other settings."""
    check_folder(out)
    note = read_note(out / NOTE)
    if note is None:
        if any(out.glob("*.parquet")):
            raise KinlibError(f"'{out}' holds Parquet files, but no {NOTE}: choose another folder")
        return
    try:
        known = KinSettings(**{name: note[name] for name in asdict(settings)})
    except KeyError as error:
        raise KinlibError(f"'{out / NOTE}' lacks {error}: delete it with its folder, or choose another one") from error
    if replace(known, couples=settings.couples) != settings or note.get("renderer") != VERSION:
        raise KinlibError(f"'{out}' holds a kin set made with other settings: choose another folder, or delete it")
    if known.couples > settings.couples:
        raise KinlibError(f"'{out}' is for {known.couples:,} couples already: ask for as many or more, or delete it")


def _is_whole(path: Path, part: range, settings: KinSettings) -> bool:
    """Whether a part holds all its pictures; when a set grows, its last part may be short."""
    try:
        return pq.read_metadata(path).num_rows == len(part) * settings.pictures_each
    except (OSError, pa.ArrowException):
        return False


def _write_part(path: Path, rows: list[dict]) -> None:
    table = pd.DataFrame(rows)
    write_whole(path, lambda file: table.to_parquet(file, index=False))


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
