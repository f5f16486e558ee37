"""Simulated raters: what they react to, what they have in common, and how their ratings are made."""

import numpy as np
import pandas as pd
import pytest

from kinlib.attractiveness.raters import (
    ADULT,
    ASYMMETRIC_MODES,
    GROUP_TASTES,
    PREFERENCES,
    facts,
    make_panel,
    population_means,
    sample_people,
)
from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.studio.head.model import have_head, load_head
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS

# Landmark i of a mirrored face is landmark MIRROR[i] of the face (iBUG's order).
MIRROR = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
MIRROR += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, *range(54, 47, -1), *range(59, 54, -1)]
MIRROR += [*range(64, 59, -1), 67, 66, 65]


def plain(count: int = 1, **changes) -> pd.DataFrame:
    """Average faces of thirty, with changes to single columns."""
    row = {"age": 30.0, "smile": 0.4, "freckles": 0.0, "identity": np.zeros(NUM_SHAPE)}
    row |= {"proportions": np.zeros(len(PROPORTIONS))}
    return pd.DataFrame([row | changes for _ in range(count)])


def people(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "age": rng.uniform(ADULT, 80, count),
        "smile": rng.uniform(0, 0.9, count),
        "freckles": rng.uniform(0, 0.4, count),
        "identity": list(rng.normal(size=(count, NUM_SHAPE))),
        "proportions": list(rng.normal(size=(count, len(PROPORTIONS)))),
    }
    return pd.DataFrame(columns)


def test_what_all_raters_are_told_to_like_raises_the_expected_rating():
    panel = make_panel()
    crooked, far = np.zeros(NUM_SHAPE), np.full(len(PROPORTIONS), 1.5)
    crooked[list(ASYMMETRIC_MODES)] = 1.5
    base = panel.expected(facts(plain()))[0]
    worse = {"age": 60.0, "freckles": 0.6, "identity": crooked, "proportions": far, "smile": 0.0}
    changed = {name: panel.expected(facts(plain(**{name: value})))[0] for name, value in worse.items()}
    assert all(value < base - 0.05 for value in changed.values()), changed
    assert panel.expected(facts(plain(smile=0.9)))[0] > base


def test_symmetric_modes_leave_the_symmetry_as_it_is():
    moved = np.ones(NUM_SHAPE)
    moved[list(ASYMMETRIC_MODES)] = 0
    assert np.allclose(facts(plain(identity=moved)).of("symmetry"), facts(plain()).of("symmetry"))


@pytest.mark.skipif(not have_head(), reason="needs the head model")
def test_the_asymmetric_modes_are_those_of_the_head_model():
    head = load_head()
    modes = head.identity[:, head.landmarks]  # [100, 68, 3]
    half = (modes - modes[:, MIRROR] * np.array([-1, 1, 1])) / 2
    size = np.sqrt((half**2).sum(axis=2).mean(axis=1))  # cm
    assert {int(mode) for mode in np.flatnonzero(size > 1e-3)} == set(ASYMMETRIC_MODES)
    assert np.allclose(size[list(ASYMMETRIC_MODES)], list(ASYMMETRIC_MODES.values()), atol=1e-4)


def test_each_group_prefers_faces_near_its_own_mean_and_one_proportion():
    panel, means = make_panel(), population_means()
    for number, home in enumerate(POPULATIONS):
        near, mirrored = (plain(proportions=sign * means[number]) for sign in (1, -1))
        raters = panel.of(home)
        assert len(raters) == 12
        assert raters.expected(facts(near))[0] > raters.expected(facts(mirrored))[0], home
        liked = np.zeros(len(PROPORTIONS))
        liked[PROPORTIONS.index(GROUP_TASTES[home])] = 1
        gain = [np.mean(panel.of(other).tastes[:, PROPORTIONS.index(GROUP_TASTES[home])]) for other in POPULATIONS]
        assert int(np.argmax(gain)) == number


def test_half_of_the_taste_is_private():
    seen = facts(people(3000))
    utilities = make_panel(raters=300).utilities(seen)
    shared = utilities.mean(axis=1).var() / utilities.var(axis=0).mean()
    assert 0.4 < shared < 0.65


def test_ratings_are_whole_levels_and_their_mean_approaches_the_expectation():
    seen = facts(people(1000))
    panel = make_panel()
    ratings = panel.rate(seen)
    assert ratings.shape == (1000, 60) and ratings.dtype == np.int8
    assert ratings.min() >= 1 and ratings.max() <= 5 and len(np.unique(ratings)) == 5
    wanted = panel.expected(seen)
    assert np.corrcoef(ratings.mean(axis=1), wanted)[0, 1] > 0.97
    few = np.corrcoef(ratings[:, :3].mean(axis=1), wanted)[0, 1]
    assert few < 0.9
    assert np.array_equal(ratings, panel.rate(seen)) and not np.array_equal(ratings, panel.rate(seen, seed=1))


def test_the_parts_of_a_rating_sum_to_it():
    seen, panel = facts(people(200)), make_panel()
    unclipped = (panel.centre + panel.spread * panel.utilities(seen)).mean(axis=1)
    assert np.allclose(sum(panel.parts(seen).values()) + panel.centre.mean(), unclipped)


def test_raters_tire_within_a_session():
    seen = facts(plain(20_000))
    panel = make_panel(raters=4)
    still = type(panel)(
        *(getattr(panel, name) for name in ("homes", "weights", "tastes", "centre", "spread", "noise")), 0.0
    )
    assert panel.rate(seen).std(axis=0).mean() > 1.1 * still.rate(seen).std(axis=0).mean()


def test_make_up_light_and_skin_tone_are_nobodys_preference():
    dark = plain(melanin=0.9, lipstick=0.8, glasses=True)
    assert np.array_equal(make_panel().utilities(facts(dark)), make_panel().utilities(facts(plain())))
    assert not {"melanin", "lipstick"} & set(PREFERENCES)


@pytest.mark.parametrize(
    ("table", "words"),
    [(plain(0), "no pictures"), (plain(age=12.0), "children are not rated")],
)
def test_nothing_and_children_are_refused(table, words):
    with pytest.raises(KinlibError, match=words):
        facts(table)


def test_an_empty_panel_and_unknown_homes_are_refused():
    for changes in ({"raters": 0}, {"homes": ("nowhere",)}, {"homes": ()}):
        with pytest.raises(KinlibError, match="a panel needs raters"):
            make_panel(**changes)


def test_sampled_people_are_adults_with_all_that_raters_need():
    table = sample_people(30, seed=3)
    assert len(table) == 30 and table["age"].min() >= ADULT and table["person"].is_unique
    assert set(table["population"]) <= set(POPULATIONS) and table["male"].nunique() == 2
    assert table.head(10)["age"].tolist() == sample_people(10, seed=3)["age"].tolist()
    ratings = make_panel().rate(facts(table))
    assert 2 < ratings.mean() < 4
