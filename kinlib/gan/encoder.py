"""From an aligned face to W+: e4e (Tov et al. 2021), pSp (Richardson et al. 2021), and a small network of that design.

All three work alike: a residual backbone with squeeze-and-excitation, a feature pyramid of three levels, one head per
W+ code. e4e's heads give one code w and an offset to it for every further layer, pSp's heads give every layer's code by
itself. The average code is added inside, so that `encoder(images)` is ready for `Generator.synthesis`.

`RefiningEncoder` adds passes of correction as ReStyle does (Alaluf et al. 2021): each pass compares the reconstruction
with the picture, and adds an offset to the code.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.gan import layouts
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.ops import EqualLinear
from kinlib.gan.residual import ResidualEncoder, code_gradient, fingerprint, residual_from
from kinlib.runtime.errors import KinlibError

__all__ = ["CompactBackbone", "Encoder", "IRSE50", "RefiningEncoder", "load_encoder"]

# First layer of the middle and of the fine group, as in e4e's and pSp's published weights: 4 px has one code, each
# larger size two. `kinlib.inheritance.blend.GROUPS` splits at 4 and 8 instead, StyleGAN's ranges for style mixing.
COARSE, MIDDLE = 3, 7
PART = 32  # pictures corrected at a time: a picture's activations, kept for the gradient, take 10 MB at 128 px


class SEModule(nn.Module):
    """Squeeze and excitation: channels weighted by what the whole picture holds (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 16):  # 16 as in the paper
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True))))  # [B, C, H, W] -> [B, C, 1, 1]
        return x * torch.sigmoid(weight)  # [B, C, H, W]


class BottleneckIRSE(nn.Module):
    """Improved residual unit with squeeze and excitation (the backbone of ArcFace)."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        if in_channels == channels:
            self.shortcut_layer = nn.MaxPool2d(1, stride)  # a window of 1: takes every `stride`-th pixel
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),  # before the convolution: "improved" residual (Han et al. 2017; ArcFace)
            nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            SEModule(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)  # [B, C, H / stride, W / stride]


class GradualStyleBlock(nn.Module):
    """One head of the official encoders: convolutions of stride 2 down to one pixel, then a linear layer."""

    def __init__(self, in_channels: int, out_channels: int, spatial: int):
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(int(math.log2(spatial))):  # 16, 32 or 64 px -> 1 px
            layers += [nn.Conv2d(in_channels if i == 0 else out_channels, out_channels, 3, 2, 1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.convs(x).flatten(1))  # [B, 512, S, S] -> [B, 512, 1, 1] -> [B, 512]


class IRSE50(nn.Module):
    """Backbone and heads of the official e4e and pSp networks: [B, 3, 256, 256] -> raw codes [B, L, 512].

    Args:
        num_layers: L.
        style_dim: size of a code.
    """

    input_size = 256  # px, what the official encoders were trained on

    def __init__(self, num_layers: int, style_dim: int = 512):
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        # (channels in, channels out, units) of ResNet-50 as ArcFace has it: 24 units, 256 px -> 16 px
        stages = [(64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3)]
        units = [
            BottleneckIRSE(i if n == 0 else o, o, 2 if n == 0 else 1) for i, o, count in stages for n in range(count)
        ]
        self.body = nn.Sequential(*units)
        spatial = [16 if i < COARSE else 32 if i < MIDDLE else 64 for i in range(num_layers)]  # px of a head's level
        self.styles = nn.ModuleList(GradualStyleBlock(512, style_dim, size) for size in spatial)
        self.latlayer1 = nn.Conv2d(256, 512, 1)  # lateral connections of the pyramid (Lin et al. 2017): to 512 channels
        self.latlayer2 = nn.Conv2d(128, 512, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.input_layer(images)  # [B, 64, 256, 256]
        levels = []
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in (6, 20, 23):  # last units of the second, third and fourth stage: 3 + 4, + 14, + 3
                levels.append(x)
        fine, middle, coarse = levels  # [B, 128, 64, 64], [B, 256, 32, 32], [B, 512, 16, 16]
        middle = _upsample_add(coarse, self.latlayer1(middle))  # [B, 512, 32, 32]
        fine = _upsample_add(middle, self.latlayer2(fine))  # [B, 512, 64, 64]
        features = [coarse if i < COARSE else middle if i < MIDDLE else fine for i in range(len(self.styles))]
        return torch.stack([head(x) for head, x in zip(self.styles, features, strict=True)], dim=1)  # [B, L, 512]


def _upsample_add(x: Tensor, y: Tensor) -> Tensor:
    """Enlarge `x` to the size of `y` and add; corners aligned, as the official networks were trained."""
    return F.interpolate(x, size=y.shape[2:], mode="bilinear", align_corners=True) + y


class CompactBackbone(nn.Module):
    """The same design in small: 64 or 128 px in, three pyramid levels, one head per level -> raw codes [B, L, 512].

    A head here serves all codes of its group (coarse, middle, fine) at once, from the level's features pooled to a
    small grid; separate towers would hold most of the parameters. Code 0 is read off all three heads. A picture of
    128 px enters as one of 64 px with four times the channels, so that nothing is lost and no layer grows.

    Args:
        num_layers: L.
        style_dim: size of a code.
        input_size: side of the picture it works on.
        widths: channels at 32, 16, 8 and 4 px (of a picture of 64 px or more).
        hidden: width of the heads.
        rank: numbers from which a group's offsets are read, which keeps these layers small; 0 reads them off the head.
        depths: residual units at these four sizes; the first at 16, 8 and 4 px halves the side.
        grid: side of the maps that the heads of the middle and the fine level read, 4 or 8; the coarse level has 4 px.
    """

    def __init__(
        self,
        num_layers: int,
        style_dim: int = 512,
        input_size: int = 64,
        widths: tuple[int, int, int, int] = (32, 64, 128, 192),
        hidden: int = 384,
        rank: int = 0,
        depths: tuple[int, int, int, int] = (0, 2, 2, 2),
        grid: int = 4,
    ):
        super().__init__()
        self.input_size, self.num_layers, self.style_dim = input_size, num_layers, style_dim
        a, b, c, d = widths
        self.fold = max(input_size // 64, 1)  # pixels of the picture, along a side, in one of the backbone
        colours = 3 * self.fold**2  # 3 at 64 px, 12 at 128 px
        first = nn.Sequential(nn.Conv2d(colours, a, 3, 2, 1, bias=False), nn.BatchNorm2d(a), nn.PReLU(a))
        self.stem = first.extend(BottleneckIRSE(a, a, 1) for _ in range(depths[0]))
        self.fine, self.middle, self.coarse = (
            nn.Sequential(BottleneckIRSE(i, o, 2), *(BottleneckIRSE(o, o, 1) for _ in range(depth - 1)))
            for i, o, depth in ((a, b, depths[1]), (b, c, depths[2]), (c, d, depths[3]))
        )
        self.lateral_middle, self.lateral_fine = nn.Conv2d(c, d, 1), nn.Conv2d(b, d, 1)
        self.heads = nn.ModuleList(self._head(d, hidden, side) for side in (4, grid, grid))
        self.base = nn.Linear(3 * hidden, style_dim)  # code 0, from all three heads
        groups = (COARSE - 1, MIDDLE - COARSE, num_layers - MIDDLE)  # code 0 has no offset
        self.offsets = nn.ModuleList(self._offsets(hidden, rank, count * style_dim) for count in groups)

    @staticmethod
    def _head(channels: int, hidden: int, side: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(channels),
            nn.AdaptiveAvgPool2d(side),  # [B, C, s, s]: where in the face still counts, to 1/s of its side
            nn.Flatten(),  # [B, C s^2]
            nn.Linear(channels * side**2, hidden),
            nn.LeakyReLU(0.2),  # slope as in StyleGAN2
        )

    @staticmethod
    def _offsets(hidden: int, rank: int, out: int) -> nn.Module:
        if rank:
            return nn.Sequential(nn.Linear(hidden, rank, bias=False), nn.Linear(rank, out))  # a matrix of rank `rank`
        return nn.Linear(hidden, out)

    @torch.no_grad()
    def close_offsets(self) -> None:
        """Make all offsets zero, in place: every layer then takes code 0."""
        for layer in self.offsets:
            last = layer[-1] if isinstance(layer, nn.Sequential) else layer
            last.weight.zero_()
            last.bias.zero_()

    def hidden(self, images: Tensor) -> Tensor:
        """Outputs of the three heads, [B, 3 * hidden]; the codes are linear functions of them."""
        folded = F.pixel_unshuffle(images, self.fold)  # [B, 3, S, S] -> [B, 3 f^2, 64, 64]
        fine = self.fine(self.stem(folded))  # [B, b, 16, 16]; the stem halves the side too
        middle = self.middle(fine)  # [B, c, 8, 8]
        coarse = self.coarse(middle)  # [B, d, 4, 4]
        middle = _upsample_add(coarse, self.lateral_middle(middle))  # [B, d, 8, 8]
        fine = _upsample_add(middle, self.lateral_fine(fine))  # [B, d, 16, 16]
        return torch.cat([head(x) for head, x in zip(self.heads, (coarse, middle, fine), strict=True)], dim=1)

    def codes(self, hidden: Tensor) -> Tensor:
        """[B, 3 * hidden] -> raw codes [B, L, 512]."""
        # Each group's offsets [B, n * 512] from its own head [B, hidden].
        parts = [layer(x) for layer, x in zip(self.offsets, hidden.chunk(3, dim=1), strict=True)]
        return torch.cat([self.base(hidden), *parts], dim=1).unflatten(1, (self.num_layers, self.style_dim))

    def forward(self, images: Tensor) -> Tensor:
        return self.codes(self.hidden(images))


class Encoder(nn.Module):
    """A backbone, what its codes mean, and the average code.

    Args:
        backbone: gives raw codes [B, L, 512].
        kind: "e4e" (code 0 is w, the others are offsets to it) or "psp" (every code stands alone).
        num_layers: L.

    Attributes:
        latent_avg: [L, 512], added to every result.
    """

    def __init__(self, backbone: nn.Module, kind: str = "e4e", num_layers: int = 18, style_dim: int = 512):
        super().__init__()
        if kind not in ("e4e", "psp"):
            raise ValueError(f"kind must be 'e4e' or 'psp', not {kind!r}")
        self.backbone, self.kind = backbone, kind
        self.register_buffer("latent_avg", torch.zeros(num_layers, style_dim))

    @property
    def num_layers(self) -> int:
        return self.latent_avg.shape[0]

    def forward(self, images: Tensor) -> Tensor:
        """Aligned faces [B, 3, S, S] in [-1, 1] -> W+ [B, L, 512].

        S is 256 by convention; other sizes are brought to what the backbone works on.
        """
        first, offsets = self.base_and_offsets(images)
        return first.unsqueeze(1) + offsets + self.latent_avg  # [B, 1, 512] + [B, L, 512] + [L, 512]

    def base_and_offsets(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The code w [B, 512] without the average, and the offsets [B, L, 512] (row 0 is zero for e4e)."""
        codes = self.backbone(self.fit(images))  # [B, L, 512]
        if self.kind == "psp":
            return torch.zeros_like(codes[:, 0]), codes  # no base: every code stands alone
        return codes[:, 0], torch.cat([torch.zeros_like(codes[:, :1]), codes[:, 1:]], dim=1)

    def fit(self, images: Tensor) -> Tensor:
        """Pictures at the size that the backbone works on."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be [B, 3, H, W], not {list(images.shape)}")
        return _resized(images, self.backbone.input_size)


def _resized(images: Tensor, size: int) -> Tensor:
    """Pictures [B, 3, H, W] -> [B, 3, size, size]."""
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


class RefiningEncoder(Encoder):
    """An encoder whose codes are corrected in several passes, from the errors of their reconstructions.

    Each pass synthesises from the current code, backpropagates the error of that reconstruction to the code, and adds
    the offset that a residual encoder predicts from the gradient. With `passes=0` the codes are those of the first
    encoder alone.

    Args:
        first: gives the code of the first pass.
        residual: predicts the offsets.
        generator: synthesises from the codes; shared, not copied. It moves to another device with this encoder.
        passes: corrections of a code, unless a call says otherwise.
    """

    def __init__(self, first: Encoder, residual: ResidualEncoder, generator: Generator, passes: int):
        super().__init__(first.backbone, first.kind, *first.latent_avg.shape)
        self.latent_avg.copy_(first.latent_avg)
        self.residual, self.generator, self.passes = residual, generator, passes

    def forward(self, images: Tensor, passes: int | None = None) -> Tensor:
        """Aligned faces [B, 3, S, S] in [-1, 1] -> W+ [B, L, 512].

        Args:
            images: S is 256 by convention; they are resized to what the backbone and the generator work on.
            passes: number of corrections; None for as many as the encoder was trained with.
        """
        codes = super().forward(images).float()
        return self.refined(codes, self.target(images), self.passes if passes is None else passes)

    def target(self, images: Tensor) -> Tensor:
        """Pictures at the generator's resolution R: [B, 3, S, S] -> [B, 3, R, R]."""
        return _resized(images, self.generator.resolution)

    def refined(self, codes: Tensor, target: Tensor, passes: int) -> Tensor:
        """Codes [B, L, 512] after a number of corrections towards pictures [B, 3, R, R] in [-1, 1]."""
        part = max(1, PART * 128**2 // max(self.generator.resolution, 128) ** 2)  # fewer of larger ones
        parts = zip(codes.split(part), target.split(part), strict=True)
        return torch.cat([self._refined(some, wanted, passes) for some, wanted in parts])

    def _refined(self, codes: Tensor, target: Tensor, passes: int) -> Tensor:
        offsets = torch.zeros_like(codes)
        for _ in range(passes):
            offsets = self.correction(codes, target, offsets)
            codes = codes + offsets
        return codes

    def correction(self, codes: Tensor, target: Tensor, last: Tensor) -> Tensor:
        """Offsets of the next pass: [B, L, 512], float32.

        Args:
            codes: [B, L, 512].
            target: what their reconstructions should be, [B, 3, R, R] in [-1, 1].
            last: the offsets of the pass before, [B, L, 512]; zero in the first pass.
        """
        return self.residual(code_gradient(self.generator, codes, target), last).float()


def load_encoder(path: str | Path, generator: Generator | None = None, corrections: bool = True) -> Encoder:
    """Load an encoder from an official e4e or pSp `.pt` file or from our safetensors.

    e4e and pSp files agree in every key and shape; they are told apart by the options stored in them, failing that by
    their SHA-256.

    Args:
        path: the file.
        generator: shared with an encoder that has corrections, which synthesises from its codes; by default it is read
            from `generator.safetensors` beside the encoder. Other encoders need none.
        corrections: False to leave corrections out, so that no generator is needed.

    Raises:
        KinlibError: if the file is missing, is no checkpoint, does not hold an encoder, or was made for another
            generator.
    """
    found = layouts.encoder_state(layouts.open_checkpoint(path), path)
    stored = {key: found.state.pop(key) for key in list(found.state) if key.startswith("residual.")}
    heads = {key.split(".")[1] for key in found.state if key.startswith("styles.")}
    make = partial(IRSE50, len(heads)) if heads else _compact_from(found.state, path)
    backbone: nn.Module = layouts.build(make, found.state, path, optional=("num_batches_tracked",))
    num_layers = len(heads) or backbone.num_layers
    encoder = Encoder(backbone, found.kind, num_layers)
    if found.latent_avg is None:
        raise KinlibError(f"{path} has no latent_avg, without which its codes mean nothing")
    style_dim = encoder.latent_avg.shape[1]
    encoder.latent_avg.copy_(layouts.expand_average(found.latent_avg, num_layers, path, style_dim))
    encoder = encoder.float()
    if stored and corrections:
        encoder = _with_corrections(encoder, stored, generator, path)
    return encoder.eval().requires_grad_(False)


def _with_corrections(encoder: Encoder, state: dict[str, Tensor], generator: Generator | None, path) -> RefiningEncoder:
    """The encoder with the corrections of its file, if they were trained with this generator."""
    state = {key.removeprefix("residual."): value for key, value in state.items()}
    passes, made_for = state.pop("passes", None), state.pop("generator", None)
    if passes is None or made_for is None:
        raise KinlibError(f"{path} does not say for which generator its corrections are, or how many passes they take")
    residual = residual_from(state, path)
    if generator is None:
        generator = load_generator(Path(path).with_name("generator.safetensors"))
    if not torch.equal(fingerprint(generator), made_for):
        raise KinlibError(f"the encoder {path} corrects its codes with another generator than the given one")
    return RefiningEncoder(encoder, residual, generator, int(passes))


def _compact_from(state: dict[str, Tensor], path) -> Callable[[], CompactBackbone]:
    """Constructs the compact backbone whose sizes fit the tensors."""
    try:
        a = state["stem.0.weight"].shape[0]  # convolution [a, 3 f^2, 3, 3]
        # `res_layer.1` is a unit's first convolution, [out, in, 3, 3].
        b, c, d = (state[f"{name}.0.res_layer.1.weight"].shape[0] for name in ("fine", "middle", "coarse"))
        style_dim, hidden = state["base.weight"].shape[0], state["base.weight"].shape[1] // 3
        rank = state["offsets.0.0.weight"].shape[0] if "offsets.0.0.weight" in state else 0
        last = "1.weight" if rank else "weight"  # [n * 512, ...]: rows are the offsets of a group of n codes
        grid = math.isqrt(state["heads.2.5.weight"].shape[1] // d)  # [hidden, d s^2]
        num_layers = 1 + sum(state[f"offsets.{i}.{last}"].shape[0] for i in range(3)) // style_dim
        input_size = int(state.pop("input_size"))  # stored as a tensor, for no weight's shape depends on it
        stem, *levels = (_units(state, name) for name in ("stem", "fine", "middle", "coarse"))
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError, ZeroDivisionError) as problem:
        raise KinlibError(f"{path} holds no encoder in a known layout ({problem})") from problem
    depths = (stem - 3, *levels)  # a convolution, its normalisation and its activation come before the stem's units
    return partial(CompactBackbone, num_layers, style_dim, input_size, (a, b, c, d), hidden, rank, depths, grid)


def _units(state: dict[str, Tensor], level: str) -> int:
    """How many layers a level of the compact backbone has."""
    return 1 + max(int(key.split(".")[1]) for key in state if key.startswith(f"{level}."))
