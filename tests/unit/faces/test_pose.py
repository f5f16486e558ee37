"""Pose from points: known turns are found again, signs and zero are the studio's, and what is no face is refused."""

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.evaluation.preprocessing.pose import true_points, true_poses
from kinlib.faces import keypoints, pose, pose_heuristics
from kinlib.faces.landmarks import MIRRORED, five_from_68
from kinlib.faces.pose_solvers import SOLVERS
from kinlib.faces.pose_template import template
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import load_album
from kinlib.studio.rendering.camera import rotation_matrix

SIZE = (120, 150)
MIRRORED_FIVE = [1, 0, 2, 4, 3]
COUNTS = pytest.mark.parametrize("count", [5, 68])
POSES = [(0, 0, 0), (25, 0, 0), (-25, 0, 0), (0, 12, 0), (0, -12, 0), (0, 0, 30), (0, 0, -30)]
POSES += [(35, -8, 20), (-14, 9, -45)]


def project(angles, count=5, size=SIZE, scale=4.3, distance=80.0, place=None):
    """The mean head seen by a pinhole camera: points [count, 2], and the focal length in pixels.

    `scale` is in pixels per cm at the head's middle, which is seen at `place` (the picture's middle by default) and
    shows the pose along that line of sight.
    """
    focal, middle = scale * distance, (np.array(size) - 1) / 2
    offset = np.zeros(2) if place is None else np.asarray(place) - middle
    sight = np.array([offset[0], -offset[1], -focal]) / np.linalg.norm([*offset, focal])  # y up, z to the camera
    # A head that looks along its line of sight has turned and nodded towards the camera.
    towards = pose.rotation_of((np.degrees(np.arctan2(-sight[0], -sight[2])), 0, 0))
    towards = towards @ pose.rotation_of((0, np.degrees(np.arcsin(-sight[1])), 0))
    points = template(count) @ (towards @ pose.rotation_of(angles)).T + sight * distance
    return middle + focal * points[:, :2] * [1, -1] / -points[:, 2:], focal


@COUNTS
@pytest.mark.parametrize("angles", POSES)
def test_known_poses_are_found_again(count, angles):
    points, focal = project(angles, count)
    found = pose.estimate(points, SIZE, focal)
    assert np.allclose(found, angles, atol=0.01)
    assert isinstance(found, pose.Pose) and all(isinstance(angle, float) for angle in found)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("angles", POSES)
def test_every_solver_finds_them(solver, angles):
    points, focal = project(angles)
    assert np.allclose(pose.estimate_many(points[None], SIZE, focal, solver), angles, atol=0.05)


@pytest.mark.parametrize("angles", POSES)
def test_rotations_and_angles_belong_together(angles):
    assert np.allclose(pose.angles_of(pose.rotation_of(angles)), angles)
    assert np.allclose(pose.rotation_of(angles), rotation_matrix(*angles), atol=1e-6)  # the studio's


def test_signs_in_the_picture():
    """Right, up and clockwise as a viewer sees them, told from single points."""
    straight = project((0, 0, 0), 68)[0]
    nose, chin, brow = 30, 8, 27
    right, up, clockwise = (project(angles, 68)[0] for angles in ((20, 0, 0), (0, 15, 0), (0, 0, 20)))
    assert right[nose, 0] > straight[nose, 0] and pose.estimate(right, SIZE).yaw > 15
    assert up[nose, 1] < straight[nose, 1] and pose.estimate(up, SIZE).pitch > 10
    assert clockwise[brow, 0] > clockwise[chin, 0] and pose.estimate(clockwise, SIZE).roll > 15


@COUNTS
def test_the_place_in_the_picture_does_not_matter(count):
    """A face at the edge of a full photograph has the pose that one sees along the line to it."""
    size = (1600, 1200)
    for place in ((800, 600), (250, 900), (1400, 200)):
        points, focal = project((12, -6, 5), count, size, 12.0, 130.0, place)
        assert np.allclose(pose.estimate(points, size, focal), (12, -6, 5), atol=0.2)


@COUNTS
def test_size_and_cutting_matter_little(count):
    points = project((20, 5, -8), count, (600, 600), 12.0, 80.0, (350, 280))[0]
    whole = pose.estimate(points, (600, 600))
    cut = pose.estimate(points - [220, 130], (300, 330))
    enlarged = pose.estimate((points + 0.5) * 3 - 0.5, (1800, 1800))
    assert np.allclose(whole, enlarged, atol=0.01)
    assert np.allclose(whole, cut, atol=1.0)


def test_a_wrong_focal_length_costs_little():
    """Of a turn of 25 degrees, half and double the true focal length take or add a fifth at most."""
    points, focal = project((25, 0, 0))
    short, long = (pose.estimate(points, SIZE, focal * factor).yaw for factor in (0.5, 2.0))
    assert 20 < short < 25 < long < 30


def test_without_a_focal_length_a_full_photograph_is_taken_with_a_normal_lens():
    size = (1200, 900)
    points, _ = project((20, 0, 0), size=size, scale=3.0, distance=400.0)  # 1200 px: as long as the photograph
    assert np.allclose(pose.estimate(points, size), (20, 0, 0), atol=0.01)
    assert np.allclose(pose.estimate(points, size), pose.estimate(points, size, 1200.0))


@COUNTS
@pytest.mark.parametrize("angles", POSES)
def test_mirrored_points_give_the_mirrored_pose(count, angles):
    points = project(angles, count)[0] + np.random.default_rng(0).normal(0, 0.4, (count, 2))
    mirrored = ([SIZE[0] - 1, 0] + points * [-1, 1])[MIRRORED_FIVE if count == 5 else list(MIRRORED)]
    one, other = pose.estimate(points, SIZE), pose.estimate(mirrored, SIZE)
    assert np.allclose(one, np.multiply(other, [-1, 1, -1]), atol=0.01)


def test_noise_costs_a_few_degrees_and_more_points_help():
    rng = np.random.default_rng(0)
    angles = rng.uniform([-30, -10, -15], [30, 10, 15], (60, 3))
    median = {}
    for count in (5, 68):
        points = np.array([project(one, count)[0] for one in angles]) + rng.normal(0, 0.6, (60, count, 2))
        median[count] = np.median(np.abs(pose.estimate_many(points, SIZE) - angles), axis=0)
    assert (median[5] < [4, 5, 1.5]).all() and (median[68] < median[5]).all()


@COUNTS
def test_batch_equals_single(count):
    points = np.array([project(angles, count)[0] for angles in POSES])
    together = pose.estimate_many(points, SIZE)
    assert together.shape == (len(POSES), 3) and together.dtype == np.float64
    assert np.array_equal(together, [pose.estimate(one, SIZE) for one in points])
    assert pose.estimate_many(np.empty((0, count, 2)), SIZE).shape == (0, 3)


FACE = project((0, 0, 0))[0]


@pytest.mark.parametrize(
    ("points", "size", "focal", "words"),
    [
        (FACE[:4], SIZE, None, r"\[N, 5, 2\] or \[N, 68, 2\], not \[1, 4, 2\]"),
        (FACE[None], SIZE, None, r"\[5, 2\] or \[68, 2\], not \[1, 5, 2\]"),
        (keypoints.Keypoints(np.zeros(4), 1.0, FACE), SIZE, None, "give `face.points`"),
        ([[1, 2], [3]], SIZE, None, "must be numbers"),
        (np.full((5, 2), np.nan), SIZE, None, "not all finite"),
        (np.where(np.eye(5, 2) > 0, np.inf, FACE), SIZE, None, "not all finite"),
        (np.ones((5, 2)), SIZE, None, "do not form a face"),
        (FACE[MIRRORED_FIVE], SIZE, None, "eyes are swapped"),
        (FACE, (0, 150), None, "width and height"),
        (FACE, 120, None, "width and height"),
        (FACE, (120, np.nan), None, "width and height"),
        (FACE, SIZE, 0.0, "focal length"),
        (FACE, SIZE, np.nan, "focal length"),
    ],
)
def test_what_is_no_face_is_refused(points, size, focal, words):
    with pytest.raises(KinlibError, match=words):
        pose.estimate(points, size, focal)


def test_the_batch_names_the_broken_face():
    points = np.stack([FACE, FACE, FACE])
    points[1, 2, 0] = np.nan
    with pytest.raises(KinlibError, match="face 1 "):
        pose.estimate_many(points, SIZE)


def test_solvers_have_names():
    with pytest.raises(KinlibError, match="no solver 'best': choose one of sqpnp"):
        pose.estimate_many(FACE[None], SIZE, solver="best")
    with pytest.raises(KinlibError, match="five points"):
        pose.estimate_many(project((0, 0, 0), 68)[0][None], SIZE, solver="ippe")


def test_the_template_is_a_symmetric_face():
    for points, mirrored in ((template(5), MIRRORED_FIVE), (template(68), list(MIRRORED))):
        assert np.array_equal(points[mirrored] * [-1, 1, 1], points)
        assert points[:, 2].argmax() == {5: 2, 68: 30}[len(points)]  # the tip of the nose stands out most
    assert np.abs(five_from_68(template(68)[:, :2]) - template(5)[:, :2]).max() < 0.5  # cm


@needs_head
def test_the_template_is_the_studios_mean_head():
    """The mean of other random people differs by what chance does: 0.5 cm of spread over the root of their number."""
    from kinlib.studio.appearance.looks import random_person
    from kinlib.studio.appearance.shots import random_expression
    from kinlib.studio.head.model import load_head
    from kinlib.studio.rendering.camera import EYE_LEVEL
    from kinlib.studio.shape import head_shape

    rng, marks = np.random.default_rng(5), load_head().landmarks
    ages = true_ages(rng, 40)
    heads = []
    for age in ages:
        _, posed = head_shape.build_head(random_person(rng), age, random_expression(rng, age), (0.0, 0.0))
        head = posed[marks].astype(np.float64) - [0, EYE_LEVEL, 0]
        heads.append(head / np.linalg.norm(head[17:] - head[17:].mean(axis=0)))
    mean = np.mean(heads, axis=0) * np.linalg.norm(template(68)[17:] - template(68)[17:].mean(axis=0))
    assert np.abs(mean - template(68)).max() < 0.25
    assert np.abs(mean - template(68)).mean() < 0.06


def true_ages(rng, count):
    """Ages as in the family album, years."""
    return rng.choice(load_album().truth["age"], count)


@pytest.fixture(scope="module")
def album():
    return load_album()


@pytest.fixture(scope="module")
def faces(album):
    """Photographs of all yaws: paths, MTCNN's points, and the truth."""
    rows = album.truth[album.truth["fault"].isna()].sort_values("yaw").iloc[::24]
    pictures = [read_photo(album.folder / "families" / file) for file in rows["file"]]
    found = keypoints.detect(pictures)
    assert all(face is not None for face in found)
    return rows["file"].tolist(), np.array([face.points for face in found]), true_poses(album, rows["file"])


@pytest.mark.parametrize(("source", "least"), [("MTCNN", (0.95, 0.6, 0.85)), ("truth", (0.99, 0.9, 0.98))])
def test_signs_and_zero_are_the_studios(album, faces, source, least):
    files, five, truth = faces
    points = five if source == "MTCNN" else true_points(album, files)
    found = pose.estimate_many(points, SIZE)
    alike = [np.corrcoef(found[:, index], truth[:, index])[0, 1] for index in range(3)]
    assert (np.array(alike) > least).all(), alike
    assert np.abs((found - truth).mean(axis=0)).max() < 2.5
    assert 0.85 < np.polyfit(truth[:, 0], found[:, 0], 1)[0] < 1.15
    assert (np.median(np.abs(found - truth), axis=0) < [3.0, 4.5, 1.5]).all()


def test_more_points_know_more(album, faces):
    files, five, truth = faces
    both = five, true_points(album, files)
    off = {len(points[0]): np.abs(pose.estimate_many(points, SIZE) - truth) for points in both}
    assert (np.median(off[68], axis=0) < np.median(off[5], axis=0)).all()


def test_mtcnn_sees_its_points_where_the_template_has_them(album, faces):
    """On photographs that the template was not made from, against the true eyes, nose and mouth, in eye distances."""
    files, five, truth = faces
    near = np.abs(truth[:, 0]) < 12
    true = np.array([five_from_68(points) for points in true_points(album, files)])[near]
    eyes = np.linalg.norm(true[:, 1] - true[:, 0], axis=1)[:, None, None]
    seen = ((five[near] - true) / eyes).mean(axis=0)
    own, marks = template(5), five_from_68(template(68)[:, :2])
    meant = (own[:, :2] - marks) * [1, -1] / (marks[1, 0] - marks[0, 0])
    assert np.abs(seen - meant).max() < 0.035


def test_rules_of_thumb_agree_in_sign_and_are_straight_for_a_straight_face():
    left, right, nose = [40.0, 60.0], [80.0, 60.0], [60.0, 75.0]
    face = np.array([left, right, nose, [45.0, 90.0], [75.0, 90.0]])
    assert np.allclose(pose_heuristics.estimate(face), 0)
    for index, (angles, least) in enumerate([((15, 0, 0), 10), ((0, 8, 0), 4), ((0, 0, 10), 9)]):
        moved = pose_heuristics.estimate(project(angles)[0])[index] - pose_heuristics.estimate(FACE)[index]
        assert moved > least


def test_rules_of_thumb_are_the_reports():
    """Yaw compares the nose's distances to the eyes along rows; its ends are 90 degrees."""
    face = np.array([[40.0, 60.0], [80.0, 60.0], [70.0, 70.0], [45.0, 100.0], [75.0, 100.0]])
    assert np.allclose(pose_heuristics.estimate(face), [90 * (30 - 10) / 40, 90 * (1 - 2 * 10 / 40), 0])
    several = pose_heuristics.estimate(np.stack([face, face])[None])
    assert several.shape == (1, 2, 3) and np.isnan(pose_heuristics.estimate(np.zeros((5, 2)))[0])


def test_tilting_the_picture_leaks_into_the_rules_but_not_into_the_head():
    tilts = np.radians(np.arange(-30, 31, 10))
    turns = np.stack([np.stack([np.cos(tilts), -np.sin(tilts)], -1), np.stack([np.sin(tilts), np.cos(tilts)], -1)], -2)
    points = np.einsum("nij,kj->nki", turns, FACE - 60.0) + 60.0
    rule, head = pose_heuristics.estimate(points), pose.estimate_many(points, SIZE)
    assert np.abs(head[:, 0]).max() < 0.5 and np.allclose(head[:, 2], np.degrees(tilts), atol=0.5)
    assert np.allclose(rule[:, 2], np.degrees(tilts), atol=0.5)
    assert np.ptp(rule[:, 0]) > 60
