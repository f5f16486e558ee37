"""Giving a trained pair a W worth the name: the principal space of its codes, folded into both networks.

Trained as an autoencoder, the pair puts much of a face into the offsets of W+, because nothing stops it: W is then a
poor summary, and a random w no face. But the codes of a compact encoder are linear functions of its heads, and the
generator's styles are linear functions of the codes. So the principal axes of all codes together, whitened, can be made
the new W exactly, by multiplying matrices: the encoder's w becomes the coordinates along these axes, the offsets become
zero, and every style layer takes the coordinates directly. The pictures stay as they were, up to what lies outside the
axes kept.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kinlib.gan.encoder import CompactBackbone, Encoder
from kinlib.gan.generator import Generator

__all__ = ["Axes", "fold_into_encoder", "fold_into_generator", "principal_axes"]


@dataclass
class Axes:
    """The principal space of W+ codes.

    Attributes:
        mean: [L, 512].
        steps: [512, L, 512]; row j is the change of the codes for one standard deviation along axis j.
        explained: share of the codes' variance that the axes hold.
    """

    mean: Tensor
    steps: Tensor
    explained: float


def _code_map(backbone: CompactBackbone) -> tuple[Tensor, Tensor]:
    """Codes w + offset as a linear function of the heads: (matrix [H, L * 512], constant [L * 512])."""
    unit = torch.eye(backbone.base.in_features, device=backbone.base.weight.device)
    raw = backbone.codes(torch.cat([torch.zeros_like(unit[:1]), unit]))
    codes = raw[:, :1] + torch.cat([torch.zeros_like(raw[:, :1]), raw[:, 1:]], dim=1)
    codes = codes.flatten(1).double()
    return codes[1:] - codes[0], codes[0]


@torch.no_grad()
def principal_axes(encoder: Encoder, images: Tensor, batch: int = 256) -> Axes:
    """The axes of the codes of many pictures, uint8 [N, 3, S, S]; as many axes as a code has numbers."""
    backbone: CompactBackbone = encoder.backbone
    place = backbone.base.weight.device
    pictures = (encoder.fit(part.to(place).float() / 127.5 - 1) for part in images.split(batch))
    hidden = torch.cat([backbone.hidden(part) for part in pictures]).double()
    matrix, constant = _code_map(backbone)
    mean = hidden.mean(dim=0) @ matrix + constant
    # The covariance of the codes is M' M with M = (Cholesky factor of the heads' covariance)' times the matrix.
    spread = torch.linalg.cholesky(torch.cov(hidden.t()) + 1e-9 * torch.eye(hidden.shape[1]).to(hidden))
    _, scale, axes = torch.linalg.svd(spread.t() @ matrix, full_matrices=False)
    kept = min(backbone.style_dim, len(scale))
    steps = matrix.new_zeros(backbone.style_dim, matrix.shape[1])
    steps[:kept] = scale[:kept, None] * axes[:kept]
    explained = float(scale[:kept].square().sum() / scale.square().sum())
    shape = (backbone.num_layers, backbone.style_dim)
    return Axes(mean.view(shape), steps.view(-1, *shape), explained)


@torch.no_grad()
def fold_into_encoder(encoder: Encoder, axes: Axes) -> None:
    """Make w the coordinates along the axes, and all offsets zero; in place."""
    backbone: CompactBackbone = encoder.backbone
    matrix, constant = _code_map(backbone)
    steps = axes.steps.flatten(1)
    energy = steps.square().sum(dim=1)
    energy = energy.clamp_min(1e-7 * energy.max())  # codes may have fewer axes than numbers
    read = steps.t() / energy  # [L * 512, 512]: codes to coordinates
    backbone.base.weight.copy_((matrix @ read).t())
    backbone.base.bias.copy_((constant - axes.mean.flatten()) @ read)
    backbone.close_offsets()


@torch.no_grad()
def fold_into_generator(generator: Generator, axes: Axes) -> None:
    """Make every style layer take coordinates along the axes instead of codes; in place."""
    for index, conv in _styled_layers(generator):
        style = conv.modulation
        weight = style.weight.double()
        style.bias.add_((weight @ axes.mean[index] * style.scale / style.lr_mul).float())
        style.weight.copy_(weight @ axes.steps[:, index].t())


def _styled_layers(generator: Generator):
    """(index of the code, modulated convolution), every one of them."""
    yield 0, generator.conv1.conv
    yield 1, generator.to_rgb1.conv
    for i, layer in enumerate(generator.convs):
        yield i + 1, layer.conv
    for i, layer in enumerate(generator.to_rgbs):
        yield 2 * i + 3, layer.conv
