"""One sentence for what the machine cannot do: a device that cannot compute, too little memory."""

import dataclasses
import sys
from typing import TYPE_CHECKING

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import torch

__all__ = ["check_device", "is_out_of_memory", "shortage"]

# Options that reduce memory, where a command has them.
ON_CARD = {
    "memory_efficient": "--memory-efficient",
    "batch": "a smaller --batch",
    "workers": "fewer --workers",
    "device": "--device cpu",
}
IN_MAIN_MEMORY = {"n": "a smaller --n", "batch": "a smaller --batch", "workers": "fewer --workers"}


def check_device(name: str | None) -> "torch.device":
    """The device asked for, or the best one there is, if pictures can be computed on it.

    Raises:
        KinlibError: if there is no such device here, or it is `meta`, whose tensors hold no values.
    """
    device = config.pick_device(name)
    if device.type == "meta":
        raise KinlibError(f"nothing can be computed on the device '{name}': use cpu, or leave it out")
    return device


def is_out_of_memory(problem: Exception) -> bool:
    """Whether memory ran out, on the CPU or the GPU; PyTorch raises a plain RuntimeError for the CPU."""
    return isinstance(problem, MemoryError) or _is_of_card(problem) or "DefaultCPUAllocator" in str(problem)


def shortage(problem: Exception, command: type | None) -> str:
    """What to say when memory ran out.

    Args:
        problem: the exception that told.
        command: the dataclass of the command's options, if known; only options that it has are named.
    """
    on_card = _is_of_card(problem)
    options = {field.name for field in dataclasses.fields(command)} if command else set()
    remedies = [what for name, what in (ON_CARD if on_card else IN_MAIN_MEMORY).items() if name in options]
    where, others = (" of the graphics card", "what else uses it") if on_card else ("", "other programs")
    tries = f", or try {' or '.join(remedies)}" if remedies else ""
    return f"the memory{where} is not enough: close {others}{tries}"


def _is_of_card(problem: Exception) -> bool:
    """Without importing PyTorch, which only commands that compute need."""
    kind = getattr(sys.modules.get("torch"), "OutOfMemoryError", ())
    return isinstance(problem, kind) or "CUDA error: out of memory" in str(problem)
