"""Photographs in two sizes: the bundle, how it is made, and what happens where it is not."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import family_plan, originals
from kinlib.studio.datasets.family_photos import render_photo
from kinlib.studio.render import VERSION

BUNDLE = config.data_dir() / "studio" / "originals"
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def bundled():
    return originals.load_originals()


@pytest.fixture(scope="module")
def plan():
    return family_plan.plan(3, num_families=8, num_people=40)


@pytest.fixture
def drawn(monkeypatch):
    """Rendering without the head model: noise that follows from who is in the picture."""

    def plain(album, photo, size):
        image = np.random.default_rng([album.row, photo.number]).integers(0, 256, (*size, 3), dtype=np.uint8)
        return SimpleNamespace(image=image, landmarks=np.arange(136, dtype=np.float32).reshape(68, 2))

    monkeypatch.setattr(originals, "render_photo", plain)
    monkeypatch.setattr(originals, "warm_up", lambda: None)


def test_the_bundle_is_small_and_of_this_renderer():
    assert sum(path.stat().st_size for path in BUNDLE.iterdir()) <= MOST_BYTES
    assert json.loads((BUNDLE / "originals.json").read_text())["renderer"] == VERSION


def test_both_sizes_show_the_same(bundled):
    assert len(bundled) == originals.NUM_ORIGINALS == len({one.family for one in bundled})
    for one in bundled:
        assert one.image.size == (480, 600) and one.small.size == (120, 150)
        difference = np.float32(one.larger(1)) - np.float32(one.small)
        assert np.abs(difference).mean() < 5 and np.corrcoef(np.ravel(one.larger(1)), np.ravel(one.small))[0, 1] > 0.98
    ages = [one.age for one in bundled]
    assert min(ages) < 18 and max(ages) > 60


def test_landmarks_follow_the_size(bundled):
    one = bundled[0]
    np.testing.assert_allclose(one.landmarks_in(480), one.landmarks)
    np.testing.assert_allclose(one.landmarks_in(120) * 4 + 1.5, one.landmarks, rtol=1e-5)  # centres of pixels
    assert one.larger(2).size == (240, 300)


def test_the_bundle_holds_the_photographs_that_the_families_plan(bundled):
    seed = json.loads((BUNDLE / "originals.json").read_text())["seed"]
    chosen = originals.choose(family_plan.plan(seed))
    assert [one.file for one in bundled] == [f"{a.family}/{a.name}/{p.number:02d}.jpg" for a, p in chosen]


def test_chosen_are_sound_and_of_different_families(plan):
    chosen = originals.choose(plan)
    assert len(chosen) == 8 and len({album.family for album, _ in chosen}) == 8
    assert all(photo.fault is None and 8 <= photo.age <= 75 for _, photo in chosen)
    assert [photo.number for _, photo in chosen] == [photo.number for _, photo in originals.choose(plan)]


def test_written_bundles_can_be_read_and_are_kept(plan, tmp_path, drawn, monkeypatch):
    out = tmp_path / "originals"
    assert list(originals.write_originals(plan, out, workers=1)) == list(range(1, 9))
    for album, photo in originals.choose(plan):
        path = tmp_path / "families" / album.family / album.name / f"{photo.number:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 150)).save(path)
    first = originals.load_originals(3, out)
    assert len(first) == 3 and first[0].landmarks[1].tolist() == [2, 3]
    monkeypatch.setattr(originals, "spread", None)  # nothing is rendered again
    assert list(originals.write_originals(plan, out, workers=1)) == [8]


def test_what_is_missing_or_damaged_is_said(plan, tmp_path, drawn):
    with pytest.raises(KinlibError, match="no full-size photographs"):
        originals.load_originals(folder=tmp_path)
    out = tmp_path / "originals"
    list(originals.write_originals(plan, out, workers=1))
    with pytest.raises(KinlibError, match="or its families are damaged"):
        originals.load_originals(folder=out)  # no families beside it
    (out / "originals.parquet").write_bytes(b"no table")
    with pytest.raises(KinlibError, match="damaged"):
        originals.load_originals(folder=out)


@needs_head
def test_rendered_anew_the_first_is_the_same(bundled):
    album, photo = originals.choose(family_plan.plan(0))[0]
    picture = render_photo(album, photo, (600, 480))
    np.testing.assert_allclose(picture.landmarks, bundled[0].landmarks, atol=0.01)
    assert np.abs(np.float32(picture.image) - np.float32(bundled[0].image)).mean() < 4
