"""Layers that several published networks share, as their formulas read.

Functions take the state dict of a network in the published layout and the name of the layer in it.
"""

import torch
from torch import Tensor

EPSILON = 1e-5  # of batch normalisation


def normalise(state: dict, name: str, x: Tensor) -> Tensor:
    """Batch normalisation of a trained network: by what it saw in training, not by this batch."""
    mean, variance, weight, bias = (
        state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(variance + EPSILON) * weight + bias


def stretch(x: Tensor, height: int, width: int) -> Tensor:
    """Enlarge linearly; the centres of the corner pixels stay the centres of the corner pixels."""
    rows, columns = stretching(x.shape[2], height).to(x), stretching(x.shape[3], width).to(x)
    return torch.einsum("hi,bcij,wj->bchw", rows, x, columns)


def stretching(before: int, after: int) -> Tensor:
    """[after, before]: what each new pixel of a line takes from each old one."""
    place = torch.arange(after, dtype=torch.float64) * (before - 1) / (after - 1)
    distance = (place[:, None] - torch.arange(before)).abs()
    return (1 - distance).clamp(min=0)
