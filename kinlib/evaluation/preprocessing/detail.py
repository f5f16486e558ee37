"""The finest detail of pictures: differences of neighbouring pixels, for measures and for the texture loss."""

import torch
from torch import Tensor

__all__ = ["neighbour_differences"]

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # (down, right): one of each two opposite ones


def neighbour_differences(grey: Tensor) -> Tensor:
    """Differences to four neighbours, without the outermost pixels: [B, 1, H, W] -> [B, 4, H - 2, W - 2]."""
    height, width = grey.shape[-2:]
    middle = grey[..., 1:-1, 1:-1]  # [B, 1, H-2, W-2]: one pixel less on each side, where neighbours are missing
    steps = [middle - grey[..., 1 + y : height - 1 + y, 1 + x : width - 1 + x] for y, x in NEIGHBOURS]
    return torch.cat(steps, dim=1)
