"""Fitting a code to one face: a few steps of gradient descent from where the encoder put it.

The encoder answers in one pass and misses details, more so on photographs if it was trained on renders. Here the code
itself is moved so that the drawn picture comes closer to the given one, and held near its start so that it remains a
code that can be blended and edited (the trade-off studied by Tov et al. 2021).
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
    """Move `code` so that `generator` draws `target`.

    Args:
        generator: fixed.
        code: [B, L, 512], the start.
        target: [B, 3, R, R] in [-1, 1], R the generator's resolution.
        steps: number of Adam steps; 0 returns the code as it is.
        losses: further losses `(drawn, target) -> scalar` with their weights, for instance on identity or landmarks.
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
        weight = _face_weight(target)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = rate * min(1.0, 2 * (1 - step / steps) + 0.05)
            drawn = generator.synthesis(moved)
            loss = _pixel_loss(drawn, target, weight) + anchor * (moved - start).square().mean()
            for function, share in (losses or {}).items():
                loss = loss + share * function(drawn, target)
            (moved.grad,) = torch.autograd.grad(loss, moved)
            optimiser.step()
            if progress is not None:
                progress(step + 1, float(loss.detach()))
        return moved.detach()


def _pixel_loss(drawn: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1 at three sizes: the small ones carry skin tone, hair and head shape, the large one the features."""
    total = drawn.new_zeros(())
    for level in (1, 2, 4):
        a, b, w = (F.avg_pool2d(x, level) for x in (drawn, target, weight))
        total = total + ((a - b).abs() * w).mean() / w.mean()
    return total


def _face_weight(target: Tensor) -> Tensor:
    """An ellipse that falls off towards the border, where an aligned picture shows background: [1, 1, R, R]."""
    side = torch.linspace(-1, 1, target.shape[-1], dtype=target.dtype, device=target.device)
    radius = ((side[None, :] / 0.8) ** 2 + (side[:, None] / 0.95) ** 2).sqrt()
    return torch.sigmoid((1 - radius) * 8)[None, None].clamp_min(0.1)
