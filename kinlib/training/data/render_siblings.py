"""Rendering of further true children of the reference's couples, whose pictures are kept.

`kinlib.evaluation.heredity.siblings` says what for.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib.evaluation.heredity.siblings import COLUMNS, SIBLINGS
from kinlib.io.files import make_folder, write_whole
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets.encoding import array_to_jpeg
from kinlib.studio.datasets.kin_couples import CHILD_AGE, plain_portrait
from kinlib.studio.genetics import children, phenotypes
from kinlib.studio.head.model import load_head
from kinlib.studio.person import Person
from kinlib.studio.render import warm_up
from kinlib.training.data.render_reference import SIZE, ReferencePlan, couple_name, siblings

__all__ = ["NUM_PICTURED", "write_siblings"]

NUM_PICTURED = 8  # of each couple
QUALITY = 95  # of JPEG; its error (42 dB) is far below that of the encoder


def write_siblings(plan: ReferencePlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Render further children of a reference's couples into its folder; yields the number of pictures done so far.

    They have the age, light and pose of the reference's own children. Pictures that are there already are replaced.

    Raises:
        KinlibError: if the head model is missing, or the folder cannot be written to.
    """
    load_head()
    warm_up()  # compiles before worker processes start, instead of once in each
    people = [
        (couple, number, one) for couple in range(plan.num_couples) for number, one in enumerate(_more(plan, couple))
    ]
    rows = []
    for (couple, number, _), picture in zip(
        people, spread(_picture, (one for *_, one in people), workers), strict=True
    ):
        rows.append((couple_name(couple), number, picture))
        yield len(rows)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_whole(make_folder(Path(out)) / SIBLINGS, lambda file: table.to_parquet(file, index=False))


def _more(plan: ReferencePlan, couple: int) -> list[Person]:
    """Children that are not in the reference, which has the first ones by another random stream."""
    father, mother, _ = siblings(plan, couple)
    rng = np.random.default_rng([plan.seed, 14, couple])  # 12 and 13 are the reference's own
    looks = phenotypes(children(father, mother, NUM_PICTURED, rng))
    return [looks.person(i) for i in range(NUM_PICTURED)]


def _picture(person: Person) -> bytes:
    return array_to_jpeg(plain_portrait(person, CHILD_AGE, SIZE).image, QUALITY)
