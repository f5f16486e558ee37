"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn

__all__ = ["EMA", "MovingAverage"]

WARM_UP = 0.05  # the half-life is at most this share of the samples seen, so that early weights are soon forgotten
# (`ema_rampup` of StyleGAN2-ADA and StyleGAN3, whose value this is)


class EMA:
    """Exponential moving average of a network's weights, with the warm-up of StyleGAN3.

    Args:
        net: the network to follow.
        half_life: in samples.

    Attributes:
        net: a copy of the network with the averaged weights, in evaluation mode.
    """

    def __init__(self, net: nn.Module, half_life: float):
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.half_life, self.seen = half_life, 0

    @torch.no_grad()
    def update(self, net: nn.Module, batch: int) -> None:
        """Move towards `net` after a step on `batch` samples."""
        self.seen += batch
        decay = 0.5 ** (batch / min(self.half_life, max(self.seen * WARM_UP, 1e-8)))
        for mine, other in zip(self.net.parameters(), net.parameters(), strict=True):
            mine.lerp_(other.detach(), 1 - decay)
        # Buffers are copied: the statistics of batch normalisation are running averages already.
        for mine, other in zip(self.net.buffers(), net.buffers(), strict=True):
            mine.copy_(other)

    def state_dict(self) -> dict:
        """For a checkpoint."""
        return {"net": self.net.state_dict(), "seen": self.seen}

    def load_state_dict(self, state: dict) -> None:
        """From a checkpoint."""
        self.net.load_state_dict(state["net"])
        self.seen = state["seen"]


class MovingAverage:
    """The student report's moving average of all of a network's state (its 7.4.4), and the same without its bias.

    As printed, `average = 0.9 * average + 0.1 * weights` begins at the first weights, which keep a share of 0.9^t after
    t updates. Corrected, as in Adam (Kingma and Ba 2015, section 3), all count as 0.9 to the power of their age.

    Args:
        net: the network to follow.
        decay: what the average keeps at an update.
        every: steps between two updates.
        corrected: without the bias.

    Attributes:
        net: a copy of the network with the averaged state, in evaluation mode.
    """

    def __init__(self, net: nn.Module, decay: float = 0.9, every: int = 1, corrected: bool = True):
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay, self.every, self.corrected = decay, every, corrected
        self.steps = self.updates = 0

    @torch.no_grad()
    def update(self, net: nn.Module, batch: int = 0) -> None:
        """Count a step; with each `every`-th move towards `net`. The size of the batch makes no difference."""
        self.steps += 1
        if self.steps % self.every:
            return
        self.updates += 1
        share = 1 - self.decay
        if self.corrected or self.updates == 1:  # with the first update both are the weights themselves
            share /= 1 - self.decay**self.updates
        for mine, other in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(other.detach().to(mine), share)
            else:  # counters
                mine.copy_(other)

    def state_dict(self) -> dict:
        """For a checkpoint."""
        return {"net": self.net.state_dict(), "steps": self.steps, "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """From a checkpoint."""
        self.net.load_state_dict(state["net"])
        self.steps, self.updates = state["steps"], state["updates"]
