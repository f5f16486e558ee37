"""What a large set takes: the arithmetic for a million photographs, from the seconds that a small one took.

    measured = measure("prepared", memory=1.1e9)               a folder that `kinlib prepare` wrote on your machine
    plan = estimate(measured, photos=1_000_000, workers=64, price=0.05)
    plan.hours, plan.memory, plan.storage, plan.cost

Parts are independent of each other, so work divides by the number of workers as long as the pictures' disk and the
machine that writes the results keep up; what those have to move is part of the estimate.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kinlib.prepare.table import STAGES, TABLE, read_prepared
from kinlib.runtime.errors import KinlibError

__all__ = ["Estimate", "Measured", "estimate", "measure", "rented_cost"]

HOUR = 3600.0  # s


@dataclass(frozen=True)
class Measured:
    """What one photograph took, the mean over a set.

    Attributes:
        seconds: of one worker, by stage.
        row: bytes of its row in the table, code and embedding included.
        face: bytes of the aligned face.
        memory: bytes of a worker.
        photos: how many were measured.
    """

    seconds: Mapping[str, float]
    row: float
    face: float
    memory: float
    photos: int

    @property
    def rate(self) -> float:
        """Photographs a second that one worker prepares."""
        return 1 / sum(self.seconds.values())


@dataclass(frozen=True)
class Estimate:
    """What a set takes.

    Attributes:
        rate: photographs a second, all workers together.
        hours: by the clock.
        worker_hours: of all workers together.
        memory: bytes that all workers need at once.
        storage: bytes of the prepared folder.
        written: bytes a second that arrive where the folder is written.
        cost: in the currency of the price; None without one.
    """

    rate: float
    hours: float
    worker_hours: float
    memory: float
    storage: float
    written: float
    cost: float | None


def measure(folder: str | os.PathLike, memory: float) -> Measured:
    """What the photographs of a prepared folder took; those without a face count too.

    Args:
        folder: that `kinlib prepare` wrote.
        memory: bytes that one of its workers took.

    Raises:
        KinlibError: if it holds no table, or no photographs.
    """
    table = read_prepared(folder, ["aligned", *(f"seconds_{stage}" for stage in STAGES)])
    if not len(table):
        raise KinlibError(f"'{folder}' holds no photographs: prepare some hundred to measure")
    seconds = {stage: float(table[f"seconds_{stage}"].sum()) / len(table) for stage in STAGES}
    faces = sum((Path(folder) / name).stat().st_size for name in table["aligned"].dropna())
    row = (Path(folder) / TABLE).stat().st_size / len(table)
    return Measured(seconds, row, faces / len(table), memory, len(table))


def estimate(measured: Measured, photos: int, workers: int, price: float | None = None) -> Estimate:
    """What `photos` photographs take on `workers` workers like the measured one.

    Args:
        measured: from `measure`.
        photos: how many.
        workers: processes that work at once, each on a core, or on its share of a graphics card.
        price: of one worker for an hour, in any currency: an assumption of the caller's.

    Raises:
        KinlibError: if a number is not positive.
    """
    if photos < 1 or workers < 1 or (price is not None and not price >= 0):
        raise KinlibError("photos and workers must be 1 or more, and a price 0 or more")
    rate = workers * measured.rate
    worker_hours = photos / measured.rate / HOUR
    each = measured.row + measured.face
    cost = None if price is None else worker_hours * price
    return Estimate(
        rate, photos / rate / HOUR, worker_hours, workers * measured.memory, photos * each, rate * each, cost
    )


def rented_cost(photos: int, rate: float, price: float) -> float:
    """What `photos` photographs cost on a rented machine that prepares `rate` a second and costs `price` an hour."""
    return photos / rate / HOUR * price
