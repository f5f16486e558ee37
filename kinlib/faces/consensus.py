"""Eye centres and mouth corners as the consensus of two estimators, so that the crop moves little when the photo does.

Each estimator alone is unsteady: a photo saved as JPEG again, scaled by 4% or shifted by 1 px moves the crop by several
pixels. Three measures steady it. Both estimators look at the face in the crop itself, so that the detector's box
matters no more, and once more in the crop that follows. Each averages over windows that are shifted and scaled a
little. And the two are averaged, with a share that falls smoothly to 0 where they disagree, without a threshold.
`kinlib.evaluation.preprocessing.steadiness` measures the result.

The estimators are MTCNN's last network (Zhang et al., 2016), trained on photographs, and dlib's 68 landmarks (Kazemi
and Sullivan, 2014), whose bundled predictor was trained on renders. MTCNN places eyes higher than the landmarks do, by
the same amount in photographs and in renders; that offset is removed first.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kinlib.faces import landmarks as shape
from kinlib.faces.keypoints import Keypoints
from kinlib.faces.points import read_five
from kinlib.io.crop import crop_quad, cut_quad, map_from_crop

if TYPE_CHECKING:
    import dlib

__all__ = ["DISAGREE", "OFFSETS", "FacePoints", "locate"]

STEP = 1 / 8  # px; some thousand times the last bits that differ where a detector sees photos together (measured)
ROUNDS = 2  # a third moves the crop by less than the photo's own noise (measured)
SCALE = shape.CHIP / 4  # px, the eye distance of a frontal face in the crop
# Truth minus five points in px of the crop, by `point_offsets` of `kinlib.evaluation.preprocessing.steadiness` on 24
# renders. On 14 photos, with the official predictor's landmarks in place of the truth, the offsets downwards are the
# same to within 0.7 px. Those to the side are within 1.2 px of 0 and of opposite signs in photos and renders, so they
# are left at 0.
OFFSETS = np.array([[0.0, 2.4], [0.0, 2.4], [0.0, -1.5], [0.0, 0.4], [0.0, 0.4]])
SHARE = 0.5  # of the 68 landmarks where both agree: their errors are of one size, and independent
AGREE, DISAGREE = 0.1, 0.2  # mean distance in eye distances, up to which the share is whole, and from which it is 0


@dataclass(frozen=True)
class FacePoints:
    """Where a face is.

    Attributes:
        quad: float64 [4, 2], the FFHQ square that follows from the points.
        landmarks: float32 [68, 2] in the photo; None if there is no predictor or its points have no share in the quad.
        share: of the 68 landmarks in the quad, 0 to `SHARE`.
        disagreement: of the two estimators in the detector's own square, in eye distances; 0 without a predictor. A
            face that is none, or is upside down, is told by it.
    """

    quad: np.ndarray
    landmarks: np.ndarray | None
    share: float
    disagreement: float


def locate(image: Image.Image, face: Keypoints, model: "dlib.shape_predictor | None") -> FacePoints:
    """Find the FFHQ square of a detected face by both estimators.

    Args:
        image: the photo, RGB.
        face: from `kinlib.faces.keypoints`.
        model: predictor of the 68 landmarks (`landmarks.usable_predictor`), or None for the five points alone.

    Raises:
        KinlibError: if the points do not form a face or lie outside the photo.
    """
    # dlib's predictor compares pixels, so that a last bit can move a landmark. Rounded, the crop of a photo is the same
    # whether the detector saw it alone or in a batch.
    quad, first, share, found = _quad(np.round(np.float64(face.points) / STEP) * STEP), None, 0.0, None
    for _ in range(ROUNDS):
        chip = cut_quad(image, quad, shape.CHIP, extend=False)
        five = read_five(np.asarray(chip)) + OFFSETS  # [5, 2] in px of the chip
        if model is not None:
            found = shape.mean_landmarks(np.asarray(chip.convert("L")), model)  # [68, 2]
            from_68 = shape.five_from_68(found)
            apart = np.linalg.norm(from_68 - five, axis=1)[[0, 1, 3, 4]].mean() / SCALE
            first = apart if first is None else first
            share = SHARE * _falling(apart)
            five = share * from_68 + (1 - share) * five
        seen, quad = quad, _quad(map_from_crop(five, quad, shape.CHIP))
    landmarks = np.float32(map_from_crop(found, seen, shape.CHIP)) if share > 0 else None
    return FacePoints(quad, landmarks, share, first or 0.0)


def _quad(five: np.ndarray) -> np.ndarray:
    return crop_quad(five[0], five[1], five[3], five[4])


def _falling(apart: float) -> float:
    """1 up to `AGREE`, 0 from `DISAGREE` on, smooth between (cubic Hermite)."""
    left = np.clip((DISAGREE - apart) / (DISAGREE - AGREE), 0.0, 1.0)
    return float(left * left * (3 - 2 * left))
