"""Children of couples from one population and from two: do networks treat people of mixed descent worse?

    faces = load_descent()          240 children: trio, home, male, image

A trio is made for every pair of populations A and B, several times over: four founders, a man and a woman of each,
and three of the children they could have had: of both parents from A, of both from B, and of the man from A and the
woman from B, or the other way round. All three share a sex, and every portrait the same pose, light, age and kind of
hair. If descent acts additively, the mixed child lies midway between the other two in whatever is measured, whichever
populations are hard; the difference is the effect of mixing itself. The bundle is a folder:

    descent.parquet    one row a child: trio, home ("amber" or "amber+ember"), male, image (JPEG, FFHQ crop of 128 px)
    descent.json       settings: version of the renderer, seed, size, quality
"""

import io
from collections.abc import Iterator
from itertools import combinations
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
from kinlib.studio.datasets.portraits import portrait
from kinlib.studio.genetics import POPULATIONS, Genomes, children, concatenate, founders, phenotypes
from kinlib.studio.person import SEXES
from kinlib.studio.render import VERSION, warm_up

__all__ = ["NUM_CHILDREN", "load_descent", "trio", "write_descent"]

PAIRS = tuple(combinations(POPULATIONS, 2))
TRIOS_EACH = 8  # of each pair: an effect of 0.2 dB then stands out from the differences between people
NUM_CHILDREN = 3 * TRIOS_EACH * len(PAIRS)
SIZE = 128  # px, what the studio's generator draws
QUALITY = 90  # of JPEG
AGE = 30.0  # years
STUDIO = 5  # seed of light, background and clothes, one for all: that of the reference of heredity
SEED = 0
FORMAT = 1
TABLE, NOTES = "descent.parquet", "descent.json"
COLUMNS = ["trio", "home", "male", "image"]


def load_descent(folder: Path | None = None) -> pd.DataFrame:
    """The bundled children, or those in `folder`: `trio`, `home`, `male`, and `image` as RGB pictures.

    `home` names the parents' population, or both, joined by a plus. Three rows follow each other: both homes, mixed.

    Raises:
        KinlibError: if the bundle is missing or damaged.
    """
    folder = Path(folder or config.data_dir() / "studio" / "descent")
    path = folder / TABLE
    if not path.is_file():
        raise KinlibError(f"there is no bundle of children in {folder}: get it again with the project's files")
    try:
        table = pd.read_parquet(path)[COLUMNS]
        return table.assign(image=[Image.open(io.BytesIO(content)).convert("RGB") for content in table["image"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinlibError(f"{path} is damaged: get it again with the project's files") from error


def trio(number: int, seed: int = SEED) -> tuple[list[str], Genomes]:
    """The homes and genomes of a trio's three children, by its number from 0."""
    homes = PAIRS[number % len(PAIRS)]
    rng = np.random.default_rng([seed, 17, number])
    men, women = ([founders(home, 1, rng) for home in homes] for _ in range(2))
    turn = number // len(PAIRS) % 2  # the father of the mixed child is from either population in turn
    couples = [(men[0], women[0]), (men[1], women[1]), (men[turn], women[1 - turn])]
    young = [children(*couple, 1, rng) for couple in couples]
    sex = rng.integers(0, len(SEXES), 1)
    return [*homes, "+".join(homes)], concatenate([one.with_sex(sex) for one in young])


def write_descent(out: Path, workers: int | None = None, seed: int = SEED) -> Iterator[int]:
    """Render the bundle into the folder `out`; yields how many pictures are done.

    A bundle of the same renderer and seed that is there already is kept.

    Raises:
        KinlibError: if the folder cannot be written to, or the head model cannot be had.
    """
    out, notes = make_folder(Path(out)), _notes(seed)
    if read_note(out / NOTES) == notes and (out / TABLE).is_file():
        yield NUM_CHILDREN
        return
    warm_up()  # kernels are compiled here once, not in every process
    rows: list[tuple] = []
    for found in spread(_render_trio, [(number, seed) for number in range(NUM_CHILDREN // 3)], workers):
        rows += found
        yield len(rows)
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_whole(out / TABLE, lambda file: table.to_parquet(file, index=False, compression="zstd"))
    write_json(out / NOTES, notes)


def _notes(seed: int) -> dict:
    """Settings of the bundle, written beside it."""
    return {"format": FORMAT, "renderer": VERSION, "seed": seed, "children": NUM_CHILDREN, "quality": QUALITY}


def _render_trio(job: tuple[int, int]) -> list[tuple]:
    """The rows of one trio."""
    number, seed = job
    homes, genomes = trio(number, seed)
    traits, rows = phenotypes(genomes), []
    for row, home in enumerate(homes):
        picture = portrait(traits.person(row), STUDIO, AGE, SIZE, crop="ffhq")
        male = SEXES[int(genomes.sex[row])] == "male"
        rows.append((number, home, male, array_to_jpeg(picture.image, QUALITY)))
    return rows
