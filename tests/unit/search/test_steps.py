"""The steps between two screens, bred and learned."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kinlib.runtime.errors import KinlibError
from kinlib.search.learned_step import LearnedStep, PickNet, load_step, summary
from kinlib.search.steps import Round, composite, genetic_step


def a_round(picks=(1, 0), seed=0) -> Round:
    return Round(torch.randn(16, 6, generator=torch.Generator().manual_seed(seed)), picks)


def test_bred_faces_begin_with_the_best_and_stay_near_the_picks():
    liked = Round(torch.full((16, 6), 2.0), (5, 3))
    found = genetic_step([a_round(), liked, liked, liked, liked, liked, liked, liked], 16, np.random.default_rng(0))
    assert found.shape == (16, 6) and torch.equal(found[0], liked.faces[5])
    assert (found[:-1] - 2).abs().mean() < 0.5  # the last one is drawn anew


def test_steps_depend_on_the_generator_alone():
    for step in (genetic_step, LearnedStep(PickNet(6, 8))):
        first, second, other = (step([a_round()], 16, np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, second) and not torch.equal(first, other)


def test_rounds_without_picks_are_passed_over():
    rounds = [a_round(), a_round((), 1)]
    assert torch.equal(composite(rounds), composite(rounds[:1]))
    assert genetic_step(rounds, 12, np.random.default_rng(0)).shape == (12, 6)


def test_a_composite_weighs_by_place():
    one = a_round((2, 4, 6))
    expected = (one.faces[2] + one.faces[4] / 2 + one.faces[6] / 3) / (1 + 1 / 2 + 1 / 3)
    assert torch.allclose(composite([one]), expected)


def test_a_summary_by_hand():
    faces = torch.tensor([[0.0, 0], [2, 0], [0, 4], [2, 4]])
    found = summary(faces, torch.tensor([1, 2]))
    assert torch.allclose(found, torch.tensor([4 / 3, 4 / 3, 1 / 3, -2 / 3]))
    assert torch.allclose(
        summary(faces.expand(3, 5, 4, 2), torch.tensor([1, 2]).expand(3, 5, 2)), found.expand(3, 5, 4)
    )


def test_learned_faces_close_in_on_the_estimate():
    step = LearnedStep(PickNet(6, 8))
    rounds = [a_round(seed=seed) for seed in range(20)]
    for number, spread in ((1, 1.0), (15, 0.2), (20, 0.2)):
        found = step(rounds[:number], 400, np.random.default_rng(0))
        centre = step.estimate(rounds[:number])
        assert torch.equal(found[0], rounds[number - 1].faces[1]) and torch.allclose(found[1], centre)
        assert float((found[2:] - centre).std()) == pytest.approx(spread, rel=0.1)
    with pytest.raises(KinlibError, match="nothing is picked"):
        step.estimate([a_round(())])


def test_a_file_gives_the_same_step_of_its_own_space(toy_space, other_space, tmp_path):
    net = PickNet(6, 8)
    path = tmp_path / "picks.safetensors"
    save_file(net.state_dict(), path)
    rounds = [a_round()]
    assert torch.allclose(load_step(toy_space, path).estimate(rounds), LearnedStep(net).estimate(rounds), atol=1e-6)
    with pytest.raises(KinlibError, match="another network"):
        load_step(other_space, path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(KinlibError, match="no learned step"):
        load_step(toy_space, path)
