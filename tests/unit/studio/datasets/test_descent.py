"""Children of one population and of two: the bundle, and how it is made."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import descent
from kinlib.studio.genetics import POPULATIONS
from kinlib.studio.render import VERSION

BUNDLE = config.data_dir() / "studio" / "descent"
MOST_BYTES = 1_200_000


@pytest.fixture
def drawn(monkeypatch):
    """Rendering without the head model: one colour for everybody."""
    picture = SimpleNamespace(image=np.full((descent.SIZE, descent.SIZE, 3), 90, np.uint8))
    monkeypatch.setattr(descent, "portrait", lambda *arguments, **options: picture)
    monkeypatch.setattr(descent, "warm_up", lambda: None)
    monkeypatch.setattr(descent, "spread", lambda function, jobs, workers: map(function, jobs))


def test_the_bundle_is_small_and_of_this_renderer():
    assert sum(path.stat().st_size for path in BUNDLE.iterdir()) <= MOST_BYTES
    assert json.loads((BUNDLE / "descent.json").read_text())["renderer"] == VERSION


def test_every_pair_of_populations_is_there_as_often():
    table = descent.load_descent()
    assert len(table) == descent.NUM_CHILDREN
    assert {one.size for one in table["image"]} == {(descent.SIZE, descent.SIZE)}
    first, second, mixed = (table["home"].to_numpy()[place::3] for place in range(3))
    assert [f"{a}+{b}" for a, b in zip(first, second, strict=True)] == mixed.tolist()
    assert {*first, *second} == set(POPULATIONS)
    assert table["home"][2::3].value_counts().nunique() == 1
    assert (table.groupby("trio")["male"].nunique() == 1).all() and table["male"].nunique() == 2


def test_a_mixed_child_has_a_half_of_each():
    for number in (0, 10):  # the father of the mixed child is from either population
        homes, genomes = descent.trio(number)
        where = [POPULATIONS.index(home) for home in homes[:2]]
        np.testing.assert_allclose(genomes.ancestry[2, where], 0.5)
        np.testing.assert_allclose(genomes.ancestry[[0, 1], where], 1)
        assert len(set(genomes.sex.tolist())) == 1
        again = descent.trio(number)[1]
        np.testing.assert_array_equal(again.alleles, genomes.alleles)


def test_making_it(tmp_path, drawn):
    done = list(descent.write_descent(tmp_path, workers=1))
    assert done[-1] == descent.NUM_CHILDREN and len(done) == descent.NUM_CHILDREN // 3
    table = descent.load_descent(tmp_path)
    assert table["home"].tolist() == descent.load_descent()["home"].tolist()
    assert table["male"].tolist() == descent.load_descent()["male"].tolist()
    assert list(descent.write_descent(tmp_path)) == [descent.NUM_CHILDREN]  # it is there already
    assert len(list(descent.write_descent(tmp_path, seed=1))) > 1


def test_a_missing_or_damaged_bundle(tmp_path):
    with pytest.raises(KinlibError, match="there is no bundle"):
        descent.load_descent(tmp_path)
    (tmp_path / "descent.parquet").write_bytes(b"PAR1")
    with pytest.raises(KinlibError, match="damaged"):
        descent.load_descent(tmp_path)
