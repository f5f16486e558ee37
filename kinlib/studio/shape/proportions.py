"""The named proportions of a face as displacement fields of one standard deviation on the generic head.

Centres and radii follow the anatomy of the generic head. Amplitudes were set by
eye.
"""

import numpy as np

from kinlib.studio.head.model import HeadModel
from kinlib.studio.person import PROPORTIONS
from kinlib.studio.shape.fields import Brush, blink, paint

__all__ = ["STROKES", "detail_fields", "proportion_fields"]

EYE = (3.1, 3.6, 8.6)  # cm, centre of the left eye
LID_SHUT = {"eye_size": -0.06, "lid_fold": 0.035}  # multiples of a blink: large eyes open, folded lids droop

# Brush(centre, radius, ...) in cm; spin in degrees, stretch relative.
STROKES = {
    "eye_size": (Brush(EYE, (1.7, 1.5, 1.8), stretch=(0.085, 0.085, 0.085)),),
    "eye_spacing": (Brush(EYE, (1.8, 2.0, 2.4), shift=(0.13, 0, 0)),),
    "eye_tilt": (Brush(EYE, (1.7, 1.4, 1.8), spin=(0, 0, 4.5)),),
    "eye_depth": (  # eyeball back, brow forwards
        Brush(EYE, (1.7, 1.3, 1.8), shift=(0, 0, -0.16)),
        Brush((3.1, 5.5, 10.0), (2.2, 0.7, 1.4), shift=(0, -0.03, 0.09)),
    ),
    "lid_fold": (  # upper lid down and forwards, skin over the inner corner
        Brush((2.9, 4.65, 9.75), (1.4, 0.42, 0.7), shift=(0, -0.17, 0.13)),
        Brush((1.75, 3.8, 9.5), (0.45, 0.55, 0.5), shift=(0.10, -0.08, 0.08)),
    ),
    "brow_height": (Brush((3.5, 6.1, 9.8), (2.4, 0.8, 2.2), shift=(0, 0.17, 0)),),
    "brow_ridge": (  # above each eye, and the glabella
        Brush((2.6, 5.7, 10.3), (2.2, 0.75, 1.5), shift=(0, 0, 0.13)),
        Brush((0, 5.5, 10.8), (1.0, 0.8, 1.2), shift=(0, 0, 0.05)),
    ),
    "forehead_height": (Brush((0, 10.5, 6.0), (7.0, 3.0, 6.0), shift=(0, 0.42, 0)),),
    "forehead_slope": (Brush((0, 10.3, 9.0), (4.5, 2.2, 3.0), shift=(0, 0, -0.30)),),
    "cheekbones": (  # zygomatic bone out, cheek below it in
        Brush((5.7, 1.4, 7.7), (1.5, 1.0, 2.0), shift=(0.20, 0.03, 0.13)),
        Brush((5.0, -2.2, 8.0), (1.2, 1.3, 1.8), shift=(-0.11, 0, -0.07)),
    ),
    "cheek_fullness": (  # cheek, lower cheek, under the chin
        Brush((4.8, -1.5, 8.5), (1.7, 1.8, 2.0), shift=(0.25, 0, 0.17)),
        Brush((4.8, -4.4, 6.8), (1.5, 1.4, 2.2), shift=(0.19, -0.06, 0.06)),
        Brush((0, -8.3, 7.4), (2.5, 1.2, 2.2), shift=(0, -0.22, 0.08)),
    ),
    "nose_length": (Brush((0, -0.3, 12.0), (1.7, 1.7, 2.0), shift=(0, -0.25, 0.03)),),
    "nose_width": (  # alae, then the bridge by a third
        Brush((1.45, -0.4, 11.6), (0.8, 0.8, 1.2), shift=(0.15, 0, -0.03)),
        Brush((0.9, 1.6, 11.6), (0.6, 1.4, 1.2), shift=(0.05, 0, 0)),
    ),
    "nose_bridge": (Brush((0, 2.9, 11.3), (0.85, 1.4, 1.3), shift=(0, 0, 0.20)),),
    "nose_tip": (  # tip up, bridge above it in
        Brush((0, 0.3, 13.0), (1.0, 0.9, 1.2), shift=(0, 0.19, 0.04)),
        Brush((0, 1.9, 12.3), (0.6, 0.8, 0.9), shift=(0, 0, -0.06)),
    ),
    "mouth_width": (Brush((2.3, -3.45, 10.4), (0.9, 0.9, 1.4), shift=(0.16, 0, -0.05)),),
    "lip_fullness": (Brush((0, -3.36, 11.4), (2.4, 0.85, 1.5), stretch=(0, 0.23, 0.13), shift=(0, 0, 0.06)),),
    "jaw_width": (Brush((5.4, -4.6, 5.0), (1.8, 1.6, 3.0), shift=(0.27, 0, 0)),),
    "chin_height": (Brush((0, -7.6, 9.8), (3.0, 1.7, 3.0), shift=(0, -0.27, 0)),),
    "chin_projection": (Brush((0, -6.9, 10.6), (1.9, 1.3, 2.0), shift=(0, 0, 0.26)),),
    "face_width": (Brush((0, 0.0, 4.0), (12.0, 7.0, 9.0), stretch=(0.032, 0, 0)),),
    "ear_size": (Brush((7.6, 1.8, 0.6), (1.4, 3.0, 1.9), stretch=(0.06, 0.09, 0.08)),),
    "ear_projection": (Brush((8.9, 2.4, -1.0), (0.9, 2.6, 1.3), shift=(0.22, 0, 0.13)),),
}


def proportion_fields(head: HeadModel) -> np.ndarray:
    """One field per entry of `PROPORTIONS`, float32 [23, V, 3], cm per standard deviation."""
    fields = np.stack([paint(head.vertices, *STROKES[name]) for name in PROPORTIONS])
    shut = blink(head)
    for name, share in LID_SHUT.items():
        fields[PROPORTIONS.index(name)] += share * shut
    return fields


CLEFT = (Brush((0, -6.6, 11.0), (0.26, 0.8, 0.7), shift=(0, 0, -0.28)),)  # a furrow 2.8 mm deep
ATTACHED = (
    Brush((7.6, -1.7, 1.0), (0.6, 0.7, 0.8), shift=(-0.18, 0.45, 0.05)),  # lobes that end where they meet the cheek
)


def detail_fields(head: HeadModel) -> dict[str, np.ndarray]:
    """Fields of a full cleft chin and of attached ear lobes, float32 [V, 3] each."""
    return {"cleft_chin": paint(head.vertices, *CLEFT), "attached_lobes": paint(head.vertices, *ATTACHED)}
