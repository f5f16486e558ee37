"""`kinlib search`: what it refuses, one real search, and Ctrl-C in the middle of one."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import as_in_the_foreground, check_refusal
from PIL import Image

from kinlib.cli import main
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents

FATHER, MOTHER = sample_parents.couple(1)
SMALL = ("--population", "8", "--parents", "3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "found"), "missing: --target"),
        (("--target", FATHER), "missing: --out"),
        (("--target", "nobody.jpg", "--out", "found"), "nobody.jpg"),
        (("--target", "blank.png", "--out", "found"), "no face found in 'blank.png'"),
        (("--target", FATHER, "--out", "blank.png"), "is a file"),
        (("--target", FATHER, "--out", "found", "--parents", "9", "--population", "8"), "more parents (9)"),
        (("--target", FATHER, "--out", "found", "--population", "0"), "1 or more"),
        (("--target", FATHER, "--out", "found", "--space", "z"), "no space 'z'"),
        (("--target", FATHER, "--out", "found", "--fitness", "beauty"), "no fitness 'beauty'"),
        (("--target", FATHER, "--out", "found", "--mutation", "all"), "no mutation 'all'"),
        (("--target", FATHER, "--out", "found", "--generations", "-1"), "--generations must be"),
        (("--target", FATHER, "--out", "found", "--seed", "-1"), "--seed must be"),
    ],
)
def test_refused_in_one_sentence(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (200, 200), (90, 90, 90)).save("blank.png")
    assert words in check_refusal("search", arguments, tmp_path, capsys)


def test_a_search_goes_on_and_refuses_another_one(capsys, tmp_path):
    out = tmp_path / "found"
    first = ("--target", str(FATHER), "--out", str(out), *SMALL)
    assert main(["search", *first, "--generations", "2"]) == 0
    assert "best.png" in capsys.readouterr().out
    assert Image.open(out / "best.png").size == (64, 64)
    begun = json.loads((out / "search.json").read_text())
    assert begun["generations"] == 2 and len(begun["history"]) == 3
    assert main(["search", *first, "--generations", "4"]) == 0
    more = json.loads((out / "search.json").read_text())
    assert more["generations"] == 4 and more["history"][:3] == begun["history"]
    for arguments, words in (
        ((*first, "--generations", "3"), "4 generations already"),
        ((*first, "--seed", "5"), "another seed"),
        (("--target", str(MOTHER), "--out", str(out), *SMALL), "another target"),
    ):
        assert words in check_refusal("search", arguments, tmp_path, capsys)


@pytest.mark.slow
def test_ctrl_c_keeps_the_best(tmp_path):
    arguments = ["search", "--target", str(FATHER), "--out", "found", *SMALL, "--generations", "100000"]
    with as_in_the_foreground():
        program = subprocess.Popen(
            [sys.executable, "-m", "kinlib.cli", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(config.project_root())},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    state = tmp_path / "found" / "state.safetensors"
    try:
        for _ in range(1200):  # two minutes at most: the first state is written after 25 generations
            if state.exists():
                break
            time.sleep(0.1)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    finally:
        program.kill()
    assert program.returncode == 130 and err.strip().endswith("kinlib: stopped")
    found = json.loads((tmp_path / "found" / "search.json").read_text())
    assert len(found["history"]) == found["generations"] + 1 and (tmp_path / "found" / "best.png").exists()
