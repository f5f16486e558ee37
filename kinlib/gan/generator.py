"""StyleGAN2's generator (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020).

Two halves: `mapping` turns z [B, 512] into w [B, 512], `synthesis` turns W+ codes [B, L, 512] into pictures
[B, 3, R, R] in about [-1, 1]. L = 2 * log2(R) - 2: one code for each convolution and one for the last `to_rgb`.

Parameter names are those of the published PyTorch checkpoints, so `load_state_dict` takes an official file as it is.
`load_generator` reads every layout in use and works out all sizes from the tensors themselves.
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from kinlib.gan import layouts
from kinlib.gan.ops import SLOPE, SQRT2, Blur, EqualLinear, FusedLeakyReLU, PixelNorm, Upsample, modulated_conv2d
from kinlib.runtime.errors import KinlibError

__all__ = ["Generator", "default_channels", "load_generator"]

LATENT_AVG_SAMPLES = 4096  # as rosinality's scripts use; its error is 1/64 of w's standard deviation
MAX_RESOLUTION = 1024  # px; the official table of channels ends there


def default_channels(resolution: int, channel_multiplier: int = 2) -> dict[int, int]:
    """Feature channels at each resolution of the official networks (config-f has `channel_multiplier` 2)."""
    table = {4: 512, 8: 512, 16: 512, 32: 512}  # capped at 512
    table |= {64 * 2**i: 256 // 2**i * channel_multiplier for i in range(5)}  # config-f: 512 at 64 px ... 32 at 1024 px
    return {size: table[size] for size in table if size <= resolution}


class ModulatedConv2d(nn.Module):
    """Parameters of one modulated convolution, with its style layer and, for up-convolutions, its filter."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, style_dim: int, demodulate=True, up=False):
        super().__init__()
        # The published files keep a first dimension of one for the samples.
        self.weight = nn.Parameter(torch.randn(1, out_channels, in_channels, kernel, kernel))  # [1, O, I, K, K]
        self.modulation = EqualLinear(style_dim, in_channels, bias_init=1.0)  # starts as the identity: styles near 1
        self.scale = 1 / math.sqrt(in_channels * kernel**2)  # equalised learning rate: 1 / sqrt(fan-in)
        self.demodulate, self.up = demodulate, up
        if up:  # the gain of 4 compensates for the zeros that a stride of 2 inserts; [2H + 1] + 2 * 1 - 3 = [2H]
            self.blur = Blur(pad=1, gain=4.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.modulation(w)  # [B, I]
        x = modulated_conv2d(x, self.weight[0] * self.scale, style, self.demodulate, self.up)  # [B, O, H, W], or 2H + 1
        return self.blur(x) if self.up else x  # [B, O, H, W], or [B, O, 2H, 2W]


class NoiseInjection(nn.Module):
    """A learned strength for the noise; the noise itself is an argument."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))  # no noise at initialisation

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        return x + (self.weight * noise).to(x.dtype)  # [B, C, H, W] + [1 or B, 1, H, W]


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, up: bool = False):
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, style_dim, up=up)
        self.noise = NoiseInjection()
        self.activate = FusedLeakyReLU(out_channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        x = self.conv(x, w)  # [B, O, H, W]
        if torch.is_grad_enabled() or torch.compiler.is_compiling():  # autograd needs the values; the compiler fuses
            return self.activate(self.noise(x, noise))
        return self._activate_in_place(x, noise)

    def _activate_in_place(self, x: Tensor, noise: Tensor) -> Tensor:
        """The same three steps without new memory: at 1024 px each copy would be 128 MB a picture."""
        x.add_((self.noise.weight * noise).to(x.dtype))
        x.add_(self.activate.bias.to(x.dtype).view(1, -1, 1, 1))  # [1, C, 1, 1]
        return nn.functional.leaky_relu_(x, SLOPE).mul_(SQRT2)


class ToRGB(nn.Module):
    """Features to colours, added to the doubled picture of the coarser level."""

    def __init__(self, in_channels: int, style_dim: int, up: bool = True):
        super().__init__()
        if up:
            self.upsample = Upsample()
        self.conv = ModulatedConv2d(in_channels, 3, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor, skip: Tensor | None = None) -> Tensor:
        # Colours add up over all levels, so they stay in float32 under autocast too.
        rgb = self.conv(x, w).float() + self.bias  # [B, 3, H, W]; no activation, no demodulation
        return rgb if skip is None else rgb + self.upsample(skip)


class ConstantInput(nn.Module):
    """The learned 4x4 start."""

    def __init__(self, channels: int):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))

    def forward(self, batch: int) -> Tensor:
        return self.input.expand(batch, -1, -1, -1)  # [B, C, 4, 4], no copy


class Generator(nn.Module):
    """StyleGAN2 generator.

    Args:
        resolution: side of the picture, a power of two from 8 to 1024.
        channel_multiplier: 2 for the official config-f, 1 for the half-width networks.
        style_dim: size of z and w.
        n_mlp: layers of the mapping network.
        lr_mul: learning-rate multiplier of the mapping network.
        channels: feature channels by resolution, instead of the official table.

    Attributes:
        num_layers: L, the number of W+ codes.
        latent_avg: [L, 512] average of W, the point towards which `truncate` pulls.
    """

    def __init__(
        self,
        resolution: int,
        channel_multiplier: int = 2,
        style_dim: int = 512,
        n_mlp: int = 8,
        lr_mul: float = 0.01,
        channels: dict[int, int] | None = None,
    ):
        super().__init__()
        if resolution not in (8, 16, 32, 64, 128, 256, 512, 1024):
            raise ValueError(f"resolution must be a power of two from 8 to 1024, not {resolution}")
        self.resolution, self.style_dim = resolution, style_dim
        self.channels = channels or default_channels(resolution, channel_multiplier)
        levels = int(math.log2(resolution))  # 10 for 1024 px
        self.num_layers = 2 * levels - 2  # two codes for each level from 4 px on: 18 for 1024 px

        mlp = [EqualLinear(style_dim, style_dim, lr_mul=lr_mul, activate=True) for _ in range(n_mlp)]
        self.style = nn.Sequential(PixelNorm(), *mlp)  # z is normalised first, so only its direction counts
        width = self.channels[4]  # the 4 px level: one convolution, code 0, and one `to_rgb`, code 1
        self.input = ConstantInput(width)
        self.conv1 = StyledConv(width, width, style_dim)
        self.to_rgb1 = ToRGB(width, style_dim, up=False)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for level in range(3, levels + 1):  # 8, 16, ... R px; a `to_rgb` and the next level's first layer share a code
            wider, width = width, self.channels[2**level]
            self.convs.append(StyledConv(wider, width, style_dim, up=True))
            self.convs.append(StyledConv(width, width, style_dim))
            self.to_rgbs.append(ToRGB(width, style_dim))
        self.noises = nn.Module()
        for i in range(2 * levels - 3):
            side = 2 ** ((i + 5) // 2)  # 4, 8, 8, 16, 16, ...: one map for each convolution
            self.noises.register_buffer(f"noise_{i}", torch.randn(1, 1, side, side))
        # Not in the state dict: published files keep it beside the weights, in other shapes (see `layouts`).
        self.register_buffer("latent_avg", torch.zeros(self.num_layers, style_dim), persistent=False)

    def mapping(self, z: Tensor) -> Tensor:
        """z [B, 512] (standard normal) -> w [B, 512]."""
        return self.style(z)

    def broadcast(self, w: Tensor) -> Tensor:
        """w [B, 512] -> the same code for every layer, [B, L, 512]."""
        return w.unsqueeze(1).expand(-1, self.num_layers, -1)  # [B, 1, 512] -> [B, L, 512], no copy

    def truncate(self, w_plus: Tensor, psi: float) -> Tensor:
        """Pull W+ codes towards the average: psi 1 leaves them, 0 gives the average face."""
        return torch.lerp(self.latent_avg.to(w_plus), w_plus, psi)

    def synthesis(
        self,
        w_plus: Tensor,
        noise: str | list[Tensor] = "const",
        generator: torch.Generator | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Generate pictures.

        Args:
            w_plus: [B, L, 512]; or w [B, 512], used for every layer.
            noise: "const" for the stored maps (the same picture every time), "random" for fresh ones, "none",
                or a list of L - 1 maps [1 or B, 1, r, r].
            generator: source of the fresh noise.
            batch_size: pictures generated at a time, to bound memory; None generates all at once.

        Returns:
            [B, 3, R, R] float32, about [-1, 1], not clipped.

        Raises:
            ValueError: if the codes have the wrong shape.
        """
        w_plus = self._check_codes(w_plus)
        if batch_size and len(w_plus) > batch_size:
            parts = [self.synthesis(part, noise, generator) for part in w_plus.split(batch_size)]
            return torch.cat(parts)  # [B, 3, R, R]
        maps = self._noise_maps(noise, w_plus, generator)
        # Channels last: convolutions run up to twice as fast so on CPUs, and in half precision on GPUs.
        x = self.input(len(w_plus)).contiguous(memory_format=torch.channels_last)  # [B, C, 4, 4]
        x = self.conv1(x, w_plus[:, 0], maps[0])  # [B, C, 4, 4]
        rgb = self.to_rgb1(x, w_plus[:, 1])  # [B, 3, 4, 4]
        for i, to_rgb in enumerate(self.to_rgbs):
            layer = 2 * i + 1  # r = 8 * 2^i px
            x = self.convs[2 * i](x, w_plus[:, layer], maps[layer])  # [B, C, r / 2, r / 2] -> [B, C', r, r]
            x = self.convs[2 * i + 1](x, w_plus[:, layer + 1], maps[layer + 1])  # [B, C', r, r]
            rgb = to_rgb(x, w_plus[:, layer + 2], rgb)  # [B, 3, r, r]; the next level starts with the same code
        return rgb.contiguous()  # callers expect NCHW

    def features(self, w_plus: Tensor) -> list[Tensor]:
        """What every convolution gives on the way to a picture, with the stored noise maps.

        Args:
            w_plus: [B, L, 512].

        Returns:
            [B, C, r, r] for each of the L - 1 convolutions, r = 4, 8, 8, ..., R, R.

        Raises:
            ValueError: if the codes have the wrong shape.
        """
        w_plus = self._check_codes(w_plus)
        maps = self._noise_maps("const", w_plus, None)
        x = self.input(len(w_plus)).contiguous(memory_format=torch.channels_last)  # [B, C, 4, 4]
        found = []
        for i, conv in enumerate([self.conv1, *self.convs]):
            x = conv(x, w_plus[:, i], maps[i])  # [B, C, r, r]
            found.append(x)
        return found

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """z [B, 512] -> pictures [B, 3, R, R]."""
        return self.synthesis(self.truncate(self.broadcast(self.mapping(z)), psi))

    @torch.no_grad()
    def mean_latent(self, samples: int = LATENT_AVG_SAMPLES, seed: int = 0) -> Tensor:
        """Average of `mapping` over random z, [512]."""
        source = torch.Generator().manual_seed(seed)  # of the CPU, so that all devices get the same z
        z = torch.randn(samples, self.style_dim, generator=source).to(self.latent_avg)  # [N, 512]
        return self.mapping(z).mean(dim=0)  # [512]

    def _check_codes(self, w_plus: Tensor) -> Tensor:
        if w_plus.ndim == 2:
            w_plus = self.broadcast(w_plus)  # [B, 512] -> [B, L, 512]
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.num_layers, self.style_dim):
            expected = f"[B, {self.num_layers}, {self.style_dim}]"
            raise ValueError(f"w_plus must be {expected} for {self.resolution} px, not {list(w_plus.shape)}")
        return w_plus

    def _noise_maps(self, noise, w_plus: Tensor, generator: torch.Generator | None) -> list[Tensor]:
        if isinstance(noise, list):
            return noise
        stored = [getattr(self.noises, f"noise_{i}") for i in range(self.num_layers - 1)]  # each [1, 1, r, r]
        if noise == "const":
            return stored
        if noise == "none":
            return [torch.zeros_like(one) for one in stored]
        if noise != "random":
            raise ValueError(f"noise must be 'const', 'random', 'none' or a list of maps, not {noise!r}")
        shapes = [(len(w_plus), *one.shape[1:]) for one in stored]  # [B, 1, r, r]: another map for each sample
        place = generator.device if generator is not None else w_plus.device  # randn wants the generator's own
        return [torch.randn(s, generator=generator, device=place).to(w_plus.device) for s in shapes]


def load_generator(path: str | Path) -> Generator:
    """Load a generator from any file that holds one.

    Read are: `stylegan2-ffhq-config-f.pt` in all its published variants and rosinality's training checkpoints (key
    `g_ema`), e4e and pSp checkpoints (`decoder.*`), a plain state dict, and our safetensors. Sizes come from the
    tensors. Missing noise maps are sampled with a fixed seed, a missing average is that of 4,096 mapped samples.

    Raises:
        KinlibError: if the file is missing, is no checkpoint, or does not hold a StyleGAN2 generator.
    """
    found = layouts.generator_state(layouts.open_checkpoint(path), path)
    sizes = _sizes_from(found.state, path)
    generator = layouts.build(lambda: Generator(**sizes), found.state, path, optional=("noises.", ".kernel"))
    _fill_missing_noise(generator, found.state)
    average = found.latent_avg if found.latent_avg is not None else generator.mean_latent()
    generator.latent_avg.copy_(layouts.expand_average(average, generator.num_layers, path, generator.style_dim))
    return generator.float().eval().requires_grad_(False)


def _sizes_from(state: dict[str, Tensor], path) -> dict:
    """Resolution, channels and depth of the mapping network, read from the shapes of the tensors."""
    try:
        levels = [int(key.split(".")[1]) for key in state if key.startswith("to_rgbs.")]  # `to_rgbs.0` is at 8 px
        resolution = 8 * 2 ** min(max(levels), 60)  # a name may hold any number
        channels = {4: state["conv1.conv.weight"].shape[1]}  # weights are [1, O, I, K, K]
        for i in range(max(levels) + 1):
            channels[8 * 2**i] = state[f"convs.{2 * i}.conv.weight"].shape[1]
        layers = [int(key.split(".")[1]) for key in state if key.startswith("style.") and key.endswith(".weight")]
        style_dim = state["conv1.conv.modulation.weight"].shape[1]
    except (KeyError, ValueError, IndexError) as problem:
        raise KinlibError(f"{path} holds no StyleGAN2 generator in the published layout ({problem})") from problem
    if resolution > MAX_RESOLUTION:
        most = f"{MAX_RESOLUTION} is the most that can be read"
        raise KinlibError(f"{path} holds a generator of {resolution} px, but {most}")
    return {"resolution": resolution, "channels": channels, "n_mlp": len(layers), "style_dim": style_dim}


def _fill_missing_noise(generator: Generator, state: dict[str, Tensor]) -> None:
    """Older converted files come without noise maps; a fixed seed keeps their pictures reproducible."""
    source = torch.Generator().manual_seed(0)
    for name, buffer in generator.noises.named_buffers():
        if f"noises.{name}" not in state:  # the buffer holds unseeded noise of the constructor
            buffer.copy_(torch.randn(buffer.shape, generator=source))
