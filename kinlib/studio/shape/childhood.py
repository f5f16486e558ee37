"""Growth of the head from 3 to 20 years.

The head at four years is given by anchors: points of the generic head and their positions at that age, with a smooth
warp in between. The positions follow roughly the growth of heights, widths and depths in Farkas, Anthropometry of the
Head and Face (1994): at four the braincase is nearly complete, the face has three quarters of its height, the nose two
thirds of its projection, the eyes nine tenths of their size. Growth ends first in skull and eyes, last in nose and jaw,
and earlier in girls.
"""

import numpy as np

from kinlib.studio.head.model import HeadModel
from kinlib.studio.shape.fields import Brush, paint, warp

__all__ = ["GROWTH", "childhood", "growth_fields", "softness"]

# Point on the generic head (number of a landmark, or cm) -> the same point at four years, cm. One table per region.
SKULL = {
    (0, 14.4, 0): (0, 13.0, -0.1),
    (0, 13.0, 6.2): (0, 11.9, 5.8),
    (0, 10.5, 9.0): (0, 9.4, 8.75),
    (0, 8.2, 10.15): (0, 7.2, 9.85),
    (0, 5.7, 10.8): (0, 4.75, 9.85),
    (3.6, 11.6, 6.0): (3.5, 10.6, 5.75),
    (4.0, 8.3, 8.6): (3.85, 7.2, 8.3),
    (7.85, 8.0, 0.3): (7.5, 7.3, 0.2),
    (6.2, 12.0, 1.1): (6.0, 10.9, 0.9),
    (6.6, 6.0, 5.6): (6.05, 5.1, 5.15),
    (0, 10.5, -7.5): (0, 9.7, -7.2),
    (0, 5.0, -8.65): (0, 4.4, -8.3),
    (5.5, 5.0, -6.2): (5.3, 4.4, -5.9),
    (0, -0.5, -7.2): (0, -0.9, -6.4),
    (5.2, 0.0, -5.0): (4.8, -0.2, -4.6),
}
EYES = {
    17: (4.95, 4.15, 7.15),
    18: (4.25, 4.72, 8.15),
    19: (3.3, 4.9, 8.95),
    20: (2.15, 4.85, 9.55),
    21: (1.05, 4.62, 9.75),
    36: (3.95, 2.42, 7.68),
    37: (3.42, 2.99, 8.53),
    38: (2.36, 3.06, 8.69),
    39: (1.53, 2.24, 8.33),
    40: (2.33, 2.03, 8.54),
    41: (3.40, 2.02, 8.37),
    (3.1, 3.6, 6.4): (2.70, 2.58, 5.7),
}
FACE = {
    0: (6.35, 2.7, 3.4),
    1: (6.25, 0.95, 3.55),
    2: (6.08, -0.65, 4.05),
    3: (5.85, -2.1, 4.75),
    (6.9, 1.2, 5.6): (5.95, 0.7, 5.2),
    (4.75, 1.0, 8.9): (4.2, 0.5, 8.3),
    (4.9, -1.8, 8.2): (4.78, -1.6, 7.98),
    (7.9, 2.0, 0.3): (6.95, 1.45, 0.3),
    (9.1, 2.6, -1.3): (7.95, 2.0, -1.0),
    (7.9, 5.7, 0.3): (7.05, 4.2, 0.3),
    (7.5, -1.7, 0.9): (6.6, -1.3, 0.9),
}
NOSE = {
    27: (0, 2.72, 9.55),
    28: (0, 1.95, 9.82),
    29: (0, 1.15, 10.25),
    30: (0, 0.35, 10.85),
    31: (1.05, -0.85, 9.4),
    33: (0, -0.88, 9.85),
    (1.72, -0.2, 11.5): (1.42, -0.3, 9.85),
    (1.3, 1.6, 11.1): (1.15, 1.1, 9.45),
}
JAW = {
    4: (5.15, -3.7, 5.45),
    5: (3.9, -4.8, 6.55),
    6: (2.6, -5.35, 7.6),
    7: (1.25, -5.68, 8.72),
    8: (0, -5.8, 8.85),
    48: (2.02, -2.62, 8.75),
    51: (0, -1.78, 9.98),
    50: (0.6, -1.74, 9.88),
    62: (0, -2.5, 9.5),
    57: (0, -3.35, 9.72),
    58: (0.85, -3.3, 9.55),
    (0, -5.1, 10.9): (0, -4.0, 9.2),
    (0, -6.5, 11.0): (0, -5.0, 9.3),
    (6.0, -4.3, 2.5): (5.0, -3.6, 2.4),
    (0, -3.4, 6.0): (0, -2.5, 5.2),
}
NECK = {
    (0, -8.5, 6.6): (0, -6.5, 5.3),
    (0, -9.6, 5.4): (0, -7.4, 4.2),
    (0, -11.5, 4.6): (0, -9.0, 3.4),
    (0, -14.0, 3.6): (0, -11.0, 2.7),
    (5.7, -7.5, -0.5): (4.05, -6.3, -0.5),
    (5.7, -9.5, -1.5): (3.95, -7.7, -1.2),
    (7.0, -11.5, -2.5): (4.9, -9.0, -1.9),
    (0, -5.0, -5.8): (0, -4.7, -5.0),
    (0, -9.0, -6.3): (0, -7.6, -4.9),
    (0, -13.0, -8.8): (0, -10.7, -6.9),
    (12.0, -16.0, 0.5): (8.9, -13.6, 0.3),
    (6.0, -17.5, 4.8): (4.4, -14.3, 3.4),
    (0, -19.0, 5.6): (0, -15.7, 4.0),
}
GROWTH = {"skull": SKULL, "eyes": EYES, "face": FACE, "nose": NOSE, "jaw": JAW, "neck": NECK}

# Share of the growth after four years that remains at these ages; above 1 before four. By eye after Farkas.
YEARS = (3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0)
REMAINING = {
    "skull": (1.10, 1.00, 0.82, 0.69, 0.57, 0.44, 0.27, 0.11, 0.03, 0.0),
    "eyes": (1.10, 1.00, 0.85, 0.73, 0.62, 0.50, 0.33, 0.15, 0.04, 0.0),
    "face": (1.10, 1.00, 0.85, 0.73, 0.62, 0.50, 0.33, 0.15, 0.04, 0.0),
    "nose": (1.10, 1.00, 0.86, 0.75, 0.65, 0.53, 0.35, 0.16, 0.04, 0.0),
    "jaw": (1.10, 1.00, 0.86, 0.75, 0.65, 0.54, 0.37, 0.18, 0.05, 0.0),
    "neck": (1.10, 1.00, 0.86, 0.75, 0.65, 0.54, 0.36, 0.17, 0.05, 0.0),
}
GIRLS_AHEAD = 0.9  # years by which girls are ahead, from 12; linear between 8 and 12


def childhood(age: float, male: bool) -> dict[str, float]:
    """Remaining growth of each region at an age in years: 1 at four, 0 in adults."""
    ahead = 0.0 if male else GIRLS_AHEAD * float(np.clip((age - 8) / 4, 0, 1))
    return {name: float(np.interp(age + ahead, YEARS, left)) for name, left in REMAINING.items()}


def growth_fields(head: HeadModel) -> dict[str, np.ndarray]:
    """One field float32 [V, 3] per region of `GROWTH`; the generic head plus their sum is a child of four."""
    anchors, goals, owner = [], [], []
    for name, places in GROWTH.items():
        for place, goal in places.items():
            anchors.append(_landmark(head, place) if isinstance(place, int) else place)
            goals.append(goal)
            owner.append(name)
    anchors, moves = np.array(anchors), np.array(goals) - np.array(anchors)
    # each field moves its own anchors and keeps all others fixed
    return {name: warp(head.vertices, anchors, np.where(np.array(owner)[:, None] == name, moves, 0)) for name in GROWTH}


def softness(head: HeadModel) -> np.ndarray:
    """Share float32 [V, 1] by which identity is attenuated at four years: 0.26, more at nose, jaw and brow."""
    # only the z component is used, as a scalar weight
    nose = Brush((0, 1.2, 12), (1.6, 2.4, 2.5), shift=(0, 0, 0.22))
    jaw = Brush((0, -6.5, 8), (6.5, 3.0, 6.0), shift=(0, 0, 0.32))
    brow = Brush((0, 5.6, 10.5), (4.0, 1.0, 2.0), shift=(0, 0, 0.15))
    return 0.26 + paint(head.vertices, nose, jaw, brow)[:, 2:]


def _landmark(head: HeadModel, number: int) -> np.ndarray:
    """A landmark of the image's left half, mirrored to the person's left side; cm [3]."""
    return head.vertices[head.landmarks[number]] * [-1, 1, 1]
