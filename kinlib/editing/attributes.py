"""Which attributes a face shows, read by a small network that was trained apart from the editing networks.

An edit needs the attributes that are there already (Eq 7), which nobody writes beside a photograph of their own. The
same network judges edits: the discriminator that taught an editing network would find what it asked for.
"""

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet, check_count, from_tensor
from kinlib.faces.identity import ResidualUnit
from kinlib.io.images import resize
from kinlib.runtime.errors import KinlibError

__all__ = ["AttributeNet", "load_attributes", "read_attributes"]

BATCH = 64  # pictures at a time, which bounds the memory


class AttributeNet(nn.Module):
    """Aligned faces [B, 3, S, S] in [-1, 1] to logits of attributes [B, A]; 0.12 million parameters.

    Args:
        num_attributes: A.
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the size.
        input_size: side of the pictures it works on, px; others are resized.

    Attributes:
        attribute_set: which attributes they are; the document's unless a file of weights says others.
    """

    attribute_set: AttributeSet = DOCUMENT

    def __init__(
        self,
        num_attributes: int = len(DOCUMENT),
        widths: tuple[int, ...] = (16, 32, 48, 56),
        input_size: int = 64,
    ):
        super().__init__()
        self.input_size = input_size
        first = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first))
        self.stages = nn.Sequential(
            *(ResidualUnit(inside, outside, 2) for inside, outside in zip((first, *widths), widths, strict=False))
        )
        self.head = nn.Sequential(nn.BatchNorm1d(2 * widths[-1]), nn.Linear(2 * widths[-1], num_attributes))

    def forward(self, images: Tensor) -> Tensor:
        x = self.stages(self.stem(resize(images, self.input_size)))  # [B, C, S / 16, S / 16]
        # The mean for what is everywhere (hair, skin), the maximum for what is in one place (glasses, a moustache).
        return self.head(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))


@lru_cache(maxsize=2)
def load_attributes(path: str | Path | None = None) -> AttributeNet:
    """The bundled network, or the one in `path`, ready to read.

    Raises:
        KinlibError: if the file is missing, or holds something else.
    """
    path = Path(path) if path else weights.path("studio_edit_attributes")
    state = open_checkpoint(path)
    known = from_tensor(state, path)
    head = state.get("head.1.weight")
    if not isinstance(head, Tensor) or head.ndim != 2:
        raise KinlibError(
            f"{path} holds no network of attributes: give a file that `kinlib train edit_attributes` wrote"
        )
    net = build(lambda: AttributeNet(len(head)), state, path, optional=("num_batches_tracked",))
    check_count(len(head), known, path)
    net.attribute_set = known
    return net.float().eval().requires_grad_(False)


@torch.no_grad()
def read_attributes(images: Tensor, net: nn.Module | None = None) -> Tensor:
    """How sure the network is of each attribute: the mean over a picture and its mirror image.

    Args:
        images: aligned faces [B, 3, S, S] in [-1, 1].
        net: an `AttributeNet`; None takes the bundled one.

    Returns:
        Probabilities [B, A], on the CPU.

    Raises:
        KinlibError: if the pictures have another shape, or the bundled network is missing.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise KinlibError(f"faces must be [B, 3, S, S], not {list(images.shape)}")
    net = net or load_attributes()
    place = next(net.parameters()).device
    parts = [part.to(place).float() for part in images.split(BATCH)]
    return torch.cat([((net(part).sigmoid() + net(part.flip(3)).sigmoid()) / 2).cpu() for part in parts])
