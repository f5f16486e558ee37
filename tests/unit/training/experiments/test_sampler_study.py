"""The study of the sampler: rungs that say more are nearer to the truth, and options that know more score better."""

import numpy as np
import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics import POPULATIONS, founders
from kinlib.training.data.kin_pairs import make_pairs
from kinlib.training.experiments import sampler_study
from kinlib.training.recipes.sampler import Spaces


def test_what_describes_people_is_brought_to_one_size():
    people = founders(POPULATIONS[0], 60, np.random.default_rng(0))
    for describe in (sampler_study._traits, sampler_study._genome):
        found = sampler_study._describer(describe, people, 40)(people)
        assert found.shape == (60, 40) and torch.isfinite(found).all()
        assert 0.5 < found.square().mean().sqrt() < 2  # of the size of standardised components


def test_a_rung_learns_what_it_is_shown_and_no_more():
    """Children are the mean of both parents: shown them, a rung comes near; shown noise, it does not."""
    torch.manual_seed(0)
    parents = [torch.randn(80, 1, 4) for _ in range(2)]
    paired = make_pairs(*_people(80), lambda traits, rng: torch.zeros(len(traits), 4), 400, sampler_study.SHOWN, 0)
    young = (parents[0][paired.father] + parents[1][paired.mother]) / 2
    paired.children[:] = young + 0.1 * torch.randn(paired.children.shape)
    spaces = Spaces((torch.eye(4),), (1.0,))
    asked = [torch.randn(20, 4) for _ in range(2)]
    truth = sum(asked)[:, None] / 2 + 0.1 * torch.randn(20, sampler_study.SAMPLES, 4)
    found = {}
    for name, shown in (("parents", parents), ("noise", [torch.randn(80, 1, 4) for _ in range(2)])):
        net = sampler_study._train(4, shown, paired, spaces, 120, 0)
        found[name] = sampler_study._distance(sampler_study._answers(net, asked, 0), truth, 0)
    assert found["parents"][2] < found["noise"][1]


def test_skill_is_none_for_the_same_and_positive_for_what_is_nearer():
    truth = torch.zeros(6, 3, 2) + torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(0))
    far, near = truth[:, :2] + 5, truth[:, :2] + 0.1
    spaces = Spaces((torch.eye(2),), (1.0,))
    assert sampler_study._scored(far, far, truth, spaces, 0)["skill"][0] == pytest.approx(0)
    assert sampler_study._scored(near, far, truth, spaces, 0)["skill"][1] > 0.3


def test_the_record_is_bundled_and_complete():
    found = sampler_study.recorded()
    assert list(found["ladder"]) == list(sampler_study.RUNGS)
    assert {"both parents", "father only", "grandparents"} <= set(found["options"])
    for value, low, high in found["ladder"].values():
        assert low <= value <= high
    for row in found["options"].values():
        assert row["skill"][0] < 1 and row["score"][0] > 0


def test_a_damaged_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sampler_study, "record_path", lambda: tmp_path / "study.json")
    with pytest.raises(KinlibError, match="missing or damaged"):
        sampler_study.recorded()


def _people(count: int):
    rng = np.random.default_rng(0)
    return founders(POPULATIONS[0], count, rng), founders(POPULATIONS[0], count, rng)
