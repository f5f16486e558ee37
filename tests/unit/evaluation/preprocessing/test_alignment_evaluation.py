"""How far off a crop is: known shifts, scales and turns come out as they went in."""

import numpy as np
import pytest
from PIL import Image

from kinlib.evaluation.preprocessing import alignment as scores
from kinlib.faces.landmarks import five_from_68
from kinlib.io.crop import map_to_crop
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.originals import load_originals


@pytest.fixture(scope="module")
def originals():
    return load_originals(3)


@pytest.fixture(scope="module")
def truth(originals):
    return originals[0].landmarks_in(120).astype(np.float64)


def test_the_true_crop_is_right(truth):
    quad = scores.quad_of(truth)
    assert scores.crop_error(quad, truth) == pytest.approx(0, abs=1e-9)
    parts = scores.crop_offsets(quad, truth)
    assert parts["scale"] == pytest.approx(1) and parts["rotation"] == pytest.approx(0, abs=1e-9)
    assert parts["right"] == pytest.approx(0, abs=1e-6) and parts["down"] == pytest.approx(0, abs=1e-6)


def test_a_shift(truth):
    """A square that begins a tenth of its side further left shows the face a tenth further right."""
    quad = scores.quad_of(truth)
    across, along = quad[3] - quad[0], quad[1] - quad[0]
    moved = quad - across / 10 - along / 20
    parts = scores.crop_offsets(moved, truth, 200)
    assert (parts["right"], parts["down"]) == pytest.approx((20, 10))
    assert scores.crop_error(moved, truth, 200) == pytest.approx(np.hypot(20, 10))


def test_a_scale_and_a_turn(truth):
    quad = scores.quad_of(truth)
    middle = quad.mean(axis=0)
    assert scores.crop_offsets(middle + (quad - middle) / 1.25, truth)["scale"] == pytest.approx(1.25)
    angle = np.radians(7)
    turned = (quad - middle) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + middle
    parts = scores.crop_offsets(turned, truth)
    ends = map_to_crop(five_from_68(truth)[:2], turned, 256)
    seen = np.degrees(np.arctan2(*(ends[1] - ends[0])[::-1]))
    still = map_to_crop(five_from_68(truth)[:2], quad, 256)
    assert parts["rotation"] == pytest.approx(seen - np.degrees(np.arctan2(*(still[1] - still[0])[::-1])))
    assert abs(parts["rotation"]) == pytest.approx(7) and scores.crop_error(turned, truth) > 3


def test_the_error_grows_with_the_crop_alone(truth):
    """Two photographs of one moment, one twice as large: the same error in pixels of the crop."""
    moved = np.add(scores.quad_of(truth), [2, 1])
    twice = scores.crop_error((moved + 0.5) * 2 - 0.5, (truth + 0.5) * 2 - 0.5)
    assert twice == pytest.approx(scores.crop_error(moved, truth), rel=1e-6)


def test_landmark_error_is_a_share_of_the_eyes_distance(truth):
    unit = np.hypot(*(truth[45] - truth[36]))
    assert scores.landmark_error(np.add(truth, [unit / 10, 0]), truth) == pytest.approx(0.1)


def test_photographs_are_measured(originals):
    photos = [*(one.small for one in originals), Image.new("RGB", (120, 150), (90, 120, 150))]
    truths = [*(one.landmarks_in(120) for one in originals), originals[0].landmarks_in(120)]
    table = scores.measure_alignment(photos, truths)
    assert table["found"].tolist() == [1, 1, 1, 0] and table.iloc[3][1:].isna().all()
    assert table["points68"][:3].between(0.001, 0.15).all() and table["agree"][:3].all()
    assert table[["crop5", "crop68"]][:3].stack().between(0.05, 20).all()
    with pytest.raises(KinlibError, match="there are 4 and 3"):
        scores.measure_alignment(photos, truths[:3])


def test_another_face_is_no_face_found(originals):
    """The truth lies elsewhere in the picture, so what was found is somebody else."""
    table = scores.measure_alignment([originals[0].image], [np.add(originals[0].landmarks, [0, 250])])
    assert table["found"].tolist() == [0]


def test_dlib_needs_pixels(originals):
    large, tiny = originals[0].larger(2), originals[0].small.resize((48, 60))
    truths = [originals[0].landmarks_in(240), originals[0].landmarks_in(48)]
    assert scores.detected_by_dlib([large, tiny], truths).tolist() == [True, False]
    assert scores.detected_by_dlib([large], [np.add(truths[0], [0, 150])]).tolist() == [False]


def test_a_face_of_whomever(originals):
    empty = Image.new("RGB", (120, 150), (90, 120, 150))
    tiny = originals[0].small.resize((40, 50))
    table = scores.detected([originals[0].small, empty, tiny])
    assert table["mtcnn"].tolist() == [True, False, True]
    assert table["dlib"].tolist() == [True, False, False]  # which looks for faces of 80 px
