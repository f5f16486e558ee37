"""What importing kinlib and a cold `kinlib child` take, beside importing PyTorch: `make bench`.

Each is a process of its own, in turns. Processor time and clock time are both measured, and the smaller of their
minima counts: on a quiet machine with several cores that is the clock, on a busy one the processor.
"""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from kinlib.io.files import write_json
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents

TURNS = 3
MOST_BEYOND = 0.3  # seconds that importing `Kinship` may take beyond PyTorch
MOST_TIMES = 3.0  # a cold child may take so many times a bare `import torch`


def measure(command: list[str]) -> dict[str, float]:
    """Seconds of a process: of the clock, and of the processor with all threads."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, cwd=config.project_root(), stdout=subprocess.DEVNULL, timeout=1800)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"clock": round(seconds, 3), "processor": round(used, 3)}


def test_a_cold_child_takes_little_longer_than_pytorch(tmp_path):
    father, mother = map(str, sample_parents.couple(1))
    photos = ["--father", father, "--mother", mother, "--out", str(tmp_path / "child.png")]
    commands = {
        "torch": [sys.executable, "-c", "import torch"],
        "kinlib": [sys.executable, "-c", "import torch; from kinlib import Kinship"],
        "child": [sys.executable, "-m", "kinlib.cli", "child", *photos],
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    measure(commands["child"])  # files are read into memory, byte code is written
    for _ in range(TURNS):
        for name, command in commands.items():
            turns[name].append(measure(command))
    least = {name: {kind: min(turn[kind] for turn in some) for kind in some[0]} for name, some in turns.items()}
    seconds = {name: min(kinds.values()) for name, kinds in least.items()}
    beyond, times = seconds["kinlib"] - seconds["torch"], seconds["child"] / seconds["torch"]
    print(f"\nimport torch {seconds['torch']:.2f} s, kinlib {beyond:+.2f} s, a cold child {times:.1f} times: {least}")
    if os.environ.get("KINLIB_NUMBERS"):
        machine = {"cores": os.cpu_count(), "torch": torch.__version__, "system": platform.platform()}
        machine |= {"threads": torch.get_num_threads(), "load": round(os.getloadavg()[1], 1)}
        found = {"machine": machine, "turns": TURNS, "least": least, "seconds": seconds}
        found |= {"beyond_torch": round(beyond, 3), "child_to_torch": round(times, 3)}
        write_json(Path(os.environ["KINLIB_NUMBERS"]) / "start_cpu.json", found)
    assert beyond <= MOST_BEYOND
    assert times <= MOST_TIMES
