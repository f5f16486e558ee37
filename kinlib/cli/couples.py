"""`kinlib couples`: children of a whole table of couples."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from kinlib.cli.bar import show_progress
from kinlib.cli.children import Options, check_sheet, settings_of
from kinlib.cli.machine import check_device
from kinlib.runtime.cluster import check_engine
from kinlib.runtime.worker_pool import check_workers

__all__ = ["CouplesCommand"]


@dataclass(kw_only=True)
class Table:
    """What `kinlib couples` reads and writes; a base of its own, so that the help begins with it."""

    table: Positional[Path]
    """CSV file with the columns father and mother (photographs, relative to the table), and perhaps couple (name); or a
    data set of families that `kinlib prepare` has prepared"""
    out: Path
    """folder to write: children.parquet, one row a child, and a folder of pictures for each couple"""


@dataclass(kw_only=True)
class CouplesCommand(Options, Table):
    """Generate children of a whole table of couples; resumes where it was stopped."""

    n: int = 1
    """children of each couple, up to 1000"""
    seed: int = 0
    """seed of the first couple's first child; couples are 1000 apart"""
    sheets: bool = False
    """also write parents, reconstructions and up to 48 children of each couple into one labelled picture"""
    refine: int = 0
    """steps of fitting each parent's code to the photograph; 100 helps on real photographs"""
    engine: str = "local"
    """local (the cores or the card of this machine) or ray (a cluster)"""
    workers: int | None = None
    """number of processes; all cores by default, a few on a graphics card"""

    def run(self) -> None:
        check_workers(self.workers)
        check_engine(self.engine)
        check_device(self.device)
        if self.sheets:
            check_sheet(self.n)
        settings = settings_of(self, self.refine)
        from kinlib.couples import couples_of_prepared, describe_failed, generate_all, read_couples

        couples = couples_of_prepared(self.table) if self.table.is_dir() else read_couples(self.table)
        progress = generate_all(couples, self.out, settings, self.sheets, self.engine, self.workers, self.device)
        show_progress(progress, len(couples), "generating", "couple")
        failed, notes = describe_failed(self.out)
        which = f"{len(couples) - failed:,} of {len(couples):,}" if failed else f"{len(couples):,}"
        print(f"wrote {self.out}: children of {which} couples")
        for note in notes:
            print(f"note: {note}")
