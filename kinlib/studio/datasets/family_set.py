"""The family data set on disk: Family101's layout and format, ground truth, and the portraits of six couples.

    families/FAMILY101.txt              pedigree
    families/<FAMILY>/<Person>/NN.jpg   photographs, 120 x 150
    truth.parquet                       one row per photograph: age, pose, landmarks, attributes, genome; masks of some
    people.parquet                      one row per person: pedigree and traits
    faults.json                         the faults planted on purpose
    portraits/couple_N_father.jpg, ...  sample parents, 256 x 256; couples.parquet holds their traits and genomes
    studio.json                         seed, version of the renderer, counts

Everything follows from one seed. An interrupted run is resumed by the next one.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.io.files import make_folder, write_bytes, write_json, write_whole
from kinlib.io.resume import WORK, is_complete, open_work
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import spread
from kinlib.studio.datasets.encoding import array_to_jpeg, pack_genomes
from kinlib.studio.datasets.family_photos import PersonJob, person_jobs, render_person_photos
from kinlib.studio.datasets.family_plan import FamilyPlan, plan
from kinlib.studio.datasets.planted_faults import faulty_text
from kinlib.studio.datasets.portraits import sample_portrait
from kinlib.studio.genetics import Phenotypes, phenotypes
from kinlib.studio.head.model import load_head
from kinlib.studio.person import NUM_SHAPE, Person
from kinlib.studio.render import warm_up

__all__ = ["NOTE", "plan", "write"]

NOTE = "studio.json"
PORTRAIT_SIZE, PORTRAIT_QUALITY = 256, 92
STRAY = b"\0\0\0\1Bud1" + bytes(64)  # first bytes of a .DS_Store file, which macOS leaves in folders

TRUTH = pa.schema(
    [
        *((name, pa.string()) for name in ("file", "family", "name")),
        ("age", pa.float32()),
        ("fault", pa.string()),
        *((name, pa.float32()) for name in ("yaw", "pitch", "roll")),
        ("landmarks", pa.list_(pa.float32())),
        ("attributes", pa.string()),
        ("mask", pa.binary()),
        ("regions", pa.binary()),
    ]
)


def write(plan: FamilyPlan, out: Path, workers: int | None = None) -> Iterator[int]:
    """Render the missing pictures into the folder `out`; yields the number of pictures so far.

    Raises:
        KinlibError: if the head model is missing, or the folder cannot be written to or holds families made from
            another seed or by another renderer.
    """
    out = Path(out)
    if is_complete(out, NOTE, plan.summary):
        yield plan.num_pictures
        return
    if (out / "families").exists() and not (out / WORK).exists():
        raise KinlibError(f"'{out / 'families'}' was not made here: choose another folder")
    load_head()
    work = open_work(out, plan.summary)
    missing = [job for job in person_jobs(plan) if not _rows_path(work, job).exists()]
    done = len(plan.photos) - sum(len(job.photos) for job in missing)
    yield done
    warm_up()
    for job, rendered in zip(missing, spread(render_person_photos, missing, workers), strict=True):
        _keep(job, rendered, out)
        done += len(rendered)
        yield done
    portraits = spread(_render_portrait, _portrait_subjects(plan), workers)
    for name, jpeg in zip(_portrait_names(plan), portraits, strict=True):
        write_bytes(make_folder(out / "portraits") / name, jpeg)
        done += 1
        yield done
    _finish(plan, out)


def _rows_path(work: Path, job: PersonJob) -> Path:
    """Rows of one finished person, kept until the set is complete."""
    return work / f"{job.row:05d}.parquet"


def _keep(job: PersonJob, rendered: list[tuple[bytes, dict]], out: Path) -> None:
    """Write one person's pictures, then their rows, whose file marks the person as finished."""
    make_folder(out / "families" / job.family / job.name)
    for jpeg, row in rendered:
        write_bytes(out / "families" / row["file"], jpeg)
    rows = pa.Table.from_pylist([row for _, row in rendered], TRUTH)
    write_whole(_rows_path(out / WORK, job), lambda file: pq.write_table(rows, file))


def _portrait_names(plan: FamilyPlan) -> list[str]:
    """File names of the sample parents, in the order of `plan.portraits`."""
    roles = ("father", "mother")
    return [f"couple_{number // 2 + 1}_{roles[number % 2]}.jpg" for number in range(len(plan.portraits))]


def _portrait_subjects(plan: FamilyPlan) -> list[tuple[Person, int]]:
    looks = phenotypes(plan.portraits)
    return [(looks.person(number), number) for number in range(len(looks))]


def _render_portrait(subject: tuple[Person, int]) -> bytes:
    return array_to_jpeg(sample_portrait(*subject, PORTRAIT_SIZE).image, PORTRAIT_QUALITY)


def _finish(plan: FamilyPlan, out: Path) -> None:
    """Write the tables, the list of people and the faults once all pictures exist; the note last."""
    families, people = out / "families", plan.pedigree.people
    genomes = dict(zip(people["name"], pack_genomes(plan.pedigree.genomes), strict=True))
    truth = pa.concat_tables([pq.read_table(_rows_path(out / WORK, job)) for job in person_jobs(plan)])
    own = pa.array([genomes[name] for name in truth["name"].to_pylist()], pa.binary())
    # Parquet's dictionary encoding stores each genome once
    _write_table(truth.append_column("genome", own), out / "truth.parquet")
    traits = _traits(plan.pedigree.phenotypes).drop(columns="sex")
    _write_table(pa.Table.from_pandas(pd.concat([people, traits], axis=1)), out / "people.parquet")
    couples = _traits(phenotypes(plan.portraits)).assign(genome=pack_genomes(plan.portraits))
    couples.insert(0, "picture", _portrait_names(plan))
    _write_table(pa.Table.from_pandas(couples), out / "portraits" / "couples.parquet")
    write_bytes(families / "FAMILY101.txt", faulty_text(plan.pedigree, plan.faults).encode())
    for fault in plan.faults:
        if fault.kind == "hidden_file":
            write_bytes(families / fault.family / fault.person / ".DS_Store", STRAY)
    write_json(out / "faults.json", [fault.record() for fault in plan.faults])
    write_json(out / NOTE, plan.summary)
    shutil.rmtree(out / WORK)


def _write_table(table: pa.Table, path: Path) -> None:
    write_whole(path, lambda file: pq.write_table(table, file, compression="zstd"))


def _traits(looks: Phenotypes) -> pd.DataFrame:
    """Traits of all people, rounded to four decimals; the head model's coefficients in one column."""
    table = looks.to_frame().drop(columns=[f"shape_{number:02d}" for number in range(NUM_SHAPE)])
    numbers = table.select_dtypes("floating").columns
    table = table.astype(dict.fromkeys(numbers, np.float32)).round(dict.fromkeys(numbers, 4))
    return table.assign(shape=list(looks.shape.round(4)))
