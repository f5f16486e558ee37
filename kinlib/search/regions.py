"""Regions of an aligned face that a person can hold fast while the rest changes.

In the FFHQ crop eyes and mouth are always in the same place, so that a region is a soft mask of the picture. A region
is carried over by its pixels, and the whole picture is then encoded and decoded again, which makes a face of it.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.io.images import resize
from kinlib.runtime.errors import KinlibError

__all__ = ["REGIONS", "blur_outside", "carry_over", "region_mask"]

# Centre and half axes of an ellipse, in shares of the side: measured on the studio's landmarks in the FFHQ crop, with a
# margin of half an eye. "hair" is all that lies outside the face.
ELLIPSES = {
    "eyes": (0.50, 0.46, 0.26, 0.10),  # with the brows
    "nose": (0.50, 0.58, 0.10, 0.11),
    "mouth": (0.50, 0.72, 0.16, 0.08),
    "face": (0.50, 0.58, 0.32, 0.38),
}
REGIONS = ("hair", "eyes", "nose", "mouth", "face")
SOFT = 0.04  # of the side, over which a mask falls from 1 to 0
BLUR = 0.08  # of the side, half width of the blur outside of the face


@lru_cache(maxsize=16)
def region_mask(region: str, size: int) -> Tensor:
    """Soft mask of a region, [size, size] from 0 to 1.

    Raises:
        KinlibError: if there is no such region.
    """
    if region not in REGIONS:
        raise KinlibError(f"there is no region '{region}': {', '.join(REGIONS)}")
    x, y, half_width, half_height = ELLIPSES["face" if region == "hair" else region]
    axis = (torch.arange(size) + 0.5) / size
    across, down = (axis[None, :] - x) / half_width, (axis[:, None] - y) / half_height
    radius = (across.square() + down.square()).sqrt()  # 1 on the ellipse
    mask = torch.sigmoid((1 - radius) * min(half_width, half_height) / (SOFT / 4))
    return 1 - mask if region == "hair" else mask


def carry_over(pictures: Tensor, owner: Tensor, region: str) -> Tensor:
    """Pictures [B, 3, S, S] with a region of the owner's picture [3, S, S]."""
    mask = region_mask(region, pictures.shape[-1]).to(pictures)
    return torch.lerp(pictures, owner.expand_as(pictures), mask)


def blur_outside(pictures: Tensor) -> Tensor:
    """Pictures [B, 3, S, S] with all but the face blurred, so that nobody judges by the hair (Frowd et al. 2011)."""
    size = pictures.shape[-1]
    small = max(size // max(int(BLUR * size), 1) // 2, 2)
    blurred = F.interpolate(resize(pictures, small), (size, size), mode="bilinear", align_corners=False)
    return torch.lerp(pictures, blurred, region_mask("hair", size).to(pictures))
