"""Which emotion an expression shows: the seven of DeepFace, by rule from the head model's coefficients.

The rules follow the facial action units that Ekman and Friesen's prototypes name (EMFACS, 1983), as far as the head
model has them: raised corners of the mouth are happy, raised brows over wide eyes surprised, and so on. An emotion is
shown when all of its signs are there, in both halves of the face on average; the clearest wins, and where none is shown
the face is neutral. Pictures of `kinlib render` smile, talk, are surprised or frown (see `shots.EXPRESSIONS`), so that
sadness, fear and disgust hardly occur in them.
"""

from collections.abc import Mapping

__all__ = ["EMOTIONS", "emotion"]

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In DeepFace's order."""

# Least strength of each sign, 0 to 1.
SIGNS: dict[str, dict[str, float]] = {
    "angry": {"browDown": 0.20},
    "disgust": {"noseSneer": 0.25},
    "fear": {"browInnerUp": 0.20, "eyeWide": 0.12, "mouthStretch": 0.20},
    "happy": {"mouthSmile": 0.30},
    "sad": {"browInnerUp": 0.20, "mouthFrown": 0.15},
    "surprise": {"browInnerUp": 0.20, "browOuterUp": 0.20, "eyeWide": 0.12},
}


def emotion(expression: Mapping[str, float]) -> str:
    """The emotion of an expression: names of the head model's expressions -> 0 to 1; what is missing is 0."""
    clarity = {
        name: min(_both(expression, sign) / least for sign, least in signs.items()) for name, signs in SIGNS.items()
    }
    clearest = max(clarity, key=lambda name: (clarity[name], len(SIGNS[name])))
    return clearest if clarity[clearest] >= 1 else "neutral"


def _both(expression: Mapping[str, float], sign: str) -> float:
    return (expression.get(f"{sign}_L", 0.0) + expression.get(f"{sign}_R", 0.0)) / 2
