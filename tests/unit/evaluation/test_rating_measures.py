"""Measures of predicted ratings against plain formulas, and their intervals."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from kinlib.evaluation.ratings import MEASURES, compare, measure
from kinlib.runtime.errors import KinlibError


def sample(count: int = 300, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(3, 0.6, count)
    return truth + rng.normal(0.1, 0.4, count), truth, np.arange(count) // 3


def test_values_are_those_of_the_formulas():
    predicted, truth, units = sample()
    found = measure(predicted, truth, units)
    assert list(found) == list(MEASURES)
    wanted = {
        "mae": np.abs(predicted - truth).mean(),
        "rmse": np.sqrt(((predicted - truth) ** 2).mean()),
        "pearson": pearsonr(predicted, truth)[0],
        "spearman": spearmanr(predicted, truth)[0],
    }
    for name, value in wanted.items():
        assert found[name][0] == pytest.approx(value, abs=1e-4)
        assert found[name][1] < value < found[name][2]


def test_intervals_over_people_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(60):
        _, low, high = measure(*sample(seed=seed))["pearson"]
        held += low < 0.6 / np.hypot(0.6, 0.4) < high
    assert held >= 52  # of 60; 57 are expected


def test_pictures_of_one_person_widen_the_interval():
    predicted, truth, _ = sample(100)
    again = (np.repeat(predicted, 3), np.repeat(truth, 3))
    width = [np.ptp(measure(*again, units)["mae"][1:]) for units in (np.repeat(np.arange(100), 3), np.arange(300))]
    assert width[0] > 1.4 * width[1]


def test_a_better_prediction_differs_and_the_same_does_not():
    predicted, truth, units = sample()
    better = (predicted + truth) / 2
    assert compare(better, predicted, truth, units)["mae"][2] < 0
    assert compare(predicted, predicted, truth, units)["mae"][0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], [], []), "as many predictions"),
        (([1.0], [1.0, 2.0], [0, 1]), "as many predictions"),
        (([np.nan], [1.0], [0]), "finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, words):
    with pytest.raises(KinlibError, match=words):
        measure(*(np.array(part) for part in arguments))
