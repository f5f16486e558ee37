"""Neck and shoulders as a grid that clothes and necklaces are placed on.

Columns run around the neck, rows from below the jaw to the end of the head model. `torso` extrapolates the grid over
shoulders and chest, which the model lacks. Shapes of the extrapolation were set by eye.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kinlib.studio.clothing.skin_grid import SkinGrid, skin_grid
from kinlib.studio.head.model import load_head
from kinlib.studio.person import Person

__all__ = ["AZIMUTHS", "COLUMNS", "ROWS", "Bust", "around", "head_width", "load_bust", "torso"]

COLUMNS = 96  # around the neck, from the front over the person's left
ROWS = 28  # from below the jaw to the end of the model
AZIMUTHS = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False)
AXIS_Z = -0.8  # cm, z of the neck's axis
TOP_FRONT, TOP_BACK = -9.2, -7.4  # cm, y at which the grid begins in front and behind
ROUND = 6.0  # cm, radius that converts azimuths to lengths
HEAD_WIDTH = 14.72  # cm between landmarks 0 and 16 of the generic head


@dataclass(frozen=True)
class Bust:
    """The neck's grid, [ROWS, COLUMNS] points, and their `heights` [ROWS, COLUMNS] in cm on the generic head."""

    grid: SkinGrid
    heights: np.ndarray

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """The grid on a head: float32 [ROWS, COLUMNS, 3] from vertices [V, 3]."""
        return self.grid.points(vertices)

    def rows_at(self, heights: np.ndarray) -> np.ndarray:
        """Fractional rows [COLUMNS] at which the generic neck has the given heights [COLUMNS], cm."""
        top, bottom = self.heights[0], self.heights[-1]
        return np.clip((top - heights) / (top - bottom), 0, 1) * (ROWS - 1)


@lru_cache(maxsize=1)
def load_bust() -> Bust:
    """The grid on the generic head's neck; computed once."""
    head = load_head()
    chosen = np.flatnonzero(_on_neck(head.vertices, head.vertex_part))
    azimuth, height = _unrolled(head.vertices[chosen])
    heights = _grid_heights(azimuth, height)
    # three copies, so that the triangulation closes around the neck
    turns = np.concatenate([azimuth - 2 * np.pi, azimuth, azimuth + 2 * np.pi])
    flat = np.column_stack([turns * ROUND, np.tile(height, 3)])  # [3 n, 2]
    targets = np.stack([np.broadcast_to(AZIMUTHS * ROUND, heights.shape), heights], axis=-1)
    return Bust(skin_grid(np.tile(chosen, 3), flat, targets), heights)


def _on_neck(vertices: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Vertices below the jaw, bool [V]."""
    height, radius = vertices[:, 1], np.hypot(vertices[:, 0], vertices[:, 2] - AXIS_Z)
    return (part <= 1) & (height < -6.5) & ((radius < 7.0) | (height < -9.5))


def _unrolled(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth in 0..2π around the neck's axis, and height."""
    return np.arctan2(points[:, 0], points[:, 2] - AXIS_Z) % (2 * np.pi), points[:, 1].astype(np.float64)


def _grid_heights(azimuth: np.ndarray, height: np.ndarray) -> np.ndarray:
    """y [ROWS, COLUMNS] from the top of the neck to the end of the mesh."""
    nearness = np.abs((azimuth[None] - AZIMUTHS[:, None] + np.pi) % (2 * np.pi) - np.pi)
    # lowest vertex within 7 degrees, smoothed upwards over the neighbours, 1.5 mm above the ragged end
    bottom = np.where(nearness < 0.13, height[None], 0).min(1)
    bottom = np.maximum(bottom, np.maximum(np.roll(bottom, 1), np.roll(bottom, -1))) + 0.15
    top = (TOP_FRONT + TOP_BACK) / 2 + (TOP_FRONT - TOP_BACK) / 2 * np.cos(AZIMUTHS)
    return top + np.linspace(0, 1, ROWS)[:, None] * (bottom - top)


def around(front: float, side: float, back: float) -> np.ndarray:
    """A smooth closed curve of y [COLUMNS] through given values at the front, at both sides and at the back."""
    cosine = np.cos(AZIMUTHS)
    return side + np.where(cosine > 0, front - side, back - side) * np.abs(cosine) ** 1.6


def head_width(vertices: np.ndarray) -> float:
    """Width in cm of a head [V, 3] between landmarks 0 and 16."""
    ends = vertices[load_head().landmarks[[0, 16]], 0]
    return float(ends[1] - ends[0])


def torso(bust: np.ndarray, person: Person, age: float, head_width: float) -> np.ndarray:
    """The bust [ROWS, COLUMNS, 3] extended over shoulders and chest, float [ROWS + 14, COLUMNS, 3].

    The width of the shoulders follows from head width, age and sex.
    """
    half = _shoulder(person, age) * head_width / HEAD_WIDTH
    lifted = bust.copy()
    # square shoulders: raised by up to 0.9 cm (men) or 0.5 cm away from the neck
    outwards = np.clip((np.abs(bust[..., 0]) - 5.5) / (0.55 * half - 5.5), 0, 1)
    lifted[..., 1] += (0.9 if person.male and age > 14 else 0.5) * outwards**2 * (3 - 2 * outwards)
    form = np.concatenate([lifted, _below(lifted[-1], half)])
    for _ in range(3):  # smooth the rows where neck and torso meet, and the torso along its columns
        form[ROWS - 3 : ROWS + 6] = (
            form[ROWS - 4 : ROWS + 5] + 2 * form[ROWS - 3 : ROWS + 6] + form[ROWS - 2 : ROWS + 7]
        ) / 4
        form[ROWS:] = (np.roll(form[ROWS:], 1, axis=1) + 2 * form[ROWS:] + np.roll(form[ROWS:], -1, axis=1)) / 4
    return form


def _shoulder(person: Person, age: float) -> float:
    """Half the width over the upper arms in cm, for a head of adult width."""
    adult = 21.5 if person.male else 18.8
    return float(np.interp(age, [3, 10, 14, 18], [14.5, 16.3, 17.5 + 0.2 * (adult - 19), adult]))


def _below(edge: np.ndarray, half: float) -> np.ndarray:
    """Rows [14, COLUMNS, 3] from the bust's edge [COLUMNS, 3] over the shoulders and vertically down."""
    sine, cosine = np.sin(AZIMUTHS), np.cos(AZIMUTHS)
    depth = np.where(cosine > 0, 0.42, 0.46) * half
    # horizontal radius [COLUMNS] of the chest: a superellipse (exponent 2.4), deeper behind
    goal = ((np.abs(sine) / half) ** 2.4 + (np.abs(cosine) / depth) ** 2.4) ** (-1 / 2.4)
    start = np.hypot(edge[:, 0], edge[:, 2] - AXIS_Z)
    goal = np.maximum(goal, start + 0.8)
    # radians
    swing = np.linspace(0.35, np.pi / 2, 13)[1:, None]  # from the slope of the bust's edge to upright
    gone = (np.sin(swing) - np.sin(0.35)) / (1 - np.sin(0.35))
    gone = np.concatenate([gone, np.ones((2, 1))])[..., None]  # [14, 1, 1], share of the way outwards
    drop = (0.28 + 0.2 * cosine**2) * half * (1 - np.cos(swing)) / np.cos(0.35)
    height = np.concatenate([edge[:, 1] - drop, edge[None, :, 1] - drop[-1:] - 6, np.full((1, COLUMNS), -36.0)])
    middle = np.array([0.0, AXIS_Z])
    # [14, COLUMNS, 2], x and z
    floor = edge[:, [0, 2]] + gone * (middle + goal[:, None] * np.column_stack([sine, cosine]) - edge[:, [0, 2]])
    return np.stack([floor[..., 0], height, floor[..., 1]], axis=-1)
