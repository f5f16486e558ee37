"""Real-ESRGAN's degradation: kernels with the properties that the paper gives them, and random small pictures."""

import numpy as np
import pytest

from kinlib.faces.degrade import Degradation, blur_kernel, compress, reduce, sinc_kernel


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A colour ramp with stripes."""
    rows, columns = np.mgrid[:160, :160]
    ramp = np.stack([rows, columns, 160 - rows], axis=2) + 60
    return np.uint8(ramp + (columns // 16 % 2)[..., None] * 30)


def spread(kernel: np.ndarray) -> tuple[float, float]:
    """Standard deviations of a kernel along x and y."""
    axis = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(axis, axis)
    return float((kernel * x**2).sum() ** 0.5), float((kernel * y**2).sum() ** 0.5)


@pytest.mark.parametrize("kind", ["gaussian", "generalised", "plateau"])
def test_kernels_sum_to_one_and_are_centred(kind):
    kernel = blur_kernel(kind, 21, (1.2, 2.4), 0.6, 1.5)
    assert kernel.shape == (21, 21) and kernel.dtype == np.float32
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-7)
    assert kernel.argmax() == 21 * 10 + 10


def test_kernels_follow_their_angle():
    wide, high = spread(blur_kernel("gaussian", 21, (2.0, 1.0), 0.0, 1.0))
    assert (wide, high) == pytest.approx((2.0, 1.0), abs=0.02)
    wide, high = spread(blur_kernel("gaussian", 21, (2.0, 1.0), np.pi / 2, 1.0))
    assert (wide, high) == pytest.approx((1.0, 2.0), abs=0.02)


def test_a_generalised_kernel_of_power_one_is_a_gaussian():
    gaussian = blur_kernel("gaussian", 15, (1.5, 1.5), 0.0, 3.0)
    np.testing.assert_allclose(blur_kernel("generalised", 15, (1.5, 1.5), 0.0, 1.0), gaussian, atol=1e-7)
    plateau = blur_kernel("plateau", 15, (3.0, 3.0), 0.0, 2.0)
    assert plateau[7, 7] / plateau[7, 8] < 1.05  # flat on top, as its name says


def test_sinc_passes_low_frequencies_and_stops_high_ones():
    kernel = sinc_kernel(np.pi / 3, 21)
    response = np.abs(np.fft.fft2(kernel, (64, 64)))
    assert kernel.sum() == pytest.approx(1, abs=1e-5) and kernel.min() < 0  # it rings
    assert response[0, 4] == pytest.approx(1, abs=0.1) and response[0, 28] < 0.1


@pytest.mark.parametrize("factor", [2, 4])
def test_degradation(picture, factor):
    degrade = Degradation(factor)
    first, second = (degrade(picture, np.random.default_rng(5)) for _ in range(2))
    other = degrade(picture, np.random.default_rng(6))
    assert first.shape == (160 // factor, 160 // factor, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_strength_is_how_much_is_lost(picture):
    """Against the clean small picture: next to nothing at zero, more on average the stronger; colours stay."""
    clean = np.float32(reduce(picture, 4))
    errors = []
    for strength in (0.0, 0.3, 1.0):
        spoilt = [np.float32(Degradation(4, strength)(picture, np.random.default_rng(seed))) for seed in range(40)]
        errors.append(np.mean([np.abs(one - clean).mean() for one in spoilt]))
        assert np.abs(np.mean(spoilt, axis=(0, 1, 2)) - clean.mean(axis=(0, 1))).max() < 6
    assert errors[0] < 4 < errors[2] and errors[0] < errors[1] < errors[2]


def test_compression_loses_more_at_low_quality(picture):
    x = np.float32(picture) / 255
    fine, coarse = (np.abs(compress(x, quality) - x).mean() for quality in (95, 20))
    assert 0 < fine < coarse < 0.1
