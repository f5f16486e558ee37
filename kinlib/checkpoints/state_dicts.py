"""Loads a state dict into a network; one sentence says what does not fit.

A network whose sizes follow from its file is planned without memory first: a file of a few bytes may claim sizes that
no machine holds, and its tensors are compared with the plan before anything is allocated.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kinlib.runtime.errors import KinlibError

__all__ = ["build", "load_state", "plain_tensors"]

Net = TypeVar("Net", bound=nn.Module)
MOST = 2**31  # numbers of one tensor: a hundred times the largest of any network here
SCALED = ("div", "mul", "__truediv__", "__rtruediv__", "__mul__", "__rmul__")  # by a number, which leaves the shape


def build(make: Callable[[], Net], state: dict[str, Tensor], path: str | Path, optional: tuple[str, ...] = ()) -> Net:
    """The network that `make` constructs, with the tensors of `state`.

    Args:
        make: constructs it, of sizes that were read from the file.
        state, path, optional: as in `load_state`.

    Raises:
        KinlibError: if no network has these sizes, or the tensors do not fit it.
    """
    try:
        with torch.device("meta"), _Unfilled():
            plan = make()
    except (ValueError, TypeError, RuntimeError, OverflowError, ZeroDivisionError, IndexError) as problem:
        reason = str(problem).partition("\n")[0]
        raise KinlibError(f"{path} holds a network of sizes that cannot be ({reason})") from problem
    _check(plan, plain_tensors(state), path, optional)
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        net = make()
    load_state(net, state, path, optional)
    return net


class _Unfilled(TorchFunctionMode):
    """Within the block, tensors without memory are neither filled with random numbers nor scaled.

    For these PyTorch would import its compiler, which takes more than a second.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.randn:
            return torch.empty(*args, **kwargs)
        if getattr(func, "__name__", "") in SCALED and sum(isinstance(one, Tensor) for one in args) == 1:
            return next(one for one in args if isinstance(one, Tensor))
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def load_state(net: nn.Module, state: dict[str, Tensor], path: str | Path, optional: tuple[str, ...] = ()) -> None:
    """Load `state` into `net`; every tensor must be there and fit.

    Args:
        net: the network.
        state: tensors by name.
        path: named in the message.
        optional: parts of names that may be missing (noise maps, constant kernels); the network keeps its own then.

    Raises:
        KinlibError: if tensors are missing, left over, or of another shape.
    """
    state = plain_tensors(state)
    wanted = _check(net, state, path, optional)
    net.load_state_dict({key: value.float() for key, value in state.items() if key in wanted}, strict=False)


def plain_tensors(state: dict) -> dict[str, Tensor]:
    """The dense, real tensors of a file by name.

    Foreign files may also hold tensors without data ("meta"), sparse or complex ones, a few numbers that claim to be
    more than any memory holds, other objects, and keys that are no strings.
    """
    return {
        str(key): value
        for key, value in state.items()
        if isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_meta or value.is_complex() or value.is_quantized)
        and value.numel() <= MOST
    }


def _check(net: nn.Module, state: dict[str, Tensor], path: str | Path, optional: tuple[str, ...]) -> dict[str, Tensor]:
    """Compare names and shapes; returns the network's own tensors."""
    wanted = net.state_dict()
    missing = [key for key in wanted if key not in state and not any(part in key for part in optional)]
    extra = [key for key in state if key not in wanted and not any(part in key for part in optional)]
    wrong = [key for key in state if key in wanted and state[key].shape != wanted[key].shape]
    for what, keys in (("lacks", missing), ("has unknown", extra), ("has misshapen", wrong)):
        if keys:
            raise KinlibError(f"{path} does not fit {type(net).__name__}: it {what} '{keys[0]}' ({len(keys)} in all)")
    return wanted
