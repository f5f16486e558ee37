"""Rescoring: equal lengths, changes where they were planted, and sums of them."""

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.evaluation.edits.rescoring import IDENTITY, matrix, rescore, selectivity, unit_step

LAYERS = 4


class Canvas(torch.nn.Linear):
    """Pictures whose first channel is the code's first number, and whose second is the second."""

    def synthesis(self, codes):
        values = codes.mean(dim=1)[:, :3]  # [B, 3]
        return values[:, :, None, None].expand(-1, -1, 4, 4)


class Levels:
    """Reads the level of two channels."""

    def read(self, pictures):
        return pd.DataFrame({"red": pictures[:, 0, 0, 0].numpy(), "green": pictures[:, 1, 0, 0].numpy()})


def embed(pictures):
    return torch.nn.functional.normalize(pictures.mean(dim=(2, 3)) + torch.tensor([0.0, 0.0, 1.0]), dim=1)


@pytest.fixture
def table():
    step = torch.zeros(LAYERS, 512)
    step[:, 0], step[:, 1] = 1.0, 0.25
    codes = 0.05 * torch.randn(6, LAYERS, 512, generator=torch.Generator().manual_seed(0))
    steps = {"red": unit_step(step, LAYERS), "green": unit_step(torch.eye(512)[1:2], LAYERS)}
    return rescore(Canvas(1, 1), Levels(), embed, codes, steps, {"red": 0.8, "green": 0.4})


def test_step_has_length_one_in_all_layers():
    step = unit_step(torch.full((1, 512), 3.0), LAYERS)
    assert step.shape == (LAYERS, 512) and step.norm() == pytest.approx(1, abs=1e-5)
    layered = torch.randn(LAYERS, 512, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(unit_step(layered, LAYERS), layered / layered.norm())


def test_changes_are_those_of_the_edit(table):
    assert list(table["target"].unique()) == ["red", "green"] and len(table) == 12
    own, side = table[table["target"] == "red"][["red", "green"]].to_numpy().T
    # A length of 0.8 over 4 layers is 0.4 in each, shared 1 : 0.25.
    np.testing.assert_allclose(own, 0.4 / np.hypot(1, 0.25), atol=1e-3)
    np.testing.assert_allclose(side, 0.25 * own, atol=1e-3)
    assert (table[IDENTITY] < 1).all()


def test_matrix_is_in_standard_deviations(table):
    found = matrix(table, {"red": 2.0, "green": 0.5}).set_index(["target", "attribute"])
    own = table[table["target"] == "red"]
    assert found.loc[("red", "red"), "mean"] == pytest.approx(own["red"].mean() / 2)
    assert found.loc[("red", "green"), "mean"] == pytest.approx(own["green"].mean() / 0.5)
    assert found.loc[("red", IDENTITY), "mean"] == pytest.approx(own[IDENTITY].mean())
    assert (found["low"] <= found["mean"] + 1e-12).all() and (found["mean"] <= found["high"] + 1e-12).all()


def test_selectivity(table):
    found = selectivity(table, {"red": 1.0, "green": 1.0})
    assert found.loc["red", "side"] == pytest.approx(0.25, abs=0.01)
    assert found.loc["green", "side"] == pytest.approx(0.0, abs=0.01)
    assert found.loc["green", "change"] == pytest.approx(0.2, abs=0.01)


def test_people_can_be_moved_towards_less():
    """The picture changes the other way, what is reported does not."""
    codes = torch.zeros(4, LAYERS, 512)
    steps, lengths = {"red": unit_step(torch.eye(512)[:1], LAYERS)}, {"red": 0.4}
    signs = {"red": torch.tensor([1.0, -1.0, 1.0, -1.0])}
    found = rescore(Canvas(1, 1), Levels(), embed, codes, steps, lengths, signs)
    np.testing.assert_allclose(found["red"], 0.2, atol=1e-5)
