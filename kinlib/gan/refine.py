"""Optimisation of a code for one face: a few steps of gradient descent, starting at the encoder's result.

The encoder predicts a code in one pass and misses details, more so on photographs if it was trained on renders. Here
the code itself is optimised so that the generated picture approaches the target. A penalty keeps it near its start, so
that it can still be blended and edited (distortion against editability, Tov et al. 2021).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.gan.generator import Generator

__all__ = ["refine"]

Loss = Callable[[Tensor, Tensor], Tensor]


def refine(
    generator: Generator,
    code: Tensor,
    target: Tensor,
    steps: int,
    losses: dict[Loss, float] | None = None,
    rate: float = 0.03,
    anchor: float = 0.02,
    progress: Callable[[int, float], None] | None = None,
) -> Tensor:
    """Optimise `code` so that `generator` reproduces `target`.

    Args:
        generator: fixed.
        code: [B, L, 512], the start.
        target: [B, 3, R, R] in [-1, 1], R the generator's resolution.
        steps: number of Adam steps; 0 returns the code as it is.
        losses: further losses `(generated, target) -> scalar` with their weights, on identity for instance.
        rate: step size, in units of the code.
        anchor: weight of the mean squared distance from the start.
        progress: called after every step with (steps done, loss).

    Returns:
        [B, L, 512], no gradients attached. Works within `torch.inference_mode()` and `torch.no_grad()` as well.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # Clones, because what was made in inference mode cannot take part in gradients.
        start, target = code.detach().clone(), target.detach().clone()
        moved = start.clone().requires_grad_(True)
        optimiser = torch.optim.Adam([moved], lr=rate)
        weight = _face_weight(target)  # [1, 1, R, R]
        for step in range(steps):
            # Full rate for half of the steps, then linearly down to 5%, so that the last steps settle.
            optimiser.param_groups[0]["lr"] = rate * min(1.0, 2 * (1 - step / steps) + 0.05)
            generated = generator.synthesis(moved)  # [B, 3, R, R]
            loss = _pixel_loss(generated, target, weight) + anchor * (moved - start).square().mean()
            for function, share in (losses or {}).items():
                loss = loss + share * function(generated, target)
            # Not `backward`, which would add to the gradients of the networks in `losses` as well.
            (moved.grad,) = torch.autograd.grad(loss, moved)
            optimiser.step()
            if progress is not None:
                progress(step + 1, float(loss.detach()))
        return moved.detach()


def _pixel_loss(generated: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 at three sizes: the small ones hold skin tone, hair and head shape, the large one the features."""
    total = generated.new_zeros(())
    for level in (1, 2, 4):  # R, R / 2 and R / 4 px
        a, b, w = (F.avg_pool2d(x, level) for x in (generated, target, weight))
        total = total + ((a - b).abs() * w).mean() / w.mean()  # a weighted mean, so that the unit stays that of pixels
    return total


def _face_weight(target: Tensor) -> Tensor:
    """An ellipse that falls off towards the border, where an aligned picture shows background: [1, 1, R, R]."""
    side = torch.linspace(-1, 1, target.shape[-1], dtype=target.dtype, device=target.device)  # [R]
    # Half axes of 0.8 and 0.95 of the half side enclose hair and chin in an FFHQ crop (by eye); 1 on the ellipse.
    radius = ((side[None, :] / 0.8) ** 2 + (side[:, None] / 0.95) ** 2).sqrt()  # [R, R]
    # The slope of 8 makes the edge about half a half-side wide; the background keeps a tenth, so that it cannot drift.
    return torch.sigmoid((1 - radius) * 8)[None, None].clamp_min(0.1)  # [1, 1, R, R]
