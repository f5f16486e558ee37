"""Regress and edit: strengths reach what the regressors can read, and grow where reading is poor."""

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.evaluation.edits.strengths import fit_editor, heritable_share, likeness_curve

LAYERS = 2


@pytest.fixture(scope="module")
def labelled():
    """Codes with two features along directions that share a part, and their table."""
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(300, 2, generator=rng)
    directions = torch.randn(2, LAYERS, 512, generator=rng)
    directions[1] += 0.5 * directions[0]
    codes = torch.einsum("nf,fld->nld", values, directions) + 0.1 * torch.randn(300, LAYERS, 512, generator=rng)
    return codes, pd.DataFrame({"age": 30 + 10 * values[:, 0].numpy(), "smile": values[:, 1].numpy()})


@pytest.fixture(scope="module")
def editor(labelled):
    return fit_editor(*labelled)


def test_regressors_read_the_features(labelled, editor):
    codes, features = labelled
    wanted = editor.standardise(features)
    assert wanted.std(dim=0).numpy() == pytest.approx([1, 1], abs=0.01)
    assert np.corrcoef(editor.read(codes)[:, 0], wanted[:, 0])[0, 1] > 0.99
    assert np.corrcoef(editor.read(codes)[:, 1], wanted[:, 1])[0, 1] > 0.99


def test_strengths_reach_the_target(labelled, editor):
    codes = labelled[0][:5]
    wanted = torch.tensor([[1.0, -1.0]]).expand(5, 2)
    found = editor.strengths(codes, wanted)
    torch.testing.assert_close(editor.read(editor.edit(codes, found)), wanted, atol=1e-3, rtol=0)
    # No other strengths do better, and a decay makes them smaller.
    small = editor.strengths(codes, wanted, decay=5.0)
    assert (small.norm(dim=1) < found.norm(dim=1)).all()
    assert (editor.read(editor.edit(codes, small)) - wanted).square().mean() > 1e-3


def test_the_minimum_is_what_descent_ends_at(labelled, editor):
    codes, wanted = labelled[0][:2], torch.tensor([[0.5, 1.0], [-1.0, 0.2]])
    strengths = torch.zeros(2, 2, requires_grad=True)
    descent = torch.optim.Adam([strengths], lr=0.05)
    for _ in range(400):
        descent.zero_grad()
        (editor.read(editor.edit(codes, strengths)) - wanted).square().mean().backward()
        descent.step()
    torch.testing.assert_close(strengths.detach(), editor.strengths(codes, wanted), atol=0.02, rtol=0)


def test_edits_without_strength_change_nothing(labelled, editor):
    codes = labelled[0][:3]
    assert torch.equal(editor.edit(codes, torch.zeros(2)), codes)


def test_heritable_share():
    rng = np.random.default_rng(0)
    parents = pd.DataFrame({"skin": rng.normal(size=80), "necklace": rng.normal(size=80)})
    children = pd.DataFrame({"skin": parents["skin"] + 0.3 * rng.normal(size=80), "necklace": rng.normal(size=80)})
    found = heritable_share(parents, children, np.arange(80) // 2)
    assert found.loc["skin", "low"] > 0.8
    assert found.loc["necklace", "low"] < 0 < found.loc["necklace", "high"]


class Saturating(torch.nn.Linear):
    """Draws three numbers of a code, and nothing beyond the range of a picture."""

    def synthesis(self, codes):
        return codes[:, 0, :3, None, None].expand(-1, -1, 4, 4)


def test_strong_edits_make_faces_alike():
    codes = torch.zeros(4, LAYERS, 512)
    codes[:, 0, :3] = 0.3 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    moves = torch.full((1, LAYERS, 512), 1.0)

    def embed(pictures):
        return torch.nn.functional.normalize(pictures.mean(dim=(2, 3)), dim=1)

    curve = likeness_curve(Saturating(1, 1), embed, codes, moves, (0, 1, 4)).groupby("multiple").mean()
    assert curve.loc[0, "distance"] > curve.loc[1, "distance"] > curve.loc[4, "distance"] - 1e-9
    assert curve.loc[4, "distance"] < 1e-6 and curve.loc[0, "kept"] == pytest.approx(1)
