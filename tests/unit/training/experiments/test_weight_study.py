"""The study of notebook 09: what it trains is kept, and its results have what the notebook shows."""

import json

import pytest
import torch

from kinlib.training.experiments import weight_study
from kinlib.training.experiments.weight_runs import Condition
from tests.unit.training.recipes.test_sampler_recipe import synthetic

SHAPE = (12, 512)


@pytest.fixture
def kin(monkeypatch):
    found = synthetic(63)
    wide = found.codes.repeat(1, SHAPE[0] // found.codes.shape[1], 1) / 20
    found = type(found)(found.table, wide, found.degraded, found.seed)
    rng = torch.Generator().manual_seed(0)
    count = int((found.table.role == "child").sum())
    embeddings = torch.nn.functional.normalize(torch.randn(count, 512, generator=rng), dim=1)
    monkeypatch.setattr(weight_study, "load_codes", lambda folder: found)
    monkeypatch.setattr(weight_study, "embed_children", lambda folder, kin, cache: embeddings)
    short = Condition(epochs=2, width=16)
    lines = {"mock": ("mock", 0, True, short), "mock, all families": ("mock", 0, False, short)}
    monkeypatch.setattr(weight_study, "LINES", lines)
    return found


def test_the_study(kin, tmp_path):
    found = weight_study.study(tmp_path, tmp_path, seeds=(0, 1), lines=("mock", "mock, all families"))
    json.dumps(found)  # nothing that JSON does not know
    assert found["couples"] == {"train": 60, "held_out": 3, "trios": 60}
    assert found["curves"]["mock"]["epoch"] == [0, 1, 2] and found["turning"]["mock"]["seeds"] == 2
    methods = {"mock", "mock, all families", "untrained", "average", "per_layer", "mask"}
    assert methods <= set(found["held_out"]["loss"])
    assert found["held_out"]["above_average"]["average"]["mean"] == 0
    weights = found["weights"]["mock"]
    assert len(weights["layers"]["mean"]) == SHAPE[0] and len(weights["pairs"]["layer"]) == 20
    agreement = found["agreement"]
    assert agreement["pulls"]["pull of the mock"]["pull of the mock"] == 1
    assert agreement["networks"].keys() == found["weights"].keys()
    for trait in ("hair", "iris"):
        assert 0 <= found["dominance"][trait]["probability"] <= 1
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    assert len(before) == 4
    weight_study.study(tmp_path, tmp_path, seeds=(0, 1), lines=("mock", "mock, all families"))
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing is trained again
