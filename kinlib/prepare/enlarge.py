"""Small faces enlarged before the crop is cut, and points brought back afterwards.

Only what surrounds the face is enlarged: in a large photograph of many people that is a small part, and a network needs
seconds for a million pixels. Enough is kept around it for the crop to be the same as from the whole photograph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from kinlib.faces.align import AlignedFace
from kinlib.faces.keypoints import Keypoints
from kinlib.faces.landmarks import face_quad
from kinlib.faces.orientation import UprightPhoto, examine
from kinlib.prepare.settings import ALIGNED_SIZE, FACTOR, UPSCALING, PrepareSettings

if TYPE_CHECKING:
    import dlib

__all__ = ["View", "enlarged"]

ROOM = 0.5  # on every side of the face's square, as a share of its side


@dataclass(frozen=True)
class View:
    """A photo, or the part of it around the largest face, perhaps enlarged.

    Attributes:
        photo: what is seen, with faces in its pixels.
        factor: how many times it was enlarged.
        origin: left and top edge of what is seen in the whole picture.
    """

    photo: UprightPhoto
    factor: int = 1
    origin: tuple[int, int] = (0, 0)

    def put_back(self, found: AlignedFace) -> AlignedFace:
        """A face that was aligned in this view, with its points in pixels of the whole picture."""
        if self.factor == 1:
            return found
        landmarks = None if found.landmarks is None else np.float32(self._back(found.landmarks))
        box = np.float32(found.keypoints.box.reshape(2, 2) / self.factor + self.origin).reshape(4)
        keypoints = replace(found.keypoints, box=box, points=np.float32(self._back(found.keypoints.points)))
        return replace(found, keypoints=keypoints, landmarks=landmarks, quad=self._back(found.quad))

    def _back(self, points: np.ndarray) -> np.ndarray:
        """Points are pixel centres, half a pixel from the edge on either side."""
        return (np.asarray(points, np.float64) + 0.5) / self.factor - 0.5 + self.origin


def enlarged(
    photo: UprightPhoto, settings: PrepareSettings, device: torch.device, predictor: "dlib.shape_predictor | None"
) -> View:
    """The surroundings of the first face, enlarged as `settings.upscale` says if it is smaller than the aligned face.

    Raises:
        KinlibError: if the first face's points form no face, or the upscaler cannot be used.
    """
    method = UPSCALING[settings.upscale]
    if method is None:
        return View(photo)
    from kinlib.faces.upscale import upscale

    quad = face_quad(photo.faces[0])
    if np.hypot(*(quad[3] - quad[0])) >= ALIGNED_SIZE:
        return View(photo)
    window = _window(quad, photo.image.size)
    large = upscale(photo.image.crop(window), FACTOR, method, settings.preset, device=device)
    faces = [_moved(face, window[:2]) for face in photo.faces]
    return View(examine(large, faces, predictor, photo.rotated), FACTOR, window[:2])


def _window(quad: np.ndarray, size: Sequence[int]) -> tuple[int, int, int, int]:
    """The part of a picture that the crop of a square and its rim can come from: left, top, right, bottom edge."""
    room = ROOM * np.hypot(*(quad[3] - quad[0]))
    low = np.maximum(np.floor(quad.min(axis=0) - room), 0).astype(int)
    high = np.minimum(np.ceil(quad.max(axis=0) + room), size).astype(int)
    return (*low.tolist(), *high.tolist())


def _moved(face: Keypoints, origin: Sequence[int]) -> Keypoints:
    """A face in pixels of the enlarged window."""
    box = np.float32((face.box.reshape(2, 2) - origin) * FACTOR).reshape(4)
    return replace(face, box=box, points=np.float32((face.points - origin + 0.5) * FACTOR - 0.5))
