"""Training from labels: AdamW, one cycle of the learning rate, an exponential moving average of the weights.

A recipe that repeats a paper's training gives its own optimizer, schedule and average.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kinlib.training.engine import record
from kinlib.training.engine.ema import EMA, MovingAverage
from kinlib.training.engine.loop import Run, batches, one_cycle
from kinlib.training.engine.processes import step
from kinlib.training.engine.settings import TrainSettings

__all__ = ["SupervisedTrainer"]


class SupervisedTrainer:
    """Trains a network in the folder `settings.run`, resuming from its last checkpoint.

    Args:
        net: the network; it is moved to the accelerator's device.
        settings: of the run.
        accelerator: of this process.
        weight_decay: of AdamW, unless an optimizer is given.
        half_life: of the moving average, in steps.
        average: what follows the weights instead of an `EMA` of that half-life.
        max_norm: gradients are scaled down to this norm; None leaves them as they are.
        optimizer: of the network's parameters, instead of AdamW.
        schedule: share of the learning rate, from the run's progress in 0..1.

    Attributes:
        average: the network with the moving average of the weights.
        run: clock, checkpoints and log.
        rng: the generator for augmentation; the order of batches follows from it as well.
    """

    def __init__(
        self,
        net: nn.Module,
        settings: TrainSettings,
        accelerator: Accelerator,
        weight_decay: float = 0.0,
        half_life: int = 100,
        average: EMA | MovingAverage | None = None,
        max_norm: float | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        schedule: Callable[[float], float] = one_cycle,
    ):
        self.settings, self.accelerator, self._max_norm = settings, accelerator, max_norm
        self._schedule = schedule
        self._net = net.to(accelerator.device)  # before its parameters go to the optimizer
        optimizer = optimizer or torch.optim.AdamW(net.parameters(), settings.lr, weight_decay=weight_decay)
        self.optimizer = accelerator.prepare(optimizer)  # steps through the gradient scaler, where there is one
        self._ema = average or EMA(net, half_life=settings.batch * half_life)
        self.average = self._ema.net
        self.run = Run(settings.run, accelerator, settings.minutes, settings.steps)
        self.run.restore(net=net, average=self._ema, optimizer=self.optimizer)
        self.calls, self.rng = self.run.record_call(asdict(settings)), self.run.seed(settings.seed)

    def batches(self, count: int) -> Iterator[Tensor]:
        """This process's share of each batch, as indices below `count`, until time or schedule are over.

        Every batch is to be followed by one `step`.
        """
        # The main process's share differs from the others' by its generator's seed.
        order = batches(count, self.settings.batch // self.accelerator.num_processes, self.rng)
        while self.run.going():
            self.optimizer.param_groups[0]["lr"] = self.settings.lr * self._schedule(self.run.progress())
            yield next(order)

    def step(self, loss: Tensor) -> None:
        """One optimizer step along the gradients of a loss, averaged over the processes."""
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        step(self.accelerator, self.optimizer, self._max_norm)
        self._ema.update(self._net, self.settings.batch)  # the whole batch's samples, over all processes
        self.run.advance()
        self.run.log_losses({"loss": loss})

    def write(
        self,
        name: str,
        metrics: dict,
        pictures: int,
        people: int | None,
        net: nn.Module | dict[str, Tensor] | None = None,
    ) -> None:
        """Write the averaged network with its metrics and its recipe.

        Args:
            name: of the files.
            metrics: on held-out people.
            pictures, people: how many were trained on.
            net: the part to write of an average that holds more than the network, or tensors by name.
        """
        used = {"steps_done": self.run.step, "pictures_used": pictures, "people": people}
        recipe = asdict(self.settings) | used
        record.write(net or self.average, self.settings.out, name, recipe, metrics, calls=self.calls)
