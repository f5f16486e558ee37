"""Outlines and curves of the features of the generic face, in cm: set by hand, or from landmarks.

Outlines are given for the person's left half (x > 0) and apply to |x|. `FRONT` outlines are corners (x, y) seen from
the front, `SIDE` outlines (z, y) seen from the left.
"""

import numpy as np

from kinlib.studio.atlas.curves import inside, smooth_closed, smooth_open
from kinlib.studio.atlas.uv import Chart

__all__ = ["BROW_BELOW", "EAR", "FRONT", "JAW_LINE", "SCALP", "SIDE"]
__all__ += ["brow_curve", "in_front", "in_side", "lip_outlines", "on_front"]

FRONT = {
    "nose": [
        *((-0.75, 4.15), (0.0, 4.3), (0.75, 4.15), (0.9, 3.2), (1.1, 2.2), (1.42, 1.1), (1.85, 0.4), (2.1, -0.25)),
        *((1.98, -0.8), (1.55, -1.16), (1.0, -1.12), (0.5, -1.26), (0.0, -1.32), (-0.5, -1.26)),
    ],
    "nose bridge": [
        (-0.75, 4.15),
        (0, 4.3),
        (0.75, 4.15),
        (0.72, 3.2),
        (0.68, 2.2),
        (0.6, 1.45),
        (0, 1.25),
        (-0.6, 1.45),
    ],
    "nose tip": [
        (-1, 0.2),
        (-0.6, 1.1),
        (0, 1.3),
        (0.6, 1.1),
        (0.98, 0.35),
        (0.85, -0.3),
        (0.4, -0.75),
        (0, -0.85),
        (-0.4, -0.75),
    ],
    "ala of nose": [
        (1.1, 0.55),
        (1.6, 0.55),
        (2.0, 0.1),
        (2.1, -0.3),
        (1.98, -0.8),
        (1.55, -1.16),
        (1.15, -1.0),
        (0.95, -0.3),
    ],
    "philtrum": [(-0.42, -1.15), (0.42, -1.15), (0.62, -1.9), (0.72, -2.5), (0, -2.6), (-0.72, -2.5), (-0.62, -1.9)],
    "moustache": [
        *((-1.2, -1.1), (0, -1.2), (1.2, -1.1), (1.95, -1.0), (2.55, -1.75), (2.95, -2.75), (2.75, -3.4), (2.3, -3.4)),
        *((1.7, -2.9), (0, -2.7), (-1.7, -2.9)),
    ],
    "upper lid": [  # up to its crease
        *((1.72, 3.28), (1.95, 3.75), (2.4, 4.3), (3.0, 4.58), (3.7, 4.52), (4.35, 4.15), (4.85, 3.62), (4.75, 3.4)),
        *((4.46, 3.42), (3.8, 3.5), (3.1, 3.5), (2.4, 3.4)),
    ],
    "top lid": [  # up to the rim of the orbit
        *(
            (1.72, 3.28),
            (1.55, 3.8),
            (1.6, 4.5),
            (2.0, 5.1),
            (2.9, 5.45),
            (3.9, 5.4),
            (4.9, 4.95),
            (5.3, 4.2),
            (4.9, 3.5),
        ),
        *((4.46, 3.42), (3.8, 3.5), (3.1, 3.5), (2.4, 3.4)),
    ],
    "eye-bottom lid": [
        *((1.8, 3.22), (2.4, 3.4), (3.1, 3.5), (3.8, 3.5), (4.46, 3.42), (4.9, 3.4), (4.75, 2.75), (4.0, 2.2)),
        *((3.2, 2.02), (2.4, 2.2), (1.85, 2.65)),
    ],
    "nose root": [  # the side of the nose below the inner corner of the eye
        *((0.5, 4.3), (1.1, 4.75), (1.6, 4.5), (1.62, 3.8), (1.65, 3.1), (1.7, 2.6), (1.55, 1.7), (1.4, 0.9)),
        *((0.9, 1.6), (0.6, 3.0)),
    ],
    "tear duct": [(1.6, 3.1), (1.62, 3.4), (1.85, 3.52), (2.12, 3.48), (2.15, 3.15), (1.9, 3.02)],
    "oral comisure": [
        (2.3, -3.2),
        (2.65, -3.05),
        (3.05, -3.35),
        (3.1, -3.75),
        (2.75, -4.05),
        (2.35, -3.9),
        (2.15, -3.55),
    ],
    "chin": [
        *((-1.6, -4.3), (0, -4.1), (1.6, -4.3), (2.15, -5.1), (2.5, -6.0), (2.6, -7.0), (2.3, -8.2), (0, -8.6)),
        *((-2.3, -8.2), (-2.6, -7.0)),
    ],
    "frown": [
        (-0.95, 4.5),
        (0, 4.35),
        (0.95, 4.5),
        (1.2, 5.3),
        (1.1, 6.2),
        (0.75, 6.9),
        (0, 7.1),
        (-0.75, 6.9),
        (-1.1, 6.2),
    ],
    "forehead": [
        *((0, 4.2), (1.5, 4.5), (3.0, 4.6), (4.9, 4.0), (5.35, 3.7), (6.0, 5.1), (5.65, 6.4), (5.35, 8.0), (5.1, 9.8)),
        *((5.1, 13.5), (0, 15), (-3, 13.5), (-3, 6)),
    ],
    "temple": [
        *((5.2, 3.3), (5.95, 5.1), (5.55, 6.4), (5.25, 8.0), (5.0, 9.8), (6.5, 11.0), (9, 8), (9, 2.9), (7.0, 2.5)),
        *((6.2, 2.7),),
    ],
    "crow's feet": [(4.95, 3.4), (5.4, 4.1), (6.1, 4.45), (6.5, 3.9), (6.45, 3.0), (6.0, 2.3), (5.5, 2.35)],
}

# The outer rim of the ear, from the root of the helix over the top to the lobe, then the line of attachment: (z, y).
EAR = np.array(
    [
        *((0.85, 2.1), (1.08, 2.5), (1.06, 3.0), (0.75, 3.38), (0.2, 3.65), (-0.2, 3.73), (-0.9, 3.52), (-1.45, 2.98)),
        *((-1.75, 2.2), (-1.75, 1.4), (-1.42, 0.15), (-0.8, -0.88), (0.0, -1.55), (0.9, -2.1), (1.5, -2.1)),
        *((1.9, -1.75), (1.92, -1.2), (1.75, -0.7), (1.55, -0.2), (1.35, 0.4), (1.3, 1.0), (1.05, 1.5)),
    ]
)

# The lower border of the mandible from the chin to its angle, and up the ramus to the ear lobe: (z, y).
JAW_LINE = np.array(
    [
        *((11.5, -8.1), (10.3, -7.95), (9.6, -7.7), (8.7, -7.25), (7.8, -6.7), (6.8, -6.05), (5.8, -5.5), (4.8, -5.15)),
        *((3.9, -4.9), (3.1, -4.4), (2.55, -3.5), (2.1, -2.6), (1.75, -2.0)),
    ]
)

# Border of the scalp: forehead, temple, sideburn, around the ear, nape: (z, y).
SCALP = np.array(
    [
        *((9.6, 11.2), (8.6, 11.1), (8.1, 11.0), (7.5, 10.6), (7.0, 9.7), (6.5, 8.5), (5.9, 7.2), (5.1, 6.0)),
        *((4.6, 4.8), (4.15, 3.6), (3.2, 3.3), (2.3, 4.2), (1.4, 4.8), (0.2, 5.0), (-1.0, 4.6), (-2.0, 3.2)),
        *((-2.8, 0.8), (-3.5, -2.4), (-4.4, -4.4), (-6.0, -5.2), (-12, -5.2), (-12, 17), (9.6, 17)),
    ]
)

SIDE = {
    "sideburns": [
        (4.4, 4.1),
        (4.1, 3.0),
        (3.85, 1.6),
        (3.6, 0.5),
        (2.5, 0.4),
        (2.2, 1.6),
        (2.0, 3.2),
        (2.2, 4.4),
        (3.2, 4.5),
    ],
    "jaw": [
        *((10.6, -5.6), (9.4, -5.2), (8.4, -4.9), (7.2, -4.1), (6.0, -3.4), (4.8, -3.0), (3.7, -2.5), (2.9, -1.5)),
        *((2.0, -1.2), (1.5, -2.4), (1.5, -9), (10.6, -9)),
    ],
}

# Brows: by eye.
BROW_BELOW = (0.33, 0.33, 0.32, 0.26, 0.08)  # cm from the five landmarks on the upper edge down to the midline
# position along the brow 0..1, half width in cm
BROW_HALF_WIDTHS = ((0, 0.2), (0.08, 0.28), (0.3, 0.33), (0.6, 0.29), (0.85, 0.17), (1, 0.07))


def in_front(chart: Chart, outline: list | np.ndarray, smooth: bool = True) -> np.ndarray:
    """Signed distance in cm of each texel to a `FRONT` outline, positive inside: float32 [S, S]."""
    points = np.stack([np.abs(chart.position[..., 0]), chart.position[..., 1]], axis=-1)
    return inside(points, smooth_closed(outline) if smooth else np.asarray(outline))


def in_side(chart: Chart, outline: list | np.ndarray, smooth: bool = True) -> np.ndarray:
    """Signed distance in cm of each texel to a `SIDE` outline, positive inside: float32 [S, S]."""
    return inside(chart.position[..., [2, 1]], smooth_closed(outline) if smooth else np.asarray(outline))


def on_front(chart: Chart, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project points (x, y) [K, 2] from the front onto the face: positions [K, 3] and texture coordinates [K, 2]."""
    # texels that face the front
    usable = np.flatnonzero((chart.covered & (chart.normal[..., 2] > 0.05)).ravel())
    position = chart.position.reshape(-1, 3)[usable]  # [T, 3]
    places, uv = [], []
    for x, y in np.asarray(points, float):
        # nearest texel; the small bonus for z prefers the front of a fold
        cost = (position[:, 0] - x) ** 2 + (position[:, 1] - y) ** 2 - 0.004 * position[:, 2]
        best = np.argmin(cost)
        row, column = divmod(usable[best], chart.covered.shape[1])
        places.append((x, y, position[best, 2]))
        uv.append(((column + 0.5) / chart.covered.shape[1], (row + 0.5) / len(chart.covered)))
    return np.array(places), np.array(uv)


def brow_curve(chart: Chart, landmarks: np.ndarray, left: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The midline of a brow from its head, beside the nose, to its tail.

    Args:
        chart: of the face.
        landmarks: float [68, 3], positions of the landmarks.
        left: the person's left, which is the image's right.

    Returns:
        Positions [60, 3], texture coordinates [60, 2], half width in cm [60].
    """
    points = landmarks[22:27] if left else landmarks[17:22][::-1]
    places, uv = on_front(chart, points[:, :2] - np.outer(BROW_BELOW, [0, 1]))
    widths = np.interp(np.linspace(0, 1, 60), *zip(*BROW_HALF_WIDTHS, strict=True))
    return smooth_open(places, 60), smooth_open(uv, 60).astype(np.float32), widths.astype(np.float32)


def lip_outlines(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Polygons [K, 2] of the lips in texture space, from the landmarks' texture coordinates [68, 2].

    Keys: "lips", "upper" (everything above the seam), "inner" (the wet part). In space the lips touch, so only the
    texture separates upper from lower.
    """
    upper, lower = smooth_open(landmarks[48:55]), smooth_open(landmarks[[54, 55, 56, 57, 58, 59, 48]])
    # [3, 2], between the inner lip landmarks
    seam = np.array([(landmarks[61 + k] + landmarks[67 - k]) / 2 for k in range(3)])
    split = np.vstack([landmarks[48], landmarks[60], seam, landmarks[64], landmarks[54]])
    above = np.array(
        [(landmarks[54, 0] + 0.1, landmarks[54, 1]), (1, 1), (0, 1), (landmarks[48, 0] - 0.1, landmarks[48, 1])]
    )
    inner_upper, inner_lower = smooth_open(landmarks[60:65]), smooth_open(landmarks[[64, 65, 66, 67, 60]])
    return {
        "lips": np.vstack([upper, lower[1:-1]]),
        "upper": np.vstack([split, above]),
        "inner": np.vstack([inner_upper, inner_lower[1:-1]]),
    }
