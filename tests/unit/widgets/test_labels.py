"""Labels are not cut off: buttons are as wide as their text, and the space beside a control holds its description."""

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib import font_manager
from PIL import ImageFont

from kinlib.families import family101
from kinlib.families.trios import build
from kinlib.kinship.kinship import Face, Kinship
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents
from kinlib.studio.datasets.originals import load_originals
from kinlib.widgets import family_studio
from kinlib.widgets.alignment import AlignPanel
from kinlib.widgets.edits import EditPanel
from kinlib.widgets.families import FamilyBrowser, TrioBrowser
from kinlib.widgets.sieve import PhotoSieve
from kinlib.widgets.upscaling import UpscalePanel
from kinlib.widgets.variations import variation_panel
from kinlib.widgets.weights import weights_panel

SIZE = 13  # px, of JupyterLab's text
BUTTON, PADDING = 148, 20  # px; ipywidgets' default width, and its padding on both sides
FONT = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), SIZE)  # wider than the fonts that browsers take


def edited() -> tuple[Kinship, Face]:
    """A face to edit, with its networks."""
    kin = Kinship.load("studio", "cpu")
    return kin, kin.encode(sample_parents.couple(1)[0])


def controls_of(name: str) -> list[widgets.Widget]:
    """All controls of one panel, in the order of the page."""
    tables = family101.read(config.families_dir()) if name in ("families", "trios") else None
    picture = load_originals(1)[0].small if name in ("align", "sieve") else None
    panel = {
        "family": lambda: family_studio(Kinship.load("studio", "cpu"), refine=0),
        "families": lambda: FamilyBrowser(tables),
        "trios": lambda: TrioBrowser(tables, build(tables)),
        "align": lambda: AlignPanel([picture], ["somebody"], [load_originals(1)[0].landmarks_in(picture.width)]),
        "edits": lambda: EditPanel(*edited()),
        "sieve": lambda: PhotoSieve([picture], np.ones(1), np.zeros(1)),
        "upscale": lambda: UpscalePanel(load_originals(1)),
        "variations": lambda: variation_panel(live=False),
        "weights": lambda: weights_panel(Kinship.load("studio", "cpu")),
    }[name]()
    return list(panel.controls.values())


PANELS = ["family", "families", "trios", "align", "edits", "sieve", "upscale", "variations", "weights"]


@pytest.mark.parametrize("name", PANELS)
def test_labels_have_room(name: str):
    found = controls_of(name)
    assert found
    for control in found:
        if isinstance(control, widgets.Button | widgets.FileUpload):
            assert control.layout.width == "max-content", control.description
        if isinstance(control, widgets.ToggleButtons):
            button = int((control.style.button_width or f"{BUTTON}px").removesuffix("px"))
            assert max(FONT.getlength(label) for label in control._options_labels) <= button - PADDING
        if hasattr(control.style, "description_width") and not isinstance(control, widgets.Checkbox):
            room = control.style.description_width or "80px"  # ipywidgets' own
            assert FONT.getlength(control.description) <= int(room.removesuffix("px")), control.description


def test_the_default_button_would_cut_a_label_off():
    """With an icon, and the counter that FileUpload adds."""
    assert FONT.getlength("mother's photo (0)") + SIZE > BUTTON - PADDING
