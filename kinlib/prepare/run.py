"""Prepare a whole folder, in parts that survive a stop: `kinlib prepare`.

    prepared.parquet     one row a picture, see `kinlib.prepare.table`
    aligned/...          the aligned faces, in the folders of their pictures
    prepare.json         what it was made from and how: the sign that it is complete
    .work/               parts that are done, while it is not

A part's pictures are written first, then its rows, which are the sign that it is done. When all are, their rows are put
together. Whatever interrupts this, a later call resumes with what is missing.

A later call on a folder that has changed prepares what is new, what was replaced, and what could not be opened before;
the rows of all other pictures stay as they are, and those of removed pictures go.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from kinlib.io.files import make_folder, sweep, write_bytes, write_json, write_whole
from kinlib.io.locks import only_one
from kinlib.io.resume import BEGUN, WORK, check_folder, read_note
from kinlib.prepare.engines import ENGINES
from kinlib.prepare.listing import Listing, quoted
from kinlib.prepare.parts import PreparedPart, split
from kinlib.prepare.rows import PART, Row, holding_rows, join, rows_in, rows_of
from kinlib.prepare.settings import PrepareSettings
from kinlib.prepare.table import STATUSES, TABLE
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["ENGINES", "NOTE", "count_statuses", "describe_failed", "prepare"]

NOTE = "prepare.json"
FORMAT = 3  # of the folder; 3 since rows hold the stamp of their file
FACES = "aligned"  # the folder of the aligned faces
LIST = ("pictures", "fingerprint")  # entries of the note that may change from call to call


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
        KinlibError: if a setting is unknown, a network is missing, or `out` cannot be written to, was made from another
            folder or with other settings, or another process is at work in it. Nothing is written then.
    """
    settings, out = settings or PrepareSettings(), Path(out)
    settings.check()
    if engine not in ENGINES:
        raise KinlibError(f"unknown engine '{engine}': choose one of {', '.join(ENGINES)}")
    _check_place(listing, out)
    note = _note(listing, settings)
    _check_ours(out, note)
    earlier = list(rows_in(out))
    rows = holding_rows(earlier, listing, out)
    missing = {photo.image for photo in listing.photos if photo.image not in rows}
    if not missing and read_note(out / NOTE) == note:
        shutil.rmtree(out / WORK, ignore_errors=True)  # there if it was stopped at the very end
        yield len(listing)
        return
    # Parts of the whole folder, without what is there: after a stop the same pictures are computed together as before.
    parts = list(split(listing, settings, _checked_device(device, settings)))
    parts = [replace(part, photos=tuple(photo for photo in part.photos if photo.image in missing)) for part in parts]
    _open_work(out, note)
    with only_one(out):
        yield len(rows)
        for prepared in ENGINES[engine]([part for part in parts if part.photos], workers):
            rows |= {row.image: row for row in rows_of(_keep(prepared, out))}
            yield len(rows)
        _finish(out, [rows[photo.image] for photo in listing.photos], earlier, note)


def count_statuses(out: str | os.PathLike) -> dict[str, int]:
    """How many pictures of a prepared folder ended how, in the order of `STATUSES`."""
    found = Counter(pq.read_table(Path(out) / TABLE, columns=["status"])["status"].to_pylist())
    return {status: found[status] for status in STATUSES if found[status]}


def describe_failed(out: str | os.PathLike) -> str:
    """One sentence that names the pictures that could not be read, or failed, or "" if there are none.

    A later call tries those again that failed, or could not be opened.
    """
    rows = pq.read_table(Path(out) / TABLE, columns=["image", "status"]).to_pylist()
    failed = [row["image"] for row in rows if row["status"] in ("unreadable", "failed")]
    return f"{len(failed):,} unreadable or failed (reasons in {TABLE}): {quoted(failed)}" if failed else ""


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


def _check_ours(out: Path, wanted: dict) -> None:
    """Refuse a folder that was made from something else, or by something else."""
    for note in (read_note(out / NOTE), read_note(out / WORK / BEGUN)):
        if note is not None:
            # Nothing was done yet: with weights that were damaged, perhaps, and have been mended since.
            if note.get("networks") != wanted["networks"] and not any(rows_in(out)):
                continue
            _check_same(out, note, wanted)
            return
    strange = next((name for name in (TABLE, FACES) if (out / name).exists()), None)
    if strange and not (out / WORK / BEGUN).exists():
        raise KinlibError(f"'{out / strange}' was not made here: choose another --out")


def _open_work(out: Path, wanted: dict) -> None:
    """Say in the folder that it is not complete, and what it is to be."""
    write_json(make_folder(out / WORK) / BEGUN, wanted)
    (out / NOTE).unlink(missing_ok=True)


def _check_same(out: Path, note: dict, wanted: dict) -> None:
    """Refuse a folder that holds something else, and say what."""
    differing = next((name for name in wanted if name not in LIST and note.get(name) != wanted[name]), None)
    if differing is None:
        return
    choice = "choose another --out, or delete it"
    if differing in ("root", "kind"):
        raise KinlibError(f"'{out}' was made from another folder, '{note.get('root')}' ({note.get('kind')}): {choice}")
    if differing == "networks":
        raise KinlibError(f"'{out}' was made with other weights than those that are here now: {choice}")
    raise KinlibError(f"'{out}' was made with {differing} {note.get(differing)}, not {wanted[differing]}: {choice}")


def _keep(prepared: PreparedPart, out: Path) -> Path:
    """Write a part's pictures, then its rows; returns the file of the rows."""
    for name, content in prepared.pictures.items():
        make_folder((out / name).parent)
        write_bytes(out / name, content)
    # By its content as well: another call may have left a part of this number with other pictures in it.
    digest = hashlib.sha256(prepared.table).hexdigest()[:8]
    path = out / WORK / PART.replace("*", f"{prepared.number:06d}-{digest}")
    write_bytes(path, prepared.table)
    return path


def _finish(out: Path, rows: list[Row], earlier: list[Row], note: dict) -> None:
    """Put the rows together, and write the note when all is there."""
    write_whole(out / TABLE, lambda file: join(rows, file))
    faces = [{row.aligned for row in some if row.aligned} for some in (earlier, rows)]  # a row that failed has none
    for gone in faces[0] - faces[1]:
        if _is_face(gone):
            (out / gone).unlink(missing_ok=True)
    sweep([*out.glob(".*.part"), *(out / FACES).rglob(".*.part")])
    write_json(out / NOTE, note)
    shutil.rmtree(out / WORK)


def _is_face(name: str) -> bool:
    """Whether a path of a table, which may come from anybody, lies where aligned faces do; no other file is deleted."""
    parts = PurePosixPath(name).parts
    return parts[:1] == (FACES,) and len(parts) > 1 and ".." not in parts
