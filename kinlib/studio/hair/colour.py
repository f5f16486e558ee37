"""The colour of hair: of the whole head, of the brows, and of every single strand."""

import numpy as np

from kinlib.studio.colour import to_linear
from kinlib.studio.person import GREY_HAIR, HAIR_COLOURS, Look, Person

__all__ = ["beard_colour", "brow_colour", "brow_strand_colours", "hair_colour", "strand_colours"]

SHADE_STEP = 0.16  # one z-score of shade multiplies the light by exp of this
STRAND_SPREAD, LOCK_SPREAD = 0.16, 0.11  # standard deviations of the logarithm


def hair_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of the hair as a whole, greyed by `look.grey`."""
    share = np.clip(look.grey, 0, 1)
    return (_pigmented(person, look) * (1 - share) + _grey(look) * share).astype(np.float32)


def brow_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of brows: like the hair, a little darker in fair people, and grey later."""
    share = 0.7 * _brow_grey(look)
    return (_brow_pigment(person, look) * (1 - share) + 0.45 * _grey(look) * share).astype(np.float32)


def _brow_pigment(person: Person, look: Look) -> np.ndarray:
    """Of those hairs of the brows that are not grey."""
    base = _pigmented(person, look)
    return (base * (1 - 0.45 * np.clip(base.mean() / 0.25, 0, 1))).astype(np.float32)


def brow_strand_colours(person: Person, look: Look, count: int, rng: np.random.Generator) -> np.ndarray:
    """Linear RGB float32 [n, 3] of single hairs of the brows."""
    light = np.exp(STRAND_SPREAD * rng.normal(size=(count, 1)))
    grey = rng.random(count) < 0.65 * _brow_grey(look)
    warm_grey = 0.42 * _grey(look) * np.array([1.08, 1.0, 0.90], np.float32)
    return (np.where(grey[:, None], warm_grey, _brow_pigment(person, look)) * light).astype(np.float32)


def _brow_grey(look: Look) -> float:
    return float(np.clip(1.3 * look.grey - 0.35, 0, 1))


def beard_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of a beard before it greys: like the hair, redder in fair people."""
    base = _pigmented(person, look)
    fair = float(np.clip(base.mean() / 0.15, 0, 1)) * 0.5
    return (base * (1 - fair) + base.mean() * np.array([1.5, 0.72, 0.31], np.float32) * fair).astype(np.float32)


def strand_colours(
    colour: np.ndarray | None,
    person: Person,
    look: Look,
    greying: np.ndarray,
    locks: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Linear RGB float32 [n, 3] of strands about a colour; each stands for many hairs, more or fewer of them grey.

    Args:
        colour: linear RGB of hair without grey, or None for the person's.
        person, look: whose.
        greying: float [n], how much earlier (> 0) or later than `look.grey` says a place turns grey.
        locks: int [n], strands of one lock vary together.
        rng: randomness.
    """
    count = len(locks)
    base = _pigmented(person, look) if colour is None else np.asarray(colour, np.float32)
    lock_light = rng.normal(size=int(locks.max()) + 1 if count else 1)[locks]
    light = np.exp(STRAND_SPREAD * rng.normal(size=count) + LOCK_SPREAD * lock_light)
    warm = 0.05 * rng.normal(size=count)
    tint = np.stack([1 + warm, np.ones(count), 1 - warm], axis=-1)
    share = np.clip(look.grey + 1.4 * greying * look.grey * (1 - look.grey), 0, 1)
    mixed = np.clip(share + 0.24 * rng.normal(size=count) * np.minimum(1, 4 * share), 0, 1)[:, None]
    grey = _grey(look) * np.exp(0.14 * rng.normal(size=count))[:, None]
    return (base * light[:, None] * tint * (1 - mixed) + grey * mixed).astype(np.float32)


def _pigmented(person: Person, look: Look) -> np.ndarray:
    """Colour before any grey; children's is lighter."""
    colour = to_linear(HAIR_COLOURS[person.traits.hair_colour]) * np.exp(SHADE_STEP * person.traits.hair_shade)
    child = np.clip((13 - look.age) / 10, 0, 1)
    lighter = colour ** (1 - 0.12 * child) if person.traits.hair_colour != "black" else colour * (1 + 0.15 * child)
    return np.clip(lighter, 0.004, 0.75).astype(np.float32)


def _grey(look: Look) -> np.ndarray:
    return to_linear(GREY_HAIR) * (0.85 + 0.35 * np.clip(look.grey, 0, 1) ** 2)
