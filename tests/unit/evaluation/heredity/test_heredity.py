"""Heredity: scores against theory and brute force, the reference on disk, baselines ranked, pictures measured.

The families are Gaussian: a child is the mean of its parents plus Mendelian sampling with half the additive variance
(Bulmer 1980). In these the true distribution is known in closed form, and a fresh sample is one line.
"""

import json
import shutil
from dataclasses import replace
from math import gamma, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps
from skimage.color import rgb2lab

from kinlib.checkpoints import weights
from kinlib.evaluation import bootstrap
from kinlib.evaluation.heredity import baselines, distances, measures, scoring
from kinlib.evaluation.heredity.reference import Provenance, Reference, load_reference, write_reference
from kinlib.evaluation.heredity.scoring import Children
from kinlib.evaluation.heredity.traits import category_statistics, number_statistics
from kinlib.faces.align import find_and_align
from kinlib.faces.identity import load_identity
from kinlib.faces.keypoints import detect
from kinlib.faces.landmarks import MIRRORED, predict
from kinlib.io.images import to_tensor
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio import genetics

NUM_COUPLES, NUM_TRAITS = 24, 12
MENDELIAN = 0.5  # variance within families, of an additive variance of one
SEEN = 0.1  # variance that measuring from pictures adds
PARENTS = sorted((config.data_dir() / "studio" / "heredity" / "parents").glob("couple_0[1-8]_*.jpg"))


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def parents(seed: int = 0, num: int = NUM_COUPLES, dimensions: int = 32) -> np.ndarray:
    """Breeding values [2, C, D]."""
    return seeded(seed).standard_normal((2, num, dimensions))


def siblings(couples: np.ndarray, num: int, seed: int, variance: float = MENDELIAN) -> np.ndarray:
    """Breeding values [C, n, D] of new children."""
    noise = seeded(seed).standard_normal((couples.shape[1], num, couples.shape[2]))
    return couples.mean(axis=0)[:, None] + np.sqrt(variance) * noise


def trait_tables(people: np.ndarray, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """True and measured traits of people [N, D]: the first few breeding values, and an iris that depends on one."""
    names = [f"trait_{index}" for index in range(NUM_TRAITS)]
    true = pd.DataFrame(people[:, :NUM_TRAITS], columns=names)
    measured = true + seeded(seed).normal(0, np.sqrt(SEEN), true.shape)
    iris = np.where(people[:, 0] + seeded(seed + 1).normal(0, 0.5, len(people)) > 0, "brown", "blue")
    return true.assign(iris=iris), measured


def reference_of(couples: np.ndarray, children: np.ndarray, seed: int = 50) -> Reference:
    """A reference whose embeddings are the breeding values, put on the unit sphere."""
    num, num_siblings, _ = children.shape
    names = tuple(f"couple_{index}" for index in range(num))
    people = np.concatenate([couples[0][:, None], couples[1][:, None], children], axis=1)  # [C, 2 + S, D]
    keys = pd.DataFrame(
        {
            "couple": np.repeat(names, num_siblings + 2),
            "role": ["father", "mother", *["child"] * num_siblings] * num,
            "number": [0, 0, *range(num_siblings)] * num,
        }
    )
    true, measured = (
        pd.concat([keys, table], axis=1) for table in trait_tables(people.reshape(-1, people.shape[2]), seed)
    )
    father, mother, born = (np.float32(unit(values)) for values in (*couples, children))
    pictures = [tuple(f"pictures/{name}_{role}.jpg" for name in names) for role in ("father", "mother")]
    return Reference(names, born, father, mother, true, measured, *pictures, Provenance(7, "none", "made up"))


@pytest.fixture(scope="module")
def couples() -> np.ndarray:
    return parents()


@pytest.fixture(scope="module")
def reference(couples: np.ndarray) -> Reference:
    return reference_of(couples, siblings(couples, 64, seed=1))


@pytest.fixture(scope="module")
def fresh(couples: np.ndarray) -> dict[str, Children]:
    """New true siblings: the children of a perfect method."""
    return baselines.true_sampler(reference_of(couples, siblings(couples, 64, seed=2), seed=60))


@pytest.fixture(scope="module")
def comparison(reference: Reference, fresh: dict[str, Children], couples: np.ndarray) -> scoring.Comparison:
    narrow = reference_of(couples, siblings(couples, 64, seed=3, variance=0.6 * MENDELIAN), seed=70)
    methods = {
        "truth": fresh,
        "narrow": baselines.true_sampler(narrow),
        "parent": baselines.copied_parent(reference),
        "average": baselines.average_child(reference),
        "shifted": baselines.shifted_child(reference),
        "unrelated": baselines.unrelated_child(reference),
        "constant": baselines.constant_child(reference),
    }
    return scoring.compare(methods, reference)


# --- scores ---


def brute_force(children: np.ndarray, truth: np.ndarray, function) -> tuple[float, float, float]:
    """Means of a function of two points over all pairs: between, within the children, within the truth."""

    def mean(first: np.ndarray, second: np.ndarray, same: bool) -> float:
        return np.mean(
            [function(x, y) for i, x in enumerate(first) for j, y in enumerate(second) if not same or i != j]
        )

    return mean(children, truth, False), mean(children, children, True), mean(truth, truth, True)


def test_energy_against_loops():
    children, truth = seeded(0).standard_normal((7, 3)), seeded(1).standard_normal((9, 3)) + 0.5
    between, within, within_truth = brute_force(children, truth, lambda x, y: np.linalg.norm(x - y))
    assert distances.energy_distance(children, truth) == pytest.approx(2 * between - within - within_truth)
    assert distances.energy_score(children, truth) == pytest.approx(between - within / 2)


def test_mmd_against_loops():
    children, truth = seeded(0).standard_normal((7, 3)), seeded(1).standard_normal((9, 3)) + 0.5
    between, within, within_truth = brute_force(
        children, truth, lambda x, y: np.exp(-((x - y) ** 2).sum() / (2 * 1.3**2))
    )
    assert distances.mmd2(children, truth, bandwidth=1.3) == pytest.approx(within + within_truth - 2 * between)
    pairs = [np.linalg.norm(x - y) for i, x in enumerate(truth) for y in truth[:i]]
    assert distances.median_distance(truth) == pytest.approx(np.median(pairs))
    assert distances.mmd2(children, truth) == pytest.approx(distances.mmd2(children, truth, np.median(pairs)))


def normal_distance(variance: float, dimensions: int) -> float:
    """E|X| of a normal vector with this variance in each dimension."""
    return sqrt(2 * variance) * gamma((dimensions + 1) / 2) / gamma(dimensions / 2)


@pytest.mark.parametrize("variance", [1.0, 0.6], ids=["same", "narrow"])
def test_energy_distance_is_unbiased(variance: float):
    rng, dimensions = seeded(5), 4
    found = [
        distances.energy_distance(
            sqrt(variance) * rng.standard_normal((6, dimensions)), rng.standard_normal((9, dimensions))
        )
        for _ in range(3000)
    ]
    expected = 2 * normal_distance(1 + variance, dimensions)
    expected -= normal_distance(2 * variance, dimensions) + normal_distance(2, dimensions)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / sqrt(len(found)))
    assert min(found) < 0


def test_mmd_is_unbiased():
    rng = seeded(6)
    found = [distances.mmd2(rng.standard_normal((6, 4)), rng.standard_normal((9, 4)), 2.0) for _ in range(3000)]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / sqrt(len(found)))


@pytest.mark.parametrize(
    "score", [distances.energy_score, lambda x, y: distances.mmd2(x, y, 2.0)], ids=["energy", "mmd"]
)
def test_scores_are_proper(score):
    """Neither moving the children nor spreading them less or more pays."""
    rng = seeded(7)
    truth = [rng.standard_normal((200, 3)) for _ in range(20)]

    def average(shift: float, spread: float) -> float:
        draw = seeded(8)
        return np.mean([score(shift + spread * draw.standard_normal((200, 3)), one) for one in truth])

    best = average(0, 1)
    assert all(average(*other) > best for other in [(0.3, 1), (-0.3, 1), (0, 0.7), (0, 1.4), (0, 0), (0.3, 0.8)])


def test_balls_against_loops():
    children, truth, k = seeded(0).standard_normal((12, 2)), seeded(1).standard_normal((15, 2)), 3

    def radius(points: np.ndarray, index: int) -> float:
        return sorted(np.linalg.norm(points - points[index], axis=1))[k]

    inside = np.array([[np.linalg.norm(x - y) <= radius(truth, j) for j, y in enumerate(truth)] for x in children])
    found = distances.balls(children, truth, k)
    assert found.precision == inside.any(axis=1).mean() and found.coverage == inside.any(axis=0).mean()
    assert found.density == pytest.approx(inside.sum() / k / len(children))
    caught = [any(np.linalg.norm(x - y) <= radius(children, i) for i, x in enumerate(children)) for y in truth]
    assert found.recall == np.mean(caught)


def test_what_a_perfect_method_gets_from_balls():
    rng, rows = seeded(9), []
    for _ in range(400):
        children, truth = rng.standard_normal((20, 3)), rng.standard_normal((30, 3))
        rows.append([*vars(distances.balls(children, truth)).values(), distances.expected_precision(truth)])
    precision, _, density, coverage, expected = np.mean(rows, axis=0)
    error = np.std(rows, axis=0) / 20
    assert precision == pytest.approx(expected, abs=0.01)
    assert density == pytest.approx(1, abs=4 * error[2])
    assert coverage == pytest.approx(distances.expected_coverage(20, 30), abs=4 * error[3])


def test_few_children_have_no_recall():
    truth = seeded(0).standard_normal((20, 2))
    assert np.isnan(distances.balls(truth[:3], truth).recall)
    assert not np.isnan(distances.balls(truth[:8], truth).recall)


def test_shift_is_unbiased():
    rng = seeded(10)
    found = [distances.moments(rng.standard_normal((4, 3)) + 1, 2 * rng.standard_normal((6, 3))) for _ in range(3000)]
    shifts = [one.shift for one in found]
    assert np.mean(shifts) == pytest.approx(3, abs=4 * np.std(shifts) / sqrt(len(shifts)))
    assert np.mean([one.spread for one in found]) == pytest.approx(3, abs=0.1)
    assert np.mean([one.true_spread for one in found]) == pytest.approx(12, abs=0.4)


@pytest.mark.parametrize(
    ("children", "words"),
    [
        (np.zeros((1, 3)), "at least 2"),
        (np.zeros(3), "at least 2"),
        (np.zeros((4, 2)), "2 dimensions"),
        (np.full((4, 3), np.nan), "not finite"),
    ],
    ids=["one", "flat", "other space", "nan"],
)
def test_unusable_children(children: np.ndarray, words: str):
    with pytest.raises(KinlibError, match=words):
        distances.energy_distance(children, np.ones((5, 3)))


def test_unusable_bandwidth_and_balls():
    with pytest.raises(KinlibError, match="bandwidth"):
        distances.mmd2(np.ones((4, 3)), np.ones((5, 3)))
    with pytest.raises(KinlibError, match="more true children than 5"):
        distances.balls(np.zeros((8, 3)), np.zeros((5, 3)))


# --- bootstrap ---


def test_interval_of_a_mean_is_about_as_wide_as_students():
    values = seeded(0).standard_normal(12)
    statistic = bootstrap.mean(values)
    value, low, high = bootstrap.estimate(statistic, bootstrap.draw_weights(12, 20_000))
    half = 2.201 * values.std(ddof=1) / sqrt(12)  # Student's 97.5% point with 11 degrees of freedom
    assert value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, hits = seeded(1), 0
    for seed in range(300):
        statistic = bootstrap.mean(rng.exponential(1.0, 24))
        _, low, high = bootstrap.estimate(statistic, bootstrap.draw_weights(24, 400, seed))
        hits += low <= 1.0 <= high
    assert 0.91 < hits / 300 < 0.98


def test_a_draw_counts_couples():
    weights = bootstrap.draw_weights(5, 50, seed=3)
    assert weights.shape == (50, 5) and (weights.sum(axis=1) == 5).all() and (weights >= 0).all()
    assert (weights == bootstrap.draw_weights(5, 50, seed=3)).all()
    columns = seeded(0).standard_normal((5, 2))
    by_hand = np.repeat(columns, weights[0].astype(int), axis=0).mean(axis=0)
    assert bootstrap.ratio(*columns.T).at(weights)[0] == pytest.approx(by_hand[0] / by_hand[1])


def test_a_couple_without_a_number_is_left_out():
    assert bootstrap.mean(np.array([1.0, np.nan, 3.0])).value == 2.0
    assert np.isnan(bootstrap.estimate(bootstrap.mean(np.full(5, np.nan)), bootstrap.draw_weights(5))).all()
    few = bootstrap.estimate(bootstrap.mean([1.0, 2.0]), bootstrap.draw_weights(2))
    assert few[0] == 1.5 and np.isnan(few[1:]).all()
    assert bootstrap.estimate(bootstrap.mean(np.full(5, 3.0)), bootstrap.draw_weights(5)) == (3, 3, 3)


def test_draws_that_do_not_fit():
    statistic = bootstrap.mean(np.arange(5.0))
    with pytest.raises(KinlibError, match=r"\[B, 5\].*\[1000, 4\]"):
        bootstrap.estimate(statistic, bootstrap.draw_weights(4))
    with pytest.raises(KinlibError, match="between 0 and 1, not 95"):
        bootstrap.estimate(statistic, bootstrap.draw_weights(5), confidence=95)
    with pytest.raises(KinlibError, match="there are 0 and 1000"):
        bootstrap.draw_weights(0)


@pytest.mark.parametrize("usable", [0, 1, 2])
def test_no_interval_from_fewer_than_three_usable_couples(usable: int):
    column = np.where(np.arange(4) < usable, 1.0 + np.arange(4), np.nan)
    value, low, high = bootstrap.estimate(bootstrap.mean(column), bootstrap.draw_weights(4))
    assert np.isnan([low, high]).all() and np.isnan(value) == (usable == 0)


def test_a_couple_without_a_number_changes_no_interval():
    """Student's factor and the acceleration count the couples that are there."""
    column = seeded(3).exponential(1.0, 8)
    weights = bootstrap.draw_weights(8)
    padded = np.concatenate([column, np.full(40, np.nan)])
    spread = np.concatenate([weights, np.ones((len(weights), 40))], axis=1)
    alone = bootstrap.estimate(bootstrap.mean(column), weights)
    assert bootstrap.estimate(bootstrap.mean(padded), spread) == pytest.approx(alone)


def test_differences_are_of_couples_that_both_have():
    first, second = bootstrap.mean([1.0, np.nan, 5.0, 6.0]), bootstrap.ratio([2.0, 9.0, 2.0, 2.0], [1.0, 1.0, 1.0, 2.0])
    assert bootstrap.difference(first, second).value == pytest.approx(4 - 1.5)


# --- trait by trait ---


def test_numbers_against_theory():
    """Drawn families are off by half a unit, half as wide, and have nothing to do with the true means of a part."""
    rng, num = seeded(0), 400
    means = rng.normal(0, 2, num)
    true = [pd.Series(rng.normal(mean, 1, 64)) for mean in means]
    drawn = [pd.Series(rng.normal(mean + 0.5, sqrt(0.5), 10)) for mean in means]
    values = {name: one.value for name, one in number_statistics(drawn, true).items()}
    assert values["bias"] == pytest.approx(0.5, abs=0.05) and values["rmse"] == pytest.approx(0.5, abs=0.05)
    assert values["variance_ratio"] == pytest.approx(0.5, abs=0.04) and values["correlation"] > 0.97
    other = number_statistics([drawn[index - 1] for index in range(num)], true)
    assert abs(other["correlation"].value) < 0.2
    assert other["rmse"].value == pytest.approx(sqrt(8 + 0.25), rel=0.1)


def test_correlation_of_what_does_not_vary():
    same = [pd.Series([65.3, 65.3])] * 5
    true = [pd.Series(seeded(seed).normal(60, 5, 9)) for seed in range(5)]
    found = number_statistics(same, true)
    assert np.isnan(found["correlation"].value) and found["variance_ratio"].value == 0


def test_missing_numbers_are_left_out():
    true = [pd.Series(seeded(seed).standard_normal(20)) for seed in range(6)]
    holes = [pd.concat([one, pd.Series([np.nan, np.nan])]) for one in true]
    assert number_statistics(holes, true)["variance_ratio"].value == pytest.approx(1)
    assert number_statistics(holes, true)["bias"].value == pytest.approx(0)


def test_categories_against_theory():
    rng = seeded(1)
    true = [pd.Series(rng.choice(["blue", "brown"], 64, p=[0.5, 0.5])) for _ in range(300)]
    same = [pd.Series(rng.choice(["blue", "brown"], 20, p=[0.5, 0.5])) for _ in range(300)]
    other = [pd.Series(rng.choice(["blue", "green"], 20, p=[0.8, 0.2])) for _ in range(300)]
    perfect, wrong = category_statistics(same, true), category_statistics(other, true)
    assert perfect["brier"].value == pytest.approx(0, abs=0.01)
    assert perfect["total_variation"].value == pytest.approx(perfect["total_variation"].ideal, rel=0.1)
    assert wrong["brier"].value == pytest.approx(0.3**2 + 0.5**2 + 0.2**2, abs=0.02)
    assert wrong["total_variation"].value == pytest.approx(0.5, abs=0.02)


# --- baselines, ranked ---


@pytest.mark.parametrize("measure", ["energy_distance", "traits_energy_distance", "mmd2", "traits_mmd2"])
def test_truth_wins_and_others_lose(comparison: scoring.Comparison, measure: str):
    ranking = comparison.ranking(measure)
    assert ranking.index[0] == "truth" and ranking.index[-1] == "constant"
    assert ranking.loc["truth", "low"] <= 0 <= ranking.loc["truth", "high"]
    assert (ranking.drop("truth")["low"] > 0).all()
    for loser in ranking.index[1:]:
        assert comparison.difference(loser, "truth", measure)["low"] > 0
    assert comparison.difference("unrelated", "shifted", measure)["low"] > 0  # population's mean beats a stranger's


def test_truth_is_not_told_from_truth(couples: np.ndarray):
    """Over many references, the interval of a perfect method holds zero about as often as it says."""
    held = []
    for seed in range(40):
        truth, drawn = (unit(siblings(couples, 32, 100 + 2 * seed + part)) for part in (0, 1))
        rows = [distances.energy_distance(*pair) for pair in zip(drawn, truth, strict=True)]
        _, low, high = bootstrap.estimate(bootstrap.mean(rows), bootstrap.draw_weights(len(rows)))
        held.append((low <= 0 <= high, low > 0))
    inside, above = np.mean(held, axis=0)
    assert inside >= 0.85 and above <= 0.075


def test_what_explains_the_losers(comparison: scoring.Comparison):
    summary = {name: report.summary for name, report in comparison.reports.items()}
    traits = {name: report.traits.set_index(["trait", "measure"]) for name, report in comparison.reports.items()}
    assert summary["narrow"].loc["traits_spread", "high"] < 1 < summary["truth"].loc["traits_spread", "high"]
    assert summary["average"].loc["spread", "value"] == pytest.approx(0, abs=1e-6)
    assert summary["average"].loc["traits_mean_shift", "high"] < 0.15  # what measuring the parents adds
    assert summary["shifted"].loc["spread", "value"] == pytest.approx(1, abs=0.1)
    assert summary["shifted"].loc["mean_shift", "low"] > 0.5
    assert summary["narrow"].loc["recall", "high"] < summary["narrow"].loc["recall", "ideal"]
    assert summary["unrelated"].loc["precision", "high"] < summary["unrelated"].loc["precision", "ideal"]
    for measure in ("variance_ratio", "correlation"):
        assert traits["truth"].loc[("trait_0", measure), "high"] >= 0.95
    assert traits["average"].loc[("trait_0", "variance_ratio"), "high"] < 0.01
    assert traits["average"].loc[("trait_0", "correlation"), "low"] > 0.8
    assert traits["unrelated"].loc[("trait_0", "correlation"), "high"] < 0.8
    assert traits["unrelated"].loc[("trait_0", "rmse"), "low"] > 0.5


def test_summary_is_near_its_ideal_for_truth(comparison: scoring.Comparison):
    summary = comparison.reports["truth"].summary
    checked = summary.drop(index=["midparent_shift", "traits_midparent_shift"])
    room = 1e-9 + 0.25 * (checked["high"] - checked["low"])
    assert (checked["ideal"] >= checked["low"] - room).all() and (checked["ideal"] <= checked["high"] + room).all()


@pytest.mark.parametrize("num", [8, 64])
def test_power_to_see_a_variance_of_60_percent(reference: Reference, couples: np.ndarray, num: int):
    """With the right mean, and only the spread wrong, also from few children."""
    narrow = siblings(couples, num, seed=11, variance=0.6 * MENDELIAN)
    found = scoring.score(dict(zip(reference.couples, unit(narrow), strict=True)), reference)
    assert found.summary.loc["spread", "high"] < 0.9
    if num == 64:
        assert found.summary.loc["energy_distance", "low"] > 0


def test_shrunk_and_held_out_siblings(reference: Reference):
    smaller, held = baselines.hold_out(reference, 24, seed=3)
    assert smaller.num_siblings == 40 and smaller.children.shape[1] == 40
    for row, couple in enumerate(reference.couples):
        everybody = {point.tobytes() for point in reference.children[row]}
        parts = [{point.tobytes() for point in cloud} for cloud in (smaller.children[row], held[couple].embeddings)]
        assert not parts[0] & parts[1] and parts[0] | parts[1] == everybody
        kept = set(smaller.traits(couple, kind="measured")["trait_0"])
        assert kept | set(held[couple].traits["trait_0"]) == set(reference.traits(couple, kind="measured")["trait_0"])
    compared = scoring.compare({"held": held, "shrunk": baselines.shrink(held, 0.6)}, smaller)
    row = compared.reports["held"].summary.loc["energy_distance"]
    assert row["low"] <= 0 <= row["high"]
    assert compared.difference("shrunk", "held")["low"] > 0
    assert compared.reports["shrunk"].summary.loc["traits_spread", "value"] == pytest.approx(0.6, abs=0.05)
    assert np.allclose(np.linalg.norm(baselines.shrink(held)[couple].embeddings, axis=1), 1)


def test_baselines_that_cannot_be(reference: Reference):
    with pytest.raises(KinlibError, match="held out"):
        baselines.hold_out(reference, 63)
    with pytest.raises(KinlibError, match="itself"):
        baselines.unrelated_child(reference, step=NUM_COUPLES)


# --- the studio's genetics ---


def studio_reference(father: genetics.Genomes, mother: genetics.Genomes, seed: int) -> Reference:
    """Phenotypes of new children; the liabilities of all traits, on the unit sphere, stand in for embeddings."""
    num, num_siblings = len(father), 32
    looks = genetics.phenotypes(genetics.children(father, mother, num_siblings, seeded(seed)))
    adults = [genetics.phenotypes(people) for people in (father, mother)]
    names = tuple(f"c{index}" for index in range(num))
    tables = []
    for role, seen in (("father", adults[0]), ("mother", adults[1]), ("child", looks)):
        each = num_siblings if role == "child" else 1
        keys = {"couple": np.repeat(names, each), "role": role, "number": np.tile(range(each), num)}
        table = seen.to_frame()
        table = table[[name for name in table if not name.startswith("shape")][:20]]
        tables.append(pd.concat([pd.DataFrame(keys), table], axis=1))
    children = unit(looks.liability).reshape(num, num_siblings, -1)
    points = [np.float32(cloud) for cloud in (children, *(unit(seen.liability) for seen in adults))]
    return Reference(names, *points, pd.concat(tables), None, names, names, Provenance(seed, "none", "none"))


@pytest.fixture(scope="module")
def founding_couples() -> list[genetics.Genomes]:
    rng = seeded(21)
    return [genetics.founders({"birch": 1, "dune": 1, "cedar": 1}, 20, rng) for _ in range(2)]


def test_true_siblings_of_the_studio_are_not_told_from_others(founding_couples: list[genetics.Genomes]):
    reference = studio_reference(*founding_couples, seed=1)
    told = 0
    for seed in range(2, 10):
        fresh = baselines.true_sampler(studio_reference(*founding_couples, seed))
        row = scoring.score(fresh, reference).summary.loc["energy_distance"]
        told += not row["low"] <= 0 <= row["high"]
    assert told <= 2  # of eight 95% intervals


def test_baselines_with_the_studios_genetics(founding_couples: list[genetics.Genomes]):
    father, mother = founding_couples
    reference, other = (studio_reference(father, mother, seed) for seed in (1, 2))
    truth = baselines.true_sampler(other, kind="true")
    methods = {
        "truth": truth,
        "narrow": baselines.shrink(truth, 0.6),
        "parent": baselines.copied_parent(reference, kind="true"),
        "average": baselines.average_child(reference, kind="true"),
        "unrelated": baselines.unrelated_child(reference, kind="true"),
    }
    found = scoring.compare(methods, reference, traits="true")
    for measure in ("energy_distance", "traits_energy_distance"):
        best, narrow = found.ranking(measure).loc["truth"], found.ranking(measure).loc["narrow"]
        assert abs(best["value"]) < narrow["value"] / 3
        for loser in ("narrow", "parent", "average", "unrelated"):
            assert found.difference(loser, "truth", measure)["low"] > 0
        assert found.difference("unrelated", "average", measure)["apart"]
    table = found.reports["truth"].traits.set_index(["trait", "measure"])
    assert {"iris", "hair_colour", "sex", "free_lobes"} <= set(found.reports["truth"].traits["trait"])
    for category in ("iris", "hair_colour"):
        assert abs(table.loc[(category, "brier"), "value"]) < 0.02
        assert found.difference("unrelated", "truth", "brier", category)["low"] > 0
    ratios = found.reports["truth"].traits.query("measure == 'variance_ratio'")["value"]
    assert ratios.between(0.7, 1.4).all() and ratios.mean() == pytest.approx(1, abs=0.05)
    assert found.reports["average"].summary.loc["traits_spread", "value"] == pytest.approx(0, abs=1e-9)


# --- score and compare ---


def test_same_seed_same_report(reference: Reference, fresh: dict[str, Children]):
    first, second, third = (scoring.score(fresh, reference, seed=seed) for seed in (0, 0, 1))
    assert first.to_json() == second.to_json()
    assert first.to_json() != third.to_json()
    assert (first.summary["value"] == third.summary["value"]).all()


def test_order_of_couples_and_kind_of_input_do_not_matter(reference: Reference, fresh: dict[str, Children]):
    arrays = {couple: children.embeddings for couple, children in reversed(fresh.items())}
    tables = {couple: children.traits for couple, children in fresh.items()}
    both = scoring.score(fresh, reference).summary
    points, traits = scoring.score(arrays, reference).summary, scoring.score(tables, reference).summary
    pd.testing.assert_frame_equal(pd.concat([points, traits]), both)


def test_couples_table(reference: Reference, fresh: dict[str, Children]):
    report = scoring.score(fresh, reference)
    assert list(report.couples["couple"]) == list(reference.couples)
    last = reference.couples[-1]
    by_hand = distances.energy_distance(fresh[last].embeddings, reference.children[-1])
    assert report.couples["energy_distance"].iloc[-1] == pytest.approx(by_hand)
    assert report.summary.loc["energy_distance", "value"] == pytest.approx(report.couples["energy_distance"].mean())


def test_some_couples_only(reference: Reference, fresh: dict[str, Children]):
    some = {couple: fresh[couple] for couple in reference.couples[:5]}
    assert len(scoring.score(some, reference).couples) == 5
    with pytest.raises(KinlibError, match="same couples"):
        scoring.compare({"all": fresh, "some": some}, reference)


def test_children_that_could_not_be_measured(reference: Reference, fresh: dict[str, Children]):
    holes = {}
    for couple, children in fresh.items():
        table = children.traits.copy()
        table.loc[:15] = np.nan
        holes[couple] = table
    holes[reference.couples[0]] *= np.nan
    report = scoring.score(holes, reference)
    expected = (16 / 64 * (NUM_COUPLES - 1) + 1) / NUM_COUPLES
    assert report.summary.loc["traits_missing", "value"] == pytest.approx(expected)
    assert np.isnan(report.couples["traits_energy_distance"].iloc[0])
    row = report.summary.loc["traits_energy_distance"]
    assert row["low"] <= 0 <= row["high"]
    with pytest.raises(KinlibError, match="no couple has two children"):
        scoring.score({couple: table * np.nan for couple, table in holes.items()}, reference)


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("seed", -1),
        ("seed", 0.5),
        ("num_bootstrap", 0),
        ("num_bootstrap", -5),
        ("num_bootstrap", 10**9),
        ("neighbours", 0),
        ("neighbours", 64),
        ("traits", "seen"),
    ],
)
def test_settings_out_of_range(reference: Reference, fresh: dict[str, Children], setting: str, wrong):
    with pytest.raises(KinlibError, match=f"{setting}.*{wrong}"):
        scoring.score(fresh, reference, **{setting: wrong})


def test_embeddings_must_have_unit_length(reference: Reference, fresh: dict[str, Children]):
    raw = {couple: 3 * children.embeddings for couple, children in fresh.items()}
    with pytest.raises(KinlibError, match=rf"'{reference.couples[0]}' must be of unit length, not 3"):
        scoring.score(raw, reference)


def test_paired_intervals_are_narrower(comparison: scoring.Comparison):
    """Two bad methods suffer from the same couples; the difference is surer than either figure."""
    widths = [row["high"] - row["low"] for _, row in comparison.ranking().loc[["truth", "narrow"]].iterrows()]
    paired = comparison.difference("narrow", "truth")
    assert paired["high"] - paired["low"] < np.hypot(*widths) * 1.1
    turned = comparison.difference("truth", "narrow")
    assert turned["difference"] == -paired["difference"] and turned["low"] == -paired["high"]
    assert paired["apart"] and turned["apart"]


def test_json(comparison: scoring.Comparison, tmp_path: Path):
    report = comparison.reports["constant"]
    content = json.loads(report.to_json(tmp_path / "report.json"))
    assert (tmp_path / "report.json").read_text() == report.to_json()
    assert content["method"] == "constant" and content["settings"]["num_couples"] == NUM_COUPLES
    figures = {row["measure"]: row for row in content["summary"]}
    assert figures["energy_distance"]["value"] == pytest.approx(
        report.summary.loc["energy_distance", "value"], rel=1e-5
    )
    trait = [row for row in content["traits"] if (row["trait"], row["measure"]) == ("trait_0", "correlation")]
    assert trait[0]["value"] is None  # a constant correlates with nothing
    both = json.loads(comparison.to_json())
    assert set(both["reports"]) == set(comparison.reports) and len(both["differences"]) == len(comparison.differences)
    with pytest.raises(KinlibError, match="cannot be written"):
        report.to_json(tmp_path / "nowhere" / "report.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda given: {}, "no children"),
        (lambda given: given | {"nobody": given["couple_0"]}, "nobody"),
        (lambda given: given | {"couple_0": Children()}, "embeddings, or traits"),
        (lambda given: given | {"couple_0": given["couple_0"].embeddings}, "embeddings, or traits"),
        (lambda given: given | {"couple_0": replace(given["couple_0"], embeddings=np.ones((4, 3)))}, "dimensions"),
        (lambda given: given | {"couple_0": replace(given["couple_0"], embeddings=np.ones((1, 32)))}, "at least 2"),
        (lambda given: given | {"couple_0": replace(given["couple_0"], traits=pd.DataFrame())}, "at least 2"),
        (lambda given: {"couple_0": pd.DataFrame({"height": [1.0, 2.0]})}, "no column in common"),
        (lambda given: {"couple_0": pd.DataFrame({"trait_0": ["a", "b"]})}, "category"),
        (lambda given: {"couple_0": pd.DataFrame({"trait_0": [np.inf, 0.0]})}, "infinite"),
    ],
    ids=["none", "unknown", "empty", "mixed", "other network", "one", "no rows", "other traits", "words", "infinite"],
)
def test_unusable_input(reference: Reference, fresh: dict[str, Children], change, words: str):
    with pytest.raises(KinlibError, match=words):
        scoring.score(change(fresh), reference)


def test_true_traits_and_reliability(reference: Reference, couples: np.ndarray):
    new = baselines.true_sampler(reference_of(couples, siblings(couples, 64, seed=2), seed=60), kind="true")
    report = scoring.score(new, reference, traits="true")
    assert "iris" in set(report.traits["trait"]) and "iris" not in report.settings["traits"]
    table = scoring.reliability(reference)
    assert list(table.index) == [f"trait_{index}" for index in range(NUM_TRAITS)]
    assert table["within"].mean() == pytest.approx(sqrt(MENDELIAN / (MENDELIAN + SEEN)), abs=0.02)
    assert (table["between"] > 0.95).all()
    with pytest.raises(KinlibError, match="no measured traits"):
        scoring.score(new, replace(reference, measured=None))


# --- the reference on disk ---


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    path = tmp_path / "identity.safetensors"
    path.write_bytes(b"a network")
    return path


@pytest.fixture
def stored(reference: Reference, tmp_path: Path, identity: Path) -> Reference:
    folder = tmp_path / "heredity"
    (folder / "pictures").mkdir(parents=True)
    for name in (*reference.father_pictures, *reference.mother_pictures):
        Image.new("RGB", (16, 16)).save(folder / name)
    provenance = Provenance(7, weights.sha256(identity), "studio 1", {"pixels": 128})
    return write_reference(folder, replace(reference, provenance=provenance))


def test_round_trip(stored: Reference, reference: Reference, identity: Path, fresh: dict[str, Children]):
    loaded = load_reference(stored.folder, identity)
    assert loaded.couples == reference.couples and loaded.provenance == stored.provenance
    assert loaded.children.dtype == np.float32 and np.abs(loaded.children - reference.children).max() < 1e-3
    assert len(loaded) == NUM_COUPLES and loaded.num_siblings == 64
    pd.testing.assert_frame_equal(loaded.true, reference.true, check_dtype=False)
    pd.testing.assert_frame_equal(loaded.measured, reference.measured)
    assert loaded.picture("couple_3", "mother") == stored.folder / "pictures" / "couple_3_mother.jpg"
    rounded, exact = (scoring.score(fresh, one).summary["value"] for one in (loaded, reference))
    assert np.abs(rounded - exact).max() < 1e-3
    sizes = {path.name: path.stat().st_size for path in stored.folder.iterdir() if path.is_file()}
    assert set(sizes) == {"embeddings.safetensors", "true.parquet", "measured.parquet", "reference.json"}
    assert sizes["embeddings.safetensors"] < 2 * NUM_COUPLES * 66 * 32 + 1000  # float16


def test_measured_traits_may_be_missing(stored: Reference, identity: Path):
    write_reference(stored.folder, replace(stored, measured=None))
    loaded = load_reference(stored.folder, identity)
    assert loaded.measured is None and not loaded.has_traits("measured")


def test_rows_in_any_order(reference: Reference):
    shuffled = replace(reference, true=reference.true.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(shuffled.true, reference.true)
    father = reference.traits("couple_2", "father")
    rows = reference.true.query("couple == 'couple_2' and role == 'father'")
    assert len(father) == 1 and father["trait_1"].item() == rows["trait_1"].item()
    assert "couple" not in father and len(reference.traits("couple_2")) == 64


def test_nothing_there(tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(KinlibError, match="no heredity reference"):
        load_reference(tmp_path, identity)
    with pytest.raises(KinlibError, match="no identity network"):
        load_reference(tmp_path, tmp_path / "other")
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    with pytest.raises(KinlibError, match="not here"):  # the bundled network is looked for where the data are
        load_reference()


def test_bundled_folder_is_the_default(stored: Reference, tmp_path: Path, identity: Path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "weights" / "studio").mkdir(parents=True)
    shutil.copy(identity, tmp_path / "data" / "weights" / "studio" / "identity.safetensors")
    shutil.copytree(stored.folder, tmp_path / "data" / "studio" / "heredity")
    assert load_reference().folder == tmp_path / "data" / "studio" / "heredity"


def test_another_identity_network(stored: Reference, identity: Path):
    identity.write_bytes(b"a network, trained anew")
    with pytest.raises(KinlibError, match="another identity network"):
        load_reference(stored.folder, identity)


@pytest.mark.parametrize(
    "name", ["embeddings.safetensors", "true.parquet", "measured.parquet", "pictures/couple_0_father.jpg"]
)
def test_damaged_or_missing_files(stored: Reference, identity: Path, name: str):
    path = stored.folder / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(KinlibError, match=f"{path.name} of the heredity reference is damaged"):
        load_reference(stored.folder, identity)
    path.unlink()
    with pytest.raises(KinlibError, match=f"lacks .*{path.name}"):
        load_reference(stored.folder, identity)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: "no JSON", "damaged"),
        (lambda facts: [], "damaged"),
        (lambda facts: facts | {"files": {}}, "damaged"),
        (lambda facts: facts | {"format": 2}, "format 2"),
        (lambda facts: facts | {"couples": facts["couples"][1:]}, "damaged"),
        (lambda facts: facts | {"counts": facts["counts"] | {"siblings": 63}}, r"instead of \[24, 63, 32\]"),
        (lambda facts: {name: value for name, value in facts.items() if name != "seed"}, "damaged"),
        (lambda facts: facts | {"couples": [{"name": 1}] * 24}, "damaged"),
    ],
    ids=["text", "list", "no files", "format", "couples", "counts", "no seed", "no pictures"],
)
def test_damaged_facts(stored: Reference, identity: Path, change, words: str):
    path = stored.folder / "reference.json"
    changed = change(json.loads(path.read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(KinlibError, match=words):
        load_reference(stored.folder, identity)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: {"children": r.children * 2}, "length"),
        (lambda r: {"father_pictures": ("../x.jpg", *r.father_pictures[1:])}, "inside"),
        (lambda r: {"father_pictures": ("x.jpg", *r.father_pictures[1:])}, "no picture"),
    ],
    ids=["length", "outside", "no picture"],
)
def test_what_is_not_stored(stored: Reference, change, words: str):
    before = (stored.folder / "reference.json").read_bytes()
    with pytest.raises(KinlibError, match=words):
        write_reference(stored.folder, replace(stored, **change(stored)))
    assert (stored.folder / "reference.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: {"children": r.children[:, 0]}, "shape"),
        (lambda r: {"children": r.children[1:]}, "shape"),
        (lambda r: {"fathers": r.fathers[:, 1:]}, "fathers"),
        (lambda r: {"mothers": r.mothers * np.nan}, "not finite"),
        (lambda r: {"couples": ("same",) * len(r)}, "each of them once"),
        (lambda r: {"mother_pictures": ()}, "one picture"),
        (lambda r: {"true": r.true[1:]}, "one row for each"),
        (lambda r: {"measured": pd.concat([r.measured[1:], r.measured[-1:]])}, "one row for each"),
        (lambda r: {"true": r.true.drop(columns="role")}, "'role'"),
    ],
    ids=["flat", "fewer", "dimensions", "nan", "names", "pictures", "row missing", "row twice", "column"],
)
def test_parts_that_do_not_fit(reference: Reference, change, words: str):
    with pytest.raises(KinlibError, match=words):
        replace(reference, **change(reference))


def test_questions_without_answer(reference: Reference):
    for question in (
        lambda: reference.row("nobody"),
        lambda: reference.traits("couple_0", "uncle"),
        lambda: reference.traits("couple_0", kind="guessed"),
        lambda: reference.picture("couple_0", "father"),
    ):
        with pytest.raises(KinlibError):
            question()


# --- pictures: embeddings and measures ---


@pytest.fixture(scope="module")
def parent_measures() -> pd.DataFrame:
    return measures.measure_all(PARENTS)


def test_embeddings():
    found = scoring.embed_pictures(PARENTS, batch=3)
    assert found.shape == (len(PARENTS), 512) and found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    opened = [Image.open(path).convert("RGB") for path in PARENTS]
    tensor = to_tensor(opened)
    assert np.allclose(found, load_identity()(tensor).numpy(), atol=1e-5)
    assert np.allclose(found, scoring.embed_pictures(tensor), atol=1e-5)
    sizes = [opened[0].resize((256, 256)), opened[1]]
    mixed = scoring.embed_pictures(sizes, load_identity())
    assert (mixed * found[:2]).sum(axis=1).min() > 0.95
    assert torch.is_grad_enabled()
    with pytest.raises(KinlibError, match="no pictures"):
        scoring.embed_pictures([])
    with pytest.raises(KinlibError, match=r"in \[-1, 1\], not up to"):
        scoring.embed_pictures((tensor + 1) * 127.5)
    with pytest.raises(KinlibError, match=r"in \[-1, 1\], but these are from 0"):
        scoring.embed_pictures((tensor - tensor.min()) / 2)
    with pytest.raises(KinlibError, match="not finite"):
        scoring.embed_pictures(tensor * torch.nan)
    for batch in (0, -3):
        with pytest.raises(KinlibError, match="batch must be 1 or more"):
            scoring.embed_pictures(PARENTS, batch=batch)


def test_describe():
    found = scoring.describe(PARENTS[:2])
    assert found.embeddings.shape == (2, 512) and list(found.traits) == list(measures.MEASURES)


RANGES = {
    "face_width": (1.8, 2.6),
    "face_ratio": (0.8, 1.5),
    "jaw_width": (1.4, 2.2),
    "chin_height": (0.3, 0.8),
    "brow_height": (0.2, 0.6),
    "eye_spacing": (0.45, 0.7),
    "eye_size": (0.08, 0.25),
    "eye_tilt": (-5, 12),
    "nose_width": (0.25, 0.7),
    "nose_length": (0.5, 1.1),
    "mouth_width": (0.6, 1.2),
    "lip_fullness": (0.1, 0.5),
    "skin_lightness": (25, 90),
    "skin_redness": (2, 35),
    "hair_lightness": (3, 80),
}


def test_parents_are_measured_sensibly(parent_measures: pd.DataFrame):
    assert list(parent_measures) == list(RANGES) == list(measures.MEASURES)
    assert len(parent_measures) == len(PARENTS) == 16
    for name, (low, high) in RANGES.items():
        assert parent_measures[name].between(low, high).all(), name
    assert (parent_measures.std() > 0).all()


def test_colours_follow_what_one_sees(parent_measures: pd.DataFrame):
    """The fair second mother and the dark first one; the palest father and the darkest."""
    named = parent_measures.set_index(pd.Index([path.stem for path in PARENTS]))
    assert named.loc["couple_02_mother", "hair_lightness"] > named.loc["couple_01_mother", "hair_lightness"] + 15
    assert named.loc["couple_02_father", "skin_lightness"] > named.loc["couple_04_father", "skin_lightness"] + 5


def test_mirrored_pictures_measure_the_same(parent_measures: pd.DataFrame):
    mirrored = measures.measure_all([ImageOps.mirror(Image.open(path)) for path in PARENTS])
    typical = np.sqrt(np.square(mirrored - parent_measures).mean())
    assert (typical < parent_measures.std() * 0.6).all()
    assert (typical[list(measures.COLOURS)] < 0.5).all()


def test_smaller_pictures_measure_the_same(parent_measures: pd.DataFrame):
    small = measures.measure_all([Image.open(path).resize((96, 96), Image.Resampling.LANCZOS) for path in PARENTS])
    assert (np.sqrt(np.square(small - parent_measures).mean()) < parent_measures.std() * 0.5).all()


@pytest.fixture(scope="module")
def face() -> tuple[Image.Image, np.ndarray]:
    image = find_and_align(PARENTS[0], 128).aligned
    return image, np.float64(predict(image, detect(image)[0]))


def test_known_landmarks_are_invariant(face: tuple[Image.Image, np.ndarray]):
    """To mirroring, size and roll, exactly in the proportions."""
    image, points = face
    found = measures.measure(image, points)
    width = image.width
    mirrored = measures.measure(ImageOps.mirror(image), measures._mirrored(points, width, MIRRORED))
    large = measures.measure(image.resize((256, 256), Image.Resampling.BICUBIC), points * 2 + 0.5)
    angle = np.radians(20)  # clockwise in the image
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (width - 1) / 2
    rolled = measures.measure(image.rotate(-20, Image.Resampling.BICUBIC), (points - middle) @ turn.T + middle)
    for other in (mirrored, large, rolled):
        assert {name: other[name] for name in measures.PROPORTIONS} == pytest.approx(
            {name: found[name] for name in measures.PROPORTIONS}
        )
        assert all(abs(other[name] - found[name]) < 2.5 for name in measures.COLOURS)


@pytest.mark.parametrize(
    ("name", "moved", "by"),
    [
        ("mouth_width", [54, 64], (3, 0)),
        ("nose_width", [35], (3, 0)),
        ("jaw_width", [12], (3, 0)),
        ("brow_height", range(17, 27), (0, -3)),
        ("face_width", [16], (3, 0)),
        ("lip_fullness", [57], (0, 3)),
    ],
)
def test_each_measure_follows_its_landmarks(face, name: str, moved, by: tuple[int, int]):
    image, points = face
    changed = points.copy()
    changed[list(moved)] += by
    before, after = (measures.measure(image, one) for one in (points, changed))
    assert after[name] - before[name] == pytest.approx(3 / 32, rel=0.35)  # the eyes are a quarter of the crop apart


def test_painted_colours_are_read(face: tuple[Image.Image, np.ndarray]):
    image, points = face
    skin, hair = (120, 80, 60), (30, 90, 200)
    pixels = np.array(image)
    pixels[:] = skin
    pixels[: int(points[17:27, 1].min()) - 4] = hair
    found = measures.measure(pixels, points)
    lightness, redness, _ = rgb2lab(np.array([[skin]], dtype=np.uint8))[0, 0]
    assert found["skin_lightness"] == pytest.approx(lightness) and found["skin_redness"] == pytest.approx(redness)
    assert found["hair_lightness"] == pytest.approx(rgb2lab(np.array([[hair]], dtype=np.uint8))[0, 0, 0])


def test_pictures_without_a_face():
    grey = np.full((128, 128, 3), 128, np.uint8)
    with pytest.raises(KinlibError, match="no face"):
        measures.measure(grey)
    table = measures.measure_all([PARENTS[0], grey])
    assert table.iloc[0].notna().all() and table.iloc[1].isna().all()
    for landmarks in (np.zeros((5, 2)), np.full((68, 2), np.nan), np.zeros((68, 2))):
        with pytest.raises(KinlibError, match="landmarks"):
            measures.measure(PARENTS[0], landmarks)
