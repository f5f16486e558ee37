"""How different are the children of one couple? The mean distance over all pairs of siblings.

StyleGene (Li et al. 2023, section 4.3) takes LPIPS between the 40 children of a family. LPIPS needs weights that are
downloaded; in the preset `studio`, the distance of identity embeddings takes its place. Both are distances of learned
features, on different scales: their names go with every number.

More is not better. Siblings of a method should be as different as true siblings are, measured in the same way.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.bootstrap import mean_interval
from kinlib.runtime.errors import KinlibError

__all__ = ["distance_to_others", "diversity", "lpips_distances", "mean_pairwise_distance"]

LPIPS_LEAST = 32  # px; AlexNet's second pooling has nothing left of smaller pictures


def mean_pairwise_distance(embeddings: Tensor | np.ndarray) -> float:
    """Mean of 1 - cosine over all pairs of embeddings [n, D] of unit length.

    Raises:
        KinlibError: if there are fewer than two, or they are not finite or not of unit length.
    """
    found = torch.as_tensor(np.asarray(embeddings), dtype=torch.float64)
    if found.ndim != 2 or len(found) < 2:
        raise KinlibError(f"embeddings must be [n, D] with n of 2 or more, not {list(found.shape)}")
    lengths = found.norm(dim=1)
    if not ((lengths > 0.99) & (lengths < 1.01)).all():  # false for NaN as well; float16 keeps a length to 0.001
        raise KinlibError("embeddings must be finite and of unit length")
    return float(distance_to_others(found).mean())


def distance_to_others(embeddings: Tensor) -> np.ndarray:
    """How far each face is from the others, mean of 1 - cosine over all others: float64 [n].

    Of one child from each couple it says whether children of different couples can be told apart.

    Args:
        embeddings: [n, D] of unit length, n of 2 or more.

    Raises:
        KinlibError: if there are fewer.
    """
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise KinlibError(f"embeddings must be [n, D] with n of 2 or more, not {list(embeddings.shape)}")
    cosine = (embeddings @ embeddings.t()).double()
    return (1 - (cosine.sum(dim=1) - cosine.diagonal()) / (len(embeddings) - 1)).numpy()


def diversity(
    children: Mapping[str, Tensor | np.ndarray],
    distance: Callable[[Tensor | np.ndarray], float] = mean_pairwise_distance,
    seed: int = 0,
) -> pd.Series:
    """Mean over couples of the distance among siblings, with a 95% interval from resampling couples.

    Args:
        children: by couple, what `distance` takes.
        distance: of one couple's children.
        seed: of the bootstrap.

    Returns:
        `value`, `low`, `high`; the interval is NaN for fewer than three couples.

    Raises:
        KinlibError: if there are no couples, or as `distance`.
    """
    if not children:
        raise KinlibError("there are no children to compare")
    each = np.array([distance(found) for found in children.values()])
    return pd.Series(mean_interval(each, seed)).rename({"mean": "value"})


def lpips_distances(pictures: Tensor) -> float:
    """Mean LPIPS (Zhang et al. 2018, AlexNet) over all pairs of pictures [n, 3, S, S] in [-1, 1].

    torchmetrics brings the linear layers; AlexNet's weights come from torchvision's store, once. This was not run with
    those weights in the course's own figures: the tests put a stand-in in the network's place.

    Raises:
        KinlibError: if there are fewer than two pictures, they are smaller than 32 px, values are out of range, or the
            weights cannot be had.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or len(pictures) < 2:
        raise KinlibError(f"pictures must be [n, 3, S, S] with n of 2 or more, not {list(pictures.shape)}")
    if min(pictures.shape[2:]) < LPIPS_LEAST:
        raise KinlibError(f"LPIPS needs pictures of {LPIPS_LEAST} px or more, not {list(pictures.shape[2:])}")
    if not (pictures.abs() <= 1).all():  # false for NaN as well
        raise KinlibError("pictures must be finite and from -1 to 1")
    measure = _lpips()
    pairs = torch.combinations(torch.arange(len(pictures)))  # [P, 2]
    with torch.no_grad():
        return float(torch.stack([measure(pictures[a : a + 1], pictures[b : b + 1]) for a, b in pairs.tolist()]).mean())


def _lpips() -> Callable[[Tensor, Tensor], Tensor]:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    try:
        return LearnedPerceptualImagePatchSimilarity("alex").eval()
    except (OSError, RuntimeError) as error:  # no network; a file whose hash is wrong
        told = " ".join(str(error).split())
        raise KinlibError(
            f"LPIPS needs AlexNet's weights, which could not be downloaded ({told}): try again with a network, or "
            "compare identity embeddings with mean_pairwise_distance"
        ) from error
