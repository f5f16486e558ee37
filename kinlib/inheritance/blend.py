"""Five ways to mix two parents' codes that need no training.

Every function takes two codes W+ [B, L, 512], a `torch.Generator`, and the **father's** share: a number in [0, 1], or
one for each layer, [L]. With a share of 1 the child is the father, with 0 the mother. `kinlib.inheritance.registry`
lists them by name.

| name | child | source |
|---|---|---|
| `average` | one share for all entries | weighted average |
| `per_layer` | a random share for each layer | layer-wise weighting |
| `per_dimension` | a random share for each dimension, the same in all layers | per-dimension weighting |
| `mask` | each entry, dimension, layer or group from one parent, at random | uniform crossover |
| `slerp` | along the arc between the two codes of each layer | Shoemake 1985 |
"""

import reprlib
from typing import Any

import torch
from torch import Generator, Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["BLOCKS", "GROUPS", "average", "check_blocks", "check_share", "group_shares", "mask", "per_dimension"]
__all__ += ["per_layer", "slerp"]

Share = float | Tensor

# Ranges of StyleGAN's style mixing (Karras et al. 2019, section 3.1), where each resolution has two codes. The encoder
# splits at 3 and 7 (`kinlib.gan.encoder.COARSE`, `MIDDLE`): its feature pyramid follows StyleGAN2, where 4 px has one
# convolution. Its published weights fix that split; this one only groups sliders.
GROUPS = {"coarse": (0, 4), "middle": (4, 8), "fine": (8, None)}
"""Layers of each group: coarse (4 and 8 px) is shape and pose, middle (16 and 32 px) features and hair, fine colour."""

BLOCKS = ("entry", "dimension", "layer", "group")
"""What `mask` inherits in one piece: a coin for each of L x 512 entries, 512 dimensions, L layers, or 3 groups."""

STRAIGHT = 0.9999
"""Absolute cosine beyond which slerp is linear: the arc is too flat for float32, or (opposite codes) not unique."""


def check_share(share: Any) -> Tensor:
    """The father's share as a tensor: float32, [] or [L].

    Raises:
        KinlibError: if it is not a number in [0, 1], or one for each layer.
    """
    try:
        found = torch.as_tensor(share, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):  # what PyTorch raises for text, None and ragged lists
        found = torch.full((), torch.nan)
    if found.ndim > 1 or not found.numel() or not ((found >= 0) & (found <= 1)).all():
        given = reprlib.repr(share.tolist()) if hasattr(share, "tolist") else reprlib.repr(share)
        raise KinlibError(f"the father's share must be a number from 0 to 1 (or one for each layer), not {given}")
    return found


def check_blocks(blocks: Any) -> str:
    """The name of what `mask` inherits in one piece.

    Raises:
        KinlibError: if it is none of `BLOCKS`.
    """
    if not isinstance(blocks, str) or blocks not in BLOCKS:
        raise KinlibError(f"unknown blocks {reprlib.repr(blocks)}: choose one of {', '.join(BLOCKS)}")
    return blocks


def group_shares(num_layers: int, coarse: float = 0.5, middle: float = 0.5, fine: float = 0.5) -> Tensor:
    """The father's share of each layer, [L], from one for each group of layers.

    Raises:
        KinlibError: if a share is not a number in [0, 1].
    """
    shares = torch.empty(num_layers)
    for value, (begin, end) in zip((coarse, middle, fine), GROUPS.values(), strict=True):
        shares[begin:end] = check_share(value)
    return shares


def average(father: Tensor, mother: Tensor, generator: Generator, father_share: Share = 0.5) -> Tensor:
    """`share * father + (1 - share) * mother`."""
    return torch.lerp(mother, father, _shares(father_share, father))


def per_layer(father: Tensor, mother: Tensor, generator: Generator, father_share: Share = 0.5) -> Tensor:
    """A random share for each layer, whose mean is the given share."""
    mean = _shares(father_share, father)
    return torch.lerp(mother, father, _random_shares((father.shape[0], father.shape[1], 1), mean, generator))


def per_dimension(father: Tensor, mother: Tensor, generator: Generator, father_share: Share = 0.5) -> Tensor:
    """A random share for each dimension, the same in all layers, whose mean is the given share."""
    mean = _shares(father_share, father)
    return torch.lerp(mother, father, _random_shares((father.shape[0], 1, father.shape[2]), mean, generator))


def mask(
    father: Tensor, mother: Tensor, generator: Generator, father_share: Share = 0.5, blocks: str = "entry"
) -> Tensor:
    """Each block from one parent: from the father with the probability `father_share`.

    Args:
        blocks: of `BLOCKS`. With shares that differ within a block, its coin is the same and the probability is not.
    """
    share = _shares(father_share, father)
    return torch.where(_uniform_blocks(father, blocks, generator) < share, father, mother)


def slerp(father: Tensor, mother: Tensor, generator: Generator, father_share: Share = 0.5) -> Tensor:
    """Spherical interpolation of each layer's code; linear where the codes are nearly parallel or opposite."""
    share = _shares(father_share, father)
    cosine = torch.nn.functional.cosine_similarity(father, mother, dim=2).clamp(-1, 1).unsqueeze(2)  # [B, L, 1]
    straight = cosine.abs() > STRAIGHT
    angle = torch.acos(cosine)
    sine = torch.where(straight, 1.0, torch.sin(angle))  # 1 keeps the unused branch finite
    arc = (torch.sin(share * angle) * father + torch.sin((1 - share) * angle) * mother) / sine
    return torch.where(straight, torch.lerp(mother, father, share), arc)


def _shares(share: Share, like: Tensor) -> Tensor:
    """The share as [1, L, 1] or [1, 1, 1], which broadcasts to codes [B, L, 512]."""
    shares = check_share(share).reshape(1, -1, 1)
    if shares.shape[1] not in (1, like.shape[1]):
        raise KinlibError(f"the father's share has {shares.shape[1]} entries for {like.shape[1]} layers")
    return shares.to(like)


def _random_shares(shape: tuple[int, ...], mean: Tensor, generator: Generator) -> Tensor:
    """Shares in [0, 1] with the given mean: u ** ((1 - m) / m) for uniform u, which is uniform itself at m = 1/2."""
    exponent = (1 - mean) / mean.clamp_min(1e-12)  # at m = 0 so large that every u < 1 gives 0
    return _uniform(shape, mean, generator).clamp_min(1e-12) ** exponent


def _uniform_blocks(like: Tensor, blocks: str, generator: Generator) -> Tensor:
    """One uniform number for each block, in a shape that broadcasts to codes [B, L, 512]."""
    batch, layers, dimensions = like.shape
    if blocks == "group":
        sizes = torch.tensor([len(range(layers)[begin:end]) for begin, end in GROUPS.values()])
        coins = _uniform((batch, len(sizes), 1), like, generator)  # [B, 3, 1]
        return coins.repeat_interleave(sizes.to(coins.device), dim=1)  # [B, L, 1]
    shapes = {"entry": (layers, dimensions), "dimension": (1, dimensions), "layer": (layers, 1)}
    return _uniform((batch, *shapes[blocks]), like, generator)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    """Uniform numbers, sampled on the generator's device, so that a seed means the same on every device."""
    return torch.rand(shape, generator=generator, device=generator.device).to(like)
