"""Groups of people: who belongs to which, and the metrics of each."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.evaluation.groups import by_group, groups_of, partitions_of, population_indices
from kinlib.studio.datasets.renders import read_facts, read_part
from kinlib.studio.datasets.sampling import member_genome
from kinlib.studio.genetics.populations import POPULATIONS

TABLE = pd.DataFrame(
    {
        "male": [True, False, False, True, True, False],
        "age": [4.0, 17.99, 18.0, 59.9, 60.0, 85.0],
        "melanin": [0.1, 0.9, 0.2, 0.8, 0.5, 0.4],
        "population": ["amber", "mixed", "ember", "ember", "birch", "amber"],
    }
)


def test_each_person_is_in_one_group_of_each_kind():
    groups = groups_of(TABLE)
    assert groups["men"].tolist() == [True, False, False, True, True, False]
    assert groups["0 to 17 years"].tolist() == [True, True, False, False, False, False]
    assert groups["18 to 39 years"].tolist() == [False, False, True, False, False, False]
    assert groups["60 to 100 years"].sum() == 2
    assert groups["lightest third of skins"].tolist() == [True, False, True, False, False, False]
    assert groups["darkest third of skins"].tolist() == [False, True, False, True, False, False]
    assert groups["mixed"].sum() == 1 and "cedar" not in groups  # nobody there
    assert sum(rows.sum() for rows in groups.values()) == 4 * len(TABLE)


def test_groups_of_one_partition_do_not_overlap():
    found = partitions_of(TABLE)
    assert set(found) == {"sex", "age", "skin", "population", "descent"}
    for by, groups in found.items():
        counts = np.sum(list(groups.values()), axis=0)
        assert counts.tolist() == ([1, 0, 1, 1, 1, 1] if by == "population" else [1] * 6)
    assert set(partitions_of(TABLE[TABLE["population"] != "mixed"])) == {"sex", "age", "skin", "population"}
    assert set(partitions_of(pd.DataFrame({"male": [True, True]}))) == set()


def test_attributes_may_be_json_and_what_is_not_told_makes_no_groups():
    texts = [json.dumps({"male": bool(male), "age": age}) for male, age in zip(TABLE.male, TABLE.age, strict=True)]
    groups = groups_of(pd.DataFrame({"attributes": texts}, index=range(7, 13)))
    assert set(groups) == {"women", "men", "0 to 17 years", "18 to 39 years", "40 to 59 years", "60 to 100 years"}
    assert (groups["women"] == groups_of(TABLE)["women"]).all()
    assert groups_of(pd.DataFrame(index=range(3))) == {} and groups_of(TABLE[:0]) == {}


def test_population_follows_from_seed_and_person():
    people = np.array([18, 36, 18, 54])
    groups = groups_of(pd.DataFrame({"person": people, "seed": 5}))
    for row, person in enumerate(people):
        home = POPULATIONS[int(member_genome(5, int(person)).ancestry[0].argmax())]
        assert groups[home][row]
    assert sum(rows.sum() for rows in groups.values()) == 4
    assert population_indices(5, people)[0] == population_indices(5, people)[2]


def test_means_by_group():
    right, error = torch.tensor([1.0, 0, 1, 1, 0, 0]), np.array([1, np.nan, 3, 5, 6, np.nan])
    means = by_group(groups_of(TABLE), right=right, error=error)
    assert means["men"] == {"pictures": 3, "right": pytest.approx(2 / 3, abs=1e-4), "error": 4.0}
    assert means["women"]["error"] == 3.0
    assert means["mixed"] == {"pictures": 1, "right": 0.0}  # nothing was measured there


def test_facts_of_a_set(tmp_path):
    rows = [
        {"person": person, "view": 0, "image": b"", "attributes": json.dumps({"age": person})} for person in range(37)
    ]
    pd.DataFrame(rows[:20]).to_parquet(tmp_path / "part-00000.parquet")
    pd.DataFrame(rows[20:]).to_parquet(tmp_path / "part-00001.parquet")
    assert list(read_part(tmp_path / "part-00000.parquet", ["view"])) == ["view", "attributes"]
    (tmp_path / "render.json").write_text('{"seed": 3}')
    facts = read_facts(tmp_path, held_out=True)
    assert facts.person.tolist() == [0, 18, 36] and facts.seed.tolist() == [3, 3, 3]
    assert groups_of(facts)["18 to 39 years"].tolist() == [False, True, True]
    assert len(read_facts(tmp_path, held_out=False)) == 34
