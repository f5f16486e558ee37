"""InterFaceGAN's planes: found where they are, conditional directions leave the others alone."""

import numpy as np
import pytest
import torch

from kinlib.gan.boundaries import condition, fit_boundary
from kinlib.runtime.errors import KinlibError

LAYERS = 4


def codes_with(*planted: torch.Tensor, count: int = 400, seed: int = 0):
    """W+ codes [N, L, 512] with known attributes along known directions [L, 512], and the attributes [N, A]."""
    source = torch.Generator().manual_seed(seed)
    values = torch.randn(count, len(planted), generator=source)
    codes = 0.01 * torch.randn(count, LAYERS, 512, generator=source)
    for column, direction in zip(values.t(), planted, strict=True):
        codes = codes + column[:, None, None] * direction
    return codes, values.numpy()


def direction(seed: int, layers: int = LAYERS) -> torch.Tensor:
    made = torch.randn(layers, 512, generator=torch.Generator().manual_seed(seed))
    return made / made.norm()


def test_plane_is_found_where_it_is():
    planted = direction(1)
    codes, values = codes_with(planted)
    found = fit_boundary(codes, values[:, 0], np.arange(len(codes)) // 2)
    assert found.normal.shape == (LAYERS, 512) and found.normal.norm() == pytest.approx(1, abs=1e-4)
    assert float((found.normal * planted).sum()) > 0.9
    assert found.accuracy > 0.9
    assert np.corrcoef(found.distance(codes), values[:, 0])[0, 1] > 0.95
    assert found.distance(found.move(codes, 2.0)) == pytest.approx(found.distance(codes) + 2, abs=1e-3)


def test_plane_in_w_has_one_vector_for_all_layers():
    planted = direction(2, layers=1).expand(LAYERS, 512)
    codes, values = codes_with(planted)
    found = fit_boundary(codes, values[:, 0] > 0, np.arange(len(codes)), space="w")
    assert found.normal.shape == (1, 512)
    assert float((found.normal[0] * planted[0]).sum()) > 0.9


def test_unrelated_labels_are_not_learned():
    """Held-out people: what is only remembered counts for nothing."""
    codes, _ = codes_with(direction(1))
    labels = np.random.default_rng(0).random(len(codes)) > 0.5
    assert fit_boundary(codes, labels, np.arange(len(codes))).accuracy < 0.65


def test_conditional_direction_leaves_the_others_alone():
    first, second, third = direction(1), direction(2), direction(3)
    mixed = first + 0.5 * second + 0.3 * third
    kept = condition(mixed, {"second": second, "third": third})
    assert kept.norm() == pytest.approx(1, abs=1e-5)
    assert abs(float((kept * second).sum())) < 1e-5 and abs(float((kept * third).sum())) < 1e-5
    # For one other direction it is the paper's n1 - (n1 . n2) n2.
    by_hand = mixed - (mixed * second).sum() * second
    assert torch.allclose(condition(mixed, [second]), by_hand / by_hand.norm(), atol=1e-5)
    assert torch.allclose(condition(first * 3, []), first, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": "z"}, "unknown space 'z'"),
        ({"values": np.zeros(400)}, "at least 10 codes"),
        ({"values": np.zeros(3)}, "do not fit"),
    ],
)
def test_refusals(change, words):
    codes, values = codes_with(direction(1))
    arguments = {"values": values[:, 0], "groups": np.arange(len(codes))} | change
    with pytest.raises(KinlibError, match=words):
        fit_boundary(codes, **arguments)


def test_directions_that_cannot_be_conditioned():
    with pytest.raises(KinlibError, match="of one space"):
        condition(direction(1), [direction(2, layers=1)])
    with pytest.raises(KinlibError, match="nothing is left"):
        condition(direction(1), [direction(2), direction(1)])
