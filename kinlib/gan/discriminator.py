"""StyleGAN2's residual discriminator (Karras et al. 2020, figure 7), a patch discriminator, and e4e's of latents.

Parameter names are those of the published checkpoints (`d`), so an official file loads as it is.
"""

import math

import torch
from torch import Tensor, nn

from kinlib.gan.generator import default_channels
from kinlib.gan.ops import SLOPE, TINY, Blur, EqualConv2d, EqualLinear, FusedLeakyReLU

__all__ = ["Discriminator", "LatentDiscriminator", "PatchDiscriminator", "minibatch_stddev"]


def minibatch_stddev(x: Tensor, group: int = 4) -> Tensor:
    """Append one channel: the standard deviation over groups of samples (Karras et al. 2018, section 3).

    The group is the largest divisor of the batch that is at most `group`, so that every batch size works.

    Args:
        x: [B, C, H, W].

    Returns:
        [B, C + 1, H, W].
    """
    batch, channels, height, width = x.shape
    # The official networks use four and refuse other batches; rosinality takes the batch where it is smaller.
    group = max(n for n in range(1, min(group, batch) + 1) if batch % n == 0)
    y = x.view(group, -1, channels, height, width)  # [G, B / G, C, H, W]
    spread = (y.var(dim=0, unbiased=False) + TINY).sqrt().mean(dim=(1, 2, 3))  # [B / G], one number a group
    spread = spread.view(-1, 1, 1, 1).repeat(group, 1, height, width)  # [B, 1, H, W]; sample i is of group i mod B / G
    return torch.cat([x, spread], dim=1)  # [B, C + 1, H, W]


def conv_layer(in_channels: int, out_channels: int, kernel: int, down: bool = False, activate: bool = True):
    """Equalised convolution, with the FIR filter before a stride of 2, and with bias and activation after."""
    layers: list[nn.Module] = []
    if down:
        layers.append(Blur(pad=(kernel + 1) // 2))  # 4 taps and a stride of 2 then halve the size exactly
    padding = 0 if down else kernel // 2  # with `down` the filter has padded already
    layers.append(EqualConv2d(in_channels, out_channels, kernel, stride=2 if down else 1, padding=padding))
    if activate:
        layers.append(FusedLeakyReLU(out_channels))
    return nn.Sequential(*layers)


class ResBlock(nn.Module):
    """Two convolutions and a shortcut, halving the size."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = conv_layer(in_channels, in_channels, 3)  # the width grows in the second, at half the size
        self.conv2 = conv_layer(in_channels, out_channels, 3, down=True)
        self.skip = conv_layer(in_channels, out_channels, 1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)  # the sum of two has twice the variance


class Discriminator(nn.Module):
    """Pictures [B, 3, R, R] -> realness logits [B, 1].

    Args:
        resolution: side of the pictures.
        channel_multiplier: as for the generator.
        channels: feature channels by resolution, instead of the official table.
    """

    def __init__(self, resolution: int, channel_multiplier: int = 2, channels: dict[int, int] | None = None):
        super().__init__()
        channels = channels or default_channels(resolution, channel_multiplier)
        sizes = [2**level for level in range(int(math.log2(resolution)), 1, -1)]  # R ... 4
        blocks = [ResBlock(channels[a], channels[b]) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.convs = nn.Sequential(conv_layer(3, channels[resolution], 1), *blocks)  # [B, 3, R, R] -> [B, C, 4, 4]
        width = channels[4]
        self.final_conv = conv_layer(width + 1, width, 3)  # + 1: the standard deviation of the minibatch
        self.final_linear = nn.Sequential(
            EqualLinear(width * 4 * 4, width, activate=True),
            EqualLinear(width, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.final_conv(minibatch_stddev(self.convs(images)))  # [B, C, 4, 4]
        return self.final_linear(x.flatten(1))  # [B, 16 C] -> [B, 1]


class PatchDiscriminator(nn.Sequential):
    """Pictures [B, 3, R, R] -> realness logits [B, 1, R / 8, R / 8], each of a patch of 38 px (Isola et al. 2017).

    Every picture gives hundreds of patches to learn from, so it learns to tell generated from real in a few hundred
    small steps, where one logit a picture takes many thousands. It sees texture; global structure is left to other
    losses.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 32):
        layers: list[nn.Module] = []
        for before, after in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(SLOPE)]  # kernel 4, stride 2: half the size
        # Receptive field: 4, 10, 22 px after the strided layers, 22 + 2 * 8 = 38 px after this one.
        super().__init__(*layers, nn.Conv2d(4 * width, 1, 3, 1, 1))

    def features(self, images: Tensor) -> list[Tensor]:
        """Activations [B, C_i, R_i, R_i] of the layers, to be matched (Wang et al. 2018, pix2pixHD, equation 4)."""
        seen, x = [], images
        for layer in list(self)[:-1]:  # the last gives the logits
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                seen.append(x)  # [B, 32 * 2^i, R / 2^(i + 1), R / 2^(i + 1)] at the default width
        return seen


class LatentDiscriminator(nn.Module):
    """Tells the mapping network's codes from the encoder's (Tov et al. 2021, section 4.2): [B, 512] -> [B, 1]."""

    def __init__(self, style_dim: int = 512, n_mlp: int = 4):
        super().__init__()
        # Four layers, as in e4e's `LatentCodesDiscriminator`.
        hidden = [EqualLinear(style_dim, style_dim, activate=True) for _ in range(n_mlp - 1)]
        self.mlp = nn.Sequential(*hidden, EqualLinear(style_dim, 1))

    def forward(self, w: Tensor) -> Tensor:
        return self.mlp(w)
