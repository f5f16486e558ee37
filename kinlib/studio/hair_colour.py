"""The colour of hair: of the whole head, of the brows, and of every single strand."""

import numpy as np

from kinlib.studio.colour import to_linear
from kinlib.studio.person import GREY_HAIR, HAIR_COLOURS, Look, Person

__all__ = ["brow_colour", "hair_colour", "strand_colours"]

SHADE_STEP = 0.16  # one z-score of shade multiplies the light by exp of this
STRAND_SPREAD, LOCK_SPREAD = 0.16, 0.11  # standard deviations of the logarithm


def hair_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of the hair as a whole, greyed by `look.grey`."""
    share = np.clip(look.grey, 0, 1)
    return (_pigmented(person, look) * (1 - share) + _grey(look) * share).astype(np.float32)


def brow_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of brows: like the hair, a little darker in fair people, and grey later."""
    base = _pigmented(person, look)
    base = base * (1 - 0.45 * np.clip(base.mean() / 0.25, 0, 1))
    share = np.clip(look.grey * 1.25 - 0.4, 0, 0.8)
    return (base * (1 - share) + 0.6 * _grey(look) * share).astype(np.float32)


def strand_colours(
    colour: np.ndarray, person: Person, look: Look, greying: np.ndarray, locks: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Linear RGB float32 [n, 3] of single strands about a colour, some of them grey.

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
    share = np.clip(look.grey * (1 + 0.0 * greying) + 0.35 * greying * 4 * look.grey * (1 - look.grey), 0, 1)
    is_grey = rng.random(count) < share
    grey = _grey(look) * np.exp(0.18 * rng.normal(size=count))[:, None]
    veil = 0.35 * share[:, None]  # pigment fades a little in all hairs before it goes
    coloured = base * light[:, None] * tint * (1 - veil) + _grey(look) * 0.7 * veil
    return np.where(is_grey[:, None], grey, coloured).astype(np.float32)


def _pigmented(person: Person, look: Look) -> np.ndarray:
    """Colour before any grey; children's is lighter."""
    colour = to_linear(HAIR_COLOURS[person.traits.hair_colour]) * np.exp(SHADE_STEP * person.traits.hair_shade)
    child = np.clip((13 - look.age) / 10, 0, 1)
    lighter = colour ** (1 - 0.12 * child) if person.traits.hair_colour != "black" else colour * (1 + 0.15 * child)
    return np.clip(lighter, 0.004, 0.75).astype(np.float32)


def _grey(look: Look) -> np.ndarray:
    return to_linear(GREY_HAIR) * (0.85 + 0.35 * np.clip(look.grey, 0, 1) ** 2)
