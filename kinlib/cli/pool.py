"""`kinlib pool`: codes of many people, by age, sex and group, for the mutation of facial genes."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from kinlib.cli.bar import show_progress
from kinlib.cli.machine import check_device
from kinlib.cli.targets import check_file
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["PoolCommand"]


@dataclass(kw_only=True)
class PoolCommand:
    """Make a gene pool of a prepared folder, or of random samples of the generator."""

    folder: Positional[Path | None] = None
    """folder that `kinlib prepare` wrote"""
    samples: int | None = None
    """number of random samples, in place of a folder"""
    out: Path = Path("gene_pool.safetensors")
    """file to write"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights), for samples; a folder has its own"""
    seed: int = 0
    """of the samples"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""

    def run(self) -> None:
        if (self.folder is None) == (self.samples is None):
            raise KinlibError("give either a folder that `kinlib prepare` wrote or --samples")
        config.check_preset(self.preset)
        check_device(self.device)
        check_file(self.out, (".safetensors",))
        from kinlib.checkpoints import weights
        from kinlib.inheritance.genes.pool import load_pool
        from kinlib.prepare.pool import pool_of_folder, pool_of_samples
        from kinlib.prepare.table import read_prepared

        if self.folder is not None:
            total = len(read_prepared(self.folder, ["status"]).query("status == 'ok'"))
            progress = pool_of_folder(self.folder, self.out, self.device)
        else:
            generator = weights.path(weights.for_role(self.preset, "generator").name)
            total = self.samples
            progress = pool_of_samples(generator, self.samples, self.out, self.preset, self.seed, self.device)
        show_progress(progress, total, "pool")
        counts = load_pool(self.out).counts()
        print(f"wrote {self.out}: {sum(counts.values()):,} people in {len(counts)} groups of age, sex and population")
