"""Some of the family photographs at four times the size: ground truth for upscaling.

    pairs = load_originals()                 24 photographs, of one person from each of 24 families
    pairs[0].small, pairs[0].image           120 x 150 px as in the family data set, and 480 x 600 px

Both sizes are rendered from the same shot, so the small one is not a reduced large one: it has fewer pixels and the
same lens blur in pixels, like a photograph from a smaller camera. The large one is stored as WebP, which is lossy:
scores measured against it are slightly too low. The bundle is a folder beside the families:

    originals.parquet    one row per photograph: file (as in the families), family, name, age, landmarks, image
    originals.json       how it was made: version of the renderer, seed, size, quality
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.io.files import make_folder, write_json, write_whole
from kinlib.io.resume import read_note
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets.family_photos import HEIGHT, WIDTH, PersonJob, person_jobs, render_photo
from kinlib.studio.datasets.family_plan import FamilyPlan, PlannedPhoto
from kinlib.studio.render import VERSION, warm_up

__all__ = ["FACTOR", "NUM_ORIGINALS", "Original", "load_originals", "write_originals"]

FACTOR = 4  # ratio of the sizes
NUM_ORIGINALS = 24
AGES = (8.0, 75.0)  # years; younger and older faces are too few to represent their ages
QUALITY = 78  # of WebP
FORMAT = 1
TABLE, NOTES = "originals.parquet", "originals.json"
COLUMNS = ["file", "family", "name", "age", "landmarks", "image"]


@dataclass(frozen=True, eq=False)
class Original:
    """A family photograph in both sizes.

    Attributes:
        file: its path in the families' folder.
        family, name: of the person; no two originals are of one family.
        age: years.
        image: RGB, 480 x 600 px.
        small: RGB, 120 x 150 px, as stored in the family data set.
        landmarks: float32 [68, 2], x and y in pixels of `image`.
    """

    file: str
    family: str
    name: str
    age: float
    image: Image.Image
    small: Image.Image
    landmarks: np.ndarray

    def larger(self, factor: int) -> Image.Image:
        """The target of upscaling `small` by a factor of 1 to 4: area-averaged, like the pixels of a camera."""
        return self.image.resize((self.small.width * factor, self.small.height * factor), Image.Resampling.BOX)

    def landmarks_in(self, width: int) -> np.ndarray:
        """The landmarks [68, 2] in a copy of the picture `width` px wide."""
        return (self.landmarks + 0.5) * (width / self.image.width) - 0.5


def load_originals(count: int | None = None, folder: Path | None = None) -> list[Original]:
    """The bundled photographs, the first `count` of them; from `folder`, or from the project's data by default.

    Raises:
        KinlibError: if the bundle or the families beside it are missing or damaged.
    """
    folder = Path(folder or config.data_dir() / "studio" / "originals")
    path = folder / TABLE
    if not path.is_file():
        raise KinlibError(f"there are no full-size photographs in {folder}: get them again with the project's files")
    try:
        table = pd.read_parquet(path)[COLUMNS].iloc[:count]
        return [_read(row, folder.with_name("families")) for row in table.itertuples()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinlibError(f"{path} or its families are damaged: get them again with the project's files") from error


def write_originals(plan: FamilyPlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Render the photographs of the bundle into the folder `out`; yields how many are done.

    A bundle of the same renderer and families that is there already is kept.

    Raises:
        KinlibError: if the folder cannot be written to, or the head model cannot be had.
    """
    out, jobs = make_folder(Path(out)), choose(plan)
    if read_note(out / NOTES) == _notes(plan) and (out / TABLE).is_file():
        yield len(jobs)
        return
    warm_up()  # kernels are compiled here once, not in every process
    rows = []
    for row in spread(_render_row, jobs, workers):
        rows.append(row)
        yield len(rows)
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_whole(out / TABLE, lambda file: table.to_parquet(file, index=False, compression="zstd"))
    write_json(out / NOTES, _notes(plan))


def choose(plan: FamilyPlan) -> list[tuple[PersonJob, PlannedPhoto]]:
    """The photographs of the bundle: a random one of each of the first families, without planted faults."""
    rng = np.random.default_rng([plan.seed, 12])
    by_family: dict[str, list[tuple[PersonJob, PlannedPhoto]]] = {}
    for job in person_jobs(plan):
        sound = [photo for photo in job.photos if photo.fault is None and AGES[0] <= photo.age <= AGES[1]]
        by_family.setdefault(job.family, []).extend((job, photo) for photo in sound)
    chosen = [jobs[rng.integers(len(jobs))] for jobs in by_family.values() if jobs]
    return chosen[:NUM_ORIGINALS]


def _notes(plan: FamilyPlan) -> dict:
    """Settings of the bundle, written beside it."""
    size = [WIDTH * FACTOR, HEIGHT * FACTOR]
    return {"format": FORMAT, "renderer": VERSION, "seed": plan.seed, "size": size, "quality": QUALITY}


def _render_row(job: tuple[PersonJob, PlannedPhoto]) -> tuple:
    """A row of the table."""
    person, photo = job
    picture = render_photo(person, photo, (HEIGHT * FACTOR, WIDTH * FACTOR))
    stream = io.BytesIO()
    Image.fromarray(picture.image).save(stream, "WEBP", quality=QUALITY, method=6)
    file = f"{person.family}/{person.name}/{photo.number:02d}.jpg"
    return file, person.family, person.name, photo.age, picture.landmarks.ravel().round(2), stream.getvalue()


def _read(row, families: Path) -> Original:
    image = Image.open(io.BytesIO(row.image)).convert("RGB")
    small = Image.open(families / row.file).convert("RGB")
    landmarks = np.reshape(row.landmarks, (68, 2)).astype(np.float32)
    return Original(row.file, row.family, row.name, float(row.age), image, small, landmarks)
