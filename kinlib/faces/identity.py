"""Who is it? A small face embedder for the studio preset, trained with ArcFace (Deng et al. 2019).

Embeddings are [B, 512] of unit length and differentiable with respect to the picture, so that the same network measures
results, serves as a loss, and guides the refinement of a code. The ffhq preset's embedder, in `kinlib.faces.facenet`,
is loaded and used in the same way.
"""

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.faces.facenet import FaceNet, facenet_from, is_facenet
from kinlib.runtime import config, memory

__all__ = ["IdentityNet", "identity_loss", "load_identity"]

WIDTHS = (32, 64, 96, 160)


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions with a shortcut; the first may halve the size."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class IdentityNet(nn.Module):
    """Aligned faces [B, 3, S, S] in [-1, 1] -> unit embeddings [B, 512].

    Args:
        widths: channels at 32, 16, 8 and 4 px.
        input_size: side of the pictures it works on; others are resized.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, input_size: int = 64, embedding: int = 512):
        super().__init__()
        self.input_size = input_size
        first = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first))
        self.stages = nn.ModuleList(
            nn.Sequential(ResidualUnit(a, b, 2), ResidualUnit(b, b, 1))
            for a, b in zip((first, *widths), widths, strict=False)
        )
        side = input_size // 2 ** len(widths)
        self.head = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.Flatten(),
            nn.Linear(widths[-1] * side * side, embedding, bias=False),
            nn.BatchNorm1d(embedding),
        )

    def features(self, images: Tensor) -> list[Tensor]:
        """Activations after every stage, for a perceptual loss: [B, C_i, S_i, S_i]."""
        if images.shape[-1] != self.input_size:
            size = (self.input_size, self.input_size)
            images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        x = self.stem(images)
        result = []
        for stage in self.stages:
            x = stage(x)
            result.append(x)
        return result

    def embed(self, features: list[Tensor]) -> Tensor:
        """The embedding that belongs to `features`."""
        return F.normalize(self.head(features[-1]).float(), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.embed(self.features(images))


@lru_cache(maxsize=2)
def load_identity(path: str | Path | None = None, preset: str = "studio") -> "IdentityNet | FaceNet":
    """A preset's embedder, or the one in a file.

    Args:
        path: ours or the published InceptionResnetV1; the content decides. None takes the preset's.
        preset: "studio" or "ffhq".

    Raises:
        KinlibError: if the preset is unknown, or the file is missing or does not fit.
    """
    config.check_preset(preset)
    path = Path(path) if path else weights.path(weights.for_role(preset, "identity").name)
    state = open_checkpoint(path)
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
    ):  # initialising draws random numbers; the caller's stay
        if is_facenet(state):
            return facenet_from(state, path)
        net = IdentityNet()
    load_state(net, state, path, optional=("num_batches_tracked",))
    return net.float().eval().requires_grad_(False)


def identity_loss(drawn: Tensor, target: Tensor, net: nn.Module | None = None) -> Tensor:
    """One minus the cosine of two embeddings, mean over the batch.

    Args:
        drawn, target: aligned faces [B, 3, S, S] in [-1, 1].
        net: an embedder on their device; None lends them the bundled one.
    """
    if net is None:
        with memory.on_device(load_identity(), drawn.device) as lent:
            return identity_loss(drawn, target, lent)
    return (1 - (net(drawn) * net(target).detach()).sum(dim=1)).mean()
