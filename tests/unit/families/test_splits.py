"""Splits: whole families, nothing shared, shares met; and what the naive way would leak."""

import numpy as np
import pandas as pd
import pytest

from kinlib.families.splits import SHARES, count_leaks, groups, naive_split, split
from kinlib.families.tables import FamilyTables, Problem, frame
from kinlib.runtime.errors import KinlibError


def make(root, num_families=40, images_each=5, photos=None, names=None, problems=(), relations=()):
    """Families F0, F1, ... of three people each; `photos` maps images to photographs."""
    names = names or {}
    people = [
        (f"F{f}/{p}", f"F{f}", names.get(f"F{f}/{p}", f"N{f}_{p}"), None) for f in range(num_families) for p in "abc"
    ]
    images = [f"{person}/{n}.jpg" for person, *_ in people for n in range(images_each)]
    table = [(image, image.rpartition("/")[0], (photos or {}).get(image)) for image in images]
    rows = frame("relations", [(*row, "father", None, None) for row in relations])
    return FamilyTables("Test", root, frame("people", people), frame("images", table), rows, list(problems))


def test_families_stay_whole(tmp_path):
    tables = make(tmp_path)
    found = split(tables)
    assert found["person"].tolist() == tables.people["person"].tolist()
    assert (found.groupby("family")["part"].nunique() == 1).all()
    assert (found.groupby("group")["family"].nunique() == 1).all()


def test_shares_are_met_as_nearly_as_families_allow(tmp_path):
    tables = make(tmp_path)
    for shares in (SHARES, {"train": 0.5, "test": 0.5}, {"a": 0.6, "b": 0.1, "c": 0.3}):
        parts = split(tables, shares)["part"].value_counts(normalize=True)
        for part, share in shares.items():
            assert parts[part] == pytest.approx(share, abs=1e-9)  # 40 equal families divide evenly


def test_shares_are_of_images(tmp_path):
    tables = make(tmp_path, num_families=10)
    many = frame("images", [(f"F0/a/{n}.jpg", "F0/a", None) for n in range(135)])  # together with 9 x 15 others: half
    tables = FamilyTables("T", tmp_path, tables.people, pd.concat([many, tables.images[15:]]), tables.relations)
    found = split(tables, {"train": 0.5, "test": 0.5})
    assert found.groupby("part")["family"].nunique().tolist() in ([1, 9], [9, 1])


def test_without_images_people_count(tmp_path):
    parts = split(make(tmp_path, images_each=0), {"train": 0.75, "test": 0.25})["part"]
    assert (parts == "train").sum() == 90


def test_the_seed_decides(tmp_path):
    tables = make(tmp_path)
    one, same, other = (split(tables, seed=seed)["part"].tolist() for seed in (1, 1, 2))
    assert one == same and one != other


def test_every_part_gets_a_family(tmp_path):
    """Even where one family holds nearly everything."""
    tables = make(tmp_path, num_families=3, images_each=1)
    many = frame("images", [(f"F0/a/x{n}.jpg", "F0/a", None) for n in range(500)])
    tables = FamilyTables("T", tmp_path, tables.people, pd.concat([many, tables.images]), tables.relations)
    assert set(split(tables)["part"]) == set(SHARES)


def test_a_shared_photograph_joins_families(tmp_path):
    photos = {"F0/a/0.jpg": "P1", "F7/b/3.jpg": "P1", "F7/c/0.jpg": "P2", "F9/a/1.jpg": "P2"}
    tables = make(tmp_path, photos=photos)
    group = groups(tables)
    assert group["F0/a"] == group["F7/a"] == group["F9/c"] and group.nunique() == 38
    found = split(tables).set_index("person")["part"]
    assert found["F0/b"] == found["F7/b"] == found["F9/b"]


def test_a_photograph_called_as_a_person_joins_nothing(tmp_path):
    assert groups(make(tmp_path, photos={"F0/a/0.jpg": "F7/a", "F1/a/0.jpg": "F8"})).nunique() == 40


def test_a_relation_across_families_joins_them(tmp_path):
    group = groups(make(tmp_path, relations=[("F3/a", "F5/b")]))
    assert group["F3/a"] == group["F5/a"] and group.nunique() == 39


def test_one_name_in_two_families_joins_them_where_the_reader_says_so(tmp_path):
    names = {"F2/a": "Ann_Hill", "F6/c": "ANN-HILL"}
    assert groups(make(tmp_path, names=names)).nunique() == 40
    problem = Problem("same_name", "list:3", "", "F6", "F6/c")
    group = groups(make(tmp_path, names=names, problems=[problem]))
    assert group["F2/b"] == group["F6/b"] and group.nunique() == 39


def test_identical_files_join_families_when_asked(tmp_path):
    tables = make(tmp_path, num_families=4, images_each=1)
    for number, image in enumerate(tables.images["image"]):
        path = tmp_path / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"same" if image in ("F0/a/0.jpg", "F3/c/0.jpg") else bytes([number]))
    assert groups(tables).nunique() == 4
    assert groups(tables, by_content=True).nunique() == 3
    parts = pd.Series({f"F{f}/{p}": "train" if f else "test" for f in range(4) for p in "abc"})
    assert count_leaks(tables, parts).contents is None
    leaks = count_leaks(tables, parts, by_content=True)
    assert (leaks.contents, leaks.groups, leaks.families) == (1, 1, 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_split_leaks_nothing(tmp_path, seed):
    rng = np.random.default_rng(seed)
    photos = {f"F{rng.integers(40)}/a/{n % 5}.jpg": f"P{n // 2}" for n in range(8)}
    tables = make(tmp_path, photos=photos)
    leaks = count_leaks(tables, split(tables, seed=seed).set_index("person")["part"])
    assert (leaks.people, leaks.families, leaks.groups, leaks.photos) == (0, 0, 0, 0)
    assert (leaks.known_people, leaks.known_families) == (0, 0)


def test_the_naive_way_leaks(tmp_path):
    tables = make(tmp_path, photos={"F0/a/0.jpg": "P1", "F0/b/0.jpg": "P1"})
    parts = naive_split(tables, {"train": 0.5, "test": 0.5})
    assert parts.index.tolist() == tables.images["image"].tolist()
    assert parts.value_counts().to_dict() == {"train": 300, "test": 300}
    leaks = count_leaks(tables, parts)
    # 5 images of a person all fall on one side in about 1 of 16 cases
    assert leaks.families == 40 and 100 < leaks.people <= 120
    assert leaks.known_people > 0.9 and leaks.known_families > 0.95


def test_leaks_counted_by_hand(tmp_path):
    tables = make(tmp_path, num_families=2, images_each=2, photos={"F0/a/0.jpg": "P", "F0/b/0.jpg": "P"})
    parts = pd.Series("train", index=tables.images["image"])
    parts[["F0/a/0.jpg", "F1/a/0.jpg", "F1/a/1.jpg"]] = "test"
    leaks = count_leaks(tables, parts)
    assert (leaks.people, leaks.families, leaks.photos) == (1, 2, 1)  # F1/a is in the test part alone
    assert leaks.known_people == pytest.approx(1 / 3) and leaks.known_families == 1
    assert count_leaks(tables, parts, train="nothing of the kind").known_people == 0
    assert count_leaks(tables, pd.Series("train", index=tables.images["image"])).known_families == 0


def test_what_cannot_be_done(tmp_path):
    tables = make(tmp_path, num_families=2)
    with pytest.raises(KinlibError, match="sum to 1"):
        split(tables, {"train": 0.8, "test": 0.1})
    with pytest.raises(KinlibError, match="sum to 1"):
        naive_split(tables, {"train": 1.2, "test": -0.2})
    with pytest.raises(KinlibError, match="2 groups of families cannot make 3 parts"):
        split(tables)
    with pytest.raises(KinlibError, match="some have none"):
        count_leaks(tables, pd.Series({"F0/a": "train"}))
