"""Random weights in which nothing is neutral, so that a step that is left out or changed shows in what comes out.

Fresh networks have biases of 0, factors of 1, and batch statistics that change nothing.
"""

import torch
from torch import nn

__all__ = ["randomised"]


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network with other biases, factors, slopes and batch statistics, in double precision and ready to compute."""
    source = torch.Generator().manual_seed(seed)
    net = net.double().eval().requires_grad_(False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=source)
            module.running_var.uniform_(0.5, 2, generator=source)
            module.weight.uniform_(0.5, 1.5, generator=source)
        if isinstance(module, nn.PReLU):
            module.weight.uniform_(0, 0.5, generator=source)
        if getattr(module, "bias", None) is not None:
            module.bias.normal_(0, 0.3, generator=source)
    return net
