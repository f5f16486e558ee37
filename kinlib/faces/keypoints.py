"""Finding faces and their five keypoints with MTCNN (Zhang et al., 2016), as packed with facenet-pytorch.

Three small networks in a row: the first scans the picture at many sizes, the second sifts, the third places the box and
five points. Their weights come with the package, so nothing is downloaded.

Convention: points are (x, y) in pixels of the picture handed in, a whole number being a pixel's centre, origin top
left. Left and right are the viewer's: (0) the eye at the image's left, (1) the eye at the right, (2) tip of the nose,
(3) mouth corner at the left, (4) at the right. Boxes are (left, top, right, bottom), edges may lie outside the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kinlib.io.photos import to_rgb
from kinlib.runtime.config import pick_device
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import torch

    from kinlib.faces.mtcnn.cascade import Cascade

__all__ = ["MIN_SCORE", "Keypoints", "detect", "detect_all"]

MIN_SCORE = 0.9  # 0 to 1; what MTCNN finds in coffee cups and noise stays below
MIN_FACE = 20  # px in the scanned picture, the least that MTCNN was trained for
MAX_AREA = 1_400_000  # px; larger pictures are scanned at reduced size, about 1,370 x 1,024
MIN_AREA = 60_000  # px; smaller ones are enlarged, about 245 x 245
BATCH_AREA = 8_000_000  # px scanned at once; bounds the memory
OFFSET = 1.0  # px; the detector's points count from a pixel's edge and from windows cut at whole pixels, half a px each

Picture = Image.Image | np.ndarray


@dataclass(frozen=True)
class Keypoints:
    """One face: where it is, how sure the detector is, and its five points.

    Attributes:
        box: float32 [4], left, top, right, bottom.
        score: 0 to 1.
        points: float32 [5, 2], in the order of the module's convention.
    """

    box: np.ndarray
    score: float
    points: np.ndarray

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        return float(self.box[2] - self.box[0])


def detect(
    images: Picture | Sequence[Picture], min_score: float = MIN_SCORE, device: "torch.device | str | None" = None
) -> list[Keypoints | None]:
    """The largest face of each picture.

    Args:
        images: one PIL image or array (uint8 [H, W, 3], or as `read_photo` takes it), or several of any sizes.
        min_score: faces that the detector is less sure of are left out, 0 to 1.
        device: where to compute; None picks the best there is.

    Returns:
        One entry per picture, also for a single one: `Keypoints`, or None where there is no face.

    Raises:
        KinlibError: if something among `images` is no picture.
    """
    return [faces[0] if faces else None for faces in detect_all(images, min_score, device)]


def detect_all(
    images: Picture | Sequence[Picture],
    min_score: float = MIN_SCORE,
    device: "torch.device | str | None" = None,
    magnify: int = 1,
) -> list[list[Keypoints]]:
    """All faces of each picture, the largest box first; arguments and errors as for `detect`.

    With `magnify` = 2 the pictures are scanned at twice the size: faces of half the size are found as well, in about
    four times the time.
    """
    pictures = [_as_picture(image) for image in _as_list(images)]
    scales = [_scan_scale(picture.size) * magnify for picture in pictures]
    faces: list[list[Keypoints]] = [[] for _ in pictures]
    for indices in _batches([_scaled_size(p.size, s) for p, s in zip(pictures, scales, strict=True)]):
        scanned = np.stack([_scaled(pictures[i], scales[i]) for i in indices])  # [B, H, W, 3]
        for i, found in zip(indices, _scan(scanned, device), strict=True):
            sure = [face for face in found if face.score >= min_score]
            enlarged = np.divide(pictures[i].size, scanned.shape[2:0:-1])
            faces[i] = sorted((_unscaled(face, enlarged) for face in sure), key=lambda face: -face.area)
    return faces


def _as_list(images: Picture | Sequence[Picture]) -> list[Picture]:
    """Several pictures, whether one was given or many; an array [B, H, W, 3] counts as many."""
    if isinstance(images, Image.Image) or (isinstance(images, np.ndarray) and images.ndim < 4):
        return [images]
    return list(images)


def _as_picture(image: Picture) -> Image.Image:
    if not isinstance(image, (Image.Image, np.ndarray)):
        raise KinlibError(f"faces are looked for in PIL images or arrays, not in {type(image).__name__}")
    return to_rgb(image)


def _scan_scale(size: tuple[int, int]) -> float:
    """How much to scale a picture before the scan: by area, so that very long pictures keep their short side."""
    area = size[0] * size[1]
    return float(np.sqrt(np.clip(area, MIN_AREA, MAX_AREA) / area))


def _scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scaled(picture: Image.Image, scale: float) -> np.ndarray:
    if scale != 1.0:
        picture = picture.resize(_scaled_size(picture.size, scale), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(picture)


def _batches(sizes: list[tuple[int, int]]) -> list[list[int]]:
    """Indices of pictures that can be scanned together: of one size, and not too many pixels at once."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    batches = []
    for size, indices in groups.items():
        if min(size) < MIN_FACE:
            continue  # the detector has no scale for it
        count = max(1, BATCH_AREA // (size[0] * size[1]))
        batches += [indices[start : start + count] for start in range(0, len(indices), count)]
    return batches


def _scan(batch: np.ndarray, device: "torch.device | str | None") -> list[list[Keypoints]]:
    """Run the detector on uint8 [B, H, W, 3]; coordinates are the detector's, in the batch's pixels."""
    from kinlib.faces.mtcnn.cascade import BOX, PICTURE, POINTS, SCORE

    faces: list[list[Keypoints]] = [[] for _ in batch]
    for row in _detector(str(pick_device(device)))(batch):
        faces[int(row[PICTURE])].append(Keypoints(row[BOX], float(row[SCORE]), row[POINTS].reshape(5, 2)))
    return faces


def _unscaled(face: Keypoints, factor: np.ndarray) -> Keypoints:
    """From the scanned picture's pixels to those of the picture handed in; `factor` is [x, y].

    Boxes are edges and scale plainly; points are pixel centres, half a pixel from the edge on either side.
    """
    points = (face.points - OFFSET + 0.5) * factor - 0.5
    box = face.box.reshape(2, 2) * factor
    return Keypoints(np.float32(box).reshape(4), face.score, np.float32(points))


@lru_cache(maxsize=4)
def _detector(device: str) -> "Cascade":
    """MTCNN on `device`."""
    import torch

    from kinlib.faces.mtcnn.cascade import Cascade

    return Cascade(torch.device(device), MIN_FACE)
