"""Five ways to mix two parents' codes that need no training.

A method is a callable `(father, mother, generator) -> child` on W+ codes [B, L, 512]; its randomness comes from the
`torch.Generator` alone, so that every method can be compared by the same code. `get_method(name, share)` gives one with
the father's share set. A weight is always the **father's** share: with 1 the child is the father, with 0 the mother.

| name | child | where from |
|---|---|---|
| `average` | one share for everything | simple weighted average |
| `per_layer` | a random share for every layer | layer-wise weighting |
| `per_dimension` | a random share for every dimension, the same in all layers | per-dimension weighting |
| `mask` | every entry from one parent, by a coin | binary mask blending |
| `slerp` | along the arc between the two codes of each layer | Shoemake 1985 |
"""

from collections.abc import Callable

import torch
from torch import Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["GROUPS", "Method", "get_method", "group_shares", "methods", "register"]

Method = Callable[[Tensor, Tensor, torch.Generator], Tensor]
Share = float | Tensor

GROUPS = {"coarse": (0, 4), "middle": (4, 8), "fine": (8, None)}
"""Layers of each group: coarse (4 and 8 px) is shape and pose, middle (16 and 32 px) features and hair, fine colour."""

STRAIGHT = 0.9999
"""Cosine beyond which an arc is not told from a line, or (of opposite codes) has no one way to go."""

_METHODS: dict[str, Callable[[Tensor, Tensor, torch.Generator, Tensor], Tensor]] = {}


def register(name: str):
    """Add a function `(father, mother, generator, share) -> child` under a name; share is [1, L or 1, 1]."""

    def add(function):
        _METHODS[name] = function
        return function

    return add


def methods() -> list[str]:
    """Names of all registered methods."""
    return list(_METHODS)


def get_method(name: str, share: Share = 0.5) -> Method:
    """A method by name.

    Args:
        name: one of `methods()`.
        share: the father's share, a number in [0, 1] or one for each layer, [L].

    Raises:
        KinlibError: if the name is unknown or a share is outside [0, 1].
    """
    if name not in _METHODS:
        raise KinlibError(f"unknown method '{name}': choose one of {', '.join(_METHODS)}")
    share = torch.as_tensor(share, dtype=torch.float32)
    if share.ndim > 1 or not ((share >= 0) & (share <= 1)).all():
        given = share.tolist()
        raise KinlibError(f"the father's share must be a number from 0 to 1 (or one for each layer), not {given}")
    share = share.reshape(1, -1, 1)

    def method(father: Tensor, mother: Tensor, generator: torch.Generator) -> Tensor:
        if father.shape != mother.shape or father.ndim != 3:
            shapes = f"{list(father.shape)} and {list(mother.shape)}"
            raise ValueError(f"father and mother must both be [B, L, 512], not {shapes}")
        if share.shape[1] not in (1, father.shape[1]):
            raise ValueError(f"share has {share.shape[1]} entries for {father.shape[1]} layers")
        return _METHODS[name](father, mother, generator, share.to(father))

    return method


def group_shares(num_layers: int, coarse: float = 0.5, middle: float = 0.5, fine: float = 0.5) -> Tensor:
    """The father's share for every layer, [L], from one for each group of layers."""
    shares = torch.empty(num_layers)
    for value, (begin, end) in zip((coarse, middle, fine), GROUPS.values(), strict=True):
        shares[begin:end] = value
    return shares


@register("average")
def average(father: Tensor, mother: Tensor, generator: torch.Generator, share: Tensor) -> Tensor:
    """`share * father + (1 - share) * mother`."""
    return torch.lerp(mother, father, share)


@register("per_layer")
def per_layer(father: Tensor, mother: Tensor, generator: torch.Generator, share: Tensor) -> Tensor:
    """Every layer with a share of its own, drawn at random with mean `share`."""
    drawn = _draw_shares((father.shape[0], father.shape[1], 1), share, generator)
    return torch.lerp(mother, father, drawn)


@register("per_dimension")
def per_dimension(father: Tensor, mother: Tensor, generator: torch.Generator, share: Tensor) -> Tensor:
    """Every dimension with a share of its own, the same in all layers, drawn at random with mean `share`."""
    drawn = _draw_shares((father.shape[0], 1, father.shape[2]), share, generator)
    return torch.lerp(mother, father, drawn)


@register("mask")
def mask(father: Tensor, mother: Tensor, generator: torch.Generator, share: Tensor) -> Tensor:
    """Every entry whole from one parent; from the father with probability `share`."""
    return torch.where(_uniform(father.shape, father, generator) < share, father, mother)


@register("slerp")
def slerp(father: Tensor, mother: Tensor, generator: torch.Generator, share: Tensor) -> Tensor:
    """Spherical interpolation of the codes of each layer; straight where they are nearly parallel or opposite."""
    cosine = torch.nn.functional.cosine_similarity(father, mother, dim=2).clamp(-1, 1).unsqueeze(2)
    straight = cosine.abs() > STRAIGHT
    angle = torch.acos(cosine)
    sine = torch.where(straight, 1.0, torch.sin(angle))
    arc = (torch.sin(share * angle) * father + torch.sin((1 - share) * angle) * mother) / sine
    return torch.where(straight, torch.lerp(mother, father, share), arc)


def _draw_shares(shape: tuple[int, ...], mean: Tensor, generator: torch.Generator) -> Tensor:
    """Shares in [0, 1] with the given mean: u ** ((1 - m) / m) for uniform u, which is uniform itself at m = 1/2."""
    exponent = (1 - mean) / mean.clamp_min(1e-12)  # at m = 0 so large that not even the largest u leaves anything
    return _uniform(shape, mean, generator).clamp_min(1e-12) ** exponent


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers, drawn where the generator lives, so that a seed means the same on every device."""
    return torch.rand(shape, generator=generator, device=generator.device).to(like)
