"""The panel of blend weights, driven by code: sliders, dimensions, presets on disk."""

import io

import pytest
import torch
from PIL import Image

from kinlib.inheritance.weights_file import BlendWeights, load_weights, save_weights
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.weights import STARTS, weights_panel


@pytest.fixture
def panel(kin):
    return weights_panel(kin)


def codes(panel):
    """Codes of father, mother and child [L, 512]."""
    faces = panel.session.faces
    return faces["father"].latent[0], faces["mother"].latent[0], panel.session.child.latent[0]


def test_begins_with_the_average(panel):
    father, mother, child = codes(panel)
    assert torch.allclose(child, (father + mother) / 2, atol=1e-6) and panel.status.value == ""
    pictures = [Image.open(io.BytesIO(image.value)) for image in panel.images.values()]
    assert len(pictures) == 3 and len({picture.tobytes() for picture in pictures}) == 3
    assert not panel.private and panel._snapshot()[:2] == b"\xff\xd8"


def test_a_group_moves_its_layers_and_a_layer_moves_alone(panel):
    panel.controls["coarse"].value = 1.0
    assert [slider.value for slider in panel.layers] == [1.0] * 4 + [0.5] * 8
    before = panel.images["child"].value
    panel.layers[2].value = 0.0
    assert panel.images["child"].value != before
    father, mother, child = codes(panel)
    assert torch.equal(child[1], father[1]) and torch.equal(child[2], mother[2])
    assert panel.weights() == BlendWeights("studio", 12, {"coarse": 1.0, "middle": 0.5, "fine": 0.5}, {2: 0.0})


def test_dimensions_are_set_and_cleared(panel):
    panel.controls["dimension"].value, panel.controls["share"].value = 30, 1.0
    panel.controls["set"].click()
    father, mother, child = codes(panel)
    assert torch.equal(child[:, 30], father[:, 30]) and not torch.equal(child[:, 31], father[:, 31])
    assert "30: 1" in panel.chosen.value
    panel.controls["clear"].click()
    assert torch.allclose(codes(panel)[2], (father + mother) / 2, atol=1e-6) and "none" in panel.chosen.value


def test_start_of_the_menu(panel):
    name = "father's head, mother's colours"
    panel.controls["start"].value = name
    assert dict(panel.weights().groups) == STARTS[name]
    assert panel.layers[0].value == 1.0 and panel.layers[-1].value == 0.0


def test_what_is_saved_is_what_is_loaded(panel, kin, tmp_path):
    chosen = BlendWeights("studio", 12, {"coarse": 0.2, "middle": 0.8, "fine": 0.5}, {3: 1.0}, {500: 0.0, 7: 0.25})
    panel.set_weights(chosen)
    assert panel.weights() == chosen
    panel.controls["file"].value = str(tmp_path / "mine.json")
    panel.controls["save"].click()
    assert panel.status.value == "saved mine.json" and load_weights(tmp_path / "mine.json", "studio", 12) == chosen
    other = weights_panel(kin)
    other.controls["file"].value = str(tmp_path / "mine.json")
    other.controls["load"].click()
    assert other.weights() == chosen and torch.equal(codes(other)[2], codes(panel)[2])


def test_a_bad_file_changes_nothing(panel, tmp_path):
    panel.controls["fine"].value = 0.9
    before, picture = panel.weights(), panel.images["child"].value
    save_weights(tmp_path / "large.json", BlendWeights("ffhq", 18))
    (tmp_path / "broken.json").write_text("{")
    for name, words in (("large", "belong to"), ("broken", "not JSON"), ("absent", "cannot be read")):
        panel.load(tmp_path / f"{name}.json")
        assert words in panel.status.value and "\n" not in panel.status.value
        assert panel.weights() == before and panel.images["child"].value == picture
    panel.save(tmp_path / "no" / "such" / "\0")
    assert panel.status.value and not panel.status.value.startswith("saved")


def test_other_parents_are_private(kin, panel):
    faces = panel.session.faces
    assert weights_panel(kin, faces["mother"], faces["father"]).private
    with pytest.raises(KinlibError, match="give both parents"):
        weights_panel(kin, faces["father"])
