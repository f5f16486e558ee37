"""Loads a state dict into a network; one sentence says what does not fit."""

from pathlib import Path

from torch import Tensor, nn

from kinlib.runtime.errors import KinlibError

__all__ = ["load_state"]


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
    wanted = net.state_dict()
    # Foreign files may hold tensors without data ("meta"), and keys that are no strings.
    state = {str(key): value for key, value in state.items() if isinstance(value, Tensor) and not value.is_meta}
    missing = [key for key in wanted if key not in state and not any(part in key for part in optional)]
    extra = [key for key in state if key not in wanted and not any(part in key for part in optional)]
    wrong = [key for key in state if key in wanted and state[key].shape != wanted[key].shape]
    for what, keys in (("lacks", missing), ("has unknown", extra), ("has misshapen", wrong)):
        if keys:
            raise KinlibError(f"{path} does not fit {type(net).__name__}: it {what} '{keys[0]}' ({len(keys)} in all)")
    net.load_state_dict({key: value.float() for key, value in state.items() if key in wanted}, strict=False)
