"""Augmentation that makes clean renders resemble photographs, so that networks trained on them work on real faces.

Two kinds of change. Content (placement, light, colour, background) changes in the input and in the target alike: the
pair must learn to reconstruct it. Degradation (blur, noise, JPEG, small size, a busy background) changes the input
only: the encoder must learn to ignore it. Strengths for which no source is given were chosen by eye.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinlib.io.face_labels import CLASSES

__all__ = ["Augmentation", "Views", "diff_augment"]

# Classes that are worn and thin, of which a mean over all pixels takes little notice.
WORN = torch.tensor([CLASSES.index(name) for name in ("eye_g", "ear_r", "neck_l")], dtype=torch.uint8)


@dataclass
class Views:
    """A batch for training.

    Attributes:
        source: what the encoder sees, [B, 3, S, S] in [-1, 1].
        target: what the generator should synthesise, the same shape and range.
        weight: importance of each pixel, [B, 1, S, S]; low in the background, high at the eyes and the mouth.
        placement: [B, 2, 3], from a place in these pictures to the place in the original, both in [-1, 1].
    """

    source: Tensor
    target: Tensor
    weight: Tensor
    placement: Tensor

    @property
    def side(self) -> Tensor:
        """[B], -1 where the picture was mirrored, else 1."""
        return torch.linalg.det(self.placement[:, :, :2]).sign()  # a reflection has a negative determinant

    def moved(self, points: Tensor) -> Tensor:
        """Where points [B, K, 2] of the originals lie in these pictures, both in [-1, 1]."""
        # The placement maps results to originals, as `grid_sample` wants it: points take the inverse.
        turn, shift = self.placement[:, :, :2], self.placement[:, :, 2]  # [B, 2, 2], [B, 2]
        return torch.linalg.solve(turn, (points - shift[:, None]).mT).mT


@dataclass
class Augmentation:
    """Strengths of the changes; every random number comes from `generator`.

    Attributes:
        size: side of the result in pixels.
        strength: factor on everything; 0 only flips and resizes.
        background_weight: importance of background pixels.
        feature_weight: added importance of pixels at the eyes and the mouth, which are small and make the person.
        worn_weight: added importance of what is worn and small or thin: glasses, earrings, necklaces.
    """

    size: int
    strength: float = 1.0
    background_weight: float = 0.2
    feature_weight: float = 3.0
    worn_weight: float = 0.0

    def __call__(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Views:
        """Args: images uint8 [B, 3, H, W], labels [B, H, W], the classes of their pixels."""
        masks = torch.stack([labels > 0, torch.isin(labels, WORN)], dim=1).float()
        x = torch.cat([images.float() / 127.5 - 1, masks], dim=1)  # [B, 5, H, W]: colours, head, worn
        x, placement = self._place(x, generator)
        target, alpha, worn = x[:, :3].contiguous(), x[:, 3:4], x[:, 4:]
        busy, calm = self._backgrounds(target, alpha, generator)
        source = busy * (1 - alpha) + target * alpha
        target = calm * (1 - alpha) + target * alpha
        light = self._light(len(x), generator)  # one for both: the encoder could not know another
        source, target = light(source), light(target)
        source = self._degrade(source, generator)
        weight = self.background_weight + (1 - self.background_weight) * alpha
        weight = weight * (1 + self.feature_weight * _features(self.size) + self.worn_weight * worn)
        return Views(source.clamp(-1, 1), target.clamp(-1, 1), weight, placement)

    def _place(self, x: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """Mirror half of the pictures; shift, rotate and scale all a little, as errors of alignment do."""
        n, s = len(x), self.strength
        flip = torch.where(_uniform(n, 0, 1, g) < 0.5, -1.0, 1.0)
        angle = _normal(n, s * math.radians(2.5), g)
        zoom = torch.exp(_normal(n, s * 0.03, g))  # 3% of the size
        shift = _normal((n, 2), s * 0.02, g)  # 1% of the side, which is 2 in these coordinates
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        rows = torch.stack([cos * flip, -sin, shift[:, 0], sin * flip, cos, shift[:, 1]], dim=1).view(
            n, 2, 3
        )  # [B, 2, 3]
        grid = F.affine_grid(rows, [n, x.shape[1], self.size, self.size], align_corners=False)
        how = {"padding_mode": "border", "align_corners": False}
        # Bilinear weights average, which smaller pictures need; at full size they would make the targets soft.
        mode = "bicubic" if self.size >= x.shape[-1] else "bilinear"
        colours = F.grid_sample(x[:, :3], grid, mode=mode, **how).clamp(-1, 1)
        return torch.cat([colours, F.grid_sample(x[:, 3:], grid, mode="bilinear", **how)], dim=1), rows

    def _backgrounds(self, x: Tensor, alpha: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """Another background for 60% of the pictures at full strength: (encoder's, busy; target's, calm)."""
        n = len(x)
        # Fields of 3 x 3 random colours, enlarged: what a target may hold, since a code can describe it.
        calm = F.interpolate(_muted((n, 3), g), self.size, mode="bilinear")
        # 12 x 12 patches on top, which no code could hold: seen by the encoder alone.
        texture = F.interpolate(_muted((n, 12), g), self.size, mode="bilinear") * _uniform((n, 1, 1, 1), 0, 0.8, g)
        busy = calm + texture
        keep = (_uniform((n, 1, 1, 1), 0, 1, g) < 1 - 0.6 * min(self.strength, 1)).float()
        return x * keep + busy * (1 - keep), x * keep + calm * (1 - keep)

    def _light(self, n: int, g: torch.Generator):
        """Exposure, white balance, contrast, saturation and a slope of light across the picture."""
        s = self.strength
        # Factors are log-normal, so that twice and half are equally likely. Exposure varies by 12%, a channel by 5%.
        gain = torch.exp(_normal((n, 1, 1, 1), 0.12 * s, g) + _normal((n, 3, 1, 1), 0.05 * s, g))  # [B, 3, 1, 1]
        gamma = torch.exp(_normal((n, 1, 1, 1), 0.15 * s, g))
        saturation = torch.exp(_normal((n, 1, 1, 1), 0.15 * s, g))
        slope = _normal((n, 2, 1, 1), 0.12 * s, g)
        ramp = torch.linspace(-1, 1, self.size)
        slope = torch.exp(slope[:, :1] * ramp.view(1, 1, 1, -1) + slope[:, 1:] * ramp.view(1, 1, -1, 1))  # [B, 1, S, S]

        def apply(x: Tensor) -> Tensor:
            x = ((x + 1) / 2).clamp(0, 1)  # gamma and gain are defined for [0, 1]
            grey = x.mean(dim=1, keepdim=True)
            x = (grey + (x - grey) * saturation).clamp(1e-4, 1) ** gamma * gain * slope
            return x.clamp(0, 1) * 2 - 1

        return apply

    def _degrade(self, x: Tensor, g: torch.Generator) -> Tensor:
        """Blur, a smaller size, sensor noise and JPEG, each on some pictures."""
        p = 0.4 * min(self.strength, 1.0)  # of each: 13% of the pictures stay as they are at full strength
        n = len(x)
        some = [(_uniform(n, 0, 1, g) < p).nonzero().flatten() for _ in range(4)]
        x = x.clone()
        if len(some[0]):
            # The largest sigma is 1 px at 64 px, 2 px at 128 px.
            x[some[0]] = _blur(x[some[0]], _uniform(len(some[0]), 0.4, 1.0 * self.size / 64, g))
        if len(some[1]):
            small = int(self.size * float(_uniform(1, 0.35, 0.9, g)))
            low = F.interpolate(x[some[1]], small, mode="bilinear", antialias=True)
            x[some[1]] = F.interpolate(low, self.size, mode="bicubic")
        if len(some[2]):
            level = _uniform((len(some[2]), 1, 1, 1), 0.0, 0.1, g)  # standard deviation, up to 5% of the range
            x[some[2]] += torch.randn(x[some[2]].shape, generator=g) * level
        for i in some[3].tolist():
            x[i] = _jpeg(x[i], int(_uniform(1, 25, 90, g)))
        return x


def _features(size: int) -> Tensor:
    """Gaussian spots on the eyes and the mouth, where the FFHQ crop puts them: [size, size] from 0 to 1."""
    axis = (torch.arange(size) + 0.5) / size
    # Centres and deviations in shares of the side, set by eye on aligned faces.
    spots = [
        torch.exp(-0.5 * (((axis[None] - x) / wide) ** 2 + ((axis[:, None] - y) / high) ** 2))
        for x, y, wide, high in ((0.375, 0.47, 0.06, 0.035), (0.62, 0.47, 0.06, 0.035), (0.5, 0.74, 0.08, 0.04))
    ]
    return torch.stack(spots).amax(dim=0)


def _uniform(shape, low: float, high: float, g: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=g) * (high - low) + low


def _normal(shape, sigma: float, g: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=g) * sigma


def _muted(shape: tuple[int, int], g: torch.Generator) -> Tensor:
    """Random fields [N, 3, K, K] of mostly greyish colours, for `shape` = (N, K)."""
    n, k = shape
    grey = torch.rand(n, 1, k, k, generator=g) * 1.6 - 0.8  # in [-0.8, 0.8]: neither black nor white
    return (grey + _normal((n, 3, 1, 1), 0.15, g) + _normal((n, 3, k, k), 0.1, g)).clamp(-1, 1)


def _blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with one sigma (pixels) for each picture."""
    n, channels, height, width = x.shape
    steps = torch.arange(-4, 5, dtype=x.dtype)  # 9 taps: two deviations of the largest sigma, 2 px at 128 px
    taps = torch.exp(-0.5 * (steps / sigma[:, None]) ** 2)
    taps = (taps / taps.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)  # [B C, 9]
    # One grouped convolution for all pictures, each with its own filter.
    flat = x.reshape(1, n * channels, height, width)  # [1, B C, H, W]
    flat = F.conv2d(F.pad(flat, (4, 4, 0, 0), mode="reflect"), taps[:, None, None, :], groups=n * channels)
    flat = F.conv2d(F.pad(flat, (0, 0, 4, 4), mode="reflect"), taps[:, None, :, None], groups=n * channels)
    return flat.view_as(x)


def _jpeg(x: Tensor, quality: int) -> Tensor:
    """One picture [3, H, W] through a real JPEG file in memory."""
    file = io.BytesIO()
    pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 127.5 - 1


def diff_augment(x: Tensor) -> Tensor:
    """Differentiable augmentation for both sides of a discriminator (Zhao et al. 2020): colour, shift, cutout.

    Args:
        x: [B, 3, S, S]; the same function must be used on real and on generated pictures.
    """
    n, _, side, _ = x.shape
    place = {"device": x.device, "dtype": x.dtype}
    # Brightness, saturation and contrast, in narrower ranges than the paper's: +-0.5, 0 to 2, 0.5 to 1.5.
    x = x + (torch.rand(n, 1, 1, 1, **place) - 0.5) * 0.4
    mean = x.mean(dim=1, keepdim=True)
    x = mean + (x - mean) * (0.6 + 0.8 * torch.rand(n, 1, 1, 1, **place))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = mean + (x - mean) * (0.75 + 0.5 * torch.rand(n, 1, 1, 1, **place))
    reach = side // 8  # largest shift, as in the paper
    dx, dy = torch.randint(-reach, reach + 1, (2, n, 1), device=x.device)
    index = torch.arange(side, device=x.device)[None]
    # Indices into a picture with a border of zeros, where everything beyond the edge lands.
    cols, rows = (index + dx).clamp(-1, side) + 1, (index + dy).clamp(-1, side) + 1  # [B, S]
    padded = F.pad(x, (1, 1, 1, 1))
    batch = torch.arange(n, device=x.device)[:, None, None]
    x = padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2)  # [B, 3, S, S]
    hole = side // 4  # side of the cutout, half of the paper's
    cx, cy = torch.randint(0, side, (2, n, 1), device=x.device)
    outside = ((index - cx).abs() > hole // 2)[:, None, :] | ((index - cy).abs() > hole // 2)[:, :, None]
    return x * outside[:, None].to(x.dtype)
