"""Reading a weight network's weights: section 8.1 of the student report, and what lies behind its numbers."""

import numpy as np
import pytest
import torch

from kinlib.evaluation import learned_weights
from kinlib.inheritance.weight_network import MockProcessor, combine, similarity_loss

LAYERS, COUPLES = 3, 40


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_most_consistent_entry_is_found():
    weights = torch.sigmoid(noise(COUPLES, LAYERS, 8))
    weights[:, 2, 5] = 0.9 + 0.001 * noise(COUPLES)
    weights[:, 0, 1] = 0.2 + 0.01 * noise(COUPLES, seed=1)
    table = learned_weights.consistent_pairs(weights, 2)
    assert table[["layer", "dimension"]].to_numpy().tolist() == [[2, 5], [0, 1]]
    assert table.weight.tolist() == pytest.approx([0.9, 0.2], abs=0.01) and table.variance.is_monotonic_increasing


def test_what_all_couples_share_is_told_from_what_varies():
    fixed = torch.tensor([0.1, 0.9]).expand(COUPLES, LAYERS, 2)
    assert learned_weights.overview(fixed)["mean"].to_dict() == pytest.approx(
        {"balance": 0.5, "deviation": 0.4, "fixed": 0.4, "varying": 0}, abs=1e-6
    )
    coins = (noise(COUPLES, LAYERS, 512) > 0).float()
    found = learned_weights.overview(coins)
    assert found.loc["fixed", "mean"] < 0.1 and found.loc["varying", "mean"] > 0.4
    assert found.loc["balance", "low"] < 0.5 < found.loc["balance", "high"]


def test_layers_have_their_own_means():
    weights = torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1) + 0.05 * noise(COUPLES, LAYERS, 64)
    table = learned_weights.layer_means(weights)
    assert table["mean"].tolist() == pytest.approx([0.2, 0.5, 0.7], abs=0.01)
    assert ((table.low < table["mean"]) & (table["mean"] < table.high)).all()


def test_the_pull_leads_downhill():
    shape = (LAYERS, 16)
    father, mother = noise(COUPLES, *shape, seed=1), noise(COUPLES, *shape, seed=2)
    mock = MockProcessor(shape, embedding=8)
    targets = mock.generate_embeddings_from_latent(father)

    def loss(weights, index):
        child = combine(father[index], mother[index], weights)
        return similarity_loss(mock.generate_embeddings_from_latent(child), targets[index])

    found = learned_weights.pull(loss, father, mother)
    everybody = torch.arange(COUPLES)
    start = torch.full_like(father, 0.5)
    assert loss(start + 0.05 * found / found.abs().max(), everybody).mean() < loss(start, everybody).mean()
    assert found.mean() > 0  # towards the father, whose embedding is the target
    assert learned_weights.agreement(found, found) == pytest.approx(1)
    assert abs(learned_weights.agreement(found, noise(*shape, seed=9))) < 0.5


def test_shares_along_the_direction_of_a_trait():
    trait = torch.zeros(LAYERS, 16)
    trait[1, 3] = 2.0
    label = np.arange(COUPLES) % 2 == 0
    codes = noise(COUPLES, LAYERS, 16) + torch.from_numpy(label).float().view(-1, 1, 1) * trait * 5
    direction = learned_weights.fit_direction(codes, label)
    assert direction.flatten().abs().argmax() == 16 + 3
    along = (codes * direction).sum(dim=(1, 2)).numpy()
    scale = along[label].mean() - along[~label].mean()
    carrier, other = codes[label], codes[~label]
    share = learned_weights.dominant_share(0.8 * carrier + 0.2 * other, carrier, other, direction, scale)
    assert share == pytest.approx(np.full(len(share), 0.8), abs=1e-4)
    assert np.isnan(learned_weights.dominant_share(other, other, other, direction, scale)).all()
