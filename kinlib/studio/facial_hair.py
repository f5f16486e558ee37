"""Brows, beard and lashes."""

import numpy as np

from kinlib.studio.hair_colour import brow_colour
from kinlib.studio.person import Look, Person
from kinlib.studio.strands import Strands

__all__ = ["beard", "brow_colour", "brows", "lashes"]


def brows(person: Person, look: Look, vertices, normals, atlas, detail: float = 1.0) -> Strands | None:
    return None


def beard(person: Person, look: Look, vertices, normals, atlas, detail: float = 1.0) -> Strands | None:
    return None


def lashes(person: Person, look: Look, vertices: np.ndarray, head) -> Strands | None:
    return None
