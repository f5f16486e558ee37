"""Searches by simulated witnesses: does the composite identify the face that was seen, and after how many faces?

Every witness searches alone; all of them are decoded and embedded together. After each round the composite is ranked
against a gallery of *other* pictures of many people, the right person among them: rank 1 is an identification.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.bootstrap import mean_interval
from kinlib.faces.identity import IdentityNet
from kinlib.search.session import morph
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import Round, Step, arrived_at
from kinlib.search.witness import Witness, WitnessFaults

__all__ = ["Searches", "embed", "identification", "morphed_ranks", "ranks_of", "run_searches"]

PART = 200  # faces decoded at once


@dataclass(frozen=True)
class Searches:
    """What M witnesses arrived at, round by round.

    Attributes:
        composites: coordinates [M, R, D] after each round.
        ranks: of the right person in the gallery, int64 [M, R], from 1.
        viewed: faces seen after each round, int64 [R].
    """

    composites: Tensor
    ranks: np.ndarray
    viewed: np.ndarray


def ranks_of(embeddings: Tensor, gallery: Tensor, right: np.ndarray) -> np.ndarray:
    """Rank of the right person for each embedding [M, E] in a gallery [P, E]: int64 [M], 1 for the nearest."""
    likeness = embeddings @ gallery.t()  # [M, P]
    own = likeness[torch.arange(len(right)), torch.from_numpy(right)]
    return 1 + (likeness > own[:, None]).sum(dim=1).numpy()


@torch.no_grad()
def embed(space: SearchSpace, identity: Callable[[Tensor], Tensor], coordinates: Tensor) -> Tensor:
    """Embeddings [N, E] of the pictures of coordinates [N, D]."""
    return torch.cat([identity(space.decode(part)) for part in coordinates.split(PART)])


def run_searches(
    space: SearchSpace,
    step: Step,
    identity: IdentityNet,
    seen: Tensor,
    gallery: Tensor,
    right: np.ndarray,
    faults: WitnessFaults | None = None,
    rounds: int = 15,
    count: int = 16,
    picks: int = 4,
    seed: int = 0,
    eyes: Callable[[Tensor], Tensor] | None = None,
) -> Searches:
    """Let one witness search for each face seen.

    Args:
        space: whose faces are shown.
        step: from picks to the next screen.
        identity: of the identification, and of the witnesses' eyes unless they have others.
        seen: embeddings of the faces that witnesses saw, as their eyes embed them, [M, E].
        gallery: embeddings of other pictures, one a person, [P, E].
        right: number of each witness's person in the gallery, [M].
        faults: of all witnesses.
        rounds: screens.
        count: faces on a screen.
        picks: of each.
        seed: of screens and mistakes.
        eyes: pictures -> unit embeddings, by which witnesses judge likeness; None takes the identity network.
    """
    # Whom a memory is mixed with: the next witness's person.
    others = seen.roll(1, 0) if eyes else gallery[torch.from_numpy(np.roll(right, 1))]
    eyes = eyes or identity
    witnesses = [Witness(*pair, faults, seed + number) for number, pair in enumerate(zip(seen, others, strict=True))]
    rngs = [np.random.default_rng([seed, number]) for number in range(len(seen))]
    screens = [torch.from_numpy(rng.standard_normal((count, space.num_dimensions)).astype(np.float32)) for rng in rngs]
    history: list[list[Round]] = [[] for _ in witnesses]
    found = []
    for number in range(rounds):
        embeddings = embed(space, eyes, torch.cat(screens)).unflatten(0, (len(witnesses), count))
        for witness, past, faces, look in zip(witnesses, history, screens, embeddings, strict=True):
            past.append(Round(faces, witness.pick(look, picks)))
        found.append(torch.stack([arrived_at(step, past) for past in history]))
        if number + 1 < rounds:
            screens = [step(past, count, rng) for past, rng in zip(history, rngs, strict=True)]
    composites = torch.stack(found, dim=1)  # [M, R, D]
    looks = embed(space, identity, composites.flatten(0, 1))
    ranks = ranks_of(looks, gallery, np.repeat(right, rounds)).reshape(len(seen), rounds)
    return Searches(composites, ranks, count * np.arange(1, rounds + 1))


def identification(ranks: np.ndarray, within: int = 1, seed: int = 0) -> pd.DataFrame:
    """Share of witnesses whose person is at or above a rank, by round: `mean`, `low`, `high` over witnesses.

    Args:
        ranks: [M, R].
        within: 1 for identifications.
        seed: of the bootstrap.
    """
    return pd.DataFrame([mean_interval(hits.astype(float), seed) for hits in (ranks <= within).T])


@torch.no_grad()
def morphed_ranks(
    space: SearchSpace, identity: IdentityNet, several: Sequence[Searches], gallery: Tensor, right: np.ndarray
) -> np.ndarray:
    """Ranks of the morphs of several witnesses' last composites of the same faces, [M]."""
    last = torch.stack([searches.composites[:, -1] for searches in several])  # [W, M, D]
    morphs = torch.stack([morph(some) for some in last.unbind(dim=1)])
    return ranks_of(embed(space, identity, morphs), gallery, right)
