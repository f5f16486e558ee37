"""Losses for the regression of ratings: ComboLoss (Xu and Xiang, ICASSP 2020), what it was compared with, and a rival.

All are called alike, loss(scores, logits, targets): scores [B] of the regression branch, logits [B, C] of the
classification branch, targets [B] true mean ratings. They give the mean over the batch.

Ratings run from 1 to C. Level c holds the ratings that round to c, halves downwards: c = ceil(s - 1/2).
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.runtime.errors import KinlibError

__all__ = [
    "LOSSES",
    "ComboLoss",
    "LabelDistributionLoss",
    "PublishedComboLoss",
    "SmoothHuberLoss",
    "class_weights",
    "expectation",
    "levels_of",
    "regression",
]

DELTA = 0.8  # rating points; where the released smooth Huber loss turns from log-cosh to the absolute error


def levels_of(ratings: Tensor, num_classes: int = 5) -> Tensor:
    """The level of each rating, counted from 0 (section 2.2: the rounded integer of s - 1/2, upwards).

    Args:
        ratings: of any shape, within half a level of [1, num_classes].
        num_classes: C.

    Returns:
        int64 of the same shape, 0 to C - 1.

    Raises:
        KinlibError: if a rating has no level, or is no number.
    """
    levels = torch.ceil(ratings.detach() - 0.5)
    if not ((levels >= 1) & (levels <= num_classes)).all():  # also false for NaN
        low, high = ratings.min().item(), ratings.max().item()
        raise KinlibError(f"ratings run from 1 to {num_classes}, not from {low:.4g} to {high:.4g}")
    return levels.long() - 1


def class_weights(ratings: Tensor, num_classes: int = 5) -> Tensor:
    """Eq 6: the size of the largest level over the size of each, [C]; 0 for a level that nobody has.

    Args:
        ratings: of the training set, [N].
        num_classes: C.
    """
    counts = torch.bincount(levels_of(ratings, num_classes), minlength=num_classes)
    return torch.where(counts > 0, counts.max() / counts.clamp_min(1), 0.0)


def expectation(logits: Tensor) -> Tensor:
    """Eq 4: the expected level under softmax(logits), counted from 1. [B, C] -> [B]."""
    levels = torch.arange(1, logits.shape[1] + 1, device=logits.device, dtype=logits.dtype)
    return logits.softmax(dim=1) @ levels


class ComboLoss(nn.Module):
    """alpha * L_reg + beta * L_exp + gamma * L_cls (Eq 2 to 6).

    L_reg and L_exp are the absolute errors of the score and of the expected level (Eq 5 prints the predicted score in
    the place of the true one; its text names the true one). L_cls is the cross entropy of the true level times the
    level's weight, averaged over pictures; `torch.nn.CrossEntropyLoss` divides by the sum of their weights instead.

    Args:
        num_classes: C.
        class_weights: w [C] of Eq 6, as `class_weights(ratings)` gives them; None for ones.
        alpha, beta, gamma: shares of the three terms; 2, 1, 1 in the paper.

    Raises:
        KinlibError: if there are not as many weights as levels.
    """

    def __init__(
        self,
        num_classes: int = 5,
        class_weights: Tensor | None = None,
        alpha: float = 2,
        beta: float = 1,
        gamma: float = 1,
    ):
        super().__init__()
        weights = torch.ones(num_classes) if class_weights is None else torch.as_tensor(class_weights).float()
        if weights.shape != (num_classes,):
            raise KinlibError(f"{num_classes} levels need as many weights, not {list(weights.shape)}")
        self.num_classes = num_classes
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.register_buffer("class_weights", weights)

    def forward(self, scores: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """Scores [B], logits [B, C] and true ratings [B] to the mean loss, a scalar.

        Raises:
            ValueError: if the shapes do not fit each other or `num_classes`.
            KinlibError: if a rating has no level.
        """
        _check(scores, logits, targets, self.num_classes)
        of_scores = F.l1_loss(scores, targets)  # Eq 2
        of_expectation = F.l1_loss(expectation(logits), targets)  # Eq 5
        of_levels = self._classification(logits, targets)
        return self.alpha * of_scores + self.beta * of_expectation + self.gamma * of_levels

    def _classification(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Eq 3."""
        levels = levels_of(targets, self.num_classes)
        return (self.class_weights[levels] * F.cross_entropy(logits, levels, reduction="none")).mean()


class PublishedComboLoss(ComboLoss):
    """The classification term as the released code computes it, which the paper does not describe.

    The code hands probabilities to a cross entropy that takes logits, so that softmax is applied twice: the term cannot
    fall below ln(1 + (C - 1) / e), 0.90 for five levels. It divides by the sum of the weights in the batch, and its
    levels round halves to even numbers.
    """

    def _classification(self, logits: Tensor, targets: Tensor) -> Tensor:
        levels_of(targets, self.num_classes)  # refuses what has no level
        levels = targets.detach().round().clamp(1, self.num_classes).long() - 1
        return F.cross_entropy(logits.softmax(dim=1), levels, weight=self.class_weights)


class SmoothHuberLoss(nn.Module):
    """ln cosh(t) for errors |t| below delta, |t| above (HMTNet, Xu et al., ICIP 2019). It jumps at delta.

    Args:
        delta: rating points.
        published: as in the released code, which averages |t| over the batch before it chooses: an error above delta
            counts as the mean error, whatever its own size.
    """

    def __init__(self, delta: float = DELTA, published: bool = False):
        super().__init__()
        self.delta, self.published = delta, published

    def forward(self, scores: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """As `ComboLoss.forward`; the logits are not used."""
        errors = (scores - targets).abs()
        log_cosh = errors + F.softplus(-2 * errors) - math.log(2)  # ln cosh without overflow
        far = errors.mean() if self.published else errors
        return torch.where(errors < self.delta, log_cosh, far).mean()


class LabelDistributionLoss(nn.Module):
    """Label distribution learning: the divergence of softmax(logits) from a normal distribution around the rating.

    With the absolute error of the expected level, as DLDL-v2 has it for ages (Gao et al., IJCAI 2018). Its rating is
    the expected level; the regression branch is not trained.

    Args:
        num_classes: C.
        spread: standard deviation of the distribution, in rating points. With half a level a rating between two levels
            is shared by both, and one at a level keeps 0.79 of its weight there.
    """

    def __init__(self, num_classes: int = 5, spread: float = 0.5):
        super().__init__()
        self.num_classes, self.spread = num_classes, spread

    def forward(self, scores: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """As `ComboLoss.forward`; the scores are not used."""
        _check(scores, logits, targets, self.num_classes)
        levels = torch.arange(1, self.num_classes + 1, device=logits.device, dtype=logits.dtype)
        distance = (levels - targets[:, None]) / self.spread  # [B, C]
        wanted = (-distance.square() / 2).softmax(dim=1)
        divergence = F.kl_div(logits.log_softmax(dim=1), wanted, reduction="batchmean")
        return divergence + F.l1_loss(expectation(logits), targets)


class _Regression(nn.Module):
    """A loss of the scores alone."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, scores: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        return self.function(scores, targets)


def regression(name: str) -> nn.Module:
    """One of the losses that Table 4 compares: "l1", "mse", "smooth_l1".

    Raises:
        KinlibError: for another name.
    """
    functions = {"l1": F.l1_loss, "mse": F.mse_loss, "smooth_l1": F.smooth_l1_loss}
    if name not in functions:
        raise KinlibError(f"there is no loss '{name}': {', '.join(functions)}")
    return _Regression(functions[name])


# Every loss by name; called with the ratings of the training set, from which some take the weights of levels.
LOSSES: dict[str, Callable[[Tensor, int], nn.Module]] = {
    "l1": lambda ratings, num_classes: regression("l1"),
    "mse": lambda ratings, num_classes: regression("mse"),
    "smooth_l1": lambda ratings, num_classes: regression("smooth_l1"),
    "smooth_huber": lambda ratings, num_classes: SmoothHuberLoss(),
    "smooth_huber_published": lambda ratings, num_classes: SmoothHuberLoss(published=True),
    "combo": lambda ratings, num_classes: ComboLoss(num_classes, class_weights(ratings, num_classes)),
    "combo_published": lambda ratings, num_classes: PublishedComboLoss(
        num_classes, class_weights(ratings, num_classes)
    ),
    "label_distribution": lambda ratings, num_classes: LabelDistributionLoss(num_classes),
}


def _check(scores: Tensor, logits: Tensor, targets: Tensor, num_classes: int) -> None:
    """Refuses what would broadcast: scores [B, 1] against targets [B] would become [B, B]."""
    if scores.ndim != 1 or scores.shape != targets.shape or logits.shape != (len(scores), num_classes):
        shapes = [list(tensor.shape) for tensor in (scores, logits, targets)]
        raise ValueError(f"scores, logits and targets must be [B], [B, {num_classes}] and [B], not {shapes}")
