"""`kinlib couples` as users meet it: a bar, a folder and what to know, or one line that says what is wrong."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from command_line import check_ctrl_c, check_refusal

from kinlib.cli import main
from kinlib.couples import run
from kinlib.couples.generate import MadeCouple
from kinlib.runtime import config

PORTRAITS = config.data_dir() / "studio" / "portraits"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A table of two couples, one of them of files that are no photographs; the tests run beside it."""
    monkeypatch.chdir(tmp_path)
    for role in ("father", "mother"):
        shutil.copy(PORTRAITS / f"couple_1_{role}.jpg", f"{role}.jpg")
    Path("a.jpg").write_bytes(b"no picture")
    Path("couples.csv").write_text("couple,father,mother\ngood,father.jpg,mother.jpg\nbad,a.jpg,mother.jpg\n")
    return tmp_path


@pytest.fixture
def refused(place, capsys) -> Callable[..., str]:
    """`kinlib couples` that ends with code 2 and one line and changes nothing; returns that line."""
    return lambda *arguments: check_refusal("couples", arguments, place, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "see `kinlib couples --help`"),
        (("couples.csv",), "missing: --out"),
        (
            ("absent.csv", "--out", "set"),
            "'absent.csv' does not exist: give a CSV file with the columns father and mother",
        ),
        ((".", "--out", "set"), "'.' holds no prepared.parquet: make it with `kinlib prepare"),
        (("a.jpg", "--out", "set"), "'a.jpg' has no column father"),
        (("couples.csv", "--out", "a.jpg"), "'a.jpg' is a file: --out needs a folder"),
        (("couples.csv", "--out", "set", "--workers", 0), "--workers must be from 1 to 256, not 0"),
        (("couples.csv", "--out", "set", "--engine", "spark"), "unknown engine 'spark': choose one of local, ray"),
        (("couples.csv", "--out", "set", "--method", "cloning"), "unknown method 'cloning'"),
        (("couples.csv", "--out", "set", "--preset", "best"), "unknown preset 'best': choose one of studio, ffhq"),
        (("couples.csv", "--out", "set", "--device", "meta"), "nothing can be computed on the device 'meta': use cpu"),
        (("couples.csv", "--out", "set", "--n", 0), "from 1 to 1,000, not 0"),
        (("couples.csv", "--out", "set", "--n", 49, "--sheets"), "holds 48 children at most, not 49"),
        (("couples.csv", "--out", "set", "--edit", "smile"), "it takes NAME=VALUE"),
        (("couples.csv", "--out", "set", "--edit", "wings=1"), "unknown attribute 'wings'"),
        (("couples.csv", "--out", "set", "--weights", "a.jpg"), "'a.jpg' holds no blend weights"),
        (("couples.csv", "--out", "set", "--father-share", 2), "father's share must be a number from 0 to 1"),
        (("couples.csv", "--out", "/proc/set"), "'/proc/set' cannot be written"),
    ],
)
def test_bad_options(refused, options, words):
    assert words in refused(*options)


def test_weights_that_are_not_here(refused, cache):
    assert "are not here: run `kinlib weights fetch" in refused("couples.csv", "--out", "set", "--preset", "ffhq")


def test_children_a_bar_and_what_to_know(place, capsys):
    arguments = ["couples", "couples.csv", "--out", "set", "--n", "2", "--method", "slerp", "--father-share", "0.7"]
    assert main([*arguments, "--workers", "1", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    told, note = out.splitlines()
    assert told == "wrote set: children of 1 of 2 couples" and "2/2" in err
    assert note.startswith("note: no children of 'bad': 'a.jpg' is not an image that can be read")
    files = pd.read_parquet("set/children.parquet")["file"]
    assert files.dropna().tolist() == ["good/child_00.png", "good/child_01.png"] and len(files) == 3
    assert main([*arguments[:-1], "0.6"]) == 2
    assert "was made with method options {'father_share': 0.7}, not {'father_share': 0.6}" in capsys.readouterr().err


def test_many_failures_are_counted(place, capsys, monkeypatch):
    rows = "".join(f"c{number},a.jpg,a.jpg\n" for number in range(7))
    Path("couples.csv").write_text("couple,father,mother\n" + rows)
    fail = lambda job: MadeCouple(job.number, job.couple.name, [{"couple": job.couple.name, "error": "nobody"}])  # noqa: E731
    monkeypatch.setattr(run, "generate_couple", fail)
    assert main(["couples", "couples.csv", "--out", "set", "--workers", "1", "--device", "cpu"]) == 0
    notes = capsys.readouterr().out.splitlines()[1:]
    assert notes == [
        *(f"note: no children of 'c{number}': nobody" for number in range(5)),
        "note: 7 couples have no children; children.parquet has the reasons",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_leaves_no_process_and_is_resumed(place):
    Path("couples.csv").write_text("father,mother\n" + "father.jpg,mother.jpg\n" * 60)
    arguments = ["couples", "couples.csv", "--out", "set", "--device", "cpu", "--workers", "2"]
    check_ctrl_c(arguments, 60, place)
    done = len(list(Path("set").glob(".work/couple-*.json")))
    assert 1 <= done < 60 and not list(Path("set").rglob("*.part"))
    assert not Path("set/children.json").exists()
