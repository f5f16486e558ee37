"""StyleGAN2 written as the paper's formulas read, slowly: the yardstick for `kinlib.gan`.

Every shortcut that the fast code takes is spelt out here: one set of modulated weights for each sample, a transposed
convolution of stride 2 followed by a two-dimensional filter, zeros inserted before filtering when a picture is doubled.
Functions take the state dict of a network in the published layout.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-8


def kernel_2d(gain: float) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64.0 * gain


def filter_2d(x: Tensor, gain: float, up: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Insert up - 1 zeros after every pixel, pad, and convolve with the 4x4 kernel."""
    batch, channels, height, width = x.shape
    spread = x.new_zeros(batch, channels, height * up, width * up)
    spread[:, :, ::up, ::up] = x
    spread = F.pad(spread, (pad[0], pad[1], pad[0], pad[1]))
    kernel = torch.flip(kernel_2d(gain), (0, 1)).to(x)
    flat = spread.reshape(batch * channels, 1, *spread.shape[2:])
    result = F.conv2d(flat, kernel[None, None])
    return result.view(batch, channels, *result.shape[2:])


def activate(x: Tensor, bias: Tensor) -> Tensor:
    return F.leaky_relu(x + bias.view(1, -1, *([1] * (x.ndim - 2))), 0.2) * math.sqrt(2)


def linear(x: Tensor, state: dict, name: str, lr_mul: float = 1.0) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.linear(x, weight * lr_mul / math.sqrt(weight.shape[1]), state[f"{name}.bias"] * lr_mul)


def mapping(state: dict, z: Tensor) -> Tensor:
    x = z / torch.sqrt((z**2).mean(dim=1, keepdim=True) + EPSILON)
    index = 1
    while f"style.{index}.weight" in state:
        weight = state[f"style.{index}.weight"]
        x = activate(F.linear(x, weight * 0.01 / math.sqrt(weight.shape[1])), state[f"style.{index}.bias"] * 0.01)
        index += 1
    return x


def modulated(state: dict, name: str, x: Tensor, w: Tensor, demodulate: bool, up: bool) -> Tensor:
    weight = state[f"{name}.weight"][0]
    style = linear(w, state, f"{name}.modulation")
    results = []
    for sample, scales in zip(x, style, strict=True):
        kernel = weight / math.sqrt(weight[0].numel()) * scales.view(1, -1, 1, 1)
        if demodulate:
            kernel = kernel / torch.sqrt((kernel**2).sum(dim=(1, 2, 3), keepdim=True) + EPSILON)
        if up:
            results.append(F.conv_transpose2d(sample[None], kernel.transpose(0, 1), stride=2))
        else:
            results.append(F.conv2d(sample[None], kernel, padding=kernel.shape[-1] // 2))
    drawn = torch.cat(results)
    return filter_2d(drawn, gain=4.0, pad=(1, 1)) if up else drawn


def styled(state: dict, name: str, x: Tensor, w: Tensor, noise: Tensor, up: bool = False) -> Tensor:
    x = modulated(state, f"{name}.conv", x, w, demodulate=True, up=up)
    return activate(x + state[f"{name}.noise.weight"] * noise, state[f"{name}.activate.bias"])


def to_rgb(state: dict, name: str, x: Tensor, w: Tensor, skip: Tensor | None) -> Tensor:
    rgb = modulated(state, f"{name}.conv", x, w, demodulate=False, up=False) + state[f"{name}.bias"]
    return rgb if skip is None else rgb + filter_2d(skip, gain=4.0, up=2, pad=(2, 1))


def synthesis(state: dict, w_plus: Tensor) -> Tensor:
    noises = [state[f"noises.noise_{i}"] for i in range(w_plus.shape[1] - 1)]
    x = state["input.input"].repeat(len(w_plus), 1, 1, 1)
    x = styled(state, "conv1", x, w_plus[:, 0], noises[0])
    rgb = to_rgb(state, "to_rgb1", x, w_plus[:, 1], None)
    for level in range((w_plus.shape[1] - 2) // 2):
        first = 2 * level
        x = styled(state, f"convs.{first}", x, w_plus[:, first + 1], noises[first + 1], up=True)
        x = styled(state, f"convs.{first + 1}", x, w_plus[:, first + 2], noises[first + 2])
        rgb = to_rgb(state, f"to_rgbs.{level}", x, w_plus[:, first + 3], rgb)
    return rgb


def plain_conv(state: dict, name: str, x: Tensor, **options) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight / math.sqrt(weight[0].numel()), **options)


def discriminator(state: dict, images: Tensor) -> Tensor:
    x = activate(plain_conv(state, "convs.0.0", images), state["convs.0.1.bias"])
    index = 1
    while f"convs.{index}.conv1.0.weight" in state:
        name = f"convs.{index}"
        y = activate(plain_conv(state, f"{name}.conv1.0", x, padding=1), state[f"{name}.conv1.1.bias"])
        y = plain_conv(state, f"{name}.conv2.1", filter_2d(y, 1.0, pad=(2, 2)), stride=2)
        y = activate(y, state[f"{name}.conv2.2.bias"])
        skip = plain_conv(state, f"{name}.skip.1", filter_2d(x, 1.0, pad=(1, 1)), stride=2)
        x = (y + skip) / math.sqrt(2)
        index += 1
    batch, channels, height, width = x.shape
    group = min(batch, 4)
    y = x.view(group, -1, 1, channels, height, width)
    y = torch.sqrt(y.var(0, unbiased=False) + EPSILON).mean(dim=(2, 3, 4), keepdim=True).squeeze(2)
    x = torch.cat([x, y.repeat(group, 1, height, width)], dim=1)
    x = activate(plain_conv(state, "final_conv.0", x, padding=1), state["final_conv.1.bias"])
    x = x.flatten(1)
    x = activate(F.linear(x, state["final_linear.0.weight"] / math.sqrt(x.shape[1])), state["final_linear.0.bias"])
    return linear(x, state, "final_linear.1")
