"""Random numbers of children: of one generator for all, or of one for each child.

With one for each, a child is the same whether it is generated alone or among others, and all pass through the networks
together.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

__all__ = ["Sources", "drawn"]

Sources = Generator | Sequence[Generator]


def drawn(make: Callable[..., Tensor], shape: tuple[int, ...], source: Sources) -> Tensor:
    """Random numbers [B, ...] on the CPU, drawn on the generators' device: a seed means the same on every other device.

    Args:
        make: torch.rand or torch.randn, or what takes the same arguments.
        shape: of the result.
        source: one generator, or B of them.
    """
    if isinstance(source, Generator):
        return make(shape, generator=source, device=source.device).cpu()
    return torch.cat([make((1, *shape[1:]), generator=one, device=one.device).cpu() for one in source])
