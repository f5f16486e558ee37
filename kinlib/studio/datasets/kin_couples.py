"""Couples of founders with their true children, and the pictures that sets of couples are made of.

The reference for scoring children and the kin set for training methods consist of the same kind of couples in the same
kind of portraits. Their seeds are kept apart by `stream`, so that the sets share nobody.
"""

import numpy as np

from kinlib.studio.appearance.looks import random_look, random_shot
from kinlib.studio.datasets.portraits import portrait
from kinlib.studio.genetics import POPULATIONS, Genomes, children, founders
from kinlib.studio.person import SEXES, Person
from kinlib.studio.render import Picture, render

__all__ = ["ALBUM_AGES", "CHILD_AGE", "KIN", "PARENT_AGES", "REFERENCE", "album_picture", "family"]
__all__ += ["homes", "plain_portrait"]

REFERENCE = 12  # stream of the reference couples
KIN = 2_000_003  # stream of the kin set, beyond the number of any person of a set of unrelated people
MIXED = 0.25  # probability that the mother's population is sampled at random rather than being the father's
CHILD_AGE = 21.0  # years: grown up, not yet aged
STUDIO = 5  # seed of all portraits: one light, one background, plain clothes
PARENT_AGES = (27.0, 40.0)  # years, uniform, in portraits
ALBUM_AGES = (18.0, 72.0)  # years, uniform, in album shots
LARGE_YAW_SHARE, FRONTAL_YAW, MAX_YAW = 0.25, 22.0, 40.0  # share of album shots with a larger yaw; degrees


def family(seed: int, stream: int, couple: int, num_children: int) -> tuple[Genomes, Genomes, Genomes]:
    """Father, mother, and true children of the `couple`-th couple of a seed and stream."""
    rng = np.random.default_rng([seed, stream, couple])
    # Populations take turns, so that all are there whatever the number of couples.
    home = POPULATIONS[couple % len(POPULATIONS)]
    other = str(rng.choice(POPULATIONS)) if rng.random() < MIXED else home
    father = founders(home, 1, rng).with_sex([SEXES.index("male")])
    mother = founders(other, 1, rng).with_sex([SEXES.index("female")])
    return father, mother, children(father, mother, num_children, rng)


def homes(seed: int, stream: int, couple: int) -> tuple[str, str]:
    """Founder populations of the father and the mother of the `couple`-th couple of a seed and stream."""
    father, mother, _ = family(seed, stream, couple, 1)
    return tuple(POPULATIONS[int(parent.ancestry[0].argmax())] for parent in (father, mother))


def plain_portrait(person: Person, age: float, size: int, crop: str = "ffhq") -> Picture:
    """A portrait in the light, pose and clothes that all portraits of couples and children share."""
    return portrait(person, STUDIO, age, size, crop)


def album_picture(person: Person, rng: np.random.Generator, size: int, crop: str = "ffhq") -> Picture:
    """A freely taken photograph of a grown-up: age, look, pose, expression, light and background are random."""
    age = float(rng.uniform(*ALBUM_AGES))
    max_yaw = MAX_YAW if rng.random() < LARGE_YAW_SHARE else FRONTAL_YAW
    return render(person, random_look(person, age, rng), random_shot(rng, max_yaw, age), size, crop)
