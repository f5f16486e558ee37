"""The face detector: what it finds, what it leaves alone, and where it says things are."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from kinlib.faces import keypoints
from kinlib.faces.keypoints import detect, detect_all
from kinlib.runtime.errors import KinlibError

# The astronaut's eyes, tip of the nose and mouth corners, read off the enlarged picture by eye.
ASTRONAUT = np.array([[203.5, 101], [246.5, 103], [223.5, 128], [203, 140], [245, 141]])


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="module")
def head(astronaut: Image.Image) -> Image.Image:
    """Head and shoulders in Family101's size."""
    return astronaut.crop((144, 14, 304, 214)).resize((120, 150), Image.Resampling.LANCZOS)


def test_finds_the_astronaut(astronaut: Image.Image):
    (face,) = detect(astronaut)
    assert face.box.shape == (4,) and face.points.shape == (5, 2)
    assert face.box.dtype == face.points.dtype == np.float32 and isinstance(face.score, float)
    assert 0.99 < face.score <= 1
    assert np.abs(face.points - ASTRONAUT).max() < 4
    assert (face.points > face.box[:2]).all() and (face.points < face.box[2:]).all()


def test_order_of_points(astronaut: Image.Image):
    left_eye, right_eye, nose, left_mouth, right_mouth = detect(astronaut)[0].points
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_faceless_pictures_give_none():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    blank = np.zeros((120, 150, 3), np.uint8)
    assert detect([skimage.data.coffee(), skimage.data.chelsea(), noise, blank]) == [None] * 4
    assert detect_all(blank) == [[]]


def test_one_entry_per_picture_of_any_size(astronaut: Image.Image, head: Image.Image):
    blank = Image.new("RGB", (120, 150))
    mixed = [head, astronaut, blank, np.asarray(head), head.convert("L"), astronaut.convert("RGBA")]
    found = detect(mixed)
    assert [face is not None for face in found] == [True, True, False, True, True, True]
    assert np.array_equal(found[0].points, found[3].points)
    assert detect([]) == []


def test_batch_equals_single(astronaut: Image.Image, head: Image.Image):
    several = [head, head.transpose(Image.Transpose.FLIP_LEFT_RIGHT), head.rotate(15), astronaut]
    together = detect(several)
    for picture, face in zip(several, together, strict=True):
        alone = detect(picture)[0]
        assert np.abs(alone.points - face.points).max() < 0.01 and abs(alone.score - face.score) < 1e-4


@pytest.mark.parametrize("width", [60, 120, 300, 2500])
def test_points_follow_the_picture_size(astronaut: Image.Image, width: int):
    crop = astronaut.crop((144, 14, 304, 214))
    (face,) = detect(crop.resize((width, width * 5 // 4), Image.Resampling.LANCZOS))
    points = (face.points + 0.5) * 160 / width - 0.5 + [144, 14]
    reference = detect(astronaut)[0].points
    assert np.abs(points - reference).max() < 3


def test_mirrored_picture_gives_mirrored_points(astronaut: Image.Image):
    face = detect(astronaut)[0].points
    mirrored = detect(astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT))[0].points
    back = (mirrored * [-1, 1] + [astronaut.width - 1, 0])[[1, 0, 2, 4, 3]]
    assert np.abs(back - face).mean() < 1.0  # a systematic shift of half a pixel would show twice


def test_group_is_sorted_by_size(head: Image.Image):
    group = Image.new("RGB", (700, 400), (90, 110, 130))
    for width, corner in ((120, (20, 200)), (240, (400, 60)), (90, (200, 30))):
        group.paste(head.resize((width, width * 5 // 4)), corner)
    (faces,) = detect_all(group)
    assert len(faces) == 3
    assert [face.area for face in faces] == sorted((face.area for face in faces), reverse=True)
    assert faces[0].points[:, 0].min() > 400 and np.array_equal(detect(group)[0].points, faces[0].points)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (30_000, 17), (17, 30_000), (4_000, 90), (90, 4_000)])
def test_extreme_shapes_do_not_crash(size: tuple[int, int]):
    assert detect(Image.new("RGB", size, (200, 150, 120))) == [None]


def test_face_in_a_long_strip(astronaut: Image.Image):
    strip = Image.new("RGB", (6000, 200), (90, 110, 130))
    strip.paste(astronaut.crop((144, 14, 304, 214)), (5000, 0))
    (face,) = detect(strip)
    assert np.abs(face.points - (ASTRONAUT - [144, 14] + [5000, 0])).max() < 6


def test_threshold(astronaut: Image.Image):
    assert detect(astronaut, min_score=1.1) == [None]


def test_random_state_is_left_alone(head: Image.Image):
    keypoints._detector.cache_clear()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    detect(head)
    assert torch.equal(torch.rand(4), expected)
    assert torch.is_grad_enabled()


def test_detector_is_made_once(head: Image.Image):
    detect(head)
    before = keypoints._detector.cache_info().misses
    detect(head)
    assert keypoints._detector.cache_info().misses == before


@pytest.mark.parametrize("images", [["photo.jpg"], [None], [np.zeros((3, 3), np.int64)]])
def test_other_inputs_are_refused(images: list):
    with pytest.raises(KinlibError):
        detect(images)
