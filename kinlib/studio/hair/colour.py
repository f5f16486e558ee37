"""Hair colour in linear RGB: the mean of head, brows and beard, and the variation between single strands.

All constants were set by eye.
"""

import numpy as np

from kinlib.studio.colour import to_linear
from kinlib.studio.person import GREY_HAIR, HAIR_COLOURS, Look, Person

__all__ = ["beard_colour", "brow_colour", "brow_strand_colours", "hair_colour", "strand_colours"]

SHADE_STEP = 0.16  # change of the logarithm of the albedo per z-score of `hair_shade`
STRAND_SPREAD, CLUMP_SPREAD = 0.16, 0.11  # standard deviations of the log albedo, between strands and between clumps


def hair_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of the hair as a whole, mixed with grey by `look.grey`."""
    share = np.clip(look.grey, 0, 1)
    return (_pigmented(person, look) * (1 - share) + _grey(look) * share).astype(np.float32)


def brow_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of brows: darker than the hair in fair people, and greying later."""
    # at most 70% of the brow hairs turn grey, and a dark grey (45% of the hair's)
    share = 0.7 * _brow_grey(look)
    return (_brow_pigment(person, look) * (1 - share) + 0.45 * _grey(look) * share).astype(np.float32)


def _brow_pigment(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of the brow hairs that are not grey."""
    base = _pigmented(person, look)
    # blond brows (mean albedo from 0.25) are 45% darker than the hair; dark ones equal it
    return (base * (1 - 0.45 * np.clip(base.mean() / 0.25, 0, 1))).astype(np.float32)


def brow_strand_colours(person: Person, look: Look, count: int, rng: np.random.Generator) -> np.ndarray:
    """Linear RGB float32 [n, 3] of single hairs of the brows."""
    light = np.exp(STRAND_SPREAD * rng.normal(size=(count, 1)))
    grey = rng.random(count) < 0.65 * _brow_grey(look)  # [n], whole hairs turn grey
    warm_grey = 0.42 * _grey(look) * np.array([1.08, 1.0, 0.90], np.float32)  # slightly warmer than scalp hair
    return (np.where(grey[:, None], warm_grey, _brow_pigment(person, look)) * light).astype(np.float32)


def _brow_grey(look: Look) -> float:
    """Grey share of the brows, 0..1; they begin when the hair is a quarter grey."""
    return float(np.clip(1.3 * look.grey - 0.35, 0, 1))


def beard_colour(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] of a beard before it greys: the hair's, redder in fair people."""
    base = _pigmented(person, look)
    # pheomelanin shows in beards: up to half of the colour is replaced by ginger of the same lightness
    fair = float(np.clip(base.mean() / 0.15, 0, 1)) * 0.5
    return (base * (1 - fair) + base.mean() * np.array([1.5, 0.72, 0.31], np.float32) * fair).astype(np.float32)


def strand_colours(
    colour: np.ndarray | None,
    person: Person,
    look: Look,
    greying: np.ndarray,
    clumps: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Linear RGB float32 [n, 3] of strands around a mean colour. A strand stands for several hairs, some of them grey.

    Args:
        colour: linear RGB of hair without grey, or None for the subject's.
        person, look: the subject.
        greying: float [n], > 0 where hair turns grey earlier than `look.grey` says (temples), < 0 where later.
        clumps: int [n], clump of each strand; a clump shares part of the variation.
        rng: randomness.
    """
    count = len(clumps)
    base = _pigmented(person, look) if colour is None else np.asarray(colour, np.float32)
    clump_light = rng.normal(size=int(clumps.max()) + 1 if count else 1)[clumps]
    light = np.exp(STRAND_SPREAD * rng.normal(size=count) + CLUMP_SPREAD * clump_light)  # [n], factor on the albedo
    warm = 0.05 * rng.normal(size=count)  # [n], hue varies by 5% between red and blue
    tint = np.stack([1 + warm, np.ones(count), 1 - warm], axis=-1)  # [n, 3]
    # [n]; the shift vanishes at grey 0 and 1, where all hair is alike
    share = np.clip(look.grey + 1.4 * greying * look.grey * (1 - look.grey), 0, 1)
    # [n, 1]; 0.24: spread between strands of one place, none while hardly a hair is grey
    mixed = np.clip(share + 0.24 * rng.normal(size=count) * np.minimum(1, 4 * share), 0, 1)[:, None]
    grey = _grey(look) * np.exp(0.14 * rng.normal(size=count))[:, None]
    return (base * light[:, None] * tint * (1 - mixed) + grey * mixed).astype(np.float32)


def _pigmented(person: Person, look: Look) -> np.ndarray:
    """Linear RGB float32 [3] before any grey; lighter in children below 13."""
    colour = to_linear(HAIR_COLOURS[person.traits.hair_colour]) * np.exp(SHADE_STEP * person.traits.hair_shade)
    child = np.clip((13 - look.age) / 10, 0, 1)
    # a power lightens fair hair more than dark hair; black has no hue to lift, so it gets a factor
    lighter = colour ** (1 - 0.12 * child) if person.traits.hair_colour != "black" else colour * (1 + 0.15 * child)
    return np.clip(lighter, 0.004, 0.75).astype(np.float32)  # albedo of the darkest and of the lightest real hair


def _grey(look: Look) -> np.ndarray:
    """Linear RGB [3] of grey hair; it whitens with the years."""
    return to_linear(GREY_HAIR) * (0.85 + 0.35 * np.clip(look.grey, 0, 1) ** 2)
