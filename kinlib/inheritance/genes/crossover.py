"""Crossover and mutation of region-level genes (Li et al. 2023, Eq. 9 to 11), for many children at once.

Each region i of a child has the genes

    alpha_i father + beta_i mother + gamma pool_i,   alpha_i + beta_i + gamma = 1       Eq. 9 (gamma = 0) and Eq. 10

or, in a share eta of the regions, the genes of somebody in the pool. Layers from l on are the parents' mean (Eq. 11).

The paper mixes sampled genes. Its published code mixes means and logarithms of variances, and samples what comes of it:
averaged samples would have less variance than either parent's, which averaged log-variances have not. It is done that
way here. The published code differs from the paper in more:

- the background is the father's always; here it is a region like the others, but for mutation: pictures are taken
  somewhere, which nobody inherits from a pool;
- the pool's person is drawn anew for every region, which is done here as well;
- without a pool it takes both parents for one, without a word; here `mutate` asks for a pool.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kinlib.inheritance.genes.chance import Sources, drawn
from kinlib.inheritance.genes.networks import GeneDecoder, Genes
from kinlib.inheritance.genes.regions import COINS, GROUPS
from kinlib.io.face_labels import REGIONS
from kinlib.runtime.errors import KinlibError

__all__ = ["ETA", "GAMMA", "KEPT_LAYERS", "Weights", "crossover", "decode_child", "draw_mutated", "draw_weights"]

ETA, GAMMA, KEPT_LAYERS = 0.4, 0.47, 8
"""Share of mutated regions, intensity of mutation, and layers that genes decide: the values of section 4.5."""

SUM_ERROR = 1e-4  # of three numbers that a person has rounded to four digits


@dataclass(frozen=True)
class Weights:
    """Whose genes each region has.

    Attributes:
        father, mother, pool: [B, R] in [0, 1], which sum to 1 in every region.
    """

    father: Tensor
    mother: Tensor
    pool: Tensor

    def __post_init__(self):
        """Check all values.

        Raises:
            KinlibError: if shapes differ, a weight is not in [0, 1], or those of a region do not sum to 1.
        """
        if len({part.shape for part in self.parts}) > 1 or self.father.ndim != 2:
            shapes = ", ".join(str(list(part.shape)) for part in self.parts)
            raise KinlibError(f"weights of father, mother and pool must all be [B, R], not {shapes}")
        total = sum(self.parts)
        wrong = ((total - 1).abs() > SUM_ERROR) | ~total.isfinite()
        if wrong.any():
            child, region = wrong.nonzero()[0].tolist()
            raise KinlibError(
                f"the weights of {_name(region, wrong.shape[1])} sum to {float(total[child, region]):.4g}, not to 1"
            )
        low = torch.stack(self.parts).amin(dim=0) < -SUM_ERROR
        if low.any():
            raise KinlibError(f"a weight of {_name(int(low.nonzero()[0, 1]), low.shape[1])} is below 0")

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Father, mother and pool."""
        return self.father, self.mother, self.pool

    def mutate(self, mutated: Tensor) -> "Weights":
        """The same weights, with regions that are wholly the pool's (t = 1 of Eq. 10).

        Args:
            mutated: bool [B, R].
        """
        zero = torch.zeros_like(self.father)
        father, mother = (torch.where(mutated, zero, part) for part in (self.father, self.mother))
        return replace(self, father=father, mother=mother, pool=torch.where(mutated, zero + 1, self.pool))


def draw_weights(
    children: int,
    generator: Sources,
    shares: dict[int, float] | str | None = None,
    gamma: float = 0.0,
    regions: int = len(REGIONS),
    unmixed: tuple[int, ...] = (),
) -> Weights:
    """Weights of each region of each child.

    Args:
        children: B.
        generator: of the weights that are not given.
        shares: the father's share of what the parents give together, by region; those that are not given are uniform
            from 0 to 1. `COINS` has each group of regions wholly from one parent.
        gamma: the pool's weight in every region.
        regions: R.
        unmixed: regions that take nothing from the pool.

    Raises:
        KinlibError: if a region does not exist, or gamma is not in [0, 1].
    """
    if not 0 <= gamma <= 1:
        raise KinlibError(f"gamma must be a number from 0 to 1, not {gamma}")
    given = drawn(torch.rand, (children, regions), generator)  # [B, R]
    if shares == COINS:
        for names in GROUPS.values():
            group = [REGIONS.index(name) for name in names]
            given[:, group] = given[:, group[:1]]
        given = (given < 0.5).to(given)
    else:
        for region, share in (shares or {}).items():
            if not 0 <= region < regions:
                raise KinlibError(f"there is no region {region}: there are {regions}")
            given[:, region] = share
    pool = torch.full_like(given, gamma)
    pool[:, list(unmixed)] = 0.0
    return Weights(given * (1 - pool), (1 - given) * (1 - pool), pool)


def draw_mutated(
    children: int, eta: float, generator: Sources, kept: tuple[int, ...] = (), regions: int = len(REGIONS)
) -> Tensor:
    """Which regions are wholly the pool's: bool [B, R], a share `eta` of all regions in every child, drawn at random.

    Args:
        children: B.
        eta: in [0, 1].
        generator: of the regions.
        kept: regions that never are.
        regions: R.

    Raises:
        KinlibError: if eta is not in [0, 1].
    """
    if not 0 <= eta <= 1:
        raise KinlibError(f"eta must be a number from 0 to 1, not {eta}")
    order = drawn(torch.rand, (children, regions), generator)
    order[:, list(kept)] = 2.0  # behind all others
    count = min(round(eta * regions), regions - len(set(kept)))
    mutated = torch.zeros(children, regions, dtype=torch.bool)
    return mutated.scatter_(1, order.argsort(dim=1)[:, :count], True)


def crossover(father: Genes, mother: Genes, weights: Weights, pool: Genes | None = None) -> Genes:
    """Genes of children (Eq. 9 and 10).

    Args:
        father, mother: [B, N, R, D], or [1, N, R, D] for the parents of all children.
        weights: [B, R].
        pool: [B, N, R, D]; needed where a weight of the pool is not 0.

    Raises:
        KinlibError: if the numbers of regions differ, or a pool is needed and not given.
    """
    regions = weights.father.shape[1]
    if father.mean.shape[2] != regions:
        raise KinlibError(f"there are weights of {regions} regions for genes of {father.mean.shape[2]}")
    sources = [(weights.father, father), (weights.mother, mother)]
    if pool is not None:
        sources.append((weights.pool, pool))
    elif weights.pool.any():
        raise KinlibError("mutation needs a gene pool: give one, or set eta and gamma to 0")
    placed = [(weight[:, None, :, None].to(genes.mean), genes) for weight, genes in sources]  # [B, 1, R, 1]
    return Genes(*(sum(weight * genes[i] for weight, genes in placed) for i in range(len(Genes._fields))))


def decode_child(
    decoder: GeneDecoder,
    genes: Tensor,
    father: Tensor,
    mother: Tensor,
    kept_layers: int = KEPT_LAYERS,
) -> Tensor:
    """Codes of children: of their genes in the first layers, the parents' mean in the others (Eq. 11).

    Args:
        decoder: of genes.
        genes: [B, N, R, D].
        father, mother: W+ [B, L, 512] or [1, L, 512].
        kept_layers: l, from 0 to L.
    """
    codes = decoder(genes)
    mean = ((father + mother) / 2).expand_as(codes)
    return torch.cat([codes[:, :kept_layers], mean[:, kept_layers:]], dim=1)


def _name(region: int, regions: int) -> str:
    return f"the region '{REGIONS[region]}'" if regions == len(REGIONS) else f"region {region}"
