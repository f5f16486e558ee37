"""Intervals of plain means, by the bootstrap that all metrics share."""

import numpy as np
import pytest

from kinlib.evaluation.bootstrap import draw_weights, estimate, mean, mean_interval
from kinlib.runtime.errors import KinlibError


def test_a_mean_has_the_interval_of_its_statistic():
    column = np.random.default_rng(0).normal(5, 2, 40)
    found = mean_interval(column, seed=3, num_bootstrap=500)
    assert tuple(found.values()) == estimate(mean(column), draw_weights(40, 500, 3))
    assert list(found) == ["mean", "low", "high"] and found["low"] < 5 < found["high"]


def test_what_is_no_number_is_left_out():
    found = mean_interval([1.0, np.nan, 2.0, 3.0])
    assert found["mean"] == 2.0 and 1.0 <= found["low"] < found["high"] <= 3.0


def test_one_usable_number_of_four_has_no_interval():
    found = mean_interval([1.0, np.nan, np.nan, np.nan])
    assert found["mean"] == 1.0 and np.isnan([found["low"], found["high"]]).all()
    with pytest.raises(KinlibError, match="needs couples"):
        mean_interval([])
