"""Both sets of points place the crop: averaged, without a threshold to jump at."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from kinlib.evaluation.preprocessing.steadiness import point_offsets
from kinlib.faces import consensus
from kinlib.faces import landmarks as shape
from kinlib.faces.align import align_face
from kinlib.faces.consensus import OFFSETS, SHARE, locate
from kinlib.faces.keypoints import Keypoints, detect, detect_all
from kinlib.faces.points import read_five
from kinlib.io.crop import cut_quad, map_from_crop
from kinlib.io.photos import read_photo
from kinlib.runtime import config
from kinlib.studio.datasets.originals import load_originals


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="module")
def face(astronaut: Image.Image) -> Keypoints:
    return detect(astronaut)[0]


def moved(quad: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of corners in px of a crop of 256."""
    return float(np.linalg.norm(quad - other, axis=1).mean() / np.hypot(*(quad[3] - quad[0])) * 256)


def test_both_have_their_share(astronaut: Image.Image, face: Keypoints):
    found = locate(astronaut, face, shape.load_predictor())
    assert found.share == SHARE and found.disagreement < 0.1
    assert found.landmarks.shape == (68, 2) and found.landmarks.dtype == np.float32
    assert moved(shape.quad_of(found.landmarks), found.quad) < 4


def test_without_a_predictor_the_five_points_serve(astronaut: Image.Image, face: Keypoints):
    found = locate(astronaut, face, None)
    assert (found.share, found.landmarks, found.disagreement) == (0.0, None, 0.0)
    assert moved(locate(astronaut, face, shape.load_predictor()).quad, found.quad) < 4


@pytest.mark.parametrize("shift", [(6, 0), (-6, 3), (0, -6)])
def test_where_the_detector_put_its_points_matters_little(astronaut: Image.Image, face: Keypoints, shift):
    """6 px are a seventh of this face's eye distance, 9 px of the crop; less than 1.5 px of them stay."""
    model = shape.load_predictor()
    other = Keypoints(face.box, face.score, face.points + np.float32(shift))
    assert moved(locate(astronaut, face, model).quad, locate(astronaut, other, model).quad) < 1.5


def test_the_crop_is_the_same_whether_a_photo_is_detected_alone_or_in_a_batch():
    """The detector's points differ in their last bits then, and dlib's predictor enlarges what it is given."""
    files = sorted((config.data_dir() / "studio" / "families").glob("*/*/*.jpg"))[:12]
    photos, model = [read_photo(file) for file in files], shape.load_predictor()
    together = [faces[0] for faces in detect_all(photos)]
    alone = [detect_all(photo)[0][0] for photo in photos]
    assert any((a.points != b.points).any() for a, b in zip(together, alone, strict=True))
    for photo, a, b in zip(photos, together, alone, strict=True):
        assert (locate(photo, a, model).quad == locate(photo, b, model).quad).all()


def test_the_share_falls_smoothly_to_nothing():
    apart = np.linspace(0, 0.3, 301)
    shares = np.array([consensus._falling(one) for one in apart])
    assert (shares[apart <= consensus.AGREE] == 1).all() and (shares[apart >= consensus.DISAGREE] == 0).all()
    assert (np.diff(shares) <= 0).all() and np.abs(np.diff(shares)).max() < 0.02  # 0.001 eye distances a step


def test_implausible_landmarks_have_no_share(astronaut: Image.Image, face: Keypoints, monkeypatch):
    mean_landmarks = shape.mean_landmarks
    monkeypatch.setattr(shape, "mean_landmarks", lambda chip, model: mean_landmarks(chip, model) + 40)  # px of 256
    found = locate(astronaut, face, shape.load_predictor())
    assert found.share == 0 and found.landmarks is None and found.disagreement > consensus.DISAGREE
    assert np.array_equal(found.quad, locate(astronaut, face, None).quad)


def test_the_crop_is_the_official_one_of_its_landmarks(astronaut: Image.Image, face: Keypoints, monkeypatch):
    """FFHQ's geometry is kept: if the landmarks have the whole share, the crop is `align_face`'s to the pixel."""
    monkeypatch.setattr(consensus, "SHARE", 1.0)
    found = locate(astronaut, face, shape.load_predictor())
    assert np.abs(found.quad - shape.quad_of(found.landmarks)).max() < 1e-3
    by_landmarks = np.float32(align_face(astronaut, found.landmarks))
    assert np.abs(np.float32(cut_quad(astronaut, found.quad, 256)) - by_landmarks).max() <= 1


def test_reading_points_off_a_crop(astronaut: Image.Image, face: Keypoints):
    quad = shape.face_quad(face)
    chip = np.asarray(cut_quad(astronaut, quad, 256, extend=False))
    there = map_from_crop(read_five(chip), quad, 256)
    assert np.abs(there - face.points).max() < 3
    mirrored = read_five(np.ascontiguousarray(chip[:, ::-1]))
    back = (mirrored * [-1, 1] + [255, 0])[[1, 0, 2, 4, 3]]
    assert np.abs(back - read_five(chip)).mean() < 3


def test_the_offsets_are_those_of_renders():
    originals = load_originals()
    offsets = point_offsets([one.image for one in originals], [one.landmarks for one in originals])
    wrong = (offsets.mean(axis=0) - OFFSETS)[[0, 1, 3, 4]]  # px of 256; eyes and corners of the mouth
    assert np.abs(wrong[:, 1]).max() < 0.5
    assert np.abs(wrong[:, 0]).max() < 1.5  # eyes lie a little further apart in renders, closer in photographs
