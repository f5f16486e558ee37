"""Genetic search: known optima, operators by hand, going on, and what is refused."""

import itertools
import math

import numpy as np
import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.search import genetic
from kinlib.search.genetic import evolve, inverse_mse, search


def identity(latents: torch.Tensor) -> torch.Tensor:
    return latents


def near(target: torch.Tensor):
    return lambda pictures: -(pictures - target).square().sum(dim=1)


TARGET = torch.linspace(-1, 1, 8)


@pytest.mark.parametrize("crossover", list(genetic.CROSSOVERS))
@pytest.mark.parametrize("selection", list(genetic.SELECTIONS))
def test_a_known_optimum_is_found(crossover, selection):
    found = search(identity, near(TARGET), 8, crossover=crossover, selection=selection, mutation="gaussian")
    begin = found.history[0]
    assert found.best_fitness > 0.05 * begin and (found.best - TARGET).abs().max() < 0.5


def test_history_never_falls_and_holds_every_generation():
    found = search(identity, near(TARGET), 8, generations=30, mutation="gene")
    assert len(found.history) == len(found.generations) == 31
    assert all(after >= before for before, after in itertools.pairwise(found.history))
    assert found.best_fitness == found.history[-1] > found.history[0]
    for number, generation in enumerate(found.generations):
        assert generation.number == number
        assert generation.population.shape == (100, 8) and (np.diff(generation.fitness) <= 0).all()
        assert generation.evaluations == 100 + 99 * number  # the elite is not decoded again
    assert torch.equal(found.population, found.generations[-1].population)
    assert near(TARGET)(found.best[None]).item() == pytest.approx(found.best_fitness)


def test_seeds_decide_and_a_search_goes_on_as_if_it_had_never_stopped():
    whole = search(identity, near(TARGET), 8, generations=9, population=20, parents=5, seed=3)
    again = search(identity, near(TARGET), 8, generations=9, population=20, parents=5, seed=3)
    other = search(identity, near(TARGET), 8, generations=9, population=20, parents=5, seed=4)
    assert torch.equal(whole.population, again.population) and not torch.equal(whole.population, other.population)
    steps = evolve(identity, near(TARGET), 8, population=20, parents=5, begin=whole.generations[4], seed=3)
    rest = list(itertools.islice(steps, 5))
    assert [step.number for step in rest] == [5, 6, 7, 8, 9]
    assert torch.equal(rest[-1].population, whole.population)
    assert rest[-1].evaluations == whole.generations[-1].evaluations


def test_one_generation_by_hand():
    """Without mutation every gene of a child comes from one of the fittest, at its own place."""
    first, second = search(identity, near(TARGET), 8, generations=1, parents=3, mutation="none").generations
    pool = first.population[:3]
    genes = (second.population[:, None, :] == pool[None]).any(dim=1)
    assert genes.all()
    assert torch.equal(second.population[0], first.population[0]) or second.fitness[0] > first.fitness[0]


def test_segments_are_contiguous():
    rng = np.random.default_rng(0)
    children = genetic.CROSSOVERS["segment"](rng, np.zeros((500, 12)), np.ones((500, 12)))
    changes = np.abs(np.diff(children, axis=1)).sum(axis=1)
    assert changes.max() == 2 and set(np.unique(children)) == {0, 1}
    assert 0.25 < children.mean() < 0.42  # the mean length of a segment is a third


def test_one_gene_is_drawn_anew():
    rng = np.random.default_rng(0)
    children = genetic.MUTATIONS["gene"](rng, np.zeros((200, 6)), np.full((200, 6), 9.0))
    assert ((children == 9).sum(axis=1) == 1).all() and (children == 9).any(axis=0).all()


def test_roulette_prefers_the_fit_and_takes_nobody_twice():
    rng, fitness = np.random.default_rng(0), np.array([9.0, 5.0, 1.0, 0.0])
    draws = np.array([genetic.SELECTIONS["roulette"](rng, fitness, 2) for _ in range(2000)])
    assert (draws[:, 0] != draws[:, 1]).all()
    shares = np.bincount(draws[:, 0], minlength=4) / 2000
    assert shares[:3] == pytest.approx([0.6, 1 / 3, 1 / 15], abs=0.04)
    equal = np.array([genetic.SELECTIONS["roulette"](rng, np.full(4, -2.0), 1)[0] for _ in range(2000)])
    assert np.bincount(equal, minlength=4) / 2000 == pytest.approx([0.25] * 4, abs=0.04)


def test_inverse_mse():
    target = torch.zeros(3, 2, 2)
    pictures = torch.stack([torch.full((3, 2, 2), 0.5), torch.full((3, 2, 2), 2.0), target])
    values = inverse_mse(target)(pictures)
    assert values[:2].tolist() == pytest.approx([4.0, 0.25]) and values[2].isfinite() and values[2] > 1e6


def test_pictures_of_any_generation():
    found = search(lambda latents: latents * 2, near(TARGET), 8, generations=3, population=12)
    assert torch.equal(found.pictures(0, 4), found.generations[0].population[:4] * 2)
    assert torch.equal(found.pictures(), found.population[:10] * 2)
    with pytest.raises(KinlibError, match="there are generations 0 to 3, not 4"):
        found.pictures(4)


def test_one_parent_has_children_by_mutation_alone():
    found = search(identity, near(TARGET), 8, parents=1, generations=20)
    assert found.best_fitness > found.history[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parents": 101}, r"more parents \(101\) than individuals \(100\)"),
        ({"parents": 0}, "the number of parents must be 1 or more, not 0"),
        ({"population": 0}, "the number of individuals must be 1 or more, not 0"),
        ({"generations": -1}, "the number of generations must be 0 or more, not -1"),
        ({"crossover": "two_point"}, "there is no crossover 'two_point': uniform, segment, blend"),
        ({"mutation": "flip"}, "there is no mutation 'flip': gene, gaussian, none"),
        ({"selection": "best"}, "there is no selection 'best': top, tournament, roulette"),
        ({"elite": 0}, "the elite must be 1 to 100 individuals, not 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(KinlibError, match=message):
        search(identity, near(TARGET), 8, **settings)


@pytest.mark.parametrize(
    ("fitness", "message"),
    [
        (lambda pictures: pictures, r"one number a picture, \[100\], not \[100, 8\]"),
        (lambda pictures: pictures[:5, 0], r"one number a picture, \[100\], not \[5\]"),
        (lambda pictures: 0.0, r"one number a picture, \[100\], not \[\]"),
        (lambda pictures: torch.full((100,), math.nan), "the fitness of 100 of 100 pictures is no finite number"),
        (lambda pictures: torch.tensor([math.inf] + [0.0] * 99), "the fitness of 1 of 100 pictures is no finite"),
    ],
)
def test_a_fitness_that_is_no_number_is_refused(fitness, message):
    with pytest.raises(KinlibError, match=message):
        search(identity, fitness, 8)


def test_a_population_of_another_shape_cannot_be_gone_on_from():
    begin = search(identity, near(TARGET), 8, generations=0).generations[0]
    with pytest.raises(KinlibError, match=r"to go on from must be \[100, 9\], not \[100, 8\]"):
        next(evolve(identity, near(torch.zeros(9)), 9, begin=begin))
