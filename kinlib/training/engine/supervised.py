"""How a network descends that learns from labels: AdamW, one cycle of the learning rate, an average of the weights."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from kinlib.training.engine import record
from kinlib.training.engine.loop import Average, Run, Workers, batches, one_cycle

__all__ = ["Descent", "DescentSettings"]


class DescentSettings(Protocol):
    """What the settings of a network have to say for its descent; a dataclass."""

    out: Path
    run: Path
    minutes: float
    steps: int
    batch: int
    rate: float
    seed: int


class Descent:
    """Trains a network in the folder `settings.run`, going on from its last checkpoint.

    Args:
        net: the network, on its device.
        settings: see the fields of `DescentSettings`.
        workers: the processes that train together.
        weight_decay: of AdamW.
        half_life: of the running average, in steps.

    Attributes:
        average: the network with the running average of the weights.
        run: clock, checkpoints and log.
        source: the generator for the augmentation; batches are drawn from it as well.
    """

    def __init__(
        self, net: nn.Module, settings: DescentSettings, workers: Workers, weight_decay: float, half_life: int
    ):
        self.settings, self.workers = settings, workers
        self.parameters = list(net.parameters())
        self.optimiser = torch.optim.AdamW(self.parameters, settings.rate, weight_decay=weight_decay)
        self._net, self._average = net, Average(net, half_life=settings.batch * half_life)
        self.average = self._average.net
        self.run = Run(settings.run, settings.minutes, settings.steps, workers)
        self.run.keep(net=net, average=self._average, optimiser=self.optimiser)
        self.calls, self.source = self.run.begin(asdict(settings)), self.run.randomness(settings.seed)

    def batches(self, count: int) -> Iterator[Tensor]:
        """This process's share of each batch, as indices below `count`, until time or schedule are over.

        Every batch is to be followed by one `step`.
        """
        order = batches(count, self.settings.batch // self.workers.count, self.source)
        while self.run.going():
            self.optimiser.param_groups[0]["lr"] = self.settings.rate * one_cycle(self.run.progress())
            yield next(order)

    def step(self, loss: Tensor) -> None:
        """One step down the gradients of a loss, averaged over the processes."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.workers.average_gradients(self.parameters)
        self.optimiser.step()
        self._average.update(self._net, self.settings.batch)
        self.run.advance()
        if self.run.step % 50 == 0:
            self.run.log(loss=loss.item())

    def write(self, name: str, figures: dict, pictures: int, people: int, net: nn.Module | None = None) -> None:
        """Write the average with its figures and its recipe; it learned from so many `pictures` of so many `people`.

        Of an average that holds more than the network, `net` is the part to write.
        """
        used = {"steps_done": self.run.step, "pictures_used": pictures, "people": people}
        record.write(
            net or self.average, self.settings.out, name, asdict(self.settings) | used, figures, calls=self.calls
        )
