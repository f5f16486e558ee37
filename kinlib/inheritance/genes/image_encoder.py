"""Image-based gene encoder: an aligned picture and its region masks -> genes (Li et al. 2023, Fig. 4, Eq. 1 and 2).

Features of the whole picture are masked by one region at a time, and every region has a head of its own, so that a
region's genes can tell nothing of what lies outside it but the little that convolutions carry over its border. A region
that is not in the picture (teeth in a closed mouth) has the same genes in all such pictures.

It only teaches: the latent-based encoder learns its genes, and takes its place where no masks are known. The published
one reads 512 px and masks features of 64 x 64; its heads hold 466 MB. This one reads 128 px, masks 32 x 32 and runs all
heads in one pass, as grouped convolutions. Its masks are shares of a feature's cell instead of 0 and 1, because a pupil
is smaller than a cell.
"""

import torch
from torch import Tensor, nn

from kinlib.inheritance.genes.networks import Genes, GeneSizes

__all__ = ["CELL", "ImageGeneEncoder", "cell_masks"]

CELL = 4  # pixels, along a side, in one of the masked features: two convolutions of stride 2
LEAST = 4  # cells, along a side, that a head's convolutions leave


class ImageGeneEncoder(nn.Module):
    """Pictures and region masks -> `Genes`, mean and log-variance [B, N, R, D].

    Args:
        sizes: of the genes.
        picture_size: side of the pictures S, in px; a multiple of 16.
        width: channels of the masked features, and of each head.
        hidden: numbers from which a region's genes are read.
    """

    def __init__(self, sizes: GeneSizes, picture_size: int = 128, width: int = 16, hidden: int = 64):
        super().__init__()
        self.sizes = sizes
        self.features = nn.Sequential(*_stage(3, width), *_stage(width, width))
        side, layers = picture_size // CELL, []
        while side > LEAST:
            layers += _stage(width * sizes.regions, width * sizes.regions, sizes.regions)
            side //= 2
        self.heads = nn.Sequential(*layers)
        self.join = RegionLinear(sizes.regions, width * side**2, hidden)
        self.outputs = nn.ModuleList(
            RegionLinear(sizes.regions, hidden, sizes.gene_layers * sizes.gene_dim) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(sizes.gene_dim) for _ in range(2))

    def forward(self, pictures: Tensor, masks: Tensor) -> Genes:
        """The distributions of genes.

        Args:
            pictures: [B, 3, S, S] in [-1, 1].
            masks: [B, R, S/4, S/4] in [0, 1], as `cell_masks` gives them.
        """
        x = self.features(pictures)  # [B, C, S/4, S/4]
        x = (x[:, None] * masks[:, :, None]).flatten(1, 2)  # [B, R, C, S/4, S/4] -> [B, R*C, S/4, S/4]
        x = self.heads(x).unflatten(1, (self.sizes.regions, -1)).flatten(2)  # [B, R*C, 4, 4] -> [B, R, C*16]
        x = nn.functional.leaky_relu(self.join(x), 0.2)  # [B, R, hidden]
        found = []
        for output, norm in zip(self.outputs, self.norms, strict=True):
            y = output(x).unflatten(2, (self.sizes.gene_layers, -1)).transpose(1, 2)  # [B, R, N*D] -> [B, N, R, D]
            found.append(torch.tanh(norm(y)))  # the ends of the latent-based encoder's heads
        return Genes(found[0], found[1] + self.sizes.log_variance_centre)


class RegionLinear(nn.Module):
    """A linear layer for each region: [B, R, inputs] -> [B, R, outputs]."""

    def __init__(self, regions: int, inputs: int, outputs: int):
        super().__init__()
        bound = inputs**-0.5  # as PyTorch initialises linear layers
        self.weight = nn.Parameter(torch.empty(regions, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(regions, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bri,rio->bro", x, self.weight) + self.bias


def cell_masks(labels: Tensor, regions: int) -> Tensor:
    """Region maps [B, S, S] -> the share of every region in every cell of `CELL` x `CELL` pixels, [B, R, S/4, S/4]."""
    side = labels.shape[1] // CELL
    cells = labels.long().unflatten(2, (side, CELL)).unflatten(1, (side, CELL))  # [B, side, 4, side, 4]
    cells = cells.transpose(2, 3).flatten(3).flatten(1, 2)  # [B, side^2, 16], the pixels of each cell
    counts = torch.zeros(*cells.shape[:2], regions, device=labels.device)
    counts.scatter_add_(2, cells, torch.ones_like(cells, dtype=counts.dtype))
    return (counts / CELL**2).transpose(1, 2).unflatten(2, (side, side))  # [B, R, side, side]


def _stage(inputs: int, outputs: int, groups: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False, groups=groups)
    return convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)
