"""Blending by face region: which parts of the face the child has from whom (the report's 7.2.2.4).

Codes of StyleGAN2 know no places: one style modulates a whole feature map. Places are in the feature maps. So both
parents' codes are run through the generator side by side, and behind every layer the two feature maps are mixed by a
soft mask of the region, resized to the map (as in Collins et al. 2020, "Editing in Style", and Suzuki et al. 2018,
"Spatially Controllable Image Synthesis"). The result is a picture; `region_method` encodes it to have a code.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.gan.generator import Generator
from kinlib.runtime.errors import KinlibError

__all__ = ["REGIONS", "blend_regions", "check_regions", "random_shares", "region_masks"]

REGIONS = {
    "skin": ("skin", "l_ear", "r_ear", "neck"),
    "hair": ("hair", "hat"),
    "nose": ("nose",),
    "mouth": ("mouth", "u_lip", "l_lip"),
    "eyes": ("l_eye", "r_eye", "eye_g"),
    "brows": ("l_brow", "r_brow"),
}
"""Regions by the classes of `kinlib.io.face_labels.CLASSES` that they are made of.

Masks are grown, so that neighbours overlap: each region covers those before it. Skin, which surrounds the others, is
first; last, it would cover all but the hair.
"""

SOFT = 0.03  # of the picture's side: radius of the masks' border; a hard border shows as a seam


def check_regions(names: Any) -> tuple[str, ...] | None:
    """Regions by their names: a list of them, or one word such as "eyes,nose"; "random" is None.

    Raises:
        KinlibError: if one is unknown.
    """
    if isinstance(names, str) and names == "random":
        return None
    found = names.replace(" ", "").split(",") if isinstance(names, str) else names
    for name in found if isinstance(found, list | tuple) else [found]:
        if not isinstance(name, str) or name not in REGIONS:
            raise KinlibError(f"unknown region {name!r}: choose from {', '.join(REGIONS)}")
    return tuple(found)


def random_shares(generator: torch.Generator) -> dict[int, float]:
    """One coin for each of `REGIONS`: the father's share, 0 or 1, by the region's index."""
    coins = torch.rand(len(REGIONS), generator=generator, device=generator.device)
    return {index: float(coin < 0.5) for index, coin in enumerate(coins.tolist())}


def region_masks(probabilities: Tensor, names: tuple[str, ...] | list[str], size: int) -> Tensor:
    """Soft masks of regions from a parser's probabilities.

    Args:
        probabilities: [B, 19, S, S], `class_probabilities` of `kinlib.faces.parsing.parse`.
        names: of `REGIONS`.
        size: side of the masks.

    Returns:
        [B, K, size, size] in [0, 1].

    Raises:
        KinlibError: if a region is unknown.
    """
    from kinlib.io.face_labels import CLASSES

    check_regions(list(names))
    parts = [probabilities[:, [CLASSES.index(label) for label in REGIONS[name]]].sum(dim=1) for name in names]
    masks = torch.stack(parts, dim=1)  # [B, K, S, S]
    radius = max(1, round(SOFT * masks.shape[-1]))
    grown = F.max_pool2d(masks, 2 * radius + 1, 1, radius)  # a region's border belongs to it, else features are cut
    soft = F.avg_pool2d(grown, 2 * radius + 1, 1, radius, count_include_pad=False)
    return F.interpolate(soft, (size, size), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


@torch.no_grad()
def blend_regions(
    generator: Generator, father: Tensor, mother: Tensor, masks: Tensor, shares: Mapping[int, float], rest: float = 0.5
) -> Tensor:
    """Children whose regions come from either parent.

    Args:
        generator: of R px.
        father, mother: W+ codes [B, L, 512].
        masks: [B or 1, K, S, S] in [0, 1], regions as they lie in the average of both parents.
        shares: the father's share in the region of each mask, by its index; a mask covers those with lower indices.
        rest: the father's share outside all regions.

    Returns:
        Pictures [B, 3, R, R], about [-1, 1].

    Raises:
        KinlibError: if a share is outside [0, 1] or names a mask that is not there.
    """
    for index, share in {**shares, -1: rest}.items():
        if index >= masks.shape[1]:
            raise KinlibError(f"there is no mask {index}: there are {masks.shape[1]}")
        if not 0 <= share <= 1:
            raise KinlibError(f"the father's share of a region must be from 0 to 1, not {share}")
    weight = torch.full_like(masks[:, :1], rest)  # [B, 1, S, S]
    for index, share in sorted(shares.items()):
        mask = masks[:, index : index + 1]
        weight = weight + mask * (share - weight)
    return _mixed_synthesis(generator, father, mother, weight)


def _mixed_synthesis(generator: Generator, father: Tensor, mother: Tensor, weight: Tensor) -> Tensor:
    """Synthesis in which both parents' feature maps are mixed by `weight` [B, 1, S, S], the father's share."""
    shares = {}

    def mix(one: Tensor, other: Tensor) -> Tensor:
        side = one.shape[-1]
        if side not in shares:
            shares[side] = F.interpolate(weight, (side, side), mode="bilinear", antialias=True, align_corners=False)
        return torch.lerp(other, one, shares[side].to(one))

    noise = [getattr(generator.noises, f"noise_{i}") for i in range(generator.num_layers - 1)]
    x = generator.input(len(father)).contiguous(memory_format=torch.channels_last)
    x = mix(*(generator.conv1(x.clone(), code[:, 0], noise[0]) for code in (father, mother)))
    rgb = mix(*(generator.to_rgb1(x, code[:, 1]) for code in (father, mother)))
    for i, to_rgb in enumerate(generator.to_rgbs):
        layer = 2 * i + 1
        for j in (0, 1):
            convolution = generator.convs[2 * i + j]
            x = mix(*(convolution(x, code[:, layer + j], noise[layer + j]) for code in (father, mother)))
        rgb = mix(*(to_rgb(x, code[:, layer + 2], rgb) for code in (father, mother)))
    return rgb.contiguous()
