"""The losses of StyleGAN2, of e4e, and of the joint training, each a function of tensors."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.evaluation.preprocessing.detail import neighbour_differences

__all__ = [
    "delta_norm",
    "energy_loss",
    "feature_matching",
    "gan_discriminator",
    "gan_generator",
    "path_length",
    "perceptual",
    "pixels",
    "r1_penalty",
    "texture",
]

# Weight of the squared distance of pixels: equal to L1 at a distance of 0.25, an eighth of the way from black to white.
# By eye: with L1 alone glasses were left out.
SQUARED = 4.0
TEXTURE_WINDOW = 5  # px, side of the window in which the strength of detail is averaged


def gan_generator(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator (Goodfellow et al. 2014): softplus(-D(G(z)))."""
    return F.softplus(-fake_logits).mean()


def gan_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator: softplus(D(fake)) + softplus(-D(real))."""
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Squared gradient of the logits at real samples (Mescheder et al. 2018), halved, mean over the batch."""
    real = real.detach().requires_grad_(True)
    # The sum over the batch gives each picture's own gradient, since the discriminator does not mix pictures.
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean() / 2


def path_length(images: Tensor, w_plus: Tensor, average: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """Path-length regularisation (Karras et al. 2020, equation 4).

    Args:
        images: [B, 3, R, R], generated from `w_plus` with gradients kept.
        w_plus: [B, L, 512].
        average: scalar, the running mean of the lengths.

    Returns:
        (penalty, new running mean).
    """
    # By the root of the number of pixels, as in the official code: lengths do not grow with the resolution.
    noise = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * noise).sum(), w_plus, create_graph=True)
    lengths = gradient.square().sum(dim=2).mean(dim=1).sqrt()  # [B, L, 512] -> [B]
    average = average + decay * (lengths.detach().mean() - average)
    return (lengths - average).square().mean(), average


def pixels(generated: Tensor, target: Tensor, weight: Tensor, levels: int = 3) -> Tensor:
    """L1 and squared distance at several sizes, and of the gradients at the finest.

    The minimum of L1 alone is the median of what may be there. It leaves out what is thin and never in quite the same
    place, glasses above all.

    Args:
        generated, target: [B, 3, S, S].
        weight: [B, 1, S, S], importance of each pixel.
    """
    difference = generated - target
    # Horizontal and vertical gradients: edges, which distances of pixels alone leave soft.
    total = _weighted(difference[..., 1:] - difference[..., :-1], weight[..., 1:])
    total = total + _weighted(difference[..., 1:, :] - difference[..., :-1, :], weight[..., 1:, :])
    for level in range(levels):
        if level:
            difference, weight = (
                F.avg_pool2d(difference, 2),
                F.avg_pool2d(weight, 2),
            )  # [B, C, S, S] to S/2
        total = total + _weighted(difference, weight)
    return total


def _weighted(difference: Tensor, weight: Tensor) -> Tensor:
    distance = difference.abs() + SQUARED * difference.square()
    return (distance * weight).mean() / weight.mean()  # a mean: heavier pixels do not make the loss larger


def texture(generated: Tensor, target: Tensor, weight: Tensor, levels: int = 2) -> Tensor:
    """Distance of the local strength of detail in four directions, at two sizes (after Portilla and Simoncelli 2000).

    The place of a single strand of hair cannot be predicted, so a distance of pixels is least for the mean of all
    places, a blur. The strength and the direction of strands can be predicted. A soft edge is weaker than a sharp one
    as well.

    Args:
        generated, target: [B, 3, S, S].
        weight: [B, 1, S, S], importance of each pixel.
    """
    generated, target = generated.mean(dim=1, keepdim=True), target.mean(dim=1, keepdim=True)  # grey [B, 1, S, S]
    total = generated.new_zeros(())
    for level in range(levels):
        if level:
            generated, target, weight = (F.avg_pool2d(x, 2) for x in (generated, target, weight))
        importance = F.avg_pool2d(weight[..., 1:-1, 1:-1], TEXTURE_WINDOW, 2)  # [B, 1, R, R], as `_strength` has it
        difference = (_strength(generated) - _strength(target)).abs()
        total = total + (difference * importance).mean() / importance.mean()
    return total


def _strength(grey: Tensor) -> Tensor:
    """Root mean square, over 5 x 5 pixels, of the differences to four neighbours: [B, 1, S, S] -> [B, 4, R, R]."""
    # 1e-4 = 0.01^2, too weak to be seen: the root's gradient stays finite where nothing varies.
    return (F.avg_pool2d(neighbour_differences(grey).square(), TEXTURE_WINDOW, 2) + 1e-4).sqrt()


def perceptual(generated: list[Tensor], target: list[Tensor]) -> Tensor:
    """Distance of two lists of features [B, C, H, W], each scaled to unit length per pixel as in LPIPS."""
    pairs = zip(generated, target, strict=True)
    # float32: a sum of squares over the channels overflows in float16
    parts = [
        (F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)).square().sum(dim=1).mean() for a, b in pairs
    ]
    return torch.stack(parts).mean()


def feature_matching(generated: list[Tensor], target: list[Tensor]) -> Tensor:
    """Mean distance of a discriminator's activations, layer by layer (Wang et al. 2018, pix2pixHD, equation 4)."""
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(generated, target, strict=True)]).mean()


def delta_norm(offsets: Tensor) -> Tensor:
    """e4e's regularisation of the offsets (Tov et al. 2021, equation 3): [B, L, 512] -> mean length per layer.

    Divided by the root of the dimension, so that the loss's weight does not depend on it.
    """
    return offsets[:, 1:].norm(dim=2).mean() / math.sqrt(offsets.shape[2])  # layer 0 has no offset: it is the base


def energy_loss(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of samples [N, D], [M, D] over sqrt(D) (Szekely and Rizzo 2013); 0 for equal distributions."""
    scale = 1 / math.sqrt(x.shape[1])
    between = torch.cdist(x, y).mean()  # [N, M] -> scalar
    # Without the N zero distances of samples to themselves: an unbiased estimate.
    within_x = torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))
    within_y = torch.cdist(y, y).sum() / (len(y) * (len(y) - 1))
    return (2 * between - within_x - within_y) * scale
