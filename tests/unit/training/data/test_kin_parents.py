"""Parents and children as the sampler is shown them."""

import numpy as np
import torch

from kinlib.inheritance.sampler import LIMIT, Sampler
from kinlib.studio.genetics import POPULATIONS, founders
from kinlib.training.data.kin_parents import Parents, child_components, photographed, portraits_of

COMPONENTS = 3


def sampler() -> Sampler:
    net = Sampler(COMPONENTS, 512, hidden=8, genes=4, noise=2)
    net.axes.copy_(torch.eye(COMPONENTS, 512))
    net.scale.copy_(torch.tensor([2.0, 1.0, 1.0]))
    net.child_mean[:COMPONENTS] = torch.tensor([4.0, 0.0, 0.0])
    return net


def test_shifts_lead_from_portraits_to_the_other_pictures_of_the_set():
    views = torch.randn(5, 3, COMPONENTS)
    shifts = Parents(founders(POPULATIONS[0], 5, np.random.default_rng(0)), views, couples=2).shifts
    assert shifts.shape == (4, COMPONENTS)
    assert torch.allclose(views[1, 0] + shifts[3], views[1, 2])


def test_half_of_the_children_are_shown_as_the_shifts_say_and_all_by_the_parents_mean():
    net = sampler()
    shift = torch.tensor([[0.0, 1.0, -1.0]])
    found = photographed(net, torch.zeros(2000, COMPONENTS), shift, torch.Generator().manual_seed(0))
    assert torch.allclose(found[:, 0], torch.tensor(2.0))  # 4 by a scale of 2
    moved = found[:, 1] == 1
    assert 0.45 < moved.float().mean() < 0.55 and torch.equal(found[moved, 2], torch.full((int(moved.sum()),), -1.0))
    far = photographed(net, torch.full((1, COMPONENTS), 50.0), shift, torch.Generator().manual_seed(0))
    assert far.max() == LIMIT


def test_components_of_children_are_read_by_their_own_mean():
    net = sampler()
    wanted = torch.tensor([[1.0, -2.0, 0.5]])
    assert torch.allclose(child_components(net, net.to_codes(wanted)), wanted, atol=1e-5)


def test_wanted_parents_are_as_young_as_children():
    people = founders(POPULATIONS[0], 4, np.random.default_rng(0))
    ages: list[float] = []

    def portraits(traits, rng):
        ages.extend(traits.age)
        return torch.zeros(len(traits), COMPONENTS)

    assert portraits_of(people, portraits, 2, 0).shape == (4, 2, COMPONENTS)
    assert set(ages) == {21.0}
