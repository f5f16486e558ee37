"""Supervised training: it converges, resumes, and writes the moving average."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kinlib.training.engine.processes import accelerator_for
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

WANTED = torch.tensor([[1.0, -2.0, 0.5]])


def settings_for(folder: Path, steps: int) -> TrainSettings:
    return TrainSettings(folder, folder / "out", run=folder / "run", steps=steps, batch=4, lr=0.2, minutes=1.0)


def fit(folder: Path, steps: int, weight_decay: float = 0.0) -> tuple[SupervisedTrainer, nn.Linear, list[Tensor]]:
    """Fit a plane through ten samples; also returns the batches."""
    torch.manual_seed(1)
    samples, net, seen = torch.randn(10, 3), nn.Linear(3, 1, bias=False), []
    accelerator = accelerator_for("cpu")
    trainer = SupervisedTrainer(net, settings_for(folder, steps), accelerator, weight_decay=weight_decay, half_life=5)
    for index in trainer.batches(len(samples)):
        seen.append(index)
        trainer.step((net(samples[index]) - samples[index] @ WANTED.T).square().mean())
    return trainer, net, seen


def test_it_converges_and_the_average_is_written(tmp_path: Path):
    trainer, net, seen = fit(tmp_path, 200)
    assert len(seen) == trainer.run.step == 200 and all(len(index) == 4 for index in seen)
    assert len(torch.cat(seen[:2]).unique()) == 8  # no sample twice before all were seen
    for found in (net.weight, trainer.average.weight):
        assert (found - WANTED).abs().max() < 0.05
    trainer.write("plane", {"error": 0.5}, 10, 5)
    report = json.loads((tmp_path / "out" / "plane.json").read_text())
    assert report["metrics"] == {"error": 0.5}
    assert [report["recipe"][name] for name in ("steps_done", "pictures_used", "people")] == [200, 10, 5]
    stored = load_file(tmp_path / "out" / "plane.safetensors")["weight"]
    assert torch.equal(stored, trainer.average.weight.half())


def test_a_stopped_run_is_resumed(tmp_path: Path):
    first, net, _ = fit(tmp_path, 3)
    second, again, seen = fit(tmp_path, 3)
    assert not seen and torch.equal(net.weight, again.weight)
    assert torch.equal(first.average.weight, second.average.weight)
    third, _, seen = fit(tmp_path, 5)
    assert len(seen) == 2 and [call["step"] for call in third.calls] == [0, 3]


def test_lr_follows_the_cycle_and_weights_decay(tmp_path: Path):
    trainer, net, _ = fit(tmp_path / "plain", 50)
    assert trainer.optimizer.param_groups[0]["lr"] < 0.01 * 0.2
    _, decayed, _ = fit(tmp_path / "decayed", 50, weight_decay=2.0)
    assert decayed.weight.norm() < 0.9 * net.weight.norm()
    other = SupervisedTrainer(nn.Linear(3, 1), settings_for(tmp_path / "other", 50), accelerator_for("cpu"), 0.0, 5)
    next(other.batches(10))
    assert other.optimizer.param_groups[0]["lr"] == pytest.approx(0.04 * 0.2)
