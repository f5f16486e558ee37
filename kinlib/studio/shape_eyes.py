"""Eyes that stay eyes: eyeballs keep their form, turn with the gaze, and lids lie on them.

Whatever a field or an expression does to the face, the eyeball takes only its best similarity (move and size). Lids
slide over it: what lay on the eyeball in the generic head keeps its distance to it, cornea included.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kinlib.studio.head import EYE_SOCKETS, EYEBALLS, FACE, LASHES, TEARS, HeadModel, load_head

__all__ = ["Eye", "load_eyes"]

LYING, FREE = 0.15, 0.45  # cm from the eyeball: up to here skin lies on it, from here it does not care
REACH = 3.2  # cm from the eyeball's centre
COLUMNS = 9  # places along the lids where the opening is measured
SLACK = 0.08  # cm, added to openings so that the corners' ratio stays near 1
PARALLEL = 2.0  # degrees that each eyeball turns inwards to look at a camera


@dataclass(frozen=True, eq=False)
class Eye:
    """One eye of the generic head.

    Attributes:
        side: "L" or "R", the person's.
        centre: float64 [3], of the eyeball.
        axis: float64 [3], unit vector through the cornea.
        ball: int [n], its vertices; offsets: float64 [n, 3] from the centre.
        lids: int [m], what may lie on the eyeball; clearance: [m], cm above it; hold: [m], 1 lies on it, 0 is free.
        surface: [64], the eyeball's radius at the cosines -1..1 from its axis.
        lashes: int [l], vertices of the lashes; roots: int [l], where in the lid's margin they stand.
        upper, lower: float64 [COLUMNS, V'] mixing weights of margin vertices; margin: int [V'].
        closing: int [c], vertices that lids move; columns: float32 [c, COLUMNS], their share in each column.
    """

    side: str
    centre: np.ndarray
    axis: np.ndarray
    ball: np.ndarray
    offsets: np.ndarray
    lids: np.ndarray
    clearance: np.ndarray
    hold: np.ndarray
    surface: np.ndarray
    lashes: np.ndarray
    roots: np.ndarray
