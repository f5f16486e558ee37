"""The weight network's recipe: the batched loss, the remedies against overfitting, and a run that learns."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from kinlib.inheritance.weight_network import (
    AdaptiveDimensionWeightModel,
    MockProcessor,
    combine,
    load_weight_network,
)
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.kin_faces import Couples
from kinlib.training.experiments.weight_runs import Condition, fit, per_sample_loss, stalling_epoch, turning_point
from kinlib.training.recipes import weights as recipe
from kinlib.training.recipes.weights import WeightsSettings, add_noise, couple_loss, dropout_at, mean_loss
from tests.unit.training.recipes.test_sampler_recipe import synthetic

SHAPE = (12, 512)  # of the bundled generator
SMALL = (2, 16)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def families(count: int, shape: tuple[int, int], processor, seed: int = 0) -> Couples:
    """Children who have the first layer of the father and the rest of the mother."""
    father, mother = noise(count, *shape, seed=seed), noise(count, *shape, seed=seed + 1)
    true = torch.zeros(shape)
    true[0] = 1.0
    children = processor.generate_embeddings_from_latent(combine(father, mother, true)).unsqueeze(1)
    return Couples(father, mother, children.expand(-1, 2, -1), torch.arange(count))


def test_the_batch_has_the_loss_of_its_samples():
    processor = MockProcessor(SMALL, embedding=32)
    couples = families(6, SMALL, processor)
    net = AdaptiveDimensionWeightModel(SMALL, width=16).eval()
    parts = net, processor, couples.father, couples.mother, couples.children
    batched = couple_loss(*parts)
    assert batched.shape == (6,) and torch.isclose(batched.mean(), per_sample_loss(*parts))
    torch.testing.assert_close(mean_loss(net, processor, couples), batched)


def test_noise_decays_to_nothing():
    codes = torch.zeros(50, *SMALL)
    rng = torch.Generator().manual_seed(0)
    spread = [add_noise(codes, 0.4, progress, rng).std().item() for progress in (0.0, 0.5)]
    assert spread == pytest.approx([0.4, 0.2], rel=0.1)
    assert torch.equal(add_noise(codes, 0.4, 1.0, rng), codes)


def test_dropout_grows():
    assert [dropout_at(progress, 0.2, 0.5) for progress in (0, 0.5, 1)] == pytest.approx([0.2, 0.35, 0.5])


def test_a_fit_finds_whose_layer_it_is():
    processor = MockProcessor(SMALL, embedding=64)
    train_set, held_out = families(200, SMALL, processor), families(40, SMALL, processor, seed=7)
    condition = Condition(epochs=12, width=32, lr=3e-3, dropout=(0.0, 0.0))
    net, average, history = fit(condition, processor, train_set, held_out)
    assert history.epoch.tolist() == list(range(13)) and turning_point(history)[0] > 0
    assert history.held_out.iloc[-1] < 0.3 * history.held_out.iloc[0]
    with torch.no_grad():
        found = net(held_out.father, held_out.mother).mean(dim=(0, 2))
    assert found[0] > 0.8 and found[1] < 0.2
    assert mean_loss(average.net, processor, held_out).mean() < history.held_out.iloc[0]


def test_where_a_curve_stalls_and_turns():
    history = pd.DataFrame({"epoch": range(5), "held_out": [1.0, 0.5, 0.05, 0.0, 0.2]})
    assert stalling_epoch(history) == 2 and turning_point(history) == (3, pytest.approx(0.2))
    assert stalling_epoch(history.assign(held_out=[1, 2, 3, 4, 5])) == 0


def test_an_unknown_processor(tmp_path):
    with pytest.raises(KinlibError, match="unknown processor 'x': choose face or mock"):
        recipe.train(WeightsSettings(data=tmp_path, out=tmp_path, processor="x"))


@pytest.mark.parametrize("processor", ["mock", "face"])
def test_a_run_is_resumed_and_written(processor, tmp_path: Path, monkeypatch, capsys):
    kin = synthetic(42)
    wide = kin.codes.repeat(1, SHAPE[0] // kin.codes.shape[1], 1) / 20
    kin = type(kin)(kin.table, wide, kin.degraded, kin.seed)
    embeddings = torch.nn.functional.normalize(noise(int((kin.table.role == "child").sum()), 512), dim=1)
    monkeypatch.setattr(recipe, "load_codes", lambda folder: kin)
    monkeypatch.setattr(recipe, "embed_children", lambda folder, kin, cache: embeddings)
    out, run = tmp_path / "out", tmp_path / "run"
    for steps in (1, 2):
        settings = WeightsSettings(data=tmp_path, out=out, run=run, steps=steps, batch=4, width=16, minutes=5.0)
        settings.processor = processor
        recipe.train(settings)
    report = json.loads((out / "weights.json").read_text())
    assert report["recipe"]["steps_done"] == 2 and [call["step"] for call in report["calls"]] == [0, 1]
    assert report["metrics"]["couples"] == 2 and 0 < report["metrics"]["loss_neural"] < 2.2
    net = load_weight_network(out / "weights.safetensors")
    assert net.latent_shape == SHAPE and net.blocks == "entry"
