"""Trios, and the three ways to make image trios of them, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from kinlib.families import trios as module
from kinlib.families.tables import FamilyTables, frame
from kinlib.families.trios import (
    HOW,
    aligned_lists,
    attach_images,
    build,
    effective_number,
    num_image_trios,
    pair_images,
    weights,
)
from kinlib.runtime.errors import KinlibError

SIZES = {"A/Fa": 3, "A/Mo": 2, "A/C1": 4, "A/C2": 1, "A/Wi": 2, "A/C3": 0, "B/Fa": 5, "B/Mo": 5, "B/C1": 5}
RELATIONS = [  # parent, child, kind, house
    *(("A/Fa", "A/C1", "father", 1), ("A/Mo", "A/C1", "mother", 1)),
    *(("A/Fa", "A/C2", "father", 1), ("A/Mo", "A/C2", "mother", 1)),
    *(("A/C1", "A/C3", "father", 2), ("A/Wi", "A/C3", "mother", 2)),
    *(("B/Fa", "B/C1", "father", 1), ("B/Mo", "B/C1", "mother", 1)),
    ("B/Mo", "B/C2", "mother", 1),  # no father known
    ("B/Fa", "B/C3", "parent", 1),
]


@pytest.fixture
def tables(tmp_path):
    people = frame("people", [(who, who[0], who[2:], None) for who in [*SIZES, "B/C2", "B/C3"]])
    images = frame("images", [(f"{who}/{n}.jpg", who, None) for who, size in SIZES.items() for n in range(size)])
    relations = frame("relations", [(*row, None) for row in RELATIONS])
    return FamilyTables("Test", tmp_path, people, images, relations)


@pytest.fixture
def trios(tables):
    return build(tables)


def rows(pairs):
    return pairs[["father_image", "mother_image", "child_image"]].to_numpy().tolist()


def test_trios(trios):
    assert trios[["family", "house", "father", "mother", "child"]].to_numpy().tolist() == [
        ["A", 1, "A/Fa", "A/Mo", "A/C1"],
        ["A", 1, "A/Fa", "A/Mo", "A/C2"],
        ["A", 2, "A/C1", "A/Wi", "A/C3"],
        ["B", 1, "B/Fa", "B/Mo", "B/C1"],
    ]
    assert trios.loc[1, "father_images"] == ["A/Fa/0.jpg", "A/Fa/1.jpg", "A/Fa/2.jpg"]
    assert trios.loc[2, "child_images"] == []


def test_a_couple_whose_child_stands_in_two_houses_is_one_trio(tables):
    again = frame("relations", [("B/Fa", "B/C1", "father", 2, 9), ("B/Mo", "B/C1", "mother", 2, 9)])
    twice = FamilyTables("T", tables.root, tables.people, tables.images, pd.concat([tables.relations, again]))
    assert len(build(twice)) == 4


def test_numbers_of_image_trios(trios):
    assert num_image_trios(trios, "min").tolist() == [2, 1, 0, 5]
    assert num_image_trios(trios, "all").tolist() == [3 * 2 * 4, 3 * 2 * 1, 0, 125]
    assert num_image_trios(trios, "fixed", 10).tolist() == [5, 5, 0, 10]
    assert num_image_trios(trios, "fixed", 11).tolist() == [6, 5, 0, 11]
    assert num_image_trios(trios, "fixed", 20).tolist() == [14, 6, 0, 20]  # the second trio has six combinations only
    assert num_image_trios(trios, "fixed", 1000).tolist() == [24, 6, 0, 125]
    assert num_image_trios(trios, "fixed", 10, per="house").tolist() == [5, 5, 0, 10]
    assert num_image_trios(trios, "fixed", 4, per="trio").tolist() == [4, 4, 0, 4]


@pytest.mark.parametrize("how", HOW)
def test_image_trios_belong_together(tables, trios, how):
    pairs = pair_images(trios, how=how, number=10)
    assert len(pairs) == num_image_trios(trios, how, 10).sum()
    owner = dict(zip(tables.images["image"], tables.images["person"], strict=True))
    for role in ("father", "mother", "child"):
        assert (pairs[f"{role}_image"].map(owner) == pairs[role]).all()
    assert not pairs.duplicated().any()
    counted = pairs.groupby(["father", "mother", "child"]).size()
    assert counted.to_dict() == {
        tuple(row[["father", "mother", "child"]]): count
        for (_, row), count in zip(trios.iterrows(), num_image_trios(trios, how, 10), strict=True)
        if count
    }


def test_min_uses_no_image_twice_in_a_trio(trios):
    pairs = pair_images(trios, how="min")
    for role in ("father", "mother", "child"):
        assert not pairs.duplicated(["father", "mother", "child", f"{role}_image"]).any()


def test_all_is_every_combination(trios):
    pairs = pair_images(trios[trios["child"] == "A/C2"], how="all")
    expected = [[f"A/Fa/{f}.jpg", f"A/Mo/{m}.jpg", "A/C2/0.jpg"] for f in range(3) for m in range(2)]
    assert rows(pairs) == expected


def test_fixed_gives_every_family_the_same(trios):
    pairs = pair_images(trios, how="fixed", number=24)
    assert pairs["family"].value_counts().to_dict() == {"A": 24, "B": 24}


def test_the_seed_decides(trios):
    for how, depends in (("min", True), ("fixed", True), ("all", False)):
        one, same, other = (rows(pair_images(trios, how=how, number=24, seed=seed)) for seed in (1, 1, 2))
        assert one == same and (one != other) == depends


def test_min_may_use_an_image_in_two_trios(trios):
    """The father of two children is paired with each of them anew."""
    own = [pair_images(trios[:2], "min", seed=seed)["father_image"] for seed in range(20)]
    assert any(images.duplicated().any() for images in own)


def test_min_draws_from_all_images(trios):
    seen = {row[0] for seed in range(30) for row in rows(pair_images(trios[:1], "min", seed=seed))}
    assert seen == {"A/Fa/0.jpg", "A/Fa/1.jpg", "A/Fa/2.jpg"}


def test_aligned_lists(trios):
    pairs = pair_images(trios, how="all")
    lists = aligned_lists(pairs)
    assert [list(row) for row in zip(*lists, strict=True)] == rows(pairs)
    assert lists.fathers == pairs["father_image"].tolist() and lists.children == pairs["child_image"].tolist()


def test_weights(trios):
    shares = weights(trios, num_image_trios(trios, "all"))
    assert shares.to_dict() == {"B": 125 / 155, "A": 30 / 155}
    assert effective_number(shares) == pytest.approx(155**2 / (125**2 + 30**2))
    assert effective_number(pd.Series([0.25] * 4)) == pytest.approx(4)
    assert weights(trios, num_image_trios(trios, "min"), by="father").index.tolist() == ["B/Fa", "A/Fa", "A/C1"]


def test_other_images(tables, trios):
    aligned = pd.DataFrame({"image": ["x.png", "y.png", "z.png"], "person": ["B/Fa", "B/Mo", "B/C1"]})
    for table in (build(tables, aligned), attach_images(trios, aligned)):
        assert rows(pair_images(table)) == [["x.png", "y.png", "z.png"]]
    assert trios.loc[3, "father_images"][0] == "B/Fa/0.jpg"  # the first table stays as it was


def test_no_trios_give_no_image_trios(tables):
    empty = FamilyTables("T", tables.root, tables.people, tables.images, frame("relations", []))
    trios = build(empty)
    assert len(trios) == 0
    for how in HOW:
        pairs = pair_images(trios, how=how)
        assert len(pairs) == 0 and aligned_lists(pairs) == ([], [], [])
        assert effective_number(weights(trios, num_image_trios(trios, how))) == 0


def test_no_images_at_all(tables):
    trios = build(tables, tables.images[:0])
    for how in HOW:
        assert len(pair_images(trios, how=how)) == 0
    assert weights(trios, num_image_trios(trios)).sum() == 0


def test_filtered_tables_pair_as_well(trios):
    """The images travel in the table itself, whatever is done to its rows."""
    chosen = trios[trios["family"] == "B"]
    assert pair_images(chosen, "min")["father"].unique().tolist() == ["B/Fa"]
    assert np.array_equal(chosen.index, num_image_trios(chosen).index)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"how": "max"}, "unknown way 'max'"),
        ({"how": "fixed", "number": 0}, "1 or more"),
        ({"how": "fixed", "per": "person"}, "family, house, trio"),
        ({"how": "all", "most": 154}, "155 image trios, more than 154"),
    ],
)
def test_what_cannot_be_done(trios, arguments, words):
    with pytest.raises(KinlibError, match=words):
        pair_images(trios, **arguments)


def test_the_ways_have_a_choice_each():
    assert set(module.CHOICES) == set(HOW)
