"""The panels that leaf through families and trios, driven by code on a small set made here."""

import base64
import functools
import io

import numpy as np
import pytest
from PIL import Image

from kinlib import families
from kinlib.families import drawing, trios
from kinlib.runtime.errors import KinlibError
from kinlib.widgets import families as panels
from kinlib.widgets.families import FamilyBrowser, TrioBrowser

LIST = [
    *("0\tFAMI\tBELL", "1\tHUSB\tAdam_Bell", "1\tWIFE\tBea_Crow", "1\tDAUG\tCleo_Bell", "1\tSONN\tFinn_Bell"),
    *("2\tHUSB\tDan_Dove", "2\tWIFE\tCleo_Bell", "2\tDAUG\tEve_Dove"),
    *("0\tFAMI\tHART", "1\tHUSB\tGus_Hart", "1\tWIFE\tIda_Wood", "1\tSONN\tJoe_Hart"),
    *("0\tFAMI\tKING", "1\tHUSB\tLeo_King", "1\tSONN\tMax_King"),
]
NUM = {"Adam_Bell": 2, "Bea_Crow": 3, "Cleo_Bell": 4, "Finn_Bell": 2, "Dan_Dove": 3, "Eve_Dove": 3, "Gus_Hart": 2}
NUM |= {"Ida_Wood": 2, "Leo_King": 1, "Max_King": 1}  # Joe has no pictures


@pytest.fixture
def root(tmp_path):
    (tmp_path / "FAMILY101.txt").write_text("\r\n".join(LIST))
    family, rng = None, np.random.default_rng(0)
    for line in LIST:
        _, role, name = line.split("\t")
        family = name if role == "FAMI" else family
        for number in range(NUM.get(name, 0)):
            path = tmp_path / family / name / f"{number + 1:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)).save(path)
    return tmp_path


@pytest.fixture
def tables(root):
    return families.read(root)


@pytest.fixture
def bundled(root, monkeypatch):
    """The same families where the bundled data lie."""
    monkeypatch.setenv("KINLIB_DATA", str(root))
    return families.read(root)


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_families_in_order_of_size(tables):
    panel = FamilyBrowser(tables)
    assert [value for _, value in panel.controls["family"].options] == ["BELL", "HART", "KING"]
    assert panel.controls["person"].value == "BELL/Adam_Bell"
    assert pixels(panel.images["tree"].value).ndim == 3
    assert "parent of Cleo_Bell, Finn_Bell" in panel.facts.value and "married to Bea_Crow" in panel.facts.value
    assert panel.status.value == ""


def test_another_person_and_another_family(tables):
    panel = FamilyBrowser(tables)
    album = bytes(panel.images["album"].value)
    tree = bytes(panel.images["tree"].value)
    panel.controls["person"].value = "BELL/Cleo_Bell"
    assert bytes(panel.images["album"].value) != album and bytes(panel.images["tree"].value) == tree
    assert "child of Adam_Bell, Bea_Crow" in panel.facts.value
    panel.controls["family"].value = "HART"
    assert panel.controls["person"].value == "HART/Gus_Hart"
    assert bytes(panel.images["tree"].value) != tree and "Ida_Wood" in panel.facts.value


def test_what_cannot_be_drawn_is_said(tables):
    panel = FamilyBrowser(tables, "HART")
    panel.controls["person"].value = "HART/Joe_Hart"
    assert panel.images["album"].layout.display == "none" and "no pictures of HART/Joe_Hart" in panel.status.value
    assert "missing_folder" in panel.facts.value
    panel.controls["family"].value = "KING"  # no couple, no tree
    assert panel.images["tree"].layout.display == "none" and "at least one couple" in panel.status.value
    assert panel.images["album"].layout.display == ""
    panel.controls["family"].value = "BELL"
    assert panel.images["tree"].layout.display == "" and panel.status.value == ""


def test_a_family_has_to_be_there(tables):
    with pytest.raises(KinlibError, match="no family 'BELLS'"):
        FamilyBrowser(tables, "BELLS")


def test_a_damaged_picture_breaks_no_panel(tables, root):
    (root / "BELL" / "Adam_Bell" / "02.png").write_bytes(b"damaged")
    panel = FamilyBrowser(tables)
    assert "02.png" in panel.status.value and panel.images["tree"].layout.display == ""
    assert drawing.portrait(tables, "BELL/Adam_Bell") is None


def test_trios_and_their_image_trios(tables):
    panel = TrioBrowser(tables, trios.build(tables))
    assert list(panel.controls["family"].options) == ["BELL", "HART"]
    assert [name for name, _ in panel.controls["trio"].options] == ["Cleo_Bell", "Finn_Bell", "Eve_Dove"]
    assert panel.controls["number"].max == 2 and panel.captions["mother"].value == "mother: Bea_Crow"
    first = bytes(panel.images["father"].value)
    panel.controls["number"].value = 2
    assert bytes(panel.images["father"].value) != first  # `min` uses nobody's picture twice
    panel.controls["how"].value = "all"
    assert panel.controls["number"].value == 1 and panel.controls["number"].max == 2 * 3 * 4
    assert "24 image trios" in panel.status.value
    panel.controls["trio"].value = 2
    assert panel.captions["child"].value == "child: Eve_Dove" and panel.controls["number"].max == 3 * 4 * 3


def test_the_pictures_are_those_of_the_trio(tables):
    panel = TrioBrowser(tables, trios.build(tables))
    panel.controls["how"].value = "all"
    for role, person in (("father", "Adam_Bell"), ("mother", "Bea_Crow"), ("child", "Cleo_Bell")):
        own = [np.asarray(Image.open(tables.path(image))) for image in tables.images_of[f"BELL/{person}"]]
        assert any(np.array_equal(pixels(panel.images[role].value), one) for one in own)


def test_fixed_shows_what_the_family_s_number_leaves_for_a_trio(tables):
    rows = trios.build(tables)
    panel = TrioBrowser(tables, rows)
    panel.controls["how"].value = "fixed"
    assert panel.controls["number"].max == trios.num_image_trios(rows, "fixed")[0]


def test_more_combinations_than_memory_are_refused_in_words(tables, monkeypatch):
    monkeypatch.setattr(panels, "pair_images", functools.partial(trios.pair_images, most=23))
    panel = TrioBrowser(tables, trios.build(tables))
    panel.controls["how"].value = "all"
    assert "24 image trios, more than 23" in panel.status.value and panel.images["child"].layout.display == "none"
    panel.controls["how"].value = "min"
    assert panel.status.value == "2 image trios of this trio" and panel.images["child"].layout.display == ""


def test_a_trio_without_image_trios(tables):
    panel = TrioBrowser(tables, trios.build(tables))
    panel.controls["family"].value = "HART"
    assert panel.images["child"].layout.display == "none" and panel.captions["child"].value == "child: 0 images"
    assert "0 image trios" in panel.status.value
    panel.controls["family"].value = "BELL"
    assert panel.images["child"].layout.display == ""


def test_without_trios(tables):
    with pytest.raises(KinlibError, match="no trios"):
        TrioBrowser(tables, trios.build(tables)[:0])


def test_pictures_of_real_people_are_not_stored(tables):
    for panel in (FamilyBrowser(tables), TrioBrowser(tables, trios.build(tables))):
        bundle = panel._repr_mimebundle_()
        assert "image/jpeg" not in (bundle or {}) and "BELL" not in str(bundle)  # nor are people named


def test_a_stored_notebook_shows_a_picture(bundled):
    for panel in (FamilyBrowser(bundled), TrioBrowser(bundled, trios.build(bundled))):
        shown = pixels(base64.b64decode(panel._repr_mimebundle_()["image/jpeg"]))
        assert shown.shape[1] > 400
    panel.controls["family"].value = "HART"
    assert panel._repr_mimebundle_()["image/jpeg"]
    assert "image/jpeg" not in FamilyBrowser(bundled, "KING")._repr_mimebundle_()  # no couple, no tree, but a panel


def test_drawing(tables):
    assert drawing.drawable(tables) == ["BELL", "HART"]
    with pytest.raises(KinlibError, match="at least one couple"):
        drawing.tree(tables, "KING")
    with pytest.raises(KinlibError, match="no image trios"):
        drawing.trio_sheet(tables, trios.pair_images(trios.build(tables)[:0]))
    pairs = trios.pair_images(trios.build(tables), "all")
    assert (
        drawing.trio_sheet(tables, pairs[:8], columns=6).get_figheight()
        > drawing.trio_sheet(tables, pairs[:6], columns=6).get_figheight()
    )
