"""Gene encoder and gene decoder: W+ to region-level facial genes and back (Li et al. 2023, StyleGene, Fig. 3).

The genes of a face are R regions of N tokens of D numbers each, [B, N, R, D]. The encoder gives a normal distribution
of every number, as the mean and the logarithm of the variance. Both networks are MLP-Mixers (Tolstikhin et al. 2021)
over the N * R tokens.

The published network has N = L = 18 tokens of D = 512 numbers for each of 34 regions, of which the text of the paper
does not say that

- means and log-variances end in a layer normalisation and tanh, so that both lie in (-1, 1);
- the second output is the logarithm of the variance, not the standard deviation;
- W+ enters and leaves through linear layers over the L layers, alike for all 512 dimensions, without the average code.

Ours can be smaller: `GeneSizes.components` has W+ enter and leave through principal components, so that a region needs
one token of a few dozen numbers. The published range of log-variances, (-1, 1) beside means in (-1, 1), then leaves
too little of them; `log_variance_centre` shifts it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.inheritance.genes.chance import Sources, drawn
from kinlib.io.face_labels import REGIONS
from kinlib.runtime.errors import KinlibError

__all__ = ["STUDIO", "Components", "GeneDecoder", "GeneEncoder", "GeneSizes", "Genes"]


class Genes(NamedTuple):
    """Normal distributions of genes, independent in every number.

    Attributes:
        mean: [B, N, R, D].
        log_variance: natural logarithm of the variance, the same shape.
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: Sources, spread: float = 1.0) -> Tensor:
        """Genes [B, N, R, D] (Eq. 4).

        Args:
            generator: of the noise; one, or one for each of the B.
            spread: factor on the standard deviation; 0 gives the mean.
        """
        noise = drawn(torch.randn, tuple(self.mean.shape), generator).to(self.mean)
        return self.mean + spread * torch.exp(0.5 * self.log_variance) * noise

    def expand(self, count: int) -> "Genes":
        """The same genes for each of `count` children, if there is one person's only; without a copy."""
        return Genes(*(part.expand(count, -1, -1, -1) for part in self))


@dataclass(frozen=True)
class GeneSizes:
    """Sizes of both networks; the defaults are those of the published ones.

    Attributes:
        num_layers, style_dim: L and the size of a code in W+.
        regions: R.
        gene_layers: N, tokens of a region.
        gene_dim: D, numbers of a token.
        encoder_depth, head_depth, decoder_depth: Mixer layers before the encoder's two heads, in each head, and in the
            decoder.
        token_factor, channel_factor: hidden width of token and channel mixing, as a factor on their inputs.
        components: K, principal components through which W+ enters and leaves; 0 for linear layers over the L layers,
            where N = L and D = `style_dim`.
        dropout: rate, behind both layers of every mixing.
        log_variance_centre: middle of the range of log-variances, whose half width is 1.

    Raises:
        KinlibError: if a size is not positive, or N and D do not fit a network without components.
    """

    num_layers: int = 18
    style_dim: int = 512
    regions: int = len(REGIONS)
    gene_layers: int = 18
    gene_dim: int = 512
    encoder_depth: int = 8
    head_depth: int = 2
    decoder_depth: int = 6
    token_factor: float = 4.0
    channel_factor: float = 0.5
    components: int = 0
    dropout: float = 0.1
    log_variance_centre: float = 0.0

    def __post_init__(self):
        counts = (self.num_layers, self.style_dim, self.regions, self.gene_layers, self.gene_dim, self.token_hidden)
        if min(*counts, self.channel_hidden) < 1:
            raise KinlibError("all sizes of gene networks must be 1 or more")
        if not self.components and (self.gene_layers, self.gene_dim) != (self.num_layers, self.style_dim):
            raise KinlibError(
                f"genes of {self.gene_layers} x {self.gene_dim} numbers do not fit codes of {self.num_layers} x "
                f"{self.style_dim}: give the gene networks principal components"
            )

    @property
    def tokens(self) -> int:
        """N * R."""
        return self.gene_layers * self.regions

    @property
    def token_hidden(self) -> int:
        """Hidden width of token mixing."""
        return round(self.tokens * self.token_factor)

    @property
    def channel_hidden(self) -> int:
        """Hidden width of channel mixing."""
        return round(self.gene_dim * self.channel_factor)


STUDIO = GeneSizes(
    num_layers=12,
    gene_layers=1,
    gene_dim=48,
    channel_factor=2.0,
    components=192,
    dropout=0.0,
    log_variance_centre=-3.0,  # standard deviations from 0.14 to 0.37, beside means in (-1, 1)
)
"""Sizes of the studio's networks: 2.1 million numbers in both, 4.2 MB in half precision."""


class Components(nn.Module):
    """Principal components of W+, standardised.

    Args:
        components: K.
        size: numbers of a code, L * 512.
    """

    def __init__(self, components: int, size: int):
        super().__init__()
        self.register_buffer("axes", torch.zeros(components, size))  # of unit length
        self.register_buffer("scale", torch.ones(components))  # standard deviation along each axis
        self.register_buffer("mean", torch.zeros(size))

    def fit(self, codes: Tensor) -> None:
        """Set axes, scale and mean from codes [P, L, 512], P > K."""
        flat = codes.float().flatten(1)  # [P, L*512]
        self.mean.copy_(flat.mean(dim=0))
        _, strength, axes = torch.svd_lowrank(flat - self.mean, len(self.scale), niter=4)
        self.axes.copy_(axes.t())
        self.scale.copy_(strength / len(flat) ** 0.5)

    def read(self, codes: Tensor) -> Tensor:
        """W+ [B, L, 512] -> components [B, K], of variance 1."""
        return (codes.flatten(1) - self.mean) @ self.axes.t() / self.scale

    def write(self, components: Tensor, num_layers: int) -> Tensor:
        """Components [B, K] -> W+ [B, L, 512]."""
        return (self.mean + (components * self.scale) @ self.axes).unflatten(1, (num_layers, -1))


class Mixing(nn.Module):
    """x + MLP(LayerNorm(x)) along one axis: one half of a Mixer layer.

    Args:
        dim: D, over which the normalisation runs in both kinds.
        inputs: length of the axis that is mixed.
        hidden: width of the MLP.
        across_tokens: mix the tokens of each channel; otherwise the channels of each token.
    """

    def __init__(self, dim: int, inputs: int, hidden: int, dropout: float, across_tokens: bool):
        super().__init__()
        self.across_tokens, self.dropout = across_tokens, dropout
        self.norm = nn.LayerNorm(dim)
        self.expand, self.reduce = nn.Linear(inputs, hidden), nn.Linear(hidden, inputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)  # [B, T, D]
        y = y.transpose(1, 2) if self.across_tokens else y  # [B, D, T] or [B, T, D]
        y = F.dropout(F.gelu(self.expand(y)), self.dropout, self.training)
        y = F.dropout(self.reduce(y), self.dropout, self.training)
        return x + (y.transpose(1, 2) if self.across_tokens else y)


class MixerLayer(nn.Module):
    """Token mixing, then channel mixing: [B, T, D] -> [B, T, D]."""

    def __init__(self, sizes: GeneSizes):
        super().__init__()
        self.tokens = Mixing(sizes.gene_dim, sizes.tokens, sizes.token_hidden, sizes.dropout, across_tokens=True)
        self.channels = Mixing(sizes.gene_dim, sizes.gene_dim, sizes.channel_hidden, sizes.dropout, False)

    def forward(self, x: Tensor) -> Tensor:
        return self.channels(self.tokens(x))


class Mixer(nn.Module):
    """Mixer layers and a layer normalisation: [B, T, D] -> [B, T, D]."""

    def __init__(self, sizes: GeneSizes, depth: int):
        super().__init__()
        self.layers = nn.ModuleList(MixerLayer(sizes) for _ in range(depth))
        self.norm = nn.LayerNorm(sizes.gene_dim)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class GeneEncoder(nn.Module):
    """Latent-based gene encoder (Eq. 3): W+ [B, L, 512] -> `Genes`, mean and log-variance [B, N, R, D].

    Args:
        sizes: of the network.
        components: principal components, shared with the decoder; needed where `sizes.components` is not 0.
    """

    def __init__(self, sizes: GeneSizes | None = None, components: Components | None = None):
        super().__init__()
        self.sizes = sizes = sizes or GeneSizes()
        self.components = components
        if components is None:
            self.stem = nn.Linear(sizes.num_layers, sizes.tokens)
        else:
            self.stem = nn.Linear(sizes.components, sizes.tokens * sizes.gene_dim)
        self.trunk = Mixer(sizes, sizes.encoder_depth)
        self.mean, self.log_variance = Mixer(sizes, sizes.head_depth), Mixer(sizes, sizes.head_depth)

    def forward(self, codes: Tensor) -> Genes:
        """The distributions of the genes of codes.

        Raises:
            ValueError: if the codes are not [B, L, 512].
        """
        _check_shape("codes", codes, (self.sizes.num_layers, self.sizes.style_dim))
        if self.components is None:
            x = self.stem(codes.transpose(1, 2)).transpose(1, 2)  # [B, 512, L] -> [B, 512, T] -> [B, T, 512]
        else:
            x = self.stem(self.components.read(codes)).unflatten(1, (self.sizes.tokens, -1))  # [B, K] -> [B, T, D]
        x = self.trunk(x)
        shape = (self.sizes.gene_layers, self.sizes.regions)
        mean, spread = (torch.tanh(head(x)).unflatten(1, shape) for head in (self.mean, self.log_variance))
        return Genes(mean, spread + self.sizes.log_variance_centre)  # [B, T, D] -> [B, N, R, D]


class LayerHead(nn.Module):
    """The published decoder's end: [B, T, 512] -> W+ [B, L, 512], alike for all 512 dimensions."""

    def __init__(self, sizes: GeneSizes):
        super().__init__()
        self.first = nn.Linear(sizes.tokens, sizes.tokens)
        self.norm = nn.LayerNorm(sizes.tokens)
        self.last = nn.Linear(sizes.tokens, sizes.num_layers)

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(self.norm(self.first(x.transpose(1, 2))))  # [B, 512, T]
        return self.last(y).transpose(1, 2)  # [B, 512, L] -> [B, L, 512]


class GeneDecoder(nn.Module):
    """Gene decoder (Eq. 5): genes [B, N, R, D] -> W+ [B, L, 512]; arguments as of `GeneEncoder`."""

    def __init__(self, sizes: GeneSizes | None = None, components: Components | None = None):
        super().__init__()
        self.sizes = sizes = sizes or GeneSizes()
        self.components = components
        self.trunk = Mixer(sizes, sizes.decoder_depth)
        if components is None:
            self.head: nn.Module = LayerHead(sizes)
        else:
            self.head = nn.Linear(sizes.tokens * sizes.gene_dim, sizes.components)

    def forward(self, genes: Tensor) -> Tensor:
        """The codes of genes.

        Raises:
            ValueError: if the genes are not [B, N, R, D].
        """
        _check_shape("genes", genes, (self.sizes.gene_layers, self.sizes.regions, self.sizes.gene_dim))
        x = self.trunk(genes.flatten(1, 2))  # [B, N, R, D] -> [B, T, D]
        if self.components is None:
            return self.head(x)
        return self.components.write(self.head(x.flatten(1)), self.sizes.num_layers)  # [B, T*D] -> [B, K] -> W+


def _check_shape(what: str, given: Tensor, wanted: tuple[int, ...]) -> None:
    if given.ndim != len(wanted) + 1 or given.shape[1:] != wanted:
        raise ValueError(f"{what} must be [B, {', '.join(map(str, wanted))}], not {list(given.shape)}")
