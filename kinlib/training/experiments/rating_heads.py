"""Many short trainings on ratings: both branches on a hidden layer over fixed features of the bundled identity network.

The features are means and deviations of its activations after each stage, in principal components. A training takes a
second, so that losses can be compared over folds, seeds and conditions. What a loss does to the backbone itself, it
cannot show: `rating_study` trains whole networks for that, fewer of them.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from kinlib.attractiveness.losses import LOSSES, expectation
from kinlib.attractiveness.network import ComboNet
from kinlib.faces.identity import load_identity
from kinlib.training.engine.loop import batches
from kinlib.training.recipes.attractiveness import optimizer_of, step_schedule

__all__ = ["COMPONENTS", "describe_pictures", "fit_head", "person_folds", "predict_scores"]

COMPONENTS = 128  # principal components of the features
HIDDEN = 64
STEPS, BATCH, LR = 600, 64, 0.01  # batch and rate of the paper; about 11 epochs of all pictures


@torch.no_grad()
def describe_pictures(images: Tensor, batch: int = 128) -> Tensor:
    """Pictures uint8 [N, 3, S, S] to standardised principal components [N, `COMPONENTS`], of unit variance in all."""
    net = load_identity()
    parts = []
    for part in images.split(batch):
        stages = net.features(part.float() / 127.5 - 1)  # [B, C, S, S] each
        parts.append(torch.cat([torch.cat([x.mean((2, 3)), x.std((2, 3))], dim=1) for x in stages], dim=1))
    found = torch.cat(parts)  # [N, 704]
    found = (found - found.mean(dim=0)) / found.std(dim=0).clamp_min(1e-6)
    torch.manual_seed(0)  # of the random projections of the decomposition
    _, strength, axes = torch.svd_lowrank(found, min(COMPONENTS, *found.shape), niter=4)
    return found @ axes / (strength.square().mean() / len(found)).sqrt()


def person_folds(people: np.ndarray, seed: int, count: int = 5) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows), bool [N] each; no person in both, every person tested on once."""
    numbers, place = np.unique(people, return_inverse=True)
    fold = np.random.default_rng([seed, 5]).permutation(len(numbers)) % count
    for k in range(count):
        test = fold[place] == k
        yield ~test, test


def fit_head(features: Tensor, scores: Tensor, loss: str, seed: int, steps: int = STEPS, lr: float = LR) -> ComboNet:
    """Train both branches with one hidden layer before them.

    Args:
        features: [N, K].
        scores: [N], mean ratings from 1 to 5.
        loss: a key of `LOSSES`.
        seed: of weights and batches.
        steps: length of the schedule.
        lr: learning rate at the beginning.
    """
    torch.manual_seed(seed)
    net = ComboNet(nn.Sequential(nn.Linear(features.shape[1], HIDDEN), nn.ReLU()), features=HIDDEN)
    with torch.no_grad():
        net.regression_branch.bias.fill_(float(scores.mean()))
    criterion = LOSSES[loss](scores, 5)
    optimizer, rng = optimizer_of(net, lr), torch.Generator().manual_seed(seed)
    order = batches(len(features), min(BATCH, len(features)), rng)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * step_schedule(step / steps)
        index = next(order)
        value = criterion(*net(features[index]), scores[index])
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
    return net.eval()


@torch.no_grad()
def predict_scores(net: nn.Module, features: Tensor, loss: str) -> np.ndarray:
    """Scores [N] as the loss trains them: of the regression branch, or the expected level."""
    scores, logits = net(features)
    return (expectation(logits) if loss == "label_distribution" else scores).numpy()
