"""The face that explains the picks: a step between two screens that infers what is remembered.

A person picks the faces that are most like the memory. If likeness is the cosine s of identity embeddings, the chance
that face i of a screen is picked first is about

    (1 - error) exp(sharpness s_i) / sum_j exp(sharpness s_j) + error / n,

the second pick is the first of those that are left, and so on (Plackett 1975, Luce 1959). With the prior of faces, a
standard normal distribution of coordinates, all picks of all rounds make a posterior over the remembered face. Its
mode is found by gradients through decoder and identity network; the next screen is drawn around it.

Breeding knows the picks alone. This knows what was passed over as well, and never forgets a round. It has to assume
what likeness is: a person, or a witness with another network for eyes, may see it otherwise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kinlib.faces.identity import IdentityNet, load_identity
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import Round, picked

__all__ = ["InferredStep", "choices", "log_likelihood"]

SHARPNESS, ERROR = 20.0, 0.1  # better than 12 for simulated witnesses of training people; their share of mistakes
PRIOR = 0.5  # weight of the prior: half of the log-density, since the decoder is flat in most of the directions
ITERATIONS, RATE = 12, 0.15  # of Adam, from the last round's estimate
FIRST_SPREAD, LAST_SPREAD, DECAY = 0.8, 0.3, 0.85  # standard deviation of faces around the estimate


def choices(rounds: Sequence[Round]) -> tuple[Tensor, Tensor]:
    """What could be picked each time, and what was.

    Returns:
        (free, chosen): of C picks in all rounds, the faces among all T shown that were on the screen and not picked
        yet, bool [C, T], and the number of the picked one, int64 [C].
    """
    total, start = sum(len(one.faces) for one in rounds), 0
    free, chosen = [], []
    for one in rounds:
        left = torch.zeros(total, dtype=torch.bool)
        left[start : start + len(one.faces)] = True
        for pick in one.picks:
            free.append(left.clone())
            chosen.append(start + pick)
            left[start + pick] = False
        start += len(one.faces)
    return torch.stack(free), torch.tensor(chosen)


def log_likelihood(
    likeness: Tensor, free: Tensor, chosen: Tensor, sharpness: float = SHARPNESS, error: float = ERROR
) -> Tensor:
    """Logarithm of the probability of all picks.

    Args:
        likeness: cosines of the T faces shown to the one remembered, [T].
        free, chosen: see `choices`.
        sharpness: how surely the nearest is picked.
        error: share of picks at random.
    """
    shares = torch.softmax((sharpness * likeness).masked_fill(~free, -torch.inf), dim=1)  # [C, T]
    picked_share = shares.gather(1, chosen[:, None])[:, 0]
    return ((1 - error) * picked_share + error / free.sum(dim=1)).log().sum()


class InferredStep:
    """See `kinlib.search.steps.Step`.

    Args:
        space: with a differentiable decoder.
        identity: what likeness is judged by; None takes the bundled network.
    """

    def __init__(self, space: SearchSpace, identity: IdentityNet | None = None):
        self.space, self.identity = space, load_identity() if identity is None else identity
        self._known: dict[bytes, Tensor] = {}  # embeddings of screens that have been seen
        self._found: dict[bytes, Tensor] = {}  # estimates, by the last screen and its picks

    def estimate(self, rounds: Sequence[Round]) -> Tensor:
        """The face that explains the picks best, float32 [D].

        Raises:
            KinlibError: if nothing has been picked.
        """
        used = picked(rounds)
        key = _key(used)
        if key not in self._found:
            self._found[key] = self._fitted(used)
        return self._found[key]

    def __call__(self, rounds: Sequence[Round], count: int, rng: np.random.Generator) -> Tensor:
        used = picked(rounds)
        centre = self.estimate(used)
        spread = max(FIRST_SPREAD * DECAY ** (len(used) - 1), LAST_SPREAD)
        noise = torch.from_numpy(rng.standard_normal((count - 2, len(centre))).astype(np.float32))
        return torch.cat([used[-1].chosen[:1], centre[None], centre + spread * noise])

    def _fitted(self, used: list[Round]) -> Tensor:
        """The mode of the posterior, from the last round's mode or the best pick on."""
        start = self._found.get(_key(used[:-1]))
        with torch.inference_mode(False), torch.enable_grad():
            free, chosen = choices(used)
            looks = torch.cat([self._embedded(one.faces) for one in used])  # [T, E]
            place = (used[-1].chosen[0] if start is None else start).clone().requires_grad_()
            optimizer = torch.optim.Adam([place], RATE)
            for _ in range(ITERATIONS):
                likeness = looks @ self.identity(self.space.draw(place[None]))[0]
                loss = PRIOR * 0.5 * place.square().sum() - log_likelihood(likeness, free, chosen, SHARPNESS, ERROR)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return place.detach()

    @torch.no_grad()
    def _embedded(self, faces: Tensor) -> Tensor:
        key = faces.numpy().tobytes()
        if key not in self._known:
            self._known[key] = self.identity(self.space.decode(faces.clone()))  # it may be of inference mode
        return self._known[key]


def _key(rounds: Sequence[Round]) -> bytes:
    return b"".join(one.faces.numpy().tobytes() + bytes(one.picks) for one in rounds)
