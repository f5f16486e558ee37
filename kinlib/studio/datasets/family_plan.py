"""The plan of the family data set: families, photographs of each person, and planted faults; nothing is rendered."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kinlib.studio.datasets.planted_faults import Fault, plant
from kinlib.studio.datasets.portraits import portrait_couples
from kinlib.studio.genetics import Genomes
from kinlib.studio.pedigree.extended_families import Pedigree, photograph_years, simulate
from kinlib.studio.render import VERSION

__all__ = ["FamilyPlan", "PlannedPhoto", "plan"]

PHOTOS = (8, 10)  # least and most photographs of a person
MASKED_FAMILIES = 6  # number of families whose photographs have masks


@dataclass(frozen=True)
class PlannedPhoto:
    """A photograph to render: row of the pedigree, number from 1, age in years, fault, and whether masks are kept."""

    person: int
    number: int
    age: float
    fault: str | None
    masked: bool


@dataclass(frozen=True)
class FamilyPlan:
    """Pedigree, faults and photographs of one seed."""

    seed: int
    pedigree: Pedigree
    faults: list[Fault]
    photos: list[PlannedPhoto]

    @cached_property
    def portraits(self) -> Genomes:
        """Genomes of the sample parents: father, mother, father, ..."""
        return portrait_couples(self.seed)

    @property
    def num_pictures(self) -> int:
        """Photographs and portraits together."""
        return len(self.photos) + len(self.portraits)

    @property
    def summary(self) -> dict[str, int]:
        """Seed, version of the renderer, and counts; identifies a set."""
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
        num_families: number of extended families.
        num_people: number of people in all families together.
        num_photos: least and most photographs of a person.

    Raises:
        KinlibError: if the families cannot be simulated, or are too few or too small for the faults.
    """
    pedigree = simulate(num_families, num_people, seed)
    faults = plant(pedigree, seed, num_photos[0])
    return FamilyPlan(seed, pedigree, faults, _plan_photos(pedigree, faults, seed, num_photos))


def _plan_photos(pedigree: Pedigree, faults: list[Fault], seed: int, num_photos: tuple[int, int]) -> list[PlannedPhoto]:
    """Photographs of all people by age; none of a person whose folder is missing on purpose."""
    rng = np.random.default_rng([seed, 6])
    people, (fewest, most) = pedigree.people, num_photos
    absent = {fault.person for fault in faults if fault.kind == "missing_folder"}
    degraded = {(fault.person, fault.picture): fault.kind for fault in faults if fault.picture}
    masked = set(people["family"].unique()[:MASKED_FAMILIES])
    years = photograph_years(people["birth_year"].to_numpy(), most, rng)
    photos = []
    for row, person in enumerate(people.itertuples()):
        count = 0 if person.name in absent else int(rng.integers(fewest, most + 1))
        chosen = np.sort(rng.permutation(most)[:count])
        for number, year in enumerate(years[row, chosen], 1):
            age = float(year - person.birth_year + rng.random())
            fault = degraded.get((person.name, number))
            photos.append(PlannedPhoto(row, number, age, fault, person.family in masked and fault is None))
    return photos
