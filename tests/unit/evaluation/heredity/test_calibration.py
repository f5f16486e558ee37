"""Calibration: a perfect method is calibrated, and each fault shows as the theory says."""

import numpy as np
import pandas as pd
import pytest

from kinlib.evaluation.heredity import calibration
from kinlib.runtime.errors import KinlibError

COUPLES, TRAITS, GENERATED, TRUE = 200, 3, 15, 20


def families(spread: float = 1.0, shift: float = 0.0, link: float = 0.8, generated_link: float | None = None):
    """Generated and true children with linked traits around means that differ by couple."""
    rng = np.random.default_rng(0)
    generated_link = link if generated_link is None else generated_link

    def some(count: int, centre: np.ndarray, linked: float) -> np.ndarray:
        common = rng.normal(size=(count, 1))
        return centre + np.sqrt(linked) * common + np.sqrt(1 - linked) * rng.normal(size=(count, TRAITS))

    centres = [5 * rng.normal(size=TRAITS) for _ in range(COUPLES)]
    children = [centre + shift + spread * (some(GENERATED, 0 * centre, generated_link)) for centre in centres]
    return children, [some(TRUE, centre, link) for centre in centres]


def covered(children, truth, kind=calibration.ranks) -> list[float]:
    return calibration.coverage(kind(children, truth))["mean"].tolist()


@pytest.mark.parametrize("kind", [calibration.ranks, calibration.distance_ranks])
def test_the_true_distribution_is_calibrated(kind):
    found = kind(*families())
    table = calibration.coverage(found)
    assert np.abs(table["mean"] - table["level"]).max() < 0.02
    assert ((table["low"] < table["mean"]) & (table["mean"] < table["high"])).all()
    histogram = calibration.rank_histogram(found, bins=4)
    assert histogram["mean"].sum() == pytest.approx(1)
    assert np.abs(histogram["mean"] - 0.25).max() < 0.04


def test_siblings_that_are_too_alike_cover_too_little_and_others_too_much():
    levels = list(calibration.LEVELS)
    assert all(value < level - 0.1 for value, level in zip(covered(*families(spread=0.4)), levels, strict=True))
    assert covered(*families(spread=2.0))[0] > 0.6
    ends = calibration.rank_histogram(calibration.ranks(*families(spread=0.4)), bins=5)["mean"]
    assert ends.iloc[0] > 0.25 and ends.iloc[-1] > 0.25 and ends.iloc[2] < 0.2


def test_a_shift_lies_at_one_end():
    found = calibration.rank_histogram(calibration.ranks(*families(shift=2.0)), bins=5)["mean"]
    assert found.iloc[0] > 0.7


def test_ties_and_missing_values():
    same = [np.zeros((4, 1))], [np.zeros((200, 1))]
    found = calibration.ranks(*same)[0]
    assert 0 <= found.min() < 0.1 and 0.9 < found.max() <= 1  # spread over all, not piled up
    gone = calibration.ranks([np.full((4, 1), np.nan)], [np.zeros((2, 1))])[0]
    assert np.isnan(gone).all()
    assert np.isnan(calibration.ranks([np.zeros((4, 1))], [np.array([[np.nan], [0.0]])])[0][0, 0])


def test_the_variogram_score_sees_what_single_traits_hide():
    right, truth = families(link=0.9)
    unlinked, _ = families(link=0.9, generated_link=0.0)
    assert covered(unlinked, truth)[1] == pytest.approx(0.8, abs=0.05)
    good, bad = (calibration.variogram_score(some, truth) for some in (right, unlinked))
    assert good["high"] < bad["low"]


def test_shared_numbers_become_arrays():
    true = [pd.DataFrame({"nose": [1.0, 2.0], "iris": ["blue", "brown"], "skin": [0.1, 0.2]})]
    mine = [pd.DataFrame({"skin": [0.3], "nose": [np.nan], "iris": ["blue"]})]
    children, truth, names = calibration.trait_sets(mine, true)
    assert names == ["nose", "skin"] and truth[0].tolist() == [[1.0, 0.1], [2.0, 0.2]]
    assert np.isnan(children[0][0, 0]) and children[0][0, 1] == 0.3
    with pytest.raises(KinlibError, match="no number in common"):
        calibration.trait_sets([mine[0][["iris"]]], true)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(KinlibError, match="same couples, not 0 and 0"):
        calibration.ranks([], [])
    with pytest.raises(KinlibError, match="children must be"):
        calibration.ranks([np.zeros((3, 2))], [np.zeros((3, 1))])
    with pytest.raises(KinlibError, match="two or more"):
        calibration.variogram_score([np.zeros((3, 1))], [np.zeros((3, 1))])
