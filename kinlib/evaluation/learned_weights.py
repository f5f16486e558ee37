"""What the weights of a weight network say: the student report's section 8.1, and questions that go beyond it.

The report reads means, variances and the balance of both parents off the weights of its trained network, and concludes
that it has learned patterns like dominance. Three comparisons tell what such numbers mean: the same numbers of other
networks (untrained, or trained on another random matrix), the direction in which the loss pulls every weight before
anything is learned, and the weight of a parent who carries a dominant allele that the other lacks.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.bootstrap import mean_interval

__all__ = ["agreement", "consistent_pairs", "dominant_share", "fit_direction", "layer_means", "overview", "pull"]
__all__ += ["weights_of"]

BATCH = 64
RIDGE = 100.0  # of the direction of a trait, in units of the codes' variance; by eye, among 10, 100 and 1000
LEAST_APART = 0.5  # along a direction: couples nearer than this share of the classes' distance are left out


@torch.no_grad()
def weights_of(model: Callable[[Tensor, Tensor], Tensor], father: Tensor, mother: Tensor) -> Tensor:
    """The father's share of every entry, for codes [C, L, 512]: [C, L, 512]."""
    pairs = zip(father.split(BATCH), mother.split(BATCH), strict=True)
    return torch.cat([model(*pair) for pair in pairs])


def layer_means(weights: Tensor) -> pd.DataFrame:
    """Mean weight of each layer with its interval over couples (the report's Fig 8.1.1): layer, mean, low, high.

    Args:
        weights: [C, L, 512].
    """
    by_couple = weights.mean(dim=2).numpy()  # [C, L]
    return pd.DataFrame([{"layer": layer} | mean_interval(column) for layer, column in enumerate(by_couple.T)])


def consistent_pairs(weights: Tensor, count: int = 20) -> pd.DataFrame:
    """The (layer, dimension) pairs whose weight varies least over couples, as in the report's table of 8.1.

    Args:
        weights: [C, L, 512].
        count: how many, the most consistent first.

    Returns:
        Columns `layer`, `dimension`, `variance` and `weight`, the mean over couples.
    """
    variance, mean = weights.var(dim=0).flatten(), weights.mean(dim=0).flatten()  # [L * 512]
    first = variance.argsort()[:count]
    columns = {"layer": first // weights.shape[2], "dimension": first % weights.shape[2]}
    columns |= {"variance": variance[first], "weight": mean[first]}
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def overview(weights: Tensor) -> pd.DataFrame:
    """The report's two numbers, and what both hide: one row each with `mean`, `low`, `high` over couples.

    `balance` is the mean weight and `deviation` the mean distance of a weight from one half. The deviation splits into
    `fixed`, the distance of the mean weight of an entry from one half, the same for all couples, and `varying`, the
    mean distance of a couple's weight from that mean weight.

    Args:
        weights: [C, L, 512].
    """
    mean = weights.mean(dim=0)
    rows = {
        "balance": weights.mean(dim=(1, 2)),
        "deviation": (weights - 0.5).abs().mean(dim=(1, 2)),
        "fixed": (mean - 0.5).abs().mean().expand(len(weights)),
        "varying": (weights - mean).abs().mean(dim=(1, 2)),
    }
    return pd.DataFrame({name: mean_interval(values.numpy()) for name, values in rows.items()}).T


def pull(loss: Callable[[Tensor, Tensor], Tensor], father: Tensor, mother: Tensor) -> Tensor:
    """Where the loss pulls every weight from one half, mean over couples: [L, 512], positive towards the father.

    Args:
        loss: (weights, index of couples) -> loss of these couples, [B].
        father, mother: codes [C, L, 512].
    """
    total = torch.zeros_like(father[0])
    for index in torch.arange(len(father)).split(BATCH):
        weights = torch.full_like(father[index], 0.5, requires_grad=True)
        loss(weights, index).sum().backward()
        total -= weights.grad.sum(dim=0)
    return total / len(father)


def agreement(first: Tensor, second: Tensor) -> float:
    """Rank correlation over all entries of two maps [L, 512]; 0 if they have nothing in common."""
    from scipy.stats import spearmanr

    return float(spearmanr(first.flatten().numpy(), second.flatten().numpy()).statistic)


def fit_direction(codes: Tensor, label: np.ndarray) -> Tensor:
    """The direction in W+ along which a binary trait shows: ridge regression, [L, 512].

    Args:
        codes: [N, L, 512].
        label: bool [N].
    """
    x = codes.flatten(1).double()
    x = x - x.mean(dim=0)
    y = torch.from_numpy(np.asarray(label, dtype=np.float64))
    gram = x @ x.T  # [N, N]: people are fewer than entries
    ridge = RIDGE * gram.diagonal().mean() / len(x) * torch.eye(len(x), dtype=torch.float64)
    return (x.T @ torch.linalg.solve(gram + ridge, y - y.mean())).view_as(codes[0]).float()


def dominant_share(child: Tensor, carrier: Tensor, other: Tensor, direction: Tensor, scale: float) -> np.ndarray:
    """How far children lie towards the parent who carries a dominant allele, along the direction of its trait: [C].

    0.5 is halfway, as an additive trait would be on average; 1 is like the carrier. Couples whose codes hardly differ
    along the direction are NaN.

    Args:
        child, carrier, other: codes [C, L, 512].
        direction: [L, 512].
        scale: distance between the means of both classes along the direction.
    """
    along = [(codes * direction).sum(dim=(1, 2)).numpy() for codes in (child, carrier, other)]
    apart = along[1] - along[2]
    share = np.full(len(apart), np.nan)
    usable = apart > LEAST_APART * scale
    share[usable] = (along[0] - along[2])[usable] / apart[usable]
    return share
