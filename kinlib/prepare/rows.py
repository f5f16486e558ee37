"""Rows that earlier calls wrote: which of them still hold, and how they are put together.

A row holds while the file has the same content, stands for the same person of the same family, and its aligned face is
where it belongs. Rows of pictures that failed for reasons of the machine never do, so that they are tried again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from kinlib.io.resume import WORK
from kinlib.prepare.listing import ListedPhoto, Listing
from kinlib.prepare.table import SCHEMA, TABLE, stamp_of

__all__ = ["PART", "Row", "holding_rows", "join", "rows_in", "rows_of"]

PART = "part-*.parquet"  # in the folder for unfinished work
ROWS_AT_ONCE = 1024  # read and written together; a row with its code takes about 15 kB
KNOWN = ("image", "person", "family", "status", "aligned", "stamp")


@dataclass(frozen=True)
class Row:
    """Where a row stands, and what decides whether it holds.

    Attributes:
        path: the Parquet file.
        group: number of the row group in it.
        number: of the row in the group.
        image, person, family, status, aligned, stamp: as in the table.
    """

    path: Path
    group: int
    number: int
    image: str
    person: str | None
    family: str | None
    status: str
    aligned: str | None
    stamp: str | None


def rows_of(path: Path) -> Iterator[Row]:
    """All rows of a file; none if it is damaged or not there."""
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=list(KNOWN)).to_pylist()
                yield from (Row(path, group, number, **row) for number, row in enumerate(rows))
    except (OSError, pa.ArrowException):
        return


def rows_in(out: Path) -> Iterator[Row]:
    """All rows of a prepared folder: of its table, then of unfinished work."""
    for path in (out / TABLE, *sorted((out / WORK).glob(PART))):
        yield from rows_of(path)


def holding_rows(rows: Iterable[Row], listing: Listing, out: Path) -> dict[str, Row]:
    """The rows that hold, by image; of several, the last."""
    photos = {photo.image: photo for photo in listing.photos}
    known = [row for row in rows if row.image in photos and row.status != "failed"]
    images = {row.image for row in known}
    with ThreadPoolExecutor() as pool:  # waits for files, and hashing lets other threads run
        stamps = dict(zip(images, pool.map(lambda image: stamp_of(listing.root / image), images), strict=True))
    return {row.image: row for row in known if _holds(row, photos[row.image], stamps[row.image], out)}


def _holds(row: Row, photo: ListedPhoto, stamp: str | None, out: Path) -> bool:
    if (row.stamp, row.person, row.family) != (stamp, photo.person, photo.family):
        return False
    return row.status != "ok" or (row.aligned == photo.aligned and (out / row.aligned).is_file())


def join(rows: list[Row], file: BinaryIO) -> None:
    """Write rows in the order given, a few at a time, so that memory does not grow with their number."""

    @lru_cache(maxsize=4)  # of the old table, whose groups serve one chunk after the other
    def load(path: Path, group: int) -> pa.Table:
        with pq.ParquetFile(path) as source:
            return source.read_row_group(group)

    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            writer.write_table(_gather(rows[first : first + ROWS_AT_ONCE], load))


def _gather(rows: list[Row], load) -> pa.Table:
    """The contents of rows, in their order, each source read once."""
    sources: dict[tuple[Path, int], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        sources[row.path, row.group].append(place)
    parts = [load(*source).take([rows[place].number for place in places]) for source, places in sources.items()]
    found = [place for places in sources.values() for place in places]  # which place each gathered row belongs to
    order = sorted(range(len(found)), key=found.__getitem__)
    return pa.concat_tables(part.cast(SCHEMA) for part in parts).take(order).combine_chunks()
