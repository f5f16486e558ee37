"""StyleGene's latent-based gene encoder and gene decoder as plain functions of a published state dict.

Written from the layout of `stylegene_N18.ckpt`; nothing is shared with `kinlib.inheritance.genes`.
"""

import math

import torch
from torch import Tensor

EPS = 1e-5  # of PyTorch's layer normalisation


def _normal(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    scaled = centred / torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + EPS)
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def _gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def _block(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    """A Mixer layer on [B, T, D]: a convolution of width 1 over the tokens, a linear layer over the channels."""
    y = _normal(x, state, f"{name}.0.norm")
    first, last = (state[f"{name}.0.fn.{i}.weight"][:, :, 0] for i in (0, 3))
    y = _gelu(torch.einsum("ht,btd->bhd", first, y) + state[f"{name}.0.fn.0.bias"][:, None])
    x = x + torch.einsum("th,bhd->btd", last, y) + state[f"{name}.0.fn.3.bias"][:, None]
    y = _normal(x, state, f"{name}.1.norm")
    first, last = (state[f"{name}.1.fn.{i}.weight"] for i in (0, 3))
    y = _gelu(torch.einsum("hd,btd->bth", first, y) + state[f"{name}.1.fn.0.bias"])
    return x + torch.einsum("dh,bth->btd", last, y) + state[f"{name}.1.fn.3.bias"]


def encode(codes: Tensor, state: dict[str, Tensor], depth: int, regions: int) -> tuple[Tensor, Tensor]:
    """W+ [B, L, D] -> mean and log-variance [B, L, R, D]; `state` without its prefix `w2sub34.`."""
    x = torch.einsum("tl,bld->btd", state["layer.1.weight"], codes) + state["layer.1.bias"][:, None]
    for number in range(3, 3 + depth):
        x = _block(x, state, f"layer.{number}")
    x = _normal(x, state, f"layer.{3 + depth}")
    found = []
    for head in ("mu_fc", "var_fc"):
        y = _block(_block(x, state, f"{head}.0"), state, f"{head}.1")
        y = torch.tanh(_normal(y, state, f"{head}.2"))
        found.append(y.reshape(len(y), codes.shape[1], regions, -1))  # token = layer * R + region
    return found[0], found[1]


def decode(genes: Tensor, state: dict[str, Tensor], depth: int) -> Tensor:
    """Genes [B, L, R, D] -> W+ [B, L, D]; `state` without its prefix `sub2w.`."""
    x = genes.reshape(len(genes), -1, genes.shape[3])
    for number in range(1, 1 + depth):
        x = _block(x, state, f"layer.{number}")
    x = _normal(x, state, f"layer.{depth + 1}").permute(0, 2, 1)
    x = x @ state[f"layer.{depth + 3}.weight"].T + state[f"layer.{depth + 3}.bias"]
    x = _gelu(_normal(x, state, f"layer.{depth + 4}"))
    x = x @ state[f"layer.{depth + 6}.weight"].T + state[f"layer.{depth + 6}.bias"]
    return x.permute(0, 2, 1)
