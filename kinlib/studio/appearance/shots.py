"""Random shots: expression, gaze, pose, background and a matching light, distributed as in a family album.

Shares and ranges were set by hand; none is a measurement.
"""

import numpy as np

from kinlib.studio.appearance.light import random_light, studio_light
from kinlib.studio.person import Shot

__all__ = ["EXPRESSIONS", "portrait_shot", "random_expression", "random_shot"]

CHILD = 13.0  # years; below, smiles and laughs are more frequent
# Share of each expression in pictures of adults and of children.
EXPRESSIONS = {
    "neutral": (0.22, 0.14),
    "slight smile": (0.27, 0.18),
    "smile": (0.27, 0.33),
    "laugh": (0.09, 0.19),
    "talking": (0.09, 0.08),
    "surprised": (0.03, 0.05),
    "frown": (0.03, 0.03),
}
# Share of each background, and the lights that match it.
PLACES = {
    "plain": (0.18, ("studio", "window", "lamps", "flash")),
    "gradient": (0.16, ("studio",)),
    "room": (0.26, ("window", "lamps", "lamps", "flash")),
    "garden": (0.24, ("overcast", "overcast", "sun", "back")),
    "street": (0.16, ("overcast", "sun", "back")),
}
FULL_LOOK = 30.0  # degrees per unit of gaze


def random_shot(rng: np.random.Generator, max_yaw: float = 25.0, age: float = 30.0) -> Shot:
    """A random shot of a person of an age in years; |yaw| is at most `max_yaw` degrees (normal, sd half of it)."""
    yaw = float(np.clip(rng.normal() * 0.5, -1, 1) * max_yaw)
    pitch, roll = (float(np.clip(rng.normal() * 0.5, -1, 1) * most) for most in (10.0, 9.0))
    background = str(rng.choice(list(PLACES), p=[share for share, _ in PLACES.values()]))
    lights = PLACES[background][1]
    return Shot(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        expression=random_expression(rng, age),
        gaze=_gaze(rng, yaw, pitch),
        light=random_light(rng, lights[rng.integers(len(lights))]),
        background=background,
        width=float(rng.uniform(26.0, 32.0)) * _nearer(age),
        shift=(float(rng.normal() * 0.6), float(0.8 + rng.normal() * 0.5)),
        seed=int(rng.integers(2**31)),
    )


def portrait_shot(seed: int = 0) -> Shot:
    """A frontal shot in soft light on studio paper, with a slight smile; the seed changes details only."""
    rng = np.random.default_rng([seed, 23])
    return Shot(
        expression=_both({"mouthSmile": 0.28, "cheekSquint": 0.12}, rng),
        light=studio_light(),
        background="gradient",
        width=28.0,
        seed=seed,
    )


def _nearer(age: float) -> float:
    """Factor on the picture's width for children's smaller heads: 0.86 at 3 years to 1 from 16."""
    return float(np.interp(age, [3, 8, 16], [0.86, 0.92, 1.0]))


def _gaze(rng: np.random.Generator, yaw: float, pitch: float) -> tuple[float, float]:
    """Gaze (x, y): into the camera in 75% of the shots, as far as eyes turn comfortably, else part of the way."""
    share = 1.0 if rng.random() < 0.75 else rng.uniform(0.2, 0.8)
    sideways = np.clip(-share * yaw / FULL_LOOK, -0.6, 0.6) + rng.normal() * 0.03
    upright = np.clip(-share * pitch / FULL_LOOK, -0.15, 0.25) + rng.normal() * 0.02
    return float(np.clip(sideways, -0.65, 0.65)), float(np.clip(upright, -0.35, 0.35))


def random_expression(rng: np.random.Generator, age: float = 30.0, kind: str | None = None) -> dict[str, float]:
    """A random expression of a kind of `EXPRESSIONS` (any by default): head model's names -> 0..1."""
    if kind is None:
        column = 1 if age < CHILD else 0
        shares = np.array([both[column] for both in EXPRESSIONS.values()])
        kind = str(rng.choice(list(EXPRESSIONS), p=shares / shares.sum()))
    strength = float(rng.uniform(0, 1))
    resting = {"eyeBlink": rng.uniform(0, 0.08), "browInnerUp": max(0.0, rng.normal() * 0.06)}
    shape = _both(
        {**resting, **{name: low + strength * (high - low) for name, (low, high) in _PAIRED[kind].items()}}, rng
    )
    for name, (low, high) in _SINGLE.get(kind, {}).items():
        shape[name] = float(np.clip(low + (high - low) * (0.7 * strength + 0.3 * rng.random()), 0, 1))
    return shape


def _both(strengths: dict[str, float], rng: np.random.Generator) -> dict[str, float]:
    """Paired expressions on both halves of the face, with 5% asymmetry; the eyes are symmetrical."""
    shape = {}
    for name, strength in strengths.items():
        lean = 0.0 if name.startswith("eye") else float(np.clip(rng.normal() * 0.05, -0.12, 0.12))
        shape[f"{name}_L"] = float(np.clip(strength * (1 + lean), 0, 1))
        shape[f"{name}_R"] = float(np.clip(strength * (1 - lean), 0, 1))
    return shape


# Strengths of paired expressions at the weakest and the strongest instance of a kind; unpaired ones below.
_PAIRED: dict[str, dict[str, tuple[float, float]]] = {
    "neutral": {"mouthSmile": (0.0, 0.14)},
    "slight smile": {"mouthSmile": (0.22, 0.45), "cheekSquint": (0.08, 0.22), "eyeSquint": (0.0, 0.12)},
    "smile": {
        "mouthSmile": (0.50, 0.80),
        "mouthUpperUp": (0.14, 0.28),
        "mouthLowerDown": (0.08, 0.24),
        "cheekSquint": (0.25, 0.45),
        "eyeSquint": (0.12, 0.32),
    },
    "laugh": {
        "mouthSmile": (0.65, 0.90),
        "mouthUpperUp": (0.18, 0.30),
        "mouthLowerDown": (0.15, 0.30),
        "cheekSquint": (0.35, 0.60),
        "eyeSquint": (0.25, 0.50),
        "browOuterUp": (0.0, 0.15),
    },
    "talking": {"mouthLowerDown": (0.05, 0.25), "mouthUpperUp": (0.0, 0.12), "mouthSmile": (0.0, 0.25)},
    "surprised": {"browInnerUp": (0.25, 0.6), "browOuterUp": (0.25, 0.6), "eyeWide": (0.15, 0.45)},
    "frown": {"browDown": (0.25, 0.60), "mouthFrown": (0.10, 0.40), "eyeSquint": (0.0, 0.20)},
}
_SINGLE: dict[str, dict[str, tuple[float, float]]] = {
    "smile": {"jawOpen": (0.0, 0.08)},
    "laugh": {"jawOpen": (0.12, 0.32)},
    "talking": {"jawOpen": (0.06, 0.22), "mouthFunnel": (0.0, 0.25)},
    "surprised": {"jawOpen": (0.05, 0.30)},
}
