"""The networks of ESRGAN and Real-ESRGAN, told apart by the names of their weights.

Four layouts are in use. *Compact* is Real-ESRGAN's small network (SRVGGNetCompact: convolutions at the small size, one
shuffle at the end), ours included. The large one (RRDBNet, Wang et al. 2018) goes by three sets of names: the first
release's (`model.1.sub.0...`), ESRGAN's (`RRDB_trunk.0...`) and BasicSR's (`body.0.rdb1...`). A file that is loaded
into the wrong network fails with hundreds of missing names; here the file says which network it needs.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.runtime.compat import patch_torchvision
from kinlib.runtime.errors import KinlibError

__all__ = ["Compact", "Upscaler", "compact_layers", "load_upscaler", "missing", "pick_head"]

NOT_BUILT = (3, 13)  # from this Python on, basicsr cannot be built

# From the older names of the large network to BasicSR's.
RENAMED = (
    (r"^model\.0\.", "conv_first."),
    (r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."),
    (r"^model\.1\.sub\.\d+\.", "conv_body."),
    (r"^model\.3\.", "conv_up1."),
    (r"^model\.6\.", "conv_up2."),
    (r"^model\.8\.", "conv_hr."),
    (r"^model\.10\.", "conv_last."),
    (r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."),
    (r"^trunk_conv\.", "conv_body."),
    (r"^upconv(\d)\.", r"conv_up\1."),
    (r"^HRconv\.", "conv_hr."),
)


@dataclass(frozen=True)
class Upscaler:
    """A network that enlarges: RGB [B, 3, H, W] in [0, 1] -> [B, 3, factor H, factor W]."""

    net: nn.Module
    factor: int


def compact_layers(width: int, depth: int) -> list[nn.Module]:
    """The compact network without its last convolution: [B, 3, H, W] -> [B, width, H, W]."""
    layers: list[nn.Module] = []
    for channels in (3, *[width] * depth):
        layers += [nn.Conv2d(channels, width, 3, 1, 1), nn.PReLU(width)]
    return layers


def missing() -> KinlibError:
    """What to say where a large network is asked for and realesrgan or basicsr cannot be imported."""
    needed = "the large networks of ESRGAN and Real-ESRGAN need the packages realesrgan and basicsr"
    if sys.version_info >= NOT_BUILT:
        older = "use Python 3.11 or 3.12, or the preset 'studio'"
        return KinlibError(f"{needed}, which do not build on Python {'.'.join(map(str, NOT_BUILT))} and newer: {older}")
    return KinlibError(f"{needed}, which are not installed: run `pip install --no-deps -r requirements-nodeps.txt`")


class Compact(nn.Module):
    """Real-ESRGAN's compact network, by the names of its published weights; RGB in [0, 1].

    Args:
        width: channels.
        depth: convolutions between the first and the last.
        factor: how many times larger.
    """

    def __init__(self, width: int = 64, depth: int = 16, factor: int = 4):
        super().__init__()
        self.factor = factor
        self.body = nn.ModuleList([*compact_layers(width, depth), nn.Conv2d(width, 3 * factor**2, 3, 1, 1)])

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for layer in self.body:
            features = layer(features)
        return F.pixel_shuffle(features, self.factor) + F.interpolate(x, scale_factor=self.factor, mode="nearest")


def load_upscaler(path: str | Path, factor: int | None = None) -> Upscaler:
    """The network of a file, whichever of the four layouts it has.

    Args:
        path: .pth or .safetensors.
        factor: which head to take of a file that has several (2 or 4); without meaning for others.

    Raises:
        KinlibError: if the file is missing or holds something else, or the large network's packages are missing.
    """
    state = pick_head(_renamed(_weights_in(open_checkpoint(path))), factor)
    if _rank(state, "body.0.weight") == 4 and _rank(state, "body.1.weight") == 1:
        make, factor = _compact(state, path)
    elif _rank(state, "body.0.rdb1.conv1.weight") == 4 and _rank(state, "conv_first.weight") == 4:
        make, factor = _large(state)
    else:
        raise KinlibError(f"{path} holds no network of ESRGAN or Real-ESRGAN: none of the known layouts fits its names")
    net = build(make, state, path)
    return Upscaler(net.float().eval().requires_grad_(False), factor)


def pick_head(state: dict[str, Tensor], factor: int | None) -> dict[str, Tensor]:
    """Of weights with several last convolutions (`heads.2.weight`, ...), one network in the published layout.

    The head nearest to `factor` from above is taken, else the largest.
    """
    heads = sorted(int(name.split(".")[1]) for name in state if re.fullmatch(r"heads\.\d{1,4}\.weight", name))
    if not heads:
        return state
    chosen = next((head for head in heads if factor is not None and head >= factor), heads[-1])
    body = {name: value for name, value in state.items() if name.startswith("body.")}
    last = 1 + max(_layers(state), default=-1)
    head = {part: state.get(f"heads.{chosen}.{part}") for part in ("weight", "bias")}
    return body | {f"body.{last}.{part}": value for part, value in head.items() if value is not None}


def _weights_in(content: dict) -> dict[str, Tensor]:
    """The named tensors of an opened file: the averaged ones where it has them, as Real-ESRGAN's own loader does it."""
    wrapped = (content[key] for key in ("params_ema", "params") if isinstance(content.get(key), dict))
    return {str(name): value for name, value in next(wrapped, content).items() if isinstance(value, Tensor)}


def _layers(state: dict[str, Tensor]) -> set[int]:
    """Numbers of the layers, or blocks, in a network's body; names without a number are left to `load_state`."""
    return {int(found[1]) for name in state if (found := re.match(r"body\.(\d{1,4})\.", name))}


def _rank(state: dict[str, Tensor], name: str) -> int:
    return state[name].ndim if name in state else 0


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the large network under BasicSR's names; others as they are."""
    if not any(name.startswith(("model.1.sub.", "RRDB_trunk.")) for name in state):
        return state
    names = {}
    for name in state:
        fitting = (re.sub(old, new, name) for old, new in RENAMED if re.search(old, name))
        names[name] = next(fitting, name)
    return {names[name]: value for name, value in state.items()}


def _compact(state: dict[str, Tensor], path: str | Path) -> tuple[Callable[[], nn.Module], int]:
    convolutions = [i for i in sorted(_layers(state)) if _rank(state, f"body.{i}.weight") == 4]
    channels = len(state[f"body.{convolutions[-1]}.weight"])
    factor = round((channels / 3) ** 0.5)
    if not 1 <= factor <= 8 or channels != 3 * factor**2:
        raise KinlibError(f"{path} has {channels} channels at its end, which no whole factor explains")
    return partial(Compact, len(state["body.0.weight"]), len(convolutions) - 2, factor), factor


def _large(state: dict[str, Tensor]) -> tuple[Callable[[], nn.Module], int]:
    """RRDBNet; for smaller factors than 4 it folds the pixels of the input into channels first."""
    patch_torchvision()
    try:
        from basicsr.archs.rrdbnet_arch import RRDBNet
    except ImportError as error:
        raise missing() from error
    first, growth = state["conv_first.weight"], len(state["body.0.rdb1.conv1.weight"])
    factor = {3: 4, 12: 2, 48: 1}.get(first.shape[1], 4)
    return partial(RRDBNet, 3, 3, factor, len(first), len(_layers(state)), growth), factor
