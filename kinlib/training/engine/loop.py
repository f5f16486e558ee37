"""A training run: a clock, batches, checkpoints that survive a kill, a schedule of the learning rate, a log.

A run lives in one folder: `state.pt` (all that is needed to resume), `log.jsonl` (a line of losses every 50 steps),
`calls.jsonl` (the settings of every call) and sample sheets. Starting the same command again resumes from the last
checkpoint.
"""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from tqdm import tqdm

from kinlib.io.files import make_folder, parse_json, sweep, write_bytes, write_whole
from kinlib.io.locks import only_one
from kinlib.runtime.errors import KinlibError
from kinlib.training.engine.processes import STOP_SIGNALS, TERMINATED

__all__ = ["LOG_EVERY", "Run", "batches", "one_cycle"]

LOG_EVERY = 50  # steps; reading a loss off the device makes the CPU wait for it


class Run:
    """One training run in one folder.

    Ctrl-C and SIGTERM end it after the current step, with a checkpoint.

    Args:
        folder: where its files lie.
        accelerator: of this process; the main process writes.
        minutes: how long this call may train; the clock starts here.
        total_steps: length of the schedule; None to train until the time is over.
        every: seconds between two checkpoints.

    Raises:
        KinlibError: if the folder cannot be made, or another process trains in it.
    """

    def __init__(
        self,
        folder: Path,
        accelerator: Accelerator,
        minutes: float,
        total_steps: int | None = None,
        every: float = 120.0,  # a checkpoint of the pair takes about a second to write
    ):
        torch.set_flush_denormal(True)  # a CPU is many times slower on denormal numbers
        self.accelerator = accelerator
        self.folder, self.every = Path(folder), every
        make_folder(self.folder)
        self.hold = ExitStack()
        if self.is_main:
            self.hold.enter_context(only_one(self.folder))
            sweep(self.folder.glob(".*.part"))
        self.begun = self.saved = time.monotonic()
        self.minutes, self.total_steps = minutes, total_steps
        self.step, self.stopped_by, self.parts = 0, None, {}
        self.parent = os.getppid()
        # Every 5 seconds: in a log file each update of the bar is a line.
        self.bar = tqdm(total=total_steps, desc=self.folder.name, unit="step", mininterval=5, disable=not self.is_main)
        self._listen()

    @property
    def is_main(self) -> bool:
        """True in the process that logs and writes."""
        return self.accelerator.is_main_process

    def restore(self, **parts) -> None:
        """Name what belongs in the checkpoint (networks, averages, optimizers), and restore it if there is one.

        Raises:
            KinlibError: if the checkpoint cannot be read, or does not fit the networks.
        """
        if self.accelerator.scaler is not None:
            parts["scaler"] = self.accelerator.scaler
        self.parts = parts
        state = self.folder / "state.pt"
        if state.exists():
            self._load(state)
        if self.is_main:
            _cut_log(self.folder / "log.jsonl", self.step)

    def _load(self, state: Path) -> None:
        """Restore the checkpoint."""
        try:
            # On the CPU first: two copies of everything may not fit on a card.
            saved = torch.load(state, map_location="cpu", weights_only=True)
            self.step = saved["step"]
            for name, part in self.parts.items():
                if name != "scaler" or name in saved:  # a run begun on a CPU has none
                    part.load_state_dict(saved[name])
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # PyTorch answers damaged files with many kinds of exceptions
            raise KinlibError(
                f"'{state}' is damaged or belongs to other networks: choose another folder with --run, or delete it"
            ) from error
        self.bar.update(self.step)

    def record_call(self, settings: dict) -> list[dict]:
        """Note the settings of this call; returns every call's, each with the step it began at and what it changed.

        A run that was resumed with other settings would otherwise claim the last ones for all its steps.

        Raises:
            KinlibError: if the file of earlier calls is damaged, or cannot be written.
        """
        file = self.folder / "calls.jsonl"
        calls = _read_calls(file)
        known: dict = {}  # the settings in force, from all calls so far
        for call in calls:
            known |= call
        plain = {key: value for key, value in settings.items() if isinstance(value, int | float | str | bool)}
        changed = {key: value for key, value in plain.items() if known.get(key) != value and key != "minutes"}
        if self.is_main and (changed or not calls):
            calls.append({"step": self.step, **changed})
            write_bytes(file, "".join(json.dumps(call) + "\n" for call in calls).encode())
        return calls

    def seed(self, seed: int) -> torch.Generator:
        """Seed PyTorch, and return a generator for batches and augmentation.

        Both depend on the step, so that a resumed run does not repeat its beginning, and on the process, so that each
        sees other samples.
        """
        number = seed + 1 + self.accelerator.process_index + 1000 * self.step  # 1000: more than there are processes
        torch.manual_seed(number)
        return torch.Generator().manual_seed(number)

    def share(self, tensors: Iterator[Tensor]) -> None:
        """Replace tensors by those of the main process, in place."""
        if self.accelerator.num_processes > 1:
            for tensor in tensors:
                tensor.copy_(broadcast(tensor.to(self.accelerator.device)))

    def save(self) -> None:
        """Write the checkpoint whole: a kill in the middle leaves the old one.

        Raises:
            KinlibError: if it cannot be written, on a full disk for instance.
        """
        state = {name: part.state_dict() for name, part in self.parts.items()} | {"step": self.step}
        # Not accelerate's `save_state`, which writes several files: a kill between two would mix checkpoints.
        write_whole(self.folder / "state.pt", lambda file: _save(state, file))
        self.saved = time.monotonic()

    def progress(self) -> float:
        """Share of the schedule that is done, by steps if their number is known, else by the clock."""
        if self.total_steps:
            return min(self.step / self.total_steps, 1.0)
        return min((time.monotonic() - self.begun) / (60 * self.minutes), 1.0)

    def going(self) -> bool:
        """True while there is time and schedule left; saves on the way and at the end.

        Raises:
            KeyboardInterrupt, SystemExit: after a checkpoint, if a signal arrived or the starting process was killed.
        """
        now = time.monotonic()  # not the time of day, which may be set while training
        done = self.total_steps is not None and self.step >= self.total_steps
        if self._is_orphaned():  # treated as if it had been terminated
            self.stopped_by = signal.SIGTERM
        over = self._anywhere(done or self.stopped_by is not None or now - self.begun > 60 * self.minutes)
        if self.is_main and (over or now - self.saved > self.every):
            self.save()
        if over:
            self.hold.close()
            self.bar.close()
            self._stop_listening()
            self._end_if_stopped()
        return not over

    def advance(self) -> None:
        """Count one step."""
        self.step += 1
        self.bar.update(1)

    def log(self, **values) -> None:
        """Append a line of losses or metrics to the log and show it beside the progress bar."""
        if not self.is_main:
            return
        line = {"step": self.step, **{k: round(float(v), 5) for k, v in values.items()}}
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
        self.bar.set_postfix({k: f"{v:.3g}" for k, v in list(line.items())[1:6]})  # five fit on a line

    def log_losses(self, losses: dict[str, Tensor]) -> None:
        """`log`, every `LOG_EVERY` steps."""
        if self.step % LOG_EVERY == 0:
            self.log(**{name: value.detach() for name, value in losses.items()})

    def _anywhere(self, flag: bool) -> bool:
        """Whether the flag is set in any process: all leave the loop at the same step, or the rest would wait."""
        if self.accelerator.num_processes == 1:
            return flag
        if flag:
            self.accelerator.set_trigger()
        return self.accelerator.check_trigger()

    def _is_orphaned(self) -> bool:
        """Whether the process that started this one of several was killed; it would train on unseen for hours.

        PyTorch interrupts it then, but interrupts are ignored by what a shell has started in the background.
        """
        return self.accelerator.num_processes > 1 and os.getppid() != self.parent

    def _listen(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self.handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in self.handlers.items():
            if handler is not signal.SIG_IGN:  # a background process keeps ignoring its terminal's Ctrl-C
                signal.signal(number, self._stop)

    def _stop_listening(self) -> None:
        """From here on signals end the process as before: measuring takes minutes."""
        for number, handler in getattr(self, "handlers", {}).items():
            signal.signal(number, handler)

    def _stop(self, number: int, _) -> None:
        self.stopped_by = self.stopped_by or number
        if number == signal.SIGINT:  # a second Ctrl-C does not wait for the step's end
            signal.signal(number, signal.default_int_handler)

    def _end_if_stopped(self) -> None:
        # A process that no signal reached has to end as well. The others wait here while the main process writes.
        if not self._anywhere(self.stopped_by is not None):
            return
        if self.stopped_by == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(TERMINATED)


def _read_calls(file: Path) -> list[dict]:
    """The settings that earlier calls have noted, none where there is no file."""
    try:
        calls = [parse_json(line) for line in file.read_bytes().splitlines() if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise KinlibError(f"'{file}' is damaged: choose another folder with --run, or delete it") from error
    if not all(isinstance(call, dict) for call in calls):
        raise KinlibError(f"'{file}' is damaged: choose another folder with --run, or delete it")
    return calls


def _cut_log(file: Path, step: int) -> None:
    """Leave out the steps after the checkpoint, which come again, and the line that a kill has cut."""
    if not file.exists():
        return
    kept = []
    for line in file.read_bytes().splitlines():
        with suppress(ValueError, TypeError, KeyError):
            if parse_json(line)["step"] < step:
                kept.append(line + b"\n")
    write_bytes(file, b"".join(kept))


def _save(state: dict, file: BinaryIO) -> None:
    """`torch.save`, with the operating system's word where a disk is full; PyTorch hides it in an error of its own."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Endless batches of indices [size], every sample once before any is seen again.

    Raises:
        KinlibError: if there are fewer samples than a batch needs.
    """
    if not 1 <= size <= count:
        raise KinlibError(f"a process cannot take batches of {size} from {count} pictures: choose another --batch")
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order[: count - count % size].split(size)  # the remainder comes in the next permutation


def one_cycle(progress: float, warm_up: float = 0.1) -> float:
    """Share of the highest learning rate, from the run's progress in 0..1: linear warm-up, then cosine decay.

    After Smith and Topin 2018, with the start at 1/25 that PyTorch's OneCycleLR has. Unlike that it keeps no state, so
    that a run may be resumed with another number of steps.
    """
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    # The last step still moves the weights a little.
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) + 1e-4
