"""Training that learns from labels: it gets there, goes on where it stopped, and writes the average it kept."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kinlib.training.engine.loop import Workers
from kinlib.training.engine.supervised import Descent

WANTED = torch.tensor([[1.0, -2.0, 0.5]])


@dataclass
class Settings:
    out: Path
    run: Path
    steps: int
    minutes: float = 1.0
    batch: int = 4
    rate: float = 0.2
    seed: int = 0


def descend(folder: Path, steps: int, weight_decay: float = 0.0) -> tuple[Descent, nn.Linear, list[Tensor]]:
    """Fit a plane through ten samples; also gives the batches that were drawn."""
    torch.manual_seed(1)
    samples, net, drawn = torch.randn(10, 3), nn.Linear(3, 1, bias=False), []
    settings = Settings(folder / "out", folder / "run", steps)
    descent = Descent(net, settings, Workers(), weight_decay=weight_decay, half_life=5)
    for index in descent.batches(len(samples)):
        drawn.append(index)
        descent.step((net(samples[index]) - samples[index] @ WANTED.T).square().mean())
    return descent, net, drawn


def test_labels_are_learnt_and_the_average_is_written(tmp_path: Path):
    descent, net, drawn = descend(tmp_path, 200)
    assert len(drawn) == descent.run.step == 200 and all(len(index) == 4 for index in drawn)
    assert len(torch.cat(drawn[:2]).unique()) == 8  # nobody twice before everybody was seen
    for found in (net.weight, descent.average.weight):
        assert (found - WANTED).abs().max() < 0.05
    descent.write("plane", {"error": 0.5}, 10, 5)
    report = json.loads((tmp_path / "out" / "plane.json").read_text())
    assert report["figures"] == {"error": 0.5}
    assert [report["recipe"][name] for name in ("steps_done", "pictures_used", "people")] == [200, 10, 5]
    stored = load_file(tmp_path / "out" / "plane.safetensors")["weight"]
    assert torch.equal(stored, descent.average.weight.half())


def test_a_run_goes_on_where_it_stopped(tmp_path: Path):
    first, net, _ = descend(tmp_path, 3)
    second, again, drawn = descend(tmp_path, 3)
    assert not drawn and torch.equal(net.weight, again.weight)
    assert torch.equal(first.average.weight, second.average.weight)
    third, _, drawn = descend(tmp_path, 5)
    assert len(drawn) == 2 and [call["step"] for call in third.calls] == [0, 3]


def test_rate_follows_the_cycle_and_weights_decay(tmp_path: Path):
    descent, net, _ = descend(tmp_path / "plain", 50)
    assert descent.optimiser.param_groups[0]["lr"] < 0.01 * 0.2
    _, decayed, _ = descend(tmp_path / "decayed", 50, weight_decay=2.0)
    assert decayed.weight.norm() < 0.9 * net.weight.norm()
    other = Descent(nn.Linear(3, 1), Settings(tmp_path, tmp_path / "other", 50), Workers(), 0.0, 5)
    next(other.batches(10))
    assert other.optimiser.param_groups[0]["lr"] == pytest.approx(0.04 * 0.2)
