"""Losses against their equations written out, and what they refuse."""

import math

import pytest
import torch

from kinlib.attractiveness import losses
from kinlib.attractiveness.losses import ComboLoss, LabelDistributionLoss, PublishedComboLoss, SmoothHuberLoss
from kinlib.runtime.errors import KinlibError


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    scores, logits = torch.rand(7, generator=generator) * 4 + 1, torch.randn(7, 5, generator=generator)
    return scores, logits, torch.tensor([1.0, 1.5, 1.6, 2.49, 3.5, 4.51, 5.0])


def test_levels_round_halves_downwards():
    ratings = torch.tensor([0.6, 1.0, 1.5, 1.51, 2.5, 3.49, 4.5, 4.51, 5.0, 5.5])
    assert losses.levels_of(ratings).tolist() == [0, 0, 0, 1, 1, 2, 3, 4, 4, 4]


@pytest.mark.parametrize("rating", [0.5, 5.6, -1.0, math.nan, math.inf])
def test_a_rating_without_a_level_is_refused(rating):
    with pytest.raises(KinlibError, match="ratings run from 1 to 5, not from"):
        losses.levels_of(torch.tensor([3.0, rating]))


def test_weights_of_levels():
    """Eq 6, by hand: one, two and four ratings in levels 1, 3 and 4."""
    ratings = torch.tensor([1.2, 2.6, 3.5, 3.6, 4.0, 4.4, 4.5])
    assert losses.class_weights(ratings).tolist() == [4.0, 0.0, 2.0, 1.0, 0.0]


def by_hand(scores, logits, targets, weights, alpha, beta, gamma) -> float:
    """Eq 2 to 6, one picture at a time."""
    regression = expected = classified = 0.0
    for score, row, target in zip(scores.tolist(), logits.tolist(), targets.tolist(), strict=True):
        powers = [math.exp(value) for value in row]
        shares = [power / sum(powers) for power in powers]
        level = math.ceil(target - 0.5)
        regression += abs(score - target)
        expected += abs(target - sum(number * share for number, share in enumerate(shares, 1)))
        classified -= weights[level - 1] * math.log(shares[level - 1])
    return (alpha * regression + beta * expected + gamma * classified) / len(scores)


@pytest.mark.parametrize("shares", [(2, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 3, 2)])
@pytest.mark.parametrize("weights", [None, [3.0, 1.0, 2.0, 0.5, 1.0]])
def test_combo_loss_is_its_equations(batch, shares, weights):
    loss = ComboLoss(5, None if weights is None else torch.tensor(weights), *shares)
    assert loss(*batch).item() == pytest.approx(by_hand(*batch, weights or [1.0] * 5, *shares), rel=1e-5)


def test_gradients_reach_both_branches(batch):
    scores, logits, targets = batch
    scores.requires_grad_(), logits.requires_grad_()
    ComboLoss()(scores, logits, targets).backward()
    assert scores.grad.abs().min() > 0 and logits.grad.abs().min() > 0


def test_the_released_classification_term_cannot_come_near_zero():
    """Softmax twice: with certain and right logits the paper's term is 0, the released one ln(1 + 4 / e)."""
    targets = torch.tensor([1.0, 3.0])
    logits = torch.full((2, 5), -100.0)
    logits[0, 0] = logits[1, 2] = 100.0
    assert ComboLoss()(targets, logits, targets).item() == pytest.approx(0, abs=1e-6)
    released = PublishedComboLoss()(targets, logits, targets).item()
    assert released == pytest.approx(math.log(1 + 4 / math.e), rel=1e-5)


def test_the_released_classification_term_by_hand(batch):
    """Weights divide by their sum, and 3.5 goes to 4, 1.5 and 2.49 to 2: halves to even levels."""
    scores, logits, targets = batch
    weights = torch.tensor([3.0, 1.0, 2.0, 0.5, 1.0])
    levels = [1, 2, 2, 2, 4, 5, 5]
    total = parts = 0.0
    for row, level in zip(logits.softmax(dim=1), levels, strict=True):
        total -= weights[level - 1].item() * row.log_softmax(dim=0)[level - 1].item()
        parts += weights[level - 1].item()
    loss = PublishedComboLoss(5, weights, alpha=0, beta=0, gamma=1)
    assert loss(scores, logits, targets).item() == pytest.approx(total / parts, rel=1e-5)


def test_smooth_huber_by_hand():
    targets = torch.tensor([3.0, 3.0, 3.0, 3.0])
    scores = torch.tensor([3.1, 2.5, 4.0, 1.0])  # errors 0.1 and 0.5 below delta, 1 and 2 above
    near = math.log(math.cosh(0.1)) + math.log(math.cosh(0.5))
    logits = torch.zeros(4, 5)
    assert SmoothHuberLoss()(scores, logits, targets).item() == pytest.approx((near + 3) / 4, rel=1e-5)
    mean = (0.1 + 0.5 + 1 + 2) / 4
    published = SmoothHuberLoss(published=True)(scores, logits, targets)
    assert published.item() == pytest.approx((near + 2 * mean) / 4, rel=1e-5)


def test_smooth_huber_of_large_errors_is_finite():
    far = torch.tensor([1e4], requires_grad=True)
    loss = SmoothHuberLoss(delta=1e5)(far, torch.zeros(1, 5), torch.tensor([1.0]))
    loss.backward()
    assert loss.item() == pytest.approx(9999 - math.log(2)) and far.grad.item() == pytest.approx(1)


def test_label_distribution_is_least_at_the_wanted_distribution():
    targets = torch.tensor([1.3, 3.5])
    levels = torch.arange(1, 6.0)
    wanted = -((levels - targets[:, None]) / 0.5).square() / 2
    loss = LabelDistributionLoss(spread=0.5)
    least = loss(targets, wanted, targets).item()
    expected = (losses.expectation(wanted) - targets).abs().mean().item()
    assert least == pytest.approx(expected, rel=1e-4)  # the divergence is zero
    assert loss(targets, wanted.flip(1), targets).item() > least + 1


@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_every_loss_prefers_the_truth(name, batch):
    _, _, targets = batch
    loss = losses.LOSSES[name](targets, 5)
    right, wrong = torch.zeros(7, 5), torch.zeros(7, 5)
    rows, levels = torch.arange(7), losses.levels_of(targets)
    right[rows, levels] = 9.0
    wrong[rows, (levels + 2) % 5] = 9.0
    assert loss(targets, right, targets) < loss(targets + 0.7, wrong, targets)


def test_shapes_that_would_broadcast_are_refused(batch):
    scores, logits, targets = batch
    for bad in ((scores[:, None], logits, targets), (scores, logits[:, :4], targets), (scores, logits, targets[:6])):
        with pytest.raises(ValueError, match=r"must be \[B\], \[B, 5\] and \[B\]"):
            ComboLoss()(*bad)
    with pytest.raises(KinlibError, match="5 levels need as many weights"):
        ComboLoss(5, torch.ones(4))
    with pytest.raises(KinlibError, match="there is no loss 'huber': l1, mse, smooth_l1"):
        losses.regression("huber")
