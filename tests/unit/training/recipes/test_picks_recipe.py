"""The learned step's recipe: witnesses through a surrogate, a loss that falls, and a run."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinlib.cli import main
from kinlib.search.learned_step import PickNet
from kinlib.training.recipes import picks as recipe
from kinlib.training.recipes.picks import PickSettings, Surrogate, batch_loss

SETTINGS = PickSettings(data=Path(), out=Path(), rounds=4, count=8, picks=2)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def surrogate() -> Surrogate:
    torch.manual_seed(0)
    return Surrogate(4, embedding=6, width=8).eval().requires_grad_(False)


def test_the_loss_falls_as_the_step_learns():
    eyes, net = surrogate(), PickNet(4, 12, 4)
    seen = eyes(torch.randn(256, 4, generator=rng()))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    history = []
    for step in range(60):
        loss = batch_loss(net, eyes, seen[torch.randint(256, (64,), generator=rng(step))], SETTINGS, rng(step))
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        history.append(loss.detach())
    assert loss.shape == (4,) and torch.isfinite(loss).all()
    first, last = (torch.stack(history[part]).mean(dim=0) for part in (slice(5), slice(-5, None)))
    assert last[-1] < 0.75 * first[-1] and last[-1] < last[0]  # learned, and better with every round


def test_picks_are_the_nearest_and_mistakes_come_at_their_rate():
    likeness = torch.rand(2000, 16, generator=rng())
    assert torch.equal(recipe._picked(likeness, 4, 0.0, rng(1)), likeness.topk(4, dim=1).indices)
    found = recipe._picked(likeness, 4, 0.1, rng(1))
    assert all(len(set(row)) == 4 for row in found[:50].tolist())
    right = [
        len(set(a) & set(b)) for a, b in zip(found.tolist(), likeness.topk(4, dim=1).indices.tolist(), strict=True)
    ]
    assert np.mean(right) / 4 == pytest.approx(0.9, abs=0.05)


def test_the_surrogate_gives_unit_embeddings():
    found = Surrogate(4)(torch.randn(3, 4))
    assert found.shape == (3, 512) and torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(F.normalize(found, dim=1), found, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--data", "nowhere"), "no *.parquet file"), (("--data", "here", "--space", "z"), "no search space 'z'")],
)
def test_refused_in_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "part.parquet").write_bytes(b"")
    assert main(["train", "picks", "--out", "out", *arguments]) == 2
    assert words in capsys.readouterr().err
