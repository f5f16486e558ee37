"""How often the face detector finds a face, and how many good faces a score threshold discards.

A detection score is MTCNN's confidence from 0 to 1, and 0 where it finds no face. Scores are computed at a picture's
native size, or after enlarging small pictures as `kinlib.faces.keypoints.detect` does.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from kinlib import figures
from kinlib.faces import keypoints
from kinlib.families.tables import FamilyTables, Problem
from kinlib.runtime.errors import KinlibError

__all__ = ["WAYS", "detect_set", "discards", "photo_sheet", "recall_by_width", "score_enlarged", "score_native"]

CHUNK = 256  # photographs in memory at once: 14 MB at 120 x 150 px


def detect_set(
    tables: FamilyTables, flaws: Sequence[Problem] = (), number: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """The largest face in each photograph of a data set. Photographs are read in chunks and not kept.

    Args:
        tables: the data set.
        flaws: problems as from `kinlib.families.pictures.check`; corrupt files are skipped.
        number: sample size; None takes all photographs, in their order.
        seed: of the sample.

    Returns:
        One row a photograph, indexed by its path: `face` (`Keypoints`, or None), `score` (0 to 1; 0 without a face) and
        `size` (width and height in pixels).

    Raises:
        KinlibError: if a photograph that is not among the corrupt ones cannot be read.
    """
    images = tables.images["image"].tolist()
    if number is not None:
        images = np.random.default_rng(seed).permutation(images)[:number].tolist()
    corrupt = {problem.where for problem in flaws if problem.kind == "corrupt"}
    images, rows = [image for image in images if image not in corrupt], []
    for start in range(0, len(images), CHUNK):
        pictures = [tables.load_image(image) for image in images[start : start + CHUNK]]
        for face, picture in zip(keypoints.detect(pictures, min_score=0.0), pictures, strict=True):
            rows.append((face, face.score if face else 0.0, picture.size))
    return pd.DataFrame(rows, index=images, columns=["face", "score", "size"])


def photo_sheet(
    tables: FamilyTables,
    images: Sequence[str],
    labels: Sequence[str],
    faces: pd.Series | None = None,
    boxes: bool = False,
) -> figures.Plot:
    """Labelled photographs, enlarged, with the keypoints found in them.

    Args:
        tables: whose images these are.
        images: paths as in `tables.images`.
        labels: words below each of them.
        faces: `Keypoints` by image, or None without a face; without it nothing is marked.
        boxes: whether to draw the face's box as well.

    Raises:
        KinlibError: if there are none, there are not as many labels, or a picture cannot be read.
    """
    pictures = []
    for image in images:
        face = faces[image] if faces is not None else None
        points, box = (face.points, face.box if boxes else None) if face is not None else (None, None)
        pictures.append(figures.mark_face(tables.load_image(image), points, box))
    return figures.panels(pictures, labels)


def score_native(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Best detection score [N] of each picture at its native size.

    Args:
        pictures: RGB, all of one size.

    Raises:
        KinlibError: if sizes differ.
    """
    from facenet_pytorch import MTCNN

    if len({picture.size for picture in pictures}) > 1:
        raise KinlibError("pictures are scanned together at their native size: give pictures of one size")
    if not pictures or min(pictures[0].size) < keypoints.MIN_FACE:
        return np.zeros(len(pictures))  # the detector has no scale for smaller pictures
    detector = MTCNN(keep_all=True, min_face_size=keypoints.MIN_FACE)
    boxes, scores, _ = detector.detect(np.stack([np.asarray(picture) for picture in pictures]), landmarks=True)
    pairs = zip(boxes, scores, strict=True)
    return np.array([0.0 if box is None else float(np.max(np.float32(score))) for box, score in pairs])


def score_enlarged(pictures: Sequence[Image.Image]) -> np.ndarray:
    """Detection score [N] of the largest face of each picture by `keypoints.detect`, which enlarges small pictures."""
    return np.array([face.score if face else 0.0 for face in keypoints.detect(pictures, min_score=0.0)])


WAYS = {"native size": score_native, "enlarged first": score_enlarged}


def recall_by_width(pictures: Sequence[Image.Image], widths: Sequence[int], threshold: float) -> pd.DataFrame:
    """Share of faces found after bicubic downsampling.

    Args:
        pictures: RGB, each with a face, aspect ratio 4:5.
        widths: pixels; the height is 5/4 of it.
        threshold: least score, 0 to 1.

    Returns:
        One row a width (index `width, px`), one column for each of `WAYS`.
    """
    small = {w: [one.resize((w, w * 5 // 4), Image.Resampling.BICUBIC) for one in pictures] for w in widths}
    shares = {name: [float((score(small[w]) >= threshold).mean()) for w in widths] for name, score in WAYS.items()}
    return pd.DataFrame(shares, index=pd.Index(widths, name="width, px"))


def discards(scores: Mapping[str, np.ndarray], good: np.ndarray, threshold: float) -> pd.DataFrame:
    """What a score threshold discards under several treatments of the same pictures.

    Args:
        scores: detection scores [N] by treatment; the first one is the reference.
        good: bool [N], whether a picture truly shows a usable face.
        threshold: least score, 0 to 1.

    Returns:
        One row a treatment, numbers of pictures: `no face`; `discarded` (below the threshold, faceless ones included);
        `good discarded`; `recovered` (good, discarded by the reference, kept here) and `newly lost` (good, kept by the
        reference, discarded here).
    """
    lost = good & (next(iter(scores.values())) < threshold)
    rows = {
        name: {
            "no face": int((values == 0).sum()),
            "discarded": int((values < threshold).sum()),
            "good discarded": int((good & (values < threshold)).sum()),
            "recovered": int((lost & (values >= threshold)).sum()),
            "newly lost": int((good & ~lost & (values < threshold)).sum()),
        }
        for name, values in scores.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
