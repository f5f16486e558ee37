"""Portraits: people as they come to a photographer, frontal, in soft light, with a slight smile.

The sample parents are six couples, one of each population and one of two; children are compared in portraits too, so
that pose, light and hair do not hide what was inherited.
"""

from functools import lru_cache

import numpy as np

from kinlib.studio.genetics import POPULATIONS, Genomes, concatenate, founders
from kinlib.studio.looks import portrait_shot, standard_look
from kinlib.studio.person import SEXES, Person
from kinlib.studio.render import Picture, render

__all__ = ["NUM_COUPLES", "portrait", "portrait_couples"]

NUM_COUPLES = 6
AGES = (26.0, 42.0)  # years


@lru_cache(maxsize=8)
def portrait_couples(seed: int) -> Genomes:
    """The sample parents: father, mother, father, mother, ...; the last couple comes from two populations."""
    homes = [(home, home) for home in POPULATIONS] + [(POPULATIONS[1], POPULATIONS[4])]
    rng = np.random.default_rng([seed, 9])
    people = concatenate([founders(home, 1, rng) for couple in homes[:NUM_COUPLES] for home in couple])
    return people.with_sex(np.tile([SEXES.index("male"), SEXES.index("female")], NUM_COUPLES))


def portrait(person: Person, seed: int, size: int = 256, age: float | None = None, crop: str = "photo") -> Picture:
    """A portrait of somebody at an age in years, or at one between 26 and 42 that follows from the seed."""
    rng = np.random.default_rng([seed, 10])
    years = float(rng.uniform(*AGES)) if age is None else age
    return render(person, standard_look(person, years, seed), portrait_shot(seed), size, crop)
