"""Identity embeddings of many pictures, in batches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kinlib.io.photos import PhotoSource, read_photo
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from torch import Tensor

    from kinlib.faces.identity import IdentityNet

__all__ = ["as_photos", "embed_pictures"]

BATCH = 64
LARGEST = 10.0  # generators overshoot [-1, 1] a little; a tensor of bytes reaches 255


def embed_pictures(
    pictures: "Sequence[PhotoSource] | Tensor", identity: "IdentityNet | None" = None, batch: int = BATCH
) -> np.ndarray:
    """Identity embeddings of aligned faces.

    Args:
        pictures: FFHQ crops: paths, PIL images or uint8 arrays of any sizes, or a tensor [N, 3, S, S] in [-1, 1].
        identity: the network; None takes the bundled one. It computes where its weights are.
        batch: pictures at a time, 1 or more.

    Returns:
        float32 [N, 512], unit length.

    Raises:
        KinlibError: if there are no pictures, one cannot be read, a tensor is not in [-1, 1], or `batch` is below 1.
    """
    import torch

    from kinlib.faces.identity import load_identity
    from kinlib.io.images import resize, to_tensor

    if batch < 1:
        raise KinlibError(f"batch must be 1 or more, not {batch}")
    net = load_identity() if identity is None else identity
    device, size = next(net.parameters()).device, net.input_size
    photos = as_photos(pictures)
    parts = []
    for start in range(0, len(photos), batch):
        images = torch.cat([resize(to_tensor(photo), size) for photo in photos[start : start + batch]])
        with torch.no_grad():
            parts.append(net(images.to(device)).cpu().numpy())
    return np.concatenate(parts)


def as_photos(pictures: "Sequence[PhotoSource] | Tensor") -> list[PhotoSource]:
    """The pictures as a list of upright RGB images.

    Raises:
        KinlibError: if there are none, one cannot be read, or a tensor is not finite, not [N, 3, S, S] or not in
            [-1, 1]. A tensor that goes beyond 0 on one side only is taken for one in [0, 1] and refused: no photographs
            are without a pixel in the darker half.
    """
    import torch

    from kinlib.io.images import to_pil

    if isinstance(pictures, torch.Tensor) and pictures.numel():
        _check_range(float(pictures.min()), float(pictures.max()))
    several = to_pil(pictures) if isinstance(pictures, torch.Tensor) else list(pictures)
    if not several:
        raise KinlibError("there are no pictures to describe")
    return [read_photo(picture) for picture in several]


def _check_range(least: float, most: float) -> None:
    if max(-least, most) > LARGEST:
        raise KinlibError(f"pictures must be in [-1, 1], not up to {max(-least, most):g}")
    if least >= 0 < most:
        raise KinlibError(f"pictures must be in [-1, 1], but these are from {least:g} to {most:g}: scale them, 2 x - 1")
