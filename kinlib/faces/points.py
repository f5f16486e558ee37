"""Five facial points as a differentiable function of an aligned face.

The last stage of MTCNN (Zhang et al. 2016), the O-Net, reads five points off a 48 px crop of a face. In the FFHQ crop
the face always lies in the same place, so the first two stages are not needed, and what remains is differentiable and
was trained on real photographs: a landmark loss for fitting codes.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.faces.mtcnn import networks
from kinlib.faces.mtcnn.cascade import area_means, area_sums
from kinlib.runtime import memory

__all__ = ["five_point_loss", "five_points", "load_onet", "read_five"]

# Windows of `read_five`: shift in px of a crop of 256 (right, down) and scale. The step is about the detector's own
# uncertainty, a tenth of the eye distance.
WINDOWS = ((0, 0, 1.0), (-8, 0, 1.0), (8, 0, 1.0), (0, -8, 1.0), (0, 8, 1.0), (0, 0, 0.92), (0, 0, 1.08))
SIDE = 48  # px, what the network sees
FACE_BOX = (0.14, 0.19, 0.86, 0.91)
"""Left, top, right and bottom of a square around MTCNN's mean box in the FFHQ crop, as shares of its side."""


@lru_cache(maxsize=1)
def load_onet() -> nn.Module:
    """The network, on the CPU."""
    return networks.load("onet")


def five_points(aligned: Tensor) -> Tensor:
    """Eyes, nose tip and mouth corners.

    The network is lent to the device of the pictures; lend it (`load_onet`) around a loop.

    Args:
        aligned: FFHQ crops [B, 3, S, S] in [-1, 1].

    Returns:
        [B, 5, 2], (x, y) as shares of the crop's side; order as in `kinlib.faces.keypoints`.
    """
    side = aligned.shape[-1]
    left, top, right, bottom = (round(share * side) for share in FACE_BOX)
    crop = F.interpolate(aligned[..., top:bottom, left:right], (SIDE, SIDE), mode="bilinear", antialias=True)
    with memory.on_device(load_onet(), aligned.device) as net:
        _, points, _ = net(crop.float())
    x = (left + points[:, :5] * (right - left)) / side
    y = (top + points[:, 5:] * (bottom - top)) / side
    return torch.stack([x, y], dim=2)


@torch.inference_mode()
def read_five(chip: np.ndarray) -> np.ndarray:
    """The five points of an aligned face, averaged over `WINDOWS`.

    Args:
        chip: uint8 [256, 256, 3], the FFHQ crop.

    Returns:
        float64 [5, 2] in pixels of the chip, order as in `kinlib.faces.keypoints`. Its eyes lie high.
    """
    left, top, right, bottom = (share * len(chip) for share in FACE_BOX)
    half = np.array([(right - left) / 2, (bottom - top) / 2])
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    moved = np.array(WINDOWS)  # [N, 3]
    middle, reach = centre + moved[:, :2], half * moved[:, 2:]
    windows = np.rint(np.concatenate([middle - reach, middle + reach], axis=1)).astype(np.int64)  # [N, 4]
    which = np.zeros(len(windows), np.int64)
    crops = area_means(area_sums(chip[None]), which, windows, SIDE, SIDE)  # [N, 48, 48, 3]
    _, points, _ = load_onet()(torch.from_numpy(crops).permute(0, 3, 1, 2))
    shares = points.numpy().astype(np.float64).reshape(-1, 2, 5).transpose(0, 2, 1)  # [N, 5, 2] of a window's sides
    return (windows[:, None, :2] + shares * (windows[:, None, 2:] - windows[:, None, :2]) - 0.5).mean(axis=0)


def five_point_loss(drawn: Tensor, target: Tensor) -> Tensor:
    """Mean distance of the five points of two aligned faces, as a share of the distance between the eyes."""
    mine, wanted = five_points(drawn), five_points(target).detach()
    eyes = (wanted[:, 0] - wanted[:, 1]).norm(dim=1, keepdim=True).clamp_min(0.05)
    return ((mine - wanted).norm(dim=2) / eyes).mean()
