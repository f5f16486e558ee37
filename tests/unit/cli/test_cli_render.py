"""`kinlib render` as users meet it: a bar and a folder, or one line that says what is wrong and no trace."""

import sys
import time
from collections.abc import Callable

import pandas as pd
import pytest
from command_line import check_ctrl_c, check_refusal
from studio_head import needs_head

from kinlib.cli import main
from kinlib.studio.datasets import batch, parts
from kinlib.studio.head import model


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch) -> Callable[..., str]:
    """`kinlib render` in an empty folder that ends with code 2 and one line and changes nothing; returns that line."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: check_refusal("render", arguments, tmp_path, capsys)


@pytest.fixture
def no_head(monkeypatch):
    """The head model that other tests loaded is forgotten, now and afterwards."""
    model.load_head.cache_clear()
    yield
    model.load_head.cache_clear()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "missing: --out"),
        (("--out", "set", "--people", 0), "--people must be from 1 to"),
        (("--out", "set", "--people", -1), "not -1"),
        (("--out", "set", "--people", 10**30), "--people must be from 1 to"),
        (("--out", "set", "--people", "some"), "--people cannot be 'some'"),
        (("--out", "set", "--images-each", 0), "--images-each must be from 1 to"),
        (("--out", "set", "--images-each", 1.5), "--images-each cannot be '1.5'"),
        (("--out", "set", "--size", 8), "--size must be from"),
        (("--out", "set", "--size", 100_000), "--size must be from"),
        (("--out", "set", "--size", "nan"), "--size cannot be 'nan'"),
        (("--out", "set", "--seed", -1), "--seed must be from 0"),
        (("--out", "set", "--seed", 2**40), "--seed must be from 0"),
        (("--out", "set", "--crop", "round"), "unknown crop 'round': choose ffhq or photo"),
        (("--out", "set", "--workers", 0), "--workers must be from 1 to 256, not 0"),
        (("--out", "set", "--workers", 1000), "not 1000"),
        (("--out", "set", "--workers", "all"), "--workers cannot be 'all'"),
        (("--out",), "--out"),
        (("--families", "--reference"), "choose one of --families and --reference"),
        (("--kin", "--reference"), "choose one of --reference and --kin"),
        (
            ("--families", "--size", 64),
            "--size is for unrelated people, --kin and --edits: --families renders a set of its own size",
        ),
        (("--reference", "--images-each", 1), "--images-each is for unrelated people: --reference renders"),
        (("--families", "--seed", -1), "--seed must be from 0"),
        (("--kin",), "missing: --out"),
        (("--kin", "--out", "set", "--couples", 0), "--couples must be from 1 to 1,000,000, not 0"),
        (("--kin", "--out", "set", "--children", 0), "--children must be from 1 to 100, not 0"),
        (("--kin", "--out", "set", "--albums", -1), "--albums must be from 0 to 100, not -1"),
        (("--kin", "--out", "set", "--people", 5), "--people is for unrelated people and --edits: --kin renders"),
        (("--kin", "--out", "set", "--crop", "photo"), "--crop is for unrelated people: --kin renders"),
        (("--out", "set", "--couples", 5), "--couples is for --kin"),
        (("--reference", "--size", 64), "--size is for unrelated people, --kin and --edits: --reference renders"),
        (("--edits",), "missing: --out"),
        (("--edits", "--out", "set", "--pairs", 0), "--pairs must be from 1 to 5, not 0"),
        (("--edits", "--out", "set", "--frames", "many"), "--frames must be one or any, not 'many'"),
        (("--edits", "--out", "set", "--people", 0), "--people must be from 1 to 1,000,000, not 0"),
        (("--edits", "--out", "set", "--images-each", 1), "--images-each is for unrelated people: --edits renders"),
        (("--out", "set", "--pairs", 2), "--pairs is for --edits"),
        (("--out", "/proc/set"), "'/proc/set' cannot be written"),
    ],
)
def test_bad_options(refused, options, words, monkeypatch):
    monkeypatch.setattr(parts, "load_head", lambda: None)
    assert words in refused(*options)


def test_out_is_a_file(refused, tmp_path):
    (tmp_path / "set").write_text("not a folder")
    for kind in ((), ("--families",), ("--reference",), ("--kin",), ("--edits",)):
        assert "'set' is a file: --out needs a folder" in refused("--out", "set", *kind)


def test_folder_of_another_set(refused, tmp_path):
    (tmp_path / "set" / "families" / "FAMILY").mkdir(parents=True)
    assert "was not made here: choose another folder" in refused("--out", "set", "--families")
    sets = (("render.json", ()), ("studio.json", ("--families",)), ("reference.json", ("--reference",)))
    for name, kind in (*sets, ("kin.json", ("--kin",)), ("edits.json", ("--edits",))):
        (tmp_path / "set" / name).write_text('{"seed": 9, "people": 3}')
        assert "choose another" in refused("--out", "set", *kind)
        (tmp_path / "set" / name).write_text("{")
        assert f"'set/{name}' is damaged" in refused("--out", "set", *kind)


@pytest.mark.parametrize("kind", [(), ("--families",), ("--reference",), ("--kin",), ("--edits",)])
def test_no_head_model(refused, no_head, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("KINLIB_ICT_DIR", str(tmp_path))
    assert "holds neither ict_face_model.npz nor" in refused("--out", "set", *kind)


def test_no_head_model_and_no_network(no_head, cache, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("KINLIB_ICT_DIR", raising=False)
    begun = time.monotonic()
    assert main(["render", "--out", str(tmp_path / "set")]) == 2
    assert time.monotonic() - begun < 30
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("kinlib: the head model could not be downloaded") and "KINLIB_ICT_DIR" in last
    assert not (tmp_path / "set").exists()


def test_bar_counts_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parts, "load_head", lambda: None)
    monkeypatch.setattr(parts, "warm_up", lambda: None)
    monkeypatch.setattr(batch, "_render_person", lambda job: [{"person": job[1], "view": view} for view in (0, 1)])
    arguments = ["render", "--people", "3", "--images-each", "2", "--out", str(tmp_path), "--workers", "1"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == f"wrote {tmp_path}\n" and "6/6" in err and "100%" in err
    assert main([*arguments[:2], "30", *arguments[3:]]) == 0
    assert "0/60" in capsys.readouterr().err


@needs_head
@pytest.mark.skipif(sys.platform != "linux", reason="reads processes as Linux lists them")
def test_stopped_by_ctrl_c(tmp_path):
    check_ctrl_c(["render", "--people", "500", "--size", "32", "--workers", "2", "--out", "set"], 1500, tmp_path)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["render.json"]


@needs_head
def test_render_for_real(tmp_path, capsys):
    arguments = ["--people", "2", "--images-each", "1", "--size", "48", "--crop", "photo", "--workers", "1"]
    assert main(["render", *arguments, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}\n"
    table = pd.read_parquet(tmp_path / "part-00000.parquet")
    assert table["person"].tolist() == [0, 1] and table["image"].map(len).min() > 500
