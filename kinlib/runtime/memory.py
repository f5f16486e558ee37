"""Less memory: idle networks leave the accelerator, active ones may compute in half precision.

    with memory.on_device(encoder, device):            # moved there for this block, then back where it was
        with memory.autocast(device, torch.float16):
            code = encoder(images)

The weights themselves stay in float32 where they lie; autocast rounds one layer's weights at a time.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from kinlib.runtime.errors import KinlibError

__all__ = ["DTYPES", "LENDING", "autocast", "half_dtype", "on_device", "pick_dtype"]

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
LENDING = threading.RLock()  # one thread may place several networks; two threads would restore each other's copies
BFLOAT16_CAPABILITY = 8  # compute capability of the first cards with bfloat16 (Ampere); older ones emulate it slowly


def half_dtype(device: torch.device) -> torch.dtype:
    """The 16-bit type that suits a device: bfloat16, which cannot overflow, or float16 on a T4 and older cards."""
    return torch.bfloat16 if _has_bfloat16(device) else torch.float16


def pick_dtype(wanted: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The type to compute in.

    Args:
        wanted: "float32", "float16", "bfloat16", or the same from PyTorch; None for float32.
        device: where it is computed.

    Raises:
        KinlibError: if the type is another, or the device does not have it.
    """
    if wanted is None:
        return torch.float32
    dtype = DTYPES.get(wanted, wanted) if isinstance(wanted, str) else wanted
    if dtype not in DTYPES.values():
        raise KinlibError(f"cannot compute in '{wanted}': choose one of {', '.join(DTYPES)}")
    if dtype == torch.bfloat16 and not _has_bfloat16(device):
        raise KinlibError("this card has no bfloat16 (compute capability 8.0 or more is needed): use float16")
    return dtype


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """Compute in `dtype` where that is safe; for float32, nothing changes."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


@contextmanager
def on_device(net: nn.Module, device: torch.device | str) -> Iterator[nn.Module]:
    """Place a frozen network on a device for the duration of a block.

    The network gets copies of its tensors there. Afterwards they are dropped and the network has its own tensors back,
    which never moved, so leaving takes no time; for the same reason, changes made to the weights within the block are
    lost. A network that is on the device already stays as it is. Where tensors are copied, other threads wait until the
    block ends.
    """
    device = torch.device(device)
    with LENDING:  # else a network that another thread has placed would seem to be there already
        there = all(tensor.device == device for tensor in (*net.parameters(), *net.buffers()))
    if there:
        yield net
        return
    with LENDING:
        yield from _lent(net, device)


def _lent(net: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    own = [
        (module, name, tensor)
        for module in net.modules()
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    ]
    try:
        for module, name, tensor in own:
            setattr(module, name, _copy(tensor, device))
        yield net
    finally:
        for module, name, tensor in own:
            setattr(module, name, tensor)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # PyTorch would keep the memory for itself


def _copy(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    if tensor.device == device:
        return tensor
    with torch.inference_mode(False), torch.no_grad():  # an inference tensor could not take part in autograd later
        copy = tensor.to(device)
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


def _has_bfloat16(device: torch.device) -> bool:
    """Asked of the card itself: `torch.cuda.is_bf16_supported()` also says yes to emulation."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device)[0] >= BFLOAT16_CAPABILITY
