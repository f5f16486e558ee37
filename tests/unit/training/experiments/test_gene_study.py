"""The study of the gene networks' losses: whom it looks at, what it measures, and its record."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from kinlib.inheritance import registry
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.kin_codes import KinCodes
from kinlib.training.experiments import gene_study
from kinlib.training.experiments.gene_study import LINES, Protocol, held_out_couples, recorded
from kinlib.training.recipes.genes import GeneSettings

CHILDREN = 3


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return Protocol.prepare(couples=3, family_photos=1)


def test_an_average_has_no_spread_and_a_coin_has_some(protocol: Protocol):
    found = {
        name: protocol.measure(protocol.describe(registry.create(name), CHILDREN)) for name in ("average", "regions")
    }
    assert found["average"]["spread"][0] == pytest.approx(0, abs=1e-3)
    assert found["average"]["diversity"][0] == pytest.approx(0, abs=1e-3)
    assert found["regions"]["diversity"][0] > 0.05
    assert found["regions"]["energy_distance"][0] < found["average"]["energy_distance"][0]
    for measures in found.values():
        assert all(low <= value <= high for value, low, high in measures.values())


def test_true_children_are_verified(protocol: Protocol):
    reference = protocol.reference
    true = {couple: reference.children[reference.row(couple)][:CHILDREN] for couple in protocol.couples}
    strangers = dict(zip(protocol.couples, [*list(true.values())[1:], next(iter(true.values()))], strict=True))
    assert protocol.verify(true)["auc"][0] > 0.5 > protocol.verify(strangers)["auc"][0]


def test_pairs_are_of_two_held_out_people(monkeypatch, tmp_path: Path):
    people = [0, 0, 1, 18, 18, 36, 54, 72]  # of which those divisible by 18 are held out
    codes = torch.arange(8.0).view(8, 1, 1).expand(8, 2, 512)
    found = KinCodes(pd.DataFrame({"person": people}), codes.half(), torch.zeros(0), 0)
    monkeypatch.setattr(gene_study, "load_codes", lambda folder: found)
    fathers, mothers = held_out_couples(tmp_path)
    assert fathers[:, 0, 0].tolist() == [0, 5] and mothers[:, 0, 0].tolist() == [3, 6]  # the fifth has nobody
    assert len(held_out_couples(tmp_path, 1)[0]) == 1
    found.table["person"] = 1
    with pytest.raises(KinlibError, match="shows no two held-out people"):
        held_out_couples(tmp_path)


def test_lines_are_settings_of_the_recipe(tmp_path: Path):
    for changes in LINES.values():
        settings = GeneSettings(data=tmp_path, out=tmp_path, **changes)
        assert settings.image_encoder or settings.direct


def test_the_record_has_every_line():
    lines = recorded()["lines"]
    assert set(lines) == set(LINES)
    for line in lines.values():
        assert line["control"][-1]["group"] == "all" and {"crossover", "with the pool"} <= line.keys()
