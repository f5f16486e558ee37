"""Chromosomes, the recombination map, and meiosis.

A genome is an array of alleles, uint8 [N, 2, L]: two copies of L loci, 0 or 1 each. Copy 0 came from the father, copy 1
from the mother. Loci lie on 22 chromosomes whose lengths in Morgans are about those of the human autosomes, averaged
over the sexes. Crossovers are a Poisson process, without interference and equal in both sexes, so that two loci at a
distance of d Morgans recombine with Haldane's probability (1 - exp(-2d)) / 2 (Haldane, Journal of Genetics 1919).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kinlib.runtime.compiled import njit

__all__ = ["CHROMOSOMES", "GeneticMap", "meiosis", "recombination_fraction"]

CHROMOSOMES = (
    *(2.86, 2.69, 2.23, 2.14, 2.04, 1.92, 1.87, 1.68, 1.66, 1.81, 1.58),
    *(1.75, 1.26, 1.19, 1.41, 1.34, 1.28, 1.18, 1.08, 1.08, 0.62, 0.74),
)
"""Lengths in Morgans, largest chromosome (in base pairs) first; 35.4 together."""


@dataclass(frozen=True, eq=False)
class GeneticMap:
    """Positions of the loci.

    Attributes:
        chromosome: uint8 [L], 0 to 21, ascending.
        position: float64 [L], Morgans from the chromosome's start, ascending on each.
    """

    chromosome: np.ndarray
    position: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """int64 [22], index of each chromosome's first locus."""
        return np.searchsorted(self.chromosome, np.arange(len(CHROMOSOMES)))

    @cached_property
    def along(self) -> np.ndarray:
        """float64 [L], Morgans from the start of the first chromosome, chromosomes concatenated."""
        return np.concatenate([[0.0], np.cumsum(CHROMOSOMES)])[self.chromosome] + self.position

    def distance(self, first: int, second: int) -> float:
        """Morgans between two loci; infinite on different chromosomes."""
        if self.chromosome[first] != self.chromosome[second]:
            return float("inf")
        return abs(float(self.position[first] - self.position[second]))

    @classmethod
    def from_along(cls, along: np.ndarray) -> "GeneticMap":
        """The map of loci at these positions (Morgans, ascending, chromosomes concatenated)."""
        ends = np.cumsum(CHROMOSOMES)
        chromosome = np.searchsorted(ends, along, side="right")
        return cls(chromosome.astype(np.uint8), along - (ends - CHROMOSOMES)[chromosome])


def recombination_fraction(distance: float | np.ndarray) -> float | np.ndarray:
    """Haldane's recombination fraction of two loci at this distance in Morgans; 0.5 for unlinked loci."""
    return -np.expm1(-2 * np.asarray(distance)) / 2


def meiosis(
    alleles: np.ndarray,  # uint8 [N, 2, L]
    genetic_map: GeneticMap,
    rng: np.random.Generator,
    which: np.ndarray | None = None,  # int [M], parent of each gamete; None: one gamete per individual
) -> np.ndarray:
    """Gametes, uint8 [M, L]: on each chromosome a random copy, switched at every crossover."""
    which = np.arange(len(alleles)) if which is None else np.asarray(which, np.int64)
    length = sum(CHROMOSOMES)
    counts = rng.poisson(length, len(which))
    places = rng.random(counts.sum()) * length
    crossovers = np.searchsorted(genetic_map.along, places)  # the first locus after each crossover
    coins = rng.integers(0, 2, (len(which), len(CHROMOSOMES)), np.uint8)
    return _gametes(alleles, which, crossovers, np.cumsum(counts), genetic_map.starts, coins)


@njit(cache=True)
def _gametes(alleles, which, crossovers, ends, starts, coins):
    """Copy the alleles of each gamete in segments, alternating between the two copies.

    A crossover after a chromosome's last locus acts on the next chromosome's first. That is harmless: the starting copy
    of each chromosome is random anyway.
    """
    num_loci = alleles.shape[2]
    gametes = np.empty((len(which), num_loci), np.uint8)
    for gamete in range(len(which)):
        first = 0 if gamete == 0 else ends[gamete - 1]
        changes = np.concatenate((crossovers[first : ends[gamete]], starts[coins[gamete] == 1]))
        changes.sort()
        strand = begin = 0
        for end in changes:
            gametes[gamete, begin:end] = alleles[which[gamete], strand, begin:end]
            strand, begin = 1 - strand, end
        gametes[gamete, begin:] = alleles[which[gamete], strand, begin:]
    return gametes
