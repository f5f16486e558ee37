"""The search's study: its parts on a few people, and the record that the notebook reads."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.runtime.errors import KinlibError
from kinlib.training.experiments import search_study as study


def write_set(folder, seed: int, people: int = 40, views: int = 2):
    """Grey pictures of as many shades; persons 0, 18 and 36 are held out."""
    folder.mkdir()
    rows = []
    for person in range(people):
        for view in range(views):
            stream = io.BytesIO()
            Image.new("RGB", (64, 64), (6 * person, 100, 100 + 20 * view)).save(stream, "PNG")
            rows.append({"person": person, "view": view, "image": stream.getvalue()})
    pd.DataFrame(rows).to_parquet(folder / "part-00000.parquet")
    (folder / "render.json").write_text(json.dumps({"seed": seed}))
    return folder


def test_people_are_held_out_and_the_gallery_shows_others(tmp_path):
    faces, more = write_set(tmp_path / "faces", 1), write_set(tmp_path / "more", 2, people=5, views=1)
    people = study._people(faces, more)
    assert people.pictures.shape == (3, 3, 64, 64) and len(people.seen) == 3 and len(people.gallery) == 3 + 5
    assert torch.allclose((people.pictures[1, 0].mean() + 1) * 127.5, torch.tensor(6.0 * 18), atol=1)
    assert not torch.allclose(people.seen[0], people.gallery[0])  # another picture of the same person
    with pytest.raises(KinlibError, match="shows the people of"):
        study._people(faces, write_set(tmp_path / "same", 1))
    with pytest.raises(KinlibError, match=r"no \*.parquet file"):
        study._people(tmp_path, None)


def test_parts_are_kept_and_read_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(study, "PARTS", {"one": lambda people: calls.append(len(people.seen)) or {"value": 3}})
    faces = write_set(tmp_path / "faces", 1)
    for _ in range(2):
        found = study.study(faces, None, tmp_path / "run")
        assert found["one"] == {"value": 3} and found["people"] == 3 and found["gallery"] == 3
    assert calls == [3]
    with pytest.raises(KinlibError, match="no part 'two'"):
        study.study(faces, None, tmp_path / "run", ["two"])


def test_fitness_in_units():
    assert study._in_units("pixels", np.array([1.0, 100.0])) == pytest.approx([6.0206, 26.0206], abs=1e-3)
    assert study._in_units("identity", np.array([0.5])) == pytest.approx([0.5])


def test_the_record_has_what_the_notebook_reads():
    record = study.recorded()
    shown = [record[key] for key in study.LINES.values() if key in record]
    assert shown and set(record) <= {*study.PARTS, "people", "gallery", "count", "picks"}
    for line in shown:
        assert len(line["viewed"]) == len(line["rank_1"]["mean"]) == study.ROUNDS
        assert (np.array(line["top_10"]["mean"]) >= np.array(line["rank_1"]["mean"])).all()
    assert record["ceilings"]["the picture that was seen"]["rank_1"]["mean"] > 0.9
    assert record["gallery"] >= record["people"] > 0
