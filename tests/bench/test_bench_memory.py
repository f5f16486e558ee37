"""GPU memory and seconds of every stage of a child at 1024 px: `make bench` on a machine with a CUDA device.

The networks have the official sizes and seeded weights, on which neither memory nor time depends. The bound is 6 GB
for a child; peaks are those of PyTorch's tensors, to which a CUDA context adds about half a gigabyte.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from official_layout import offered, write_all

from kinlib import Kinship
from kinlib.io import images
from kinlib.studio.datasets import sample_parents

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).resolve().parents[2]
LIMIT_MB = 6_000
LEFT_MB = 100  # what may stay on the device: what CUDA's libraries keep for themselves


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ffhq")
    write_all(folder / "weights")
    return folder


def types() -> list[str]:
    """What this card computes in."""
    recent = torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= 8
    return ["float32", "float16", *(["bfloat16"] if recent else [])]


@pytest.mark.parametrize("efficient", ["yes", "no"])
@pytest.mark.parametrize("dtype", types())
def test_a_child_in_six_gigabytes(folder: Path, efficient: str, dtype: str):
    """In a process of its own; the last stage is a refinement, which no child needs but users ask for."""
    command = [sys.executable, str(ROOT / "tests" / "checks" / "draw_ffhq_child.py"), str(folder), "cuda"]
    run = subprocess.run(
        [*command, efficient, dtype, "10"], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    print(f"\n{torch.cuda.get_device_name()}, {dtype}, memory_efficient: {efficient}")
    for stage, row in found["stages"].items():
        print(f"  {stage}: {row['seconds']:.2f} s, {row['megabytes']} MB")
    print(f"  left on the device: {found['left_on_the_gpu_mb']:.0f} MB")
    assert max(row["megabytes"] for row in found["stages"].values()) < LIMIT_MB
    if efficient == "yes":
        assert found["left_on_the_gpu_mb"] < LEFT_MB


def test_idle_networks_leave_the_card(folder: Path):
    """After every stage, what is on the device is what was there before it."""
    with offered(folder / "weights", pytest.MonkeyPatch()):
        kin = Kinship.load("ffhq", "cuda", memory_efficient=True)
        father, _ = sample_parents.couple(1)
        face = kin.encode(father, refine_steps=1)  # brings what CUDA's libraries keep for themselves
        before = torch.cuda.memory_allocated()
        for steps in (0, 1):
            kin.encode(sample_parents.couple(1)[1], refine_steps=steps)
            kin.child(face, face)
            assert torch.cuda.memory_allocated() == before


@pytest.mark.parametrize(("dtype", "least_db"), [("float16", 35.0), ("bfloat16", 25.0)])
def test_half_precision_on_the_card(folder: Path, dtype: str, least_db: float):
    if dtype not in types():
        pytest.skip("this card has no bfloat16")
    photos = sample_parents.couple(1)
    with offered(folder / "weights", pytest.MonkeyPatch()):
        plain, half = (Kinship.load("ffhq", "cuda", True, one) for one in ("float32", dtype))
        wanted, found = (images.to_tensor(kin.child(*photos).image) for kin in (plain, half))
    decibels = 10 * np.log10(4 / float((wanted - found).square().mean()))
    print(f"\n{dtype} against float32 at 1024 px: {decibels:.1f} dB")
    assert decibels > least_db
