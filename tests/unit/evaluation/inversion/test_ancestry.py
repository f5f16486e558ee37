"""Mixed descent: a planted gap is found, a population that is hard in itself is not mistaken for one."""

import numpy as np
import pandas as pd
import pytest

from kinlib.evaluation import inversion
from kinlib.studio.genetics.populations import POPULATIONS

HARD = np.array([0.0, -1.0, 0.5, 0.0, -2.0])  # mean error of each population, beside 25


def people(gap: float, count: int = 40) -> pd.DataFrame:
    """Founders of five populations and as many people of two of them, with errors whose gap is known."""
    rng = np.random.default_rng(0)
    shares = [np.eye(5)[number] for number in range(5) for _ in range(count)]
    shares += [np.eye(5)[[4, 1]].mean(axis=0)] * count
    homes = [name for name in (*POPULATIONS, "mixed") for _ in range(count)]
    errors = 25 + np.array(shares) @ HARD + rng.normal(0, 0.3, len(shares))
    errors[-count:] += gap
    columns = pd.DataFrame(shares, columns=list(POPULATIONS))
    return columns.assign(name=[f"p{i}" for i in range(len(homes))], population=homes, psnr_db=errors)


def test_hard_populations_are_no_gap():
    """The mixed people are 1.1 dB below the average here, for they come from hard populations."""
    table = people(gap=0.0)
    mixed = table["population"] == "mixed"
    assert table["psnr_db"][mixed].mean() - table["psnr_db"][~mixed].mean() < -0.8
    found = inversion.ancestry_gap(table, "psnr_db")
    assert found["low"] < 0 < found["high"] and abs(found["mean"]) < 0.2 and found["people"] == 40


def test_a_planted_gap_is_found():
    found = inversion.ancestry_gap(people(gap=-0.5), "psnr_db")
    assert found["low"] < -0.5 < found["high"] and found["high"] < 0


def test_means_by_person():
    photographs = pd.DataFrame({"name": ["p0", "p0", "p1"], "psnr_db": [20.0, 24.0, 30.0]})
    found = inversion.mean_by_person(photographs, people(0.0), ["psnr_db"])
    assert found["psnr_db"].tolist() == [22.0, 30.0] and found["population"].tolist() == ["amber", "amber"]


def test_children_against_their_parents():
    family = pd.DataFrame(
        {
            "person": [0, 1, 2, 3, 4],
            "name": ["father", "mother", "child", "wife", "grandchild"],
            "father": [np.nan, np.nan, 0, np.nan, 2],
            "mother": [np.nan, np.nan, 1, np.nan, 3],
            "population": ["amber", "amber", "amber", "ember", "mixed"],
        }
    )
    errors = pd.DataFrame({"name": family["name"], "psnr_db": [24.0, 26.0, 25.5, 23.0, 24.0]})
    found = inversion.mid_parent_gap(errors, family, "psnr_db").set_index("name")
    assert found["couple"].to_dict() == {"child": "one population", "grandchild": "mixed"}
    assert found["gap"].to_dict() == {"child": 0.5, "grandchild": pytest.approx(-0.25)}
    without = inversion.mid_parent_gap(errors[errors["name"] != "wife"], family, "psnr_db")
    assert without["name"].tolist() == ["child"]


def test_effect_of_mixing_is_beyond_the_mean():
    found = inversion.mixing_effect(np.array([20.0, 30.0, 25.0, 20.0, 22.0, 20.0]))
    assert found.tolist() == [0.0, -1.0]


def test_a_group_gains_from_its_own_members():
    """Pictures of a group vary along directions of their own; another group's vary as everybody's do."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(3, 50)), rng.normal(size=(3, 50))
    homes = np.repeat(["common", "same", "own"], 40)
    pictures = rng.normal(size=(120, 3)) @ common * 0.1
    pictures[homes == "own"] += rng.normal(size=(40, 3)) @ own * 0.1
    pictures += rng.normal(size=pictures.shape) * 0.005
    names = np.array([f"p{i}" for i in range(120)])
    gains = {group: inversion.eigenface_gain(pictures, names, homes, group, components=6) for group in ("own", "same")}
    assert len(gains["own"]) == 40 and gains["own"].mean() > 10
    # Leaving `same` out costs nothing: the six components are needed for nothing but what others show as well.
    assert abs(gains["same"].mean()) < 1
