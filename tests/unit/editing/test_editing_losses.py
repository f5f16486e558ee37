"""Losses by hand, and the direction in which they drive."""

import math

import pytest
import torch

from kinlib.editing import losses
from kinlib.editing.losses import Weights


def test_attributes_are_summed_and_samples_averaged():
    probabilities = torch.tensor([[0.9, 0.2], [0.5, 0.5]])
    truth = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    wanted = -(math.log(0.9) + math.log(0.8) + 2 * math.log(0.5)) / 2
    assert losses.attributes(probabilities, truth).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(slope):
    """The gradient of slope * (sum of pixels) / sqrt(n) has the norm `slope` everywhere."""
    real, fake = torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8)

    def realness(images):
        return slope * images.flatten(1).sum(dim=1) / math.sqrt(3 * 8 * 8)

    assert losses.gradient_penalty(realness, real, fake).item() == pytest.approx((slope - 1) ** 2, abs=1e-5)
    total = losses.critic(realness, real, fake, weight=10.0)
    wanted = realness(fake).mean() - realness(real).mean() + 10 * (slope - 1) ** 2
    assert total.item() == pytest.approx(wanted.item(), abs=1e-4)


def test_masks_pull_only_where_the_gate_is_open():
    guide = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-255.0, -255.0]]).view(3, 1, 1, 2)
    attention = torch.full((3, 1, 1, 2), 0.5, requires_grad=True)
    back = torch.zeros(3, 1, 1, 2)
    gate = torch.tensor([1, 1, 0])
    # Squares: 0.25 each on the way there, 1 and 0 on the way back; a mean of 0.75 a sample, two samples of three.
    assert losses.target_region(attention, back, guide, gate).item() == pytest.approx(0.5)
    # Outside the guide: 0.5 in one of two pixels there, nothing on the way back.
    loss = losses.nontarget(attention, back, guide, gate)
    assert loss.item() == pytest.approx(0.25 * 2 / 3)
    loss.backward()
    assert attention.grad[2].abs().max() == 0 and attention.grad[0, 0, 0].tolist() == [0, pytest.approx(1 / 6)]


def test_totals_have_the_documents_weights():
    terms = {"realness": 100.0, "reconstruction": 1.0, "attributes": 2.0, "dual": 3.0, "attention_identity": 4.0}
    terms |= {"target": 5.0, "nontarget": 6.0, "clothing": 7.0}
    terms = {name: torch.tensor(value) for name, value in terms.items()}
    wanted = -100 + 0.05 + 10 * 2 + 4.69 * 3 + 2.25 * 4 + 3.75 * 5 + 0.09 * 6 + 4.45 * 7
    assert losses.generator_total(terms, Weights()).item() == pytest.approx(wanted, rel=1e-6)
    with pytest.raises(KeyError):
        losses.generator_total({"realness": terms["realness"]}, Weights())
