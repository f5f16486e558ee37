"""Expressions and gaze on a subject's head.

The head model's expressions are displacements of the generic head. On other heads they are scaled: most by the height
of the face, those that close the eyes by the eyes' opening, so that blinks close and jaws stay attached.
"""

from functools import lru_cache

import numpy as np

from kinlib.studio.head.model import load_head
from kinlib.studio.shape import eyes
from kinlib.studio.shape.eyes import Eye

__all__ = ["face_height", "pose"]

FULL_LOOK = 30.0  # degrees of rotation of the expressions eyeLook... at strength 1
SHUTTING = ("eyeBlink", "eyeSquint", "cheekSquint")
LEAST = 1e-3  # cm; smaller displacements are rounding noise of the model's files


def pose(neutral: np.ndarray, expression: dict[str, float], gaze: tuple[float, float]) -> np.ndarray:
    """Vertices float32 [V, 3] with an expression and a gaze, from neutral ones; see `head_shape.build_head`."""
    posed, angles = neutral.copy(), np.degrees(np.arctan(gaze))  # degrees to the image's right and up
    scale = face_height(neutral) / face_height(load_head().vertices)
    pair = eyes.load_eyes()
    strengths = {name: float(strength) for name, strength in expression.items()}
    for eye in pair:
        # the lids follow the gaze
        for name, strength in _looking(eye, *angles).items():
            strengths[name] = strengths.get(name, 0.0) + strength
        _limit_blink(strengths, eye)
    for name, strength in strengths.items():
        if strength:
            rows, moves = _moved(name)
            posed[rows] += moves * (strength * _local_scale(name, rows, neutral, scale))
    for eye in pair:
        eyes.place_eye(posed, eye, eyes.fit(neutral, eye), eyes.rotation(eye, *_eye_angles(strengths, eye)))
    return posed


def face_height(vertices: np.ndarray) -> np.float32:
    """Height in cm from the eyes (landmarks 36..47) to the chin (8), of vertices [V, 3]."""
    marks = vertices[load_head().landmarks]
    return np.float32(marks[36:48, 1].mean() - marks[8, 1])


@lru_cache(maxsize=64)
def _moved(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices int [n] that an expression moves, and their displacements float32 [n, 3]."""
    head = load_head()
    moves = head.expression(name)
    rows = np.flatnonzero(np.abs(moves).max(axis=1) > LEAST)
    return rows, np.ascontiguousarray(moves[rows])


def _local_scale(name: str, rows: np.ndarray, neutral: np.ndarray, scale: np.float32) -> np.ndarray | np.float32:
    """Scale of an expression: one number, or one per moved vertex, float32 [n, 1]."""
    kind, _, side = name.partition("_")
    if kind not in SHUTTING:
        return scale
    eye = eyes.load_eyes()["LR".index(side)]
    inner, outer = eyes.openings(neutral, eye)
    local = inner + (outer - inner) * eye.across[rows]  # [n], opening at each vertex
    # a blink must follow the opening; squints only where the eye is small
    return local[:, None] if kind == "eyeBlink" else np.minimum(local, scale)[:, None]


def _looking(eye: Eye, right: float, up: float) -> dict[str, float]:
    """Strengths of the eyeLook expressions of one eye for a gaze in degrees."""
    outwards = right if eye.side == "L" else -right
    across, along = ("Out" if outwards > 0 else "In"), ("Up" if up > 0 else "Down")
    return {f"eyeLook{across}_{eye.side}": abs(right) / FULL_LOOK, f"eyeLook{along}_{eye.side}": abs(up) / FULL_LOOK}


def _eye_angles(strengths: dict[str, float], eye: Eye) -> tuple[float, float]:
    """Rotation of an eye in degrees to the image's right and up, from the strengths of its eyeLook expressions."""
    out, inwards, up, down = (strengths.get(f"eyeLook{way}_{eye.side}", 0.0) for way in ("Out", "In", "Up", "Down"))
    return (out - inwards) * FULL_LOOK * (1 if eye.side == "L" else -1), (up - down) * FULL_LOOK


@lru_cache(maxsize=128)
def _closing(name: str, eye: Eye) -> float:
    """Share of the generic opening that an expression closes at strength 1."""
    moves = load_head().expression(name)
    return float(-(moves[eye.pairs[:, 0], 1] - moves[eye.pairs[:, 1], 1]).mean() / eye.gaps.mean())


def _limit_blink(strengths: dict[str, float], eye: Eye) -> None:
    """Weaken a blink, in place, if other expressions close the eye too, so that the lids do not cross."""
    blink = f"eyeBlink_{eye.side}"
    if not strengths.get(blink):
        return
    shut = sum(strength * _closing(name, eye) for name, strength in strengths.items() if name != blink)
    strengths[blink] = min(strengths[blink], max(0.0, (1 - max(shut, 0)) / _closing(blink, eye)))
