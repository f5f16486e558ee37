"""`kinlib render`: pictures of rendered people, the families on disk, or the reference for scoring children."""

from dataclasses import dataclass
from pathlib import Path

from kinlib.cli.bar import show_progress
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import check_workers

__all__ = ["RenderCommand"]

UNRELATED_ONLY = ("people", "images_each", "size", "crop")  # options that the fixed sets leave no room for


@dataclass(kw_only=True)
class RenderCommand:
    """Render people whose genes are known: unrelated people, the families, or the reference for scoring children."""

    people: int = 100
    """number of unrelated people"""
    images_each: int = 3
    """pictures of each person"""
    size: int = 128
    """side of a picture in pixels"""
    crop: str = "ffhq"
    """ffhq (aligned as generators want it) or photo (loosely framed)"""
    seed: int = 0
    """seed of everything"""
    out: Path | None = None
    """folder to write; needed for unrelated people, data/studio or data/studio/heredity by default otherwise"""
    workers: int | None = None
    """number of processes; all cores by default"""
    families: bool = False
    """render the family data set in Family101's format instead, with portraits and what notebooks show"""
    reference: bool = False
    """render the couples and siblings of the heredity reference instead"""

    def run(self) -> None:
        if self.families and self.reference:
            raise KinlibError("choose one of --families and --reference")
        check_workers(self.workers)
        if not 0 <= self.seed < 2**31:
            raise KinlibError(f"--seed must be from 0 to {2**31 - 1:,}, not {self.seed}")
        if self.families or self.reference:
            self._check_fixed()
        render = self._families if self.families else self._reference if self.reference else self._people
        print(f"wrote {render()}")

    def _check_fixed(self) -> None:
        for name in UNRELATED_ONLY:
            if getattr(self, name) != getattr(RenderCommand, name):
                kind = "families" if self.families else "reference"
                raise KinlibError(
                    f"--{name.replace('_', '-')} is for unrelated people: --{kind} renders a set of its own size"
                )

    def _people(self) -> Path:
        from kinlib.studio.datasets.batch import RenderSettings, render_people

        if self.out is None:
            raise KinlibError("missing: --out, the folder to write the pictures into")
        settings = RenderSettings(self.people, self.images_each, self.size, self.seed, self.crop)
        show_progress(render_people(settings, self.out, self.workers), self.people * self.images_each, "rendering")
        return self.out

    def _families(self) -> Path:
        from kinlib.studio.datasets import family_set, originals
        from kinlib.studio.lesson import series

        out = self.out or config.data_dir() / "studio"
        plan = family_set.plan(self.seed)
        show_progress(family_set.write(plan, out, self.workers), plan.num_pictures, "rendering families")
        show_progress(series.write_series(out / "steps", self.workers), series.num_pictures(), "rendering steps")
        large = originals.write_originals(plan, out / "originals", self.workers)
        show_progress(large, originals.NUM_ORIGINALS, "rendering originals")
        return out

    def _reference(self) -> Path:
        from kinlib.training.data import render_reference, render_siblings

        out = self.out or config.data_dir() / "studio" / "heredity"
        plan = render_reference.plan(self.seed)
        show_progress(render_reference.write(plan, out, self.workers), plan.num_pictures, "rendering siblings")
        more = render_siblings.write_siblings(plan, out, self.workers)
        show_progress(more, plan.num_couples * render_siblings.NUM_PICTURED, "rendering pictures of siblings")
        return out
