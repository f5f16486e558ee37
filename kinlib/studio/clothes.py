"""Clothes: what a portrait shows of them, from the neckline over the shoulders to the chest.

Every garment is a sheet that lies on the torso (see `bust`), begins at its own neckline, and is finished there by a
band, a collar or a hood. Necklines are heights on the generic neck, so that they sit alike on every neck.
"""

import numpy as np

from kinlib.studio.bust import AZIMUTHS, COLUMNS, ROWS, around, load_bust, normals, sample, torso
from kinlib.studio.labels import class_id
from kinlib.studio.person import Look, Person
from kinlib.studio.wear import Material, Mesh, Solid, joined, sheet, solid, tube

__all__ = ["clothes"]

FABRIC = {
    "t-shirt": Material(0.15, 0.85, 0.004),
    "crew": Material(0.10, 0.95, 0.016),
    "v-neck": Material(0.12, 0.9, 0.012),
    "collar": Material(0.2, 0.8, 0.003),
    "hoodie": Material(0.10, 0.95, 0.010),
}
BODY_ROWS = 44
LOOSE = 0.28  # cm between skin and cloth


def clothes(person: Person, look: Look, vertices: np.ndarray) -> list[Solid]:
    """What the person wears over the shoulders, for vertices [V, 3] of the unturned head."""
    rng = np.random.default_rng(look.seed + 11)
    bust = load_bust()
    head_width = float(np.ptp(vertices[:, 0][_ears()]))
    form = torso(bust.points(vertices), person, look.age, head_width)
    pieces = _PIECES[look.clothes](form, bust, person, rng)
    paint = _Paint(look, rng)
    return [solid(mesh, paint.colours(mesh[0], part), FABRIC[look.clothes], class_id("cloth")) for part, mesh in pieces]
