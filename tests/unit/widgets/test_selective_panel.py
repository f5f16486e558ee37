"""The panel of notebook 13, driven by code."""

import base64
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from kinlib.editing.names import editable_attributes
from kinlib.editing.networks import Generator
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.selective import SelectivePanel


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    """A network without training."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("editor") / "editor.safetensors"
    save_file({name: tensor.clone() for name, tensor in Generator(13, 2).state_dict().items()}, path)
    return path


def test_several_sliders_edit_at_once_and_reset_brings_the_face_back(kin, face, editor):
    panel = SelectivePanel(kin, face, editor)
    assert set(panel.controls) == {*(one.name for one in editable_attributes()), "reset"}
    before = panel.images["after"].value
    assert panel.changes == {} and before == panel.images["before"].value and "move a slider" in panel.status.value
    panel.controls["mouth_open"].value = -1.0 if panel.edited.present[8] > 0.5 else 1.0
    panel.controls["young"].value = -0.5 if panel.edited.present[12] > 0.5 else 0.5
    assert len(panel.changes) == 2 and panel.images["after"].value != before
    assert panel.edited.difference.count_nonzero() == 2 and abs(panel.edited.difference[0, 12]) == 0.5
    panel.reset()
    assert panel.changes == {} and panel.images["after"].value == before


def test_contradictions_are_refused_below_and_the_picture_stays(kin, face, editor):
    panel = SelectivePanel(kin, face, editor)
    panel.controls["hair_blond"].value = 1.0
    shown = panel.images["after"].value
    panel.controls["hair_black"].value = 1.0
    assert "contradict each other" in panel.status.value and panel.images["after"].value == shown


def test_the_snapshot_is_stored_unless_people_are_private(kin, face, editor):
    assert base64.b64decode(SelectivePanel(kin, face, editor)._repr_mimebundle_()["image/jpeg"])[:2] == b"\xff\xd8"
    assert "image/jpeg" not in SelectivePanel(kin, face, editor, private=True)._repr_mimebundle_()
    with pytest.raises(KinlibError, match="has no editing network"):
        SelectivePanel(replace(kin, preset="ffhq"), face)
