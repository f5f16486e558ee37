"""What a style is given to comb: a head with roots, the kind of hair that grows there, and the wishes of a look."""

from dataclasses import dataclass

import numpy as np

from kinlib.studio.hair_dress import Curl
from kinlib.studio.hair_line import head_noise
from kinlib.studio.hair_scalp import Roots
from kinlib.studio.person import Look, Person
from kinlib.studio.strands import unit

__all__ = ["Chair", "seat", "texture"]

PART_BACK = -3.5  # cm, z where a parting ends in the whorl
KINDS = (0.0, 0.3, 0.6, 1.0)  # straight, wavy, curly, coily
TEXTURES = {  # of each kind, cm
    "gather": (0.45, 0.62, 0.55, 0.30),
    "radius": (0.06, 0.42, 0.42, 0.20),
    "wavelength": (11.0, 6.0, 2.6, 1.05),
    "flatness": (0.7, 0.65, 0.10, 0.0),
    "fray": (0.14, 0.24, 0.26, 0.26),
    "even": (0.85, 0.75, 0.15, 0.0),
}


@dataclass(frozen=True)
class Chair:
    """Somebody about to be combed; arrays go along with the roots, n of them.

    Attributes:
        roots: where hair grows.
        person, look: whose, and what is wanted.
        curl: 0 straight to 1 coily, of this style.
        sides: float32 [n], -1 or 1: the side of the parting.
        smooth: float32 [n, 3], noise in about -1..1 that changes slowly over the head.
        random: float32 [n, 3], standard normal.
        top, front, back: float32 [n], 0..1: on top of the head, towards the forehead, towards the nape.
        rng: for whatever else is left to chance.
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
    rng: np.random.Generator

    def along_skin(self, directions: np.ndarray, lift: np.ndarray | float) -> np.ndarray:
        """Directions [n, 3] laid onto the skin and then raised: lift 0 lies flat, 1 stands at 45 degrees."""
        normals = self.roots.normals
        flat = directions - normals * (directions * normals).sum(axis=1, keepdims=True)
        return unit(flat) + normals * np.broadcast_to(np.asarray(lift), len(normals))[:, None]

    def full(self, value: float) -> np.ndarray:
        """The same number for every strand, float32 [n]."""
        return np.full(len(self.roots), value, np.float32)


def seat(roots: Roots, person: Person, look: Look, curl: float, rng: np.random.Generator) -> Chair:
    """Look at a head before combing it."""
    x, y, z = roots.generic.T
    smooth = head_noise(roots.generic, int(rng.integers(1 << 30)), 9.0)
    part = look.part * np.clip((z - PART_BACK) / 5, 0, 1) + 0.12 * smooth[:, 0]
    return Chair(
        roots=roots,
        person=person,
        look=look,
        curl=curl,
        sides=np.where(x > part, 1, -1).astype(np.float32),
        smooth=smooth.astype(np.float32),
        random=rng.normal(size=(len(roots), 3)).astype(np.float32),
        top=np.clip((y - 8.5) / 4, 0, 1),
        front=np.clip((z - 2) / 5, 0, 1),
        back=np.clip((-z - 1) / 5, 0, 1),
        rng=rng,
    )


def texture(curl: float, **changes: float) -> Curl:
    """How hair of a kind gathers and waves; `changes` multiply single numbers of it."""
    numbers = {name: float(np.interp(curl, KINDS, values)) for name, values in TEXTURES.items()}
    return Curl(**{name: value * changes.get(name, 1.0) for name, value in numbers.items()})
