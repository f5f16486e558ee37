"""Generate the children of many couples, one couple after the other, resumable: `kinlib couples`.

    children.parquet     one row a child, and one for a couple that has none
    NAME/child_00.png    the children of a couple, and sheet.jpg if it was asked for
    children.json        of which couples and how: the sign that it is complete
    .work/               couples that are done, while it is not

| column | |
|---|---|
| couple, father, mother | as the list has them |
| child | number, from 0; missing, as all up to `notes`, where there are no children |
| seed | with it `kinlib child` generates the same picture |
| method | method of inheritance, or "weights" |
| file | the picture, path relative to the folder |
| notes | what to know of the photographs and the children |
| error | why there are no children; missing where there are |
| stamp | of the content of both photographs |

A couple's pictures are written first, then its rows, which are the sign that it is done. A later call on the same
folder generates what is missing, children of replaced photographs, and those of couples that had an error. The list may
have grown at its end.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.couples.couples import Couple, fingerprint, named
from kinlib.couples.generate import SHEET, CoupleJob, MadeCouple, child_files, generate_couple, seed_of, stamp
from kinlib.io.files import make_folder, parse_json, sweep, write_bytes, write_json, write_whole
from kinlib.io.locks import only_one
from kinlib.io.resume import BEGUN, WORK, check_folder, read_note
from kinlib.io.tables import read_table
from kinlib.kinship.options import check_options
from kinlib.kinship.settings import ChildSettings
from kinlib.runtime import config
from kinlib.runtime.cluster import check_engine, spread_by
from kinlib.runtime.errors import KinlibError

__all__ = ["NOTE", "TABLE", "describe_failed", "generate_all"]

NOTE, TABLE = "children.json", "children.parquet"
FORMAT = 1  # of the folder
LIST = ("couples", "fingerprint")  # entries of the note that may change from call to call
NAMED = 5  # of the couples without children
ROWS_AT_ONCE = 4096  # written together
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("couple", "father", "mother")),
        ("child", pa.int32()),
        ("seed", pa.int64()),
        *((name, pa.string()) for name in ("method", "file")),
        ("notes", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("error", "stamp")),
    ]
)

Rows = list[dict[str, Any]]  # of one couple


def generate_all(
    couples: Sequence[Couple],
    out: str | os.PathLike,
    settings: ChildSettings | None = None,
    sheets: bool = False,
    engine: str = "local",
    workers: int | None = None,
    device: str | None = None,
) -> Iterator[int]:
    """Generate what is missing in the folder `out`; yields the number of couples done so far, those found included.

    Args:
        couples: from `read_couples` or `couples_of_prepared`.
        out: folder to write.
        settings: how; None takes the defaults. Child i of couple k has the seed `seed + 1000 * k + i`.
        sheets: whether each couple gets a labelled picture of parents and children as well.
        engine: "local" or "ray"; both give the same bytes.
        workers: number of processes; all cores by default, a few on a graphics card.
        device: "cpu" or "cuda"; None picks the best there is. Between devices, pictures differ in their last bits.

    Raises:
        KinlibError: if a setting is unusable, a couple lacks a parent whom the method needs, or `out` cannot be written
            to, was made of other couples or in another way, or another process is at work in it. Nothing is written
            then.
    """
    settings, out = settings or ChildSettings(), Path(out)
    check_engine(engine)
    device = str(config.pick_device(device))
    _check(couples, settings, device)
    note = _note(couples, settings, sheets)
    _check_ours(out, couples, note)
    files = [*child_files(settings.n), *([SHEET] if sheets else [])]
    with only_one(make_folder(out)):
        done = _done(out, couples, files)
        yield len(done)
        if len(done) == len(couples) and read_note(out / NOTE) == note:
            shutil.rmtree(out / WORK, ignore_errors=True)  # there if it was stopped at the very end
            return
        write_json(make_folder(out / WORK) / BEGUN, note)
        (out / NOTE).unlink(missing_ok=True)
        jobs = (
            CoupleJob(number, couple, settings, sheets, device)
            for number, couple in enumerate(couples)
            if couple.name not in done
        )
        for count, made in enumerate(spread_by(engine, generate_couple, jobs, workers, device), len(done) + 1):
            _keep(made, out, files)
            yield count
        _finish(out, couples, note)


def describe_failed(out: str | os.PathLike) -> tuple[int, list[str]]:
    """How many couples have no children, and a sentence for each of the first; one more counts them if there are many.

    Raises:
        KinlibError: if the folder's table is damaged.
    """
    table = read_table(Path(out) / TABLE, ["couple", "error"])
    failed = table[table["error"].notna()]
    told = [f"no children of '{row.couple}': {row.error}" for row in failed.head(NAMED).itertuples()]
    if len(failed) > NAMED:
        told.append(f"{len(failed):,} couples have no children; {TABLE} has the reasons")
    return len(failed), told


def _check(couples: Sequence[Couple], settings: ChildSettings, device: str) -> None:
    named(couples, "the list")
    settings.check(device)
    check_options(settings.n, seed_of(settings, len(couples)), None, None, 1.0)
    for couple in couples:
        try:
            settings.check_parents(couple.father, couple.mother)
        except KinlibError as error:
            raise KinlibError(f"the couple '{couple.name}' is not complete: {error}") from error


def _note(couples: Sequence[Couple], settings: ChildSettings, sheets: bool) -> dict:
    """What decides on the contents of the folder, as JSON gives it back."""
    of = {"format": FORMAT, "couples": len(couples), "fingerprint": fingerprint(couples), "sheets": sheets}
    return json.loads(json.dumps(of | settings.record(), default=str))


def _check_ours(out: Path, couples: Sequence[Couple], wanted: dict) -> None:
    """Refuse a folder that was made of something else, or by something else, and links that lead out of it."""
    check_folder(out)
    for path in (out / WORK, *(out / couple.name for couple in couples)):
        if path.is_symlink():
            raise KinlibError(f"'{path}' is a link, and nothing is written outside --out: remove it")
    note = read_note(out / NOTE) or read_note(out / WORK / BEGUN)
    known = 0
    if note is not None:
        _check_same(out, note, couples, wanted)
        known = note["couples"]
    names = [*([] if note else [TABLE]), *(couple.name for couple in couples[known:])]
    strange = next((name for name in names if (out / name).exists()), None)
    if strange is not None:
        raise KinlibError(f"'{out / strange}' was not made here: choose another --out")


def _check_same(out: Path, note: dict, couples: Sequence[Couple], wanted: dict) -> None:
    choice = "choose another --out, or delete it"
    count = note.get("couples")
    if type(count) is not int or count > len(couples) or fingerprint(couples[:count]) != note.get("fingerprint"):
        raise KinlibError(f"'{out}' was made of another table of couples: {choice}")
    differing = [name for name in wanted if name not in LIST and note.get(name) != wanted[name]]
    if not differing:
        return
    if differing[0] in ("networks", "weights"):
        raise KinlibError(f"'{out}' was made with other weights than those that are here now: {choice}")
    words = differing[0].replace("_", " ")
    raise KinlibError(f"'{out}' was made with {words} {note.get(differing[0])}, not {wanted[differing[0]]}: {choice}")


def _done(out: Path, couples: Sequence[Couple], files: Sequence[str]) -> set[str]:
    """The couples that need no work: with children, whose photographs and pictures are as they were.

    A couple without children is tried again: somebody may have mended what was wrong with it.
    """
    known = {couple.name: couple for couple in couples}
    work = (path for number in range(len(couples)) if (path := _work_path(out, number)).is_file())
    found = chain(_couples_in(out / TABLE), ((rows[0].get("couple"), rows) for path in work if (rows := _read(path))))
    holds = {
        name: all(row.get("error") is None for row in rows)
        and all((out / name / file).is_file() for file in files)
        and rows[0].get("stamp") == stamp(known[name])
        for name, rows in found
        if name in known
    }  # of unfinished work, where a couple stands in the table as well
    return {name for name, whole in holds.items() if whole}


def _couples_in(table: Path) -> Iterator[tuple[str, Rows]]:
    """The rows of each couple of a table, in its order; none after damage, or if there is no table."""
    with contextlib.suppress(OSError, pa.ArrowException), pq.ParquetFile(table) as file:
        rows = (row for batch in file.iter_batches(ROWS_AT_ONCE) for row in batch.to_pylist())
        for name, own in groupby(rows, key=lambda row: row.get("couple")):
            yield name, list(own)


def _work_path(out: Path, number: int) -> Path:
    """The rows of a couple that is done, while others are not."""
    return out / WORK / f"couple-{number:08d}.json"


def _read(path: Path) -> Rows:
    """Rows of unfinished work; none if they are damaged."""
    with contextlib.suppress(OSError, ValueError):
        rows = parse_json(path.read_bytes())
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
    return []


def _keep(made: MadeCouple, out: Path, files: Sequence[str]) -> None:
    """Write a couple's pictures, then its rows."""
    folder = out / made.couple
    if folder.is_symlink():  # since it was checked
        raise KinlibError(f"'{folder}' is a link, and nothing is written outside --out: remove it")
    for name in set(files) - set(made.pictures):
        (folder / name).unlink(missing_ok=True)  # of an earlier call, with other photographs
    for name, content in made.pictures.items():
        write_bytes(make_folder(folder) / name, content)
    write_json(_work_path(out, made.number), made.rows)


def _finish(out: Path, couples: Sequence[Couple], note: dict) -> None:
    """Put the rows together, and write the note when all is there."""
    write_whole(out / TABLE, lambda file: _join(_rows_in_order(out, couples), file))
    sweep([*out.glob(".*.part"), *(path for couple in couples for path in (out / couple.name).glob(".*.part"))])
    write_json(out / NOTE, note)
    shutil.rmtree(out / WORK)


def _rows_in_order(out: Path, couples: Sequence[Couple]) -> Iterator[dict]:
    """The rows of all couples: of this work, or of the table from before, whose couples stand in the same order."""
    earlier = _couples_in(out / TABLE)
    known, rows = next(earlier, (None, []))
    for number, couple in enumerate(couples):
        yield from _read(_work_path(out, number)) or (rows if known == couple.name else [])
        if known == couple.name:
            known, rows = next(earlier, (None, []))


def _join(rows: Iterator[dict], file: BinaryIO) -> None:
    """Write the table a few rows at a time, so that memory does not grow with their number."""
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, SCHEMA))
