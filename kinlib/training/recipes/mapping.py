"""The mapping network by itself: training it to give the distribution of the codes of pictures.

The leading axes of W have the largest effect on a picture, but a distance of distributions over all 512 numbers is
insensitive to a few of them. So the energy distance is averaged over nested blocks of leading axes.
"""

import torch
from torch import Tensor, nn

from kinlib.training.engine.losses import energy_loss

__all__ = ["BLOCKS", "fit_mapping"]

BLOCKS = (4, 16, 64, 512)  # numbers of leading axes, each about four times the one before


@torch.enable_grad()
def fit_mapping(style: nn.Module, codes: Tensor, steps: int, seed: int, batch: int = 512, lr: float = 1.0) -> float:
    """Train a mapping network towards given codes; in place.

    Args:
        style: z [B, 512] -> w [B, 512].
        codes: [N, 512], w of pictures, the axes in falling order of importance.
        steps: of training.
        seed: of z and of the choice of codes.
        batch: random codes, and codes of pictures, in a step.
        lr: highest learning rate; the mapping network's layers divide it by a hundred.

    Returns:
        The mean of the blocks' energy distances over the last tenth of the steps.
    """
    # Its own random numbers: the result does not depend on what was trained before.
    source = torch.Generator(codes.device).manual_seed(seed)
    style.requires_grad_(True)
    optimizer = torch.optim.Adam(style.parameters(), lr, betas=(0.5, 0.99))
    seen = []
    for step in range(steps):
        # Constant over the first half, then linearly to zero.
        optimizer.param_groups[0]["lr"] = lr * min(1.0, 2 * (1 - step / steps))
        z = torch.randn(batch, codes.shape[1], generator=source, device=codes.device)
        some = torch.randint(len(codes), (batch,), generator=source, device=codes.device)
        w = style(z)  # [batch, 512]
        loss = torch.stack([energy_loss(w[:, :n], codes[some, :n]) for n in BLOCKS]).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    style.requires_grad_(False)
    # Single steps are noisy.
    last = seen[-max(1, steps // 10) :]
    return sum(last) / len(last)
