"""Which pixel of an aligned face is what: 19 classes of CelebAMask-HQ and 34 regions of StyleGene.

>>> found = parse(pictures)                                                   # doctest: +SKIP
>>> found.classes.shape, found.mask("hair", "hat").mean()                     # doctest: +SKIP

The `studio` preset has one small network with two heads, trained on renders whose labels are exact (`kinlib train
parsing`). The `ffhq` preset takes the classes from BiSeNet; for StyleGene's regions nobody has published a network, so
there, too, they come from ours. Left and right are the person's.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.faces.bisenet import load_bisenet
from kinlib.io.face_labels import CLASSES, MIRRORED_CLASSES, REGIONS
from kinlib.io.images import resize, to_tensor
from kinlib.runtime import config, memory
from kinlib.runtime.errors import KinlibError

__all__ = ["Parser", "Parsing", "ParsingNet", "load_parser", "parse", "probabilities"]

NAMES = {"classes": CLASSES, "regions": REGIONS}
SMALLEST = 16  # px


@dataclass(frozen=True)
class Parsing:
    """What `parse` found in B pictures of H x W pixels.

    Attributes:
        classes: uint8 [B, H, W], numbers of `kinlib.io.face_labels.CLASSES`.
        regions: uint8 [B, H, W], numbers of `kinlib.io.face_labels.REGIONS`.
        class_probabilities: float32 [B, 19, S, S] on the CPU, at the network's resolution; they sum to 1.
        region_probabilities: float32 [B, 34, S, S].
    """

    classes: np.ndarray
    regions: np.ndarray
    class_probabilities: Tensor
    region_probabilities: Tensor

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.classes)

    def mask(self, *names: str, of: str = "classes") -> np.ndarray:
        """Where any of the named classes (or `of="regions"`) is: bool [B, H, W].

        Raises:
            KinlibError: if a name is unknown.
        """
        numbers = _numbers(names, of)
        return np.isin(self.classes if of == "classes" else self.regions, numbers)

    def soft_mask(self, *names: str, of: str = "classes") -> Tensor:
        """How probable any of the named classes (or `of="regions"`) is: float32 [B, 1, H, W] in [0, 1].

        Raises:
            KinlibError: if a name is unknown.
        """
        numbers = _numbers(names, of)
        found = self.class_probabilities if of == "classes" else self.region_probabilities
        return resize(found[:, numbers].sum(dim=1, keepdim=True), self.classes.shape[-2:]).clamp(0, 1)


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut; the first may halve the size."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class Rise(nn.Module):
    """Twice the size, joined with the features that were there on the way down."""

    def __init__(self, in_channels: int, channels: int, kept: int):
        super().__init__()
        self.narrow = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.join = nn.Conv2d(kept, channels, 1, bias=False)
        self.mix = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        x = F.interpolate(self.narrow(x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.mix(x + self.join(kept))


class ParsingNet(nn.Module):
    """Aligned faces [B, 3, H, W] in [-1, 1] -> logits of classes [B, 19, S, S] and of regions [B, 34, S, S].

    Args:
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the size.
        rising: channels at 1/8, 1/4 and 1/2 on the way back.
        input_size: S, side of the pictures it works on; others are resized.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 64, 96, 128),
        rising: tuple[int, int, int] = (96, 64, 48),
        input_size: int = 128,
    ):
        super().__init__()
        self.input_size = input_size
        a, b, c, d = widths
        # Four pixels become channels of one, here and, the other way round, at the end: half the size, nothing lost.
        self.stem = nn.Sequential(nn.Conv2d(12, a, 3, 1, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True))
        self.down = nn.ModuleList([Block(a, a), Block(a, b, 2), Block(b, c, 2)])
        self.deep = nn.Sequential(Block(c, d, 2), Block(d, d))
        self.whole = nn.Conv2d(d, d, 1)
        before = (d, *rising)
        kept = (c, b, a)
        self.up = nn.ModuleList(Rise(before[i], rising[i], kept[i]) for i in range(3))
        self.head = nn.Sequential(
            nn.Conv2d(rising[-1], 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        self.classes = nn.Conv2d(64, 4 * len(CLASSES), 1)
        self.regions = nn.Conv2d(64, 4 * len(REGIONS), 1)
        for last in (self.classes, self.regions):  # begin with the same answer in all four, or it shows as stripes
            last.weight.data = last.weight.data[::4].repeat_interleave(4, dim=0)
            last.bias.data = last.bias.data[::4].repeat_interleave(4)

    def features(self, images: Tensor) -> list[Tensor]:
        """Activations [B, C_i, S_i, S_i], down to 1/16 of the size and up to 1/2, for a perceptual loss."""
        x = self.stem(F.pixel_unshuffle(resize(images, self.input_size), 2))
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
        x = self.deep(x)
        seen = [*kept, x := x + self.whole(x.mean(dim=(2, 3), keepdim=True))]
        for rise, before in zip(self.up, reversed(kept), strict=True):
            seen.append(x := rise(x, before))
        return seen

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.head(self.features(images)[-1])
        return F.pixel_shuffle(self.classes(x), 2), F.pixel_shuffle(self.regions(x), 2)


@dataclass(frozen=True)
class Parser:
    """The networks of one preset.

    Attributes:
        net: gives regions, and classes where there is no `bisenet`.
        bisenet: gives the classes of the `ffhq` preset.
    """

    net: ParsingNet
    bisenet: nn.Module | None = None


@torch.no_grad()
def probabilities(parser: Parser, images: Tensor, mirror: bool = True) -> tuple[Tensor, Tensor]:
    """Probabilities of the classes and of the regions, for pictures [B, 3, H, W] in [-1, 1].

    Args:
        parser: from `load_parser`.
        images: on the networks' device.
        mirror: also look at the mirrored picture and take the mean; the result then mirrors exactly with the picture.

    Returns:
        float32 [B, 19, S, S] and [B, 34, S, S].
    """
    classes, regions = (logits.float().softmax(dim=1) for logits in parser.net(images))
    if parser.bisenet is not None:
        classes = parser.bisenet(images).float().softmax(dim=1)
    if not mirror:
        return classes, regions
    mirrored = probabilities(parser, images.flip(3), mirror=False)
    return (
        (classes + mirrored[0].flip(3)[:, list(MIRRORED_CLASSES)]) / 2,
        (regions + mirrored[1].flip(3)) / 2,
    )


def parse(
    images: Tensor | Image.Image | np.ndarray | Sequence[Image.Image | np.ndarray],
    preset: str = "studio",
    batch: int = 16,
    mirror: bool = True,
    device: str | torch.device | None = None,
    parser: Parser | None = None,
    dtype: str | torch.dtype | None = None,
) -> Parsing:
    """Parse aligned faces.

    Args:
        images: FFHQ crops of one size, at least 16 px: a tensor [B, 3, H, W] in [-1, 1], PIL pictures or arrays.
        preset: "studio" or "ffhq".
        batch: pictures at once.
        mirror: look twice, see `probabilities`.
        device: where the networks compute, which are there only meanwhile; None picks the best.
        parser: other networks than the preset's, from `load_parser`.
        dtype: "float32", "float16" or "bfloat16" (or PyTorch's own), what the networks compute in; None is float32.

    Returns:
        Label maps of the pictures' size, and probabilities.

    Raises:
        KinlibError: if the pictures, the device or the type cannot be used, or the preset's weights are absent.
    """
    pictures = images if isinstance(images, Tensor) else to_tensor(images)
    if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[-2:]) < SMALLEST or not len(pictures):
        raise KinlibError(f"faces to parse must be [B, 3, H, W] and at least {SMALLEST} px, not {list(pictures.shape)}")
    place = config.pick_device(device)
    dtype = memory.pick_dtype(dtype, place)
    parser = parser or load_parser(preset)
    with ExitStack() as block:  # afterwards the device's memory is free again
        for net in (parser.net, parser.bisenet):
            if net is not None:
                block.enter_context(memory.on_device(net, place))
        block.enter_context(memory.autocast(place, dtype))
        parts = [probabilities(parser, part.to(place).float(), mirror) for part in pictures.split(batch)]
    found = [torch.cat([part[i].cpu() for part in parts]) for i in (0, 1)]
    size = tuple(pictures.shape[-2:])
    return Parsing(_labels(found[0], size), _labels(found[1], size), *found)


@lru_cache(maxsize=4)
def load_parser(preset: str = "studio", path: str | Path | None = None) -> Parser:
    """The networks of a preset.

    Args:
        preset: "studio" or "ffhq".
        path: take our own network from this file rather than the bundled one.

    Raises:
        KinlibError: if the preset is unknown, or a file is missing or does not fit.
    """
    config.check_preset(preset)
    published = weights.path("bisenet") if preset == "ffhq" else None
    path = Path(path) if path else weights.path("studio_parsing")
    with torch.random.fork_rng(devices=[]):  # initialising draws random numbers; the caller's stay
        bisenet, net = published and load_bisenet(published), ParsingNet()
    load_state(net, open_checkpoint(path), path, optional=("num_batches_tracked",))
    return Parser(net.float().eval().requires_grad_(False), bisenet)


def _numbers(names: Sequence[str], of: str) -> list[int]:
    if of not in NAMES:
        raise KinlibError(f"there are masks of 'classes' and of 'regions', not of '{of}'")
    for name in names:
        if name not in NAMES[of]:
            raise KinlibError(f"unknown name '{name}': choose from {', '.join(NAMES[of])}")
    return [NAMES[of].index(name) for name in names]


def _labels(found: Tensor, size: tuple[int, int]) -> np.ndarray:
    """The most probable label of each pixel, uint8 [B, H, W]; one picture after the other, to spare memory."""
    return np.concatenate([resize(one[None], size).argmax(dim=1).byte().numpy() for one in found])
