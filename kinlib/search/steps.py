"""From what a person has picked so far to the next faces: the step between two screens of a search.

A step is a function of the rounds so far, the number of faces wanted, and a random generator. `genetic_step` breeds the
picks, as EvoFIT does (Frowd et al. 2011) and the essay proposes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kinlib.runtime.errors import KinlibError
from kinlib.search.genetic import CROSSOVERS

__all__ = ["Round", "Step", "arrived_at", "composite", "genetic_step", "picked"]

KEPT = 1  # picks that are shown again: the best so far is never lost
FRESH = 1 / 16  # share of a screen that is drawn anew, against a search that has closed in too early
MEMORY = 2  # rounds whose picks are parents
FIRST_STEP, LAST_STEP = 0.6, 0.15  # standard deviation of mutations in the first round, and at least
DECAY = 0.85  # of a mutation's size from round to round; all three by eye and by simulated witnesses of training people


@dataclass(frozen=True)
class Round:
    """One generation as a person saw it.

    Attributes:
        faces: coordinates, float32 [n, D].
        picks: numbers of the faces that look right, the best first.
    """

    faces: Tensor
    picks: tuple[int, ...]

    @property
    def chosen(self) -> Tensor:
        """The picked faces, float32 [k, D]."""
        return self.faces[list(self.picks)]


Step = Callable[[Sequence[Round], int, np.random.Generator], Tensor]
"""A step may have a method `estimate(rounds)` as well: the face, float32 [D], that the search has arrived at."""


def arrived_at(step: Step, rounds: Sequence[Round]) -> Tensor:
    """The face that a search by a step has arrived at, float32 [D]: the step's estimate, or the picks' composite."""
    return step.estimate(rounds) if hasattr(step, "estimate") else composite(rounds)


def picked(rounds: Sequence[Round]) -> list[Round]:
    """The rounds in which something was picked.

    Raises:
        KinlibError: if there are none.
    """
    used = [one for one in rounds if one.picks]
    if not used:
        raise KinlibError("nothing is picked yet: there is nothing to go on from")
    return used


def composite(rounds: Sequence[Round], last: int = MEMORY) -> Tensor:
    """The face that a search has arrived at, float32 [D]: the mean of the last rounds' picks.

    A pick counts by its place, the first as one, the second a half, the third a third; the mean of faces that look
    right is nearer to the face that is meant than any of them.
    """
    chosen = picked(rounds)[-last:]
    weights = torch.cat([1 / torch.arange(1.0, len(one.picks) + 1) for one in chosen])
    faces = torch.cat([one.chosen for one in chosen])
    return (weights[:, None] * faces).sum(dim=0) / weights.sum()


def genetic_step(rounds: Sequence[Round], count: int, rng: np.random.Generator) -> Tensor:
    """The next faces, float32 [count, D], bred from the picks of the last two rounds.

    The best pick is shown again. Children mix two parents each (blend crossover) and are mutated, less from round to
    round; one face in sixteen is drawn anew.
    """
    used = picked(rounds)
    dimensions = used[-1].faces.shape[1]
    parents = np.concatenate([one.chosen.numpy() for one in used[-MEMORY:][::-1]])  # the last round's first
    fresh = rng.standard_normal((max(round(FRESH * count), 0), dimensions))
    born = count - KEPT - len(fresh)
    shares = 1 / np.arange(1, len(parents) + 1)  # earlier picks and less liked ones have fewer children
    first, second = rng.choice(len(parents), size=(2, born), p=shares / shares.sum())
    children = CROSSOVERS["blend"](rng, parents[first], parents[second])
    step = max(FIRST_STEP * DECAY ** (len(used) - 1), LAST_STEP)
    children = children + step * rng.standard_normal(children.shape)
    return torch.from_numpy(np.concatenate([parents[:KEPT], children, fresh]).astype(np.float32))
