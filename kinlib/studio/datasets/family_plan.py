"""Which photographs of which families are to be taken, and what is to be wrong with them: all that precedes drawing."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kinlib.studio.datasets.planted_faults import Fault, plant
from kinlib.studio.datasets.portraits import portrait_couples
from kinlib.studio.genetics import Genomes
from kinlib.studio.pedigree.extended_families import Pedigree, photograph_years, simulate
from kinlib.studio.render import VERSION

__all__ = ["FamilyPlan", "Photo", "plan"]

PHOTOS = (8, 10)  # fewest and most photographs of a person
MASKED_FAMILIES = 6  # whose photographs come with masks


@dataclass(frozen=True)
class Photo:
    """One photograph to take: of whom (row of the pedigree), its number from 1, the age, and a fault of the picture."""

    person: int
    number: int
    age: float
    fault: str | None
    masked: bool


@dataclass(frozen=True)
class FamilyPlan:
    """All that follows from the seed before anything is drawn."""

    seed: int
    pedigree: Pedigree
    faults: list[Fault]
    photos: list[Photo]

    @cached_property
    def portraits(self) -> Genomes:
        """Genomes of the portrayed couples: father, mother, father, ..."""
        return portrait_couples(self.seed)

    @property
    def num_pictures(self) -> int:
        """Photographs and portraits together."""
        return len(self.photos) + len(self.portraits)

    @property
    def summary(self) -> dict[str, int]:
        """Seed, version of the renderer, and counts: what tells one set from another."""
        people, houses = self.pedigree.people, self.pedigree.houses
        counts = {"families": int(people["family"].nunique()), "houses": len(houses), "people": len(people)}
        counts |= {"photographs": len(self.photos), "portraits": len(self.portraits)}
        return {"seed": self.seed, "renderer": VERSION, **counts, "planted_faults": len(self.faults)}


def plan(
    seed: int = 0, num_families: int = 26, num_people: int = 160, num_photos: tuple[int, int] = PHOTOS
) -> FamilyPlan:
    """Simulate the families, plant the faults, and plan every photograph.

    Args:
        seed: of everything.
        num_families: extended families.
        num_people: of all families together.
        num_photos: fewest and most of a person.

    Raises:
        KinlibError: if the families cannot be simulated, or are too few or too small for the faults.
    """
    pedigree = simulate(num_families, num_people, seed)
    faults = plant(pedigree, seed, num_photos[0])
    return FamilyPlan(seed, pedigree, faults, _plan_photos(pedigree, faults, seed, num_photos))


def _plan_photos(pedigree: Pedigree, faults: list[Fault], seed: int, num_photos: tuple[int, int]) -> list[Photo]:
    """Everybody's photographs in the order of their ages; none of whoever lacks a folder."""
    rng = np.random.default_rng([seed, 6])
    people, (fewest, most) = pedigree.people, num_photos
    absent = {fault.person for fault in faults if fault.kind == "missing_folder"}
    spoilt = {(fault.person, fault.picture): fault.kind for fault in faults if fault.picture}
    masked = set(people["family"].unique()[:MASKED_FAMILIES])
    years = photograph_years(people["birth_year"].to_numpy(), most, rng)
    photos = []
    for row, person in enumerate(people.itertuples()):
        count = 0 if person.name in absent else int(rng.integers(fewest, most + 1))
        chosen = np.sort(rng.permutation(most)[:count])
        for number, year in enumerate(years[row, chosen], 1):
            age = float(year - person.birth_year + rng.random())
            fault = spoilt.get((person.name, number))
            photos.append(Photo(row, number, age, fault, person.family in masked and fault is None))
    return photos
