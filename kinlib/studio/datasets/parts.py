"""Sets of renders as numbered Parquet files, each written whole, with a note of the settings: what batches share.

The settings are a frozen dataclass. One of its fields counts what the set is made of; a set may grow in it, and in
nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.io.files import make_folder, sweep, write_json, write_whole
from kinlib.io.locks import only_one
from kinlib.io.resume import check_folder, read_note
from kinlib.runtime.cluster import check_engine, spread_by
from kinlib.runtime.errors import KinlibError
from kinlib.studio.head.model import load_head
from kinlib.studio.render import VERSION, warm_up

__all__ = ["check_same_set", "is_whole", "part_path", "render_parts", "split_evenly", "write_note", "write_parts"]


def split_evenly(count: int, step: int) -> list[range]:
    """The numbers of each part: `step` each, the last one may be short."""
    return [range(first, min(first + step, count)) for first in range(0, count, step)]


def part_path(out: Path, number: int) -> Path:
    """The file of a part."""
    return out / f"part-{number:05d}.parquet"


def render_parts(
    settings: Any,
    out: Path,
    rows_each: int,
    render: Callable[[tuple], list[dict]],
    workers: int | None,
    note: tuple[str, str, str],
    engine: str = "local",
) -> Iterator[int]:
    """Render the missing parts of a set; yields the number of rows so far, existing ones included.

    Args:
        settings: the dataclass, checked; its `parts` are the numbers of the units, people or couples, of each part.
        out: the folder.
        rows_each: rows of a unit.
        render: (settings, number) -> the rows of one unit; it runs in worker processes.
        workers: number of processes; None takes all cores.
        note: file name of the note, the field in which the set may grow, and the set in words.
        engine: "local" or "ray"; both give the same.

    Raises:
        KinlibError: if the engine is unknown, the head model is missing, or `out` cannot be written to or holds another
            set. Nothing is written then.
    """
    check_engine(engine)
    check_same_set(settings, out, *note)
    parts = {part_path(out, number): part for number, part in enumerate(settings.parts)}
    missing = {path: part for path, part in parts.items() if not is_whole(path, len(part) * rows_each)}
    units = [number for part in missing.values() for number in part]
    if units:
        load_head()
    write_note(settings, out, note[0])
    with only_one(out):
        done = (sum(map(len, parts.values())) - len(units)) * rows_each
        yield done
        if units:
            warm_up()  # compiles before worker processes start, instead of once in each
        rendered = spread_by(engine, render, [(settings, number) for number in units], workers)
        for count in write_parts(missing, rendered):
            done += count
            yield done
        sweep(out.glob(".*.part"))


def check_same_set(settings: Any, out: Path, note_name: str, count: str, what: str) -> None:
    """Refuse a folder that holds other files or other settings.

    Args:
        settings: the dataclass.
        out: the folder; it need not exist.
        note_name: file name of the note.
        count: the field in which a set may grow.
        what: the set in words, for messages: "renders".

    Raises:
        KinlibError: if the folder holds something else, or more than is asked for.
    """
    check_folder(out)
    note = read_note(out / note_name)
    if note is None:
        if any(out.glob("*.parquet")):
            raise KinlibError(f"'{out}' holds Parquet files, but no {note_name}: choose another folder")
        return
    try:
        known = type(settings)(**{name: note[name] for name in asdict(settings)})
    except KeyError as error:
        raise KinlibError(
            f"'{out / note_name}' lacks {error}: delete it with its folder, or choose another one"
        ) from error
    there = getattr(known, count)
    if not isinstance(there, int):
        raise KinlibError(f"'{out / note_name}' is damaged: delete it with its folder, or choose another one")
    if replace(known, **{count: getattr(settings, count)}) != settings or note.get("renderer") != VERSION:
        raise KinlibError(f"'{out}' holds {what} made with other settings: choose another folder, or delete it")
    if there > getattr(settings, count):
        raise KinlibError(f"'{out}' is for {there:,} {count} already: ask for as many or more, or delete it")


def write_note(settings: Any, out: Path, note_name: str) -> None:
    """Write the settings and the renderer's version into the folder, which is made if it is missing."""
    write_json(make_folder(out) / note_name, asdict(settings) | {"renderer": VERSION})


def is_whole(path: Path, rows: int) -> bool:
    """Whether a part holds all its rows; when a set grows, its last part may be short."""
    try:
        return pq.read_metadata(path).num_rows == rows
    except (OSError, pa.ArrowException):
        return False


def write_parts(missing: Mapping[Path, range], rendered: Iterator[list[dict]]) -> Iterator[int]:
    """Write each part whole when all of it has been rendered; yields the number of rows of each unit as it comes.

    Args:
        missing: the parts, each with the numbers of its units: people, or couples.
        rendered: the rows of each unit, in the order of the parts.
    """
    for path, part in missing.items():
        rows: list[dict] = []
        for number, found in zip(part, rendered, strict=False):
            rows += found
            if number == part[-1]:
                _write(path, rows)
            yield len(found)


def _write(path: Path, rows: list[dict]) -> None:
    table = pd.DataFrame(rows)
    write_whole(path, lambda file: table.to_parquet(file, index=False))
