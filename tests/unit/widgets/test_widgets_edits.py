"""The panel of notebook 08, driven by code."""

import base64
from dataclasses import replace

import pytest
import torch

from kinlib.gan.directions import Direction
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.edits import EditPanel


def test_only_moved_sliders_are_set(kin, face):
    panel = EditPanel(kin, face)
    assert set(panel.controls) == {*kin.directions, "reset"}
    assert panel.edits == {} and torch.equal(panel.edited.latent, face.latent)
    before = panel.images["after"].value
    panel.controls["smile"].value = 0.8
    assert panel.edits == {"smile": pytest.approx(0.8)} and "smile 0.80" in panel.status.value
    assert panel.images["after"].value != before
    wanted = kin.edit(face, {"smile": panel.controls["smile"].value})
    torch.testing.assert_close(panel.edited.latent, wanted.latent)
    panel.reset()
    assert panel.edits == {} and panel.images["after"].value == before


def test_a_browser_that_rounds_an_untouched_slider_sets_nothing(kin, face):
    """JupyterLab moves every slider to its next step as soon as it is shown."""
    panel = EditPanel(kin, face)
    for name in kin.directions:
        slider = panel.controls[name]
        slider.value = slider.min + slider.step * round((slider.value - slider.min) / slider.step)
    assert panel.edits == {} and torch.equal(panel.edited.latent, face.latent)
    slider = panel.controls["smile"]
    slider.value += slider.step
    assert list(panel.edits) == ["smile"]


def test_sliders_stay_within_the_data(kin, face):
    panel = EditPanel(kin, face)
    for name, direction in kin.directions.items():
        slider = panel.controls[name]
        for end in (slider.min, slider.max):
            assert direction.low - 1e-6 <= end <= direction.high + 1e-6
        slider.value = slider.max
        assert "must be" not in panel.status.value


def test_a_published_direction_is_moved_in_steps(kin, face):
    moving = replace(kin, directions={"smile": Direction(torch.full((1, 512), 0.1))})
    panel = EditPanel(moving, face)
    panel.controls["smile"].value = 2.0
    assert panel.controls["smile"].min == -panel.controls["smile"].max
    torch.testing.assert_close(panel.edited.latent, face.latent + 0.2)


def test_snapshot_and_refusal(kin, face):
    bundle = EditPanel(kin, face)._repr_mimebundle_()
    assert base64.b64decode(bundle["image/jpeg"])[:2] == b"\xff\xd8"
    private = EditPanel(kin, face, private=True)._repr_mimebundle_()
    assert "image/jpeg" not in private
    with pytest.raises(KinlibError, match="has no directions"):
        EditPanel(replace(kin, directions={}), face)
