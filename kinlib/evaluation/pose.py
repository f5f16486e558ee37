"""How far estimated poses are from true ones, and how often a decision made with them is right.

Every way to estimate a pose gives an array [N, 3] of yaw, pitch and roll in degrees, with a row that is not a number
for a face that it could not do; the truth has the same shape. Signs are those of `kinlib.faces.pose`.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from kinlib.faces import pose, pose_heuristics
from kinlib.faces.align import turn_degrees
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import FamilyAlbum

__all__ = ["ANGLES", "BINS", "FAR", "by_yaw", "decisions", "errors", "estimates", "true_points", "true_poses"]

ANGLES = ("yaw", "pitch", "roll")
FAR = 30.0  # degrees of yaw beyond which the report took a face to be turned
BINS = (0.0, 10.0, 20.0, 30.0, 90.0)  # edges for |yaw|, degrees


def true_poses(album: FamilyAlbum, images: Sequence[str]) -> np.ndarray:
    """Yaw, pitch and roll [N, 3] of photographs, by their paths as in `album.truth`; NaN where nobody is shown."""
    return album.truth.set_index("file").loc[list(images), list(ANGLES)].to_numpy(dtype=np.float64)


def true_points(album: FamilyAlbum, images: Sequence[str]) -> np.ndarray:
    """The 68 true landmarks [N, 68, 2] of photographs, pixels; NaN where nobody is shown."""
    known = album.truth.set_index("file").loc[list(images), "landmarks"]
    points = [np.full((68, 2), np.nan) if points is None else np.reshape(points, (68, 2)) for points in known]
    return np.array(points, dtype=np.float64).reshape(-1, 68, 2)


def estimates(
    five: np.ndarray,
    image_size: tuple[int, int],
    predicted: np.ndarray | None = None,
    true: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The same faces' poses in every way that the course knows, and as a constant guess.

    Args:
        five: points [N, 5, 2] from a detector, NaN where it found no face.
        image_size: width and height of all pictures, pixels.
        predicted: 68 landmarks [N, 68, 2] from a predictor, NaN where it was not asked.
        true: 68 true landmarks [N, 68, 2].

    Returns:
        Degrees [N, 3] by name. `turn_degrees` gives no pitch and no roll.
    """
    found = {
        "always straight": np.where(_usable(five)[:, None], np.zeros(3), np.nan),
        "rules of thumb": pose_heuristics.estimate(five),
        "turn_degrees": _each(five, lambda points: (turn_degrees(points), np.nan, np.nan)),
        "five points": _each(five, lambda points: pose.estimate(points, image_size)),
    }
    for name, points in (("68 predicted points", predicted), ("68 true points", true)):
        if points is not None:
            found[name] = _each(points, lambda points: pose.estimate(points, image_size))
    return found


def errors(estimated: Mapping[str, np.ndarray], truth: np.ndarray) -> pd.DataFrame:
    """Median, mean and 95% quantile of the absolute error, and the mean error, in degrees.

    Only faces that every way could do are counted, so that all are asked the same.

    Returns:
        One row a way and angle (index `method`, `angle`): `median`, `mean`, `q95`, `bias`, and `faces`, how many.
        Angles that a way does not give are left out.

    Raises:
        KinlibError: if shapes differ, or no face is left.
    """
    shared = _shared(estimated, truth)
    rows = {}
    for method, angles in estimated.items():
        off = angles[shared] - truth[shared]
        for index, angle in enumerate(ANGLES):
            if np.isfinite(off[:, index]).all():
                rows[method, angle] = _summary(off[:, index])
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["method", "angle"])
    return table


def by_yaw(
    estimated: Mapping[str, np.ndarray], truth: np.ndarray, edges: Sequence[float] = BINS, angle: str = "yaw"
) -> pd.DataFrame:
    """Median absolute error of one angle for faces turned more and more.

    Args:
        estimated, truth: as for `errors`.
        edges: of the bins of the true |yaw|, degrees, rising; a bin without its upper edge.
        angle: whose error.

    Returns:
        One row a way, one column a bin, such as "10-20"; last a row "faces" with their numbers. Bins without a face are
        left out, and so are ways that do not give the angle.

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
            off = {method: np.abs(angles - truth)[faces, index] for method, angles in estimated.items()}
            medians = {method: float(np.median(one)) for method, one in off.items() if np.isfinite(one).all()}
            columns[f"{low:g}-{high:g}"] = {**medians, "faces": int(faces.sum())}
    return pd.DataFrame(columns)


def decisions(estimated: Mapping[str, np.ndarray], truth: np.ndarray, limit: float = FAR) -> pd.DataFrame:
    """Is a face turned by more than `limit` degrees? How often each way answers rightly.

    Returns:
        One row a way: `right` (share of right answers), `turned` (faces that it calls turned), `recall` (share of the
        turned faces that it calls so) and `precision` (share of those it calls turned that are). The two last are
        missing where there is nothing to divide by.

    Raises:
        KinlibError: as `errors`.
    """
    shared = _shared(estimated, truth)
    turned = np.abs(truth[shared, 0]) > limit
    rows = {}
    for method, angles in estimated.items():
        called = np.abs(angles[shared, 0]) > limit
        both = int((called & turned).sum())
        rows[method] = {
            "right": float((called == turned).mean()),
            "turned": int(called.sum()),
            "recall": _share(both, turned.sum()),
            "precision": _share(both, called.sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def _usable(points: np.ndarray) -> np.ndarray:
    """Which faces have all their points; bool [N]."""
    return np.isfinite(points).all(axis=(1, 2))


def _each(points: np.ndarray, estimate: Callable[[np.ndarray], Sequence[float]]) -> np.ndarray:
    """One estimate after the other, [N, 3]; NaN for faces without points and for points that form no face."""
    angles = np.full((len(points), 3), np.nan)
    for index in np.flatnonzero(_usable(points)):
        try:
            angles[index] = estimate(points[index])
        except KinlibError:
            continue
    return angles


def _shared(estimated: Mapping[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    """The faces whose truth is known and whose yaw every way gives; bool [N]."""
    for method, angles in estimated.items():
        if angles.shape != truth.shape or truth.shape[1:] != (3,):
            raise KinlibError(f"'{method}' has poses {list(angles.shape)} where the truth has {list(truth.shape)}")
    shared = np.isfinite(truth).all(axis=1)
    for angles in estimated.values():
        shared = shared & np.isfinite(angles[:, 0])
    if not shared.any():
        raise KinlibError("there is no face whose pose is known and which every way could do: give more faces")
    return shared


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
