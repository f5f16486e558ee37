"""The genetic architecture: loci, their effects on all traits, and heritabilities; generated from one seed.

Every polygenic trait has loci of its own, and groups of traits share pleiotropic loci, so that a broad face tends to
come with a broad jaw. A liability is the additive value, a sum over loci of copies times effect, plus environmental
noise:

    liability = sum(copies * effect) - offset + environment * noise,  noise standard normal

Liabilities have mean 0 and variance 1 over all five populations pooled. The environment's variance is set so that
within a population additive variance / all variance is the trait's narrow-sense heritability; it differs a little
between populations because their allele frequencies do. Effects are whole multiples of `UNIT`: float32 then adds them
without rounding, in any order, and an individual's value does not depend on the batch.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from kinlib.studio.genetics.genome import CHROMOSOMES, GeneticMap
from kinlib.studio.genetics.populations import LOCI, MEANS, POPULATIONS, drifted, shifted
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS

__all__ = ["TRAITS", "Architecture", "Trait", "load_architecture"]

UNIT = 2.0**-16  # 2 * sum(|effects|) stays below 2**8, so sums need 24 bits at most


@dataclass(frozen=True)
class Trait:
    """A polygenic trait: name, group, narrow-sense heritability, and number of its own loci."""

    name: str
    group: str
    heritability: float
    num_loci: int


TRAITS = (
    *(Trait(f"shape_{mode:02d}", "shape", 0.80, 32) for mode in range(NUM_SHAPE)),
    *(Trait(name, "proportions", 0.80, 24) for name in PROPORTIONS),
    Trait("melanin", "colour", 0.90, 32),
    Trait("redness", "colour", 0.60, 16),
    Trait("hair_shade", "colour", 0.80, 16),
    Trait("hair_curl", "hair", 0.90, 16),
    Trait("brow", "hair", 0.75, 24),
    Trait("beard", "hair", 0.80, 24),
    Trait("freckles", "marks", 0.70, 16),
    Trait("cleft_chin", "marks", 0.70, 16),
)
NAMES = tuple(trait.name for trait in TRAITS)

# Pleiotropic loci: loadings on each trait, relative to the standard deviation from the trait's own loci. Set by hand.
SHARED_LOCI = 24  # of each group
SHARED = {
    "breadth": {"face_width": 1.0, "jaw_width": 0.7, "cheekbones": 0.6, "nose_width": 0.4},
    "nose": {"nose_length": 0.7, "nose_bridge": 0.8, "nose_tip": -0.6},
    "mouth": {"lip_fullness": 0.7, "mouth_width": 0.5, "nose_width": 0.6},
    "orbit": {"brow_ridge": 0.8, "eye_depth": 0.9, "brow_height": -0.6, "lid_fold": -0.4},
    "lids": {"lid_fold": 0.7, "eye_size": -0.5, "eye_tilt": 0.4},
    "chin": {"chin_height": 0.6, "chin_projection": 0.7, "jaw_width": 0.4},
    "forehead": {"forehead_height": 0.7, "forehead_slope": -0.4},
    "fullness": {"cheek_fullness": 0.8, "face_width": 0.4, "lip_fullness": 0.3},
    "ears": {"ear_size": 0.6, "ear_projection": 0.5},
    "growth": {"beard": 0.7, "brow": 0.8},
    "pallor": {"melanin": -0.3, "redness": 0.5, "freckles": 0.6, "hair_shade": 0.4},
}
# Additive effect of one copy of a Mendelian locus on polygenic traits, in the same unit.
MAJOR = {
    "iris_dark": {"melanin": 0.3},
    "hair_black": {"melanin": 0.3, "hair_shade": -0.4},
    "hair_red": {"melanin": -0.3, "freckles": 0.8, "redness": 0.3},
    "hair_coil": {"hair_curl": 1.0},  # both copies together: the difference between nearly straight and tightly curled
}


@dataclass(frozen=True, eq=False)
class Architecture:
    """Loci and effects. L loci, T traits, P = 5 populations.

    Attributes:
        seed: determines everything else.
        map: positions of the loci.
        loci: [L] names: the allele of a Mendelian locus, or trait and number.
        effects: float32 [L, T], additive effect of one copy.
        offset: float32 [T], subtracted so that the pooled populations have mean 0.
        environment: float32 [T], standard deviation of the environmental noise.
        frequencies: float64 [P, L], of allele 1 in each founder population.
    """

    seed: int
    map: GeneticMap
    loci: tuple[str, ...]
    effects: np.ndarray
    offset: np.ndarray
    environment: np.ndarray
    frequencies: np.ndarray

    def __reduce__(self) -> tuple:
        """Pickled as its seed, so that it stays one object in every process."""
        return load_architecture, (self.seed,)

    @cached_property
    def locus(self) -> dict[str, int]:
        """Index of each locus by its name."""
        return {name: index for index, name in enumerate(self.loci)}

    @cached_property
    def trait(self) -> dict[str, int]:
        """Index of each trait by its name."""
        return {name: index for index, name in enumerate(NAMES)}

    @cached_property
    def additive_variance(self) -> np.ndarray:
        """float64 [P, T], additive variance among founders, whose loci are independent."""
        return _additive_variance(self.frequencies, self.effects)

    @cached_property
    def means(self) -> np.ndarray:
        """float64 [P, T], mean liability of each founder population."""
        return 2 * self.frequencies @ self.effects - self.offset


def load_architecture(seed: int = 0) -> Architecture:
    """The architecture of a seed, cached; 0 is the one of all bundled data."""
    return _architecture(int(seed))


@lru_cache(maxsize=4)
def _architecture(seed: int) -> Architecture:
    """Draw loci, frequencies and effects; differentiate the populations; standardise."""
    rng = np.random.default_rng(seed)
    names, groups = _polygenic_loci()
    along = rng.uniform(0, sum(CHROMOSOMES), len(names))
    frequencies = drifted(rng.uniform(0.1, 0.9, len(names)), rng)
    effects = np.zeros((len(names), len(TRAITS)))
    for source, loci in groups.items():
        # effect sizes: few large, many small, signs at random; scaled to additive variance 1
        sizes = rng.gamma(2.0, size=len(loci)) * rng.choice((-1.0, 1.0), len(loci))
        sizes /= np.sqrt(_additive_variance(frequencies[:, loci], sizes).mean())
        for trait, loading in SHARED.get(source, {source: 1.0}).items():
            effects[loci, NAMES.index(trait)] = loading * sizes
    names, along, frequencies, effects = _with_major_loci(names, along, frequencies, effects)
    for trait, means in MEANS.items():
        _differentiate(frequencies, effects[:, NAMES.index(trait)], groups[trait], NAMES.index(trait), means)
    order = np.argsort(along)
    effects, offset, environment = _standardised(frequencies[:, order], effects[order])
    genetic_map, names = GeneticMap.from_along(along[order]), tuple(names[index] for index in order)
    return Architecture(seed, genetic_map, names, effects, offset, environment, frequencies[:, order])


def _polygenic_loci() -> tuple[list[str], dict[str, np.ndarray]]:
    """Names of all polygenic loci, and the indices of the loci of each trait and each pleiotropic group."""
    sizes = {trait.name: trait.num_loci for trait in TRAITS} | dict.fromkeys(SHARED, SHARED_LOCI)
    ends = np.cumsum(list(sizes.values()))
    groups = {name: np.arange(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}
    return [f"{name}_{number}" for name, size in sizes.items() for number in range(size)], groups


def _with_major_loci(
    names: list[str], along: np.ndarray, frequencies: np.ndarray, effects: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """The same arrays with the loci of `LOCI` appended."""
    starts = np.cumsum((0.0, *CHROMOSOMES))
    rows = np.zeros((len(LOCI), len(TRAITS)))
    for row, locus in zip(rows, LOCI, strict=True):
        for trait, effect in MAJOR.get(locus.name, {}).items():
            row[NAMES.index(trait)] = effect
    return (
        names + [locus.name for locus in LOCI],
        np.append(along, [starts[locus.chromosome - 1] + locus.position for locus in LOCI]),
        np.hstack([frequencies, np.transpose([locus.frequencies for locus in LOCI])]),
        np.vstack([effects, rows]),
    )


def _additive_variance(frequencies: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Variance of sum(copies * effect) in equilibrium: 2 * sum(f * (1 - f) * e^2)."""
    return 2 * (frequencies * (1 - frequencies)) @ np.square(effects, dtype=np.float64)


def _differentiate(frequencies: np.ndarray, effects: np.ndarray, own: np.ndarray, trait: int, means: tuple) -> None:
    """Shift the frequencies [P, L] of a trait's own loci, in place, until its populations' means [P] are as stated."""
    wanted = np.asarray(means) - np.mean(means)
    variance = _additive_variance(frequencies, effects).mean() / TRAITS[trait].heritability
    wanted *= np.sqrt(variance / (1 - np.mean(wanted**2)))  # from pooled standard deviations to the effects' unit
    present = 2 * frequencies @ effects
    changes = wanted - (present - present.mean())
    for population in range(len(POPULATIONS)):
        frequencies[population, own] = shifted(frequencies[population, own], effects[own], changes[population])


def _standardised(frequencies: np.ndarray, effects: np.ndarray) -> list[np.ndarray]:
    """Effects, offset and environment, scaled: liabilities pooled over the populations have mean 0 and variance 1."""
    heritability = np.array([trait.heritability for trait in TRAITS])
    within = _additive_variance(frequencies, effects).mean(0) / heritability
    between = (2 * frequencies @ effects).var(0)
    effects = np.round(effects / np.sqrt(within + between) / UNIT) * UNIT
    offset = np.round((2 * frequencies @ effects).mean(0) / UNIT) * UNIT
    additive = _additive_variance(frequencies, effects).mean(0)
    environment = np.sqrt(additive * (1 - heritability) / heritability)
    return [array.astype(np.float32) for array in (effects, offset, environment)]
