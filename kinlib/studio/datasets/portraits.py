"""Portraits: standardised ones for comparing children, and the freer ones of the bundled sample parents.

Standardised portraits share pose, light and kind of hair, so that differences between siblings are inherited ones. The
sample parents are six couples: one of each population, and one from two.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from kinlib.studio.appearance.looks import portrait_shot, random_look, standard_look
from kinlib.studio.appearance.shots import random_expression, random_shot
from kinlib.studio.genetics import POPULATIONS, Genomes, concatenate, founders
from kinlib.studio.person import SEXES, Person
from kinlib.studio.render import Picture, render

__all__ = ["NUM_COUPLES", "portrait", "portrait_couples", "sample_portrait"]

NUM_COUPLES = 6
AGES = (26.0, 42.0)  # years
PORTRAIT_SEED = 200  # chosen by eye among three
MAX_YAW = 14.0  # degrees
WIDTH = 27.5  # cm across the picture


@lru_cache(maxsize=8)
def portrait_couples(seed: int) -> Genomes:
    """Genomes of the sample parents: father, mother, father, ...; the last couple comes from two populations."""
    homes = [(home, home) for home in POPULATIONS] + [(POPULATIONS[1], POPULATIONS[4])]
    rng = np.random.default_rng([seed, 9])
    people = concatenate([founders(home, 1, rng) for couple in homes[:NUM_COUPLES] for home in couple])
    return people.with_sex(np.tile([SEXES.index("male"), SEXES.index("female")], NUM_COUPLES))


def portrait(person: Person, seed: int, age: float, size: int = 256, crop: str = "photo") -> Picture:
    """A standardised portrait at an age in years; portraits of one seed and age differ in the person only."""
    return render(person, standard_look(person, age, seed), portrait_shot(seed), size, crop)


def sample_portrait(person: Person, seed: int, size: int = 256) -> Picture:
    """A portrait of a parent at 26 to 42 years: bareheaded, smiling, nearly frontal, centred."""
    rng = np.random.default_rng([seed + PORTRAIT_SEED, 10])
    look = replace(random_look(person, float(rng.uniform(*AGES)), rng), hat=None)
    smile = random_expression(rng, kind="smile")
    shot = replace(random_shot(rng, MAX_YAW), expression=smile, width=WIDTH, shift=(0, 0.6))
    return render(person, look, shot, size)
