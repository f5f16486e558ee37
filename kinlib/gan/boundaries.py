"""InterFaceGAN's directions: normals of planes that separate codes with an attribute from codes without it.

Shen et al. 2020 ("Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR), section 2: a linear support
vector machine finds the plane; its unit normal n is the direction (2.1), and the distance n . w + b is how much of the
attribute a code has. A direction that also moves a second attribute is made *conditional* (2.2): the part of it that
lies in the span of the other attributes' normals is taken away, n1 - (n1 . n2) n2 for two.

A direction may be sought in W (one vector for all layers, [1, 512]) or in W+ (one vector a layer, [L, 512]).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["Boundary", "condition", "fit_boundary"]

MIN_PER_SIDE = 10  # codes on either side of the plane; with fewer any plane in 512 dimensions separates them


@dataclass(frozen=True)
class Boundary:
    """A plane in the space of codes.

    Attributes:
        normal: float32 [1, 512] in W or [L, 512] in W+, unit length over all its numbers.
        bias: b of normal . code + b, the signed distance to the plane.
        accuracy: balanced accuracy on held-out codes, the mean of the shares on the right side among codes with the
            attribute and without it: 0.5 for guessing, however rare the attribute is.
        spread: standard deviation of the signed distance over the codes that it was fitted on; one step of
            InterFaceGAN's editing is about one spread.
    """

    normal: Tensor
    bias: float
    accuracy: float
    spread: float

    def distance(self, codes: Tensor) -> Tensor:
        """Signed distances of W+ codes [B, L, 512] -> [B]."""
        return (_in_space(codes, self.normal) * self.normal.to(codes)).sum(dim=(1, 2)) + self.bias

    def move(self, codes: Tensor, amount: float) -> Tensor:
        """W+ codes [B, L, 512] moved by `amount` along the normal: all layers alike in W, each by its part in W+."""
        return codes + amount * self.normal.to(codes)


def fit_boundary(
    codes: Tensor,
    values: np.ndarray,
    groups: Sequence[int] | np.ndarray,
    space: str = "w_plus",
    share: float = 1.0,
    cost: float = 0.02,
    seed: int = 0,
) -> Boundary:
    """Fit the plane that separates codes with much of an attribute from codes with little of it.

    Args:
        codes: W+ codes [N, L, 512].
        values: the attribute of each, [N]; booleans, or numbers that are split at their median.
        groups: the person or family in each picture, [N]; 30% of them are held out for the accuracy.
        space: "w" (the mean over layers) or "w_plus".
        share: for numbers, the share of the codes that is used, half from either end (InterFaceGAN takes the most
            certain ones; 1 takes all).
        cost: C of the support vector machine, times the mean squared length of the standardised codes. Small: where
            there are more dimensions than codes, a wide margin that some codes lie in keeps the normal from following
            chance.
        seed: of the held-out groups.

    Raises:
        KinlibError: if the space is unknown, shapes do not fit, or one side has fewer than ten codes.
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupShuffleSplit
    from sklearn.svm import LinearSVC

    if space not in ("w", "w_plus"):
        raise KinlibError(f"unknown space '{space}': choose w or w_plus")
    values, groups = np.asarray(values), np.asarray(groups)
    if codes.ndim != 3 or not len(codes) == len(values) == len(groups):
        shapes = f"{list(codes.shape)}, {list(values.shape)} and {list(groups.shape)}"
        raise KinlibError(f"codes [N, L, 512], values [N] and groups [N] do not fit: {shapes}")
    rows, positive = _sides(values, share)
    if min(positive.sum(), (~positive).sum()) < MIN_PER_SIDE:
        raise KinlibError(f"an attribute needs at least {MIN_PER_SIDE} codes with it and as many without it")
    points = (codes.mean(dim=1, keepdim=True) if space == "w" else codes)[torch.from_numpy(rows)].flatten(1)
    # Standardised, so that one cost suits W and W+ and every layer; the scale is folded into the normal afterwards.
    mean, scale = points.mean(dim=0), points.std()
    flat = ((points - mean) / scale).double().numpy()  # [n, 512] or [n, L * 512]
    (train, test), *_ = GroupShuffleSplit(1, test_size=0.3, random_state=seed).split(flat, positive, groups[rows])
    strength = cost / float(np.square(flat).sum(axis=1).mean())
    machine = LinearSVC(C=strength, class_weight="balanced", dual="auto", random_state=seed)
    machine.fit(flat[train], positive[train])
    accuracy = float(balanced_accuracy_score(positive[test], machine.predict(flat[test])))
    weight = torch.from_numpy(machine.coef_[0]).float() / scale
    length = weight.norm()
    bias = float((machine.intercept_[0] - (weight * mean).sum()) / length)
    normal = (weight / length).view(-1, codes.shape[2])  # [1, 512] or [L, 512]
    return Boundary(normal, bias, accuracy, float((points @ normal.flatten() + bias).std()))


def condition(normal: Tensor, others: Mapping[str, Tensor] | Sequence[Tensor]) -> Tensor:
    """A direction without what it shares with others: the rest of its projection onto their span, unit length.

    Args:
        normal: [1, 512] or [L, 512].
        others: directions of the same shape.

    Raises:
        KinlibError: if shapes differ, or nothing of the direction is left.
    """
    rest = list(others.values()) if isinstance(others, Mapping) else list(others)
    if not rest:
        return normal / normal.norm()
    if any(other.shape != normal.shape for other in rest):
        raise KinlibError("directions that condition each other must be of one space: all in W, or all in W+")
    span = torch.linalg.qr(torch.stack([other.flatten() for other in rest], dim=1).double()).Q  # [D, K]
    flat = normal.flatten().double()
    left = flat - span @ (span.t() @ flat)
    if left.norm() < 1e-6 * flat.norm():
        raise KinlibError("nothing is left of the direction: it lies in the span of the others")
    return (left / left.norm()).float().view(normal.shape)


def _sides(values: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """(rows used, which of them have the attribute)."""
    if values.dtype == bool or set(np.unique(values)) <= {0, 1}:
        return np.arange(len(values)), values.astype(bool)
    low, high = np.quantile(values, [share / 2, 1 - share / 2])
    rows = np.flatnonzero((values <= low) | (values >= high))
    return rows, values[rows] > np.median(values)


def _in_space(codes: Tensor, normal: Tensor) -> Tensor:
    """Codes [B, L, 512] as the plane sees them: their mean over layers in W, themselves in W+."""
    return codes.mean(dim=1, keepdim=True) if len(normal) == 1 else codes
