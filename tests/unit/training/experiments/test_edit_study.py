"""The study of the editing networks: its lines, small trainings, and its record."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from kinlib.editing.networks import Generator
from kinlib.editing.rules import ATTRIBUTES
from kinlib.evaluation.edits.true_edits import EditPairs, read_pairs
from kinlib.training.experiments import edit_study
from kinlib.training.experiments.edit_study import (
    EXAMPLES,
    LINES,
    SEARCHED,
    TONED,
    ablation,
    example_directions,
    examples_path,
    recorded,
    weight_search,
)
from kinlib.training.recipes.editor import EditorSettings

SKIN = 1


class Judge(nn.Module):
    """Finds nothing anywhere; a parameter tells its device."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(-1.0))

    def forward(self, images):
        return self.bias.expand(len(images), len(ATTRIBUTES))


@pytest.fixture
def pairs() -> EditPairs:
    images = torch.rand(6, 3, 64, 64) * 2 - 1
    changed = torch.zeros(6, 1, 64, 64, dtype=torch.bool)
    changed[..., :32] = True
    difference = torch.zeros(6, 13)
    difference[:, 0] = -1
    labels = torch.zeros(6, 64, 64, dtype=torch.uint8)
    labels[..., 32:48] = SKIN
    table = pd.DataFrame({"person": range(6), "attribute": "Bald", "change": -1, "attributes": "{}"})
    return EditPairs(images, images.flip(2), changed, difference, table, (labels, labels))


@pytest.fixture
def trained(monkeypatch) -> list[EditorSettings]:
    """What would have been trained; networks are random instead, built as the settings say."""
    calls: list[EditorSettings] = []

    def build(folder: Path, settings: EditorSettings) -> nn.Module:
        calls.append(settings)
        masks = {"attention": settings.attention, "clothing": settings.clothing_mask}
        net = Generator(13, 2, units=settings.units, **masks).eval().requires_grad_(False)
        if net.clothing is not None:
            net.clothing.bias.fill_(-99.0)  # nobody wears anything
        return net

    monkeypatch.setattr(edit_study, "_trained", build)
    monkeypatch.setattr(edit_study, "load_attributes", Judge)
    return calls


def test_every_line_is_trained_and_measured(pairs, trained, tmp_path):
    found = dict(ablation(tmp_path, pairs, tmp_path / "run", steps=5, pairs=tmp_path))
    assert list(found) == list(LINES) and [settings.steps for settings in trained] == [5] * len(LINES)
    assert len({settings.out for settings in trained}) == len(LINES)  # a folder of its own each
    for measures in found.values():
        value, low, high = measures["error_changed"]
        assert low <= value <= high and measures["hit"][0] == 1  # who finds nothing is content with what was removed
    # Without an attention mask the whole picture is the edit: its mask is one everywhere.
    assert found["no attention mask (STGAN)"]["iou"][0] == pytest.approx(0.5)


def test_a_search_draws_its_weights_from_its_seed(pairs, trained, tmp_path):
    found = list(weight_search(tmp_path, pairs, tmp_path / "run", 3, steps=5))
    assert [set(trial["weights"]) for trial in found] == [set(SEARCHED)] * 3
    assert all(0 <= value <= 5 for trial in found for value in trial["weights"].values())
    assert len({tuple(trial["weights"].values()) for trial in found}) == 3
    assert [settings.dual for settings in trained] == [trial["weights"]["dual"] for trial in found]
    again = list(weight_search(tmp_path, pairs, tmp_path / "run", 3, steps=5))
    assert [trial["weights"] for trial in again] == [trial["weights"] for trial in found]


def test_the_record_compares_the_methods():
    found = recorded()["methods"]
    assert {"attention", "directions", "untouched", "true edit"} <= set(found["methods"])
    assert set(found["skin"]["attention"]) == set(TONED) and found["facts"]["people"] == 40
    # The judge finds more of the wanted attributes in true edits than in pictures before them.
    assert found["methods"]["true edit"]["accuracy"][0] > found["methods"]["untouched"]["accuracy"][0] + 0.5


def test_the_examples_are_true_edits_with_directions_beside_them():
    pairs = read_pairs(examples_path().parent, 64)
    assert len(pairs) == len(EXAMPLES) and [row[0] for row in EXAMPLES] == pairs.table.attribute.tolist()
    assert example_directions().shape == (len(pairs), 3, 128, 128) and pairs.background.any()
