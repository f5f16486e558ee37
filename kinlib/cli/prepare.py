"""`kinlib prepare`: a whole folder of photographs, from files to aligned faces and codes."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from kinlib.cli.bar import show_progress
from kinlib.cli.machine import check_device
from kinlib.runtime.worker_pool import check_workers

__all__ = ["PrepareCommand"]


@dataclass(kw_only=True)
class PrepareCommand:
    """Find, align and encode the faces of a whole folder; resumes where it was stopped."""

    root: Positional[Path]
    """a data set of families, or any folder of photographs"""
    out: Path
    """folder to write: prepared.parquet, one row a photograph, and the aligned faces"""
    kind: str | None = None
    """family101, tskinface, kinfacew, fiw, ff_database or folder; found out by default"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights)"""
    upscale: str = "none"
    """none, bicubic or network: how small faces are enlarged before they are aligned"""
    dtype: str = "float32"
    """float32, float16 or bfloat16: what the networks compute in"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""
    engine: str = "local"
    """local (the cores or the card of this machine) or ray (a cluster)"""
    workers: int | None = None
    """number of processes; all cores by default, a few on a graphics card"""

    def run(self) -> None:
        check_workers(self.workers)
        from kinlib.prepare.listing import describe_passed_over, list_photos
        from kinlib.prepare.run import count_statuses, describe_failed, prepare
        from kinlib.prepare.settings import PrepareSettings

        settings = PrepareSettings(self.preset, self.upscale, self.dtype)
        settings.check()
        check_device(self.device)
        listing = list_photos(self.root, self.kind)
        progress = prepare(listing, self.out, settings, self.engine, self.workers, self.device)
        show_progress(progress, len(listing), "preparing")
        counts = ", ".join(f"{count:,} {status}" for status, count in count_statuses(self.out).items())
        print(f"wrote {self.out}: {len(listing):,} pictures, {counts}")
        for note in (describe_failed(self.out), describe_passed_over(listing)):
            if note:
                print(f"note: {note}")
