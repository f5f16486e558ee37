"""Phenotypes: from alleles to `Traits`.

Polygenic traits are computed as liabilities (see `architecture`). Most are used directly, as z-scores; those with a
bounded range pass through the normal distribution function, which is monotone, so heritabilities refer to the
liability. Eye and hair colour, freckles, cleft chin and ear lobes are Mendelian, with dominance and epistasis:

| iris | a deep allele | none | | hair | a deep allele | none |
|---|---|---|---|---|---|---|
| a dark allele | dark | brown | | a black allele | black | dark |
| none, but a green one | hazel | green | | none, and two red ones | red | red |
| neither | grey | blue | | none, and not two red ones | brown | light; blond with two fair ones |
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtr

from kinlib.studio.genetics.architecture import TRAITS
from kinlib.studio.genetics.individuals import Genomes
from kinlib.studio.person import HAIR_COLOURS, IRIS_COLOURS, NUM_SHAPE, PROPORTIONS, SEXES, Person, Traits

__all__ = ["Phenotypes", "breeding_values", "hair_colours", "iris_colours", "phenotypes"]

MALE = SEXES.index("male")
BROW_OF_WOMEN = 0.75  # factor on the liability in women
BROW_SHIFT = 0.3  # z-score, added in men, subtracted in women


@dataclass(frozen=True, eq=False)
class Phenotypes:
    """Traits of N individuals as arrays; meanings in `person.Traits`.

    Attributes:
        liability: float32 [N, T], polygenic traits before the effects of sex and range.
        sex: uint8 [N], index into `SEXES`.
        seeds: int64 [N].
        shape: float32 [N, 100].
        proportions: float32 [N, 23].
        iris, hair_colour: [N] names of colours.
        melanin, redness, hair_curl, freckles, cleft_chin, beard: float32 [N] in 0..1.
        hair_shade, brow: float32 [N], z-scores.
        free_lobes: bool [N].
    """

    liability: np.ndarray
    sex: np.ndarray
    seeds: np.ndarray
    melanin: np.ndarray
    redness: np.ndarray
    iris: np.ndarray
    hair_colour: np.ndarray
    hair_shade: np.ndarray
    hair_curl: np.ndarray
    freckles: np.ndarray
    cleft_chin: np.ndarray
    free_lobes: np.ndarray
    beard: np.ndarray
    brow: np.ndarray

    @cached_property
    def shape(self) -> np.ndarray:
        """float32 [N, 100]."""
        return self.liability[:, :NUM_SHAPE]

    @cached_property
    def proportions(self) -> np.ndarray:
        """float32 [N, 23]."""
        return self.liability[:, NUM_SHAPE : NUM_SHAPE + len(PROPORTIONS)]

    def __len__(self) -> int:
        """The number of people."""
        return len(self.liability)

    def traits(self, i: int) -> Traits:
        """Traits of the i-th individual; scalars as Python types."""
        single = {name: getattr(self, name)[i].item() for name in SINGLE}
        return Traits(self.shape[i].copy(), self.proportions[i].copy(), **single)

    def person(self, i: int) -> Person:
        """The i-th individual as a `Person` for the renderer."""
        return Person(self.traits(i), SEXES[self.sex[i]], int(self.seeds[i]))

    def to_frame(self) -> pd.DataFrame:
        """One row per individual, one column per trait, shape_00 to shape_99 included."""
        names = [trait.name for trait in TRAITS[: NUM_SHAPE + len(PROPORTIONS)]]
        polygenic = pd.DataFrame(self.liability[:, : len(names)], columns=names)
        single = pd.DataFrame({name: getattr(self, name) for name in SINGLE})
        sex = pd.Series(np.array(SEXES)[self.sex], name="sex")
        return pd.concat([sex, single, polygenic], axis=1)


SINGLE = ("melanin", "redness", "iris", "hair_colour", "hair_shade", "hair_curl")
SINGLE += ("freckles", "cleft_chin", "free_lobes", "beard", "brow")


def breeding_values(genomes: Genomes) -> np.ndarray:
    """float32 [N, T], additive part of each liability; exact and independent of the batch."""
    copies = genomes.alleles[:, 0] + genomes.alleles[:, 1]
    return copies.astype(np.float32) @ genomes.architecture.effects - genomes.architecture.offset


def phenotypes(genomes: Genomes) -> Phenotypes:
    """Traits of all individuals: a deterministic function of genomes and environmental noise."""
    liability = breeding_values(genomes) + genomes.architecture.environment * genomes.noise
    column = {trait: liability[:, index] for trait, index in genomes.architecture.trait.items()}
    # liability -> 0..1; slope and offset by eye, so that the populations cover the range of skin
    melanin = ndtr(0.9 * column["melanin"] - 0.35)
    freckled = genomes.copies("freckles") > 0
    male = genomes.sex == MALE
    return Phenotypes(
        liability,
        genomes.sex,
        genomes.seeds,
        melanin=melanin,
        redness=ndtr(column["redness"]),
        iris=iris_colours(genomes),
        hair_colour=hair_colours(genomes),
        hair_shade=column["hair_shade"],
        hair_curl=ndtr(1.4 * column["hair_curl"] - 0.4),
        # freckles fade with the square of the skin's lightness
        freckles=freckled * ndtr(column["freckles"]) * (1 - melanin) ** 2,
        cleft_chin=(genomes.copies("cleft_chin") > 0) * ndtr(column["cleft_chin"] + 0.3),
        free_lobes=genomes.copies("free_lobes") > 0,
        beard=ndtr(column["beard"]),
        brow=np.where(male, column["brow"] + BROW_SHIFT, BROW_OF_WOMEN * column["brow"] - BROW_SHIFT),
    )


def iris_colours(genomes: Genomes) -> np.ndarray:
    """[N] keys of `IRIS_COLOURS`: dark is epistatic to green; each row has a deep and a pale form."""
    dark, deep, green = (genomes.copies(f"iris_{name}") > 0 for name in ("dark", "deep", "green"))
    row = np.where(dark, 0, np.where(green, 1, 2))
    table = np.array([["dark", "brown"], ["hazel", "green"], ["grey", "blue"]])
    assert set(table.flat) == set(IRIS_COLOURS)
    return table[row, 1 - deep]


def hair_colours(genomes: Genomes) -> np.ndarray:
    """[N] keys of `HAIR_COLOURS`: black is epistatic to red, red to the rest."""
    black, deep = (genomes.copies(f"hair_{name}") > 0 for name in ("black", "deep"))
    fair, red = (genomes.copies(f"hair_{name}") == 2 for name in ("fair", "red"))
    colours = np.select([black & deep, black, red, deep, fair], ["black", "dark", "red", "brown", "blond"], "light")
    assert set(colours) <= set(HAIR_COLOURS)
    return colours
