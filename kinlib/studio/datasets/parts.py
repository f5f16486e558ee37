"""Sets of renders as numbered Parquet files, each written whole, with a note of the settings: what batches share.

The settings are a frozen dataclass. One of its fields counts what the set is made of; a set may grow in it, and in
nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.io.files import make_folder, write_json, write_whole
from kinlib.io.resume import check_folder, read_note
from kinlib.runtime.errors import KinlibError
from kinlib.studio.render import VERSION

__all__ = ["check_same_set", "is_whole", "part_path", "split_evenly", "write_note", "write_parts"]


def split_evenly(count: int, step: int) -> list[range]:
    """The numbers of each part: `step` each, the last one may be short."""
    return [range(first, min(first + step, count)) for first in range(0, count, step)]


def part_path(out: Path, number: int) -> Path:
    """The file of a part."""
    return out / f"part-{number:05d}.parquet"


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
    if replace(known, **{count: getattr(settings, count)}) != settings or note.get("renderer") != VERSION:
        raise KinlibError(f"'{out}' holds {what} made with other settings: choose another folder, or delete it")
    if (there := getattr(known, count)) > getattr(settings, count):
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
