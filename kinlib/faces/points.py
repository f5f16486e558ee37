"""Five facial points as a differentiable function of an aligned face.

The last stage of MTCNN (Zhang et al. 2016), the O-Net, reads five points off a 48 px crop of a face. In the FFHQ crop
the face always lies in the same place, so the first two stages are not needed, and what remains is differentiable and
was trained on real photographs: a landmark loss for fitting codes.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.runtime import memory

__all__ = ["five_point_loss", "five_points", "load_onet"]

FACE_BOX = (0.14, 0.19, 0.86, 0.91)
"""Left, top, right and bottom of a square around MTCNN's mean box in the FFHQ crop, as shares of its side."""


@lru_cache(maxsize=1)
def load_onet() -> nn.Module:
    """The network, on the CPU."""
    from facenet_pytorch.models.mtcnn import ONet

    # Initialising draws random numbers; the caller's stay. Nor do the caller's inference mode and default type matter.
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        return ONet().float().eval().requires_grad_(False)


def five_points(aligned: Tensor) -> Tensor:
    """Eyes, nose tip and mouth corners.

    The network is lent to the device of the pictures; who asks in a loop lends it (`load_onet`) around the loop.

    Args:
        aligned: FFHQ crops [B, 3, S, S] in [-1, 1].

    Returns:
        [B, 5, 2], (x, y) as shares of the crop's side; order as in `kinlib.faces.keypoints`.
    """
    side = aligned.shape[-1]
    left, top, right, bottom = (round(share * side) for share in FACE_BOX)
    crop = F.interpolate(aligned[..., top:bottom, left:right], (48, 48), mode="bilinear", antialias=True)
    with memory.on_device(load_onet(), aligned.device) as net:
        _, points, _ = net(crop.float())
    x = (left + points[:, :5] * (right - left)) / side
    y = (top + points[:, 5:] * (bottom - top)) / side
    return torch.stack([x, y], dim=2)


def five_point_loss(drawn: Tensor, target: Tensor) -> Tensor:
    """Mean distance of the five points of two aligned faces, as a share of the distance between the eyes."""
    mine, wanted = five_points(drawn), five_points(target).detach()
    eyes = (wanted[:, 0] - wanted[:, 1]).norm(dim=1, keepdim=True).clamp_min(0.05)
    return ((mine - wanted).norm(dim=2) / eyes).mean()
