"""Going on from a trained pair at a larger size, as progressive growing does (Karras et al. 2018).

The larger generator takes every layer that the smaller one has; what it adds to the picture at the new size begins at
zero, so that its first pictures are the smaller one's, enlarged. The encoder keeps its backbone and its heads. W is
made the principal space of the codes of the pictures at hand (`kinlib.training.whiten`), which leaves all offsets zero,
so the new layers' codes begin as the others do.
"""

import torch
from torch import Tensor

from kinlib.errors import KinlibError
from kinlib.gan.encoder import CompactBackbone, Encoder
from kinlib.gan.generator import Generator
from kinlib.training.whiten import fold_into_encoder, fold_into_generator, principal_axes

__all__ = ["grow"]


@torch.no_grad()
def grow(
    small_generator: Generator, small_encoder: Encoder, generator: Generator, encoder: Encoder, images: Tensor
) -> None:
    """Start a new pair where a trained one, of the same or a smaller size, stands; in place.

    Args:
        small_generator, small_encoder: the trained pair; changed too.
        generator, encoder: the new pair, with the widths of the trained one.
        images: uint8 [N, 3, S, S], pictures that the new pair will be trained on; some thousands.

    Raises:
        KinlibError: if the trained pair is larger, or has other widths.
    """
    if small_generator.resolution > generator.resolution:
        sizes = f"of {small_generator.resolution} px cannot go on at {generator.resolution} px"
        raise KinlibError(f"a pair {sizes}: choose a resolution at least as large")
    _move_average_into_bias(small_encoder)
    axes = principal_axes(small_encoder, images)
    fold_into_encoder(small_encoder, axes)
    fold_into_generator(small_generator, axes)
    # W is another space now, so the mapping network begins anew.
    _take_over(generator, {k: v for k, v in small_generator.state_dict().items() if not k.startswith("style.")})
    for layer in generator.to_rgbs[len(small_generator.to_rgbs) :]:
        layer.conv.weight.zero_()
    kept = {k: v for k, v in small_encoder.backbone.state_dict().items() if not k.startswith("offsets.")}
    # What saw the mean of some pixels now sees each of them.
    pixels = (encoder.backbone.fold // small_encoder.backbone.fold) ** 2
    kept["stem.0.weight"] = kept["stem.0.weight"].repeat_interleave(pixels, dim=1) / pixels
    _take_over(encoder.backbone, kept)
    encoder.backbone.close_offsets()


def _move_average_into_bias(encoder: Encoder) -> None:
    """In training the average is part of the encoder's last layer."""
    backbone: CompactBackbone = encoder.backbone
    backbone.base.bias += encoder.latent_avg[0]
    encoder.latent_avg.zero_()


def _take_over(net: torch.nn.Module, tensors: dict[str, Tensor]) -> None:
    own = net.state_dict()
    for name, value in tensors.items():
        if name not in own or own[name].shape != value.shape:
            raise KinlibError(f"the pair to go on from has other widths than the new one ('{name}')")
        own[name].copy_(value)
