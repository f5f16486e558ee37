"""Named series of pictures in which one thing changes from picture to picture, for the notebook and its panel.

    row = load_series("hair_red")                   from the bundle: no head model is needed
    row = render_series("hair_red")                 the same, rendered
    picture = render_position("nose_width", 0.7)    one position of a variation that the bundle may not have

`variations` (one allele, one trait, age, sex) and `comparisons` (everything else) define the series. The bundle is a
folder:

    steps.parquet    one row per picture: series, label, value (of variations), image (JPEG)
    steps.json       settings: version of the renderer, size, quality, and each series' title, unit and count
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
from kinlib.studio.datasets.encoding import array_to_jpeg
from kinlib.studio.head.model import have_head
from kinlib.studio.lesson.comparisons import COMPARISONS
from kinlib.studio.lesson.variations import VARIATIONS, RenderSpec, Variation
from kinlib.studio.render import VERSION, render, warm_up

__all__ = ["SIZE", "Series", "default_folder", "have_head", "load_series", "names", "nearest", "num_pictures"]
__all__ += ["render_position", "render_series", "write_series"]

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
        labels: caption of each picture.
        values: position of the variation in each picture; None for a comparison.
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
class _Item:
    """One picture to render."""

    label: str
    value: float | None
    spec: RenderSpec


def names() -> tuple[str, ...]:
    """Names of all series, variations first."""
    return (*VARIATIONS, *COMPARISONS)


def num_pictures() -> int:
    """Number of pictures in the bundle."""
    return sum(len(_items(name)) for name in names())


def default_folder() -> Path:
    """Folder of the bundle."""
    return config.data_dir() / "studio" / "steps"


def load_series(name: str, folder: Path | None = None) -> Series:
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
    values = tuple(rows["value"].tolist()) if name in VARIATIONS else None
    try:
        pictures = tuple(Image.open(io.BytesIO(content)).convert("RGB") for content in rows["image"])
    except (OSError, TypeError) as error:
        raise _damaged(folder) from error
    return Series(name, title, unit, tuple(rows["label"]), values, pictures)


def render_series(name: str, size: int = SIZE) -> Series:
    """A series, rendered; needs the head model.

    Raises:
        KinlibError: if there is no such series, the size is impossible, or the head model is missing.
    """
    (title, unit), items = _title(name), _items(name)
    pictures = tuple(Image.fromarray(_render_image(item.spec, size)) for item in items)
    values = tuple(item.value for item in items) if name in VARIATIONS else None
    return Series(name, title, unit, tuple(item.label for item in items), values, pictures)


def render_position(name: str, value: float, size: int = SIZE) -> Image.Image:
    """One position of a variation, rendered; needs the head model.

    Raises:
        KinlibError: if there is no such variation or position, the size is impossible, or the head model is missing.
    """
    variation = _variation(name)
    known = value in variation.values
    if not known and (variation.fine is None or not variation.values[0] <= value <= variation.values[-1]):
        low, high = variation.values[0], variation.values[-1]
        raise KinlibError(f"'{name}' goes from {low:g} to {high:g}, not to {value:g}")
    return Image.fromarray(_render_image(variation.spec(value), size))


def nearest(name: str, value: float) -> int:
    """Index of the bundled picture nearest to a position of a variation.

    Raises:
        KinlibError: if there is no such variation.
    """
    return int(np.abs(np.subtract(_variation(name).values, value)).argmin())


def write_series(out: Path | None = None, workers: int | None = None) -> Iterator[int]:
    """Render all series and write the bundle into a folder, the project's by default; yields the pictures done so far.

    An existing bundle of the same renderer and series is kept.

    Raises:
        KinlibError: if the folder cannot be written to, or the head model is missing.
    """
    out = make_folder(Path(out or default_folder()))
    if read_note(out / NOTES) == _notes() and (out / TABLE).is_file():
        yield num_pictures()
        return
    warm_up()  # kernels are compiled here once, not in every process
    jobs = [(name, number) for name in names() for number in range(len(_items(name)))]
    rows = []
    for (name, number), image in zip(jobs, spread(_job, jobs, workers), strict=True):
        item = _items(name)[number]
        rows.append((name, item.label, item.value, image))
        yield len(rows)
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"value": "float64"})
    write_whole(out / TABLE, lambda file: table.to_parquet(file, index=False, compression="zstd"))
    write_json(out / NOTES, _notes())
    _read.cache_clear()


def _notes() -> dict:
    """Settings of the bundle, written beside it."""
    rows = {
        name: dict(zip(("title", "unit"), _title(name), strict=True), pictures=len(_items(name))) for name in names()
    }
    return {"format": FORMAT, "renderer": VERSION, "size": SIZE, "quality": QUALITY, "series": rows}


def _job(job: tuple[str, int]) -> bytes:
    name, number = job
    return array_to_jpeg(_render_image(_items(name)[number].spec, SIZE), QUALITY)


def _render_image(spec: RenderSpec, size: int) -> np.ndarray:
    return render(spec.person, spec.look, spec.shot, size).image


@lru_cache(maxsize=64)
def _items(name: str) -> list[_Item]:
    """The pictures of a series."""
    _title(name)
    if name in COMPARISONS:
        return [_Item(label, None, spec) for label, spec in COMPARISONS[name].row()]
    variation = VARIATIONS[name]
    return [_Item(variation.label(value), value, variation.spec(value)) for value in variation.values]


def _title(name: str) -> tuple[str, str]:
    """Title and unit of a series."""
    if name not in names():
        raise KinlibError(f"there is no series '{name}': choose one of {', '.join(names())}")
    return (VARIATIONS[name].title, VARIATIONS[name].unit) if name in VARIATIONS else (COMPARISONS[name].title, "")


def _variation(name: str) -> Variation:
    if name not in VARIATIONS:
        raise KinlibError(f"there is no variation '{name}': choose one of {', '.join(VARIATIONS)}")
    return VARIATIONS[name]


def _bundle(folder: Path) -> pd.DataFrame:
    path = folder / TABLE
    if not path.is_file():
        raise KinlibError(f"there are no bundled pictures in {folder}: get them again with the project's files")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> pd.DataFrame:
    """The table of a bundle; `changed` (time of the file) keeps a new file from being served from the cache."""
    try:
        table = pd.read_parquet(path)
        return table[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(path.parent) from error


def _damaged(folder: Path) -> KinlibError:
    return KinlibError(f"the bundled pictures in {folder} are damaged: get them again with the project's files")
