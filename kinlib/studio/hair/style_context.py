"""What a style is given to comb: a head with roots, the kind of hair that grows there, and the wishes of a look."""

from dataclasses import dataclass

import numpy as np

from kinlib.studio.hair.clumping import Curl, Locks, make_locks
from kinlib.studio.hair.hairline import head_noise
from kinlib.studio.hair.scalp import Roots
from kinlib.studio.hair.strands import unit
from kinlib.studio.person import Look, Person

__all__ = ["StyleContext", "prepare_style", "texture"]

PART_BACK = -3.5  # cm, z where a parting ends in the whorl
KINDS = (0.0, 0.3, 0.6, 1.0)  # straight, wavy, curly, coily
TEXTURES = {  # of each kind, cm
    "gather": (0.45, 0.78, 0.84, 0.70),
    "radius": (0.08, 0.85, 0.72, 0.30),
    "wavelength": (13.0, 7.5, 4.2, 1.9),
    "flatness": (0.7, 0.55, 0.10, 0.0),
    "fray": (0.11, 0.19, 0.24, 0.20),
    "even": (0.85, 0.5, 0.05, 0.0),
    "onset": (2.5, 4.0, 2.4, 1.2),
}


@dataclass(frozen=True)
class StyleContext:
    """Somebody about to be combed; arrays go along with the roots, n of them.

    Attributes:
        roots: where hair grows.
        person, look: whose, and what is wanted.
        curl: 0 straight to 1 coily, of this style.
        sides: float32 [n], -1 or 1: the side of the parting.
        smooth: float32 [n, 3], noise in about -1..1 that changes slowly over the head.
        random: float32 [n, 3], standard normal, in part the same for strands of one lock.
        top, front, back: float32 [n], 0..1: on top of the head, towards the forehead, towards the nape.
        flat: float32 [n], share of the hair's thickness; it lies low along the parting.
        locks: which strands go together.
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
    flat: np.ndarray
    locks: Locks
    rng: np.random.Generator

    def along_skin(self, directions: np.ndarray, lift: np.ndarray | float) -> np.ndarray:
        """Directions [n, 3] laid onto the skin and then raised: lift 0 lies flat, 1 stands at 45 degrees."""
        normals = self.roots.normals
        flat = directions - normals * (directions * normals).sum(axis=1, keepdims=True)
        return unit(flat) + normals * np.broadcast_to(np.asarray(lift), len(normals))[:, None]

    def full(self, value: float) -> np.ndarray:
        """The same number for every strand, float32 [n]."""
        return np.full(len(self.roots), value, np.float32)


def prepare_style(
    roots: Roots, person: Person, look: Look, curl: float, num_locks: int, rng: np.random.Generator
) -> StyleContext:
    """Look at a head before combing it, and part its hair into locks."""
    x, y, z = roots.generic.T
    smooth = head_noise(roots.generic, int(rng.integers(1 << 30)), 9.0)
    part = look.part * np.clip((z - PART_BACK) / 5, 0, 1) + 0.12 * smooth[:, 0]
    sides = np.where(x > part, 1, -1).astype(np.float32)
    locks = make_locks(roots.points, sides, num_locks, rng)
    together = rng.normal(size=(locks.count, 3)).clip(-1.6, 1.6)[locks.lock]
    share = float(np.interp(curl, KINDS, (0.6, 0.75, 0.95, 0.85)))
    own = rng.normal(size=(len(roots), 3))
    near_part = np.exp(-(((x - part) / 1.6) ** 2)) * (z > PART_BACK)
    return StyleContext(
        roots=roots,
        person=person,
        look=look,
        curl=curl,
        sides=sides,
        smooth=smooth.astype(np.float32),
        random=(share * together + np.sqrt(1 - share**2) * own).astype(np.float32),
        top=np.clip((y - 8.5) / 4, 0, 1),
        front=np.clip((z - 2) / 5, 0, 1),
        back=np.clip((-z - 1) / 5, 0, 1),
        flat=(1 - 0.6 * near_part).astype(np.float32),
        locks=locks,
        rng=rng,
    )


def texture(curl: float, **changes: float) -> Curl:
    """How hair of a kind gathers and waves; `changes` multiply single numbers of it."""
    numbers = {name: float(np.interp(curl, KINDS, values)) for name, values in TEXTURES.items()}
    return Curl(**{name: value * changes.get(name, 1.0) for name, value in numbers.items()})
