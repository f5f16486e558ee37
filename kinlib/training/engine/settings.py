"""The settings that all recipes share; each recipe's dataclass adds its own.

`kinlib train NAME` makes an option of every field. The settings are written into the record of the weights.
"""

from dataclasses import dataclass
from pathlib import Path

from kinlib.runtime.errors import KinlibError

__all__ = ["RecipeSettings", "TrainSettings"]


@dataclass
class RecipeSettings:
    """Where any recipe reads and writes."""

    data: Path
    """folder of *.parquet files that `kinlib render` wrote"""
    out: Path
    """folder that receives the weights (.safetensors) and the record of how they were made (.json)"""

    def check_data(self) -> None:
        """Check that there is something to train on.

        Raises:
            KinlibError: if there is not.
        """
        if not any(Path(self.data).glob("*.parquet")):
            raise KinlibError(f"there is no *.parquet file with training pictures in '{self.data}'")


# Keyword only: recipes put fields of their own between these, and redefine defaults.
@dataclass(kw_only=True)
class TrainSettings(RecipeSettings):
    """A network trained by gradient descent, in a run that can be stopped and resumed."""

    run: Path = Path("runs/network")
    """folder of checkpoints, log and sample sheets"""
    minutes: float = 60.0
    """time this call may take; a later call resumes"""
    steps: int = 6000
    """length of the schedule"""
    batch: int = 32
    """pictures in a step, over all processes"""
    lr: float = 2e-3
    """highest learning rate"""
    seed: int = 0
    """of weights, batches and augmentation"""
    device: str = "cpu"
    """cpu or cuda"""
    workers: int = 1
    """processes: on a CPU one thread each (2 for two cores), on CUDA one card each"""
