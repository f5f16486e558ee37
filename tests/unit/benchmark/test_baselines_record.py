"""Methods that are trained for comparison only: registered while they are measured, and their record."""

import pytest
import torch

from kinlib.benchmark.baselines import NAMES, recorded, registered
from kinlib.evaluation.heredity.board import HEADS
from kinlib.inheritance import registry
from kinlib.runtime.errors import KinlibError


class Mean:
    """Stands for a trained network."""

    def inherit(self, father, mother, generator):
        return (father + mother) / 2


def test_networks_are_methods_for_the_length_of_a_block():
    before = registry.names()
    with registered({"half": Mean(), "other": Mean()}):
        found = registry.create("half")(torch.zeros(1, 2, 512), torch.ones(1, 2, 512), torch.Generator())
        assert found.eq(0.5).all() and {"half", "other"} <= set(registry.available("studio"))
    assert registry.names() == before
    with pytest.raises(ValueError, match="stops"), registered({"half": Mean()}):
        raise ValueError("stops")
    assert registry.names() == before


def test_the_record_is_bundled_and_complete():
    found = recorded()
    assert list(found["entries"]) == list(found["losses"]) == list(NAMES) and found["couples"] > found["aside"] > 0
    for name, summary in found["entries"].items():
        assert set(HEADS) <= set(summary), name
        assert all(low <= value <= high for value, low, high in summary.values())


def test_a_damaged_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    with pytest.raises(KinlibError, match=r"kin_baselines\.json' is missing or damaged"):
        recorded()
