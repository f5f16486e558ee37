"""What every training run needs: a clock, batches, checkpoints that survive a kill, an average of the weights, a log.

A run lives in one folder: `state.pt` (everything needed to go on), `log.jsonl` (one line of figures now and then) and
sample sheets. Starting the same command again goes on where the last checkpoint was written.
"""

import copy
import json
import math
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm

from kinlib.runtime.memory import half_dtype

__all__ = ["Average", "Run", "Workers", "batches", "launch", "one_cycle", "precision", "use_channels_last"]


class Workers:
    """Processes that train together, each on its share of a batch, with one thread each on a CPU.

    Threads wait for each other at every layer, processes once a step, which matters where other work takes a core away.

    Args:
        rank: number of this process.
        count: number of processes.
    """

    def __init__(self, rank: int = 0, count: int = 1):
        self.rank, self.count = rank, count

    @property
    def leads(self) -> bool:
        """True in the process that logs and writes."""
        return self.rank == 0

    def average_gradients(self, parameters: list[Tensor]) -> None:
        """Replace every gradient by its mean over the processes; call between `backward` and `step`."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def share(self, tensor: Tensor) -> None:
        """Replace a tensor by the leader's, in every process."""
        if self.count > 1:
            dist.broadcast(tensor, 0)

    def agree(self, flag: bool) -> bool:
        """The leader's flag, in every process."""
        shared = torch.tensor([int(flag)])
        self.share(shared)
        return bool(shared.item())


def launch(function: Callable, settings, workers: int) -> None:
    """Run `function(settings, Workers)` in so many processes; with one, in this process."""
    if workers <= 1:
        function(settings, Workers())
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = (function, settings, workers, f"{folder}/meet")
        group = torch.multiprocessing.spawn(_worker, arguments, nprocs=workers, join=False)
        signal.signal(signal.SIGTERM, lambda *_: [process.terminate() for process in group.processes])
        while not group.join():
            pass


def _worker(rank: int, function: Callable, settings, workers: int, meet: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=workers)
    function(settings, Workers(rank, workers))
    dist.destroy_process_group()


class Average:
    """Exponential moving average of a network's weights, with the usual warm-up.

    Args:
        net: the network to follow.
        half_life: in samples.
    """

    def __init__(self, net: nn.Module, half_life: float):
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.half_life, self.seen = half_life, 0

    @torch.no_grad()
    def update(self, net: nn.Module, batch: int) -> None:
        """Move towards `net` after a step on `batch` samples."""
        self.seen += batch
        decay = 0.5 ** (batch / min(self.half_life, max(self.seen * 0.05, 1e-8)))
        for mine, other in zip(self.net.parameters(), net.parameters(), strict=True):
            mine.lerp_(other.detach(), 1 - decay)
        for mine, other in zip(self.net.buffers(), net.buffers(), strict=True):
            mine.copy_(other)


class Run:
    """One training run in one folder.

    Args:
        folder: where its files lie.
        minutes: how long this call may train; the clock starts here.
        total_steps: length of the schedule, for the progress bar.
        workers: the processes that train together; the leader writes.
        every: seconds between two checkpoints.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        total_steps: int | None = None,
        workers: Workers | None = None,
        every: float = 120.0,
    ):
        torch.set_flush_denormal(True)  # a CPU is many times slower on denormal numbers
        self.workers = workers or Workers()
        self.folder, self.every = Path(folder), every
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begun = self.saved = time.monotonic()
        self.minutes, self.total_steps = minutes, total_steps
        self.step, self.stopped, self.parts = 0, False, {}
        self.parent = os.getppid()
        self.bar = tqdm(
            total=total_steps, desc=self.folder.name, unit="step", mininterval=5, disable=not self.workers.leads
        )
        signal.signal(signal.SIGTERM, self._stop)

    def keep(self, **parts) -> None:
        """Name what belongs in the checkpoint (networks, averages, optimisers), and restore it if there is one."""
        self.parts = parts
        state = self.folder / "state.pt"
        if not state.exists():
            return
        saved = torch.load(state, map_location="cpu", weights_only=True)
        self.step = saved["step"]
        self.bar.update(self.step)
        for name, part in parts.items():
            _restore(part, saved[name])

    def begin(self, settings: dict) -> list[dict]:
        """Note the settings of this call; returns every call's, each with the step it began at and what it changed.

        A run that was stopped and went on with other settings would otherwise claim the last ones for all its steps.
        """
        file = self.folder / "calls.jsonl"
        calls = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        known: dict = {}
        for call in calls:
            known |= call
        plain = {key: value for key, value in settings.items() if isinstance(value, int | float | str | bool)}
        changed = {key: value for key, value in plain.items() if known.get(key) != value and key != "minutes"}
        if self.workers.leads and (changed or not calls):
            calls.append({"step": self.step, **changed})
            file.write_text("".join(json.dumps(call) + "\n" for call in calls))
        return calls

    def randomness(self, seed: int) -> torch.Generator:
        """Seed PyTorch, and give a generator for batches and augmentation.

        Both depend on how far the run has come, so that a run that goes on does not repeat its beginning, and on the
        process, so that workers see different samples.
        """
        number = seed + 1 + self.workers.rank + 1000 * self.step
        torch.manual_seed(number)
        return torch.Generator().manual_seed(number)

    def save(self) -> None:
        """Write the checkpoint whole: a kill in the middle leaves the old one."""
        state = {name: _snapshot(part) for name, part in self.parts.items()} | {"step": self.step}
        temporary = self.folder / "state.pt.part"
        torch.save(state, temporary)
        os.replace(temporary, self.folder / "state.pt")
        self.saved = time.monotonic()

    def progress(self) -> float:
        """Share of the schedule that is done, by steps if their number is known, else by the clock."""
        if self.total_steps:
            return min(self.step / self.total_steps, 1.0)
        return min((time.monotonic() - self.begun) / (60 * self.minutes), 1.0)

    def going(self) -> bool:
        """True while there is time and schedule left; saves on the way and at the end."""
        now = time.monotonic()
        done = self.total_steps is not None and self.step >= self.total_steps
        over = self.workers.agree(self.stopped or done or self._orphaned() or now - self.begun > 60 * self.minutes)
        if self.workers.leads and (over or now - self.saved > self.every):
            self.save()
        if over:
            self.bar.close()
        return not over

    def _orphaned(self) -> bool:
        """Whether the process that started these workers was killed; unseen, they would go on and write for hours.

        PyTorch interrupts them then, which does not reach those that a shell has started in the background.
        """
        return self.workers.count > 1 and os.getppid() != self.parent

    def advance(self) -> None:
        """Count one step."""
        self.step += 1
        self.bar.update(1)

    def log(self, **figures) -> None:
        """Append a line of figures to the log and show it beside the progress bar."""
        if not self.workers.leads:
            return
        line = {"step": self.step, **{k: round(float(v), 5) for k, v in figures.items()}}
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
        self.bar.set_postfix({k: f"{v:.3g}" for k, v in list(line.items())[1:6]})

    def _stop(self, *_):
        self.stopped = True


def _snapshot(part) -> dict:
    if isinstance(part, Average):
        return {"net": part.net.state_dict(), "seen": part.seen}
    return part.state_dict()


def _restore(part, saved: dict) -> None:
    if isinstance(part, Average):
        part.net.load_state_dict(saved["net"])
        part.seen = saved["seen"]
    else:
        part.load_state_dict(saved)


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Endless batches of indices, every sample once before any is seen again."""
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order[: count - count % size].split(size)


def one_cycle(progress: float, warm_up: float = 0.1) -> float:
    """Share of the highest learning rate, from the run's progress in 0..1: up in a line, down along a cosine.

    Unlike PyTorch's schedulers it keeps no state, so a run may go on with another number of steps.
    """
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) + 1e-4


def precision(device: torch.device):
    """Mixed precision where the hardware has it: bfloat16 on the CPU and on recent cards, float16 on a T4."""
    fast = device.type == "cuda" or torch.backends.mkldnn.is_available()
    return torch.autocast(device.type, half_dtype(device), enabled=fast)


def use_channels_last(net: nn.Module) -> nn.Module:
    """Channels-last memory for every 4-D tensor of a network; convolutions run faster so, on CPU and GPU."""
    for tensor in [*net.parameters(), *net.buffers()]:
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return net
