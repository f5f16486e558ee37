"""`kinlib edit`: what it refuses in one sentence, and what it writes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import check_refusal
from PIL import Image
from safetensors.torch import save_file

from kinlib.cli import main
from kinlib.editing.networks import Generator
from kinlib.editing.rules import ATTRIBUTES
from kinlib.studio.datasets import sample_parents

FATHER, MOTHER = sample_parents.couple(1)
GLASSES = ("--set", "glasses=1")


@pytest.fixture
def editor(tmp_path) -> Path:
    """A network without training."""
    torch.manual_seed(0)
    path = tmp_path / "editor.safetensors"
    save_file({name: tensor.clone() for name, tensor in Generator(13, 2).state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*GLASSES, "--out", "o.png"), "missing: photo"),
        ((FATHER, *GLASSES), "missing: --out"),
        ((FATHER, "--out", "o.png"), "what is to change? Give --set NAME=VALUE"),
        ((FATHER, "--set", "glasses", "--out", "o.png"), "--set cannot be 'glasses': it takes NAME=VALUE"),
        ((FATHER, "--set", "glasses=1", "glasses=0", "--out", "o.png"), "--set names glasses twice"),
        ((FATHER, "--set", "smile=1", "--out", "o.png"), "unknown attribute 'smile'"),
        ((FATHER, "--set", "hair_black=1", "hair_blond=1", "--out", "o.png"), "contradict each other"),
        ((FATHER, "--set", "glasses=2", "--out", "o.png"), "from -1 (remove) to 1 (add), not 2"),
        ((FATHER, "--set", "glasses=much", "--out", "o.png"), "not much"),
        ((FATHER, *GLASSES, "--present", "glasses=2", "--out", "o.png"), "present (1) or not (0)"),
        ((FATHER, *GLASSES, "--how", "magic", "--out", "o.png"), "no way to edit 'magic'"),
        ((FATHER, *GLASSES, "--how", "directions", "--masks", "m.png", "--out", "o.png"), "--masks belongs to"),
        ((FATHER, "--set", "wings=1", "--how", "directions", "--out", "o.png"), "unknown attribute 'wings'"),
        ((FATHER, *GLASSES, "--out", "nowhere/o.png"), "the folder 'nowhere' does not exist"),
        ((FATHER, *GLASSES, "--out", "o.txt"), "known image suffix"),
        ((FATHER, *GLASSES, "--out", "o.png", "--masks", "./o.png"), "both the edited picture and its mask"),
        (("blank.png", *GLASSES, "--out", "blank.png"), "is the photograph itself"),
        (("blank.png", *GLASSES, "--out", "o.png", "--weights", "editor.safetensors"), "no face found in 'blank.png'"),
        (("nobody.jpg", *GLASSES, "--out", "o.png"), "nobody.jpg"),
        (("note.txt", *GLASSES, "--out", "o.png"), "note.txt"),
        ((FATHER, *GLASSES, "--out", "o.png", "--weights", "note.txt"), "note.txt"),
        ((FATHER, *GLASSES, "--out", "o.png", "--preset", "other"), "other"),
    ],
)
def test_refused_in_one_sentence(arguments, words, capsys, tmp_path, monkeypatch, editor):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (200, 200), (90, 90, 90)).save("blank.png")
    Path("note.txt").write_text("no picture")
    assert words in check_refusal("edit", arguments, tmp_path, capsys)


def test_the_picture_has_the_photographs_size_and_the_mask_beside_it(capsys, tmp_path, editor):
    out, mask = tmp_path / "edited.png", tmp_path / "mask.png"
    options = ["--set", "glasses=1", "young=-0.5", "--present", "glasses=0", "--weights", str(editor)]
    assert main(["edit", str(FATHER), *options, "--out", str(out), "--masks", str(mask)]) == 0
    assert f"wrote {out}, {mask}" in capsys.readouterr().out
    before, after = (np.float32(Image.open(path).convert("RGB")) for path in (FATHER, out))
    assert before.shape == after.shape and np.abs(after - before).mean() > 0
    grey = np.asarray(Image.open(mask).convert("RGB"))
    assert grey.shape == before.shape and (grey == grey[..., :1]).all() and grey.max() > 20


def test_directions_are_the_other_way(capsys, tmp_path):
    out = tmp_path / "edited.png"
    assert main(["edit", str(FATHER), "--set", "smile=0.8", "--how", "directions", "--out", str(out)]) == 0
    assert Image.open(out).size == (256, 256)


def test_the_help_lists_the_attributes(capsys):
    assert main(["edit", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "hair_blond" in shown and "glasses=1" in shown and len(ATTRIBUTES) == 13
