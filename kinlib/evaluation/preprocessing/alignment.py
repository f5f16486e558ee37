"""Errors of landmarks, and of the FFHQ crops computed from them.

A generator depends on where the face is in the aligned picture, not on single landmarks. The crop error is therefore
the mean distance, in pixels of the crop, between the true landmarks in the crop under test and in the crop computed
from the true landmarks. `crop_offsets` splits it into shift, scale and rotation.

Landmark errors are fractions of the distance between the outer eye corners (the inter-ocular distance of the 300-W
benchmark); errors of five points are fractions of the distance between the eye centres.

Functions on several photographs return one row for each, in the same order.
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

__all__ = ["CROP", "MAX_OFFSET", "crop_error", "crop_offsets", "detected", "detected_by_dlib", "five_error"]
__all__ += ["landmark_error", "measure_alignment", "quad_of"]

CROP = 256  # px, the aligned face
MAX_OFFSET = 1.0  # eye distances; a detection further from the true face is a false positive
OUTER = (36, 45)  # outer corners of the eyes in iBUG order


def crop_error(quad: np.ndarray, truth: np.ndarray, size: int = CROP) -> float:
    """Mean distance, in pixels of the crop, between the true landmarks in a crop and in the ground-truth crop.

    Args:
        quad: corners [4, 2] of the crop under test, pixels of the photograph.
        truth: the true landmarks [68, 2].
        size: side of the crop in pixels.
    """
    seen, wanted = (map_to_crop(truth, square, size) for square in (quad, quad_of(truth)))
    return float(np.linalg.norm(seen - wanted, axis=1).mean())


def crop_offsets(quad: np.ndarray, truth: np.ndarray, size: int = CROP) -> dict[str, float]:
    """Shift, scale and rotation of a crop relative to the ground-truth crop.

    Args:
        quad, truth, size: as for `crop_error`.

    Returns:
        Where the face is, relative to where it should be: `right` and `down` in pixels of the crop; `scale`, above 1
        where the face is too large; `rotation` in degrees, clockwise.
    """
    wanted = quad_of(truth)
    ours, theirs = quad[3] - quad[0], wanted[3] - wanted[0]
    away = map_to_crop(wanted.mean(axis=0)[None], quad, size)[0] - (size - 1) / 2
    angles = [np.arctan2(side[1], side[0]) for side in (ours, theirs)]
    rotation = (angles[1] - angles[0] + np.pi) % (2 * np.pi) - np.pi
    scale = np.hypot(*theirs) / np.hypot(*ours)
    return {
        "right": float(away[0]),
        "down": float(away[1]),
        "scale": float(scale),
        "rotation": float(np.degrees(rotation)),
    }


def landmark_error(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of landmarks [68, 2] from the true ones, as a fraction of that between the outer eye corners."""
    unit = np.hypot(*(truth[OUTER[1]] - truth[OUTER[0]]))
    return float(np.linalg.norm(np.asarray(points, np.float64) - truth, axis=1).mean() / unit)


def five_error(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of detected eyes and mouth corners from the true ones, as a fraction of that between the eyes.

    Args:
        points: [5, 2], the detector's.
        truth: the true landmarks [68, 2].
    """
    true = shape.five_from_68(truth)
    distances = np.linalg.norm(points - true, axis=1)[[0, 1, 3, 4]]
    return float(distances.mean() / max(np.hypot(*(true[1] - true[0])), 1e-6))


def measure_alignment(
    photos: Sequence[Image.Image], truths: Sequence[np.ndarray], predictor: "shape.Predictor" = None, size: int = CROP
) -> pd.DataFrame:
    """Detect faces, predict landmarks, and measure the crops from five points and from 68.

    Args:
        photos: with one labelled face each.
        truths: its true landmarks [68, 2].
        predictor: of the 68 landmarks; a loaded one, a path, or None for the bundled one.
        size: side of the crop in pixels.

    Returns:
        `found`: whether the largest face that MTCNN detects is the labelled one (see `MAX_OFFSET`). Where it is:
        `points68`, the error of the 68 landmarks (see `landmark_error`); `agree`, whether they pass the consistency
        check against the five points (see `kinlib.faces.landmarks.plausible`); `crop5` and `crop68`, the errors of the
        two crops (see `crop_error`). NaN elsewhere.

    Raises:
        KinlibError: if numbers differ, or the predictor cannot be loaded.
    """
    if len(photos) != len(truths):
        raise KinlibError(f"every photograph needs its landmarks: there are {len(photos)} and {len(truths)}")
    import dlib

    model = predictor if isinstance(predictor, dlib.shape_predictor) else shape.load_predictor(predictor)
    rows = []
    for photo, face, truth in zip(photos, detect(list(photos)), truths, strict=True):
        right = face is not None and five_error(face.points, truth) <= MAX_OFFSET
        rows.append({"found": right} | (_errors(photo, face, truth, model, size) if right else {}))
    columns = ["found", "points68", "agree", "crop5", "crop68"]
    return pd.DataFrame(rows, columns=columns).astype({name: float for name in columns})


def detected_by_dlib(photos: Sequence[Image.Image], truths: Sequence[np.ndarray]) -> np.ndarray:
    """Whether dlib's frontal face detector (King, 2009) finds the labelled face, bool [N].

    Most public implementations of the FFHQ crop start with this detector.

    `photos` and `truths` are as for `measure_alignment`.
    """
    found = []
    for boxes, truth in zip(_dlib_boxes(photos), truths, strict=True):
        x, y = shape.five_from_68(truth)[:3].mean(axis=0)
        found.append(any(box.left() <= x <= box.right() and box.top() <= y <= box.bottom() for box in boxes))
    return np.array(found, dtype=bool)


def detected(photos: Sequence[Image.Image]) -> pd.DataFrame:
    """Whether two detectors find any face; for photographs without ground truth.

    Returns:
        `mtcnn` (small pictures enlarged first) and `dlib` (frontal detector, native size), bool.
    """
    by_dlib = [len(boxes) > 0 for boxes in _dlib_boxes(photos)]
    return pd.DataFrame({"mtcnn": [face is not None for face in detect(list(photos))], "dlib": by_dlib}, dtype=bool)


def _dlib_boxes(photos: Sequence[Image.Image]) -> list["dlib.rectangles"]:
    """Detections of dlib's frontal detector at native size; its smallest window is 80 px wide."""
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
