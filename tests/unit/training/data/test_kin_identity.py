"""The identity map: what is linear is found, and its outcome has the size that was asked for."""

import pytest
import torch

from kinlib.training.data.kin_identity import embed_codes, fit_identity_map


def test_a_linear_embedding_is_found():
    rng = torch.Generator().manual_seed(0)
    x, slopes = torch.randn(500, 6, generator=rng), torch.randn(6, 4, generator=rng)
    into = fit_identity_map(x, x @ slopes + 3, weight=2.0)
    found = x @ into
    assert found.square().mean().sqrt().item() == pytest.approx(2, rel=0.05)
    # Distances are those of the embedding, but for one factor.
    wanted, got = torch.pdist(x @ slopes), torch.pdist(found)
    assert torch.corrcoef(torch.stack([wanted, got]))[0, 1] > 0.999


def test_pictures_of_codes_are_embedded():
    from kinlib.checkpoints import weights
    from kinlib.gan.generator import load_generator

    average = load_generator(weights.path("studio_generator")).latent_avg
    codes = average + 0.3 * torch.randn(3, *average.shape, generator=torch.Generator().manual_seed(0))
    counted: list[int] = []
    found = embed_codes(codes, counted.append)
    assert found.shape == (3, 512) and sum(counted) == 3
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-4)
    assert not torch.allclose(found[0], found[1], atol=1e-2)
