"""Sexual dimorphism of the head, and its development with age.

One part uses the identity modes: the most probable change (smallest norm) that produces the mean anthropometric
differences between the sexes, roughly as in Farkas, Anthropometry of the Head and Face (1994). The rest, such as neck
and Adam's apple, which face scans do not cover, is painted with brushes whose sizes were set by eye.
"""

from functools import lru_cache

import numpy as np

from kinlib.studio.head.model import HeadModel, load_head
from kinlib.studio.shape.fields import Brush, blink, paint

__all__ = ["mean_field", "sex_contrast", "sex_field", "sex_modes"]

# Mean of men minus mean of women, cm: (first landmark, second, axis, change of first minus second along the axis).
DIFFERENCES = (
    *((16, 0, 0, 0.75), (12, 4, 0, 1.0), (11, 5, 0, 0.9), (10, 6, 0, 0.55)),  # widths of cheekbones, jaw and chin
    *((66, 8, 1, 0.6), (27, 33, 1, 0.42), (33, 51, 1, 0.2)),  # heights of chin, nose and philtrum
    *((51, 62, 1, -0.04), (66, 57, 1, -0.06)),  # lips
    *((62, 66, 1, 0.0), (48, 62, 1, 0.0), (54, 62, 1, 0.0)),  # unchanged: lips neither part nor smile
    *((35, 31, 0, 0.28), (30, 33, 2, 0.12), (30, 27, 2, 0.15), (21, 27, 2, 0.12)),  # nose
    *((51, 33, 2, 0.0), (57, 33, 2, 0.0), (8, 57, 2, 0.1)),  # lips do not protrude; a more prominent chin
    *((37, 41, 1, -0.04), (38, 40, 1, -0.04), (45, 42, 0, 0.05), (54, 48, 0, 0.35)),  # eyes, and the mouth's width
)
# The same for points on the generic skull, cm.
SIDE, OTHER_SIDE, BACK, FOREHEAD, GLABELLA = (7.9, 7, 0), (-7.9, 7, 0), (0, 5, -8.7), (0, 8.7, 10), (0, 5.5, 10.8)
SKULL = ((SIDE, OTHER_SIDE, 0, 0.6), (GLABELLA, FOREHEAD, 2, 0.35), (GLABELLA, BACK, 2, 0.9))
LOOSENESS = 0.05  # cm², ridge regularisation: variance allowed for missing the differences

MALE = (
    Brush((3.0, 5.6, 10.2), (2.2, 0.8, 1.7), shift=(0, -0.05, 0.14)),  # ridge
    Brush((0, 5.4, 10.8), (1.1, 0.8, 1.3), shift=(0, 0, 0.07)),
    Brush((3.4, 6.3, 9.8), (2.7, 0.85, 2.2), shift=(0, -0.15, 0)),  # lower brows
    Brush((0, 9.5, 9.4), (4.0, 1.8, 3.0), shift=(0, 0, -0.16)),  # forehead slopes
    Brush((5.6, -4.6, 4.5), (1.6, 1.4, 2.4), shift=(0.16, -0.10, 0)),  # corners of the jaw
    Brush((1.7, -7.0, 10.2), (1.0, 0.9, 1.2), shift=(0.13, -0.05, 0.06)),  # square chin
    Brush((4.7, 0.9, 8.9), (1.4, 1.3, 1.4), shift=(0, 0, -0.12)),  # flatter cheeks
    Brush((0, -3.36, 11.4), (2.6, 0.75, 1.4), stretch=(0, -0.09, -0.05)),  # thinner lips
    Brush((0, -11, -0.8), (9.0, 3.6, 9.0), stretch=(0.10, 0, 0.09)),  # neck
    Brush((0, -10.4, 5.2), (0.85, 0.9, 1.2), shift=(0, 0, 0.26)),  # Adam's apple
)
# Both sexes: the generic head has a strongly male neck.
MEAN = (Brush((0, -11, -0.8), (9.0, 3.6, 9.0), stretch=(-0.06, 0, -0.03)),)
SHUTTER = 0.045  # multiple of a blink by which men's eyes are less open

SHOWN_AT = (3.0, 10.0, 12.0, 14.0, 16.0, 18.0, 21.0)  # years
# Share of the adult dimorphism at these ages, by eye; it rises with puberty.
SHOWN = (0.14, 0.20, 0.32, 0.55, 0.80, 0.94, 1.0)


def sex_contrast(male: bool, age: float) -> float:
    """-1 for an adult woman to 1 for an adult man; about a sixth of it in small children. Age in years."""
    return (1.0 if male else -1.0) * float(np.interp(age, SHOWN_AT, SHOWN))


@lru_cache(maxsize=1)
def sex_modes() -> np.ndarray:
    """Mean of men minus mean of women in identity coefficients, float32 [100]."""
    head = load_head()
    marks = head.landmarks
    pairs = [(marks[a], marks[b], axis, difference) for a, b, axis, difference in DIFFERENCES]
    pairs += [(_nearest(head, a), _nearest(head, b), axis, difference) for a, b, axis, difference in SKULL]
    # [differences, 100], cm per coefficient
    slopes = np.stack([head.identity[:, a, axis] - head.identity[:, b, axis] for a, b, axis, _ in pairs]).astype(float)
    wanted = np.array([pair[3] for pair in pairs])
    # ridge regression in its dual form: minimal norm of the coefficients
    solved = np.linalg.solve(slopes @ slopes.T + LOOSENESS * np.eye(len(pairs)), wanted)
    return (slopes.T @ solved).astype(np.float32)


def sex_field(head: HeadModel) -> np.ndarray:
    """The painted part: half of the sex difference, float32 [V, 3]; added for men, subtracted for women."""
    lids = SHUTTER * blink(head)
    return paint(head.vertices, *MALE) + lids


def mean_field(head: HeadModel) -> np.ndarray:
    """Correction of the generic head for both sexes, float32 [V, 3]."""
    return paint(head.vertices, *MEAN)


def _nearest(head: HeadModel, place: tuple[float, float, float]) -> int:
    """The vertex nearest to a point in cm."""
    return int(((head.vertices - np.array(place)) ** 2).sum(axis=1).argmin())
