"""Random search, CMA-ES and gradients on a fitness whose best is known."""

import sys

import numpy as np
import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.search import baselines
from kinlib.search.baselines import METHODS, cma_es
from kinlib.search.fitness import identity_cosine, make_fitness

TARGET = torch.linspace(-1, 1, 6)


def decode(coordinates):
    return coordinates


def near(pictures):
    return 1 / ((pictures - TARGET).square().mean(dim=1) + 1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_counts_its_pictures_and_never_falls(name):
    trace = METHODS[name](decode, near, 6, 600, seed=1)
    assert trace.evaluations[-1] <= 600 and (np.diff(trace.evaluations) > 0).all()
    assert (np.diff(trace.fitness) >= 0).all()
    assert float(near(trace.best[None])[0]) == pytest.approx(trace.fitness[-1], rel=1e-3)
    again = METHODS[name](decode, near, 6, 600, seed=1)
    assert np.array_equal(trace.fitness, again.fitness)


def test_methods_that_learn_beat_chance():
    reached = {name: METHODS[name](decode, near, 6, 1500).fitness[-1] for name in METHODS}
    assert min(reached[name] for name in ("genetic", "cma", "gradient")) > 2 * reached["random"]


def test_without_the_package_one_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(KinlibError, match="pip install cma"):
        cma_es(decode, near, 6, 100)


def test_what_is_not_installed_is_left_out(monkeypatch):
    assert list(baselines.available()) == list(METHODS)
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    assert list(baselines.available()) == [name for name in METHODS if name != "cma"]


def test_fitness_by_name():
    target = torch.rand(3, 32, 32) * 2 - 1
    pictures = torch.stack([target, -target])
    pixels = make_fitness("pixels", target, 32)(pictures)
    assert pixels[0] > 1e6 and pixels[1] == pytest.approx(1 / float((2 * target).square().mean()), rel=1e-4)
    with torch.no_grad():
        likeness = identity_cosine(target)(pictures)
    assert likeness[0] == pytest.approx(1, abs=1e-4) and likeness[1] < 0.99
    with pytest.raises(KinlibError, match="no fitness 'beauty'"):
        make_fitness("beauty", target, 32)
