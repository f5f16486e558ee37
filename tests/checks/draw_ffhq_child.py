"""Draw a child with the ffhq preset's files in FOLDER/weights, and say what each stage took.

usage: python tests/checks/draw_ffhq_child.py FOLDER [DEVICE [MEMORY_EFFICIENT [DTYPE [REFINE_STEPS]]]]

The files are taken for the published ones, whatever their sums. One line of JSON: seconds and peak memory in MB of each
stage (of the process on a CPU, of PyTorch's tensors on a GPU), and what was drawn.
"""

import json
import re
import resource
import sys
import time
from pathlib import Path

import pytest
import torch
from official_layout import offered

from kinlib import Kinship
from kinlib.studio.datasets import sample_parents


class Stages:
    """Seconds and peak memory of one stage after another."""

    def __init__(self, device: torch.device):
        self.device, self.rows = device, {}

    def __call__(self, name: str, function):
        """Run `function` and note what it took."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        begun = time.perf_counter()
        result = function()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.rows[name] = {"seconds": round(time.perf_counter() - begun, 3), "megabytes": round(self._peak())}
        return result

    def _peak(self) -> float:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 2**20
        status = Path("/proc/self/status")
        if status.exists():  # getrusage would also count what the process that started this one had held
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # of the process so far


def main(folder: str, device: str = "cpu", efficient: str = "no", dtype: str = "float32", refine: str = "0") -> None:
    """Draw, and print the line."""
    stages = Stages(torch.device(device))
    photos = sample_parents.couple(1)
    with offered(Path(folder) / "weights", pytest.MonkeyPatch()):
        kin = stages("load", lambda: Kinship.load("ffhq", device, efficient == "yes", dtype))
        father = stages("encode the father", lambda: kin.encode(photos[0]))
        mother = stages("encode the mother", lambda: kin.encode(photos[1]))
        child = stages("draw the child", lambda: kin.child(father, mother, method="average", age=8))
        if int(refine):
            stages(f"refine {refine} steps", lambda: kin.encode(photos[0], refine_steps=int(refine)))
    drawn = {"size": child.image.size, "layers": child.latent.shape[1], "notes": child.notes, "dtype": str(kin.dtype)}
    left = torch.cuda.memory_allocated() / 2**20 if device == "cuda" else None
    print(json.dumps({"stages": stages.rows, "drawn": drawn, "left_on_the_gpu_mb": left}))


if __name__ == "__main__":
    main(*sys.argv[1:])
