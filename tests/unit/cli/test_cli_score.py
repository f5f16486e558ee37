"""`kinlib score`: what it refuses, and one real run of each kind."""

import json

import pytest
from PIL import Image

from kinlib.cli import main
from kinlib.evaluation.heredity.siblings import load_siblings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of --method, --pictures and --list"),
        (("--method", "mask", "--list"), "give one of"),
        (("--list",), "missing: --out"),
        (("--method", "masks"), "unknown method 'masks'"),
        (("--method", "mask", "--children", "1"), "--children must be from 2 to 1,000"),
        (("--method", "mask", "--couples", "33"), "--couples must be from 1 to 32"),
        (("--method", "mask", "--align"), "--align is for --pictures"),
        (("--method", "mask", "--out", "score.txt"), "must end in .json"),
        (("--method", "mask", "--plot", "nowhere/plot.png"), "there is no folder"),
        (("--method", "mask", "--preset", "ffhq2"), "preset"),
        (("--method", "mine.py:inherit"), "there is no file"),
        (("--method", "mask", "--option", "blocks"), "--option takes NAME=VALUE"),
        (("--method", "mask", "--option", "blocks=rows"), "blocks"),
        (("--method", "mask", "--option", "size=3"), "no option 'size'"),
        (("--method", "mask", "--option", "father-share=half"), "takes a float, not 'half'"),
        (("--list", "--out", "couples", "--option", "blocks=group"), "--option is for --method"),
        (("--pictures", "nowhere"), "there is no folder 'nowhere'"),
        (("--families", ".", "--list", "--out", "couples"), "--families is for --method"),
        (("--families", ".", "--method", "mask", "--plot", "plot.png"), "leave it out with --families"),
        (("--families", ".", "--method", "masks"), "holds none of the data sets"),
        (("--families", "nowhere", "--method", "mask"), "nowhere"),
    ],
)
def test_refused_in_one_sentence(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["score", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and "\n" not in error
    assert not list(tmp_path.iterdir())


def test_a_method_of_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def inherit(father, mother, generator):\n    return (father + mother) / 2\n")
    quick = ("--children", "2", "--couples", "2", "--out", "score.json", "--plot", "place.png")
    assert main(["score", "--method", "mine.py:inherit", *quick]) == 0
    out = capsys.readouterr().out
    assert "> mine.py:inherit" in out and "no place: 2 couples were scored" in out
    report = json.loads((tmp_path / "score.json").read_text())
    assert report["method"] == "mine.py:inherit" and len(report["couples"]) == 2
    assert Image.open(tmp_path / "place.png").width > 500


def test_a_method_with_an_option(capsys):
    quick = ("--children", "2", "--couples", "2")
    assert main(["score", "--method", "mask", "--option", "blocks=group", "--option", "father-share=1", *quick]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(">"))
    assert row.startswith("> mask blocks=group father-share=1")
    spread = float(row.split()[-2])
    assert spread == 0, "all children are copies of the father"


def test_pictures_of_true_siblings_have_a_place(capsys, tmp_path):
    """Renders of true children, as any program would hand in its own: better than every method."""
    for couple, pictures in load_siblings(2).items():
        (tmp_path / couple).mkdir()
        for number, picture in enumerate(pictures):
            picture.save(tmp_path / couple / f"{number}.png")
    assert main(["score", "--pictures", str(tmp_path)]) == 0
    assert "place 1 of " in capsys.readouterr().out


def test_couples_are_listed(capsys, tmp_path):
    assert main(["score", "--list", "--out", str(tmp_path / "couples")]) == 0
    assert len(list((tmp_path / "couples").glob("*.jpg"))) == 64
    assert "couples.json" in capsys.readouterr().out
