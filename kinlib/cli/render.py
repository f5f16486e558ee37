"""`kinlib render`: rendered people, families on disk, couples to learn from, edits, or the reference for scoring."""

from dataclasses import dataclass
from pathlib import Path

from kinlib.cli.bar import show_progress
from kinlib.runtime import config
from kinlib.runtime.cluster import check_engine
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import check_workers

__all__ = ["RenderCommand"]

# Options by the kind of set that takes them; the others have sizes of their own.
TAKEN_BY = {
    **{"people": ("people", "edits"), "images_each": ("people",), "crop": ("people",)},
    **{"size": ("people", "kin", "edits"), "couples": ("kin",), "children": ("kin",), "albums": ("kin",)},
    **{"pairs": ("edits",), "frames": ("edits",), "engine": ("people", "kin", "edits")},
}
# As messages call those that take options.
KINDS = {"people": "unrelated people", "kin": "--kin", "edits": "--edits"}


@dataclass(kw_only=True)
class RenderCommand:
    """Render people whose genes are known: unrelated ones, families, couples, edits, or the reference."""

    people: int = 100
    """number of unrelated people, or of people with --edits"""
    images_each: int = 3
    """pictures of each person"""
    size: int = 128
    """side of a picture in pixels"""
    crop: str = "ffhq"
    """ffhq (aligned as generators want it) or photo (loosely framed)"""
    seed: int = 0
    """seed of everything"""
    out: Path | None = None
    """folder to write; data/studio or data/studio/heredity by default for --families and --reference"""
    workers: int | None = None
    """number of processes; all cores by default"""
    engine: str = "local"
    """local (the cores of this machine) or ray (a cluster)"""
    families: bool = False
    """render the family data set in Family101's format instead, with portraits and what notebooks show"""
    reference: bool = False
    """render the couples and siblings of the heredity reference instead"""
    kin: bool = False
    """render couples with true children instead, from which methods of inheritance learn"""
    couples: int = 1000
    """with --kin, number of couples"""
    children: int = 4
    """with --kin, true children of each couple"""
    albums: int = 2
    """with --kin, freely taken photographs of each parent beside the portrait"""
    edits: bool = False
    """render pairs instead: one attribute of a person changes, and nothing else"""
    pairs: int = 4
    """with --edits, pairs of each person"""
    frames: str = "one"
    """with --edits, new glasses are all of one frame, or of any"""

    def run(self) -> None:
        chosen = [kind for kind in ("families", "reference", "kin", "edits") if getattr(self, kind)]
        if len(chosen) > 1:
            raise KinlibError(f"choose one of --{chosen[0]} and --{chosen[1]}")
        kind = chosen[0] if chosen else "people"
        check_workers(self.workers)
        check_engine(self.engine)
        if not 0 <= self.seed < 2**31:
            raise KinlibError(f"--seed must be from 0 to {2**31 - 1:,}, not {self.seed}")
        self._check_options(kind)
        render = {"families": self._families, "reference": self._reference, "kin": self._kin, "edits": self._edits}
        print(f"wrote {render.get(kind, self._people)()}")

    def _check_options(self, kind: str) -> None:
        """Refuse options of another kind of set."""
        for name, takers in TAKEN_BY.items():
            if kind not in takers and getattr(self, name) != getattr(RenderCommand, name):
                option, whose = f"--{name.replace('_', '-')}", _listed([KINDS[taker] for taker in takers])
                if kind == "people":
                    raise KinlibError(f"{option} is for {whose}")
                raise KinlibError(f"{option} is for {whose}: --{kind} renders a set of its own size")

    def _needed_out(self) -> Path:
        if self.out is None:
            raise KinlibError("missing: --out, the folder to write the pictures into")
        return self.out

    def _people(self) -> Path:
        from kinlib.studio.datasets.batch import RenderSettings, render_people

        out = self._needed_out()
        settings = RenderSettings(self.people, self.images_each, self.size, self.seed, self.crop)
        show_progress(
            render_people(settings, out, self.workers, self.engine), self.people * self.images_each, "rendering"
        )
        return out

    def _kin(self) -> Path:
        from kinlib.studio.datasets.kin import KinSettings, render_kin

        out = self._needed_out()
        settings = KinSettings(self.couples, self.children, self.albums, self.size, self.seed)
        show_progress(render_kin(settings, out, self.workers, self.engine), settings.num_pictures, "rendering couples")
        return out

    def _edits(self) -> Path:
        from kinlib.studio.datasets.edits import EditSettings, render_edit_set

        out = self._needed_out()
        settings = EditSettings(self.people, self.pairs, self.size, self.seed, self.frames)
        show_progress(render_edit_set(settings, out, self.workers, self.engine), settings.num_pairs, "rendering edits")
        return out

    def _families(self) -> Path:
        from kinlib.studio.datasets import descent, family_set, originals
        from kinlib.studio.lesson import series

        out = self.out or config.data_dir() / "studio"
        plan = family_set.plan(self.seed)
        show_progress(family_set.write(plan, out, self.workers), plan.num_pictures, "rendering families")
        show_progress(series.write_series(out / "steps", self.workers), series.num_pictures(), "rendering steps")
        large = originals.write_originals(plan, out / "originals", self.workers)
        show_progress(large, originals.NUM_ORIGINALS, "rendering originals")
        mixed = descent.write_descent(out / "descent", self.workers)
        show_progress(mixed, descent.NUM_CHILDREN, "rendering children of mixed couples")
        return out

    def _reference(self) -> Path:
        from kinlib.training.data import render_reference, render_siblings

        out = self.out or config.data_dir() / "studio" / "heredity"
        plan = render_reference.plan(self.seed)
        show_progress(render_reference.write(plan, out, self.workers), plan.num_pictures, "rendering siblings")
        more = render_siblings.write_siblings(plan, out, self.workers)
        show_progress(more, plan.num_couples * render_siblings.NUM_PICTURED, "rendering pictures of siblings")
        album = render_reference.write_album(plan, out, self.workers)
        show_progress(album, 2 * plan.num_couples, "rendering album shots")
        return out


def _listed(words: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])
