"""The renderer: camera, z-buffer, and pictures whose ground truth agrees with their pixels."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from studio_head import needs_head

from kinlib.io.crop import crop_quad
from kinlib.runtime.errors import KinlibError
from kinlib.studio.colour import skin_colour, to_linear, to_srgb
from kinlib.studio.labels import CLASSES, REGIONS, class_id, region_id
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS, Glasses, Look, Person, Shot, Traits
from kinlib.studio.rendering import camera, raster


def somebody(sex: str = "male", melanin: float = 0.3, **traits) -> Person:
    shape, proportions = np.zeros(NUM_SHAPE, np.float32), np.zeros(len(PROPORTIONS), np.float32)
    return Person(Traits(shape, proportions, melanin, 0.5, "brown", "brown", **traits), sex, seed=3)


# ---- camera


@pytest.mark.parametrize(
    ("shot", "point", "moves"),
    [
        (Shot(yaw=20), (0, 3, 12), (1, 0)),  # the nose goes to the image's right
        (Shot(pitch=20), (0, 3, 12), (0, -1)),  # up
        (Shot(roll=20), (0, 14, 0), (1, 0)),  # the crown clockwise
    ],
)
def test_rotations_follow_the_convention(shot, point, moves):
    point = np.array([point], np.float32)
    before, after = (camera.on_plane(camera.rotate_head(point, s))[0] for s in (Shot(), shot))
    assert np.sign(np.round(after - before, 3)) @ np.array(moves) == 1


def test_rotation_is_rigid_above_the_neck_and_leaves_the_shoulders():
    rng = np.random.default_rng(0)
    head, chest = rng.normal(size=(20, 3)).astype(np.float32), np.full((1, 3), -18, np.float32)
    rotated = camera.rotate_head(head, Shot(yaw=30, pitch=-10, roll=5))
    assert np.allclose(np.linalg.norm(rotated - rotated[0], axis=1), np.linalg.norm(head - head[0], axis=1), atol=1e-4)
    assert np.allclose(camera.rotate_head(chest, Shot(yaw=40)), chest, atol=1e-5)


def test_crop_camera_is_the_ffhq_crop():
    rng = np.random.default_rng(1)
    landmarks = rng.normal(size=(68, 3)).astype(np.float32)
    landmarks[36:48] += np.array([[-3, 3.5, 9]] * 6 + [[3, 3.5, 9]] * 6)
    landmarks[[48, 54]] = [[-2.5, -3.5, 10], [2.5, -3.4, 10]]
    frame = camera.crop_camera(landmarks, 128)
    plane = camera.on_plane(landmarks).astype(float)
    quad = crop_quad(plane[36:42].mean(0), plane[42:48].mean(0), plane[48], plane[54])
    corners = np.column_stack([quad, np.ones(4)]) @ frame.frame.T
    assert np.allclose(corners, [[-0.5, -0.5], [-0.5, 127.5], [127.5, 127.5], [127.5, -0.5]], atol=1e-6)


def test_supersampled_camera_frames_the_same_picture():
    coarse = camera.photo_camera(Shot(width=27, shift=(0.5, -0.3)), 150, 120)
    point = np.array([[1.0, 2.0, 9.0]], np.float32)
    fine = coarse.supersampled(3).project(point)[0]
    assert np.allclose((fine[:2] + 0.5) / 3 - 0.5, coarse.project(point)[0, :2], atol=1e-4)


# ---- z-buffer


def test_nearer_triangle_hides_the_farther_and_weights_interpolate():
    points = np.array([[0, 0, 5], [8, 0, 5], [0, 8, 5], [0, 0, 3], [8, 0, 3], [0, 8, 9]], np.float32)
    seen = raster.cover(points, np.array([[0, 1, 2], [3, 4, 5]], np.int32), 10, 10)
    assert seen.triangle[0, 4] == 1 and seen.triangle[6, 1] == 0 and seen.triangle[9, 9] == -1
    v, w = seen.weights[2, 3]
    assert np.allclose(v * np.array([8, 0]) + w * np.array([0, 8]), [3, 2], atol=1e-4)
    assert seen.depth[0, 4] == pytest.approx(3)


def test_majority_breaks_ties_against_the_background():
    labels = np.array([[0, 0, 5, 5], [5, 5, 5, 1]], np.uint8)
    assert raster.majority(labels, 2, 1).tolist() == [[5, 5]]
    assert raster.majority(np.array([[7, 7], [2, 7]], np.uint8), 2, 1).tolist() == [[7]]


def test_vertex_normals_of_a_plane():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    assert np.allclose(raster.vertex_normals(points, np.array([[0, 1, 2]], np.int32)), [[0, 0, 1]] * 3)


# ---- colour


def test_srgb_round_trip():
    values = np.linspace(0, 1, 50, dtype=np.float32)
    assert np.allclose(to_srgb(to_linear(values)), values, atol=1e-4)


def test_more_melanin_is_darker_and_more_blood_redder():
    pale, dark = skin_colour(0.1, 0.3), skin_colour(0.8, 0.3)
    assert (dark < pale).all() and dark[0] > dark[1] > dark[2] > 0
    calm, flushed = skin_colour(0.1, 0.1), skin_colour(0.1, 0.8)
    assert flushed[0] / flushed[1] > 1.2 * calm[0] / calm[1]


# ---- pictures


@pytest.fixture(scope="module")
def picture():
    from kinlib.studio.render import render

    return render(somebody(), Look(beard="full", glasses=Glasses()), Shot(yaw=15), 96)


@needs_head
def test_a_picture_and_its_ground_truth(picture):
    assert picture.image.shape == (96, 96, 3) and picture.image.dtype == np.uint8
    assert picture.classes.shape == picture.regions.shape == (96, 96)
    assert picture.classes.max() < len(CLASSES) and picture.regions.max() < len(REGIONS)
    assert picture.landmarks.shape == (68, 2) and (picture.yaw, picture.pitch) == (15, 0)
    assert picture.attributes["male"] and picture.attributes["Eyeglasses"] and not picture.attributes["No_Beard"]


@needs_head
@pytest.mark.parametrize(
    ("landmark", "classes"),
    [
        (30, ("nose",)),
        (33, ("nose",)),
        (51, ("u_lip", "hair", "skin")),
        (57, ("l_lip", "hair", "skin")),
        (8, ("skin",)),
    ],
)
def test_landmarks_lie_on_what_they_name(picture, landmark, classes):
    x, y = np.round(picture.landmarks[landmark]).astype(int)
    around = picture.classes[y - 2 : y + 3, x - 2 : x + 3]
    assert np.isin(around, [class_id(name) for name in classes]).any()


@needs_head
def test_all_large_parts_are_labelled(picture):
    for name in ("skin", "nose", "eye_g", "hair", "neck", "cloth", "l_brow", "r_brow", "u_lip", "l_lip"):
        assert (picture.classes == class_id(name)).any(), name
    for name in ("cheek", "forehead", "nose tip", "philtrum", "top lid", "iris", "jaw", "hair"):
        assert (picture.regions == region_id(name)).any(), name
    left = np.nonzero(picture.classes == class_id("l_brow"))[1].mean()
    assert left > np.nonzero(picture.classes == class_id("r_brow"))[1].mean()  # the person's left is the image's right


@needs_head
def test_same_arguments_same_picture(picture):
    from kinlib.studio.render import render

    again = render(somebody(), Look(beard="full", glasses=Glasses()), Shot(yaw=15), 96)
    assert (again.image == picture.image).all() and (again.classes == picture.classes).all()


@needs_head
def test_darker_skin_is_darker_in_the_picture():
    from kinlib.studio.render import render

    levels = []
    for melanin in (0.05, 0.4, 0.9):
        shown = render(somebody(melanin=melanin), Look(), Shot(), 64)
        levels.append(shown.image[shown.classes == class_id("skin")].mean())
    assert levels[0] > levels[1] + 10 > levels[2] + 30


@needs_head
def test_the_crop_frames_the_face_and_compensates_the_roll():
    from kinlib.studio.render import render

    shown = render(somebody(), Look(), Shot(roll=20), 96, crop="ffhq")
    eyes = shown.landmarks[36:42].mean(0), shown.landmarks[42:48].mean(0)
    assert abs(eyes[1][1] - eyes[0][1]) < 1.5 and abs(shown.roll) < 3
    assert 0.2 < (eyes[1][0] - eyes[0][0]) / 96 < 0.35


@needs_head
def test_expression_opens_the_mouth_and_blinking_closes_the_eyes():
    from kinlib.studio.render import prepare_subject, render_shot

    subject = prepare_subject(somebody(), Look(), 96)
    calm, wide, asleep = (
        render_shot(subject, Shot(expression=strength), 96)
        for strength in ({}, {"jawOpen": 0.6}, {"eyeBlink_L": 1.0, "eyeBlink_R": 1.0})
    )
    mouth = [np.ptp(shown.landmarks[[62, 66], 1]) for shown in (calm, wide)]
    eyes = [np.isin(shown.classes, [4, 5]).sum() for shown in (calm, asleep)]
    assert mouth[1] > mouth[0] + 4 and eyes[1] < 0.3 * eyes[0]


@needs_head
def test_jaw_landmarks_of_a_rotated_face_lie_on_its_outline():
    from kinlib.studio.render import render

    shown = render(somebody(), Look(hair_style="bald"), Shot(yaw=40), 128)
    on_face = np.isin(shown.classes, [class_id(n) for n in ("skin", "nose", "r_eye", "l_eye", "u_lip", "l_lip")])
    for x, y in shown.landmarks[11:15]:
        edge = np.nonzero(on_face[round(y)])[0].max()
        assert abs(edge - x) < 3


@needs_head
@pytest.mark.parametrize("size", [0, 16, 5000, (64, 9)])
def test_impossible_sizes_are_refused(size):
    from kinlib.studio.render import render

    with pytest.raises(KinlibError, match="cannot render"):
        render(somebody(), Look(), Shot(), size)


@needs_head
def test_unknown_crops_are_refused():
    from kinlib.studio.render import render

    for size, crop in ((64, "square"), ((64, 80), "ffhq")):
        with pytest.raises(KinlibError, match="crop must be"):
            render(somebody(), Look(), Shot(), size, crop)


@needs_head
@pytest.mark.slow
def test_mtcnn_finds_rendered_people():
    """A small sample of what `make bench` measures on hundreds."""
    from kinlib.faces.keypoints import detect
    from kinlib.studio.datasets.sampling import member, sessions
    from kinlib.studio.render import render

    pictures = []
    for number in range(12):
        person = member(77, number)
        look, shots = next(sessions(person, 77, number, 1))
        pictures.append(render(person, look, replace(shots[0], yaw=np.clip(shots[0].yaw, -25, 25)), 192).image)
    found = detect([Image.fromarray(image) for image in pictures])
    assert sum(face is not None and face.score > 0.95 for face in found) >= 11


@needs_head
def test_pictures_alike_share_frame_and_exposure():
    from kinlib.studio.render import prepare_subject, render_alike, render_shot

    subject = prepare_subject(somebody(melanin=0.1), Look(), 48)
    closed, opened = Shot(), Shot(expression={"jawOpen": 0.4})
    first, second = render_alike([(subject, closed), (subject, opened)], 48, "ffhq")
    alone = render_shot(subject, opened, 48, "ffhq")
    assert np.array_equal(first.image, render_shot(subject, closed, 48, "ffhq").image)
    assert np.array_equal(first.image[:8], second.image[:8])  # hair and background
    assert not np.array_equal(first.image[:8], alone.image[:8])  # the crop follows the mouth
    with pytest.raises(KinlibError, match="the crop must be"):
        next(render_alike([(subject, closed)], 48, "round"))
