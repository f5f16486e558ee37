"""Growth of one extended family: births, marriages and second marriages until it has a given size.

Only sexes and years are simulated here, no genes. A couple has 1 to 5 children, at least two years apart; both parents
are 20 to 42 years old at each birth. Spouses come from outside the family, and the first child is born in the year of
the marriage, so that every house has a child. Weights and ages were set by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kinlib.runtime.errors import KinlibError
from kinlib.studio.person import SEXES

__all__ = ["LAST_BIRTH", "MAX_GENERATIONS", "MIN_SIZE", "Family", "House", "Member", "grow_family"]

FIRST_YEARS = (1922, 1950)  # years of birth of the first member
LAST_BIRTH = 2016
AGES_OF_PARENTS = (20, 42)
MAX_GENERATIONS = 4
MIN_SIZE = 3
MAX_CHILDREN = 5

BIRTH_WEIGHTS = (1.0, 0.6, 0.3, 0.15)  # of one more birth, for couples with 1, 2, 3, 4 children
MARRIAGE_WEIGHT, REMARRIAGE_WEIGHT = 1.2, 0.25
YEARS_BETWEEN = (2, 5)  # between siblings, half-open
TRIES = 200  # families grown until one reaches the size


@dataclass(frozen=True)
class Member:
    """A member of one family; other members are given by their index.

    Attributes:
        sex: "female" or "male".
        birth_year: from about 1920 to 2016.
        generation: 1 to 4; spouses have their partner's.
        father, mother: None for founders.
        partner: of a spouse from outside the family; None for all others.
    """

    sex: str
    birth_year: int
    generation: int
    father: int | None = None
    mother: int | None = None
    partner: int | None = None


@dataclass
class House:
    """A couple and their children."""

    husband: int
    wife: int
    children: list[int] = field(default_factory=list)


@dataclass
class Family:
    """Members, parents before children, and houses in the order of their foundation."""

    members: list[Member]
    houses: list[House] = field(default_factory=list)

    def houses_of(self, member: int) -> list[House]:
        """Houses in which a member is husband or wife."""
        return [house for house in self.houses if member in (house.husband, house.wife)]

    def last_birth(self, member: int) -> int | None:
        """Year of birth of a member's youngest child; None without children."""
        born = [self.members[child].birth_year for house in self.houses_of(member) for child in house.children]
        return max(born, default=None)


def grow_family(size: int, rng: np.random.Generator) -> Family:
    """A family of exactly this size, spouses included.

    Raises:
        KinlibError: if the size is below 3 or cannot be reached within four generations.
    """
    if size < MIN_SIZE:
        raise KinlibError(f"a family has at least {MIN_SIZE} people, not {size}")
    for _ in range(TRIES):
        first = Member(str(rng.choice(SEXES)), int(rng.integers(*FIRST_YEARS)), 1)
        family = Family([first])
        _marry(family, 0, rng)
        while len(family.members) < size and (steps := _steps(family, size - len(family.members))):
            weights = np.array([weight for weight, _, _ in steps])
            _, step, who = steps[rng.choice(len(steps), p=weights / weights.sum())]
            step(family, who, rng)
        if len(family.members) == size:
            return family
    raise KinlibError(f"no family of {MAX_GENERATIONS} generations has grown to {size} people: ask for smaller ones")


def _steps(family: Family, room: int) -> list[tuple[float, Callable, int]]:
    """Possible events: weight, function and its argument (index of a house or a member)."""
    steps: list[tuple[float, Callable, int]] = []
    for index, house in enumerate(family.houses):
        if len(house.children) < MAX_CHILDREN and _is_current(family, house) and _years_left(family, house):
            steps.append((BIRTH_WEIGHTS[len(house.children) - 1], _add_birth, index))
    for index, member in enumerate(family.members if room >= 2 else ()):
        own = len(family.houses_of(index))
        outsider = member.partner is not None and member.generation > 1
        if member.generation < MAX_GENERATIONS and own < 2 and not outsider and _first_year(family, index) is not None:
            steps.append((REMARRIAGE_WEIGHT if own else MARRIAGE_WEIGHT, _marry, index))
    return steps


def _is_current(family: Family, house: House) -> bool:
    """Whether neither partner has remarried."""
    return family.houses_of(house.husband)[-1] is house and family.houses_of(house.wife)[-1] is house


def _years_left(family: Family, house: House) -> int:
    """Number of years in which the couple can have another child."""
    oldest = min(family.members[parent].birth_year for parent in (house.husband, house.wife))
    youngest_child = family.members[house.children[-1]].birth_year
    return max(0, min(oldest + AGES_OF_PARENTS[1], LAST_BIRTH) - youngest_child - YEARS_BETWEEN[0] + 1)


def _first_year(family: Family, member: int) -> int | None:
    """First year in which a member can have a child with a new partner; None if there is none."""
    birth, last = family.members[member].birth_year, family.last_birth(member)
    first = max(birth + AGES_OF_PARENTS[0], 0 if last is None else last + YEARS_BETWEEN[1])
    return first if first <= min(birth + AGES_OF_PARENTS[1], LAST_BIRTH) else None


def _add_birth(family: Family, index: int, rng: np.random.Generator) -> None:
    """One more child in a house."""
    house = family.houses[index]
    wait = min(int(rng.integers(*YEARS_BETWEEN)), YEARS_BETWEEN[0] + _years_left(family, house) - 1)
    _add_child(family, house, family.members[house.children[-1]].birth_year + wait, rng)


def _marry(family: Family, index: int, rng: np.random.Generator) -> None:
    """A spouse from outside, a house, and its first child."""
    member, first = family.members[index], _first_year(family, index)
    last = min(member.birth_year + AGES_OF_PARENTS[1], LAST_BIRTH)
    year = min(first + round(16 * rng.beta(2, 3)), last)
    husband_first = member.sex == "male"
    wanted = member.birth_year + round(rng.normal(2 if husband_first else -2, 3))  # husbands are a little older
    birth_year = min(max(wanted, year - AGES_OF_PARENTS[1]), year - AGES_OF_PARENTS[0])
    family.members.append(Member("female" if husband_first else "male", birth_year, member.generation, partner=index))
    couple = (index, len(family.members) - 1)
    house = House(*couple if husband_first else couple[::-1])
    family.houses.append(house)
    _add_child(family, house, year, rng)


def _add_child(family: Family, house: House, year: int, rng: np.random.Generator) -> None:
    """A child born in this year."""
    generation = family.members[house.husband].generation + 1
    house.children.append(len(family.members))
    family.members.append(Member(str(rng.choice(SEXES)), year, generation, house.husband, house.wife))
