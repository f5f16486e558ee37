"""Sizes of the studio's networks: lean enough for two CPU cores, of the official design."""

from kinlib.gan.discriminator import Discriminator
from kinlib.gan.encoder import CompactBackbone, Encoder
from kinlib.gan.generator import Generator
from kinlib.gan.residual import ResidualEncoder
from kinlib.training.loop import use_channels_last

__all__ = ["studio_discriminator", "studio_encoder", "studio_generator", "studio_residual"]

CHANNELS = {4: 160, 8: 160, 16: 128, 32: 64, 64: 48, 128: 24}


def _channels(resolution: int) -> dict[int, int]:
    return {size: width for size, width in CHANNELS.items() if size <= resolution}


def studio_generator(resolution: int) -> Generator:
    """A generator of 64 or 128 px."""
    return use_channels_last(Generator(resolution, channels=_channels(resolution), n_mlp=2))


def studio_discriminator(resolution: int) -> Discriminator:
    """The discriminator that goes with it."""
    return use_channels_last(Discriminator(resolution, channels=_channels(resolution)))


def studio_encoder(resolution: int, num_layers: int) -> Encoder:
    """The encoder that goes with it."""
    sizes = {"widths": (32, 64, 128, 160), "depths": (2, 4, 2, 2), "hidden": 256, "rank": 64}
    backbone = CompactBackbone(num_layers, input_size=resolution, **sizes)
    return use_channels_last(Encoder(backbone, "e4e", num_layers))


def studio_residual(num_layers: int) -> ResidualEncoder:
    """The residual encoder that corrects its codes; 3.2 MB in half precision, a quarter of the encoder's file."""
    return ResidualEncoder(num_layers, rank=64, hidden=256)
