"""The head of one person at one age, with an expression and a gaze.

A sum of displacement fields over the generic head (identity modes, named proportions, sex, growth, ageing), followed by
corrections: eyeballs and teeth are made rigid, lids are placed on the eyeballs, and the expression is scaled to the
face.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kinlib.studio.head.model import load_head
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS, Person
from kinlib.studio.shape import eyes, mouth
from kinlib.studio.shape.ageing import ageing, ageing_field
from kinlib.studio.shape.childhood import childhood, growth_fields, softness
from kinlib.studio.shape.pose import pose
from kinlib.studio.shape.proportions import detail_fields, proportion_fields
from kinlib.studio.shape.sex import mean_field, sex_contrast, sex_field, sex_modes

__all__ = ["build_head", "landmarks"]

IDENTITY = 0.80  # factor on the identity coefficients, by eye: at 1 some jaws look implausible
BOUND = 2.3  # soft limit of z-scores (tanh)
SEX_MODES = 0.60  # share of `sex_modes` added for men and subtracted for women
EYES_AHEAD = 0.07  # relative size by which a child's eyeballs exceed their surroundings; irises are nearly adult-sized
WITHIN_SEX = 0.45  # share of the identity variation along `sex_modes` that is kept; sex explains the rest


def build_head(
    person: Person, age: float, expression: dict[str, float], gaze: tuple[float, float] = (0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Shape and pose a head.

    Args:
        person: traits and sex.
        age: years, 3 to 90.
        expression: strengths 0..1 by the head model's names.
        gaze: tangents of the angles of the eyes to the image's right and up.

    Returns:
        Neutral and posed vertices, float32 [V, 3] each, in the head's frame before it is rotated.

    Raises:
        KinlibError: if an expression is unknown.
    """
    neutral = _neutral(person, age)
    return neutral, pose(neutral, expression, gaze)


def landmarks(vertices: np.ndarray) -> np.ndarray:
    """The 68 landmarks, float32 [68, 3], iBUG order, of vertices [V, 3]."""
    return vertices[load_head().landmarks]


@dataclass(frozen=True, eq=False)
class _Fields:
    """Displacement fields: names [F], values float32 [F, V * 3], and `childhood.softness` float32 [V, 1]."""

    names: tuple[str, ...]
    values: np.ndarray
    softness: np.ndarray


@lru_cache(maxsize=1)
def _load_fields() -> _Fields:
    """All fields over the generic head; computed once per process."""
    head = load_head()
    fields = dict(zip(PROPORTIONS, proportion_fields(head), strict=True))
    fields |= detail_fields(head) | growth_fields(head)
    fields |= {"mean": mean_field(head), "male": sex_field(head), "old": ageing_field(head)}
    values = np.stack(list(fields.values())).reshape(len(fields), -1)  # [F, V * 3]
    return _Fields(tuple(fields), np.ascontiguousarray(values, np.float32), softness(head))


def _bend(scores: np.ndarray) -> np.ndarray:
    """z-scores bounded softly to +-`BOUND`; nearly the identity below 1."""
    return BOUND * np.tanh(np.asarray(scores, np.float32) / BOUND)


def _shape(person: Person, contrast: float) -> np.ndarray:
    """Identity coefficients float32 [100], moved towards the mean of the sex."""
    own = IDENTITY * _bend(person.traits.shape)  # [100]
    difference = sex_modes()
    along = difference / np.sqrt(difference @ difference)  # [100], unit
    return own - (1 - WITHIN_SEX) * (own @ along) * along + SEX_MODES * contrast * difference


def _weights(person: Person, age: float, left: dict[str, float], contrast: float) -> dict[str, float]:
    """The weight of each field, by name; `left` is what remains of each growth field, `contrast` the sex contrast."""
    traits = person.traits
    # children's proportions differ by 30% less, their chins are cleft by half
    fading = 1 - 0.3 * min(left["face"], 1)
    weights = dict(zip(PROPORTIONS, fading * _bend(traits.proportions), strict=True))
    weights["cleft_chin"] = traits.cleft_chin * (1 - 0.5 * min(left["jaw"], 1))
    weights["attached_lobes"] = 0.0 if traits.free_lobes else 1.0
    return weights | left | {"mean": 1.0, "male": contrast, "old": ageing(age)}


def _neutral(person: Person, age: float) -> np.ndarray:
    """The neutral face, float32 [V, 3]."""
    head, fields = load_head(), _load_fields()
    left, contrast = childhood(age, person.male), sex_contrast(person.male, age)
    own = (_shape(person, contrast) @ head.identity.reshape(NUM_SHAPE, -1)).reshape(-1, 3)  # [V, 3]
    own *= 1 - min(left["face"], 1) * fields.softness
    weights = _weights(person, age, left, contrast)
    chosen = np.array([weights[name] for name in fields.names], np.float32)  # [F]
    vertices = head.vertices + own + (chosen @ fields.values).reshape(-1, 3)
    mouth.relax(vertices)
    mouth.stiffen_teeth(vertices)
    for eye in eyes.load_eyes():
        eyes.relax_lids(vertices, eye)
        eyes.attach_lashes(vertices, eye)
        ball = eyes.enlarge_behind_cornea(eyes.fit(vertices, eye), EYES_AHEAD * left["eyes"])
        eyes.place_eye(vertices, eye, ball, eyes.rotation(eye, 0, 0))
    return vertices.astype(np.float32)
