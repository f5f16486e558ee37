"""Ageing of adult faces: soft tissue descends and thins, cartilage keeps growing.

Amplitudes were set by eye.
"""

import numpy as np

from kinlib.studio.head.model import HeadModel
from kinlib.studio.shape.fields import Brush, blink, paint

__all__ = ["ageing", "ageing_field"]

# Displacements at 80 years, cm.
OLD = (
    Brush((3.9, -5.7, 8.6), (0.9, 0.9, 1.5), shift=(0.26, -0.50, 0.10)),  # jowls
    Brush((1.9, -6.9, 10.1), (0.7, 0.8, 1.0), shift=(-0.05, 0.14, -0.18)),  # the notch before them
    Brush((0, -8.6, 7.0), (2.6, 1.5, 2.2), shift=(0, -0.45, 0.25)),  # under the chin
    Brush((4.7, 0.6, 8.8), (1.5, 1.2, 1.4), shift=(-0.05, -0.30, -0.24)),  # cheeks sink
    Brush((4.9, -2.1, 8.2), (1.2, 1.5, 1.6), shift=(-0.34, -0.10, -0.25)),  # and hollow
    Brush((3.0, -1.8, 10.4), (0.7, 1.0, 1.0), shift=(0.10, -0.18, 0.24)),  # fold beside the mouth
    Brush((6.4, 6.2, 6.2), (1.3, 1.9, 1.8), shift=(-0.34, 0, -0.12)),  # temples
    Brush((3.4, 5.0, 9.8), (1.9, 0.6, 1.0), shift=(0.05, -0.24, 0.05)),  # upper lids sag
    Brush((4.6, 4.5, 9.2), (0.8, 0.6, 0.9), shift=(0.05, -0.26, 0.10)),
    Brush((3.7, 6.2, 9.8), (2.2, 0.9, 1.6), shift=(0, -0.22, 0)),  # brows sink
    Brush((3.1, 2.25, 9.55), (1.0, 0.42, 0.8), shift=(0, -0.08, 0.17)),  # bags
    Brush((2.6, 1.45, 9.75), (1.1, 0.35, 0.9), shift=(0, 0, -0.16)),
    Brush((0, -3.36, 11.4), (2.6, 0.75, 1.4), stretch=(0.02, -0.30, -0.20)),  # lips
    Brush((0, -1.9, 11.6), (1.1, 0.6, 1.0), shift=(0, -0.10, -0.14)),  # a longer upper lip
    Brush((2.5, -3.6, 10.2), (0.7, 0.6, 0.9), shift=(0, -0.10, -0.05)),  # corners of the mouth
    Brush((0, 0.1, 12.8), (1.1, 1.0, 1.3), shift=(0, -0.34, 0.06), stretch=(0.08, 0.05, 0.05)),  # nose
    Brush((8.2, 1.6, 0.2), (1.4, 3.2, 1.8), shift=(0.08, -0.10, 0), stretch=(0.05, 0.13, 0.08)),  # ears
    Brush((7.6, -1.7, 1.0), (0.7, 0.9, 0.9), shift=(0, -0.20, 0)),
    Brush((1.1, -11.0, 5.0), (0.55, 2.4, 1.0), shift=(0.05, -0.10, 0.26)),  # cords of the neck
    Brush((2.6, -10.5, 4.2), (0.7, 2.4, 1.2), shift=(0, 0, -0.22)),
)
DROOP = 0.07  # multiple of a blink by which the lids droop at 80

YEARS = (25.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0)
# Ageing at these ages relative to 80; nearly linear from 25.
PROGRESS = (0.0, 0.22, 0.40, 0.60, 0.80, 1.0, 1.15)


def ageing(age: float) -> float:
    """Progress of ageing at an age in years: 0 up to 25, 1 at 80, 1.15 at 90."""
    return float(np.interp(age, YEARS, PROGRESS))


def ageing_field(head: HeadModel) -> np.ndarray:
    """Displacements of a face of 80 against 25 years, float32 [V, 3]."""
    lids = DROOP * blink(head)
    return paint(head.vertices, *OLD) + lids
