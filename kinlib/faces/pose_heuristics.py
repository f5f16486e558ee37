"""Angles of a face from five points by 2D heuristics, a baseline for `kinlib.faces.pose`.

These are the rules of a student report on a kinship generator (its sections 5.4 and 5.5), which found them wanting:

- yaw: "comparing the left eye to nose vs the right eye to nose", since one eye nears the nose as a head turns;
- pitch: "comparing the relative position of the nose to the eye-mouth line";
- roll: "the angle between your eye line and the horizontal".

The report gives no formulas, so two things are read into it. Distances are taken along the picture's rows and columns:
it saw tilted heads take on a yaw, which distances in all directions would not do. And both ratios reach 90 degrees at
their ends, the nose level with an eye or with eyes or mouth.

What is wrong with them: a tilt moves the nose sideways, so roll leaks into yaw; the ratio does not grow as the sine of
the angle does, so that small turns look large; and the pitch of a face that looks straight ahead is what the length of
its nose makes it.
"""

import numpy as np

__all__ = ["estimate"]

END = 90.0  # degrees, where the nose has reached an eye's column, or the row of eyes or mouth


def estimate(points: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll by the report's rules.

    Args:
        points: [..., 5, 2] in the order of `kinlib.faces.keypoints`, pixels.

    Returns:
        Degrees [..., 3], signs as in `kinlib.faces.pose`; yaw is not finite where eyes and nose lie in one column, and
        pitch where eyes and mouth lie in one row.
    """
    left, right, nose, *mouth = np.moveaxis(np.asarray(points, dtype=np.float64), -2, 0)
    eyes, mouth = (left + right) / 2, np.mean(mouth, axis=0)
    to_left, to_right = np.abs(nose - left)[..., 0], np.abs(right - nose)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        yaw = END * (to_left - to_right) / (to_left + to_right)
        down = (nose - eyes)[..., 1] / (mouth - eyes)[..., 1]  # 0 at the eyes, 1 at the mouth
    roll = np.degrees(np.arctan2(*np.moveaxis(right - left, -1, 0)[::-1]))
    return np.stack([yaw, END * (1 - 2 * down), roll], axis=-1)
