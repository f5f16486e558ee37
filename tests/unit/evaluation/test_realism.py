"""Distances between sets of pictures, and the detector's view of them."""

import numpy as np
import pytest
import skimage.data
import torch
from torchmetrics.image.kid import poly_mmd

from kinlib.evaluation.realism import detection_rate, frechet_distance, kernel_distance
from kinlib.runtime.errors import KinlibError


def normal(seed: int, count: int, mean: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    return mean + scale * torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def test_frechet_distance_of_known_normals():
    """Of N(0, 1) and N(1, 4) in four dimensions: 4 * (1 + (2 - 1)^2) = 8."""
    assert frechet_distance(normal(0, 20000), normal(1, 20000, 1.0, 2.0)) == pytest.approx(8, rel=0.03)
    assert frechet_distance(normal(0, 500), normal(0, 500)) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_that_of_torchmetrics_and_unbiased():
    x, y = normal(0, 50), normal(1, 50, 0.5)
    expected = poly_mmd(x.double(), y.double(), degree=3, gamma=0.25, coef=1.0)
    assert kernel_distance(x, y) == pytest.approx(float(expected), rel=1e-6)
    found = [kernel_distance(normal(2 * seed, 20), normal(2 * seed + 1, 20)) for seed in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 200**0.5 and min(found) < 0


def test_faces_are_detected_and_noise_is_not():
    face = torch.from_numpy(skimage.data.astronaut()[:256, 96:352].copy()).permute(2, 0, 1)[None] / 127.5 - 1
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert detection_rate(torch.cat([face, noise])) == 0.5


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (normal(0, 1), "2 or more"),
        (normal(0, 9)[:, :3], "one dimension"),
        (normal(0, 9) / 0, "finite"),
        (normal(0, 9).tolist(), "not list"),
    ],
)
def test_features_that_cannot_be_compared(distance, x, words):
    with pytest.raises(KinlibError, match=words):
        distance(x, normal(1, 9))


def test_features_may_be_arrays():
    x, y = normal(0, 50), normal(1, 50, 0.5)
    for distance in (frechet_distance, kernel_distance):
        assert distance(x.numpy(), y.numpy()) == distance(x, y)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 8, 8, 3), np.uint8),
        torch.zeros(0, 3, 8, 8),
        torch.zeros(2, 1, 8, 8),
        torch.full((1, 3, 8, 8), torch.nan),
        torch.full((1, 3, 8, 8), 255.0),
    ],
)
def test_pictures_that_are_none(images):
    with pytest.raises(KinlibError, match="pictures"):
        detection_rate(images)
