"""Pictures of true siblings: other children than the reference's, of the same couples."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinlib.evaluation import heredity
from kinlib.evaluation.heredity.reference import default_folder
from kinlib.evaluation.heredity.siblings import SIBLINGS, load_siblings
from kinlib.runtime.errors import KinlibError


def test_bundled_siblings_are_further_children_of_their_couples():
    """They are as far from the reference's children as these are from each other, and no copies of them."""
    reference, siblings = heredity.load_reference(), load_siblings(4)
    assert tuple(siblings) == reference.couples
    assert all(len(some) == 4 and some[0].size == (128, 128) for some in siblings.values())
    embedded = {couple: heredity.embed_pictures(some) for couple, some in siblings.items()}
    nearest = [
        np.linalg.norm(reference.children[i] - one, axis=1).min() for i, e in enumerate(embedded.values()) for one in e
    ]
    assert min(nearest) > 0.05
    low, high = heredity.score(embedded, reference).summary.loc["energy_distance", ["low", "high"]]
    assert low < 0.01 and high < 0.05  # photographs of children of a perfect method


def test_refusals(tmp_path: Path):
    with pytest.raises(KinlibError, match="no pictures of true siblings"):
        load_siblings(folder=tmp_path)
    with pytest.raises(KinlibError, match="ask for from 1 to 8, not 9"):
        load_siblings(9)
    (tmp_path / SIBLINGS).write_bytes(b"nothing")
    with pytest.raises(KinlibError, match="is damaged"):
        load_siblings(folder=tmp_path)
    shutil.copy(default_folder() / SIBLINGS, tmp_path)
    table = pd.read_parquet(tmp_path / SIBLINGS)
    table.loc[3, "picture"] = b"no picture"
    table.to_parquet(tmp_path / SIBLINGS)
    with pytest.raises(KinlibError, match="is damaged"):
        load_siblings(folder=tmp_path)
