"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn

__all__ = ["EMA"]

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
