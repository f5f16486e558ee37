"""Training in one or several processes, through accelerate: device, mixed precision, gradients, start and stop.

`kinlib train NAME` trains in this process, and `kinlib train NAME --workers 2` in two that it starts. Several cards,
also of several machines, can be used with `accelerate launch --multi_gpu -m kinlib.cli train NAME --device cuda`: each
process then finds its rank and its card in the environment, and `--workers` is ignored.

Networks are not wrapped in DistributedDataParallel. A recipe calls several methods of one network (`synthesis`,
`features`), which its hooks on `forward` do not see. Gradients are averaged in one reduction before each step instead,
as in StyleGAN3's training loop.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState
from accelerate.utils import patch_environment
from torch.multiprocessing import ProcessContext, ProcessExitedException, start_processes

from kinlib.runtime.errors import KinlibError
from kinlib.runtime.memory import half_dtype
from kinlib.training.engine.settings import TrainSettings

__all__ = ["STOP_SIGNALS", "TERMINATED", "accelerator_for", "launch", "mixed_precision_of", "restored_signals", "step"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
TERMINATED = 128 + signal.SIGTERM  # exit code after SIGTERM, as shells have it
REFUSED = 2  # exit code of a process that met a KinlibError
# Seconds for gloo's threads to let go of the last reduction's tensor. A thread that does so while the interpreter ends
# asks for its lock and aborts the process: one run of eight without this pause, also after `destroy_process_group`.
LETTING_GO = 0.2
PATIENCE = 60.0  # seconds that processes have to write a checkpoint after a signal, before they are killed


def mixed_precision_of(device: torch.device) -> str:
    """ "bf16" on a CPU and on recent cards, "fp16" on a T4, "no" on a CPU whose convolutions have no 16-bit kernels."""
    if device.type == "cpu" and not torch.backends.mkldnn.is_available():
        return "no"
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}[half_dtype(device)]


def accelerator_for(device: torch.device | str, mixed_precision: str | None = None) -> Accelerator:
    """The accelerator of this process, on a device.

    With "fp16" on a card it holds a gradient scaler: `backward` multiplies the loss, `step` divides the gradients.

    Args:
        device: of a process by itself; of several on cards, each takes the card of its rank.
        mixed_precision: "no", "bf16" or "fp16"; None for what suits the device.
    """
    device = torch.device(device)
    place = {}
    if "LOCAL_RANK" not in os.environ:
        # accelerate keeps one state for a process and refuses a second device or precision, but a notebook may train
        # one network on the CPU and the next on a card.
        AcceleratorState._reset_state(reset_partial_state=True)
        place = {"ACCELERATE_TORCH_DEVICE": device}
    # Our choice of precision wins over `accelerate launch --mixed_precision`, whose default is none at all.
    with patch_environment(**place):
        return Accelerator(cpu=device.type == "cpu", mixed_precision=mixed_precision or mixed_precision_of(device))


def step(accelerator: Accelerator, optimizer: AcceleratedOptimizer, max_norm: float | None = None) -> None:
    """One step with the gradients that `accelerator.backward` left, averaged over the processes.

    With a gradient scaler, a step whose gradients overflowed is left out, in all processes alike, and the scale halved.

    Args:
        accelerator: of this process.
        optimizer: from `accelerator.prepare`.
        max_norm: the averaged gradients are scaled down to this norm; None leaves them as they are.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if accelerator.num_processes > 1:
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])  # one message instead of hundreds
        flat = accelerator.reduce(flat, "mean")
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))
    if max_norm is not None:
        # Not accelerate's `clip_grad_norm_`, which unscales the gradients of other optimizers as well.
        if accelerator.scaler is not None:
            accelerator.scaler.unscale_(optimizer.optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    optimizer.step()


@contextmanager
def restored_signals() -> Iterator[None]:
    """Puts back the handlers of `STOP_SIGNALS` at the end, whatever was installed inside."""
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def launch(function: Callable[[TrainSettings, Accelerator], None], settings: TrainSettings) -> None:
    """Run `function(settings, accelerator)` in `settings.workers` processes; with one, in this process.

    The processes end when this one is killed, and write a checkpoint before they do.

    Args:
        function: of a module, so that another process can import it.
        settings: its `device` and `workers` are used here.

    Raises:
        KinlibError: if there are fewer cards than workers, or `function` raises one, in whichever process.
        SystemExit: if the run was ended by SIGTERM.
    """
    if settings.workers <= 1 or "LOCAL_RANK" in os.environ:  # the second: started by `accelerate launch`
        with restored_signals():
            _run(function, settings)
        return
    if torch.device(settings.device).type == "cuda" and settings.workers > torch.cuda.device_count():
        raise KinlibError(f"there are {torch.cuda.device_count()} cards for {settings.workers} workers: use fewer")
    with tempfile.TemporaryDirectory() as folder, patch_environment(**_meeting_point(settings.workers)):
        message = Path(folder) / "message"
        # Spawned, not forked: a fork copies locks of OpenMP and CUDA that no thread of the copy will ever release.
        group = start_processes(
            _work, (function, settings, message), settings.workers, join=False, start_method="spawn"
        )
        try:
            _wait_for(group)
        except ProcessExitedException as problem:
            if problem.exit_code == REFUSED and message.exists():
                raise KinlibError(message.read_text()) from None
            if problem.exit_code in (TERMINATED, -signal.SIGTERM):  # in the loop, or while measuring
                raise SystemExit(TERMINATED) from None
            raise


def _meeting_point(workers: int) -> dict[str, str | int]:
    """The environment in which processes find each other: what `accelerate launch` sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "WORLD_SIZE": workers,
        "LOCAL_WORLD_SIZE": workers,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        # One thread each: threads wait for each other at every layer, processes once a step.
        "OMP_NUM_THREADS": 1,
    }


def _run(function: Callable, settings: TrainSettings) -> None:
    """Run `function` with the accelerator of this process, and close the connections to the others at its end."""
    accelerator = accelerator_for(settings.device)
    try:
        function(settings, accelerator)
    finally:
        if accelerator.num_processes > 1:
            time.sleep(LETTING_GO)
        accelerator.end_training()


def _work(rank: int, function: Callable, settings: TrainSettings, message: Path) -> None:
    """What a started process does.

    It ends without the interpreter's clean-up, so that no thread of gloo can abort it (see `LETTING_GO`).
    """
    # The rest of the environment came with the process.
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    code = 0
    try:
        _run(function, settings)
    except KinlibError as problem:  # a sentence, which would arrive as a traceback
        message.write_text(str(problem))
        code = REFUSED
    except SystemExit as end:  # after a signal
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_for(group: ProcessContext) -> None:
    """Wait for the processes to end; signals for this process reach them as SIGTERM."""

    def pass_on(*_) -> None:
        for process in group.processes:
            process.terminate()

    with restored_signals():
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, pass_on)
        try:
            while not group.join():  # returns when one process has ended, and raises if one has failed
                pass
        except KeyboardInterrupt:
            pass_on()  # a terminal's Ctrl-C has reached them already; `kill -INT` has not
            for process in group.processes:
                process.join(PATIENCE)
            raise
        finally:
            for process in group.processes:
                if process.is_alive():
                    process.kill()
