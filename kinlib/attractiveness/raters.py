"""Simulated raters of studio faces, whose taste is known: what a network learned from ratings can be compared with it.

    panel = make_panel()                        # 60 raters, twelve from each population
    ratings = panel.rate(facts(table))          # whole levels 1 to 5, [N, 60]; the label is their mean
    wanted = panel.expected(facts(table))       # the same without noise and without whole levels: [N]

A rater's utility of a face is the sum of three parts. **Shared**: all like symmetry, averageness, an age near thirty,
even skin and a smile (`PREFERENCES`). **Of the group**: averageness is the distance from the mean of the rater's *own*
population, and each group likes more of one proportion (`GROUP_TASTES`). **Private**: every rater weighs all of this
differently, and has a taste of proportions that nobody shares. The private part is about as large as the others
together, as Hönekopp found ("Once more: is beauty in the eye of the beholder?", Journal of Experimental Psychology:
Human Perception and Performance 2006). A rating is the utility on the rater's own scale (centre and spread) with noise
that grows within a session, rounded to a level.

All weights are set by hand: they are no findings about people. Nobody prefers a skin tone, a hair style, make-up, a
light or a camera. Populations are invented. Faces of children are not rated: see `ADULT`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.sampling import member, member_genome, sessions
from kinlib.studio.genetics.populations import MEANS, POPULATIONS
from kinlib.studio.person import PROPORTIONS

__all__ = [
    "ADULT",
    "ASYMMETRIC_MODES",
    "GROUP_TASTES",
    "LEVELS",
    "PREFERENCES",
    "Facts",
    "Panel",
    "facts",
    "make_panel",
    "population_means",
    "sample_people",
]

ADULT = 18.0  # years; the youngest face that is rated
LEVELS = 5

# Identity modes of the head model that are asymmetric, and how far the 68 landmarks move on average (root mean square,
# cm) when one grows by a unit. The other 75 are symmetric to a thousandth of a centimetre.
ASYMMETRIC_MODES = {
    **{9: 0.0194, 20: 0.0368, 25: 0.0113, 28: 0.0170, 33: 0.0205, 37: 0.0121, 43: 0.0123, 45: 0.0147, 51: 0.0083},
    **{53: 0.0108, 58: 0.0087, 60: 0.0102, 65: 0.0069, 67: 0.0093, 71: 0.0087, 73: 0.0097, 76: 0.0084, 80: 0.0079},
    **{83: 0.0056, 85: 0.0071, 89: 0.0059, 91: 0.0050, 93: 0.0055, 95: 0.0057, 97: 0.0081},
}

PREFERENCES = {"symmetry": 0.25, "averageness": 0.45, "age": 0.60, "evenness": 0.35, "smile": 0.50}
"""What all raters like, with weights in units of utility per unit of `Facts`."""
GROUP_TASTES = {
    "amber": "lid_fold",
    "birch": "nose_bridge",
    "cedar": "nose_length",
    "dune": "eye_size",
    "ember": "lip_fullness",
}
"""The proportion that raters of each population like more of: one that is common there (`populations.MEANS`)."""
GROUP_WEIGHT = 0.30  # of that proportion
FAVOURITE_AGE = 30.0  # years

# Typical value and spread of what is measured, over adult founders, rounded: facts are about standardised with them.
TYPICAL = {
    "asymmetry": (0.063, 0.017),  # cm
    "distance": (1.00, 0.16),  # root mean square of z-scores
    "years": (20.0, 14.0),  # from FAVOURITE_AGE
    "freckles": (0.09, 0.19),  # 0 to 1
    "smile": (0.37, 0.28),  # 0 to 1
}
FREE = ("symmetry", "age", "evenness", "smile")  # preferences that depend on the face alone


@dataclass(frozen=True, eq=False)
class Facts:
    """What raters react to, of N pictures; about standardised, more is liked better.

    Attributes:
        values: float64 [N, 4], in the order of `FREE`.
        averageness: float64 [N, 5], by the population whose mean it is measured from.
        proportions: float64 [N, 23], z-scores in the order of `PROPORTIONS`.
    """

    values: np.ndarray
    averageness: np.ndarray
    proportions: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def of(self, name: str) -> np.ndarray:
        """One of `PREFERENCES`, [N]; averageness as the mean over populations."""
        return self.averageness.mean(axis=1) if name == "averageness" else self.values[:, FREE.index(name)]


def facts(table: pd.DataFrame) -> Facts:
    """What raters react to, of pictures of adults.

    Args:
        table: one row a picture with `age` (years), `smile` and `freckles` (0 to 1), `identity` (100 coefficients) and
            `proportions` (23 z-scores): columns of a set of renders.

    Raises:
        KinlibError: if there are none, or a face of a child is among them.
    """
    if not len(table):
        raise KinlibError("there are no pictures to rate")
    age = table["age"].to_numpy(float)
    if age.min() < ADULT:
        raise KinlibError(f"faces of children are not rated: leave out those under {ADULT:.0f} years")
    proportions = np.stack(table["proportions"].to_numpy()).astype(float)  # [N, 23]
    identity = np.stack(table["identity"].to_numpy()).astype(float)  # [N, 100]
    moved = identity[:, list(ASYMMETRIC_MODES)] * np.array(list(ASYMMETRIC_MODES.values()))  # [N, 25], cm
    from_mean = proportions[:, None] - population_means()  # [N, 5, 23]
    raw = {
        "symmetry": _standard("asymmetry", np.sqrt((moved**2).sum(axis=1))),
        "age": _standard("years", np.abs(age - FAVOURITE_AGE)),
        "evenness": _standard("freckles", table["freckles"].to_numpy(float)),
        "smile": -_standard("smile", table["smile"].to_numpy(float)),
    }
    averageness = _standard("distance", np.sqrt((from_mean**2).mean(axis=2)))
    return Facts(np.column_stack([raw[name] for name in FREE]), averageness, proportions)


def sample_people(count: int, seed: int = 0) -> pd.DataFrame:
    """Adults of a seed as they would be photographed, without pictures: what `facts` takes, and who they are.

    Args:
        count: how many; the first adults of the seed.
        seed: as that of a set of renders.

    Returns:
        One row a person: `person`, `population`, `male`, `age`, `smile`, `freckles`, `melanin`, `identity`,
        `proportions`.
    """
    rows: list[dict] = []
    number = 0
    while len(rows) < count:
        person = member(seed, number)
        look, (shot,) = next(sessions(person, seed, number, 1))
        if look.age >= ADULT:
            traits = person.traits
            row = {"person": number, "male": person.male, "age": look.age}
            row["population"] = POPULATIONS[int(member_genome(seed, number).ancestry[0].argmax())]
            row["smile"] = (shot.expression.get("mouthSmile_L", 0.0) + shot.expression.get("mouthSmile_R", 0.0)) / 2
            row |= {"freckles": traits.freckles, "melanin": traits.melanin}
            rows.append(row | {"identity": traits.shape, "proportions": traits.proportions})
        number += 1
    return pd.DataFrame(rows)


def population_means() -> np.ndarray:
    """Mean proportions of each population, float64 [5, 23] in z-scores, as they were set (without drift)."""
    means = np.zeros((len(POPULATIONS), len(PROPORTIONS)))
    for number, name in enumerate(PROPORTIONS):
        if name in MEANS:
            means[:, number] = np.array(MEANS[name]) - np.mean(MEANS[name])
    return means


def _standard(name: str, values: np.ndarray) -> np.ndarray:
    """Less is liked better: the sign is turned."""
    typical, spread = TYPICAL[name]
    return (typical - values) / spread


@dataclass(frozen=True, eq=False)
class Panel:
    """R raters.

    Attributes:
        homes: int64 [R], their populations, as indices of `POPULATIONS`.
        weights: float64 [R, 5], of the preferences in the order of `FREE` and averageness.
        tastes: float64 [R, 23], of proportions: the group's and the rater's own.
        centre, spread: float64 [R], rating points: rating of utility 0, and of a unit more.
        noise: float64 [R], rating points, standard deviation of a rating repeated at a session's start.
        fatigue: by which share the noise has grown at a session's end.
        session: pictures in a session.
    """

    homes: np.ndarray
    weights: np.ndarray
    tastes: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    noise: np.ndarray
    fatigue: float = 0.6
    session: int = 250

    def __len__(self) -> int:
        return len(self.homes)

    def select(self, raters: np.ndarray) -> "Panel":
        """Some of the raters, by index or bool [R]."""
        arrays = (self.homes, self.weights, self.tastes, self.centre, self.spread, self.noise)
        return Panel(*(values[raters] for values in arrays), self.fatigue, self.session)

    def of(self, population: str) -> "Panel":
        """The raters from one population."""
        return self.select(self.homes == POPULATIONS.index(population))

    def utilities(self, seen: Facts) -> np.ndarray:
        """Utility of each picture to each rater, [N, R]."""
        free = seen.values @ self.weights[:, :-1].T
        return free + seen.averageness[:, self.homes] * self.weights[:, -1] + seen.proportions @ self.tastes.T

    def expected(self, seen: Facts) -> np.ndarray:
        """The panel's true preference: mean over raters of the rating without noise or whole levels, [N]."""
        return np.clip(self.centre + self.spread * self.utilities(seen), 1, LEVELS).mean(axis=1)

    def parts(self, seen: Facts) -> dict[str, np.ndarray]:
        """What each preference adds to the mean rating before it is held to the scale: name -> [N], rating points."""
        found = {
            name: np.outer(seen.of(name), self.weights[:, number]) for number, name in enumerate(FREE)
        }  # [N, R] each
        found["averageness"] = seen.averageness[:, self.homes] * self.weights[:, -1]
        found["proportions"] = seen.proportions @ self.tastes.T
        return {name: (self.spread * values).mean(axis=1) for name, values in found.items()}

    def rate(self, seen: Facts, seed: int = 0) -> np.ndarray:
        """Every rater's rating of every picture, in an order of their own: int8 [N, R], 1 to `LEVELS`."""
        rng = np.random.default_rng([seed, 22])
        count = len(seen)
        place = np.column_stack([rng.permutation(count) for _ in range(len(self))]) % self.session / self.session
        noise = self.noise * (1 + self.fatigue * place) * rng.normal(size=(count, len(self)))
        ratings = self.centre + self.spread * self.utilities(seen) + noise
        return np.clip(np.rint(ratings), 1, LEVELS).astype(np.int8)


def make_panel(raters: int = 60, seed: int = 0, homes: Sequence[str] = POPULATIONS) -> Panel:
    """A panel of raters, as many from each of the populations `homes` as from the others.

    Raises:
        KinlibError: if there is no rater or no such population.
    """
    if raters < 1 or not homes or not set(homes) <= set(POPULATIONS):
        raise KinlibError(f"a panel needs raters, from populations among {', '.join(POPULATIONS)}")
    rng = np.random.default_rng([seed, 21])
    home = np.array([POPULATIONS.index(homes[number % len(homes)]) for number in range(raters)])
    shared = np.array([PREFERENCES[name] for name in (*FREE, "averageness")])
    weights = shared + rng.normal(0, 0.3, (raters, len(shared)))  # by hand: some like what others do not
    own = rng.normal(0, 0.7 / len(PROPORTIONS) ** 0.5, (raters, len(PROPORTIONS)))  # 0.7 in all: half of the variance
    own[np.arange(raters), [PROPORTIONS.index(GROUP_TASTES[POPULATIONS[i]]) for i in home]] += GROUP_WEIGHT
    return Panel(
        home,
        weights,
        own,
        centre=rng.normal(3.0, 0.35, raters),
        spread=0.55 * np.exp(rng.normal(0, 0.25, raters)),
        noise=0.45 * np.exp(rng.normal(0, 0.25, raters)),
    )
