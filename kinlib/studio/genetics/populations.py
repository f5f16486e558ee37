"""Five synthetic founder populations.

They represent no human population. They exist because facial traits are correlated (skin, hair, eyes, and the
proportions of nose, lips and lids vary together), and fairness can only be tested across such groups. Differences come
from three sources: drift of all loci (Balding and Nichols, Genetica 1995), small shifts of the many loci behind the
traits in `MEANS`, and the loci with dominance in `LOCI`. In shape and proportions the variance within a population
exceeds the variance between them.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["FST", "LOCI", "MEANS", "POPULATIONS", "Locus", "drifted", "shifted"]

POPULATIONS = ("amber", "birch", "cedar", "dune", "ember")
FST = 0.05
"""Share of the allele frequencies' variance that lies between populations, at loci that only drift."""

LEAST_FREQUENCY = 0.01  # of either allele, so that drift alone fixes no locus

# Population means in standard deviations of the pooled liability, in the order of `POPULATIONS`; rows are centred
# before use. Set by hand.
MEANS = {
    "melanin": (-0.40, -1.10, -0.35, 0.45, 1.40),
    "redness": (-0.20, 0.50, 0.10, -0.10, -0.30),
    "hair_curl": (-1.00, -0.35, 0.10, 0.00, 1.25),
    "hair_shade": (-0.10, 0.40, 0.00, -0.10, -0.20),
    "beard": (-0.60, 0.20, 0.55, 0.25, -0.40),
    "brow": (-0.30, -0.25, 0.45, 0.35, -0.25),
    "nose_width": (0.15, -0.60, -0.35, -0.10, 0.90),
    "nose_bridge": (-0.75, 0.60, 0.60, 0.20, -0.65),
    "nose_length": (-0.30, 0.20, 0.45, 0.10, -0.45),
    "lip_fullness": (-0.05, -0.65, -0.20, 0.10, 0.80),
    "mouth_width": (-0.25, -0.15, 0.00, 0.05, 0.35),
    "lid_fold": (1.10, -0.40, -0.35, -0.25, -0.10),
    "eye_depth": (-0.60, 0.40, 0.35, 0.10, -0.25),
    "eye_size": (-0.25, -0.05, 0.10, 0.35, -0.15),
    "eye_tilt": (0.40, -0.20, -0.10, -0.10, 0.00),
    "face_width": (0.65, -0.15, -0.30, -0.30, 0.10),
    "cheekbones": (0.50, -0.25, -0.10, -0.20, 0.05),
    "brow_ridge": (-0.45, 0.25, 0.30, -0.05, -0.05),
    "jaw_width": (0.20, 0.15, -0.10, -0.25, 0.00),
}


@dataclass(frozen=True)
class Locus:
    """A locus with a Mendelian effect.

    Attributes:
        name: of the allele written 1.
        chromosome: 1 to 22.
        position: Morgans from its start.
        frequencies: of that allele, in the order of `POPULATIONS`.
    """

    name: str
    chromosome: int
    position: float
    frequencies: tuple[float, float, float, float, float]


LOCI = (
    # dominant and epistatic: brown eyes whatever the others are
    Locus("iris_dark", 15, 0.30, (0.97, 0.20, 0.65, 0.93, 0.98)),
    Locus("iris_deep", 5, 1.05, (0.80, 0.08, 0.30, 0.65, 0.90)),  # dominant: the darker of two
    Locus("iris_green", 19, 0.50, (0.10, 0.20, 0.45, 0.30, 0.10)),  # dominant: shows where iris_dark is missing
    Locus("hair_black", 1, 1.20, (0.96, 0.15, 0.55, 0.90, 0.97)),  # dominant
    Locus("hair_deep", 9, 0.80, (0.80, 0.30, 0.35, 0.65, 0.85)),  # dominant: the darker of two
    Locus("hair_fair", 12, 0.60, (0.10, 0.70, 0.35, 0.10, 0.10)),  # recessive: blond for light
    Locus("hair_red", 16, 0.95, (0.01, 0.30, 0.08, 0.02, 0.01)),  # recessive: shows where hair_black is missing
    Locus("hair_coil", 17, 0.40, (0.03, 0.18, 0.35, 0.30, 0.90)),  # incompletely dominant
    Locus("freckles", 4, 1.50, (0.08, 0.40, 0.18, 0.06, 0.05)),  # dominant
    Locus("cleft_chin", 3, 0.70, (0.05, 0.15, 0.18, 0.10, 0.06)),  # dominant
    Locus("free_lobes", 2, 2.10, (0.35, 0.55, 0.50, 0.50, 0.60)),  # dominant
)


def drifted(ancestral: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Allele frequencies [5, L] after drift from ancestral ones [L] (Balding-Nichols model with `FST`)."""
    spread = (1 - FST) / FST
    frequencies = rng.beta(ancestral * spread, (1 - ancestral) * spread, (len(POPULATIONS), len(ancestral)))
    return frequencies.clip(LEAST_FREQUENCY, 1 - LEAST_FREQUENCY)


def shifted(frequencies: np.ndarray, effects: np.ndarray, change: float) -> np.ndarray:
    """Frequencies [K] shifted on the logit scale in proportion to their effects, so that 2 * sum(f * e) gains `change`.

    Raises:
        ValueError: if no frequencies reach that change.
    """
    rising = (effects > 0) == (change > 0)
    room = np.where(rising, 1 - frequencies, frequencies)
    if 2 * (room * np.abs(effects)).sum() <= abs(change):
        raise ValueError(f"{len(effects)} loci cannot change a trait's mean by {change:.2f}")
    logits, weights = np.log(frequencies / (1 - frequencies)), effects / np.abs(effects).mean()
    target = 2 * frequencies @ effects + change
    low, high = -50.0, 50.0
    for _ in range(60):  # bisection
        middle = (low + high) / 2
        moved = 1 / (1 + np.exp(-(logits + middle * weights)))
        low, high = (middle, high) if 2 * moved @ effects < target else (low, middle)
    return moved
