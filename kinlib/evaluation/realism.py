"""Do generated pictures look like real ones? Distances between two sets of pictures, and whether a detector sees faces.

Both distances compare the distributions of features. They say nothing about single pictures, nor about whose child a
picture shows: for that see `kinlib.evaluation.heredity`.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.evaluation.embedding import LARGEST
from kinlib.runtime.errors import KinlibError

__all__ = ["detection_rate", "frechet_distance", "kernel_distance"]

SIDE = 256  # px; MTCNN was trained on faces in larger pictures than the studio's generator makes


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of features [N, D] and [M, D] as if both were Gaussian (Heusel et al. 2017, equation 6).

    With fewer samples than dimensions it comes out too large: compare only distances of equally many samples.

    Raises:
        KinlibError: if a set has fewer than two rows, is not finite, or the dimensions differ.
    """
    x, y = _checked(x, y)
    mean = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    a, b = (z - z.mean(dim=0) for z in (x, y))
    a, b = a / (len(a) - 1) ** 0.5, b / (len(b) - 1) ** 0.5
    # The covariances are a' a and b' b. The trace of the root of their product is the sum of a b's singular values, and
    # the triangular factors of both have the same ones, whatever the number of samples.
    small = [torch.linalg.qr(z, mode="r").R for z in (a, b)]  # [N, D] -> [min(N, D), D]
    cross = torch.linalg.svdvals(small[0] @ small[1].t()).sum()
    return float(mean + a.square().sum() + b.square().sum() - 2 * cross)


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Squared maximum mean discrepancy of features [N, D] and [M, D] with the kernel (x.y / D + 1)^3.

    This is the kernel inception distance (Bińkowski et al. 2018) on other features. It is unbiased, so that sets of
    different size can be compared; sets of one distribution get 0 on average, sometimes less.

    Raises:
        KinlibError: as `frechet_distance`.
    """
    x, y = _checked(x, y)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.t() / a.shape[1] + 1) ** 3

    def within(a: Tensor) -> Tensor:
        found = kernel(a, a)
        return (found.sum() - found.trace()) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())


def detection_rate(images: Tensor) -> float:
    """Share of pictures [N, 3, S, S] in [-1, 1] in which MTCNN finds a face, after enlarging them to 256 px.

    Raises:
        KinlibError: if there are none, they have another shape, are not finite, or are not in [-1, 1].
    """
    from kinlib.faces.keypoints import detect

    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != 3 or not len(images):
        kind = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise KinlibError(f"pictures must be a tensor [N, 3, S, S] with N of 1 or more, not {kind}")
    if not torch.isfinite(images).all():
        raise KinlibError("the pictures hold values that are not finite")
    if images.abs().max() > LARGEST:
        raise KinlibError(f"the pictures must be in [-1, 1], not up to {float(images.abs().max()):g}")
    large = F.interpolate(images, (SIDE, SIDE), mode="bicubic").clamp(-1, 1)
    arrays = list(((large + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return sum(found is not None for found in detect(arrays)) / len(arrays)


def _checked(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64, for differences of large sums; arrays are taken as well."""
    x, y = (torch.as_tensor(z) if isinstance(z, np.ndarray) else z for z in (x, y))
    for features in (x, y):
        if not isinstance(features, Tensor):
            raise KinlibError(f"features must be a tensor or an array [N, D], not {type(features).__name__}")
        if features.ndim != 2 or len(features) < 2:
            raise KinlibError(f"features must be [N, D] with N of 2 or more, not {list(features.shape)}")
        if not torch.isfinite(features).all():
            raise KinlibError("the features hold values that are not finite")
    if x.shape[1] != y.shape[1]:
        raise KinlibError(f"both sets need features of one dimension, not {x.shape[1]} and {y.shape[1]}")
    return x.double(), y.double()
