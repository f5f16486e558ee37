"""The panels of notebooks 04 and 05, driven by code."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from kinlib.evaluation.preprocessing.upscaling import unpaired_photographs
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.originals import load_originals
from kinlib.widgets import upscaling
from kinlib.widgets.alignment import AlignPanel
from kinlib.widgets.upscaling import UpscalePanel, divided


@pytest.fixture(scope="module")
def originals():
    return load_originals(3)


def pixels(content):
    return np.int32(Image.open(io.BytesIO(content)))


@pytest.fixture
def interpolated(monkeypatch):
    """No network: what it would do is done by interpolation, and every call is noted."""
    calls = []

    def plain(image, factor, method, preset):
        calls.append((method, factor))
        if method == "esrgan":
            raise KinlibError("the weights 'studio_upscaler_esrgan' are not here")
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.BILINEAR)

    monkeypatch.setattr(upscaling, "upscale", plain)
    return calls


def test_divided():
    left, right = Image.new("RGB", (100, 20), "red"), Image.new("RGB", (100, 20), "blue")
    both = np.asarray(divided(left, right, 0.3))
    assert (both[:, :28] == (255, 0, 0)).all() and (both[:, 33:] == (0, 0, 255)).all()
    assert (both[:, 30] == 255).all()
    np.testing.assert_array_equal(divided(left, right, 0.0), right)
    np.testing.assert_array_equal(divided(left, right, 1.0), left)


def test_two_ways_side_by_side(originals, interpolated):
    panel = UpscalePanel(originals)
    assert interpolated == [("bicubic", 2), ("real-esrgan", 2)]
    first = pixels(panel.image.value)
    assert first.shape == (480, 480, 3) and panel.status.value.count(" dB") == 2
    panel.controls["divider"].value = 0.1
    assert len(interpolated) == 2  # nothing is enlarged again
    panel.controls["right"].value = "original"
    changed = np.abs(pixels(panel.image.value) - first).sum(axis=2)
    assert changed[:, :40].max() == 0 and changed[:, 60:].mean() > 5
    assert "right: original" in panel.status.value and panel.status.value.count(" dB") == 1


def test_photograph_and_factor(originals, interpolated):
    panel = UpscalePanel(originals, photo=1, factor=4)
    before = pixels(panel.image.value)
    panel.controls["factor"].value = 2
    assert interpolated[-1] == ("real-esrgan", 2)
    panel.controls["photo"].value = 2
    assert np.abs(pixels(panel.image.value) - before).mean() > 10
    with pytest.raises(KinlibError, match="from 0 to 2"):
        UpscalePanel(originals, photo=3)
    with pytest.raises(KinlibError, match="at least one"):
        UpscalePanel([])


def test_a_missing_network_is_said(originals, interpolated):
    panel = UpscalePanel(originals)
    before = panel.image.value
    panel.controls["left"].value = "esrgan"
    assert "studio_upscaler_esrgan" in panel.status.value and panel.image.value == before


def test_a_panel_whose_network_is_missing_from_the_start_can_be_shown(originals, monkeypatch):
    def refuse(*arguments):
        raise KinlibError("the weights are not here")

    monkeypatch.setattr(upscaling, "upscale", refuse)
    panel = UpscalePanel(originals)
    assert panel.status.value == "the weights are not here"
    assert pixels(base64.b64decode(panel._repr_mimebundle_()["image/jpeg"])).std() < 1  # nothing but grey


def test_points_drive_the_crop(originals):
    truths = [one.landmarks_in(120) for one in originals]
    panel = AlignPanel([one.small for one in originals], [one.name for one in originals], truths)
    first = pixels(panel.images["crop"].value)
    assert "px off in the crop" in panel.status.value
    panel.controls["points"].value = "5"
    assert np.abs(pixels(panel.images["crop"].value) - first).mean() > 0.3
    panel.controls["points"].value = "truth"
    assert "px off" not in panel.status.value
    panel.controls["photo"].value = 1
    assert np.abs(pixels(panel.images["crop"].value) - first).mean() > 5


def test_68_points_that_differ_too_much_are_not_believed(originals):
    panel = AlignPanel([originals[0].small], ["somebody"])
    by_68 = pixels(panel.images["crop"].value)
    assert "differ by" in panel.status.value and "too much" not in panel.status.value
    panel.controls["limit"].value = 0.0
    doubted = pixels(panel.images["crop"].value)
    assert "too much" in panel.status.value and np.abs(doubted - by_68).mean() > 0.3
    panel.controls["points"].value = "5"
    np.testing.assert_array_equal(pixels(panel.images["crop"].value), doubted)


def test_photographs_without_originals(originals, interpolated):
    panel = UpscalePanel(unpaired_photographs([one.small for one in originals], ["a", "b", "c"]), private=True)
    assert "original" not in panel.controls["right"].options and " dB" not in panel.status.value
    before = pixels(panel.image.value)
    panel.controls["photo"].value = 1
    assert before.shape == (480, 480, 3) and np.abs(pixels(panel.image.value) - before).mean() > 5
    assert "image/jpeg" not in panel._repr_mimebundle_()


def test_without_truth_and_without_a_face(originals):
    empty = Image.new("RGB", (120, 150), (90, 120, 150))
    panel = AlignPanel([originals[0].small, empty], ["somebody", "nobody"])
    assert panel.controls["points"].options == ("68", "5") and "px off" not in panel.status.value
    panel.controls["photo"].value = 1
    assert panel.status.value == "no face found in this photograph: there is nothing to align"
    assert (pixels(panel.images["crop"].value) == 238).all()
    with pytest.raises(KinlibError, match="a name"):
        AlignPanel([empty], [])


def test_stored_notebooks_show_a_picture_but_of_nobody_real(originals, interpolated):
    few = [one.small for one in originals]
    for panel in (UpscalePanel(originals), AlignPanel(few, ["a", "b", "c"])):
        bundle = panel._repr_mimebundle_()
        assert "run the notebook" in bundle["text/plain"]
        assert pixels(base64.b64decode(bundle["image/jpeg"])).shape[0] >= 300
    hidden = AlignPanel(few, ["Jane", "John", "Joan"], private=True)._repr_mimebundle_()
    assert "image/jpeg" not in hidden and "Jane" not in str(hidden)  # nor are people named
