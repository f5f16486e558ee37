"""The input of every hair style: roots on a head, per-strand position and noise, and the curl of the hair.

`prepare_style` computes it once per head; the styles in `loose` and `tied` read it.
"""

from dataclasses import dataclass

import numpy as np

from kinlib.studio.hair.clumping import Clumps, Curl, make_clumps
from kinlib.studio.hair.hairline import head_noise
from kinlib.studio.hair.scalp import Roots
from kinlib.studio.person import Look, Person
from kinlib.studio.vectors import unit

__all__ = ["StyleContext", "curl_parameters", "prepare_style"]

PART_BACK = -3.5  # cm, z at which a parting ends in the whorl of the crown
KINDS = (0.0, 0.3, 0.6, 1.0)  # curl of straight, wavy, curly and coily hair
# Values of `Curl` at each of `KINDS`, set by eye; linear in between. Lengths in cm, shares in 0..1.
CURL_PARAMETERS = {
    "gather": (0.45, 0.78, 0.84, 0.70),  # share; wavy and curly hair clumps most
    "radius": (0.08, 0.85, 0.72, 0.30),  # cm; straight hair keeps a slight bend
    "wavelength": (13.0, 7.5, 4.2, 1.9),  # cm along the strand
    "flatness": (0.7, 0.55, 0.10, 0.0),  # share; waves are flat, coils are helices
    "frizz": (0.11, 0.19, 0.24, 0.20),  # cm at the tip
    "even": (0.85, 0.5, 0.05, 0.0),  # share; straight hair moves as one sheet, curls do not
    "onset": (2.5, 4.0, 2.4, 1.2),  # cm; coils begin nearest to the root
}


@dataclass(frozen=True)
class StyleContext:
    """What a style may depend on; n is the number of roots.

    Attributes:
        roots: where the strands leave the skin.
        person, look: the subject and the style that is asked for.
        curl: 0 straight to 1 coily: the larger of the subject's own and the style's.
        sides: float32 [n], -1 or 1: the side of the parting.
        smooth: float32 [n, 3], noise in about -1..1 that varies slowly over the head.
        random: float32 [n, 3], standard normal, correlated within a clump.
        top, front, back: float32 [n], 0..1: on top of the head, towards the forehead, towards the nape.
        flat: float32 [n], 0.4..1, factor on the hair's thickness; below 1 along the parting.
        clumps: which strands belong together.
        rng: source of all further randomness of the style.
    """

    roots: Roots
    person: Person
    look: Look
    curl: float
    sides: np.ndarray
    smooth: np.ndarray
    random: np.ndarray
    top: np.ndarray
    front: np.ndarray
    back: np.ndarray
    flat: np.ndarray
    clumps: Clumps
    rng: np.random.Generator

    def along_skin(self, directions: np.ndarray, lift: np.ndarray | float) -> np.ndarray:
        """Directions [n, 3] projected onto the skin and raised: lift 0 is tangential, 1 stands at 45 degrees."""
        normals = self.roots.normals
        flat = directions - normals * (directions * normals).sum(axis=1, keepdims=True)  # [n, 3], tangential part
        return unit(flat) + normals * np.broadcast_to(np.asarray(lift), len(normals))[:, None]

    def full(self, value: float) -> np.ndarray:
        """A constant array, float32 [n]."""
        return np.full(len(self.roots), value, np.float32)


def prepare_style(
    roots: Roots, person: Person, look: Look, curl: float, num_clumps: int, rng: np.random.Generator
) -> StyleContext:
    """Compute the context of a style.

    Args:
        roots: n roots on the subject's scalp.
        person, look: the subject; `look.part` places the parting.
        curl: 0 straight to 1 coily.
        num_clumps: how many clumps the strands are grouped into.
        rng: source of randomness.
    """
    x, y, z = roots.generic.T
    # wavelength 9 cm: about two periods from ear to ear
    smooth = head_noise(roots.generic, int(rng.integers(1 << 30)), 9.0)
    # the parting runs to the middle over the last 5 cm before PART_BACK, and meanders by about a millimetre
    part = look.part * np.clip((z - PART_BACK) / 5, 0, 1) + 0.12 * smooth[:, 0]
    sides = np.where(x > part, 1, -1).astype(np.float32)
    clumps = make_clumps(roots.points, sides, num_clumps, rng)
    # clipped at 1.6 sd, so that no clump sticks out
    together = rng.normal(size=(clumps.count, 3)).clip(-1.6, 1.6)[clumps.index]
    # correlation within a clump: 0.6 for straight hair to 0.95 for curls, by eye
    share = float(np.interp(curl, KINDS, (0.6, 0.75, 0.95, 0.85)))
    own = rng.normal(size=(len(roots), 3))
    # 1.6 cm: half width of the flattened strip along the parting
    near_part = np.exp(-(((x - part) / 1.6) ** 2)) * (z > PART_BACK)
    return StyleContext(
        roots=roots,
        person=person,
        look=look,
        curl=curl,
        sides=sides,
        smooth=smooth.astype(np.float32),
        random=(share * together + np.sqrt(1 - share**2) * own).astype(np.float32),  # keeps variance 1
        top=np.clip((y - 8.5) / 4, 0, 1),  # y from 8.5 cm (above the temples) to 12.5 cm
        front=np.clip((z - 2) / 5, 0, 1),  # z from 2 cm (before the ears) to 7 cm
        back=np.clip((-z - 1) / 5, 0, 1),  # z from -1 cm to -6 cm
        flat=(1 - 0.6 * near_part).astype(np.float32),  # hair is 60% thinner at the parting itself
        clumps=clumps,
        rng=rng,
    )


def curl_parameters(curl: float, **changes: float) -> Curl:
    """`Curl` of hair with a curl of 0..1; `changes` are factors on single fields of it."""
    numbers = {name: float(np.interp(curl, KINDS, values)) for name, values in CURL_PARAMETERS.items()}
    return Curl(**{name: value * changes.get(name, 1.0) for name, value in numbers.items()})
