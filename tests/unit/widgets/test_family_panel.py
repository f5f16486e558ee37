"""The panel of sliders, driven by code: bundled parents, bundled weights, no browser."""

import base64
import datetime
import io
from dataclasses import replace

import pytest
from PIL import Image

from kinlib.kinship.kinship import Kinship
from kinlib.runtime.errors import KinlibError
from kinlib.session import PICTURES, Settings
from kinlib.studio.datasets import sample_parents
from kinlib.widgets import family_studio
from kinlib.widgets.uploads import uploaded


@pytest.fixture
def studio(kin):
    return family_studio(kin, refine=0)


def in_seven(name, content):
    """A FileUpload's value in ipywidgets 7."""
    return {name: {"metadata": {"name": name, "type": "image/jpeg", "size": len(content)}, "content": content}}


def in_eight(name, content):
    """A FileUpload's value in ipywidgets 8."""
    now = datetime.datetime.now(datetime.UTC)
    facts = {"name": name, "type": "image/jpeg", "size": len(content), "last_modified": now}
    return ({**facts, "content": memoryview(content)},)


def jpeg(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()


def shown(studio):
    """What the panel shows at the moment."""
    return {name: bytes(image.value) for name, image in studio.images.items()}


BAD = {
    "text": ("notes.txt", b"hello"),
    "empty": ("empty.jpg", b""),
    "cut short": ("cut.jpg", jpeg(Image.new("RGB", (300, 300), "grey"))[:400]),
    "too small": ("dot.png", jpeg(Image.new("RGB", (8, 8)))),
    "no face": ("wall.jpg", jpeg(Image.new("RGB", (200, 200), "grey"))),
}


def test_panel_starts_with_five_pictures(studio):
    assert set(studio.images) == set(PICTURES)
    pictures = [Image.open(io.BytesIO(content)) for content in shown(studio).values()]
    assert {picture.format for picture in pictures} == {"PNG"}
    assert len(set(shown(studio).values())) == len(PICTURES)
    assert studio.controls["couple"].value == 1
    assert studio.status.value == "" and studio.bar.layout.visibility == "hidden"


@pytest.mark.parametrize(
    ("name", "value", "first"),
    [
        ("coarse", 1.0, {}),
        ("middle", 0.0, {}),
        ("fine", 1.0, {}),
        ("truncation", 0.5, {}),
        ("method", "mask", {}),
        ("seed", 7, {"method": "mask"}),
        ("age_inherited", False, {"age": 80}),
        ("age", 10, {"age_inherited": False}),
        ("sex", "female", {}),
        ("sex", "male", {}),
    ],
)
def test_every_control_changes_the_child_and_nobody_else(studio, name, value, first):
    for other, start in first.items():
        studio.controls[other].value = start
    before = shown(studio)
    studio.controls[name].value = value
    after = shown(studio)
    assert [picture for picture in PICTURES if before[picture] != after[picture]] == ["child"]
    assert studio.status.value == ""


def test_a_slider_moved_back_gives_the_same_child(studio):
    before = shown(studio)
    for value in (0.9, 0.5):
        studio.controls["coarse"].value = value
    assert shown(studio) == before


def test_sliders_mean_what_the_package_means(studio, kin):
    studio.controls["coarse"].value = studio.controls["middle"].value = studio.controls["fine"].value = 1.0
    assert shown(studio)["child"] == shown(studio)["father_reconstruction"]
    assert studio.settings() == Settings(1.0, 1.0, 1.0)


def test_another_child(studio):
    studio.controls["method"].value = "mask"
    before = shown(studio)["child"]
    studio.controls["another"].click()
    assert studio.controls["seed"].value == 1 and shown(studio)["child"] != before
    studio.controls["seed"].value = studio.controls["seed"].max
    studio.controls["another"].click()
    assert studio.controls["seed"].value == 0


def test_seed_of_a_method_without_chance_is_explained(studio):
    studio.controls["seed"].value = 5
    assert "every seed gives the same child" in studio.status.value
    studio.controls["coarse"].value = 0.25
    assert studio.status.value == ""


def test_age_can_be_moved_only_when_it_is_not_inherited(studio):
    assert studio.controls["age"].disabled and studio.settings().age is None
    studio.controls["age_inherited"].value = False
    assert not studio.controls["age"].disabled and studio.settings().age == studio.controls["age"].value


def test_another_couple(studio):
    before = shown(studio)
    studio.controls["couple"].value = 2
    assert all(before[name] != after for name, after in shown(studio).items())


@pytest.mark.parametrize("case", BAD)
def test_a_bad_upload_is_told_in_the_panel(studio, case):
    before = shown(studio)
    _upload(studio, "mother", BAD[case])
    sentence = studio.status.value
    assert sentence.startswith("mother: ") and "\n" not in sentence and "Traceback" not in sentence
    assert "kinlib-" not in sentence and "tmp" not in sentence
    assert shown(studio) == before and studio.controls["couple"].value == 1
    studio.controls["coarse"].value = 1.0  # and the panel goes on
    assert shown(studio)["child"] != before["child"] and studio.status.value == ""


def test_a_good_upload_in_the_panel(studio):
    before = shown(studio)
    _upload(studio, "mother", ("m.jpg", sample_parents.couple(2)[1].read_bytes()))
    changed = [name for name, content in shown(studio).items() if content != before[name]]
    assert changed == ["mother", "mother_reconstruction", "child"]
    assert studio.controls["couple"].value == 0
    studio.controls["couple"].value = 1
    assert shown(studio) == before


def _upload(studio, role, file):
    """As a browser does it, for the ipywidgets that is installed."""
    upload = studio.controls[f"upload_{role}"]
    upload.set_trait("value", in_eight(*file) if isinstance(upload.value, tuple) else in_seven(*file))


def test_the_newest_upload_counts():
    assert uploaded({**in_seven("a", b"1"), **in_seven("b", b"2")}) == ("b", b"2")
    assert uploaded((*in_eight("a", b"1"), *in_eight("b", b"2"))) == ("b", b"2")
    for nothing in ({}, ()):
        with pytest.raises(KinlibError, match="no photograph"):
            uploaded(nothing)


def test_the_panel_shows_that_something_is_going_on(studio):
    seen = []
    studio.bar.layout.observe(lambda change: seen.append(change.new), names="visibility")
    studio.take({"father": sample_parents.couple(2)[0]})
    assert seen == ["visible", "hidden"]


def test_a_failure_of_the_machine_is_one_sentence(studio, monkeypatch):
    def fails(*args, **options):
        raise RuntimeError("out of memory\nat a place deep inside")

    monkeypatch.setattr(Kinship, "children", fails)
    before = shown(studio)
    studio.controls["fine"].value = 0.0
    assert studio.status.value == "that did not work: out of memory"
    assert shown(studio) == before


def test_what_a_preset_cannot_do_is_disabled(kin):
    controls = family_studio(replace(kin, directions={}), refine=0).controls
    assert controls["age_inherited"].disabled and controls["age"].disabled and controls["sex"].disabled


def test_given_photographs_and_faces(kin):
    father, mother = sample_parents.couple(2)
    studio = family_studio(kin, father=kin.encode(father), mother=mother, refine=0)
    assert studio.controls["couple"].value == 0 and studio.session.child is not None
    half = family_studio(kin, father=father, refine=0)
    assert shown(half)["father"] == shown(studio)["father"]
    assert shown(half)["mother"] != shown(studio)["mother"]


def test_given_photographs_that_are_bad(kin, tmp_path):
    studio = family_studio(kin, father=tmp_path / "absent.jpg")
    assert studio.status.value.startswith("father: there is no file")
    assert studio.session.child is not None  # of the bundled couple
    both = family_studio(kin, father=tmp_path / "absent.jpg", mother=tmp_path / "absent.jpg")
    assert both.status.value.startswith("father: there is no file")
    with pytest.raises(KinlibError, match="no couple 99"):
        family_studio(kin, couple=99)


def test_messages_cannot_carry_markup(studio):
    _upload(studio, "father", ("<b>x<b>.txt", b"hello"))
    assert "<" not in studio.status.value


def test_a_stored_notebook_shows_bundled_people_only(studio):
    bundle = studio._repr_mimebundle_()
    if bundle is None:
        pytest.skip("ipywidgets 7 displays itself, without a picture")
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))
    assert picture.format == "JPEG" and "children=" not in bundle["text/plain"]
    studio.take({"father": sample_parents.couple(2)[0]})
    assert "image/jpeg" not in studio._repr_mimebundle_()
