"""What happens to a photograph before anybody wants it larger: Real-ESRGAN's high-order degradation.

After Wang et al. 2021 (Real-ESRGAN), section 3 and the ranges of its appendix: blur, resize, noise and JPEG, the whole
twice over, with a sinc filter at the end for the ringing and overshoot that sharpening leaves. Each picture draws its
own strength, so that a network meets nearly clean pictures as well as bad ones: small family photographs are mostly the
former, and a network that has seen nothing but bad ones smooths everything.
"""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from scipy.special import j1

__all__ = ["Degradation", "blur_kernel", "compress", "compress_pixels", "reduce", "sinc_kernel"]

RESIZES = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
KERNELS = ("gaussian", "generalised", "plateau")
SHARES = (0.70, 0.15, 0.15)  # of the kernels above, with and without a direction
DIRECTED = 0.35  # share of kernels that blur more in one direction
SINC = 0.1  # share of sinc kernels among the blurs


@dataclass(frozen=True)
class _Order:
    """Ranges of one round at full strength."""

    blurred: float  # share of the pictures
    sigma: float  # pixels, largest
    up: float  # share of the pictures that are enlarged on the way
    down: float  # ... and reduced
    factors: tuple[float, float]
    noise: float  # largest standard deviation, of 255
    poisson: float  # largest scale
    quality: int  # of JPEG, lowest


FIRST = _Order(1.0, 3.0, 0.2, 0.7, (0.15, 1.5), 30.0, 3.0, 30)
SECOND = _Order(0.8, 1.5, 0.3, 0.4, (0.3, 1.2), 25.0, 2.5, 30)
GREY_NOISE = 0.4  # share of noise that is the same in all channels
FINAL_SINC = 0.8


@dataclass(frozen=True)
class Degradation:
    """A random small picture for a large one.

    Attributes:
        factor: how many times smaller.
        strength: 1 for the paper's ranges; each picture draws its own from 0 up to this.
    """

    factor: int
    strength: float = 1.0

    def __call__(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """uint8 [H, W, 3] -> uint8 [H / factor, W / factor, 3]; H and W are multiples of the factor."""
        strength = float(rng.uniform(0, self.strength))
        height, width = picture.shape[0] // self.factor, picture.shape[1] // self.factor
        x = picture.astype(np.float32) / 255
        x = _round(x, FIRST, strength, None, rng)
        x = _round(x, SECOND, strength, (width, height), rng)
        return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def reduce(picture: np.ndarray, factor: int) -> np.ndarray:
    """A clean small picture, uint8, as a photographer's program makes it: bicubic and antialiased."""
    size = (picture.shape[1] // factor, picture.shape[0] // factor)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def blur_kernel(kind: str, size: int, sigmas: tuple[float, float], angle: float, power: float) -> np.ndarray:
    """A blur that sums to one, float32 [size, size].

    Args:
        kind: "gaussian"; "generalised", exp(-r^(2 power) / 2); or "plateau", 1 / (1 + r^(2 power)).
        size: odd.
        sigmas: pixels along the two axes.
        angle: radians by which the axes are rotated.
        power: of the two latter kinds; 1 makes a generalised kernel a Gaussian.
    """
    axis = np.arange(size, dtype=np.float64) - size // 2
    x, y = np.meshgrid(axis, axis)
    along = (x * np.cos(angle) + y * np.sin(angle)) / sigmas[0]
    across = (-x * np.sin(angle) + y * np.cos(angle)) / sigmas[1]
    squared = along**2 + across**2
    if kind == "plateau":
        kernel = 1 / (1 + squared**power)
    else:
        kernel = np.exp(-0.5 * squared ** (power if kind == "generalised" else 1.0))
    return np.float32(kernel / kernel.sum())


def sinc_kernel(cutoff: float, size: int) -> np.ndarray:
    """The round low-pass filter with a cut-off in radians per pixel: it rings; float32 [size, size], sum one."""
    axis = np.arange(size, dtype=np.float64) - size // 2
    radius = np.hypot(*np.meshgrid(axis, axis))
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return np.float32(kernel / kernel.sum())


def compress(x: np.ndarray, quality: int) -> np.ndarray:
    """A picture, float32 in [0, 1], through a real JPEG file in memory."""
    pixels = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    return compress_pixels(pixels, quality).astype(np.float32) / 255


def compress_pixels(picture: np.ndarray, quality: int) -> np.ndarray:
    """The same of a picture uint8 [H, W, 3]."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _round(
    x: np.ndarray, order: _Order, strength: float, size: tuple[int, int] | None, rng: np.random.Generator
) -> np.ndarray:
    """Blur, resize, noise, JPEG; with a final `size` (width, height), the resize to it and the sinc filter as well."""
    if rng.random() < order.blurred:
        x = cv2.filter2D(x, -1, _random_kernel(order, strength, rng), borderType=cv2.BORDER_REFLECT)
    x = _resize_at_random(x, order, strength, size, rng)
    x = _noise(x, order, strength, rng)
    quality = int(rng.uniform(95 - (95 - order.quality) * strength, 95))
    if size is None:
        return compress(x, quality)
    if rng.random() < 0.5:  # the two last steps come in either order
        return compress(_finish(x, strength, size, rng), quality)
    return _finish(compress(x, quality), strength, size, rng)


def _random_kernel(order: _Order, strength: float, rng: np.random.Generator) -> np.ndarray:
    size = 2 * int(rng.integers(3, 11)) + 1
    if rng.random() < SINC:
        lowest = np.pi / 3 if size < 13 else np.pi / 5
        return sinc_kernel(float(np.pi - rng.uniform(0, strength) * (np.pi - lowest)), size)
    sigma, other = (float(rng.uniform(0.2, 0.2 + (order.sigma - 0.2) * strength)) for _ in range(2))
    kind = str(rng.choice(KERNELS, p=SHARES))
    angle = float(rng.uniform(-np.pi, np.pi))
    power = float(rng.uniform(0.5, 4.0) if kind == "generalised" else rng.uniform(1.0, 2.0))
    return blur_kernel(kind, size, (sigma, other if rng.random() < DIRECTED else sigma), angle, power)


def _resize_at_random(
    x: np.ndarray, order: _Order, strength: float, size: tuple[int, int] | None, rng: np.random.Generator
) -> np.ndarray:
    """Larger, smaller or as it is; in the last round the factor counts from the final size."""
    low, high = order.factors
    draw, factor = rng.random(), 1.0
    if draw < order.up:
        factor = rng.uniform(1, 1 + (high - 1) * strength)
    elif draw < order.up + order.down:
        factor = rng.uniform(1 - (1 - low) * strength, 1)
    width, height = size or (x.shape[1], x.shape[0])
    target = max(4, round(width * factor)), max(4, round(height * factor))
    return cv2.resize(x, target, interpolation=int(rng.choice(RESIZES)))


def _noise(x: np.ndarray, order: _Order, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian or Poisson noise, coloured or grey."""
    grey = rng.random() < GREY_NOISE
    shape = (*x.shape[:2], 1) if grey else x.shape
    if rng.random() < 0.5:
        return np.float32(x + rng.normal(0, rng.uniform(0, order.noise * strength) / 255, shape))
    scale = rng.uniform(0, order.poisson * strength)
    light = np.clip(x.mean(axis=2, keepdims=True) if grey else x, 0, 1)
    counted = rng.poisson(light * 255) / 255 - light
    return np.float32(x + scale * counted)


def _finish(x: np.ndarray, strength: float, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """To the final size, and through a sinc filter."""
    x = cv2.resize(x, size, interpolation=int(rng.choice(RESIZES)))
    if rng.random() < FINAL_SINC * strength:
        x = cv2.filter2D(x, -1, sinc_kernel(float(rng.uniform(np.pi / 3, np.pi)), 21), borderType=cv2.BORDER_REFLECT)
    return x
