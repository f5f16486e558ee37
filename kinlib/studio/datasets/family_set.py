"""The family data set on disk: Family101's layout and format, the truth beside it, and the portraits of six couples.

    families/FAMILY101.txt              who is whose
    families/<FAMILY>/<Person>/NN.jpg   photographs, 120 x 150
    truth.parquet                       one row a photograph: age, pose, landmarks, attributes, genome; masks of some
    people.parquet                      one row a person: pedigree and traits
    faults.json                         the faults planted on purpose
    portraits/couple_N_father.jpg, ...  sample parents, 256 x 256; couples.parquet holds their traits and genomes
    studio.json                         seed, version of the renderer, counts

Everything follows from one seed. Work that was stopped goes on where it stopped.
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
from kinlib.studio.datasets.encoding import as_jpeg, pack_genomes
from kinlib.studio.datasets.family_photos import Album, albums, photograph
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
STRAY = b"\0\0\0\1Bud1" + bytes(64)  # how the hidden files begin that a certain computer leaves in folders

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
    """Render all that is missing in the folder `out`; yields the number of pictures done so far.

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
    missing = [album for album in albums(plan) if not _rows_path(work, album).exists()]
    done = len(plan.photos) - sum(len(album.photos) for album in missing)
    yield done
    warm_up()
    for album, taken in zip(missing, spread(photograph, missing, workers), strict=True):
        _keep(album, taken, out)
        done += len(taken)
        yield done
    for name, jpeg in zip(_portrait_names(plan), spread(_portray, _sitters(plan), workers), strict=True):
        write_bytes(make_folder(out / "portraits") / name, jpeg)
        done += 1
        yield done
    _finish(plan, out)


def _rows_path(work: Path, album: Album) -> Path:
    return work / f"{album.row:05d}.parquet"


def _keep(album: Album, taken: list[tuple[bytes, dict]], out: Path) -> None:
    """Write one person's pictures, then what is true of them: the sign that all are there."""
    make_folder(out / "families" / album.family / album.name)
    for jpeg, row in taken:
        write_bytes(out / "families" / row["file"], jpeg)
    rows = pa.Table.from_pylist([row for _, row in taken], TRUTH)
    write_whole(_rows_path(out / WORK, album), lambda file: pq.write_table(rows, file))


def _portrait_names(plan: FamilyPlan) -> list[str]:
    roles = ("father", "mother")
    return [f"couple_{number // 2 + 1}_{roles[number % 2]}.jpg" for number in range(len(plan.portraits))]


def _sitters(plan: FamilyPlan) -> list[tuple[Person, int]]:
    looks = phenotypes(plan.portraits)
    return [(looks.person(number), number) for number in range(len(looks))]


def _portray(sitter: tuple[Person, int]) -> bytes:
    return as_jpeg(sample_portrait(*sitter, PORTRAIT_SIZE).image, PORTRAIT_QUALITY)


def _finish(plan: FamilyPlan, out: Path) -> None:
    """Write the tables and the list of people when all pictures are there, and the note at last."""
    families, people = out / "families", plan.pedigree.people
    genomes = dict(zip(people["name"], pack_genomes(plan.pedigree.genomes), strict=True))
    truth = pa.concat_tables([pq.read_table(_rows_path(out / WORK, album)) for album in albums(plan)])
    own = pa.array([genomes[name] for name in truth["name"].to_pylist()], pa.binary())
    _write_table(truth.append_column("genome", own), out / "truth.parquet")  # Parquet keeps each genome once
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
    """Everybody's traits with four decimals, more than anybody needs; the head model's coefficients in one column."""
    table = looks.to_frame().drop(columns=[f"shape_{number:02d}" for number in range(NUM_SHAPE)])
    numbers = table.select_dtypes("floating").columns
    table = table.astype(dict.fromkeys(numbers, np.float32)).round(dict.fromkeys(numbers, 4))
    return table.assign(shape=list(looks.shape.round(4)))
