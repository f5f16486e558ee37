"""`--edit` and `--weights` of `kinlib child` and `kinlib family`: what they set, and how they refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import check_refusal
from PIL import Image

from kinlib.cli import main
from kinlib.cli.edits import describe_attributes, parse_edits
from kinlib.gan.directions import load_directions
from kinlib.inheritance.weights_file import FORMAT, BlendWeights, save_weights
from kinlib.kinship.kinship import Kinship
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents

FATHER, MOTHER = sample_parents.couple(1)
LAYERS = 12  # of the bundled generator
GOOD = {"format": FORMAT, "preset": "studio", "num_layers": LAYERS}


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def picture(path: Path) -> bytes:
    with Image.open(path) as opened:
        return opened.tobytes()


def test_edits_and_weights_are_those_of_the_library(tmp_path: Path, capsys):
    chosen = BlendWeights("studio", LAYERS, {"coarse": 0.9}, {}, {3: 0.0})
    save_weights(tmp_path / "mine.json", chosen)
    edits = ("--edit", "smile=0.5", "hair_light = 0.2", "--edit", "sex=female", "--edit=yaw=-3")
    out = tmp_path / "child.png"
    assert (
        run("child", "--father", FATHER, "--mother", MOTHER, "--out", out, "--weights", tmp_path / "mine.json", *edits)
        == 0
    )
    assert capsys.readouterr().err == ""
    wanted = {"smile": 0.5, "hair_light": 0.2, "sex": "female", "yaw": -3}
    child = Kinship.load("studio", device="cpu").child(FATHER, MOTHER, weights=chosen, edits=wanted)
    assert picture(out) == child.image.tobytes()


def test_family_takes_both(tmp_path: Path, capsys):
    save_weights(tmp_path / "mine.json", BlendWeights("studio", LAYERS))
    plain = ("family", "--n", 2, "--out", tmp_path / "family.png")
    assert run(*plain, "--weights", tmp_path / "mine.json", "--edit", "smile=0.5") == 0
    assert "note: the method 'weights' is deterministic" in capsys.readouterr().out
    first = picture(tmp_path / "family.png")
    assert run(*plain) == 0 and picture(tmp_path / "family.png") != first


def test_edits_are_parsed_in_any_grouping():
    assert parse_edits(()) == {}
    assert parse_edits((("a=1", "b=-2.5"), ("sex=male",))) == {"a": 1.0, "b": -2.5, "sex": "male"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--edit",), "--edit needs NAME=VALUE, such as smile=0.5"),
        (("--edit", "smile"), "--edit cannot be 'smile': it takes NAME=VALUE"),
        (("--edit", "smile="), "--edit cannot be 'smile='"),
        (("--edit", "=0.5"), "--edit cannot be '=0.5'"),
        (("--edit", "smile=much"), "smile must be from 0 to 0.88, the range of the training data, not much"),
        (("--edit", "smile=0.5=1"), "not 0.5=1"),
        (("--edit", "smile=nan"), "not nan"),
        (("--edit", "smile=1e999"), "not inf"),
        (("--edit", "smile=0.1", "--edit", "smile=0.2"), "--edit names smile twice"),
        (("--edit", "mood=1"), "unknown attribute 'mood': choose one of age, beard"),
        (("--edit", "age=8", "--age", "8"), "age is given twice"),
        (("--edit", "age=8", "--edit", "age=9"), "--edit names age twice"),
        (("--weights", "absent.json"), "'absent.json' cannot be read"),
        (("--weights", "mine.json", "--method", "average"), "leave out the method 'average', or the weights"),
        (("--weights", "mine.json", "--father-share", "0.5"), "leave out father share, or the weights"),
        (("--weights", "broken.json"), "it is not JSON"),
        (("--weights", "beyond.json"), "must be a number from 0 (mother) to 1 (father), not 2"),
        (("--weights", "ffhq.json"), "belong to 'ffhq' with 18 layers, not to 'studio'"),
        (("--weights", "odd.json"), "belong to 'studio' with '12' layers, not to 'studio'"),
    ],
)
def test_bad_edits_and_weights_cost_no_networks(tmp_path: Path, monkeypatch, capsys, options: tuple, words: str):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Kinship, "load", None)  # whoever loads networks fails
    contents = {
        "mine.json": json.dumps(GOOD),
        "broken.json": "{",
        "beyond.json": json.dumps(GOOD | {"layers": {"0": 2}}),
        "ffhq.json": json.dumps(GOOD | {"preset": "ffhq", "num_layers": 18}),
        "odd.json": json.dumps(GOOD | {"num_layers": "12"}),
    }
    for name, content in contents.items():
        Path(name).write_text(content)
    # The photographs do not exist either: options are checked before they are read.
    child = ("--father", "absent.jpg", "--mother", "absent.jpg", "--out", "child.png", *options)
    for command, arguments in (("child", child), ("family", ("--out", "family.png", *options))):
        assert words in check_refusal(command, arguments, tmp_path, capsys)


def test_weights_of_other_layers_are_refused_before_a_photograph_is_encoded(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "mine.json").write_text(json.dumps(GOOD | {"num_layers": 14}))
    monkeypatch.setattr(Kinship, "encode", None)  # whoever encodes fails
    line = check_refusal("family", ("--weights", tmp_path / "mine.json"), tmp_path, capsys)
    assert "belong to 'studio' with 14 layers, not to 'studio' with 12" in line


def test_absent_networks_are_named_before_directions(tmp_path: Path, cache: Path, capsys):
    line = check_refusal("family", ("--preset", "ffhq", "--edit", "smile=1"), tmp_path, capsys)
    assert "kinlib weights fetch stylegan2_ffhq e4e_ffhq" in line


def test_help_lists_the_attributes(capsys, monkeypatch, tmp_path: Path):
    told = describe_attributes()
    assert all(f"{name} (" in told for name in load_directions()) and told.endswith("ffhq: age, pose, smile")
    for command in ("child", "family"):
        assert main([command, "--help"]) == 0
        text = " ".join(capsys.readouterr().out.replace("│", " ").split())
        assert f"such as smile=0.5; {told} (repeatable)" in text
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    assert describe_attributes() == "ffhq: age, pose, smile" and main(["child", "--help"]) == 0


def test_help_does_not_wait_for_pytorch():
    program = "import sys; from kinlib.cli import main; main(['child', '--help']); assert 'torch' not in sys.modules"
    environment = os.environ | {"PYTHONPATH": str(config.project_root())}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300, env=environment, capture_output=True)
