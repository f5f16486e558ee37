"""Readers of attributes in pictures, and the labelled photographs on which they are checked."""

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.evaluation.edits.labelled import aligned, couples_with_children, encode, nearest, true_attributes
from kinlib.evaluation.edits.readers import ATTRIBUTES, AttributeReaders, proportions, reliability
from kinlib.faces.demography import analyse
from kinlib.faces.parsing import load_parser
from kinlib.studio.datasets.family_album import load_album


@pytest.fixture(scope="module")
def album():
    return load_album()


@pytest.fixture(scope="module")
def table(album):
    return true_attributes(album)


@pytest.fixture(scope="module")
def some(table):
    """24 photographs: half with glasses."""
    parts = [table[table["glasses"] == worn].sample(12, random_state=1) for worn in (0, 1)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def read(album, some):
    return AttributeReaders(analyse, load_parser()).read(aligned(album, some, 128))


def test_every_attribute_is_read(read):
    assert tuple(read.columns) == ATTRIBUTES and len(read) == 24
    assert read.drop(columns=["hair_light"]).notna().all(axis=None)  # a bald head has no hair
    assert read["sex"].between(0, 1).all() and read["smile"].between(0, 1).all()


def test_readers_follow_the_truth(read, some):
    found = reliability(
        read, {name: some[name] for name in ("age", "sex", "yaw", "glasses", "skin_light")}, some["name"]
    )
    assert (found["correlation"] > 0.75).all()
    assert ((found["low"] <= found["correlation"]) & (found["correlation"] <= found["high"])).all()


def test_reliability_is_the_correlation():
    rng = np.random.default_rng(0)
    read = pd.DataFrame({"age": rng.normal(size=200)})
    true = 0.5 * read["age"].to_numpy() + rng.normal(size=200)
    read["sex"] = rng.normal(size=200)
    found = reliability(read, {"age": true, "unread": true, "sex": np.full(200, 0.5)}, np.arange(200) // 4)
    assert list(found.index) == ["age", "sex"] and np.isnan(found.loc["sex", "correlation"])
    assert found.loc["age", "correlation"] == pytest.approx(np.corrcoef(read["age"], true)[0, 1])


def test_proportions_depend_on_neither_size_nor_place():
    points = np.random.default_rng(1).uniform(20, 100, (3, 68, 2))
    first, second = proportions(points), proportions(2.5 * points + 7)
    assert set(first) == {"mouth_open", "roundness"}
    for name in first:
        np.testing.assert_allclose(first[name], second[name])


def test_true_attributes(album, table):
    assert album.truth["fault"].isna().sum() == len(table) and table.notna().all(axis=None)
    assert set(np.unique(table["necklace"])) == {0.0, 1.0} and 0 < table["necklace"].mean() < 0.3
    assert table["hair_light"].between(0, 1).all() and table["skin_light"].between(0, 1).all()


def test_nearest_photographs_keep_the_order(table):
    names = list(table["name"].unique()[[5, 2, 9]])
    rows = nearest(table, names, 30.0)
    assert list(rows["name"]) == names
    own = table[table["name"] == names[0]]
    assert abs(rows["age"][0] - 30) <= (own["age"] - 30).abs().min() + 0.5 * own["yaw"].abs().max()


def test_couples_have_pictures_of_all_three(album, table):
    couples = couples_with_children(album, table)
    assert len(couples) > 30 and not couples.duplicated(["father", "mother"]).any()
    assert set(couples[["father", "mother", "child"]].to_numpy().ravel()) <= set(table["name"])
    people = album.people.set_index("name")
    child = people.loc[couples["child"][0]]
    assert album.people.set_index("person")["name"][child["father"]] == couples["father"][0]


def test_encoders_without_corrections_take_no_passes():
    from kinlib.gan.encoder import CompactBackbone, Encoder

    plain = Encoder(CompactBackbone(8, widths=(16, 16, 16, 16), hidden=16), num_layers=8).eval()
    pictures = torch.rand(40, 3, 64, 64) * 2 - 1
    codes = encode(plain, pictures, passes=3)
    assert codes.shape == (40, 8, 512)
    torch.testing.assert_close(codes, plain(pictures).detach(), atol=1e-4, rtol=1e-4)
