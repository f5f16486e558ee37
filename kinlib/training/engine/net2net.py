"""A trained pair in larger networks that at first compute the same (Net2Net, Chen et al. 2016).

Training resumes in larger networks where a smaller pair has stopped improving, instead of starting from random weights.
New channels of the generator feed weights of zero. New units of the encoder add nothing, since the last of their
weights are zero (Goyal et al. 2017, section 5.1). Heads that read a finer grid begin with the weights of the coarse
cells that their cells lie in.
"""

import math

import torch
from torch import Tensor, nn

from kinlib.gan.encoder import BottleneckIRSE, Encoder
from kinlib.gan.generator import Generator, ModulatedConv2d

__all__ = ["deepen_encoder", "refine_heads", "widen_generator"]


@torch.no_grad()
def widen_generator(large: Generator, small: Generator) -> None:
    """Copy a generator's weights into one of the same resolution with as many channels or more, in place.

    Raises:
        RuntimeError: if `large` lacks a layer of `small`.
    """
    state = small.state_dict()
    for name, layer in small.named_modules():
        if isinstance(layer, ModulatedConv2d):
            wider = large.get_submodule(name)
            # weight [1, out, in, k, k]: what reads new channels is zero, what reads old ones keeps its product with
            # the equalised learning rate's scale, one by the root of the number of input channels.
            wider.weight[:, : layer.weight.shape[1]] = 0
            state[f"{name}.weight"] = layer.weight * (layer.scale / wider.scale)
    _copy_corners(large, state)
    large.latent_avg.copy_(small.latent_avg)


@torch.no_grad()
def deepen_encoder(large: Encoder, small: Encoder) -> None:
    """Copy a compact encoder's weights into one of the same widths with as many units or more, in place.

    Raises:
        RuntimeError: if `large` lacks a layer of `small`.
    """
    existing = set(dict(small.backbone.named_modules()))
    for name, unit in large.backbone.named_modules():
        if isinstance(unit, BottleneckIRSE) and name not in existing:
            # 4: the scale of the batch normalisation that ends the residual branch, so that the unit is the identity
            unit.res_layer[4].weight.zero_()
    _copy_corners(large.backbone, small.backbone.state_dict())
    large.latent_avg.copy_(small.latent_avg)


@torch.no_grad()
def refine_heads(fine: Encoder, coarse: Encoder) -> None:
    """Copy a compact encoder's weights into one that differs in a finer grid of its heads, in place."""
    state, wanted = coarse.backbone.state_dict(), fine.backbone.state_dict()
    for name, weight in state.items():
        factor = math.isqrt(wanted[name].numel() // weight.numel())  # cells of the fine grid along a side of a cell
        if factor > 1:
            cells = weight.unflatten(1, (-1, 4, 4))  # [hidden, C 16] -> [hidden, C, 4, 4]
            # A coarse cell is the mean of its fine ones, so each has its share of the weight.
            finer = cells.repeat_interleave(factor, 2).repeat_interleave(factor, 3) / factor**2
            state[name] = finer.flatten(1)  # [hidden, C, s, s] -> [hidden, C s^2]
    fine.backbone.load_state_dict(state)
    fine.latent_avg.copy_(coarse.latent_avg)


def _copy_corners(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy each tensor into the leading corner of the one of its name."""
    own = net.state_dict()
    if missing := sorted(set(state) - set(own)):
        raise RuntimeError(f"the larger network has no {missing[0]}")
    for name, tensor in state.items():
        if any(mine < other for mine, other in zip(own[name].shape, tensor.shape, strict=True)):
            raise RuntimeError(f"{name} is {list(own[name].shape)}, which is too small for {list(tensor.shape)}")
        own[name][tuple(slice(side) for side in tensor.shape)] = tensor  # state_dict shares memory with the network
