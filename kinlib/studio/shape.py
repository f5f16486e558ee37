"""The head of one person at one age, with an expression and a gaze."""

import numpy as np

from kinlib.studio.head import HeadModel, load_head
from kinlib.studio.person import NUM_SHAPE, Person

__all__ = ["build", "landmarks"]

IDENTITY = 0.88  # of a standard deviation: at 1 an odd jaw turns up now and then
GENTLE = 2.6  # z-scores bend towards this bound


def build(
    person: Person, age: float, expression: dict[str, float], gaze: tuple[float, float] = (0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Neutral and posed vertices, float32 [V, 3] each, in the head's frame."""
    head = load_head()
    shape = IDENTITY * GENTLE * np.tanh(np.asarray(person.traits.shape, np.float32) / GENTLE)
    modes = head.identity.reshape(NUM_SHAPE, -1)
    neutral = head.vertices + (shape.astype(np.float32) @ modes).reshape(-1, 3)
    posed = neutral.copy()
    for name, strength in {**expression, **_gaze_expressions(gaze)}.items():
        posed += np.float32(strength) * head.expression(name)
    return neutral.astype(np.float32), posed.astype(np.float32)


def landmarks(vertices: np.ndarray, head: HeadModel | None = None) -> np.ndarray:
    """The 68 landmarks, float32 [68, 3], iBUG order, of vertices [V, 3]."""
    return vertices[(head or load_head()).landmarks]


def _gaze_expressions(gaze: tuple[float, float]) -> dict[str, float]:
    x, y = gaze
    upright = ("eyeLookUp_", y) if y > 0 else ("eyeLookDown_", -y)
    sideways = {"L": "Out" if x > 0 else "In", "R": "In" if x > 0 else "Out"}
    shifts = {f"eyeLook{sideways[side]}_{side}": abs(x) for side in "LR"}
    return {**shifts, **{upright[0] + side: upright[1] for side in "LR"}}
