"""Pose of a head from its points in a photograph: PnP on a mean 3D head model.

    estimate(face.points, image.size)            Pose(yaw=..., pitch=..., roll=...) from MTCNN's five points
    estimate(landmarks, image.size)              from 68 landmarks, which knows more
    estimate_many(points, image.size)            the same for [N, 5, 2] or [N, 68, 2]

A point in a picture lies on a line of sight; the pose is the one in which a known head's points come nearest to theirs
(perspective-n-point, see `pose_solvers`). What it cannot know is how this head differs from the mean: long noses, open
mouths and children's faces pass for a nod, so pitch is the least certain of the three.

Convention: degrees. Yaw > 0 turns the face to the image's right, pitch > 0 up, roll > 0 clockwise in the image; the
rotations are applied in the order pitch, yaw, roll. All three are seen along the line from the camera to the head: a
face at a picture's edge that looks into the camera has none of them, and cutting a photograph changes little.

The focal length is not known either. Without one, it is taken to be as long as the photograph's longer side (a normal
lens), or long enough for the face to be `NEAREST` cm away, whichever is longer: a face that fills its picture was not
photographed from a hand's breadth, but cut out of a larger photograph. Notebook 03 measures what a wrong guess costs.
"""

from typing import NamedTuple

import numpy as np

from kinlib.faces.landmarks import face_quad, five_from_68
from kinlib.faces.pose_solvers import solve
from kinlib.faces.pose_template import template
from kinlib.runtime.errors import KinlibError

__all__ = ["NEAREST", "Pose", "angles_of", "estimate", "estimate_many", "rotation_of"]

NEAREST = 70.0  # cm from the camera to the head, at least
TURNED = 15.0  # degrees of yaw beyond which the far side of the jaw is left out
FAR_JAW = {1: tuple(range(9, 17)), -1: tuple(range(8))}  # landmarks, by the sign of the yaw
FLIP = np.diag([1.0, -1.0, -1.0])  # from the head's axes to the camera's
UP = np.array([0.0, 1.0, 0.0])  # in the picture; upright stays upright wherever the head is


class Pose(NamedTuple):
    """Yaw, pitch and roll in degrees; see the module's convention."""

    yaw: float
    pitch: float
    roll: float


def estimate(points: np.ndarray, image_size: tuple[int, int], focal: float | None = None) -> Pose:
    """The pose of a face.

    Args:
        points: [5, 2] in the order of `kinlib.faces.keypoints`, or [68, 2] in iBUG order; (x, y) in pixels.
        image_size: width and height of the picture, pixels.
        focal: of the camera in pixels, if it is known.

    Raises:
        KinlibError: if points or sizes are unusable, or the points do not form a face.
    """
    points = _numbers(points)
    if points.ndim != 2:
        raise KinlibError(f"a face's points must have the shape [5, 2] or [68, 2], not {list(points.shape)}")
    return Pose(*estimate_many(points[None], image_size, focal)[0].tolist())


def estimate_many(
    points: np.ndarray,
    image_size: tuple[int, int],
    focal: float | None = None,
    solver: str = "sqpnp",
    refine: bool = True,
) -> np.ndarray:
    """The poses of several faces in pictures of one size.

    Args:
        points: [N, 5, 2] or [N, 68, 2], see `estimate`.
        image_size, focal: as for `estimate`.
        solver, refine: as for `pose_solvers.solve`.

    Returns:
        float64 [N, 3]: yaw, pitch, roll.

    Raises:
        KinlibError: as `estimate`; one face without a pose is enough.
    """
    points = _checked_points(points)
    size = _checked_size(image_size)
    if focal is not None and not (np.isfinite(focal) and focal > 0):
        raise KinlibError(f"a focal length must be a positive number of pixels, not {focal}")
    poses = [_pose(face, size, focal, solver, refine) for face in points]
    return np.array(poses, dtype=np.float64).reshape(-1, 3)


def rotation_of(pose: Pose | np.ndarray) -> np.ndarray:
    """Rotation float64 [3, 3] of a head with a pose; columns are where its right, up and forward point (y up)."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians(pose)), np.sin(np.radians(pose))
    yawed = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitched = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    rolled = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return rolled @ yawed @ pitched


def angles_of(rotation: np.ndarray) -> Pose:
    """The pose of a head with a rotation [3, 3]; the inverse of `rotation_of` for |yaw| < 90."""
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    pitch = np.arctan2(-rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(-rotation[1, 0], rotation[0, 0])
    return Pose(*np.degrees([yaw, pitch, roll]).tolist())


def _pose(points: np.ndarray, size: np.ndarray, focal: float | None, solver: str, refine: bool) -> Pose:
    """The pose of one face [K, 2]."""
    head = template(len(points))
    camera = _camera(points, head, size, focal)
    pose = _seen_along_sight(*solve(head, points, camera, solver, refine))
    if len(points) == 68 and abs(pose.yaw) > TURNED:
        # There the landmarks slide along the outline that is seen, off the jaw's bone.
        near = np.delete(np.arange(68), FAR_JAW[int(np.sign(pose.yaw))])
        pose = _seen_along_sight(*solve(head[near], points[near], camera, solver, refine))
    return pose


def _seen_along_sight(rotation: np.ndarray, translation: np.ndarray) -> Pose:
    """The pose as it looks from the camera to the head's middle, for a head anywhere in the picture."""
    backward = -FLIP @ translation / np.linalg.norm(translation)  # from the head to the camera
    right = np.cross(UP, backward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(backward, right), backward])
    return angles_of(axes @ FLIP @ rotation)


def _camera(points: np.ndarray, head: np.ndarray, size: np.ndarray, focal: float | None) -> np.ndarray:
    """The pinhole camera [3, 3] that a photograph is taken to be from."""
    if focal is None:
        focal = max(float(size.max()), NEAREST * _scale(points, head))
    x, y = (size - 1) / 2
    return np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])


def _scale(points: np.ndarray, head: np.ndarray) -> float:
    """Pixels per cm of a face: by the side of its FFHQ crop, which turning changes little."""
    drawn = head[:, :2] * [1, -1]
    sides = [face_quad(face if len(face) == 5 else five_from_68(face)) for face in (points, drawn)]
    in_picture, on_head = (np.linalg.norm(quad[3] - quad[0]) for quad in sides)
    return float(in_picture / on_head)


def _checked_points(points: np.ndarray) -> np.ndarray:
    points = _numbers(points)
    if points.ndim != 3 or points.shape[1:] not in ((5, 2), (68, 2)):
        raise KinlibError(f"faces' points must have the shape [N, 5, 2] or [N, 68, 2], not {list(points.shape)}")
    broken = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
    if len(broken):
        raise KinlibError(f"the points of face {broken[0]} are not all finite: leave out faces that were not found")
    return points


def _numbers(points: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise KinlibError("a face's points must be numbers, as many for each face: give `face.points`") from error


def _checked_size(image_size: tuple[int, int]) -> np.ndarray:
    size = np.asarray(image_size, dtype=np.float64)
    if size.shape != (2,) or not np.isfinite(size).all() or (size <= 0).any():
        raise KinlibError(f"the picture's size must be its width and height in pixels, not {image_size}")
    return size
