"""Figures: layout of faces, storage that can be repeated byte by byte, and a style that leaves pyplot alone."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image
from run_notebooks import clean

from kinlib import figures
from kinlib.figures import store, style
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError


def picture(seed, side=64):
    """Noise: the hardest picture to keep small."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def family(n, methods=None):
    """What the layout needs of children."""
    father, mother = SimpleNamespace(aligned=picture(100)), SimpleNamespace(aligned=picture(101))
    methods = methods or ["average"] * n
    return [
        SimpleNamespace(image=picture(i), father=father, mother=mother, method=methods[i], seed=i) for i in range(n)
    ]


DRAWN = [picture(102), picture(103)]


def words(figure):
    """Everything that is written in a figure."""
    return [text.get_text() for holder in (figure, *figure.axes) for text in holder.texts]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project of its own to write into."""
    monkeypatch.setattr(config, "project_root", lambda: tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "07_blending.ipynb").touch()
    return tmp_path


@pytest.fixture
def plot():
    figure, axes = figures.subplots(size=(3, 2))
    axes.plot([0, 1], [1, 3], label="rising")
    axes.legend()
    return figure


@pytest.mark.parametrize("drawn", [None, DRAWN], ids=["plain", "drawn"])
@pytest.mark.parametrize("n", range(1, 13))
def test_every_panel_is_labelled_and_in_its_place(n, drawn):
    figure = figures.family_row(family(n), drawn)
    assert len(figure.axes) == 2 + n + (2 if drawn else 0)
    labels = [axes.texts[0].get_text() for axes in figure.axes]
    assert labels[:2] == ["father", "mother"] and len(set(labels)) == len(labels)
    places = [axes.get_position() for axes in figure.axes]
    for i, one in enumerate(places):
        assert one.x0 >= 0 and one.y0 >= 0 and one.x1 <= 1 and one.y1 <= 1
        assert not any(one.overlaps(other) for other in places[:i])


def test_few_panels_stand_in_one_row():
    rows = {round(axes.get_position().y0, 6) for axes in figures.family_row(family(2), DRAWN).axes}
    assert len(rows) == 1
    assert len({round(axes.get_position().y0, 6) for axes in figures.family_row(family(12), DRAWN).axes}) == 3


def test_children_are_called_by_what_tells_them_apart():
    assert "child, seed 1" in words(figures.family_row(family(2)))
    assert "child, mask" in words(figures.family_row(family(2, ["average", "mask"])))
    same = family(2)
    same[1].seed = 0
    assert "child 2" in words(figures.family_row(same))
    assert "child" in words(figures.family_row(family(1)))
    assert {"a", "b", "All"} <= set(words(figures.family_row(family(2), labels=["a", "b"], title="All")))


def test_layouts_refuse_what_does_not_fit():
    with pytest.raises(KinlibError, match="at least one child"):
        figures.family_row([])
    with pytest.raises(KinlibError, match="not 1"):
        figures.family_row(family(1), DRAWN[:1])
    with pytest.raises(KinlibError, match="2 children and 1 labels"):
        figures.family_row(family(2), labels=["a"])
    with pytest.raises(KinlibError, match="needs a label"):
        figures.panels(DRAWN, ["a"])


@pytest.mark.parametrize("n", [1, 6, 12])
def test_family_picture(n):
    drawn = figures.family_picture(family(n), DRAWN)
    assert drawn.mode == "RGB" and drawn.width == 1200
    corners = [drawn.getpixel((x, y)) for x in (0, 1199) for y in (0, drawn.height - 1)]
    assert set(corners) == {(255, 255, 255)}


def test_backend_and_pyplot_are_left_alone():
    code = """
import sys
from types import SimpleNamespace as Some
import matplotlib
matplotlib.use("svg")
from PIL import Image
from kinlib import figures
face = Some(aligned=Image.new("RGB", (32, 32)))
child = Some(image=face.aligned, father=face, mother=face, method="average", seed=0)
figures.family_picture([child], [face.aligned] * 2)
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.get_backend() == "svg"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_drawing_leaves_the_settings_alone(root, plot):
    before = dict(matplotlib.rcParams)
    figures.save("07_plot", plot)
    figures.family_picture(family(1), DRAWN)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.filterwarnings("error")
def test_photo_grids_can_be_stored_under_the_style_in_use(root):
    with matplotlib.rc_context():
        figures.use_style()
        figure = figures.panels(DRAWN, ["a", "b"])
        figures.save("07_grid", figure, kind="photos")
        figures.save("07_grid", figure, kind="photos")


def test_style():
    with matplotlib.rc_context():
        figures.use_style()
        cycle = list(matplotlib.rcParams["axes.prop_cycle"])
    assert len({(one["color"], one["linestyle"]) for one in cycle}) == len(cycle) >= 6
    _, axes = figures.subplots()
    assert not axes.spines["top"].get_visible() and not axes.spines["right"].get_visible()
    _, several = figures.subplots(1, 2, sharey=True)
    assert several.shape == (2,)


@pytest.mark.parametrize(("kind", "suffix"), [("plot", ".svg"), ("photos", ".jpg")])
def test_the_same_figure_gives_the_same_bytes(root, kind, suffix):
    contents = []
    for _ in range(2):
        figure, axes = figures.subplots(size=(3, 2))
        axes.scatter([0, 1], [1, 3])
        axes.imshow(DRAWN[0])
        saved = figures.save("07_blends", figure, kind=kind)
        contents.append(saved.path.read_bytes())
    assert saved.path == root / "figures" / f"07_blends{suffix}"
    assert contents[0] == contents[1]
    assert b"Matplotlib v" not in contents[0] and b"dc:date" not in contents[0]


def test_places_are_short_and_scales_exact(root):
    figure, axes = figures.subplots(size=(3, 2))
    axes.plot([0, 1 / 3], [0, 2 / 3])
    text = figures.save("07_blends", figure).path.read_text()
    places = re.findall(r' d="([^"]*)"', text) + re.findall(r' [xy]="([^"]*)"', text)
    assert places and not re.search(r"\.\d{3}", " ".join(places))
    assert re.search(r"scale\(0\.\d{3,}", text)  # of letters


def test_manifest_says_how_a_figure_came_about(root, plot):
    figures.save("07_blends", plot, parameters={"photo": root / "me.jpg", "share": np.float32(0.5)}, seed=3)
    figures.save("07_again", plot, source="elsewhere")
    entries = json.loads((root / "figures" / "manifest.json").read_text())
    assert list(entries) == ["07_again.svg", "07_blends.svg"]
    entry = entries["07_blends.svg"]
    digest = hashlib.sha256((root / "figures" / "07_blends.svg").read_bytes()).hexdigest()
    assert list(entry) == ["notebook", "parameters", "seed", "commit", "sha256"]
    assert entry["notebook"] == "07_blending" and entry["seed"] == 3 and entry["sha256"] == digest
    assert entry["parameters"] == {"photo": "me.jpg", "share": 0.5}
    assert entries["07_again.svg"]["notebook"] == "elsewhere"


def test_commit_is_of_the_run_that_changed_the_figure(root, plot, monkeypatch):
    def commit():
        return json.loads((root / "figures" / "manifest.json").read_text())["07_blends.svg"]["commit"]

    figures.save("07_blends", plot)
    first = commit()
    monkeypatch.setattr(config, "commit", lambda: "later")
    figures.save("07_blends", plot)
    assert commit() == first
    plot.axes[0].set_title("changed")
    figures.save("07_blends", plot)
    assert commit() == "later"


def test_a_figure_of_another_kind_takes_the_place_of_the_old_one(root, plot):
    """Else the report could go on showing the old one."""
    for kind, file in (("photos", "07_blends.jpg"), ("plot", "07_blends.svg")):
        figures.save("07_blends", plot, kind=kind)
        assert sorted(path.name for path in (root / "figures").iterdir()) == [file, "manifest.json"]
        assert list(json.loads((root / "figures" / "manifest.json").read_text())) == [file]


def test_nothing_half_written_stays(root, plot):
    figures.save("07_blends", plot)
    assert sorted(path.name for path in (root / "figures").iterdir()) == ["07_blends.svg", "manifest.json"]


def test_photo_grids_stay_small(root):
    noise = [picture(i, 128) for i in range(8)]
    saved = figures.save("07_noise", figures.panels(noise, [str(i) for i in range(8)]), kind="photos")
    assert saved.path.stat().st_size <= store.MAX_PHOTOS
    preview = saved._repr_jpeg_()
    assert len(preview) <= style.MAX_PREVIEW
    assert Image.open(io.BytesIO(preview)).format == "JPEG"


def test_private_figures_are_shown_and_not_stored(root, plot):
    saved = figures.save("07_blends", plot, private=True)
    assert saved.path is None and "not stored" in repr(saved)
    assert Image.open(io.BytesIO(saved._repr_png_())).format == "PNG"
    assert not (root / "figures").exists()


def test_private_figures_leave_a_mark_that_cleaning_goes_by(root, plot):
    """What Jupyter would store of a private figure, and what is left of it when the notebook is stored."""
    formatter = DisplayFormatter()
    shown = {}
    for private in (False, True):
        data, metadata = formatter.format(figures.save("07_blends", plot, private=private))
        assert data["image/png"] and metadata.get("private", False) is private
        data["image/png"] = base64.b64encode(data["image/png"]).decode()  # as the kernel sends it
        cell = new_code_cell("fig", outputs=[new_output("execute_result", data, metadata=metadata)])
        cleaned = clean(new_notebook(cells=[cell])).cells[0].outputs[0]
        shown[private] = set(cleaned.data)
    assert shown == {False: {"text/plain", "image/png"}, True: {"text/plain"}}


def test_figures_show_themselves(root, plot):
    assert Image.open(io.BytesIO(plot._repr_png_())).format == "PNG"
    saved = figures.save("07_blends", plot)
    assert repr(saved) == "figures/07_blends.svg"
    assert saved._repr_png_() and saved._repr_jpeg_() is None


def test_a_figure_of_pyplot_is_not_shown_twice(root):
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    figures.save("07_blends", figure)
    assert figure.number not in plt.get_fignums()


@pytest.mark.parametrize("name", ["blends", "7_blends", "07-blends", "07_Blends", "07_", "../07_blends"])
def test_names_begin_with_the_notebook(root, plot, name):
    with pytest.raises(KinlibError, match="cannot name a figure"):
        figures.save(name, plot)


def test_other_mistakes_are_told(root, plot):
    with pytest.raises(KinlibError, match="unknown kind"):
        figures.save("07_blends", plot, kind="png")
    (root / "figures").mkdir()
    (root / "figures" / "manifest.json").write_text("{")
    with pytest.raises(KinlibError, match="is damaged"):
        figures.save("07_blends", plot)


def test_numbers(root):
    path = figures.save_numbers("07_blending", {"mean": np.float64(1 / 3), "count": 3, "rows": [1, 0.5], "by": "mask"})
    assert path == root / "report" / "numbers" / "07_blending.json"
    assert json.loads(path.read_text()) == {"mean": 0.333333, "count": 3, "rows": [1, 0.5], "by": "mask"}


def test_numbers_of_real_people_are_not_stored(root):
    assert figures.save_numbers("07_blending", {"mean": 1.0}, private=True) is None
    assert not (root / "report").exists()
    known = figures.save_numbers("07_blending", {"mean": 1.0})
    figures.save_numbers("07_blending", {"mean": 2.0, "worst": float("nan")}, private=True)
    assert json.loads(known.read_text()) == {"mean": 1.0}


def test_a_notebook_run_by_hand_leaves_the_project_alone(root, plot, tmp_path, monkeypatch):
    shell = SimpleNamespace(kernel=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setenv("KINLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KINLIB_STORE", raising=False)
    saved, numbers = figures.save("07_blends", plot), figures.save_numbers("07_blending", {"mean": 1.0})
    assert saved.path.is_file() and numbers.is_file() and repr(saved) == saved.path.relative_to(root).as_posix()
    assert not (root / "figures").exists() and not (root / "report").exists()
    monkeypatch.setenv("KINLIB_STORE", "1")
    assert figures.save("07_blends", plot).path == root / "figures" / "07_blends.svg"
    assert figures.save_numbers("07_blending", {"mean": 1.0}).is_relative_to(root / "report")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.0, float("nan")], np.array([np.inf])])
def test_numbers_are_finite(root, value):
    with pytest.raises(KinlibError, match="'worst' is"):
        figures.save_numbers("07_blending", {"worst": value})
    assert not Path(root, "report", "numbers", "07_blending.json").exists()
