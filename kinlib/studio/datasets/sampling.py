"""People by number: who the i-th person of a seed is, and how they were photographed.

Everything follows from the seed and the number alone, so that any part of a set can be made on any machine. The people
are founders of the studio's populations, unrelated to each other.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from kinlib.studio.appearance.looks import random_look, random_shot
from kinlib.studio.genetics import POPULATIONS, Genomes, founders, phenotypes
from kinlib.studio.person import Look, Person, Shot

__all__ = ["member", "member_genome", "sessions"]

AGES = (4.0, 18.0, 60.0, 85.0)  # years; the borders of childhood, adult life and old age
SHARES = (0.2, 0.62, 0.18)  # of the pictures
TURNED = 0.25  # share of the pictures that may be turned as far as MAX_YAW
FRONTAL_YAW, MAX_YAW = 25.0, 45.0  # degrees
PER_LOOK = 2  # pictures of a person before they are seen at another age


@lru_cache(maxsize=256)
def member_genome(seed: int, number: int) -> Genomes:
    """Genome of one person, from one of the populations."""
    rng = np.random.default_rng([seed, number, 1])
    return founders(str(rng.choice(POPULATIONS)), 1, rng)


def member(seed: int, number: int) -> Person:
    """The `number`-th person of a seed."""
    return phenotypes(member_genome(seed, number)).person(0)


def sessions(person: Person, seed: int, number: int, pictures: int) -> Iterator[tuple[Look, list[Shot]]]:
    """How a person is photographed: looks at several ages, with the shots of each; `pictures` shots in all."""
    for first in range(0, pictures, PER_LOOK):
        rng = np.random.default_rng([seed, number, 2, first])
        look = random_look(person, _random_age(rng), rng)
        turns = [MAX_YAW if rng.random() < TURNED else FRONTAL_YAW for _ in range(min(PER_LOOK, pictures - first))]
        yield look, [random_shot(rng, turn, look.age) for turn in turns]


def _random_age(rng: np.random.Generator) -> float:
    """Years at which people are photographed."""
    span = rng.choice(len(SHARES), p=SHARES)
    return float(rng.uniform(AGES[span], AGES[span + 1]))
