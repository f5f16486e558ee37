"""The moving average of the student report, as printed and without its bias."""

import pytest
import torch
from torch import nn

from kinlib.training.engine.ema import MovingAverage


def one(value: float) -> nn.Linear:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def average_of(values: list[float], **options) -> float:
    net = one(0.0)
    average = MovingAverage(net, **options)
    for value in values:
        nn.init.constant_(net.weight, value)
        average.update(net)
    return average.net.weight.item()


def test_as_printed_the_first_weights_keep_their_share():
    assert average_of([1.0, 0.0, 0.0], corrected=False) == pytest.approx(0.81)


def test_corrected_all_count_by_their_age():
    assert average_of([1.0, 0.0, 0.0]) == pytest.approx(0.81 / (1 + 0.9 + 0.81), abs=1e-6)
    assert average_of([4.0] * 5) == pytest.approx(4.0)


def test_only_some_steps_count():
    assert average_of([7.0, 1.0, 7.0, 1.0], every=2) == pytest.approx(1.0)


def test_statistics_are_averaged_and_counters_copied():
    net = nn.BatchNorm1d(1)
    average = MovingAverage(net)
    for mean in (2.0, 0.0):
        net.running_mean.fill_(mean)
        net.num_batches_tracked += 5
        average.update(net)
    assert average.net.running_mean.item() == pytest.approx(2 * 0.9 / 1.9) and average.net.num_batches_tracked == 10


def test_a_checkpoint_resumes():
    values = [1.0, 0.0, 3.0, 2.0]
    net = one(0.0)
    first, second = MovingAverage(net), MovingAverage(net)
    for number, value in enumerate(values):
        if number == 2:
            second.load_state_dict(first.state_dict())
        nn.init.constant_(net.weight, value)
        (first if number < 2 else second).update(net)
    assert torch.isclose(second.net.weight, torch.tensor(average_of(values)))
