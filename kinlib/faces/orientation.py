"""Photos whose pixels are rotated by 90, 180 or 270 degrees, without an EXIF tag that says so: tried four ways.

The detector was trained on upright faces. In a rotated photo it finds none, or a false one. A face is convincing if the
detector is sure of it, MTCNN's five points and the 68 landmarks agree on it, and it stands upright; then nothing else
is tried. Otherwise the photo is also searched rotated, and the orientation with the best evidence is taken. Neither
score nor agreement suffices alone: faces found upside down score up to 0.99, and some agree as well as true ones.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kinlib.faces.consensus import FacePoints, locate
from kinlib.faces.keypoints import Keypoints, detect_all
from kinlib.faces.landmarks import usable_predictor
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import dlib
    import torch

    from kinlib.faces import landmarks as shape

__all__ = ["UprightPhoto", "examine", "find_upright"]

# Measured on 14 photographs and 12 renders in four orientations: of the upright faces, all have a disagreement of 0.09
# or less and a score of 0.99 or more. Of 20 false faces, none fulfils both.
SURE = 0.99
AGREE = 0.1  # eye distances
TILTED = 45.0  # degrees; a face that is tilted further stands more upright in another orientation
MARGIN = 0.03  # by which a rotated photo must beat the one that was handed in
CLOSER = 2  # times the size of the scan in which faces that were too small for it are looked for
ROTATIONS = {
    90: Image.Transpose.ROTATE_270,  # Pillow counts counterclockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class UprightPhoto:
    """A photo in the orientation in which its largest face stands upright.

    Attributes:
        image: the photo, RGB.
        faces: all faces in its pixels, the largest first; empty where there are none.
        points: where the first one is; None where there is none, or the points found form no face.
        rotated: degrees, clockwise, by which the photo was rotated: 0, 90, 180 or 270.
    """

    image: Image.Image
    faces: Sequence[Keypoints] = ()
    points: FacePoints | None = None
    rotated: int = 0

    @property
    def evidence(self) -> float:
        """For a face that stands upright: score minus disagreement, at most 1; below -1 where there is none."""
        if self.points is None:
            return -3.0
        return self.faces[0].score - self.points.disagreement - (abs(_roll(self.faces[0])) > TILTED)

    @property
    def convincing(self) -> bool:
        """Whether the face needs no second look."""
        return (
            self.points is not None
            and self.faces[0].score >= SURE
            and self.points.disagreement <= AGREE
            and abs(_roll(self.faces[0])) <= TILTED
        )


def find_upright(
    image: Image.Image,
    predictor: "shape.Predictor" = None,
    device: "torch.device | str | None" = None,
    faces: Sequence[Keypoints] | None = None,
) -> UprightPhoto:
    """Find the faces of a photo, and the orientation in which the largest one stands upright.

    A photo without a face in any orientation is scanned once more at twice the size, as it was handed in: in photos of
    many pixels, which are scanned at reduced size, small faces are found so, and of others it is known how small.

    Args:
        image: the photo, RGB.
        predictor: of the 68 landmarks; a loaded one, a path, or None for the bundled one.
        device: where the detector computes; None picks the best there is.
        faces: what `detect_all` found in `image`, where that is known already.

    Raises:
        KinlibError: if the predictor named cannot be loaded.
    """
    model = usable_predictor(predictor)
    if faces is None:
        faces = detect_all(image, device=device)[0]
    given = examine(image, faces, model, 0)
    if given.convincing:
        return given
    best = given
    for degrees, rotation in ROTATIONS.items():
        rotated = image.transpose(rotation)
        other = examine(rotated, detect_all(rotated, device=device)[0], model, degrees)
        if other.evidence > max(best.evidence, given.evidence + MARGIN):
            best = other
    return best if best.faces else _closer(image, model, device) or best


def examine(
    image: Image.Image, faces: Sequence[Keypoints], model: "dlib.shape_predictor | None", rotated: int = 0
) -> UprightPhoto:
    """Place the points of the first of the faces found in a photo, which is not searched again.

    `rotated` is by how much it was rotated already; otherwise see `find_upright` and `kinlib.faces.consensus.locate`.
    """
    points = None
    with suppress(KinlibError):  # points that form no face are no evidence for it
        points = locate(image, faces[0], model) if faces else None
    return UprightPhoto(image, faces, points, rotated)


def _closer(
    image: Image.Image, model: "dlib.shape_predictor | None", device: "torch.device | str | None"
) -> UprightPhoto | None:
    """The photo with faces that only a closer look finds; None if the detector is not sure of the largest.

    Of 5 faces of 10 px in other pictures all are found so with a score of 0.99 or more; in 12 pictures without a face,
    none (measured). Points of so small a face scatter, so their disagreement does not count.
    """
    found = examine(image, detect_all(image, device=device, magnify=CLOSER)[0], model)
    return found if found.points is not None and found.faces[0].score >= SURE else None


def _roll(face: Keypoints) -> float:
    """Degrees, clockwise in the image, by which the line from the eyes to the mouth departs from straight down."""
    right, down = face.points[3:].mean(axis=0) - face.points[:2].mean(axis=0)
    return float(np.degrees(np.arctan2(-right, down)))
