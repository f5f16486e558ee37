"""The methods `genes` and `genes_pool`: children by crossover, and by crossover and mutation."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.inheritance.genes.chance import Sources, drawn
from kinlib.inheritance.genes.crossover import KEPT_LAYERS, crossover, decode_child, draw_mutated, draw_weights
from kinlib.inheritance.genes.files import load_genes
from kinlib.inheritance.genes.networks import GeneDecoder, GeneEncoder, Genes
from kinlib.inheritance.genes.pool import GenePool, load_pool
from kinlib.inheritance.genes.regions import COINS
from kinlib.inheritance.notes import add_note
from kinlib.io.face_labels import REGIONS

__all__ = ["GeneMethod", "build", "build_with_pool", "load_method"]


BACKGROUND = REGIONS.index("background")
PART = 32  # people of a pool whose genes are derived at a time: 80 MB of genes of the published size


class GeneMethod:
    """Children by the genes of their parents, and of a pool if one is given.

    Args:
        encoder, decoder: of genes.
        pool: for mutation.
    """

    def __init__(self, encoder: GeneEncoder, decoder: GeneDecoder, pool: GenePool | None = None):
        self.encoder, self.decoder, self.pool = encoder, decoder, pool

    @torch.no_grad()
    def cross(
        self,
        father: Tensor,
        mother: Tensor,
        generator: Sources,
        region_shares: dict[int, float] | str | None,
        kept_layers: int | None,
        gene_spread: float,
        eta: float = 0.0,
        gamma: float = 0.0,
        pool_age: str | None = None,
        pool_sex: str | None = None,
        pool_group: str | None = None,
    ) -> Tensor:
        """One child of each couple: a method of inheritance.

        Many children of one couple come from codes that are expanded to [B, L, 512]; their genes are derived once.

        Args:
            father, mother: W+ [B, L, 512].
            generator: of weights, mutation, people of the pool, and noise; one, or one for each child.
            region_shares: the father's share by region, drawn where it is not given; or `COINS`.
            kept_layers: layers that the genes decide; the others are the parents' mean. None takes the paper's 8 for
                networks of its layout, and all for ours, which obey commands better so.
            gene_spread: factor on the standard deviation of genes.
            eta: share of the regions that are wholly the pool's; those of `region_shares` and the background never are.
            gamma: the pool's weight in the other regions.
            pool_age, pool_sex, pool_group: of the people in the pool who may give genes; None for any.
        """
        children, regions = len(father), self.encoder.sizes.regions
        father_genes, mother_genes = (self._genes(codes) for codes in (father, mother))
        shares = region_shares or {}
        chosen = draw_weights(children, generator, shares, gamma, regions, unmixed=(BACKGROUND,))
        kept = () if shares == COINS else tuple(shares)
        mutated = draw_mutated(children, eta, generator, (BACKGROUND, *kept), regions)
        chosen = chosen.mutate(mutated)
        given = self._mutation(chosen.pool, generator, pool_age, pool_sex, pool_group) if chosen.pool.any() else None
        genes = crossover(father_genes, mother_genes, chosen, given).expand(children).sample(generator, gene_spread)
        if kept_layers is None:
            sizes = self.decoder.sizes
            kept_layers = sizes.num_layers if sizes.components else KEPT_LAYERS
        return decode_child(self.decoder, genes, father, mother, kept_layers)

    def _genes(self, codes: Tensor) -> Genes:
        """Genes of parents; of one only where all are the same."""
        same = bool((codes == codes[:1]).all())
        return self.encoder(codes[:1] if same else codes)

    def _mutation(self, weight: Tensor, generator: Sources, *wanted: str | None) -> Genes | None:
        """Genes of the pool, of another person in every region: [B, N, R, D].

        A person's genes are derived from its whole code, of which one region's are kept: each person once.
        """
        if self.pool is None:
            return None
        selection = self.pool.select(*wanted)
        if selection.note:
            add_note(selection.note)
        place = drawn(partial(torch.randint, len(selection.people)), tuple(weight.shape), generator)
        people, index = selection.people[place].unique(return_inverse=True)  # [U], [B, R]
        sizes = self.encoder.sizes
        shape = (*weight.shape, sizes.gene_layers, sizes.gene_dim)
        found = Genes(*(torch.empty(shape) for _ in Genes._fields))  # [B, R, N, D]
        for begin in range(0, len(people), PART):
            genes = self.encoder(self.pool.codes(people[begin : begin + PART]))  # [u, N, R, D]
            child, region = ((index >= begin) & (index < begin + PART)).nonzero(as_tuple=True)
            for whole, part in zip(found, genes, strict=True):
                whole[child, region] = part[index[child, region] - begin, :, region]
        return Genes(*(part.transpose(1, 2) for part in found))  # [B, N, R, D]


def load_method(preset: str, with_pool: bool = False) -> GeneMethod:
    """The networks of a preset, and its pool if wanted.

    Raises:
        KinlibError: if the preset has none, or a file is absent or damaged.
    """
    encoder, decoder = load_genes(_path(preset, "genes"))
    pool = load_pool(_path(preset, "gene_pool"), encoder.sizes.num_layers) if with_pool else None
    return GeneMethod(encoder, decoder, pool)


def build(preset: str) -> Callable:
    """The method `genes` of a preset."""
    return load_method(preset).cross


def build_with_pool(preset: str) -> Callable:
    """The method `genes_pool` of a preset; its option `pool` is the path of another pool than the bundled one."""
    method = load_method(preset)
    encoder, decoder, layers = method.encoder, method.decoder, method.encoder.sizes.num_layers
    opened = lru_cache(maxsize=4)(lambda path: GeneMethod(encoder, decoder, load_pool(path, layers)))
    bundled = _path(preset, "gene_pool")

    def inherit(father: Tensor, mother: Tensor, generator: Sources, pool: Path | None, **options: Any) -> Tensor:
        return opened(pool or bundled).cross(father, mother, generator, **options)

    return inherit


def _path(preset: str, role: str) -> Path:
    return weights.path(weights.for_role(preset, role).name)
