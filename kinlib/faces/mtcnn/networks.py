"""The three networks of MTCNN (Zhang et al., 2016, figure 2), with the weights that facenet-pytorch brings along.

Only that package's files are used. Importing it imports torchvision and, with it, PyTorch's compiler: two seconds, for
three networks of a dozen layers. Pictures go in as (value - 127.5) / 128.

| network | sees | says |
|---|---|---|
| `pnet` | any size | box shifts [B, 4, h, w] and scores [B, 2, h, w], a cell of 12 px every 2 px |
| `rnet` | 24 px | box shifts [B, 4] and scores [B, 2] |
| `onet` | 48 px | box shifts [B, 4], points [B, 10] (five x, five y, as shares of the box) and scores [B, 2] |
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.runtime.errors import KinlibError

__all__ = ["Network", "load"]

PACKAGE = "facenet_pytorch"


@dataclass(frozen=True)
class Layout:
    """The layers of one network.

    Attributes:
        convolutions: channels, side of the kernel, and side of the maximum behind it (0 for none; always stride 2).
        dense: inputs and outputs of the fully connected layer; None for a network that scans, whose heads convolve.
        heads: outputs of each: scores, box shifts, points.
    """

    convolutions: tuple[tuple[int, int, int], ...]
    dense: tuple[int, int] | None
    heads: tuple[int, ...]


LAYOUTS = {
    "pnet": Layout(((10, 3, 2), (16, 3, 0), (32, 3, 0)), None, (2, 4)),
    "rnet": Layout(((28, 3, 3), (48, 3, 3), (64, 2, 0)), (64 * 3 * 3, 128), (2, 4)),
    "onet": Layout(((32, 3, 3), (64, 3, 3), (64, 3, 2), (128, 2, 0)), (128 * 3 * 3, 256), (2, 4, 10)),
}


class Network(nn.Module):
    """One of the three; its layers are called as in the published files."""

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout, channels = layout, 3
        for number, (count, side, _) in enumerate(layout.convolutions, 1):
            self.add_module(f"conv{number}", nn.Conv2d(channels, count, side))
            self.add_module(f"prelu{number}", nn.PReLU(count))
            channels = count
        self.last = len(layout.convolutions) + 1
        if layout.dense:
            self.add_module(f"dense{self.last}", nn.Linear(*layout.dense))
            self.add_module(f"prelu{self.last}", nn.PReLU(layout.dense[1]))
        for number, count in enumerate(layout.heads, 1):
            head = nn.Linear(layout.dense[1], count) if layout.dense else nn.Conv2d(channels, count, 1)
            self.add_module(self._head(number), head)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pictures [B, 3, h, w] -> (box shifts, scores), or (box shifts, points, scores)."""
        for number, (_, _, pool) in enumerate(self.layout.convolutions, 1):
            x = self._layer(f"prelu{number}", self._layer(f"conv{number}", x))
            if pool:
                x = nn.functional.max_pool2d(x, pool, 2, ceil_mode=True)
        if self.layout.dense:
            x = x.permute(0, 3, 2, 1).flatten(1)  # [B, C, h, w] -> [B, w h C], the order of the original in Caffe
            x = self._layer(f"prelu{self.last}", self._layer(f"dense{self.last}", x))
        scores, *rest = (self._layer(self._head(number), x) for number in range(1, len(self.layout.heads) + 1))
        return (*rest, scores.softmax(dim=1))

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return getattr(self, name)(x)

    def _head(self, number: int) -> str:
        if self.layout.dense:
            return f"dense{self.last + 1}_{number}"
        return f"conv{self.last}_{number}"


def load(name: str) -> Network:
    """A network with its weights, float32 on the CPU, without gradients; the caller's random numbers stay.

    Args:
        name: a key of `LAYOUTS`.

    Raises:
        KinlibError: if facenet-pytorch is not installed, or its file is damaged.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise KinlibError("facenet-pytorch is missing: install it with 'pip install --no-deps facenet-pytorch==2.6.0'")
    path = Path(spec.submodule_search_locations[0], "data", f"{name}.pt")
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        net = Network(LAYOUTS[name]).float()
    load_state(net, open_checkpoint(path), path)
    return net.eval().requires_grad_(False)
