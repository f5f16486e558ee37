"""How far off are the landmarks, and how far off is the crop that they lead to?

What counts for a generator is not where a point is, but where the face ends up in the aligned picture. So a crop is
judged by the face itself: how far do the true landmarks lie from where they would be in the crop made from them? The
distance is in pixels of the crop. Part of it is a shift, a scale or a turn of the whole crop.

Each function takes photographs in one order and gives one row for each.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.faces import landmarks as shape
from kinlib.faces.keypoints import Keypoints, detect
from kinlib.faces.landmarks import quad_of
from kinlib.io.crop import map_to_crop
from kinlib.io.photos import to_rgb
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import dlib

__all__ = ["CROP", "RIGHT", "any_found", "crop_error", "crop_parts", "dlib_finds", "five_error", "landmark_error"]
__all__ += ["measure_alignment", "quad_of"]

CROP = 256  # px, the aligned face
RIGHT = 1.0  # eye distances; a face found further from the true one is another, or none
OUTER = (36, 45)  # outer corners of the eyes, whose distance is the unit of landmark errors


def crop_error(quad: np.ndarray, truth: np.ndarray, size: int = CROP) -> float:
    """Mean distance, in pixels of the crop, of the true landmarks from their places in the crop made from them.

    Args:
        quad: the square [4, 2] in question.
        truth: the true landmarks [68, 2].
        size: side of the crop in pixels.
    """
    seen, wanted = (map_to_crop(truth, square, size) for square in (quad, quad_of(truth)))
    return float(np.linalg.norm(seen - wanted, axis=1).mean())


def crop_parts(quad: np.ndarray, truth: np.ndarray, size: int = CROP) -> dict[str, float]:
    """What is wrong with a crop as a whole.

    Args:
        quad, truth, size: as for `crop_error`.

    Returns:
        `right` and `down`: pixels of the crop by which the true square's centre lies right of the crop's middle and
        below it, so that the face is shifted that way; `scale`: of the face, above 1 where it is too large; `turn`:
        degrees by which the face is turned clockwise.
    """
    wanted = quad_of(truth)
    ours, theirs = quad[3] - quad[0], wanted[3] - wanted[0]
    away = map_to_crop(wanted.mean(axis=0)[None], quad, size)[0] - (size - 1) / 2
    angles = [np.arctan2(side[1], side[0]) for side in (ours, theirs)]
    turn = (angles[1] - angles[0] + np.pi) % (2 * np.pi) - np.pi
    scale = np.hypot(*theirs) / np.hypot(*ours)
    return {"right": float(away[0]), "down": float(away[1]), "scale": float(scale), "turn": float(np.degrees(turn))}


def landmark_error(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of landmarks [68, 2] from the true ones, as a share of that between the eyes' outer corners."""
    unit = np.hypot(*(truth[OUTER[1]] - truth[OUTER[0]]))
    return float(np.linalg.norm(np.asarray(points, np.float64) - truth, axis=1).mean() / unit)


def five_error(points: np.ndarray, truth: np.ndarray) -> float:
    """How far a detector's eyes and mouth corners, of five points, lie from the true ones: mean, in eye distances."""
    true = shape.five_from_68(truth)
    distances = np.linalg.norm(points - true, axis=1)[[0, 1, 3, 4]]
    return float(distances.mean() / max(np.hypot(*(true[1] - true[0])), 1e-6))


def measure_alignment(
    photos: Sequence[Image.Image], truths: Sequence[np.ndarray], predictor: "shape.Predictor" = None, size: int = CROP
) -> pd.DataFrame:
    """Find, place landmarks and crop, by five points and by 68.

    Args:
        photos: with one face each that counts.
        truths: its true landmarks [68, 2].
        predictor: of the 68 landmarks; a loaded one, a path, or None for the bundled one.
        size: side of the crop in pixels.

    Returns:
        `found`: whether the largest face that MTCNN finds is the right one; and where it is `points68`, the 68
        landmarks' error (see `landmark_error`); `agree`, whether they are near enough to the five points to be trusted;
        `crop5` and `crop68`, the errors of the two crops (see `crop_error`); NaN elsewhere.

    Raises:
        KinlibError: if numbers differ, or the predictor cannot be loaded.
    """
    if len(photos) != len(truths):
        raise KinlibError(f"every photograph needs its landmarks: there are {len(photos)} and {len(truths)}")
    import dlib

    model = predictor if isinstance(predictor, dlib.shape_predictor) else shape.load_predictor(predictor)
    rows = []
    for photo, face, truth in zip(photos, detect(list(photos)), truths, strict=True):
        right = face is not None and five_error(face.points, truth) <= RIGHT
        rows.append({"found": right} | (_errors(photo, face, truth, model, size) if right else {}))
    columns = ["found", "points68", "agree", "crop5", "crop68"]
    return pd.DataFrame(rows, columns=columns).astype({name: float for name in columns})


def dlib_finds(photos: Sequence[Image.Image], truths: Sequence[np.ndarray]) -> np.ndarray:
    """Whether dlib's own frontal detector (King, 2009) finds the face, bool [N]; what aligners in the wild begin with.

    `photos` and `truths` are as for `measure_alignment`.
    """
    found = []
    for boxes, truth in zip(_dlib_boxes(photos), truths, strict=True):
        x, y = shape.five_from_68(truth)[:3].mean(axis=0)
        found.append(any(box.left() <= x <= box.right() and box.top() <= y <= box.bottom() for box in boxes))
    return np.array(found, dtype=bool)


def any_found(photos: Sequence[Image.Image]) -> pd.DataFrame:
    """Whether two detectors find a face, of whomever: all that can be asked of photographs whose truth nobody knows.

    Returns:
        `mtcnn` and `dlib` (its frontal detector, the picture as it is), bool.
    """
    by_dlib = [len(boxes) > 0 for boxes in _dlib_boxes(photos)]
    return pd.DataFrame({"mtcnn": [face is not None for face in detect(list(photos))], "dlib": by_dlib}, dtype=bool)


def _dlib_boxes(photos: Sequence[Image.Image]) -> list["dlib.rectangles"]:
    """Where dlib's frontal detector sees faces, the pictures as they are; its smallest face is 80 px wide."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    return [detector(np.asarray(to_rgb(photo)), 0) for photo in photos]


def _errors(photo: Image.Image, face: Keypoints, truth: np.ndarray, model: "dlib.shape_predictor", size: int) -> dict:
    points = shape.predict(photo, face, model)
    return {
        "points68": landmark_error(points, truth),
        "agree": shape.plausible(points, face),
        "crop5": crop_error(shape.face_quad(face), truth, size),
        "crop68": crop_error(quad_of(points), truth, size),
    }
