"""Commands on a Ray cluster of two workers, one of which is killed: the same, byte for byte, as on this machine."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studio_head import needs_head
from works import result_of

from kinlib.benchmark import entries
from kinlib.cli import main
from kinlib.couples import ChildSettings, Couple, generate_all, run
from kinlib.couples.generate import generate_couple
from kinlib.evaluation.heredity import load_reference
from kinlib.runtime import config
from kinlib.runtime.cluster import spread_by
from kinlib.studio.datasets import batch


@needs_head
def test_renders(cluster, tmp_path, monkeypatch):
    settings = batch.RenderSettings(3, 1, 64, seed=5)
    list(batch.render_people(settings, tmp_path / "local", workers=1))
    monkeypatch.setattr(batch, "_render_person", cluster.killed_once(batch._render_person, tmp_path / "killed"))
    assert list(batch.render_people(settings, tmp_path / "ray", workers=2, engine="ray"))[-1] == 3
    assert (tmp_path / "killed").exists()
    tables = [pd.read_parquet(tmp_path / engine / "part-00000.parquet") for engine in ("local", "ray")]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
def test_scores(cluster, tmp_path):
    """Children generated, embedded and measured in workers; a method of a file is registered in each."""
    (tmp_path / "mine.py").write_text("def inherit(father, mother, generator):\n    return (father + mother) / 2\n")
    reference = load_reference()
    about = {"method": "mine.py:inherit", "source": f"{tmp_path / 'mine.py'}:inherit", "options": {}, "num": 2}
    jobs = entries.couple_jobs(reference, reference.couples[:2], 0, **about, preset="studio", device="cpu")
    alone = dict(spread_by("local", entries.describe_children, jobs, 2))  # sums of one thread, as in Ray's workers
    deadly = cluster.killed_once(entries.describe_children, tmp_path / "killed")
    found = dict(spread_by("ray", deadly, jobs, 2))
    assert list(found) == list(alone) and (tmp_path / "killed").exists()
    for couple, children in alone.items():
        np.testing.assert_array_equal(found[couple].embeddings, children.embeddings)
        pd.testing.assert_frame_equal(found[couple].traits, children.traits)


def test_children_of_couples(cluster, tmp_path, monkeypatch):
    """Pictures, rows and reasons; the table is the same row for row."""
    portraits = config.data_dir() / "studio" / "portraits"
    (tmp_path / "text.jpg").write_text("no picture")
    pairs = [(f"couple_{number}_father.jpg", f"couple_{number}_mother.jpg") for number in (1, 2, 3)]
    pairs.insert(1, (str(tmp_path / "text.jpg"), pairs[0][1]))
    couples = [Couple(f"{number}", *pair, portraits) for number, pair in enumerate(pairs)]
    settings = ChildSettings(n=2, method="per_layer", seed=3)
    list(generate_all(couples, tmp_path / "local", settings, workers=1, device="cpu"))
    monkeypatch.setattr(run, "generate_couple", cluster.killed_once(generate_couple, tmp_path / "killed"))
    steps = generate_all(couples, tmp_path / "ray", settings, engine="ray", workers=2, device="cpu")
    assert list(steps) == [0, 1, 2, 3, 4] and (tmp_path / "killed").exists()
    tables = [pd.read_parquet(tmp_path / engine / "children.parquet") for engine in ("local", "ray")]
    pd.testing.assert_frame_equal(*tables)
    assert len(tables[0]) == 7 and tables[0]["error"].notna().sum() == 1
    assert result_of(tmp_path / "ray") == result_of(tmp_path / "local")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("render", "--people", 2, "--out", "set", "--engine", "spark"), "unknown engine 'spark'"),
        (("render", "--families", "--engine", "ray"), "--engine is for unrelated people, --kin and --edits"),
        (("score", "--method", "average", "--engine", "spark"), "unknown engine 'spark'"),
        (("score", "--pictures", "x", "--engine", "ray"), "--engine and --workers are for --method"),
        (("score", "--method", "average", "--workers", 0), "--workers must be from 1 to 256"),
    ],
)
def test_wrong_engines(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*map(str, arguments)]) == 2
    assert words in capsys.readouterr().err
    assert not list(Path.cwd().iterdir())
