"""Random access to unrelated people: the i-th person of a seed, and the looks and shots of their pictures.

Both follow from the seed and the number alone, so that any part of a set can be rendered on any machine. All people are
founders of the studio's populations.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from kinlib.studio.appearance.looks import random_look, random_shot
from kinlib.studio.genetics import POPULATIONS, Genomes, founders, phenotypes
from kinlib.studio.person import Look, Person, Shot

__all__ = ["member", "member_genome", "sessions"]

AGES = (4.0, 18.0, 60.0, 85.0)  # years, limits of childhood, adult life and old age
SHARES = (0.2, 0.62, 0.18)  # of the pictures in each of these spans
LARGE_YAW_SHARE = 0.25  # share of the pictures with a yaw of up to MAX_YAW
FRONTAL_YAW, MAX_YAW = 25.0, 45.0  # degrees
PER_LOOK = 2  # pictures of a person in one session, that is with one look


@lru_cache(maxsize=256)
def member_genome(seed: int, number: int) -> Genomes:
    """Genome of the `number`-th person of a seed: a founder of a random population."""
    rng = np.random.default_rng([seed, number, 1])
    return founders(str(rng.choice(POPULATIONS)), 1, rng)


def member(seed: int, number: int) -> Person:
    """The `number`-th person of a seed."""
    return phenotypes(member_genome(seed, number)).person(0)


def sessions(person: Person, seed: int, number: int, pictures: int) -> Iterator[tuple[Look, list[Shot]]]:
    """Sessions of a person: a look at a random age with its shots; `pictures` shots in all."""
    for first in range(0, pictures, PER_LOOK):
        rng = np.random.default_rng([seed, number, 2, first])
        look = random_look(person, _random_age(rng), rng)
        count = min(PER_LOOK, pictures - first)
        max_yaws = [MAX_YAW if rng.random() < LARGE_YAW_SHARE else FRONTAL_YAW for _ in range(count)]
        yield look, [random_shot(rng, max_yaw, look.age) for max_yaw in max_yaws]


def _random_age(rng: np.random.Generator) -> float:
    """A random age in years: a span by its share, then uniform."""
    span = rng.choice(len(SHARES), p=SHARES)
    return float(rng.uniform(AGES[span], AGES[span + 1]))
