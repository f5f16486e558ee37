"""The FFHQ crop: geometry against first principles, pixels against e4e's, and the way from a photo to the crop."""

import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy.ndimage import gaussian_filter

from kinlib.faces import landmarks as shape
from kinlib.faces.align import (
    align_face,
    align_found,
    align_from_five,
    crop_quad,
    find_and_align,
    map_from_crop,
    map_to_crop,
    turn_degrees,
)
from kinlib.faces.keypoints import detect_all
from kinlib.faces.orientation import find_upright
from kinlib.io.crop import _blur, cut_quad
from kinlib.runtime.errors import KinlibError

FRONTAL = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.1], [0.4, 1.1]])  # eye distance 1


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


def as_68(points: np.ndarray) -> np.ndarray:
    """68 landmarks of which those that matter to the crop sit at the five points."""
    landmarks = np.zeros((68, 2))
    landmarks[36:42], landmarks[42:48] = points[0], points[1]
    landmarks[30], landmarks[48], landmarks[54] = points[2], points[3], points[4]
    return landmarks


def place(scale: float, centre: tuple[float, float], degrees: float = 0.0) -> np.ndarray:
    """Five points of a frontal face, scaled, turned clockwise and moved."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return FRONTAL * scale @ np.array([[c, s], [-s, c]]) + centre


# --- geometry ---


def test_quad_of_an_upright_face():
    # Eye distance 10, eye to mouth 11: half side max(20, 19.8) = 20, centre a tenth of the way to the mouth.
    quad = crop_quad([95, 100], [105, 100], [96, 111], [104, 111])
    assert np.allclose(quad, [[80, 81.1], [80, 121.1], [120, 121.1], [120, 81.1]])


def test_long_faces_are_framed_by_eye_to_mouth():
    quad = crop_quad([95, 100], [105, 100], [96, 120], [104, 120])
    assert np.isclose(quad[3, 0] - quad[0, 0], 2 * 1.8 * 20)


@pytest.mark.parametrize("degrees", [-170, -90, -30, 45, 120])
def test_quad_turns_with_the_face(degrees: float):
    upright, turned = (crop_quad(*place(30, (0, 0), angle)[[0, 1, 3, 4]]) for angle in (0.0, degrees))
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    assert np.allclose(upright @ np.array([[c, s], [-s, c]]), turned)


@pytest.mark.parametrize(("size", "scale"), [(64, 20), (64, 400), (256, 150), (256, 400), (512, 150)])
def test_crop_samples_where_the_map_says(size: int, scale: float):
    # In a picture whose red is x and whose green is y, every pixel of the crop tells where it came from.
    side = 1800
    ramp = np.linspace(0, 255, side)
    picture = np.zeros((side, side, 3))
    picture[..., 0], picture[..., 1] = ramp[None, :], ramp[:, None]
    image = Image.fromarray(np.uint8(np.rint(picture)))
    quad = crop_quad(*place(scale, (900, 880), 20)[[0, 1, 3, 4]])
    crop = np.asarray(cut_quad(image, quad, size)).astype(float)
    pixels = np.array([[0, 0], [size - 1, 0], [size // 2, size // 3], [size // 5, size - 1]])
    there = map_from_crop(pixels, quad, size)
    inside = ((there > 5) & (there < side - 6)).all(axis=1)
    told = crop[pixels[inside, 1], pixels[inside, 0], :2] / 255 * (side - 1)
    assert inside.any() and np.abs(told - there[inside]).max() < 7  # one grey level is 7 px of this picture
    assert np.allclose(map_to_crop(there, quad, size), pixels)


def test_points_fall_on_standard_places():
    quad = crop_quad(*place(37.3, (211.5, 160.2), 12)[[0, 1, 3, 4]])
    eyes = map_to_crop(place(37.3, (211.5, 160.2), 12)[:2], quad, 256)
    assert np.isclose(np.ptp(eyes[:, 1]), 0, atol=1e-9)
    assert np.allclose(eyes.mean(axis=0)[0], 127.5) and 55 < np.ptp(eyes[:, 0]) < 65


# --- pixels ---

# Means of a 4 x 4 grid of blocks (red), made once with e4e's own alignment (transform 256, padding on) from
# skimage's astronaut and the five points above: inside the photo, tilted beyond its top border, and much reduced.
PINNED = {
    "inside": (
        1,
        42,
        (225, 102),
        0,
        [
            [175.308, 138.327, 154.335, 155.191],
            [125.402, 180.362, 146.927, 98.223],
            [190.031, 220.02, 189.06, 171.06],
            [42.234, 176.859, 156.71, 217.268],
        ],
    ),
    "beyond the border": (
        1,
        60,
        (200, 40),
        -25,
        [
            [177.24, 188.908, 163.528, 164.542],
            [184.183, 177.886, 183.142, 184.097],
            [187.613, 149.332, 143.45, 178.366],
            [102.722, 210.51, 144.737, 191.478],
        ],
    ),
    "reduced": (
        4,
        260,
        (900, 410),
        10,
        [
            [190.224, 183.581, 181.09, 205.911],
            [181.44, 148.888, 116.925, 195.128],
            [191.116, 178.627, 190.975, 218.735],
            [153.208, 60.906, 26.561, 166.287],
        ],
    ),
}


@pytest.mark.parametrize("case", sorted(PINNED))
def test_pixels_are_those_of_e4e(astronaut: Image.Image, case: str):
    enlarge, scale, centre, degrees, means = PINNED[case]
    image = astronaut.resize((512 * enlarge, 512 * enlarge), Image.Resampling.NEAREST)
    crop = np.asarray(align_face(image, as_68(place(scale, centre, degrees))))
    assert crop.shape == (256, 256, 3)
    blocks = crop[..., 0].reshape(4, 64, 4, 64).mean(axis=(1, 3))
    assert np.abs(blocks - means).max() < 0.01


def test_five_points_give_the_same_crop(astronaut: Image.Image):
    points = place(42, (225, 102))
    assert np.array_equal(align_face(astronaut, as_68(points)), align_from_five(astronaut, points))


@pytest.mark.parametrize("size", [64, 256, 512, 1024])
def test_sizes(astronaut: Image.Image, size: int):
    assert align_from_five(astronaut, place(42, (225, 102)), size).size == (size, size)


def test_oversampling_smooths_but_does_not_move(astronaut: Image.Image):
    points = place(60, (225, 110))
    plain = np.asarray(align_from_five(astronaut, points, 64)).astype(float)
    fine = np.asarray(align_from_five(astronaut, points, 64, oversample=4)).astype(float)
    shifted = np.roll(plain, 1, axis=1)
    assert 0 < np.abs(plain - fine).mean() < 0.5 * np.abs(shifted - fine).mean()


def test_turned_photo_gives_nearly_the_same_crop(astronaut: Image.Image):
    points = place(42, (225, 102))
    turned = astronaut.rotate(-90)  # clockwise
    there = np.stack([511 - points[:, 1], points[:, 0]], axis=1)
    first, second = (
        np.asarray(align_from_five(*pair)).astype(float) for pair in ((astronaut, points), (turned, there))
    )
    assert np.abs(first - second).mean() < 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_other_modes_come_back_as_rgb(astronaut: Image.Image, mode: str):
    assert align_from_five(astronaut.convert(mode), place(42, (225, 102))).mode == "RGB"


def test_whole_numbers_and_lists_will_do(astronaut: Image.Image):
    landmarks = np.rint(as_68(place(42, (225, 102)))).astype(int)
    assert np.array_equal(align_face(astronaut, landmarks), align_face(astronaut, landmarks.tolist()))


def test_input_is_not_changed(astronaut: Image.Image):
    landmarks = as_68(place(42, (225, 30)))
    before, pixels = landmarks.copy(), np.asarray(astronaut).copy()
    align_face(astronaut, landmarks)
    assert np.array_equal(before, landmarks) and np.array_equal(pixels, np.asarray(astronaut))


# --- points that make no sense ---


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((68, 2)),
        np.ones((68, 2)) * 200,
        np.zeros((5, 2)),
        np.zeros((68, 3)),
        np.zeros(136),
        np.full((68, 2), np.nan),
        np.full((68, 2), np.inf),
        as_68(place(42, (225, 102))[[1, 0, 2, 4, 3]]),  # eyes swapped: a mirrored face
        as_68(place(42, (99_000, 102))),
        as_68(place(42, (225, -99_000))),
    ],
)
def test_senseless_landmarks_are_refused(astronaut: Image.Image, landmarks: np.ndarray):
    with pytest.raises(KinlibError):
        align_face(astronaut, landmarks)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((4, 2)), np.full((5, 2), np.nan)])
def test_senseless_five_points_are_refused(astronaut: Image.Image, points: np.ndarray):
    with pytest.raises(KinlibError):
        align_from_five(astronaut, points)


@pytest.mark.parametrize("scale", [3_000, 1e6, 1e9])
@pytest.mark.parametrize("size", [(512, 512), (16, 16), (16, 900)])
def test_enormous_faces_cost_little(astronaut: Image.Image, scale: float, size: tuple[int, int]):
    crop = align_from_five(astronaut.resize(size), place(scale, (8, 8)))
    assert crop.size == (256, 256)


# --- from a photo ---


def test_astronaut_is_aligned(astronaut: Image.Image):
    face = find_and_align(astronaut, size=128)
    assert face.aligned.size == (128, 128) and face.aligned.mode == "RGB" and face.notes == []
    eyes = map_to_crop(face.keypoints.points[:2], face.quad, 128)
    assert np.abs(eyes - [[48.5, 60], [79, 60]]).max() < 5


def test_path_array_and_name(tmp_path: Path, astronaut: Image.Image):
    path = tmp_path / "she.png"
    astronaut.save(path)
    first, second = find_and_align(path), find_and_align(np.asarray(astronaut))
    assert np.array_equal(first.aligned, second.aligned)
    with pytest.raises(KinlibError, match=r"no face found in '.*cup\.png'"):
        Image.fromarray(skimage.data.coffee()).save(tmp_path / "cup.png")
        find_and_align(tmp_path / "cup.png")
    with pytest.raises(KinlibError, match="no face found in the mother's photo"):
        find_and_align(skimage.data.coffee(), name="the mother's photo")
    with pytest.raises(KinlibError, match="no face found in the picture"):
        find_and_align(skimage.data.coffee())


def with_face(astronaut: Image.Image, width: int, size: tuple[int, int] = (600, 400)) -> Image.Image:
    """The astronaut's head in a picture without faces; her face, 87 px wide in her own picture, has `width` px."""
    head = astronaut.crop((112, 0, 336, 240))
    small = head.resize([round(side * width / 87) for side in head.size], Image.Resampling.LANCZOS)
    picture = Image.fromarray(skimage.data.coffee()).resize(size)
    picture.paste(small, (60, 10))
    return picture


@pytest.mark.parametrize("width", [10, 13])  # the detector finds the second at the first look
def test_a_tiny_face_is_refused_with_its_size(astronaut: Image.Image, width: int):
    with pytest.raises(
        KinlibError, match=r"the face in the picture is only about (\d+) px wide, and at least 16 px"
    ) as no:
        find_and_align(with_face(astronaut, width))
    assert abs(int(re.search(r"about (\d+) px", str(no.value))[1]) - width) <= 2


def test_a_small_face_has_a_note(astronaut: Image.Image):
    (note,) = find_and_align(with_face(astronaut, 24)).notes
    assert re.fullmatch(r"the face in the picture is only about 2[2-5] px wide: below 32 px likeness is lost", note)
    assert find_and_align(with_face(astronaut, 40)).notes == []


def test_an_enlarged_face_counts_at_its_own_size(astronaut: Image.Image):
    upright = find_upright(with_face(astronaut, 40))
    assert align_found(upright).notes == []
    assert "about 20 px wide" in align_found(upright, enlarged=2).notes[0]
    with pytest.raises(KinlibError, match="about 10 px wide"):
        align_found(upright, enlarged=4)


def test_a_small_face_in_a_large_photo_is_found_at_a_closer_look(astronaut: Image.Image):
    """Of 4.3 million pixels, which are scanned at 57% of their size; the face is 11 px wide there."""
    photo = with_face(astronaut, 20, (2400, 1800))
    assert not detect_all(photo)[0]
    found = find_and_align(photo)
    assert abs(found.keypoints.width - 20) < 3 and "px wide" in found.notes[0]
    eyes = map_to_crop(found.keypoints.points[:2], found.quad, 256)
    assert np.abs(eyes - [[97, 120], [158, 120]]).max() < 12


def test_of_several_faces_the_largest(astronaut: Image.Image):
    head = astronaut.crop((144, 14, 304, 214))
    group = Image.new("RGB", (600, 400), (90, 110, 130))
    group.paste(head, (20, 150))
    group.paste(head.resize((280, 350)), (300, 20))
    face = find_and_align(group)
    assert face.keypoints.points[:, 0].min() > 300
    assert face.notes == ["2 faces found in the picture: the largest is used"]


def test_face_cut_off_by_the_edge(astronaut: Image.Image):
    (note,) = find_and_align(astronaut.crop((60, 0, 360, 147))).notes
    assert "cut off" in note


def test_without_bundled_predictor_five_points_serve(
    astronaut: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    face = find_and_align(astronaut)
    assert face.used == "5" and face.landmarks is None
    detected = shape.face_quad(face.keypoints)  # the detector's points, which lie a little high and less steady
    assert np.abs(face.quad - detected).max() < 0.05 * np.hypot(*(detected[3] - detected[0]))


def test_missing_named_predictor_is_an_error(astronaut: Image.Image, tmp_path: Path):
    with pytest.raises(KinlibError, match=r"absent\.dat"):
        find_and_align(astronaut, predictor=tmp_path / "absent.dat")


def test_turn():
    assert abs(turn_degrees(place(40, (100, 100)))) < 1
    assert abs(turn_degrees(place(40, (100, 100), 35))) < 1  # a tilt is no turn
    sideways = place(40, (100, 100)) * [0.8, 1] + [20, 0]
    sideways[2, 0] += 0.45 * 40
    assert turn_degrees(sideways) > 40
    mirrored = sideways[[1, 0, 2, 4, 3]] * [-1, 1]
    assert np.isclose(turn_degrees(mirrored), -turn_degrees(sideways))


def test_wide_blur_is_computed_on_a_reduced_plane():
    noise = np.random.default_rng(0).uniform(0, 255, (700, 900)).astype(np.float32)
    exact = gaussian_filter(noise, 40.0)
    assert np.abs(_blur(noise, 40.0) - exact)[150:-150, 150:-150].max() < 1
    assert np.array_equal(_blur(noise, 12.0), gaussian_filter(noise, 12.0))
