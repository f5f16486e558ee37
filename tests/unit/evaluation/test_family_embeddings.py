"""Embeddings of couples and their children from photographs of a data set."""

from dataclasses import replace

import numpy as np
import pytest

from kinlib import families
from kinlib.evaluation.family_embeddings import embed_families
from kinlib.families import trios
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError


@pytest.fixture(scope="module")
def tables():
    return families.read(config.families_dir())


def test_every_couple_of_a_family(tables):
    """Of the families of a few couples, for alignment takes most of the time."""
    table = trios.build(tables)
    chosen = table["family"].drop_duplicates()[:2]
    people = {person for role in trios.ROLES for person in table.loc[table["family"].isin(chosen), role]}
    few = tables.images[tables.images["person"].isin(people)]
    smaller = replace(tables, images=few.reset_index(drop=True))
    found = embed_families(smaller, photos_each=2, seed=1)
    rows = table[table["family"].isin(chosen)]
    assert len(found.parents) == len(found.children) == len(rows.groupby(["father", "mother"]))
    assert len(found.homes) == len(found.photographs) == len(found) and set(found.homes) == set(chosen)
    np.testing.assert_allclose(np.linalg.norm(found.parents, axis=2), 1, atol=1e-5)
    for one in found.children:
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    young = rows["child"].nunique()
    assert young <= sum(map(len, found.children)) <= 2 * len(rows)


def test_nothing_to_embed(tables):
    with pytest.raises(KinlibError, match="1 or more"):
        embed_families(tables, 0)
    empty = replace(tables, images=tables.images.iloc[:0])
    with pytest.raises(KinlibError, match="no father, mother and child"):
        embed_families(empty)
