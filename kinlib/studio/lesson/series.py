"""Named series of pictures in which one thing changes from step to step, for the notebook and its panel.

    row = series("hair_red")                        from the bundle: no head model is needed
    row = render_series("hair_red")                 the same, drawn anew
    picture = render_step("nose_width", 0.7)        one position of a dial that the bundle may not have

What a series shows is written in `dials` (one allele, one trait, age, sex) and `sheets` (everything else). The bundle
is a folder:

    steps.parquet    one row a picture: series, label, value (of dials), image (JPEG)
    steps.json       how it was made: version of the renderer, size, quality, and each series' title, unit and count
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.io.files import make_folder, write_json, write_whole
from kinlib.io.resume import read_note
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets.encoding import as_jpeg
from kinlib.studio.head.model import have_head
from kinlib.studio.lesson.sheets import SHEETS
from kinlib.studio.lesson.variations import DIALS, Dial, Sitting
from kinlib.studio.render import VERSION, render, warm_up

__all__ = ["SIZE", "Series", "default_folder", "have_head", "names", "nearest", "num_pictures", "render_series"]
__all__ += ["render_step", "series", "write_steps"]

SIZE = 160  # pixels
QUALITY = 88  # of JPEG
FORMAT = 1
TABLE, NOTES = "steps.parquet", "steps.json"
COLUMNS = ["series", "label", "value", "image"]


@dataclass(frozen=True)
class Series:
    """Pictures of one series.

    Attributes:
        name: as in `names`.
        title: what changes, in words.
        unit: of the values; "" if there are none or they need none.
        labels: what to write below each picture.
        values: the dial's position in each picture; None for a row that no dial turns.
        pictures: RGB, `SIZE` pixels wide and high.
    """

    name: str
    title: str
    unit: str
    labels: tuple[str, ...]
    values: tuple[float, ...] | None
    pictures: tuple[Image.Image, ...]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.pictures)


@dataclass(frozen=True)
class _Step:
    """One picture to make."""

    label: str
    value: float | None
    sitting: Sitting


def names() -> tuple[str, ...]:
    """All series, dials first."""
    return (*DIALS, *SHEETS)


def num_pictures() -> int:
    """Pictures of the whole bundle."""
    return sum(len(_steps(name)) for name in names())


def default_folder() -> Path:
    """Where the bundle lies."""
    return config.data_dir() / "studio" / "steps"


def series(name: str, folder: Path | None = None) -> Series:
    """A series from the bundle; from `folder`, or from the project's data by default.

    Raises:
        KinlibError: if there is no such series, or the bundle is missing or damaged.
    """
    title, unit = _title(name)
    folder = Path(folder or default_folder())
    rows = _bundle(folder)
    rows = rows[rows["series"] == name]
    if rows.empty:
        raise KinlibError(f"the bundle in {folder} lacks the series '{name}': get it again with the project's files")
    values = tuple(rows["value"].tolist()) if name in DIALS else None
    try:
        pictures = tuple(Image.open(io.BytesIO(content)).convert("RGB") for content in rows["image"])
    except (OSError, TypeError) as error:
        raise _damaged(folder) from error
    return Series(name, title, unit, tuple(rows["label"]), values, pictures)


def render_series(name: str, size: int = SIZE) -> Series:
    """A series drawn anew; needs the head model.

    Raises:
        KinlibError: if there is no such series, the size is impossible, or the head model cannot be had.
    """
    (title, unit), steps = _title(name), _steps(name)
    pictures = tuple(Image.fromarray(_draw(step.sitting, size)) for step in steps)
    values = tuple(step.value for step in steps) if name in DIALS else None
    return Series(name, title, unit, tuple(step.label for step in steps), values, pictures)


def render_step(name: str, value: float, size: int = SIZE) -> Image.Image:
    """One position of a dial, drawn anew; needs the head model.

    Raises:
        KinlibError: if there is no such dial or position, the size is impossible, or the head model cannot be had.
    """
    dial = _dial(name)
    if not dial.values[0] <= value <= dial.values[-1] or (dial.fine is None and value not in dial.values):
        raise KinlibError(f"'{name}' goes from {dial.values[0]:g} to {dial.values[-1]:g}, not to {value:g}")
    return Image.fromarray(_draw(dial.sit(value), size))


def nearest(name: str, value: float) -> int:
    """Number of the bundled step that is nearest to a dial's position, from 0.

    Raises:
        KinlibError: if there is no such dial.
    """
    return int(np.abs(np.subtract(_dial(name).values, value)).argmin())


def write_steps(out: Path | None = None, workers: int | None = None) -> Iterator[int]:
    """Render all series and write the bundle into a folder, the project's by default; yields the pictures done so far.

    A bundle of the same renderer and series that is there already is kept.

    Raises:
        KinlibError: if the folder cannot be written to, or the head model cannot be had.
    """
    out = make_folder(Path(out or default_folder()))
    if read_note(out / NOTES) == _notes() and (out / TABLE).is_file():
        yield num_pictures()
        return
    warm_up()  # compiled once here, not in every process
    jobs = [(name, number) for name in names() for number in range(len(_steps(name)))]
    rows = []
    for (name, number), image in zip(jobs, spread(_job, jobs, workers), strict=True):
        step = _steps(name)[number]
        rows.append((name, step.label, step.value, image))
        yield len(rows)
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"value": "float64"})
    write_whole(out / TABLE, lambda file: table.to_parquet(file, index=False, compression="zstd"))
    write_json(out / NOTES, _notes())
    _read.cache_clear()


def _notes() -> dict:
    """How the bundle was made."""
    rows = {
        name: dict(zip(("title", "unit"), _title(name), strict=True), pictures=len(_steps(name))) for name in names()
    }
    return {"format": FORMAT, "renderer": VERSION, "size": SIZE, "quality": QUALITY, "series": rows}


def _job(job: tuple[str, int]) -> bytes:
    name, number = job
    return as_jpeg(_draw(_steps(name)[number].sitting, SIZE), QUALITY)


def _draw(sitting: Sitting, size: int) -> np.ndarray:
    return render(sitting.person, sitting.look, sitting.shot, size).image


@lru_cache(maxsize=64)
def _steps(name: str) -> list[_Step]:
    """What is to be drawn for a series."""
    _title(name)
    if name in SHEETS:
        return [_Step(label, None, sitting) for label, sitting in SHEETS[name].row()]
    return [_Step(DIALS[name].label(value), value, DIALS[name].sit(value)) for value in DIALS[name].values]


def _title(name: str) -> tuple[str, str]:
    """Title and unit of a series."""
    if name not in names():
        raise KinlibError(f"there is no series '{name}': choose one of {', '.join(names())}")
    return (DIALS[name].title, DIALS[name].unit) if name in DIALS else (SHEETS[name].title, "")


def _dial(name: str) -> Dial:
    if name not in DIALS:
        raise KinlibError(f"there is no dial '{name}': choose one of {', '.join(DIALS)}")
    return DIALS[name]


def _bundle(folder: Path) -> pd.DataFrame:
    path = folder / TABLE
    if not path.is_file():
        raise KinlibError(f"there are no bundled pictures in {folder}: get them again with the project's files")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> pd.DataFrame:
    """The table of a bundle; `changed` is when the file was written, so that a new one is read anew."""
    try:
        table = pd.read_parquet(path)
        return table[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(path.parent) from error


def _damaged(folder: Path) -> KinlibError:
    return KinlibError(f"the bundled pictures in {folder} are damaged: get them again with the project's files")
