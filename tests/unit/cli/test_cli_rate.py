"""`kinlib rate`: a table in the order of names, what a score is not, and what is refused."""

import pandas as pd
import pytest
import torch
from command_line import check_refusal
from PIL import Image
from safetensors.torch import save_file

from kinlib.attractiveness.network import ComboNet, load_combonet
from kinlib.attractiveness.prediction import predict
from kinlib.cli import main
from kinlib.io.images import resize, to_tensor
from kinlib.studio.datasets.sample_parents import couple


@pytest.fixture
def network(tmp_path):
    """A small network with random weights."""
    torch.manual_seed(0)
    net = ComboNet("small")
    for _ in range(3):  # statistics of batch normalisation
        net(torch.randn(16, 3, 64, 64))
    path = tmp_path / "network.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, path)
    return path


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "faces"
    (place / "more").mkdir(parents=True)
    for name, photo in zip(("b 10.png", "b 2.png"), couple(1), strict=True):
        Image.open(photo).convert("RGB").save(place / name)
    Image.open(couple(2)[0]).convert("RGB").crop((20, 0, 220, 256)).save(place / "more" / "é.JPG")
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff cut short")
    (place / "empty.png").write_bytes(b"")
    (place / ".hidden.png").write_bytes(b"x")
    (place / "notes.txt").write_bytes(b"x")
    return place


def test_scores_are_those_of_the_network_in_the_order_of_names(folder, network, tmp_path, capsys):
    out = tmp_path / "scores.parquet"
    assert main(["rate", str(folder), "--out", str(out), "--weights", str(network), "--batch", "2"]) == 0
    table = pd.read_parquet(out)
    assert table["picture"].tolist() == ["b 2.png", "b 10.png", "broken.jpg", "empty.png", "more/é.JPG"]
    assert list(table) == ["picture", "score", *(f"level_{level}" for level in range(1, 6)), "problem"]
    net = load_combonet(network)
    alone = predict(net, resize(to_tensor(Image.open(folder / "b 10.png")), 64))
    assert table["score"][1] == pytest.approx(alone.scores[0], abs=1e-5)
    assert table[[f"level_{level}" for level in range(1, 6)]].dropna().sum(axis=1).tolist() == pytest.approx([1] * 3)
    unread = table["score"].isna()
    assert unread.tolist() == [False, False, True, True, False] and (unread == table["problem"].notna()).all()
    said = capsys.readouterr().out
    assert "3 scores of 5 pictures" in said and "no measure of a person" in said and "empty.png" in said


def test_the_help_says_what_a_score_is_not(capsys):
    assert main(["rate", "--help"]) == 0
    assert "no measure of a person" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_by_levels_takes_the_expected_level(folder, network, tmp_path):
    out = tmp_path / "scores.parquet"
    assert main(["rate", str(folder), "--out", str(out), "--weights", str(network), "--by-levels"]) == 0
    table = pd.read_parquet(out).dropna(subset="score")
    expected = sum(level * table[f"level_{level}"] for level in range(1, 6))
    assert table["score"].tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_faces_are_aligned_if_asked(folder, network, tmp_path):
    Image.new("RGB", (200, 200), (90, 120, 90)).save(folder / "a meadow.png")
    out = tmp_path / "scores.parquet"
    assert main(["rate", str(folder), "--out", str(out), "--weights", str(network), "--align"]) == 0
    table = pd.read_parquet(out).set_index("picture")
    assert "face" in table.problem["a meadow.png"] and table.score.notna().sum() == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "--out", "s.parquet"), "'nowhere' does not exist"),
        (("faces/notes.txt", "--out", "s.parquet"), "is a file"),
        (("faces", "--out", "s.csv"), "must end in .parquet"),
        (("faces", "--out", "nowhere/s.parquet"), "there is no folder"),
        (("faces", "--out", "s.parquet", "--batch", "0"), "--batch must be from 1"),
        (("faces", "--out", "s.parquet", "--weights", "nothing.pth"), "nothing.pth"),
        (("faces", "--out", "s.parquet", "--weights", "faces/notes.txt"), "notes.txt"),
        (("bare", "--out", "s.parquet"), "holds no pictures"),
        (("faces",), "missing: --out"),
    ],
)
def test_refused_in_one_sentence(arguments, words, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare").mkdir()
    assert words in check_refusal("rate", arguments, tmp_path, capsys)


def test_no_command_that_makes_faces_offers_a_score(capsys):
    for command in ("child", "family", "pool", "score"):
        assert main([command, "--help"]) == 0
        assert "attractive" not in capsys.readouterr().out.casefold()
