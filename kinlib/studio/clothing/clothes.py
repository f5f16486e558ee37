"""Clothes from the neckline to the chest, as far as a portrait shows them.

Every garment is a sheet on the torso (see `bust`) that begins at its neckline, with a band, a collar or a hood there.
Necklines are heights (y in cm) on the generic neck, so that they sit alike on every neck. Numbers were set by eye.
"""

from collections.abc import Callable

import numpy as np

from kinlib.studio.clothing.bust import AZIMUTHS, COLUMNS, ROWS, Bust, around, head_width, load_bust, torso
from kinlib.studio.clothing.meshes import EXPOSED, Material, Mesh, Solid, ball, joined, sheet, solid, tube
from kinlib.studio.clothing.skin_grid import normals, sample
from kinlib.studio.head.model import BUST
from kinlib.studio.labels import class_id
from kinlib.studio.person import Look, Person
from kinlib.studio.vectors import unit

__all__ = ["clothes"]

FABRIC = {  # specular, roughness, bump in cm
    "t-shirt": Material(0.15, 0.85, 0.004),
    "crew": Material(0.10, 0.95, 0.014),
    "v-neck": Material(0.12, 0.90, 0.010),
    "collar": Material(0.20, 0.80, 0.003),
    "hoodie": Material(0.10, 0.95, 0.008),
}
BODY_ROWS = 64  # rows of the sheet
LOOSE = 0.28  # cm between skin and cloth
BLOUSING = 0.45  # cm more below the neck, where the model's skin ends raggedly
CLEAR = BUST + 1.0  # cm, lowest y of a neckline: 1 cm above the ragged lower border of the mesh

Profile = tuple[tuple[float, float], ...]  # cm below the neckline, cm off the skin
Part = tuple[str, Mesh]


def clothes(person: Person, look: Look, vertices: np.ndarray) -> list[Solid]:
    """The garment of `look.clothes`, for vertices [V, 3] of the unrotated head, and its colours."""
    rng = np.random.default_rng([look.seed, 11])
    pattern = str(rng.choice(["plain", "stripes", "trim"], p=_PATTERNS[look.clothes]))
    fit = _TorsoFit(person, look, vertices, rng, fine=2 if pattern == "stripes" else 1)
    paint = _paint(look, pattern, rng)
    fabric, label = FABRIC[look.clothes], class_id("cloth")
    return [solid(mesh, paint(part, mesh[0]), fabric, label) for part, mesh in _GARMENTS[look.clothes](fit)]


class _TorsoFit:
    """Sheets on one torso; `fine` subdivides the body's columns, for stripes with sharp edges."""

    def __init__(self, person: Person, look: Look, vertices: np.ndarray, rng: np.random.Generator, fine: int):
        self.person, self.look, self.rng, self.fine = person, look, rng, fine
        self.bust: Bust = load_bust()
        self.form = torso(self.bust.points(vertices), person, look.age, head_width(vertices))
        self.outward = normals(self.form)
        self.per_cm = (ROWS - 1) / (self.bust.heights[0] - self.bust.heights[-1])  # rows, [COLUMNS]
        self.folds = rng.uniform(0, 2 * np.pi, 6)

    def rows_at(self, heights: np.ndarray) -> np.ndarray:
        """Fractional rows [COLUMNS] of a neckline."""
        return self.bust.rows_at(np.maximum(heights, CLEAR))

    def body(self, neckline: np.ndarray, loose: float = LOOSE) -> Mesh:
        """The cloth below a neckline (y [COLUMNS]); its upper edge lies inside the skin, so that no gap shows."""
        columns = np.arange(0, COLUMNS, 1 / self.fine)
        start, per_cm = (_between(values, columns) for values in (self.rows_at(neckline), self.per_cm))
        down = np.linspace(0, 1, BODY_ROWS)[:, None]
        rows = start + down * (len(self.form) - 1.01 - start)  # [BODY_ROWS, n], fractional rows of the torso
        points = sample(self.form, rows, columns)  # [BODY_ROWS, n, 3]
        outward = normals(points)
        away = loose + BLOUSING * np.clip((rows - ROWS + 10) / 10, 0, 1)
        fold = self._fold(down, columns * (2 * np.pi / COLUMNS))
        points = points + outward * away[..., None] + outward * [1, 0, 1] * fold[..., None]
        inside = self.lay(start + 0.6 * per_cm, columns, np.full(len(columns), -0.3))
        return sheet(np.concatenate([inside[None], points]), closed=True)

    def _fold(self, down: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
        """Height in cm of folds that run outwards from the neck and deepen with the distance."""
        bend = 3 * np.sin(3 * down + self.folds[0])
        # 3, 7 and 11 folds around the neck, bent on their way
        waves = (np.sin(k * azimuth + bend * (1 + 0.1 * k) + self.folds[n]) for n, k in ((1, 3), (2, 7), (3, 11)))
        return 0.16 * np.clip(down * 2.5, 0, 1) * np.maximum(sum(waves), -0.6)

    def strip(self, neckline: np.ndarray, profile: Profile) -> Mesh:
        """A band around the neck: a profile swept along the neckline."""
        start, columns = self.rows_at(neckline), np.arange(COLUMNS) + 0.0
        below, off = np.array(profile).T
        rows = start + below[:, None] * self.per_cm
        return sheet(self.lay(rows, columns, np.broadcast_to(off[:, None], rows.shape)), closed=True)

    def lay(self, rows: np.ndarray, columns: np.ndarray, off: np.ndarray) -> np.ndarray:
        """Points [..., 3] at fractional rows and columns [...] of the torso, `off` cm above it."""
        outward = unit(sample(self.outward, rows, columns))
        return sample(self.form, rows, columns) + outward * np.asarray(off)[..., None]


def _between(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Values [COLUMNS] around the neck at fractional columns [n]."""
    return np.interp(columns, np.arange(COLUMNS), values, period=COLUMNS)


def _band(width: float, thick: float) -> Profile:
    """The profile of a band, `width` x `thick` cm: out of the skin, flat, down to the cloth."""
    top = LOOSE + thick
    return (
        (0.3, -0.25),
        (-0.02, 0.02),
        (-0.10, 0.5 * top),
        (0.02, 0.9 * top),
        (0.25, top),
        (width - 0.2, top),
        (width, top - 0.15),
        (width + 0.02, 0.1),
    )


def _t_shirt(fit: _TorsoFit) -> list[Part]:
    """A round neckline, deeper in women."""
    scoop = 0.0 if fit.person.male or fit.look.age < 12 else fit.rng.uniform(0, 1.6)
    line = around(-12.6 - scoop, -10.3 - 0.5 * scoop, -9.7)
    return [("body", fit.body(line)), ("band", fit.strip(line, _band(1.5, 0.06)))]


def _crew(fit: _TorsoFit) -> list[Part]:
    """A sweater with a high ribbed neckline."""
    line = around(-11.7, -9.9, -9.2)
    return [("body", fit.body(line, 0.4)), ("band", fit.strip(line, _band(2.0, 0.3)))]


def _v_neck(fit: _TorsoFit) -> list[Part]:
    """A sweater with a V of 4 to 6 cm."""
    depth = fit.rng.uniform(4.0, 6.0)
    line = _v_line(-10.2, -9.5, depth, 75)
    return [("body", fit.body(line)), ("band", fit.strip(line, _band(1.6, 0.10)))]


def _v_line(side: float, back: float, depth: float, reach: float) -> np.ndarray:
    """y [COLUMNS] of a neckline with a V of `depth` cm in front that begins `reach` degrees to both sides."""
    across = np.abs(np.sin(AZIMUTHS)) / np.sin(np.radians(reach))
    front = (np.cos(AZIMUTHS) > 0) & (across < 1)
    return around(side, side, back) - np.where(front, depth * (1 - across), 0)


def _shirt(fit: _TorsoFit) -> list[Part]:
    """A shirt with a collar, open or closed."""
    is_open = fit.rng.random() < 0.6
    line = _v_line(-10.2, -9.7, 4.5, 55) if is_open else around(-11.2, -10.1, -9.7)
    seam = around(-11.3 if is_open else -11.0, -10.1, -9.7)
    collar = _collar(fit, seam, 30 if is_open else 5)
    return [("body", fit.body(line)), ("collar", collar), *_placket(fit, line)]


def _collar(fit: _TorsoFit, seam: np.ndarray, opening: float) -> Mesh:
    """A collar: a stand with a leaf folded over it, open in front by `opening` degrees to both sides."""
    place = np.linspace(-1, 1, 73)  # from the person's left front around the back
    front = np.clip((np.abs(place) - 0.5) / 0.5, 0, 1)  # 0 behind, 1 at the front ends
    stand, leaf = 2.1 - 0.6 * front, 3.4 + 1.9 * front**2  # cm
    # columns by which the points of the leaf lean outwards: 24 degrees
    spread = -np.sign(place) * front**2 * 24 / 360 * COLUMNS
    column = COLUMNS / 2 + place * (0.5 - opening / 360) * COLUMNS
    row, per_cm = _between(fit.rows_at(seam), column), _between(fit.per_cm, column)
    above, share, away = np.array(_COLLAR).T[..., None]
    rows = row + per_cm * (share * leaf - above * stand)
    return sheet(fit.lay(rows, column + share * spread, np.broadcast_to(away, rows.shape)))


# Profile of the collar: share of the stand above the seam, share of the leaf below the fold, cm off the skin.
_COLLAR = (
    (-0.1, 0.0, 0.10),
    (0.5, 0.0, 0.20),
    (0.95, 0.0, 0.36),
    (1.05, 0.0, 0.50),
    (1.0, 0.05, 0.66),
    (1.0, 0.3, 0.84),
    (1.0, 0.6, 0.88),
    (1.0, 0.85, 0.84),
    (1.0, 1.0, 0.78),
    (1.0, 0.97, 0.58),
)


def _placket(fit: _TorsoFit, line: np.ndarray) -> list[Part]:
    """The button strip in front, with three buttons."""
    start = fit.rows_at(line)[0] + 0.3
    rows = np.linspace(start, len(fit.form) - 1.01, 30)[:, None]
    across, away = np.array([[-2.9, 0.1], [-2.7, 0.5], [0.0, 0.52], [2.7, 0.5], [2.9, 0.1]]).T
    rows, across, away = np.broadcast_arrays(rows, across, away)
    spots = fit.lay(start + np.array([1.6, 11.0, 20.0]), np.zeros(3), np.full(3, 0.52))
    buttons = joined([ball(spot, 0.42, 10) for spot in spots])
    return [("placket", sheet(fit.lay(rows, across, away))), ("button", buttons)]


def _hoodie(fit: _TorsoFit) -> list[Part]:
    """A hooded sweater with cords."""
    line = around(-12.2, -10.2, -9.6)
    parts = [("body", fit.body(line, 0.45)), ("band", fit.strip(line, _band(0.8, 0.25)))]
    return [*parts, ("hood", _hood(fit)), ("cord", _cords(fit))]


def _hood(fit: _TorsoFit) -> Mesh:
    """The hood around the neck: a soft roll, thick behind, whose ends meet in front."""
    place = np.linspace(-1, 1, 73)
    column = COLUMNS / 2 + place * 176 / 360 * COLUMNS
    behind = np.cos(np.pi / 2 * place) ** 0.8
    thick = 0.55 + 0.95 * behind
    middle = fit.lay(_between(fit.rows_at(around(-13.0, -10.6, -9.6)), column), column, 0.45 + thick * 0.8)
    middle[:, 1] += 0.35 * behind
    lumps = 1 + 0.06 * np.sin(5 * np.pi * place + fit.folds[0])
    return tube(middle, np.column_stack([thick * 1.25 * lumps, thick * lumps]), sides=12, up=(0.0, 1.0, 0.02))


def _cords(fit: _TorsoFit) -> Mesh:
    """Two cords hanging from the hood."""
    drop = np.linspace(0, 1, 12)
    cords = []
    for side in (-1, 1):
        length = fit.rng.uniform(0.8, 1.0)
        rows = fit.rows_at(around(-13.2, -10, -9))[0] + drop * 20 * length
        columns = side * (2.6 + 1.5 * np.sin(2 * drop))
        cords.append(tube(fit.lay(rows, columns, np.full(12, 0.85)), 0.2, up=(0, 0, 1)))
    return joined(cords)


_GARMENTS: dict[str, Callable[[_TorsoFit], list[Part]]] = {
    "t-shirt": _t_shirt,
    "crew": _crew,
    "v-neck": _v_neck,
    "collar": _shirt,
    "hoodie": _hoodie,
}


def _paint(look: Look, pattern: str, rng: np.random.Generator) -> Callable[[str, np.ndarray], np.ndarray]:
    """The colouring of a garment: (part, vertices [v, 3]) -> sRGB [v, 3] or [3]."""
    colour = np.array(look.clothes_colour) * EXPOSED
    pale = colour.mean() > 0.5
    second = np.clip(colour * 0.6 if pale else colour * 0.45 + 0.4, 0, 0.85)
    period, balance = rng.uniform(2.4, 4.4), rng.uniform(-0.8, 0.8)  # of stripes: cm, and the balance of their widths

    def paint(part: str, vertices: np.ndarray) -> np.ndarray:
        if part == "body" and pattern == "stripes":
            # stripes follow the slope of the shoulders beyond x = 7 cm
            level = vertices[:, 1:2] - 0.4 * np.maximum(np.abs(vertices[:, :1]) - 7, 0)
            share = np.clip(np.cos(2 * np.pi * level / period) * 2.5 + 0.5 + balance, 0, 1)
            return colour + (second - colour) * share * 0.8
        if part == "button" or (pattern == "trim" and part in ("band", "collar", "cord")):
            return second
        if part == "cord":
            return np.array([0.72, 0.71, 0.69]) if not pale else colour * 0.7
        return colour * (0.94 if part in ("band", "placket") else 1.0)

    return paint


_PATTERNS = {  # probabilities of plain, stripes, trim
    "t-shirt": (0.6, 0.2, 0.2),
    "crew": (0.75, 0.15, 0.10),
    "v-neck": (0.85, 0.05, 0.10),
    "collar": (0.9, 0.0, 0.1),
    "hoodie": (0.8, 0.0, 0.2),
}
