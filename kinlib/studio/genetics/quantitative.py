"""Quantitative genetics: heritability of the traits, and the exact distribution of a couple's children."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics.architecture import TRAITS, Architecture, load_architecture
from kinlib.studio.genetics.individuals import Genomes
from kinlib.studio.genetics.phenotypes import breeding_values
from kinlib.studio.genetics.populations import POPULATIONS

__all__ = ["TraitDistribution", "heritability", "trait_distribution"]


@dataclass(frozen=True, eq=False)
class TraitDistribution:
    """Distribution of the liabilities of a couple's children. T traits, in the order of `TRAITS`.

    Attributes:
        mean: float64 [T], mean of the parents' breeding values.
        covariance: float64 [T, T], of the children's breeding values (Mendelian sampling).
        environment: float64 [T], variance of the environmental noise, independent for each trait.
    """

    mean: np.ndarray
    covariance: np.ndarray
    environment: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """float64 [T], of the children's breeding values."""
        return self.covariance.diagonal()


def heritability(architecture: Architecture | None = None) -> pd.DataFrame:
    """Narrow-sense heritability of the liability, one row per polygenic trait.

    Returns:
        index: trait; columns: `group`, `heritability` as stated (of the populations' mean variances), each population's
        own, and `between`, the share of the pooled variance that lies between populations.
    """
    architecture = architecture or load_architecture()
    additive = architecture.additive_variance
    table = pd.DataFrame(
        {"group": [trait.group for trait in TRAITS], "heritability": [trait.heritability for trait in TRAITS]},
        index=pd.Index([trait.name for trait in TRAITS], name="trait"),
    )
    table[list(POPULATIONS)] = (additive / (additive + np.square(architecture.environment))).T
    table["between"] = architecture.means.var(0)
    return table


def trait_distribution(father: Genomes, mother: Genomes) -> TraitDistribution:
    """Exact mean and covariance of one couple's children's breeding values, linkage included.

    At each heterozygous locus a gamete takes one of two alleles. The choices at two loci at d Morgans correlate with
    exp(-2d) (Haldane), so the covariance of two traits is a quarter of the sum, over all pairs of loci of a chromosome,
    of difference * effect * exp(-2d) * effect * difference.

    Raises:
        KinlibError: if there is not exactly one father and one mother.
    """
    if len(father) != 1 or len(mother) != 1:
        raise KinlibError("the distribution of children is that of one father and one mother")
    covariance = _gamete_covariance(father) + _gamete_covariance(mother)
    mean = (breeding_values(father)[0].astype(float) + breeding_values(mother)[0]) / 2
    return TraitDistribution(mean, covariance, np.square(father.architecture.environment, dtype=float))


def _gamete_covariance(parent: Genomes) -> np.ndarray:
    """Covariance [T, T] of the breeding value of one parent's gametes."""
    architecture = parent.architecture
    difference = parent.alleles[0, 0].astype(float) - parent.alleles[0, 1]
    covariance = np.zeros((len(TRAITS), len(TRAITS)))
    for chromosome in np.unique(architecture.map.chromosome):
        here = np.flatnonzero((architecture.map.chromosome == chromosome) & (difference != 0))
        position = architecture.map.position[here]
        together = np.exp(-2 * np.abs(position[:, None] - position))  # [l, l], l heterozygous loci
        steps = difference[here, None] * architecture.effects[here]  # [l, T]
        covariance += steps.T @ together @ steps / 4
    return covariance
