"""The few operations that StyleGAN2 adds to PyTorch: equalised layers, FIR resampling, modulated convolution.

All of it is plain PyTorch: differentiable (twice, for R1 and path length), on CPU and CUDA, in any floating type, and
clean under autocast and `torch.compile`. Where the official implementation compiles a CUDA kernel or builds one group
of filters per sample, this module uses an identity:

- modulating the *weights* per sample equals scaling the input channels before, and the output channels after, one
  ordinary convolution (Karras et al. 2020, section 2.2 and appendix B). The ordinary convolution keeps the fast path on
  every device and needs no weights per sample; for a single sample the weights themselves are scaled, which is cheaper
  than passing over the picture.
- the 4x4 FIR filter runs as one depthwise convolution that pads by itself; doubling a picture is written out without
  the zeros that the formula inserts.

Module and parameter names follow the published checkpoints (rosinality's layout), so that those load as they are.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "Blur",
    "EqualConv2d",
    "EqualLinear",
    "FusedLeakyReLU",
    "PixelNorm",
    "Upsample",
    "fir_filter",
    "fir_kernel",
    "leaky_relu_scaled",
    "modulated_conv2d",
    "upsample_2x",
]

SQRT2 = math.sqrt(2.0)  # gain of every activation: with a slope of 0.2 the second moment stays about 1 (0.52 * 2)
SLOPE = 0.2  # of the leaky ReLU below zero, in all of StyleGAN2
FIR_TAPS = (1.0, 3.0, 3.0, 1.0)  # binomial filter (1 + z)^3; StyleGAN2's `resample_kernel`
TINY = 1e-8  # added to squares before a root; part of the published networks (PixelNorm, demodulation)


def fir_kernel(gain: float = 1.0) -> Tensor:
    """The [4, 4] FIR kernel of StyleGAN2, which sums to `gain`; kept as a buffer because the checkpoints have it."""
    total = sum(FIR_TAPS) ** 2  # 64, by which all products are divided exactly
    return torch.tensor([[one * other / total * gain for other in FIR_TAPS] for one in FIR_TAPS])  # [4, 4]


def fir_filter(x: Tensor, kernel: Tensor, pad: int) -> Tensor:
    """Filter every channel of a picture with one kernel.

    Args:
        x: [B, C, H, W].
        kernel: [4, 4]; symmetric, so that correlation and convolution are the same.
        pad: zeros added on every side.

    Returns:
        [B, C, H + 2 * pad - 3, W + 2 * pad - 3].
    """
    channels = x.shape[1]
    # Every channel is a group of its own. Channels last, as `synthesis` has it; another layout would be converted.
    kernel = kernel.to(x.dtype).expand(channels, 1, -1, -1)  # [C, 1, 4, 4]
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, kernel, padding=pad, groups=channels)  # [B, C, H + 2 * pad - 3, W + 2 * pad - 3]


def upsample_2x(x: Tensor) -> Tensor:
    """Double a picture's size with the FIR kernel: [B, C, H, W] -> [B, C, 2H, 2W].

    Inserting zeros and filtering with 2 * [1, 3, 3, 1]/8 gives, between the pixels p and q, the values (3p + q)/4 and
    (p + 3q)/4; that is written out here, so no zero is ever multiplied.
    """
    return _double(_double(x, 2), 3)  # the kernel is separable: rows, then columns


def _double(x: Tensor, dim: int) -> Tensor:
    """Double one dimension, 2 (rows) or 3 (columns); shapes below are for rows."""
    n = x.shape[dim]  # H
    pad = [0, 0, 1, 1] if dim == 2 else [1, 1, 0, 0]  # F.pad counts from the last dimension
    wide = F.pad(x, pad)  # [B, C, H + 2, W]; beyond the border the picture is zero, as in the filter
    centre = x * 0.75  # 3/4 of the pixel itself, 1/4 of the neighbour on the side of the new pixel
    before = torch.add(centre, wide.narrow(dim, 0, n), alpha=0.25)  # [B, C, H, W], upper of the two new rows
    after = torch.add(centre, wide.narrow(dim, 2, n), alpha=0.25)  # [B, C, H, W], lower
    return torch.stack((before, after), dim=dim + 1).flatten(dim, dim + 1)  # [B, C, H, 2, W] -> [B, C, 2H, W]


def leaky_relu_scaled(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """`sqrt(2) * leaky_relu(x + bias, 0.2)`: the gain keeps the variance of the activations."""
    if bias is not None:
        x = x + bias.to(x.dtype).view(1, -1, *([1] * (x.ndim - 2)))  # [1, C, 1, 1], or [1, C] for vectors
    return F.leaky_relu(x, SLOPE) * SQRT2


class PixelNorm(nn.Module):
    """Scale each sample to unit mean square over dimension 1."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + TINY)


class EqualLinear(nn.Module):
    """Linear layer with an equalised learning rate (Karras et al. 2018, section 4.1).

    Args:
        in_features, out_features: sizes.
        bias_init: start of the bias.
        lr_mul: learning-rate multiplier; the stored weights are divided by it.
        activate: apply the scaled leaky ReLU.
    """

    def __init__(
        self, in_features: int, out_features: int, bias_init: float = 0.0, lr_mul: float = 1.0, activate: bool = False
    ):
        super().__init__()
        # Stored at unit variance, scaled at run time: Adam's steps are then of the same relative size in all layers.
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_mul)
        self.bias = nn.Parameter(torch.full((out_features,), float(bias_init)))
        self.scale = lr_mul / math.sqrt(in_features)  # He's constant; its gain of sqrt(2) is in the activation
        self.lr_mul = lr_mul
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        if self.activate:
            return leaky_relu_scaled(F.linear(x, self.weight * self.scale), self.bias * self.lr_mul)
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_mul)


class EqualConv2d(nn.Module):
    """Convolution with an equalised learning rate; no bias (an activation that follows carries it)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.scale = 1 / math.sqrt(in_channels * kernel**2)  # 1 / sqrt(fan-in), as in `EqualLinear`
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, stride=self.stride, padding=self.padding)


class FusedLeakyReLU(nn.Module):
    """Bias and scaled leaky ReLU; named after the official fused kernel because the checkpoints use the name."""

    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu_scaled(x, self.bias)


class Blur(nn.Module):
    """The FIR filter as a layer; its kernel is a buffer because the checkpoints have it."""

    def __init__(self, pad: int, gain: float = 1.0):
        super().__init__()
        self.register_buffer("kernel", fir_kernel(gain))
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        return fir_filter(x, self.kernel, self.pad)


class Upsample(nn.Module):
    """`upsample_2x` as a layer, with the checkpoints' buffer `kernel`."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", fir_kernel(4.0))  # 4 = 2 x 2, for the zeros that the formula inserts

    def forward(self, x: Tensor) -> Tensor:
        return upsample_2x(x)


def modulated_conv2d(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True, up: bool = False) -> Tensor:
    """Convolution whose input channels are scaled by a style (Karras et al. 2020, equations 1 and 3).

    Args:
        x: [B, I, H, W].
        weight: [O, I, K, K], already multiplied by its equalised-learning-rate constant.
        style: [B, I].
        demodulate: bring each output channel back to unit variance.
        up: double the size with a stride-2 transposed convolution; the caller filters its [2H+1, 2W+1] result.

    Returns:
        [B, O, H, W], or [B, O, 2H+1, 2W+1] with `up`.
    """
    # Dividing the style by its largest entry keeps half precision in range; demodulation takes the factor out again.
    # Without demodulation (`to_rgb`) nothing would, so there the style stays as it is.
    weight, style = weight.float(), style.float()
    factor = style.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) if demodulate else None  # [B, 1]; 1e-12: no 0 / 0
    if factor is not None:
        style = style / factor  # [B, I], within [-1, 1]
    sigma = _demodulation(weight, style, factor) if demodulate else None  # [B, O] or None
    if x.shape[0] == 1:  # one sample: scale the weights, which are smaller than the features from 64 px on
        weight = weight * style.view(1, -1, 1, 1)  # [O, I, K, K] * [1, I, 1, 1], equation 1
        if sigma is not None:
            weight = weight * sigma.view(-1, 1, 1, 1)  # [O, I, K, K] * [O, 1, 1, 1], equation 3
        return _conv(x, weight, up)
    # Several samples: the same products, but with the features, so that all share one convolution.
    x = x * style.to(x.dtype)[:, :, None, None]  # [B, I, H, W] * [B, I, 1, 1]
    x = _conv(x, weight, up)  # [B, O, H, W]
    return x if sigma is None else x * sigma.to(x.dtype)[:, :, None, None]  # [B, O, H, W] * [B, O, 1, 1]


def _demodulation(weight: Tensor, style: Tensor, factor: Tensor) -> Tensor:
    """1 / standard deviation of each output channel: [O, I, K, K], [B, I], [B, 1] -> [B, O]."""
    # Sum over i, k of (s_i w_oik)^2 = sum over i of s_i^2 (sum over k of w_oik^2): one matrix product for the batch.
    energy = weight.square().sum(dim=(2, 3))  # [O, I]
    return torch.rsqrt(style.square() @ energy.t() + TINY / factor.square())  # [B, O]; TINY is scaled as the style is


def _conv(x: Tensor, weight: Tensor, up: bool) -> Tensor:
    # Styles and demodulation are computed in float32; only the convolution runs in autocast's type.
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    weight = weight.to(x.dtype)
    if up:
        return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # weights [I, O, K, K] -> [B, O, 2H + 1, 2W + 1]
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)  # [B, O, H, W]
