"""Prepare a whole folder, in parts that survive a stop: `kinlib prepare`.

    prepared.parquet     one row a picture, see `kinlib.prepare.table`
    aligned/...          the aligned faces, in the folders of their pictures
    prepare.json         what it was made from and how: the sign that it is complete
    .work/               parts that are done, while it is not

A part's pictures are written first, then its rows, which are the sign that it is done. When all are, their rows are put
together. Whatever interrupts this, a later call resumes with what is missing.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.io.files import make_folder, write_bytes, write_json, write_whole
from kinlib.io.resume import BEGUN, WORK, check_folder, read_note
from kinlib.prepare.engines import ENGINES
from kinlib.prepare.listing import Listing
from kinlib.prepare.parts import Part, PreparedPart, split
from kinlib.prepare.settings import PrepareSettings
from kinlib.prepare.table import SCHEMA, STATUSES, TABLE
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["ENGINES", "NOTE", "count_statuses", "prepare"]

NOTE = "prepare.json"
FORMAT = 2  # of the folder; 2 since crops are placed by both sets of points
ROWS_AT_ONCE = 1024  # when parts are put together


def prepare(
    listing: Listing,
    out: str | os.PathLike,
    settings: PrepareSettings | None = None,
    engine: str = "local",
    workers: int | None = None,
    device: str | None = None,
) -> Iterator[int]:
    """Prepare what is missing in the folder `out`; yields the number of pictures done so far, those found included.

    Args:
        listing: the pictures, from `list_photos`.
        out: folder to write.
        settings: how; None takes the defaults.
        engine: "local" or "ray"; both give the same, except for the seconds in the table.
        workers: number of processes; all cores by default, a few on a graphics card.
        device: "cpu" or "cuda"; None picks the best there is. Between devices, codes differ in their last bits.

    Raises:
        KinlibError: if a setting is unknown, a network is missing, or `out` cannot be written to or was made from
            other pictures or with other settings. Nothing is written then.
    """
    settings, out = settings or PrepareSettings(), Path(out)
    settings.check()
    if engine not in ENGINES:
        raise KinlibError(f"unknown engine '{engine}': choose one of {', '.join(ENGINES)}")
    _check_place(listing, out)
    note = _note(listing, settings)
    if _is_complete(out, note):
        shutil.rmtree(out / WORK, ignore_errors=True)  # there if it was stopped at the very end
        yield len(listing)
        return
    parts = list(split(listing, settings, _checked_device(device, settings)))
    _open_work(out, note)
    missing = [part for part in parts if not _is_whole(out, part)]
    done = len(listing) - sum(len(part.photos) for part in missing)
    yield done
    for prepared in ENGINES[engine](missing, workers):
        _keep(prepared, out)
        done += len(parts[prepared.number].photos)
        yield done
    _finish(out, parts, note)


def count_statuses(out: str | os.PathLike) -> dict[str, int]:
    """How many pictures of a prepared folder ended how, in the order of `STATUSES`."""
    found = Counter(pq.read_table(Path(out) / TABLE, columns=["status"])["status"].to_pylist())
    return {status: found[status] for status in STATUSES if found[status]}


def _checked_device(device: str | None, settings: PrepareSettings) -> str:
    """Where to compute; refused here if it cannot compute as asked, before anything is written."""
    from kinlib.runtime.memory import pick_dtype

    chosen = config.pick_device(device)
    pick_dtype(settings.dtype, chosen)
    return str(chosen)


def _check_place(listing: Listing, out: Path) -> None:
    """Refuse what is no folder, and one that would be taken for pictures to prepare the next time."""
    check_folder(out)
    if out.resolve().is_relative_to(listing.root):
        raise KinlibError(f"'{out}' lies in the folder to prepare: choose an --out beside it")


def _note(listing: Listing, settings: PrepareSettings) -> dict:
    """What decides on the contents of a prepared folder."""
    pictures = {"root": str(listing.root), "kind": listing.kind, "pictures": len(listing)}
    return {"format": FORMAT, **pictures, "fingerprint": listing.fingerprint, **settings.record()}


def _is_complete(out: Path, wanted: dict) -> bool:
    note = read_note(out / NOTE)
    if note is None:
        return False
    _check_same(out, note, wanted)
    return (out / TABLE).is_file()


def _open_work(out: Path, wanted: dict) -> None:
    """Make the folder for unfinished work, or see that it is ours."""
    note = read_note(out / WORK / BEGUN)
    if note is not None:
        _check_same(out, note, wanted)
        return
    strange = next((name for name in (TABLE, "aligned") if (out / name).exists()), None)
    if strange and read_note(out / NOTE) is None:
        raise KinlibError(f"'{out / strange}' was not made here: choose another --out")
    write_json(make_folder(out / WORK) / BEGUN, wanted)


def _check_same(out: Path, note: dict, wanted: dict) -> None:
    """Refuse a folder that holds something else, and say what."""
    differing = next((name for name in wanted if note.get(name) != wanted[name]), None)
    if differing is None:
        return
    choice = "choose another --out, or delete it"
    if differing in ("root", "kind"):
        raise KinlibError(f"'{out}' was made from another folder, '{note.get('root')}' ({note.get('kind')}): {choice}")
    if differing in ("pictures", "fingerprint"):
        raise KinlibError(f"the pictures in '{wanted['root']}' have changed since '{out}' was begun: {choice}")
    if differing == "networks":
        raise KinlibError(f"'{out}' was made with other weights than those that are here now: {choice}")
    raise KinlibError(f"'{out}' was made with {differing} {note.get(differing)}, not {wanted[differing]}: {choice}")


def _path(out: Path, number: int) -> Path:
    return out / WORK / f"part-{number:06d}.parquet"


def _is_whole(out: Path, part: Part) -> bool:
    try:
        return pq.read_metadata(_path(out, part.number)).num_rows == len(part.photos)
    except (OSError, pa.ArrowException):
        return False


def _keep(prepared: PreparedPart, out: Path) -> None:
    """Write a part's pictures, then its rows."""
    for name, content in prepared.pictures.items():
        make_folder((out / name).parent)
        write_bytes(out / name, content)
    write_bytes(_path(out, prepared.number), prepared.table)


def _finish(out: Path, parts: list[Part], note: dict) -> None:
    """Put the rows together, and write the note when all is there."""
    write_whole(out / TABLE, lambda file: _join([_path(out, part.number) for part in parts], file))
    _sweep(out)
    write_json(out / NOTE, note)
    shutil.rmtree(out / WORK)


def _join(paths: list[Path], file) -> None:
    """Parts one after the other, a few at a time, so that memory does not grow with their number."""
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        for path in paths:
            waiting.append(pq.read_table(path, schema=SCHEMA))
            if sum(map(len, waiting)) >= ROWS_AT_ONCE:
                writer.write_table(pa.concat_tables(waiting).combine_chunks())
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())


def _sweep(out: Path) -> None:
    """Remove half-written files that a kill left behind; see `kinlib.io.files`."""
    for path in [*out.glob(".*.part"), *(out / "aligned").rglob(".*.part")]:
        if re.fullmatch(r"\.[0-9a-f]{16}\.part", path.name):
            path.unlink(missing_ok=True)
