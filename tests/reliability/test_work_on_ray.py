"""Commands on a Ray cluster of two workers, one of which is killed: the same, byte for byte, as on this machine."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studio_head import needs_head

from kinlib.benchmark import entries
from kinlib.cli import main
from kinlib.evaluation.heredity import load_reference
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
