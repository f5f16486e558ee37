"""Measures of an autoencoder: PSNR by hand, and the whole table of a network that has learned nothing."""

import numpy as np
import pytest
import torch

from kinlib.evaluation.autoencoder import measure_vae, psnr_db
from kinlib.faces.identity import load_identity
from kinlib.search.vae import VAE


def test_psnr_by_hand():
    wanted = torch.zeros(2, 3, 8, 8)
    found = torch.stack([torch.full((3, 8, 8), 0.2), torch.full((3, 8, 8), 2.0)])
    assert psnr_db(found, wanted).tolist() == pytest.approx([20.0, 0.0], abs=1e-4)
    assert torch.isfinite(psnr_db(wanted, wanted)).all()


def test_all_measures_are_numbers_and_bound():
    torch.manual_seed(0)
    net = VAE(64, 4, 6).eval()
    pictures = torch.rand(8, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        net.fit_coordinates(net.encode(pictures)[0])
    measured = measure_vae(net, pictures, load_identity(), second=pictures.flip(0))
    assert np.isfinite(list(measured.values())).all()
    assert measured["frechet_other_view"] == pytest.approx(0, abs=1e-3)  # the same pictures in another order
    assert measured["identification_rate_other_view_of_originals"] == 0
    assert "frechet_other_view" not in measure_vae(net, pictures, load_identity())
