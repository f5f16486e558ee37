"""Measurements of a face in a picture: proportions from the 68 landmarks, colours of skin and hair.

The same function measures true and generated children, so its systematic errors are the same for both. Lengths are in
eye distances, along and across the line between the eyes, so that neither the picture's size nor the head's roll
matters. Yaw shortens the eye distance and all widths alike, which leaves their ratios nearly unchanged, but would
stretch the heights; these are therefore divided by the eye distance of the same face seen from the front, which follows
from the yaw estimated by the position of the nose.

Colours are CIELAB (D65) medians over small patches. They depend on the light of the scene as well as on the skin, so
only pictures taken under comparable light can be compared. A bald head shows its scalp where hair is expected, and a
hat counts as hair.

Pictures of one person with several poses and expressions agree best in the colours, the fullness of the lips and the
width of the face, least in the widths of mouth and nose, which a smile changes. Differences between two children are
therefore partly noise; means and variances over many children, true and generated, average it out.

Convention: landmarks are [68, 2], (x, y) in the picture's pixels, whole numbers at pixel centres, iBUG order.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from kinlib.faces.align import turn_degrees
from kinlib.faces.keypoints import Keypoints, detect
from kinlib.faces.landmarks import MIRRORED, five_from_68, predict
from kinlib.io.photos import PhotoSource, read_photo
from kinlib.runtime.errors import KinlibError

__all__ = ["COLOURS", "MEASURES", "PROPORTIONS", "measure", "measure_all"]

PROPORTIONS = {
    "face_width": "cheek to cheek at the height of the eyes",
    "face_ratio": "width of the face at the cheeks, as a share of the height from the root of the nose to the chin",
    "jaw_width": "between the angles of the jaw",
    "chin_height": "lower lip to the tip of the chin",
    "brow_height": "middle of the brow above the eye's centre",
    "eye_spacing": "between the inner corners of the eyes",
    "eye_size": "side of a square with the area of the open eye",
    "eye_tilt": "degrees by which the outer corner of the eye is higher than the inner",
    "nose_width": "between the wings of the nose",
    "nose_length": "root of the nose to its base",
    "mouth_width": "between the corners of the mouth",
    "lip_fullness": "thickness of both lips together, in the middle",
}
COLOURS = {
    "skin_lightness": "L* of the cheeks, 0 to 100",
    "skin_redness": "a* of the cheeks, redder above 0",
    "hair_lightness": "L* above the forehead, 0 to 100",
}
MEASURES = PROPORTIONS | COLOURS
"""What `measure` returns, and what each number means; lengths in eye distances unless a unit is named."""

MIRRORED_FIVE = (1, 0, 2, 4, 3)  # counterparts of the five points, as `MIRRORED` has those of the 68
TURN_LIMIT = 45.0  # degrees; beyond it the nose predicts the yaw too poorly to correct for
CHEEK = (1, 2, 3, 31, 41, 48)  # landmarks whose centre lies on the cheek at the image's left
CHEEK_OTHER = (15, 14, 13, 35, 46, 54)
CHEEK_RADIUS = 0.15  # eye distances
REACH = 2.5  # eye distances around the eyes' middle
FINE = 100  # px of eye distance; larger faces are reduced before their colours are measured
# Above the forehead, (across, up from the eyes' middle) in eye distances of a frontal face: hair in most hair styles.
HAIR_HALF_WIDTH, HAIR_LOW, HAIR_HIGH = 0.35, 1.28, 1.48


def measure(picture: PhotoSource, landmarks: np.ndarray | None = None) -> dict[str, float]:
    """Proportions and colours of the face in a picture; `MEASURES` says what each number means.

    Args:
        picture: path, PIL image or array, as `read_photo` takes it; an aligned crop or a whole photo.
        landmarks: [68, 2], if they are known; otherwise MTCNN finds the largest face and the bundled predictor
            places them.

    Raises:
        KinlibError: if there is no face in the picture, or `landmarks` has another shape or is not finite.
    """
    image = read_photo(picture)
    if landmarks is None:
        face = detect(image)[0]
        if face is None:
            raise KinlibError("no face found in the picture to measure: use one that shows a face from the front")
        landmarks = _place_landmarks(image, face)
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        raise KinlibError(f"landmarks must be finite and of the shape [68, 2], not {list(landmarks.shape)}")
    return _proportions(landmarks) | _colours(image, landmarks)


def measure_all(pictures: Sequence[PhotoSource]) -> pd.DataFrame:
    """`measure` for many pictures: one row each, in their order; NaN where no face is found."""
    images = [read_photo(picture) for picture in pictures]
    nothing = dict.fromkeys(MEASURES, np.nan)
    rows = [
        nothing if face is None else measure(image, _place_landmarks(image, face))
        for image, face in zip(images, detect(images), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(MEASURES))


def _place_landmarks(image: Image.Image, face: Keypoints) -> np.ndarray:
    """Landmarks float64 [68, 2], means of those in the picture and those in its mirror image: less noise."""
    other = _mirrored(face.points, image.width, MIRRORED_FIVE)
    found = _mirrored(predict(ImageOps.mirror(image), other), image.width, MIRRORED)
    return (predict(image, face) + found) / 2


def _mirrored(points: np.ndarray, width: int, order: tuple[int, ...]) -> np.ndarray:
    """Points [N, 2] of a picture in its mirror image, each in the place of its counterpart."""
    return np.array([width - 1, 0]) + points[list(order)] * [-1, 1]


def _frame(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Origin between the eyes; unit vectors to the right and down in the face; [eye distance, frontal eye distance]."""
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    distance = np.hypot(*(right - left))
    if distance < 1.0:
        raise KinlibError("landmarks must form a face: both eyes are in the same place")
    along = (right - left) / distance
    turn = np.clip(turn_degrees(five_from_68(landmarks)), -TURN_LIMIT, TURN_LIMIT)
    lengths = np.array([distance, distance / np.cos(np.radians(turn))])
    return (left + right) / 2, along, np.array([-along[1], along[0]]), lengths


def _proportions(landmarks: np.ndarray) -> dict[str, float]:
    origin, right, down, lengths = _frame(landmarks)
    points = (landmarks - origin) @ np.stack([right, down], axis=1) / lengths  # [68, 2]
    x, y = points.T
    left_eye, right_eye = points[36:42], points[42:48]
    cheeks, height = x[15] - x[1], y[8] - y[27]
    rise = np.array([y[39] - y[36], y[42] - y[45]])
    run = np.array([x[39] - x[36], x[45] - x[42]])
    values = {
        "face_width": x[16] - x[0],
        "face_ratio": cheeks / height,
        "jaw_width": x[12] - x[4],
        "chin_height": y[8] - y[57],
        "brow_height": -y[17:27].mean(),
        "eye_spacing": x[42] - x[39],
        "eye_size": np.sqrt((_area(left_eye) + _area(right_eye)) / 2),
        "eye_tilt": np.degrees(np.arctan2(rise, run)).mean(),
        "nose_width": x[35] - x[31],
        "nose_length": y[33] - y[27],
        "mouth_width": x[54] - x[48],
        "lip_fullness": (y[62] - y[51]) + (y[57] - y[66]),
    }
    return {name: float(value) for name, value in values.items()}


def _area(polygon: np.ndarray) -> float:
    """Of a polygon [N, 2], by the shoelace formula."""
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _colours(image: Image.Image, landmarks: np.ndarray) -> dict[str, float]:
    from skimage.color import rgb2lab

    image, landmarks = _around(image, landmarks)
    lab = rgb2lab(np.asarray(image))  # [H, W, 3]
    origin, right, down, lengths = _frame(landmarks)
    rows, columns = np.mgrid[: lab.shape[0], : lab.shape[1]]
    pixels = np.stack([columns, rows], axis=-1)  # [H, W, (x, y)]
    cheeks = []
    for names in (CHEEK, CHEEK_OTHER):
        away = np.linalg.norm(pixels - landmarks[list(names)].mean(axis=0), axis=-1)
        cheeks.append(_median(lab, away <= CHEEK_RADIUS * lengths[1]))
    skin = np.mean(cheeks, axis=0)  # of both sides, for one is often in the shade
    across = (pixels - origin) @ right / lengths[1]
    up = (origin - pixels) @ down / lengths[1]
    hair = _median(lab, (np.abs(across) <= HAIR_HALF_WIDTH) & (up >= HAIR_LOW) & (up <= HAIR_HIGH))
    return {
        "skin_lightness": float(skin[0]),
        "skin_redness": float(skin[1]),
        "hair_lightness": float(hair[0]),
    }


def _around(image: Image.Image, landmarks: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """The part of a picture that holds the head, not larger than its colours need, with the landmarks in it."""
    origin, _, _, lengths = _frame(landmarks)
    low = np.clip(np.floor(origin - REACH * lengths[1]), 0, np.array(image.size) - 1).astype(int)
    high = np.clip(np.ceil(origin + REACH * lengths[1]), low + 1, image.size).astype(int)
    factor = max(1, int(lengths[1] // FINE))
    part = image.crop((*low.tolist(), *high.tolist())).reduce(factor)
    return part, (landmarks - low + 0.5) / factor - 0.5


def _median(lab: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Median colour [3] of the pixels where `inside` [H, W]; NaN if there are none."""
    return np.median(lab[inside], axis=0) if inside.any() else np.full(3, np.nan)
