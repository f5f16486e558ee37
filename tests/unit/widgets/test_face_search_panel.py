"""The panel of a face search: buttons, sliders and what the status says."""

import io

import pytest
import torch
from PIL import Image

from kinlib.search.spaces import SearchSpace
from kinlib.widgets.face_search import FaceSearchPanel, face_search_panel


def flat_space() -> SearchSpace:
    """Grey pictures: the first coordinate is how light, the second how much lighter below."""

    def decode(coordinates):
        shade = torch.linspace(0, 1, 16)[:, None] * coordinates[:, 1, None, None] + coordinates[:, 0, None, None]
        return torch.tanh(shade[:, None].expand(-1, 3, 16, 16))

    def encode(images):
        return images.mean(dim=(1, 2, 3))[:, None].repeat(1, 2)

    return SearchSpace("flat", 2, 16, decode, encode, "0", {"Light": torch.tensor([1.0, 0.0])})


@pytest.fixture
def panel() -> FaceSearchPanel:
    return face_search_panel(flat_space(), count=12)


def test_faces_are_picked_in_the_order_of_clicks(panel):
    panel.faces[4].value = True
    panel.faces[2].value = True
    assert panel.session.picks == (4, 2) and panel.faces[2].description == "2: pick 2"
    panel.faces[4].value = False
    assert panel.session.picks == (2,)


def test_the_buttons_drive_the_session(panel):
    first = panel._images[0].value
    panel.controls["next"].click()
    assert "nothing is picked" in panel.status.value and panel.session.generation == 0
    panel.faces[4].value = True
    panel.controls["next"].click()
    assert panel.session.generation == 1 and panel._images[0].value != first
    assert not any(face.value for face in panel.faces)
    panel.controls["back"].click()
    assert panel.session.generation == 0 and panel.faces[4].value
    panel.controls["more"].click()
    assert panel.session.numbers == range(12, 24) and panel.faces[0].description == "12"
    panel.controls["undo"].click()
    assert panel.session.numbers == range(12)


def test_sliders_move_faces_and_follow_the_session(panel):
    before = panel.composite.value
    panel.sliders["Light"].value = 1.5
    assert panel.session.sliders == {"Light": 1.5} and panel.composite.value != before
    panel.controls["undo"].click()
    assert panel.sliders["Light"].value == 0 and panel.composite.value == before
    panel.sliders["Light"].value = -1
    panel.controls["start"].click()
    assert panel.session.sliders == {"Light": -1.0}


def test_locks_take_the_best_pick(panel):
    panel.controls["lock"].click()
    assert "nothing is picked" in panel.status.value
    panel.faces[3].value = True
    panel.controls["lock"].click()
    assert panel.session.locked == ("hair",) and "locked: hair" in panel.status.value
    panel.controls["unlock"].click()
    assert panel.session.locked == ()


def test_sessions_are_saved_and_loaded(panel, tmp_path):
    panel.controls["file"].value = str(tmp_path / "search.json")
    panel.faces[3].value = True
    panel.controls["save"].click()
    panel.controls["next"].click()
    panel.controls["load"].click()
    assert panel.session.generation == 0 and panel.faces[3].value
    panel.controls["next"].click()  # the buttons drive the session that was loaded
    assert panel.session.generation == 1
    panel.controls["file"].value = str(tmp_path / "none.json")
    panel.controls["load"].click()
    assert "cannot be read" in panel.status.value and panel.session.generation == 1


def test_a_stored_notebook_shows_screen_and_composite(panel):
    picture = Image.open(io.BytesIO(panel._snapshot()))
    assert picture.size == (1280, 256)
