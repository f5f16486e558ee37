"""Looking at photographs: readings before and after, without names or pictures in what is kept."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from kinlib.evaluation import photographs
from kinlib.faces.parsing import Parsing, load_parser
from kinlib.io.face_labels import CLASSES
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.sample_parents import couples


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two rendered parents stand in for photographs."""
    folder = tmp_path_factory.mktemp("photos")
    for number, path in enumerate(couples()[0]):
        Image.open(path).convert("RGB").resize((400, 400)).save(folder / f"private name {number}.png")
    (folder / "notes.txt").write_text("no photograph")
    (folder / "._private name 0.png").write_bytes(b"what macOS keeps of a file on other disks")
    return folder


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """The bundled weights in a place of their own."""
    place = tmp_path / "weights" / "studio"
    shutil.copytree(config.data_dir() / "weights" / "studio", place)
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    load_parser.cache_clear()
    yield place
    load_parser.cache_clear()


def test_readings_are_shown_and_kept_as_numbers(folder, bundled, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    photographs.main([str(folder), "--sheet", str(sheet), "--record"])
    printed = capsys.readouterr().out
    assert "private name 0.png" in printed and "skin tone.before" in printed and "age.after" in printed
    text = (bundled / "encoder.json").read_text()
    assert "private" not in text
    found = json.loads(text)["photographs"]
    assert len(found) == 2 and all(len(row["identity"]) == 1 and len(row["age"]) == 2 for row in found)
    assert all(row["identity"][0] > 0.7 for row in found)  # renders come back as themselves
    side = Image.open(sheet).size
    assert side[0] == side[1]  # two faces above two reconstructions


def test_sheets_do_not_go_into_the_project(folder):
    with pytest.raises(KinlibError, match="lies in the project"):
        photographs.main([str(folder), "--sheet", str(config.project_root() / "sheet.png")])


def test_help_begins_with_what_it_does(capsys):
    with pytest.raises(SystemExit):
        photographs.main(["--help"])
    shown = capsys.readouterr().out
    assert "What the studio's networks make of photographs" in shown and "Nothing leaves" not in shown


def test_folder_without_photographs(tmp_path):
    with pytest.raises(KinlibError, match="no photograph"):
        photographs.look_at(tmp_path)


def test_skin_tone_tells_dark_from_light():
    pictures = torch.stack([torch.full((3, 16, 16), value) for value in (0.6, -0.5)])
    pictures[:, 0] += 0.2  # reddish
    pictures[:, 2] -= 0.2
    skin = np.full((2, 16, 16), CLASSES.index("skin"), np.uint8)
    empty = torch.zeros(0)
    light, dark = photographs._skin_tone(pictures, Parsing(skin, skin, empty, empty))
    assert light > 41 and dark < -30  # the borders of "light" and of "dark"
    nowhere = photographs._skin_tone(pictures, Parsing(np.zeros_like(skin), skin, empty, empty))
    assert np.isnan(nowhere).all()
