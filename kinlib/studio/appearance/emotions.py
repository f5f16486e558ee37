"""Emotion labels (the seven of DeepFace) from expression coefficients, by rule.

The rules follow the facial action units of Ekman and Friesen's prototypes (EMFACS, 1983), as far as the head model has
them: raised corners of the mouth are happy, raised brows over wide eyes surprised, and so on. An emotion is present if
all of its signs reach their thresholds, averaged over both halves of the face; the strongest wins, and without any the
face is neutral. Pictures of `kinlib render` smile, talk, are surprised or frown (see `shots.EXPRESSIONS`), so sadness,
fear and disgust are rare in them. Thresholds were set by eye.
"""

from collections.abc import Mapping

__all__ = ["EMOTIONS", "emotion"]

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In DeepFace's order."""

# Threshold of each sign, 0 to 1.
SIGNS: dict[str, dict[str, float]] = {
    "angry": {"browDown": 0.20},
    "disgust": {"noseSneer": 0.25},
    "fear": {"browInnerUp": 0.20, "eyeWide": 0.12, "mouthStretch": 0.20},
    "happy": {"mouthSmile": 0.30},
    "sad": {"browInnerUp": 0.20, "mouthFrown": 0.15},
    "surprise": {"browInnerUp": 0.20, "browOuterUp": 0.20, "eyeWide": 0.12},
}


def emotion(expression: Mapping[str, float]) -> str:
    """The emotion of an expression (head model's names -> 0..1; missing ones are 0), one of `EMOTIONS`."""
    clarity = {
        name: min(_both(expression, sign) / least for sign, least in signs.items()) for name, signs in SIGNS.items()
    }
    clearest = max(clarity, key=lambda name: (clarity[name], len(SIGNS[name])))
    return clearest if clarity[clearest] >= 1 else "neutral"


def _both(expression: Mapping[str, float], sign: str) -> float:
    """Mean of the left and the right half."""
    return (expression.get(f"{sign}_L", 0.0) + expression.get(f"{sign}_R", 0.0)) / 2
