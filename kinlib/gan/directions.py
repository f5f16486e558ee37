"""Directions in W+: what to add to a code to change one attribute (Shen et al. 2020, InterFaceGAN).

A direction is a tensor that broadcasts to W+ [B, L, 512]. The studio's come with a unit (years, or a step from 0 to 1)
and with a linear probe that reads the attribute off a code, so that an attribute can be *set*, not just moved.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kinlib.checkpoints.state_dicts import plain_tensors
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["Direction", "find", "load_direction", "load_directions"]

STYLE_DIM = 512  # of W in every StyleGAN2 of this package and in all published directions
OTHER_NETWORKS = re.compile(r"(pggan_celebahq|stylegan_celebahq|stylegan_ffhq)_\w+_boundary\.npy")
"""InterFaceGAN's own files: directions of PGGAN and of the first StyleGAN, of the same shape, meaningless here."""


@dataclass(frozen=True)
class Direction:
    """One attribute's direction.

    Attributes:
        step: [L, 512] or [1, 512], change of a code for one unit of the attribute.
        probe: [L, 512], or None: reads the attribute off a code.
        offset: added to what the probe gives.
        low, high: the range seen in training; `set` stays within it.
    """

    step: Tensor
    probe: Tensor | None = None
    offset: float = 0.0
    low: float = float("-inf")
    high: float = float("inf")

    def read(self, w_plus: Tensor) -> Tensor:
        """The attribute's value in codes [B, L, 512] -> [B].

        Raises:
            ValueError: if this direction has no probe.
        """
        if self.probe is None:
            raise ValueError("this direction has no probe: it can move an attribute, not read it")
        return (w_plus * self.probe.to(w_plus)).sum(dim=(1, 2)) + self.offset  # [B, L, 512] -> [B]

    def move(self, w_plus: Tensor, amount: float | Tensor) -> Tensor:
        """Codes with the attribute changed by `amount` units."""
        amount = torch.as_tensor(amount, dtype=w_plus.dtype, device=w_plus.device).reshape(-1, 1, 1)
        return w_plus + amount * self.step.to(w_plus)  # [1 or B, 1, 1] * [1 or L, 512] -> [B, L, 512]

    def set(self, w_plus: Tensor, value: float) -> Tensor:
        """Codes with the attribute brought to `value`, kept to the range seen in training."""
        value = min(max(value, self.low), self.high)  # a linear probe says nothing reliable beyond
        # The step changes the probe's reading by one a unit, so one move reaches the value.
        return self.move(w_plus, value - self.read(w_plus))


def load_direction(path_or_name: str | Path) -> Tensor:
    """A direction as a tensor, broadcastable to W+.

    Args:
        path_or_name: a `.pt` or `.npy` file ([512], [1, 512], [18, 512] or [1, 18, 512], as published), or the name of
            a bundled direction ("age", "sex", "smile", "yaw", "glasses", ...).

    Raises:
        KinlibError: if there is no such file or name, the tensor has another shape, or the file is one of those that
            InterFaceGAN published for other networks.
    """
    path = Path(path_or_name)
    if path.suffix not in (".pt", ".pth", ".npy", ".safetensors"):
        return find(load_directions(), str(path_or_name)).step  # no suffix of a file: a name
    if OTHER_NETWORKS.fullmatch(path.name):
        raise KinlibError(f"{path} belongs to PGGAN or the first StyleGAN: use a direction of StyleGAN2's W")
    tensor = _read(path)
    if tensor.ndim == 3 and tensor.shape[0] == 1:
        tensor = tensor[0]  # [1, 18, 512] -> [18, 512]
    if tensor.ndim not in (1, 2) or tensor.shape[-1] != STYLE_DIM or len(tensor) == 0:
        raise KinlibError(f"{path} has shape {list(tensor.shape)}, but a direction is [512], [1, 512] or [L, 512]")
    if not tensor.isfinite().all():
        raise KinlibError(f"{path} holds values that are not finite numbers")
    return tensor.reshape(-1, STYLE_DIM)  # [512] -> [1, 512]; [L, 512] stays


def load_directions(path: str | Path | None = None) -> dict[str, Direction]:
    """All directions of a bundled file, by attribute.

    Raises:
        KinlibError: if the file is missing or damaged.
    """
    path = Path(path) if path else config.data_dir() / "weights" / "studio" / "directions.safetensors"
    state = {key: value.float() for key, value in plain_tensors(open_checkpoint(path)).items()}
    names = sorted({key.split(".")[0] for key in state})  # keys are `<name>.step`, `.probe` and `.range`
    try:
        return {name: _direction(state, name) for name in names}
    except (KeyError, ValueError, TypeError) as problem:
        raise KinlibError(f"{path} holds no directions in our layout ({problem})") from problem


def find(directions: dict[str, Direction], name: str) -> Direction:
    """The direction of that name.

    Raises:
        KinlibError: if there is none.
    """
    if name not in directions:
        raise KinlibError(f"unknown direction '{name}': there are {', '.join(directions) or 'none'}")
    return directions[name]


def _direction(state: dict[str, Tensor], name: str) -> Direction:
    # The probe is stored divided by its largest entry, `scale`; float16 would lose the small ones.
    low, high, offset, scale = state[f"{name}.range"].tolist()
    step, probe = state[f"{name}.step"], state[f"{name}.probe"] * scale
    numbers = torch.cat([step.flatten(), probe.flatten(), state[f"{name}.range"]])
    if {step.shape[-1:], probe.shape[-1:]} != {(STYLE_DIM,)} or not numbers.isfinite().all():
        raise ValueError(f"'{name}' has not {STYLE_DIM} finite numbers a layer")
    return Direction(step, probe, offset, low, high)


def _read(path: Path) -> Tensor:
    if not path.exists():
        raise KinlibError(f"there is no direction file {path}")
    if path.suffix == ".npy":
        try:
            return torch.from_numpy(np.asarray(np.load(path, allow_pickle=False), dtype=np.float32))
        except Exception as problem:  # NumPy answers damaged headers with many kinds of exceptions, archives with more
            raise KinlibError(f"{path} is not a NumPy array of numbers") from problem
    content = open_checkpoint(path)
    # e4e's directions are a bare tensor, others a dictionary with one.
    found = list(plain_tensors({"tensor": content["tensor"]} if "tensor" in content else content).values())
    if len(found) != 1 or len(content) != 1:
        raise KinlibError(f"{path} holds no direction (one tensor was expected)")
    return found[0].float()
