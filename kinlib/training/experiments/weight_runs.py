"""Short trainings of the weight network in memory: a line for each condition, with its losses after every epoch."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from kinlib.inheritance.weight_network import AdaptiveDimensionWeightModel, combine, similarity_loss
from kinlib.training.data.kin_faces import Couples
from kinlib.training.engine.ema import MovingAverage
from kinlib.training.engine.loop import batches
from kinlib.training.recipes.weights import (
    AVERAGE_DECAY,
    WEIGHT_DECAY,
    Processor,
    add_noise,
    couple_loss,
    dropout_at,
    mean_loss,
)

__all__ = ["Condition", "fit", "per_sample_loss", "stalling_epoch", "turning_point"]

CLIP = 1.0  # norm of gradients
STALLED = 0.9  # share of the gain on held-out families after which it counts as stalled


@dataclass(frozen=True)
class Condition:
    """One way to train.

    Attributes:
        epochs: passes over the couples.
        batch: couples in a step.
        lr: learning rate of AdamW, constant as in the report.
        width, blocks: of the network.
        dropout: rates at the beginning and at the end; the report's listing has 0.3 throughout.
        noise: standard deviation on the parents' codes at the beginning.
        corrected: the moving average of the weights without its bias; otherwise as printed.
    """

    epochs: int = 30
    batch: int = 16
    lr: float = 1e-3
    width: int = 64
    blocks: str = "entry"
    dropout: tuple[float, float] = (0.3, 0.3)
    noise: float = 0.0
    corrected: bool = True


def fit(
    condition: Condition,
    processor: Processor,
    train_set: Couples,
    held_out: Couples,
    seed: int = 0,
    on_epoch: Callable[[int], None] = lambda epoch: None,
) -> tuple[AdaptiveDimensionWeightModel, MovingAverage, pd.DataFrame]:
    """Train a weight network.

    Args:
        condition: how.
        processor: the loss's, for training and for the losses of both sets.
        train_set, held_out: couples.
        seed: of the network and the batches.
        on_epoch: called with the number of each epoch that is done.

    Returns:
        The network in evaluation mode, its moving average (an update each epoch), and a table with the losses of both
        sets before training and after each epoch: `epoch`, `train`, `held_out`.
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    shape = tuple(train_set.father.shape[1:])
    net = AdaptiveDimensionWeightModel(shape, condition.width, condition.dropout[0], condition.blocks)
    optimizer = torch.optim.AdamW(net.parameters(), condition.lr, weight_decay=WEIGHT_DECAY)
    average = MovingAverage(net, AVERAGE_DECAY, corrected=condition.corrected)
    order, steps = batches(len(train_set), condition.batch, rng), len(train_set) // condition.batch
    rows = [_losses(net, processor, train_set, held_out, 0)]
    for epoch in range(1, condition.epochs + 1):
        done = (epoch - 1) / condition.epochs  # dropout and noise change between epochs
        net.train().set_dropout(dropout_at(done, *condition.dropout))
        for _ in range(steps):
            some = train_set[next(order)]
            father, mother = (add_noise(codes, condition.noise, done, rng) for codes in (some.father, some.mother))
            loss = couple_loss(net, processor, father, mother, some.children).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
            optimizer.step()
        average.update(net)  # once an epoch: the report does not say how often
        rows.append(_losses(net, processor, train_set, held_out, epoch))
        on_epoch(epoch)
    return net.eval(), average, pd.DataFrame(rows)


def turning_point(history: pd.DataFrame) -> tuple[int, float]:
    """The epoch with the least loss on held-out couples, and how far the loss has risen again at the end.

    Args:
        history: from `fit`.
    """
    best = history.held_out.idxmin()  # row of the table
    return int(history.epoch[best]), float(history.held_out.iloc[-1] - history.held_out[best])


def stalling_epoch(history: pd.DataFrame) -> int:
    """The first epoch with `STALLED` of all that the loss on held-out couples ever gains; 0 if it gains nothing."""
    gained = history.held_out.iloc[0] - history.held_out  # [epochs + 1], of the untrained network's loss
    return int(history.epoch[(gained >= STALLED * gained.max()).idxmax()])


def _losses(net, processor: Processor, train_set: Couples, held_out: Couples, epoch: int) -> dict[str, float]:
    net.eval()
    few = train_set[torch.arange(min(len(train_set), len(held_out)))]  # as many, so that both cost alike
    losses = (float(mean_loss(net, processor, couples).mean()) for couples in (few, held_out))
    return dict(zip(("epoch", "train", "held_out"), (epoch, *losses), strict=True))


def per_sample_loss(net, processor: Processor, father: Tensor, mother: Tensor, children: Tensor) -> Tensor:
    """The same mean loss as `couple_loss`, one predicted child after the other, as the report's listing 7.4.2 has it.

    It is the yardstick of the benchmark.
    """
    codes = combine(father, mother, net(father, mother))
    total = torch.zeros(())
    for code, truth in zip(codes, children, strict=True):
        embedding = processor.generate_embeddings_from_latent(code.unsqueeze(0))  # [L, 512] -> [1, 512]
        total = total + similarity_loss(embedding.expand_as(truth), truth).mean()
    return total / len(codes)
