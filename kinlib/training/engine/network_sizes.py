"""Sizes of the studio's networks: of the official design, small enough for two CPU cores."""

import torch
from torch import nn

from kinlib.gan.discriminator import Discriminator
from kinlib.gan.encoder import CompactBackbone, Encoder
from kinlib.gan.generator import Generator
from kinlib.gan.residual import ResidualEncoder

__all__ = ["studio_discriminator", "studio_encoder", "studio_generator", "studio_residual", "use_channels_last"]

# Channels by resolution, chosen by hand for two CPU cores and for weights that fit into the repository; config F of
# StyleGAN2 has 512 up to 64 px and 256 at 128 px.
CHANNELS = {4: 160, 8: 160, 16: 128, 32: 64, 64: 48, 128: 24}


def _channels(resolution: int) -> dict[int, int]:
    return {size: width for size, width in CHANNELS.items() if size <= resolution}


def studio_generator(resolution: int) -> Generator:
    """A generator of 64 or 128 px."""
    # 2 mapping layers in place of config F's 8: the codes to imitate are linear in the attributes (`AttributeCodes`).
    return use_channels_last(Generator(resolution, channels=_channels(resolution), n_mlp=2))


def studio_discriminator(resolution: int) -> Discriminator:
    """The discriminator that goes with it."""
    return use_channels_last(Discriminator(resolution, channels=_channels(resolution)))


def studio_encoder(resolution: int, num_layers: int, grid: int = 4) -> Encoder:
    """The encoder that goes with it; e4e's IR-SE-50 has widths (64, 128, 256, 512) and depths (3, 4, 14, 3).

    `grid` is that of `CompactBackbone`: 8 makes its file 8 MB larger (`encoder_study` has what it brings).
    """
    # `rank`: offsets of L x 512 numbers from 256 hidden ones would take four times the weights as full matrices.
    sizes = {"widths": (32, 64, 128, 160), "depths": (2, 4, 2, 2), "hidden": 256, "rank": 64}
    backbone = CompactBackbone(num_layers, input_size=resolution, grid=grid, **sizes)
    return use_channels_last(Encoder(backbone, "e4e", num_layers))


def studio_residual(num_layers: int) -> ResidualEncoder:
    """The residual encoder that corrects its codes; 3.2 MB in half precision, a quarter of the encoder's file."""
    return ResidualEncoder(num_layers, rank=64, hidden=256)


def use_channels_last(net: nn.Module) -> nn.Module:
    """Channels-last memory for every 4-D tensor of a network; convolutions run faster so, on CPU and GPU."""
    for tensor in [*net.parameters(), *net.buffers()]:
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return net
