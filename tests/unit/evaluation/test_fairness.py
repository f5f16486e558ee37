"""Metrics by group, and the gap between groups against chance."""

import numpy as np
import pytest

from kinlib.evaluation.fairness import gap, gaps, holm, metrics_by_group
from kinlib.runtime.errors import KinlibError


def groups_of(labels: np.ndarray) -> dict[str, np.ndarray]:
    return {name: labels == name for name in np.unique(labels)}


LABELS = np.repeat(["a", "b", "c"], 40)


def test_means_with_intervals():
    rng = np.random.default_rng(0)
    values = rng.normal(size=120) + (LABELS == "b")
    values[:3] = np.nan
    table = metrics_by_group({"error": values}, groups_of(LABELS)).set_index("group")
    assert list(table.index) == ["all", "a", "b", "c"] and list(table["units"]) == [117, 37, 40, 40]
    assert table.loc["b", "value"] == pytest.approx(values[40:80].mean())
    assert table.loc["all", "value"] == pytest.approx(np.nanmean(values))
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    assert table.loc["b", "low"] > table.loc["a", "value"]


def test_groups_may_overlap_and_be_empty():
    groups = {"some": LABELS != "c", "a": LABELS == "a", "none": LABELS == "d"}
    assert set(metrics_by_group({"one": np.arange(120.0)}, groups)["group"]) == {"all", "some", "a"}


def test_a_gap_that_is_there_and_one_by_chance():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=120)
    true = gap(noise + 2 * (LABELS == "b"), groups_of(LABELS))
    assert true.highest == "b" and true.value > true.by_chance and true.p < 0.01
    found = [gap(rng.normal(size=120), groups_of(LABELS), seed).p for seed in range(40)]
    assert 0.02 < np.mean(np.array(found) < 0.25) < 0.5  # a quarter, by chance


def test_the_interval_of_a_gap_holds_it_and_the_estimate_alone_is_too_large():
    """Of five equal groups of ten, and of groups that differ."""
    labels = np.repeat(list("abcde"), 10)
    groups, shift = groups_of(labels), np.repeat([0.0, 0.0, 0.0, 0.0, 1.0], 10)
    for true, name in ((0.0, "none"), (1.0, "one")):
        found = [gap(np.random.default_rng(seed).normal(size=50) + true * shift, groups, seed) for seed in range(60)]
        assert np.mean([one.low <= true <= one.high for one in found]) >= 0.93, name
    nothing = [gap(np.random.default_rng(seed).normal(size=50), groups, seed) for seed in range(60)]
    assert np.mean([one.value for one in nothing]) > 0.5
    assert np.mean([one.value - one.expected for one in nothing]) == pytest.approx(0, abs=0.1)
    assert all(one.low <= one.value <= one.high for one in nothing)


def test_every_metric_by_every_partition():
    rng = np.random.default_rng(2)
    values = {"noise": rng.normal(size=120), "shifted": rng.normal(size=120) + 2 * (LABELS == "b")}
    values["shifted"][:5] = np.nan
    halves = {"left": np.arange(120) % 2 == 0, "right": np.arange(120) % 2 == 1}
    few = {"one": np.arange(120) < 3, "other": np.arange(120) >= 3}
    table = gaps(values, {"letter": groups_of(LABELS), "side": halves, "few": few}).set_index(["metric", "by"])
    assert list(table.index) == [(metric, by) for metric in values for by in ("letter", "side")]
    assert table.loc[("shifted", "letter"), "p_holm"] < 0.05 and table.loc[("shifted", "letter"), "low"] > 1
    assert (table["p_holm"] >= table["p"]).all() and table["p_holm"].max() <= 1
    assert table.loc[("noise", "side"), "deviation"] == pytest.approx(values["noise"].std(ddof=1))


def test_holm():
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1] and holm(np.array([])).size == 0


def test_small_groups_have_no_part_in_the_gap():
    labels = LABELS.copy()
    labels[:2] = "tiny"
    values = np.where(labels == "tiny", 100.0, np.arange(120) % 7)
    assert gap(values, groups_of(labels)).highest != "tiny"


@pytest.mark.parametrize(
    ("values", "groups", "words"),
    [
        (np.zeros(119), groups_of(LABELS), "one length"),
        (np.zeros(0), {}, "one length"),
        (np.full(120, np.inf), groups_of(LABELS), "infinite"),
        (np.zeros(120), {"all": LABELS != "", "a": LABELS == "a"}, "overlap"),
        (np.zeros(120), {"a": LABELS == "a"}, "two groups"),
    ],
)
def test_what_cannot_be_compared(values, groups, words):
    with pytest.raises(KinlibError, match=words):
        gap(values, groups)
