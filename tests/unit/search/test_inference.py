"""The inferred step: the picks' likelihood by hand, and faces that explain them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinlib.evaluation.witness_search import run_searches
from kinlib.runtime.errors import KinlibError
from kinlib.search.inference import InferredStep, choices, log_likelihood
from kinlib.search.session import FaceSearch
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import Round, genetic_step
from kinlib.search.witness import WitnessFaults

DIMENSIONS = 24


def identity(pictures: torch.Tensor) -> torch.Tensor:
    return F.normalize(pictures, dim=1)


def plain_space() -> SearchSpace:
    """Faces are their own pictures, and embeddings their directions."""

    def same(faces: torch.Tensor) -> torch.Tensor:
        return faces

    return SearchSpace("plain", DIMENSIONS, 1, same, same, "0", {}, same)


def test_the_likelihood_is_plackett_and_luces():
    rounds = [Round(torch.zeros(3, 2), (2, 0)), Round(torch.zeros(2, 2), (1,))]
    free, chosen = choices(rounds)
    assert free.int().tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]] and chosen.tolist() == [2, 0, 4]
    likeness = torch.tensor([0.1, 0.3, 0.2, 0.5, 0.4])
    powers = np.exp(2 * likeness.numpy())
    exact = [powers[2] / powers[:3].sum(), powers[0] / powers[:2].sum(), powers[4] / powers[3:].sum()]
    assert log_likelihood(likeness, free, chosen, 2.0, 0.0).item() == pytest.approx(np.log(exact).sum(), abs=1e-5)
    guessed = [0.7 * one + 0.3 / among for one, among in zip(exact, (3, 2, 2), strict=True)]
    assert log_likelihood(likeness, free, chosen, 2.0, 0.3).item() == pytest.approx(np.log(guessed).sum(), abs=1e-5)


def test_the_estimate_is_like_the_picks_and_unlike_the_rest():
    rng = torch.Generator().manual_seed(0)
    wanted = F.normalize(torch.randn(DIMENSIONS, generator=rng), dim=0)
    step, rounds = InferredStep(plain_space(), identity), []
    for _ in range(10):
        faces = torch.randn(16, DIMENSIONS, generator=rng)
        order = (identity(faces) @ wanted).argsort(descending=True)
        rounds.append(Round(faces, tuple(order[:4].tolist())))
        estimate = step.estimate(rounds)  # goes on from the one before
    assert identity(estimate[None])[0] @ wanted > 0.9
    assert not estimate.requires_grad and torch.equal(estimate, step.estimate(rounds))
    shown = step(rounds, 200, np.random.default_rng(0))
    assert torch.equal(shown[0], rounds[-1].faces[rounds[-1].picks[0]]) and torch.equal(shown[1], estimate)
    assert (shown[2:] - estimate).mean(dim=0).abs().max() < 0.15
    assert torch.equal(shown, step(rounds, 200, np.random.default_rng(0)))


def test_without_picks_there_is_nothing_to_explain():
    with pytest.raises(KinlibError, match="nothing is picked"):
        InferredStep(plain_space(), identity).estimate([Round(torch.zeros(3, DIMENSIONS), ())])


def test_erring_witnesses_are_served_better_than_by_breeding():
    people = F.normalize(torch.randn(12, DIMENSIONS, generator=torch.Generator().manual_seed(1)), dim=1)
    faults = WitnessFaults(clarity=1.0, forgetting=0.0, error=0.3)
    closeness = {}
    for name, step in (("bred", genetic_step), ("inferred", InferredStep(plain_space(), identity))):
        found = run_searches(plain_space(), step, identity, people, people, np.arange(12), faults, rounds=6)
        closeness[name] = (identity(found.composites[:, -1]) * people).sum(dim=1).mean()
    print(closeness)
    assert closeness["inferred"] > closeness["bred"] + 0.01


def test_a_session_shows_the_estimate_and_works_without_gradients():
    step = InferredStep(plain_space(), identity)
    search = FaceSearch(plain_space(), step=step)
    search.pick([3, 1])
    with torch.inference_mode():
        search.next_screen()
        search.pick([2])
        assert torch.equal(search.coordinates(), step.estimate([*search._state.rounds, search._round()]))
