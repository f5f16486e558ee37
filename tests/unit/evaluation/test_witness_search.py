"""Searches by simulated witnesses in a space whose faces are their own embeddings."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinlib.evaluation.witness_search import identification, morphed_ranks, ranks_of, run_searches
from kinlib.search.spaces import SearchSpace
from kinlib.search.steps import genetic_step
from kinlib.search.witness import WitnessFaults

PEOPLE, DIMENSIONS = 6, 5
SPACE = SearchSpace("plain", DIMENSIONS, 1, lambda faces: faces, lambda pictures: pictures, "0")
PERFECT = WitnessFaults(clarity=1, forgetting=0, error=0)


def identity(pictures: torch.Tensor) -> torch.Tensor:
    return F.normalize(pictures, dim=1)


def gallery() -> torch.Tensor:
    return F.normalize(torch.randn(PEOPLE, DIMENSIONS, generator=torch.Generator().manual_seed(0)), dim=1)


def test_ranks_count_who_is_nearer():
    known = torch.eye(3)
    looks = F.normalize(torch.tensor([[1.0, 0.5, 0], [0.5, 1, 0.2], [0.3, 0.2, 0.1]]), dim=1)
    assert ranks_of(looks, known, np.array([0, 0, 2])).tolist() == [1, 2, 3]


def test_perfect_witnesses_find_their_person():
    people = gallery()
    found = run_searches(SPACE, genetic_step, identity, people, people, np.arange(PEOPLE), PERFECT, rounds=12)
    assert found.ranks.shape == (PEOPLE, 12) and found.composites.shape == (PEOPLE, 12, DIMENSIONS)
    assert found.viewed.tolist() == [16 * number for number in range(1, 13)]
    assert (found.ranks[:, -1] == 1).all()
    closeness = (identity(found.composites[:, [0, -1]].flatten(0, 1)).unflatten(0, (PEOPLE, 2)) * people[:, None]).sum(
        2
    )
    assert (closeness[:, 1] > closeness[:, 0]).all() and closeness[:, 1].min() > 0.95


def test_the_seed_decides_all():
    people = gallery()
    options = (SPACE, genetic_step, identity, people, people, np.arange(PEOPLE))
    first, same, other = (run_searches(*options, rounds=3, seed=seed) for seed in (1, 1, 50))
    assert torch.equal(first.composites, same.composites) and not torch.equal(first.composites, other.composites)


def test_identification_is_a_share_with_its_interval():
    ranks = np.array([[5, 1], [20, 1], [1, 3], [2, 1]])
    table = identification(ranks)
    assert table["mean"].tolist() == [0.25, 0.75]
    assert identification(ranks, within=10)["mean"].tolist() == [0.75, 1.0]
    assert table.loc[1, "low"] < 0.75 <= table.loc[1, "high"]


def test_morphs_are_ranked_as_their_means():
    people = gallery()
    options = (SPACE, genetic_step, identity, people, people, np.arange(PEOPLE))
    several = [run_searches(*options, rounds=2, seed=seed) for seed in (0, 100)]
    middle = (several[0].composites[:, -1] + several[1].composites[:, -1]) / 2
    expected = ranks_of(identity(middle), people, np.arange(PEOPLE))
    assert morphed_ranks(SPACE, identity, several, people, np.arange(PEOPLE)).tolist() == expected.tolist()


def test_a_witness_without_memory_is_at_chance():
    people = gallery()
    blank = WitnessFaults(clarity=0, forgetting=0, error=0)
    found = run_searches(SPACE, genetic_step, identity, people, people, np.arange(PEOPLE), blank, rounds=6)
    assert found.ranks[:, -1].mean() == pytest.approx((PEOPLE + 1) / 2, abs=2)


def test_witnesses_with_other_eyes_seek_what_these_see():
    """Eyes that see the opposite: the searches end as far from the people as they can."""
    people = gallery()

    def eyes(pictures: torch.Tensor) -> torch.Tensor:
        return -identity(pictures)

    options = (SPACE, genetic_step, identity, people, people, np.arange(PEOPLE), PERFECT)
    found = run_searches(*options, rounds=10, eyes=eyes)
    assert (identity(found.composites[:, -1]) * people).sum(dim=1).max() < -0.8
