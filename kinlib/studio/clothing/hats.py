"""Hats fitted to the skull: a knitted beanie and a cap with a visor. The hair below is flattened elsewhere (`hair`).

Numbers were set by eye.
"""

from functools import lru_cache

import numpy as np

from kinlib.studio.clothing.bust import head_width
from kinlib.studio.clothing.meshes import EXPOSED, Material, Mesh, Solid, ball, joined, sheet, solid
from kinlib.studio.clothing.skin_grid import SkinGrid, normals, sample, skin_grid
from kinlib.studio.head.model import load_head
from kinlib.studio.labels import class_id
from kinlib.studio.person import Look
from kinlib.studio.vectors import unit

__all__ = ["hat"]

COLUMNS = 120  # around the head, from the front over the person's left
ROWS = 30  # from the crown down to 125 degrees
AZIMUTHS = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False)
MIDDLE = np.array([0.0, 5.5, -0.5])  # cm, centre of the skull
LOWEST = np.radians(125)  # polar angle of the last row
BARE = ("bald", "buzz", "receding")  # styles with little hair below the hat
KNIT, TWILL = Material(0.08, 0.95, 0.012), Material(0.15, 0.85, 0.004)
# Degrees from the crown at which the edge lies: front, sides (over the ears), back.
EDGES = {"beanie": (75, 93, 116), "cap": (73, 89, 112)}


@lru_cache(maxsize=1)
def _skull() -> SkinGrid:
    """Grid [ROWS, COLUMNS] on the upper head without the ears; rows by polar angle from the crown."""
    head = load_head()
    x, y, z = head.vertices.T
    ear = (np.abs(x) > 7.15) & (y < 4.3) & (z > -2.6) & (z < 4.6)
    chosen = np.flatnonzero((head.vertex_part <= 1) & ~ear & (y > -6))
    ahead = head.vertices[chosen].astype(np.float64) - MIDDLE
    polar = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 2]), ahead[:, 1])
    flat = unit(ahead[:, [0, 2]]) * polar[:, None]  # [n, 2], azimuthal equidistant projection
    targets = np.linspace(0, LOWEST, ROWS)[:, None, None] * np.stack([np.sin(AZIMUTHS), np.cos(AZIMUTHS)], -1)
    return skin_grid(chosen, flat, targets)


def _edge(kind: str) -> np.ndarray:
    """Fractional rows [COLUMNS] of a hat's lower edge."""
    front, side, back = EDGES[kind]
    cosine = np.cos(AZIMUTHS)
    degrees = side + np.where(cosine > 0, front - side, back - side) * np.abs(cosine) ** 1.5
    return np.radians(degrees) / LOWEST * (ROWS - 1)


def hat(look: Look, vertices: np.ndarray) -> list[Solid]:
    """The hat of a look on a head, vertices [V, 3]; empty without one."""
    if look.hat is None:
        return []
    rng = np.random.default_rng([look.seed, 19])
    skull = _skull().points(vertices)
    scale = head_width(vertices) / 14.7
    # hair below the hat: 0.3 cm for short styles, 0.55 cm for others
    meshes = {"beanie": _beanie, "cap": _cap}[look.hat](skull, 0.3 if look.hair_style in BARE else 0.55, scale, rng)
    material = KNIT if look.hat == "beanie" else TWILL
    return [
        solid(mesh, np.array(look.hat_colour) * shade * EXPOSED, material, class_id("hat")) for mesh, shade in meshes
    ]


def _shell(skull: np.ndarray, edge: np.ndarray, share: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Points [n, COLUMNS, 3] at shares [n] of the way from crown to edge, `off` ([n] or [n, COLUMNS]) cm out."""
    rows = np.asarray(share)[:, None] * edge
    columns = np.broadcast_to(np.arange(COLUMNS) + 0.0, rows.shape)
    outward = unit(sample(_outward(skull), rows, columns))
    off = np.asarray(off, np.float64)
    return sample(skull, rows, columns) + outward * (off[:, None] if off.ndim == 1 else off)[..., None]


def _outward(skull: np.ndarray) -> np.ndarray:
    """Outward unit vectors [ROWS, COLUMNS, 3]; at the crown, where all columns meet, their mean."""
    outward = normals(skull)
    outward[0] = unit(outward[1].mean(0))
    return outward


def _beanie(skull: np.ndarray, hair: float, scale: float, rng: np.random.Generator) -> list[tuple[Mesh, float]]:
    """A knitted hat with a turned-up cuff and slack at the crown; meshes with a factor on the colour."""
    edge, slack = _edge("beanie"), rng.uniform(0.8, 1.8) * scale
    ribs = 0.05 * np.cos(40 * AZIMUTHS)  # cm, 40 ribs
    share = np.linspace(0, 0.75, 16)
    body = hair + 0.35 + slack * np.clip(1 - share / 0.6, 0, 1) ** 1.2 * (1 - 0.25 * np.exp(-((share / 0.08) ** 2)))
    crown = _shell(skull, edge, share, body[:, None] + ribs * np.clip(share * 4, 0, 1)[:, None])
    crown[:, :, 2] -= 0.5 * slack * np.clip(1 - share / 0.6, 0, 1)[:, None]
    # profile of the cuff: share of the way to the edge, cm off the skull
    share, off = np.array(
        [
            [0.68, 0.30],
            [0.665, 0.55],
            [0.675, 0.72],
            [0.72, 0.80],
            [0.85, 0.80],
            [0.97, 0.74],
            [1.0, 0.6],
            [1.005, 0.3],
            [0.98, -0.1],
        ]
    ).T
    off = np.where(off < 0, off, hair * np.clip(1.6 - 0.8 * share, 0.4, 1) + off)
    cuff = _shell(skull, edge, share, off[:, None] + 1.4 * ribs * (off > 0.4)[:, None])
    return [(sheet(crown, closed=True), 1.0), (sheet(cuff, closed=True), rng.choice([0.93, 0.8]))]


def _cap(skull: np.ndarray, hair: float, scale: float, rng: np.random.Generator) -> list[tuple[Mesh, float]]:
    """A cap of six panels with a button and a curved visor; meshes with a factor on the colour."""
    edge = _edge("cap")
    share = np.array([0, 0.03, *np.linspace(0.08, 0.95, 18), 0.985, 1.0, 0.98])
    off = hair + 0.25 + 0.55 * scale * np.sin(np.pi * np.clip(share, 0, 1) ** 0.8)
    off[-2:] = 0.25, -0.15
    seam = np.abs(np.cos(3 * AZIMUTHS)) > 0.985  # six seams
    high = 0.7 * scale * np.clip(np.cos(AZIMUTHS), 0, 1) ** 2 * np.sin(np.pi * np.clip(share, 0, 1))[:, None]
    crown = _shell(skull, edge, share, off[:, None] + high - 0.05 * seam)
    button = ball(crown[0].mean(0), 0.45 * scale)
    return [(joined([sheet(crown, closed=True), button]), 1.0), (_visor(skull, edge, scale), rng.choice([1.0, 0.75]))]


def _visor(skull: np.ndarray, edge: np.ndarray, scale: float) -> Mesh:
    """A plate from the front edge forwards and slightly down, upper and lower side."""
    reach = 24  # columns to both sides
    across = np.linspace(-1, 1, 2 * reach + 1)
    columns = np.arange(-reach, reach + 1) + 0.0
    root = sample(skull, np.take(edge, np.arange(-reach, reach + 1), mode="wrap") - 0.3, columns)
    root = root + unit(root - MIDDLE) * 0.1
    out = np.linspace(0, 1, 9)[:, None]
    length = 6.3 * scale * np.sqrt(np.clip(1 - across**2, 0, 1)) ** 0.8  # cm, [columns], an ellipse seen from above
    plate = np.repeat(root[None], 9, axis=0)
    plate[..., 2] += out * length
    plate[..., 0] *= 1 - 0.06 * out
    # slopes down by 34%, and bends down by 0.6 cm in the middle of the front
    plate[..., 1] -= out * length * 0.34 - 0.6 * scale * np.sin(np.pi * out / 2) * (1 - across**2)
    under = plate - [0, 0.22 * scale, 0]
    loop = np.concatenate([plate, under[::-1], plate[:1]])
    return sheet(loop)
