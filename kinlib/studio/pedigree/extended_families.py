"""Extended families over up to four generations with genomes, structured like Family101.

Spouses are founders; everyone else inherits from both parents by meiosis. People have a year of birth and photographs a
year, from which ages follow. `family101_text` writes the pedigree in Family101's own format (Fang,
Gallagher, Chen and Loui, "Kinship classification by modeling facial feature heredity", ICIP 2013).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics import (
    POPULATIONS,
    TRAITS,
    Architecture,
    Genomes,
    Phenotypes,
    children,
    concatenate,
    founders,
    phenotypes,
)
from kinlib.studio.pedigree.family_growth import MIN_SIZE, Family, grow_family
from kinlib.studio.pedigree.names import full_name, surname, surnames
from kinlib.studio.person import SEXES

__all__ = ["Pedigree", "family101_text", "photograph_years", "simulate"]

CANDIDATES = 40  # candidate founders per spouse under assortative mating
SPREAD = 3.0  # concentration of the Dirichlet distribution of family sizes; smaller is more uneven
LAST_PHOTOGRAPH = 2024  # year
AGES = (3, 85)  # years, limits of the ages in photographs


@dataclass(frozen=True, eq=False)
class Pedigree:
    """All families.

    Attributes:
        people: one row per person, parents before children, family after family: `person` (0 to N - 1),
            `name` (Given_Surname, unique), `sex`, `birth_year`, `family` (its surname in capitals), `generation` (1 to
            4), `father`, `mother` and `house` (of birth; all three missing for founders), `population` ("mixed" where
            ancestors differ), and a column for each population's share of the ancestors.
        houses: one row per couple: `family`, `house` (1, 2, ... in each family), `husband`, `wife`, `children` (a
            tuple of persons, by birth).
        genomes: of all people, in the order of `people`.
    """

    people: pd.DataFrame
    houses: pd.DataFrame
    genomes: Genomes

    @cached_property
    def phenotypes(self) -> Phenotypes:
        """Traits of all people, in the order of `people`."""
        return phenotypes(self.genomes)


def simulate(
    num_families: int = 26,
    num_people: int = 170,
    seed: int = 0,
    *,
    mixed: float = 0.15,
    assortment: float = 0.0,
    trait: str = "face_width",
    architecture: Architecture | None = None,
) -> Pedigree:
    """Simulate families: relations, years and genomes, from one seed.

    Args:
        num_families: number of extended families; the five populations are assigned in turn.
        num_people: people in all families together, at least 3 per family.
        seed: source of all randomness.
        mixed: probability that a spouse comes from another population.
        assortment: correlation of spouses in `trait`, -1 to 1, relative to their populations.
        trait: a polygenic trait, as in `genetics.TRAITS`.
        architecture: None for the studio's own.

    Raises:
        KinlibError: if the numbers cannot be met.
    """
    _check(num_families, num_people, mixed, assortment, trait)
    rng = np.random.default_rng(seed)
    sizes = MIN_SIZE + rng.multinomial(
        num_people - MIN_SIZE * num_families, rng.dirichlet(np.full(num_families, SPREAD))
    )
    names, homes = surnames(num_families, rng), rng.permutation(POPULATIONS)
    people, houses, genomes, reserved, taken = [], [], [], set(names), set()
    for index, (size, last, random) in enumerate(zip(sizes, names, rng.spawn(num_families), strict=True)):
        family, first = grow_family(int(size), random), sum(map(len, people))
        mating = _Mating(str(homes[index % len(homes)]), mixed, assortment, trait)
        genomes.append(_genomes(family, mating, architecture, random))
        people.append(_people(family, last, reserved, taken, first, random))
        houses.append(_houses(family, last, first))
    everybody = concatenate(genomes)
    table = pd.concat([pd.concat(people, ignore_index=True), _ancestry(everybody)], axis=1)
    return Pedigree(table, pd.concat(houses, ignore_index=True), everybody)


def family101_text(pedigree: Pedigree) -> str:
    """The pedigree in the format of FAMILY101.txt: tabs, CRLF, a header per family, one row per role.

    A child of one house who founded another is listed in both. Write the text with `newline=""`, or as bytes, to keep
    the line ends.
    """
    names, sexes = pedigree.people["name"], pedigree.people["sex"]
    rows = []
    for family, houses in pedigree.houses.groupby("family", sort=False):
        rows.append((0, "FAMI", family))
        for house in houses.itertuples():
            rows += [(house.house, "HUSB", names[house.husband]), (house.house, "WIFE", names[house.wife])]
            for child in house.children:
                rows.append((house.house, "SONN" if sexes[child] == "male" else "DAUG", names[child]))
    return "".join(f"{number}\t{role}\t{name}\r\n" for number, role, name in rows)


def photograph_years(birth_years: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """Years of `num` photographs per person, int64 [N, num], ascending: at ages from 3 to 85, until 2024."""
    birth_years = np.asarray(birth_years)[:, None]
    oldest = np.minimum(LAST_PHOTOGRAPH - birth_years, AGES[1])
    ages = AGES[0] + (oldest - AGES[0]) * rng.beta(1.2, 1.4, (len(birth_years), num))
    return np.sort(birth_years + np.round(ages).astype(np.int64), axis=1)


@dataclass(frozen=True)
class _Mating:
    """Population of a family and the choice of spouses; see `simulate`."""

    home: str
    mixed: float
    assortment: float
    trait: str


def _check(num_families: int, num_people: int, mixed: float, assortment: float, trait: str) -> None:
    """KinlibError for impossible arguments of `simulate`."""
    if num_families < 1 or num_people < MIN_SIZE * num_families:
        raise KinlibError(f"{num_people} people are too few for {num_families} families of at least {MIN_SIZE}")
    if not 0 <= mixed <= 1 or not -1 <= assortment <= 1:
        raise KinlibError("the share of mixed marriages must lie in 0..1 and the spouses' correlation in -1..1")
    if trait not in {known.name for known in TRAITS}:
        raise KinlibError(f"there is no polygenic trait '{trait}': see `kinlib.studio.genetics.TRAITS`")


def _genomes(family: Family, mating: _Mating, architecture: Architecture | None, rng: np.random.Generator) -> Genomes:
    """Genomes of all members, in their order."""
    genomes: list[Genomes] = []
    for member in family.members:
        if member.father is not None:
            genomes.append(children(genomes[member.father], genomes[member.mother], 1, rng))
        elif member.partner is None:
            genomes.append(founders(mating.home, 1, rng, architecture))
        else:
            genomes.append(_spouse(genomes[member.partner], mating, rng))
    return concatenate(genomes).with_sex([SEXES.index(member.sex) for member in family.members])


def _spouse(partner: Genomes, mating: _Mating, rng: np.random.Generator) -> Genomes:
    """A founder as spouse; with assortment, the candidate nearest to a value that correlates with the partner's."""
    others = [name for name in POPULATIONS if name != mating.home]
    population = str(rng.choice(others)) if rng.random() < mating.mixed else mating.home
    if not mating.assortment:
        return founders(population, 1, rng, partner.architecture)
    candidates = founders(population, CANDIDATES, rng, partner.architecture)
    wanted = mating.assortment * _score(partner, mating.trait)[0]
    wanted += np.sqrt(1 - mating.assortment**2) * rng.standard_normal()
    return candidates[int(np.abs(_score(candidates, mating.trait) - wanted).argmin())]


def _score(genomes: Genomes, trait: str) -> np.ndarray:
    """A trait's liability [N] as a z-score within the populations of each individual's ancestors."""
    architecture, index = genomes.architecture, genomes.architecture.trait[trait]
    variance = architecture.additive_variance[:, index] + architecture.environment[index] ** 2
    distance = phenotypes(genomes).liability[:, index] - genomes.ancestry @ architecture.means[:, index]
    return distance / np.sqrt(genomes.ancestry @ variance)


def _people(
    family: Family, last: str, reserved: set[str], taken: set[str], first: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Rows of one family's people. Children have the father's surname, spouses one that no family has."""
    born_in = {child: number for number, house in enumerate(family.houses, 1) for child in house.children}
    last_names: list[str] = []
    for member in family.members:
        if member.father is not None:
            last_names.append(last_names[member.father])
        else:
            last_names.append(last if member.partner is None else surname(reserved, rng))
    rows = []
    for index, member in enumerate(family.members):
        name = full_name(member.sex, last_names[index], taken, rng)
        father, mother = (pd.NA if who is None else first + who for who in (member.father, member.mother))
        row = (first + index, name, member.sex, member.birth_year, last.upper(), member.generation)
        rows.append((*row, father, mother, born_in.get(index, pd.NA)))
    columns = ["person", "name", "sex", "birth_year", "family", "generation", "father", "mother", "house"]
    return pd.DataFrame(rows, columns=columns).astype({name: "Int64" for name in columns[-3:]})


def _houses(family: Family, last: str, first: int) -> pd.DataFrame:
    """Rows of one family's houses."""
    rows = [
        (last.upper(), number, first + house.husband, first + house.wife, tuple(first + i for i in house.children))
        for number, house in enumerate(family.houses, 1)
    ]
    return pd.DataFrame(rows, columns=["family", "house", "husband", "wife", "children"])


def _ancestry(genomes: Genomes) -> pd.DataFrame:
    """Columns `population` and the share of each population in the ancestry."""
    shares = pd.DataFrame(genomes.ancestry, columns=list(POPULATIONS))
    names = np.where(shares.max(axis=1) == 1, shares.idxmax(axis=1), "mixed")
    return shares.assign(population=names)[["population", *POPULATIONS]]
