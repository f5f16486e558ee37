"""The losses of StyleGAN2, of e4e, and of the joint training, each a function of tensors."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "delta_norm",
    "energy_distance",
    "feature_matching",
    "gan_discriminator",
    "gan_generator",
    "path_length",
    "perceptual",
    "pixels",
    "r1_penalty",
    "texture",
]

SQUARED = 4.0  # weight of the squared distance of pixels: the two are equal at a quarter of the way from black to grey


def gan_generator(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator (Goodfellow et al. 2014): softplus(-D(G(z)))."""
    return F.softplus(-fake_logits).mean()


def gan_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator: softplus(D(fake)) + softplus(-D(real))."""
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Squared gradient of the logits at real samples (Mescheder et al. 2018), halved, mean over the batch."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1).mean() / 2


def path_length(images: Tensor, w_plus: Tensor, average: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """Path-length regularisation (Karras et al. 2020, equation 4).

    Args:
        images: [B, 3, R, R], drawn from `w_plus` with gradients kept.
        w_plus: [B, L, 512].
        average: scalar, the running mean of the lengths.

    Returns:
        (penalty, new running mean).
    """
    noise = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * noise).sum(), w_plus, create_graph=True)
    lengths = gradient.square().sum(dim=2).mean(dim=1).sqrt()
    average = average + decay * (lengths.detach().mean() - average)
    return (lengths - average).square().mean(), average


def pixels(drawn: Tensor, target: Tensor, weight: Tensor, levels: int = 3) -> Tensor:
    """L1 and squared distance at several sizes, and of the gradients at the finest.

    L1 alone asks for the median of what may be there, which leaves out what is thin and never in quite the same place:
    glasses, above all.

    Args:
        drawn, target: [B, 3, S, S].
        weight: [B, 1, S, S], importance of each pixel.
    """
    difference = drawn - target
    total = _weighted(difference[..., 1:] - difference[..., :-1], weight[..., 1:])
    total = total + _weighted(difference[..., 1:, :] - difference[..., :-1, :], weight[..., 1:, :])
    for level in range(levels):
        if level:
            difference, weight = F.avg_pool2d(difference, 2), F.avg_pool2d(weight, 2)
        total = total + _weighted(difference, weight)
    return total


def _weighted(difference: Tensor, weight: Tensor) -> Tensor:
    distance = difference.abs() + SQUARED * difference.square()
    return (distance * weight).mean() / weight.mean()


def texture(drawn: Tensor, target: Tensor, weight: Tensor, levels: int = 2) -> Tensor:
    """Distance of the local strength of detail in four directions, at two sizes (after Portilla and Simoncelli 2000).

    Where every strand lies cannot be known, and distances of pixels then ask for their mean, which is a blur. How
    strong strands are and which way they run can be known. A soft edge is weaker than a sharp one as well.

    Args:
        drawn, target: [B, 3, S, S].
        weight: [B, 1, S, S], importance of each pixel.
    """
    drawn, target = drawn.mean(dim=1, keepdim=True), target.mean(dim=1, keepdim=True)
    total = drawn.new_zeros(())
    for level in range(levels):
        if level:
            drawn, target, weight = (F.avg_pool2d(x, 2) for x in (drawn, target, weight))
        importance = F.avg_pool2d(weight[..., 1:-1, 1:-1], 5, 2)
        difference = (_strength(drawn) - _strength(target)).abs()
        total = total + (difference * importance).mean() / importance.mean()
    return total


def _strength(grey: Tensor) -> Tensor:
    """Root mean square, over 5 x 5 pixels, of the differences to four neighbours: [B, 1, S, S] -> [B, 4, R, R]."""
    height, width = grey.shape[-2:]
    middle = grey[..., 1:-1, 1:-1]
    steps = [
        middle - grey[..., 1 + y : height - 1 + y, 1 + x : width - 1 + x] for y, x in ((0, 1), (1, 0), (1, 1), (1, -1))
    ]
    return (F.avg_pool2d(torch.cat(steps, dim=1).square(), 5, 2) + 1e-4).sqrt()


def perceptual(drawn: list[Tensor], target: list[Tensor]) -> Tensor:
    """Distance of two lists of features [B, C, H, W], each scaled to unit length per pixel as in LPIPS."""
    pairs = zip(drawn, target, strict=True)
    parts = [
        (F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)).square().sum(dim=1).mean() for a, b in pairs
    ]
    return torch.stack(parts).mean()


def feature_matching(drawn: list[Tensor], target: list[Tensor]) -> Tensor:
    """Mean distance of a discriminator's activations, layer by layer (Wang et al. 2018, pix2pixHD, equation 4)."""
    return torch.stack([(a.float() - b.float()).abs().mean() for a, b in zip(drawn, target, strict=True)]).mean()


def delta_norm(offsets: Tensor) -> Tensor:
    """e4e's regularisation of the offsets (Tov et al. 2021, equation 3): [B, L, 512] -> mean length per layer.

    The square root of the dimension is taken out, so that the weight does not depend on it.
    """
    return offsets[:, 1:].norm(dim=2).mean() / math.sqrt(offsets.shape[2])


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Squared energy distance of two samples [N, D], [M, D] (Szekely and Rizzo 2013); zero for equal distributions."""
    scale = 1 / math.sqrt(x.shape[1])
    between = torch.cdist(x, y).mean()
    within_x = torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))
    within_y = torch.cdist(y, y).sum() / (len(y) * (len(y) - 1))
    return (2 * between - within_x - within_y) * scale
