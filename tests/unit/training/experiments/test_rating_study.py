"""The study of notebook 14: what it computes is kept, and finds what is built into its input."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.attractiveness.losses import LOSSES
from kinlib.runtime.errors import KinlibError
from kinlib.studio.appearance.looks import random_person
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS
from kinlib.training.experiments import rating_heads, rating_study
from kinlib.training.experiments.rating_heads import fit_head, person_folds, predict_scores
from kinlib.training.experiments.rating_probes import BASE, IGNORED, LIKED, probes_of
from tests.unit.training.recipes.test_attractiveness_recipe import write_set


def probe_table() -> pd.DataFrame:
    """Grey pictures in the place of renders; a smile is brighter, and so is one light."""
    rows = []
    for person in (0, 18, 36):
        for factor, value in [
            (BASE, 0.0),
            ("smile", 0.9),
            *((name, v) for name in (*LIKED[1:], *IGNORED, "expression") for v in (0, 1)),
        ]:
            file = io.BytesIO()
            bright = 60 + 100 * (factor == "smile") + 60 * (factor == "light") * value
            Image.new("RGB", (128, 128), (int(bright),) * 3).save(file, "JPEG")
            row = {"person": person, "population": "amber", "factor": factor, "value": float(value)}
            row |= {"age": 30.0, "smile": 0.9 if factor == "smile" else 0.3, "freckles": 0.0, "male": False}
            row |= {"identity": np.full(NUM_SHAPE, 0.9), "proportions": np.resize([1.0, -1.0], len(PROPORTIONS))}
            rows.append(row | {"lipstick": 0.0, "image": file.getvalue()})
    return pd.DataFrame(rows)


@pytest.fixture
def small(monkeypatch):
    for name, value in {"SEEDS": (0,), "FEW": 32, "RATERS": (1, 60), "WHOLE": ("mse",), "WHOLE_STEPS": 3}.items():
        monkeypatch.setattr(rating_study, name, value)
    monkeypatch.setattr(rating_study, "CONDITIONS", ("all", "imbalance"))
    monkeypatch.setattr(rating_study, "render_probes", lambda people: probe_table())
    monkeypatch.setattr(rating_study, "fit_head", lambda *given, lr=0.02: fit_head(*given, steps=40, lr=0.02))
    monkeypatch.setattr(rating_heads, "COMPONENTS", 16)


def test_the_study_and_that_nothing_is_computed_twice(small, tmp_path, monkeypatch):
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    write_set(data, 48)
    found = rating_study.study(data, run)
    json.dumps(found)
    assert found["people"] == 42 and found["pictures"] == 84 and sum(found["levels"]) == 84
    assert set(found["losses"]) == {"all", "imbalance"} and set(found["losses"]["all"]) == {*LOSSES, "combo, lr 0.001"}
    assert found["losses"]["all"]["mse"]["mae_gain"][0] == 0
    assert found["losses"]["all"]["l1"]["pearson"][0] > 0.3  # brightness tells the smile
    assert found["raters"]["60"]["label"][0] > found["raters"]["1"]["label"][0]
    transfer = found["transfer"]
    assert transfer["taste"]["amber"]["amber"] == 1 and set(transfer["network"]) == {*POPULATIONS, "all"}
    bundled = found["bundled"]
    assert bundled["changes"]["smile"]["0.9"]["wanted"][0] > 0.05
    assert bundled["shares"]["light"][0] > 0 and bundled["wanted_shares"]["light"][0] == 0
    assert found["whole"]["mse"]["mae_above"][0] == 0 and found["whole"]["mse"]["mae"][0] > 0
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert rating_study.study(data, run) == found
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before

    monkeypatch.setattr(rating_study, "record_path", lambda: tmp_path / "record.json")
    monkeypatch.setattr(rating_study, "probe_path", lambda: tmp_path / "probes.parquet")
    for part in ("raters", "bundled"):
        rating_study.main(["--data", str(data), "--run", str(run), "--only", part, "--record"])
    assert {"raters", "bundled"} <= set(rating_study.recorded())
    kept = rating_study.load_probes()
    assert kept["picture"][0].size == (64, 64) and kept["person"].nunique() == rating_study.BUNDLED


def test_missing_records_are_told_in_a_sentence(tmp_path, monkeypatch):
    for name in ("record_path", "probe_path"):
        monkeypatch.setattr(rating_study, name, lambda: tmp_path / "absent")
    for read in (rating_study.recorded, rating_study.load_probes):
        with pytest.raises(KinlibError, match="missing or damaged"):
            read()


def test_folds_share_no_person_and_test_everybody_once():
    people = np.repeat(np.arange(23), 2)
    tested = np.zeros(len(people), int)
    for train, test in person_folds(people, 0):
        assert not set(people[train]) & set(people[test]) and (train ^ test).all()
        tested += test
    assert (tested == 1).all()


@pytest.mark.parametrize("loss", ["mse", "combo_published", "label_distribution"])
def test_a_head_learns_a_linear_preference(loss):
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(400, 8, generator=rng)
    scores = (3 + 0.5 * features[:, 0]).clamp(1, 5)
    predicted = predict_scores(fit_head(features[:300], scores[:300], loss, 0, 200, 0.02), features[300:], loss)
    assert np.corrcoef(predicted, scores[300:])[0, 1] > 0.85


def test_probes_change_one_thing_at_a_time():
    person = next(one for one in map(random_person, map(np.random.default_rng, range(9))) if not one.male)
    first, *others = probes_of(person, np.random.default_rng(0))
    assert first.factor == BASE and {probe.factor for probe in others} == {*LIKED, *IGNORED, "expression"}
    for probe in others:
        same = {
            "person": probe.person is person,
            "look": probe.look == first.look,
            "shot": repr(probe.shot) == repr(first.shot),
        }
        changed = [name for name, is_same in same.items() if not is_same]
        assert len(changed) == 1, (probe.factor, changed)
