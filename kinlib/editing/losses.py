"""Losses of the document (Eq 1 to 4, 12 to 18), with the weights of its section 4.1.

Images are [B, 3, S, S] in [-1, 1], masks [B, 1, S, S], attributes [B, A] in [0, 1]. Norms are means over pixels, of
absolute values for L1 and of squares for L2, so that the weights do not depend on the size. Gates [B] are 1 where a
sample has the guide mask that a loss needs, and 0 where it has not.

The discriminator is shown the photograph with the edit in it, before clothing is put back (Eq 9): the document takes
the clothing mask out of its training.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Weights", "attributes", "critic", "generator_total", "gradient_penalty", "nontarget", "target_region"]


@dataclass(frozen=True)
class Weights:
    """The weights of Eq 17 and 18; the document found those of the masks by random search (4.2)."""

    reconstruction: float = 0.05
    attributes: float = 10.0
    dual: float = 4.69
    attention_identity: float = 2.25
    target: float = 3.75
    nontarget: float = 0.09
    clothing: float = 4.45
    gradient_penalty: float = 10.0


def attributes(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Eq 3 and 4: binary cross entropy, summed over attributes, [B, A] and [B, A] to a mean over samples."""
    return F.binary_cross_entropy(probabilities, truth, reduction="none").sum(dim=1).mean()


def critic(realness: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, weight: float) -> Tensor:
    """What the discriminator minimises of Eq 2: WGAN-GP (Gulrajani et al. 2017).

    Eq 2 adds the penalty to what is maximised, which would reward steep critics; it is subtracted there, as in WGAN-GP.

    Args:
        realness: images to realness [B].
        real: photographs.
        fake: edited photographs, without gradient.
        weight: of the gradient penalty.
    """
    return realness(fake).mean() - realness(real).mean() + weight * gradient_penalty(realness, real, fake)


def gradient_penalty(realness: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (norm of the critic's gradient - 1)^2, at one point between each photograph and its edit."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    between = torch.lerp(real.detach(), fake.detach(), share).requires_grad_()
    (gradient,) = torch.autograd.grad(realness(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()  # [B, 3, S, S] -> [B, 3*S*S] -> [B]


def target_region(attention: Tensor, back: Tensor, guide: Tensor, gate: Tensor) -> Tensor:
    """Eq 14: attention is the guide mask, on the way to the target attributes and on the way back.

    Eq 16 is the same for clothing masks.
    """
    return _gated((attention - guide).square() + (back - guide).square(), gate)


def nontarget(attention: Tensor, back: Tensor, guide: Tensor, gate: Tensor) -> Tensor:
    """Eq 15: no attention outside the guide mask, both ways."""
    return _gated((attention - guide).relu() + (back - guide).relu(), gate)


def _gated(errors: Tensor, gate: Tensor) -> Tensor:
    """Mean over pixels and samples, [B, 1, S, S] and [B] to a scalar; a closed gate hides a dummy mask."""
    each = errors.flatten(1).mean(dim=1)  # [B, 1, S, S] -> [B, S*S] -> [B]
    return torch.where(gate.bool(), each, 0.0).mean()


def generator_total(losses: dict[str, Tensor], weights: Weights) -> Tensor:
    """Eq 18.

    Args:
        losses: "realness" (mean of the critic on the edits, which is subtracted), and one for each weight but that of
            the gradient penalty.
        weights: lambdas.

    Raises:
        KeyError: if a loss is missing.
    """
    names = ("reconstruction", "attributes", "dual", "attention_identity", "target", "nontarget", "clothing")
    return sum((getattr(weights, name) * losses[name] for name in names), -losses["realness"])
