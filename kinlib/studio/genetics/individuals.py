"""Individuals as genomes: founders, couples, children.

All records are arrays over individuals; one individual is an array of length one. All randomness comes from the given
Generator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics.architecture import TRAITS, Architecture, load_architecture
from kinlib.studio.genetics.genome import meiosis
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.studio.person import SEXES

__all__ = ["Genomes", "children", "concatenate", "founders", "mate_pairs"]


@dataclass(frozen=True, eq=False)
class Genomes:
    """Genomes and environmental noise of N individuals.

    Attributes:
        alleles: uint8 [N, 2, L], 0 or 1; copy 0 from the father, copy 1 from the mother.
        sex: uint8 [N], index into `SEXES`; drawn, not inherited.
        noise: float32 [N, T], standard normal: environmental noise of each trait, constant for life.
        seeds: int64 [N], for details that are not inherited, such as moles.
        ancestry: float32 [N, 5], shares of the founder populations; a child's is the mean of its parents'.
        architecture: loci and effects.
    """

    alleles: np.ndarray
    sex: np.ndarray
    noise: np.ndarray
    seeds: np.ndarray
    ancestry: np.ndarray
    architecture: Architecture

    def __len__(self) -> int:
        """The number of people."""
        return len(self.alleles)

    def __getitem__(self, chosen: int | slice | np.ndarray | Sequence) -> "Genomes":
        """A selection of individuals; an integer gives an array of one."""
        chosen = [chosen] if isinstance(chosen, int | np.integer) else chosen
        arrays = (self.alleles, self.sex, self.noise, self.seeds, self.ancestry)
        return Genomes(*(array[chosen] for array in arrays), self.architecture)

    def copies(self, locus: str) -> np.ndarray:
        """uint8 [N], number of copies (0 to 2) of allele 1 at a named locus.

        Raises:
            KinlibError: if there is no such locus.
        """
        if locus not in self.architecture.locus:
            raise KinlibError(f"there is no locus '{locus}': see the architecture's `loci`")
        return self.alleles[:, :, self.architecture.locus[locus]].sum(1, dtype=np.uint8)

    def with_sex(self, sex: np.ndarray) -> "Genomes":
        """The same individuals with these sexes, uint8 [N]."""
        return replace(self, sex=np.asarray(sex, np.uint8))


def founders(
    population: str | Mapping[str, float] | Sequence[str],
    n: int,
    rng: np.random.Generator,
    architecture: Architecture | None = None,
) -> Genomes:
    """Unrelated individuals, in Hardy-Weinberg and linkage equilibrium within their population.

    Args:
        population: a name from `POPULATIONS`; or a mapping of names to probabilities; or n names.
        n: number of individuals.
        rng: source of all randomness.
        architecture: None for the studio's own.

    Raises:
        KinlibError: if a population is unknown.
    """
    architecture = architecture or load_architecture()
    index = _populations(population, n, rng)
    frequencies = architecture.frequencies.astype(np.float32)[index]
    alleles = rng.random((n, 2, frequencies.shape[1]), np.float32) < frequencies[:, None]
    ancestry = np.eye(len(POPULATIONS), dtype=np.float32)[index]
    return _new_individuals(alleles.view(np.uint8), ancestry, rng, architecture)


def children(father: Genomes, mother: Genomes, n: int, rng: np.random.Generator) -> Genomes:
    """n children of every couple, couple after couple: M * n individuals for M fathers and M mothers.

    Raises:
        KinlibError: if fathers and mothers do not make couples.
    """
    if len(father) != len(mother) or father.architecture is not mother.architecture:
        raise KinlibError("children need as many fathers as mothers, all of one architecture")
    which = np.repeat(np.arange(len(father)), n)
    alleles = np.empty((len(which), *father.alleles.shape[1:]), np.uint8)
    for copy, parent in enumerate((father, mother)):
        alleles[:, copy] = meiosis(parent.alleles, parent.architecture.map, rng, which)
    return _new_individuals(alleles, ((father.ancestry + mother.ancestry) / 2)[which], rng, father.architecture)


def concatenate(people: Sequence[Genomes]) -> Genomes:
    """Concatenate individuals of one architecture."""
    arrays = zip(*((part.alleles, part.sex, part.noise, part.seeds, part.ancestry) for part in people), strict=True)
    return Genomes(*map(np.concatenate, arrays), people[0].architecture)


def mate_pairs(
    values_father: np.ndarray, values_mother: np.ndarray, correlation: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pair all men and women so that the couples' values correlate (assortative mating); 0 pairs at random.

    Pairs of normal numbers with that correlation are drawn and replaced, by rank, with the men's and the women's
    values.

    Args:
        values_father: [N], any trait of the men.
        values_mother: [N], of the women.
        correlation: -1 to 1, of the ranks' normal scores.
        rng: source of randomness.

    Returns:
        Two int64 [N]: index of the man and of the woman of each couple.

    Raises:
        KinlibError: if the numbers differ or the correlation is out of range.
    """
    if np.shape(values_father) != np.shape(values_mother) or not -1 <= correlation <= 1:
        raise KinlibError("mating needs as many men as women and a correlation from -1 to 1")
    first = rng.standard_normal(len(values_father))
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.standard_normal(len(values_father))
    pairs = []
    for places, values in ((first, values_father), (second, values_mother)):
        pair = np.empty(len(values), np.int64)
        pair[np.argsort(places)] = np.argsort(values, kind="stable")
        pairs.append(pair)
    return pairs[0], pairs[1]


def _populations(population: str | Mapping[str, float] | Sequence[str], n: int, rng: np.random.Generator) -> np.ndarray:
    """Index of each individual's population, [n]."""
    names = [population] if isinstance(population, str) else list(population)
    if unknown := set(names) - set(POPULATIONS):
        raise KinlibError(f"unknown population '{min(unknown)}': choose from {', '.join(POPULATIONS)}")
    indices = np.array([POPULATIONS.index(name) for name in names])
    if isinstance(population, str):
        return indices.repeat(n)
    if isinstance(population, Mapping):
        shares = np.array(list(population.values()), float)
        if not len(shares) or (shares < 0).any() or not shares.sum() > 0:
            raise KinlibError("the shares of a mixture of populations must not be negative, nor all of them zero")
        return rng.choice(indices, n, p=shares / shares.sum())
    if len(names) != n:
        raise KinlibError(f"{len(names)} names of populations were given for {n} people")
    return indices


def _new_individuals(
    alleles: np.ndarray, ancestry: np.ndarray, rng: np.random.Generator, architecture: Architecture
) -> Genomes:
    """Individuals with these alleles [N, 2, L]; sex, noise and seeds are drawn."""
    n = len(alleles)
    sex = rng.integers(0, len(SEXES), n, np.uint8)
    noise = rng.standard_normal((n, len(TRAITS)), np.float32)
    return Genomes(alleles, sex, noise, rng.integers(0, 2**31, n), ancestry, architecture)
