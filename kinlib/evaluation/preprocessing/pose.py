"""Head pose estimates evaluated against ground truth: errors in degrees, and a threshold on yaw as a classifier.

Poses are arrays [N, 3] of yaw, pitch and roll in degrees, with the signs of `kinlib.faces.pose`. A row is NaN where a
method gives no pose. Ground truth has the same shape.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.faces import landmarks, pose, pose_heuristics
from kinlib.faces.align import turn_degrees
from kinlib.faces.keypoints import Keypoints
from kinlib.faces.pose_solvers import SOLVERS
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import FamilyAlbum

__all__ = ["ANGLES", "BINS", "LIMIT", "by_yaw", "compare_focal_lengths", "compare_solvers", "errors", "estimate_poses"]
__all__ += ["estimates", "five_points", "predict_landmarks", "quantile_images", "true_points", "true_poses"]
__all__ += ["yaw_labels", "yaw_threshold"]

ANGLES = ("yaw", "pitch", "roll")
LIMIT = 30.0  # degrees of yaw; the threshold of the student report, section 5.4
BINS = (0.0, 10.0, 20.0, 30.0, 90.0)  # edges of the bins of |yaw|, degrees
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)


def true_poses(album: FamilyAlbum, images: Sequence[str]) -> np.ndarray:
    """True yaw, pitch and roll [N, 3] of photographs, by their paths as in `album.truth`; NaN without a face."""
    return album.truth.set_index("file").loc[list(images), list(ANGLES)].to_numpy(dtype=np.float64)


def true_points(album: FamilyAlbum, images: Sequence[str]) -> np.ndarray:
    """The 68 true landmarks [N, 68, 2] of photographs, pixels; NaN where a photograph shows no face."""
    known = album.truth.set_index("file").loc[list(images), "landmarks"]
    points = [np.full((68, 2), np.nan) if points is None else np.reshape(points, (68, 2)) for points in known]
    return np.array(points, dtype=np.float64).reshape(-1, 68, 2)


def five_points(faces: Iterable[Keypoints | None]) -> np.ndarray:
    """The points [N, 5, 2] of detected faces, pixels; NaN where there is no face."""
    missing = np.full((5, 2), np.nan)
    points = [missing if face is None else face.points for face in faces]
    return np.array(points, dtype=np.float64).reshape(-1, 5, 2)


def predict_landmarks(
    pictures: Iterable[Image.Image], faces: Iterable[Keypoints | None], predictor: str | os.PathLike | None = None
) -> np.ndarray:
    """Predicted landmarks [N, 68, 2] of detected faces, pixels; NaN where there is no face.

    Args:
        pictures: RGB; a generator keeps one in memory at a time.
        faces: the detected face of each.
        predictor: as for `kinlib.faces.landmarks.predict`.

    Raises:
        KinlibError: if numbers differ, or the predictor cannot be loaded.
    """
    points = [
        np.full((68, 2), np.nan) if face is None else landmarks.predict(picture, face, predictor)
        for picture, face in zip(pictures, faces, strict=True)
    ]
    return np.array(points, dtype=np.float64).reshape(-1, 68, 2)


def estimate_poses(points: np.ndarray, sizes: Sequence[tuple[int, int]] | tuple[int, int]) -> np.ndarray:
    """Poses [N, 3] by PnP with the defaults of `kinlib.faces.pose.estimate`.

    Args:
        points: [N, 5, 2] or [N, 68, 2], pixels; NaN for missing faces.
        sizes: width and height of all pictures, or of each, pixels.

    Returns:
        Degrees; NaN for missing faces and for points that do not form a face.
    """
    sizes = np.broadcast_to(np.asarray(sizes, dtype=np.int64), (len(points), 2))
    return _each(points, lambda index: pose.estimate(points[index], tuple(sizes[index].tolist())))


def estimates(
    five: np.ndarray,
    image_size: tuple[int, int],
    predicted: np.ndarray | None = None,
    true: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Poses of the same faces by every method of the course, and by a constant baseline.

    Args:
        five: points [N, 5, 2] from a detector, NaN where it found no face.
        image_size: width and height of all pictures, pixels.
        predicted: landmarks [N, 68, 2] from a predictor, NaN where there are none.
        true: true landmarks [N, 68, 2].

    Returns:
        Degrees [N, 3] by method. `turn_degrees` gives no pitch and no roll.
    """
    found = {
        "frontal baseline": np.where(_usable(five)[:, None], np.zeros(3), np.nan),
        "2D heuristics": pose_heuristics.estimate(five),
        "turn_degrees": _each(five, lambda index: (turn_degrees(five[index]), np.nan, np.nan)),
        "PnP, 5 points": estimate_poses(five, image_size),
    }
    for name, points in (("PnP, 68 predicted points", predicted), ("PnP, 68 true points", true)):
        if points is not None:
            found[name] = estimate_poses(points, image_size)
    return found


def compare_solvers(points: np.ndarray, truth: np.ndarray, image_size: tuple[int, int]) -> pd.DataFrame:
    """Median errors of all PnP solvers, before and after iterative refinement.

    Args:
        points: [N, 5, 2], all finite.
        truth: true poses [N, 3], all finite.
        image_size: width and height of all pictures, pixels.

    Returns:
        One row for each solver and refinement; columns as for `compare_focal_lengths`.
    """
    choices = {(name, refine): {"solver": name, "refine": refine} for name in SOLVERS for refine in (False, True)}
    table = _median_errors(points, truth, image_size, choices)
    table.index = pd.MultiIndex.from_tuples(table.index, names=["solver", "refined"])
    return table


def compare_focal_lengths(
    points: np.ndarray, truth: np.ndarray, image_size: tuple[int, int], focals: Sequence[float]
) -> pd.DataFrame:
    """Median errors under assumed focal lengths in pixels; the row `default` has the one estimated from face size.

    Args:
        points, truth, image_size: as for `compare_solvers`.
        focals: focal lengths, pixels.

    Returns:
        `yaw`, `pitch`, `roll` (median absolute error, degrees) and `slope of yaw` (of the regression of estimated on
        true yaw; 1 is right).
    """
    choices = {focal: {"focal": float(focal)} for focal in focals} | {"default": {}}
    return _median_errors(points, truth, image_size, choices).rename_axis("focal length, px")


def _median_errors(points: np.ndarray, truth: np.ndarray, size: tuple[int, int], choices: Mapping) -> pd.DataFrame:
    rows = {}
    for name, options in choices.items():
        angles = pose.estimate_many(points, size, **options)
        slope = np.polyfit(truth[:, 0], angles[:, 0], 1)[0]
        rows[name] = [*np.median(np.abs(_off(angles, truth)), axis=0), slope]
    return pd.DataFrame(rows.values(), index=list(rows), columns=[*ANGLES, "slope of yaw"])


def quantile_images(values: pd.Series, quantiles: Sequence[float] = QUANTILES) -> list[str]:
    """Images at quantiles of some values by image, such as the lowest, the median and the highest yaw."""
    ordered = values.sort_values().index
    return [ordered[round(share * (len(ordered) - 1))] for share in quantiles]


def yaw_labels(method: str, estimated: pd.Series, true: Mapping[str, float]) -> list[str]:
    """Captions such as "PnP 34, true 31": estimated yaw by image, and the true yaw where it is known."""
    known = {image: f", true {yaw:.0f}" for image, yaw in true.items() if np.isfinite(yaw)}
    return [f"{method} {yaw:.0f}{known.get(image, '')}" for image, yaw in estimated.items()]


def errors(estimated: Mapping[str, np.ndarray], truth: np.ndarray) -> pd.DataFrame:
    """Median, mean and 95% quantile of the absolute error, and the mean signed error (bias), in degrees.

    Only faces for which every method gives a pose are counted, so that all methods are evaluated on the same faces.

    Returns:
        One row for each method and angle (index `method`, `angle`): `median`, `mean`, `q95`, `bias`, and `faces`, their
        number. Angles that a method does not give are left out.

    Raises:
        KinlibError: if shapes differ, or no face is left.
    """
    shared = _shared(estimated, truth)
    rows = {}
    for method, angles in estimated.items():
        off = _off(angles[shared], truth[shared])
        for index, angle in enumerate(ANGLES):
            if np.isfinite(off[:, index]).all():
                rows[method, angle] = _summary(off[:, index])
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["method", "angle"])
    return table


def by_yaw(
    estimated: Mapping[str, np.ndarray], truth: np.ndarray, edges: Sequence[float] = BINS, angle: str = "yaw"
) -> pd.DataFrame:
    """Median absolute error of one angle, binned by the true |yaw|.

    Args:
        estimated, truth: as for `errors`.
        edges: of the bins, degrees, ascending; each bin excludes its upper edge.
        angle: the angle whose error is measured.

    Returns:
        One row a method, one column a bin, such as "10-20"; the last row, "faces", has their numbers. Empty bins are
        left out, and so are methods that do not give the angle.

    Raises:
        KinlibError: as `errors`, or if there is no such angle.
    """
    if angle not in ANGLES:
        raise KinlibError(f"there is no angle '{angle}': choose one of {', '.join(ANGLES)}")
    shared, index = _shared(estimated, truth), ANGLES.index(angle)
    turned = np.abs(truth[:, 0])
    columns = {}
    for low, high in zip(edges, edges[1:], strict=False):
        faces = shared & (turned >= low) & (turned < high)
        if faces.any():
            off = {method: np.abs(_off(angles, truth))[faces, index] for method, angles in estimated.items()}
            medians = {method: float(np.median(one)) for method, one in off.items() if np.isfinite(one).all()}
            columns[f"{low:g}-{high:g}"] = {**medians, "faces": int(faces.sum())}
    return pd.DataFrame(columns)


def yaw_threshold(estimated: Mapping[str, np.ndarray], truth: np.ndarray, limit: float = LIMIT) -> pd.DataFrame:
    """Each method as a classifier of faces whose |yaw| exceeds `limit` degrees.

    Returns:
        One row a method: `accuracy`, `positives` (number of faces that it puts above the limit), `recall` and
        `precision`. The last two are NaN where their denominator is 0.

    Raises:
        KinlibError: as `errors`.
    """
    shared = _shared(estimated, truth)
    above = np.abs(truth[shared, 0]) > limit
    rows = {}
    for method, angles in estimated.items():
        called = np.abs(angles[shared, 0]) > limit
        both = int((called & above).sum())
        rows[method] = {
            "accuracy": float((called == above).mean()),
            "positives": int(called.sum()),
            "recall": _share(both, above.sum()),
            "precision": _share(both, called.sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def _usable(points: np.ndarray) -> np.ndarray:
    """Whether all points of a face are finite; bool [N]."""
    return np.isfinite(points).all(axis=(1, 2))


def _each(points: np.ndarray, estimate: Callable[[int], Sequence[float]]) -> np.ndarray:
    """The estimate for each face by its number, [N, 3]; NaN for missing points and for points that form no face."""
    angles = np.full((len(points), 3), np.nan)
    for index in np.flatnonzero(_usable(points)):
        try:
            angles[index] = estimate(index)
        except KinlibError:
            continue
    return angles


def _shared(estimated: Mapping[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    """Faces whose true pose is known and whose yaw every method gives; bool [N]."""
    for method, angles in estimated.items():
        if angles.shape != truth.shape or truth.shape[1:] != (3,):
            shapes = f"{list(angles.shape)} where the ground truth has {list(truth.shape)}"
            raise KinlibError(f"'{method}' has poses {shapes}")
    shared = np.isfinite(truth).all(axis=1)
    for angles in estimated.values():
        shared = shared & np.isfinite(angles[:, 0])
    if not shared.any():
        raise KinlibError("there is no face with a known pose for which every method gives one: give more faces")
    return shared


def _off(angles: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Estimated minus true angles, degrees from -180 up to 180: a roll of 179 is 2 away from one of -179."""
    return (angles - truth + 180) % 360 - 180


def _summary(off: np.ndarray) -> dict[str, float]:
    size = np.abs(off)
    return {
        "median": float(np.median(size)),
        "mean": float(size.mean()),
        "q95": float(np.quantile(size, 0.95)),
        "bias": float(off.mean()),
        "faces": len(off),
    }


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
