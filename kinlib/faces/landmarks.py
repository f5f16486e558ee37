"""The 68 landmarks of a face, with dlib's shape predictor (Kazemi and Sullivan, 2014, regression trees).

A shape predictor starts from the average face in a given box and corrects it step by step; it is only as good as the
box is repeatable. Here the box never comes from a detector of its own: the five points of MTCNN define the FFHQ square
(`kinlib.io.crop`), the face is cut out upright and at one size, and the predictor always gets the same rectangle of
that cut-out. So training and use see the same framing, a tilted head costs nothing, and faces that dlib's frontal
detector would miss (large yaw, small) are found. The rectangle is where dlib's frontal detector sees faces in such
cut-outs, which suits the official predictor as well.

Convention: float32 [68, 2], (x, y) in pixels of the photo, iBUG order: 0-16 jaw, 17-26 brows, 27-35 nose, 36-41 the eye
at the image's left, 42-47 the eye at its right, 48-67 mouth; 48 and 54 are the mouth's corners.
"""

import lzma
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kinlib.checkpoints.weights import check_known
from kinlib.faces.keypoints import Keypoints, detect
from kinlib.io.crop import crop_quad, cut_quad, map_from_crop
from kinlib.io.photos import to_rgb
from kinlib.runtime.config import data_dir
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import dlib

__all__ = [
    "CHIP",
    "MIRRORED",
    "PLAUSIBLE",
    "bundled_predictor",
    "chip_rectangle",
    "cut_chip",
    "disagreement",
    "face_quad",
    "five_from_68",
    "load_predictor",
    "mean_landmarks",
    "plausible",
    "predict",
    "predict_variants",
    "quad_of",
    "usable_predictor",
]

MIRRORED = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # ridge of the nose
    *range(35, 30, -1),  # nostrils
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # lips, outside
    *(64, 63, 62, 61, 60, 67, 66, 65),  # lips, inside
)
"""Number of each landmark's counterpart in the mirrored face: `mirrored_points[list(MIRRORED)]` is in iBUG order."""

CHIP = 256  # px, side of the cut-out
CENTRE, SIDE = (127, 152), 140  # px, the rectangle within it
# The prediction is the median over these: rectangles moved by a few px and scaled. It evens out the predictor's
# rounding to whole pixels and its dependence on the start.
VARIANTS = ((0, 0, 1.0), (-4, 0, 1.0), (4, 0, 1.0), (0, -4, 1.0), (0, 4, 1.0), (0, 0, 0.95), (0, 0, 1.05))
PLAUSIBLE = 0.15  # largest disagreement with the five points, in face scales; three renders in a thousand go beyond it

Face = Keypoints | np.ndarray
Predictor = "dlib.shape_predictor | str | os.PathLike | None"


def bundled_predictor() -> Path:
    """Where the predictor lies that was trained on the studio's renders."""
    return data_dir() / "weights" / "studio" / "landmarks.dat.xz"


def load_predictor(path: str | os.PathLike | None = None) -> "dlib.shape_predictor":
    """Load a 68-point shape predictor, once per file.

    Args:
        path: a dlib file such as shape_predictor_68_face_landmarks.dat, or one packed with xz; None takes the bundled
            one.

    Raises:
        KinlibError: if the file is missing, is no shape predictor, or predicts another number of points.
    """
    path = Path(path) if path is not None else bundled_predictor()
    if not path.is_file():
        raise KinlibError(f"there is no landmark predictor '{path}': check the path, or leave it out to use our own")
    return _load(str(path.resolve()), path.stat().st_mtime_ns)


def predict(image: Image.Image | np.ndarray, face: Face, predictor: Predictor = None) -> np.ndarray:
    """The 68 landmarks of one face.

    Args:
        image: the photo, or an array as `read_photo` takes it.
        face: `Keypoints`, five points [5, 2], or a box [4] (left, top, right, bottom) in which to look for them.
        predictor: a loaded predictor, the path of one, or None for the bundled one.

    Returns:
        float32 [68, 2].

    Raises:
        KinlibError: if `face` is none of these or is not in the photo, or the predictor cannot be loaded.
    """
    import dlib

    model = predictor if isinstance(predictor, dlib.shape_predictor) else load_predictor(predictor)
    image = to_rgb(image)
    quad = face_quad(_points_in_box(image, face) if np.shape(face) == (4,) else face)
    shapes = predict_variants(cut_chip(image, quad), model)
    return np.float32(map_from_crop(np.median(shapes, axis=0), quad, CHIP))


def predict_variants(chip: np.ndarray, model: "dlib.shape_predictor") -> np.ndarray:
    """What a predictor says of a cut-out (`cut_chip`) from each rectangle of `VARIANTS`: float64 [N, 68, 2]."""
    shapes = [model(chip, chip_rectangle(*variant)).parts() for variant in VARIANTS]
    return np.array([[(part.x, part.y) for part in parts] for parts in shapes], dtype=np.float64)


def mean_landmarks(chip: np.ndarray, model: "dlib.shape_predictor") -> np.ndarray:
    """The 68 landmarks of an aligned face, the mean over moved rectangles of the crop and of its mirror image.

    Args:
        chip: uint8 grey [256, 256].
        model: a loaded predictor.

    Returns:
        float64 [68, 2] in pixels of the chip.
    """
    mirrored = predict_variants(np.ascontiguousarray(chip[:, ::-1]), model).mean(axis=0)
    back = (mirrored * [-1, 1] + [CHIP - 1, 0])[list(MIRRORED)]
    return (predict_variants(chip, model).mean(axis=0) + back) / 2


def usable_predictor(predictor: Predictor = None) -> "dlib.shape_predictor | None":
    """A loaded predictor; None only where none is named and the bundled one is not installed.

    Raises:
        KinlibError: if the predictor named cannot be loaded.
    """
    import dlib

    if isinstance(predictor, dlib.shape_predictor):
        return predictor
    if predictor is None and not bundled_predictor().is_file():
        return None
    return load_predictor(predictor)


def face_quad(face: Face) -> np.ndarray:
    """The FFHQ square, float64 [4, 2], that frames a face given as `Keypoints` or as five points [5, 2].

    Raises:
        KinlibError: if `face` is neither, or its points do not form a face.
    """
    points = np.asarray(face.points if isinstance(face, Keypoints) else face, dtype=np.float64)
    if points.shape != (5, 2):
        raise KinlibError(f"a face is given by Keypoints or five points [5, 2], not by the shape {list(points.shape)}")
    return crop_quad(points[0], points[1], points[3], points[4])


def quad_of(landmarks: np.ndarray) -> np.ndarray:
    """The FFHQ square, float64 [4, 2], of a face whose 68 landmarks are known.

    Raises:
        KinlibError: if `landmarks` is not [68, 2], or they do not form a face.
    """
    return face_quad(five_from_68(landmarks))


def cut_chip(image: Image.Image, quad: np.ndarray) -> np.ndarray:
    """The upright cut-out that the predictor works on: uint8 grey [256, 256]; outside the photo it is black."""
    return np.asarray(cut_quad(image, quad, CHIP, extend=False).convert("L"))


def chip_rectangle(right: int = 0, down: int = 0, scale: float = 1.0) -> "dlib.rectangle":
    """The rectangle of the cut-out that holds the face, moved by whole pixels and scaled about its centre."""
    import dlib

    left, top = CENTRE[0] + right - round(SIDE * scale / 2), CENTRE[1] + down - round(SIDE * scale / 2)
    return dlib.rectangle(left, top, left + round(SIDE * scale) - 1, top + round(SIDE * scale) - 1)


def five_from_68(landmarks: np.ndarray) -> np.ndarray:
    """Eye centres, tip of the nose and mouth corners in the order of `kinlib.faces.keypoints`; float64 [5, 2].

    Raises:
        KinlibError: if `landmarks` is not [68, 2].
    """
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape != (68, 2):
        raise KinlibError(f"landmarks must have the shape [68, 2], not {list(landmarks.shape)}")
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    return np.stack([*eyes, landmarks[30], landmarks[48], landmarks[54]])


def disagreement(landmarks: np.ndarray, face: Face) -> float:
    """How far the 68 points' eyes and mouth corners lie from MTCNN's, the mean of four distances in face scales.

    The face scale is the eye distance of a frontal face; it is read from eyes and mouth, so that it does not shrink
    when the head turns.
    """
    quad = face_quad(face)
    points = face.points if isinstance(face, Keypoints) else np.asarray(face)
    distances = np.linalg.norm(five_from_68(landmarks) - points, axis=1)[[0, 1, 3, 4]]
    return float(distances.mean() / (np.hypot(*(quad[3] - quad[0])) / 4))


def plausible(landmarks: np.ndarray, face: Face, limit: float = PLAUSIBLE) -> bool:
    """Whether the 68 points agree with MTCNN's five well enough to be trusted with the crop."""
    return bool(np.isfinite(landmarks).all()) and disagreement(landmarks, face) <= limit


def _points_in_box(image: Image.Image, box: np.ndarray) -> np.ndarray:
    """The five points [5, 2] of the face in a box (left, top, right, bottom); alone it frames large yaw badly."""
    box = np.asarray(box, dtype=np.float64)
    if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        raise KinlibError("a face's box must be (left, top, right, bottom), in finite numbers and this order")
    margin = (box[2:] - box[:2]) * 0.5
    low = np.floor(np.maximum(box[:2] - margin, 0)).astype(int)
    high = np.ceil(np.minimum(box[2:] + margin, image.size)).astype(int)
    found = detect(image.crop((*low.tolist(), *high.tolist())))[0] if (high > low).all() else None
    if found is None:
        raise KinlibError(f"no face found in the box {np.rint(box).astype(int).tolist()}")
    return found.points + low


@lru_cache(maxsize=4)
def _load(path: str, modified: int) -> "dlib.shape_predictor":
    """Load and try out; `modified` makes a replaced file a new entry."""
    import dlib

    check_known(path)  # the predictor of another project may bear the official name
    with open(path, "rb") as file:
        if file.read(3) == b"BZh":
            raise KinlibError(f"'{path}' is still compressed: unpack it with bunzip2 first")
    try:
        with _unpacked(path) as plain:
            model = dlib.shape_predictor(plain)
        count = model(np.zeros((CHIP, CHIP), dtype=np.uint8), chip_rectangle()).num_parts
    except (RuntimeError, MemoryError, EOFError, lzma.LZMAError) as error:
        raise KinlibError(f"'{path}' is not a dlib shape predictor, or is damaged: fetch it again") from error
    if count != 68:
        raise KinlibError(f"'{path}' predicts {count} points: a predictor of 68 points is needed")
    return model


@contextmanager
def _unpacked(path: str) -> Iterator[str]:
    """A file that dlib can read."""
    if not path.endswith(".xz"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / Path(path).stem
        plain.write_bytes(lzma.decompress(Path(path).read_bytes()))
        yield str(plain)
