"""Other attributes than the bundled thirteen: both networks are trained for them, and photographs are edited."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib import Kinship
from kinlib.cli import main
from kinlib.io.face_labels import CLASSES
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.widgets.selective import SelectivePanel

OWN = {"Smiling": {"name": "smile", "touches": ["skin"], "loss": "nontarget"}, "Eyeglasses": {}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder with both networks, trained for a moment on pictures of 64 px that have a face and nothing else."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "data").mkdir()
    (folder / "attributes.json").write_text(json.dumps(OWN))
    labels = np.zeros((64, 64), np.uint8)
    labels[16:48, 16:48] = CLASSES.index("skin")
    rng = np.random.default_rng(0)
    rows = []
    for person in range(40):
        about = {"smile": 0.8 * (person % 2), "Eyeglasses": person % 3 == 0, "hair_colour": "brown", "grey": 0.0}
        picture = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
        rows.append({"person": person, "image": array_to_png(picture), "mask": array_to_png(labels)})
        rows[-1] |= {"attributes": json.dumps(about)}
    pd.DataFrame(rows).to_parquet(folder / "data" / "part-00000.parquet")
    shared = ("--data", folder / "data", "--attribute-set", folder / "attributes.json", "--out", folder)
    small = ("--width", 2, "--critic-width", 2, "--critic-steps", 1)
    for name, more in (("edit_attributes", ()), ("editor", small)):
        options = [*shared, "--run", folder / name, "--steps", 2, "--batch", 4, *more]
        assert main(["train", name, *map(str, options)]) == 0
    return folder


def test_photographs_are_edited_by_them(kin: Kinship, faces, trained, tmp_path, capsys):
    files = {"editor": trained / "editor.safetensors", "reader": trained / "edit_attributes.safetensors"}
    edited = kin.edit(faces[0], {"smile": 1}, how="attention", present={"smile": 0}, **files)
    assert edited.image.size == faces[0].image.size
    assert np.abs(np.float32(edited.image) - np.float32(faces[0].image)).max() > 0
    out = tmp_path / "edited.png"
    options = ["--set", "smile=1", "--present", "smile=0", "--weights", files["editor"], "--reader", files["reader"]]
    photo = sample_parents.couple(1)[0]
    assert main(["edit", str(photo), *map(str, options), "--out", str(out)]) == 0
    assert Image.open(out).size == Image.open(photo).size
    assert main(["edit", str(photo), "--set", "bald=1", *map(str, options[4:]), "--out", str(out)]) == 2
    assert "choose one of smile, glasses" in capsys.readouterr().err
    panel = SelectivePanel(kin, faces[0], **files)
    assert set(panel.controls) == {"smile", "glasses", "reset"}
    panel.controls["smile"].value = 1.0
    assert panel.changes == {"smile": 1.0} and panel.edited.difference.shape == (1, 2)


def test_a_reader_of_other_attributes_is_refused(kin: Kinship, faces, trained):
    with pytest.raises(KinlibError, match=r"is for 2 attributes \(smile, glasses.* the bundled network reads 13"):
        kin.edit(faces[0], {"smile": 1}, how="attention", editor=trained / "editor.safetensors")
    with pytest.raises(KinlibError, match=r"edit_attributes\.safetensors reads 2 attributes"):
        kin.edit(faces[0], {"glasses": 1}, how="attention", reader=trained / "edit_attributes.safetensors")


def test_pictures_without_the_attribute_are_refused(trained, tmp_path, capsys):
    (tmp_path / "own.json").write_text('{"Wavy_Hair": {"touches": ["hair"], "loss": "target"}}')
    options = ["--data", trained / "data", "--attribute-set", tmp_path / "own.json", "--out", tmp_path / "out"]
    assert main(["train", "edit_attributes", *map(str, options)]) == 2
    assert "these pictures have no attribute 'Wavy_Hair'" in capsys.readouterr().err
