"""Glasses, earrings and necklaces, fitted to the nose, ears and neck of a head. Numbers were set by eye."""

from functools import lru_cache

import numpy as np

from kinlib.studio.clothing.bust import AZIMUTHS, around, load_bust
from kinlib.studio.clothing.meshes import Material, Mesh, Solid, ball, joined, sheet, solid, tube
from kinlib.studio.clothing.skin_grid import normals
from kinlib.studio.head.model import EYEBALLS, FACE, load_head
from kinlib.studio.labels import class_id
from kinlib.studio.person import Glasses, Look
from kinlib.studio.vectors import unit

__all__ = ["earrings", "glasses", "necklace"]

EYE_DISTANCE = 6.3  # cm between the eyes' centres on the generic head
LASH_ROOM = 0.75  # cm between eyeballs and lenses, for lashes and raised cheeks
SKIN_ROOM = 0.2  # cm between skin and frame
BEND = 0.022  # 1/cm, curvature of the frame: recession with the squared distance from the nose
TAPER = 0.07  # relative change of a lens' width from its middle to its top; the bottom is as much narrower
TILT = 0.10  # slope of the frame: the lower rim is nearer to the cheek
PLASTIC, METAL, GLASS = Material(0.9, 0.3), Material(1.4, 0.35), Material(1.0, 0.1)
GOLD, SILVER, PEARL = (0.83, 0.62, 0.28), (0.72, 0.72, 0.74), (0.90, 0.87, 0.82)


@lru_cache(maxsize=1)
def _places() -> dict[str, np.ndarray]:
    """Vertices int of the generic head that glasses and earrings are fitted to, by name."""
    head = load_head()
    x, y, z = np.abs(head.vertices[:, 0]), head.vertices[:, 1], head.vertices[:, 2]
    skin = head.vertex_part == FACE
    ear = (x > 7.2) & (y < 4.2) & (z < 4.5)

    def nearest(point: tuple[float, float, float]) -> np.ndarray:
        mirrored = np.array(point) * [[-1, 1, 1], [1, 1, 1]]
        gap = np.linalg.norm(head.vertices[None] - mirrored[:, None], axis=-1)
        return np.where(skin, gap, np.inf).argmin(1)

    return {
        "front": np.flatnonzero(skin & (x < 7) & (y > -1) & (y < 7) & (z > 5.5)),
        "eyeballs": np.flatnonzero(np.isin(head.vertex_part, EYEBALLS) & (z > 8.5)),
        "side": np.flatnonzero((head.vertex_part <= 1) & (x > 4.5) & (y > 2.8) & (y < 5.4) & (z > -1) & (z < 9) & ~ear),
        "ear_top": nearest((7.75, 4.3, 0.6)),  # image left, image right
        "lobe": nearest((7.65, -1.5, 1.1)),
    }


# ---------------------------------------------------------------------------------------------------------- glasses
def glasses(look: Look, vertices: np.ndarray, landmarks: np.ndarray) -> list[Solid]:
    """Frame and two lenses on the nose of a head, vertices [V, 3] with landmarks [68]; empty without glasses."""
    if look.glasses is None:
        return []
    fit = _GlassesFit(look.glasses, vertices, vertices[landmarks])
    metal = look.glasses.rim < 0.08
    frame = joined([*(fit.rim(side) for side in (-1, 1)), fit.bridge(), *(fit.temple(side) for side in (-1, 1))])
    label = class_id("eye_g")
    pieces = [solid(frame, look.glasses.colour, METAL if metal else PLASTIC, label)]
    tint = look.glasses.tint
    colour, opacity = np.array([0.28, 0.29, 0.30]) * (1 - tint) + np.array([0.16, 0.13, 0.11]) * tint, 0.07 + 0.8 * tint
    return pieces + [solid(fit.lens(side), colour, GLASS, label, opacity) for side in (-1, 1)]


class _GlassesFit:
    """Geometry of one pair of glasses on one face: vertices [V, 3], landmarks [68, 3]."""

    def __init__(self, style: Glasses, vertices: np.ndarray, marks: np.ndarray):
        eyes = np.stack([marks[36:42].mean(0), marks[42:48].mean(0)])
        distance = eyes[1, 0] - eyes[0, 0]
        self.scale = distance / EYE_DISTANCE
        self.half = np.array([style.width, style.height]) * self.scale
        self.rim_width = max(style.rim, 0.05) * (0.6 + 0.4 * self.scale)
        self.power = 2 / style.roundness
        self.vertices, self.middle_x = vertices, eyes[:, 0].mean()
        self.apart = max(0.52 * distance, self.half[0] + 0.85 * self.scale)  # cm from the midline to a lens' centre
        self.height = eyes[:, 1].mean() - 0.25 * self.scale
        self.front = self._clear(marks)

    def _clear(self, marks: np.ndarray) -> float:
        """z of the frame at the nose, cm: as close as nose, brows, cheeks and lashes allow."""
        places = _places()
        skin, balls = self.vertices[places["front"]], self.vertices[places["eyeballs"]]
        needed = [marks[27, 2] + 0.05]
        for points, room in ((skin, SKIN_ROOM), (balls, LASH_ROOM)):
            inside = self._within(points[:, 0], points[:, 1])
            needed.append(
                (points[inside, 2] + room - self._depth(points[inside, 0], points[inside, 1])).max(initial=-99)
            )
        return float(max(needed))

    def _within(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether points (x, y) [n] lie behind a lens or its rim, bool [n]."""
        up = (y - self.height) / (self.half[1] + self.rim_width)
        across = (np.abs(x - self.middle_x) - self.apart) / (self.half[0] + self.rim_width) / (1 + TAPER * up)
        return np.abs(across) ** (2 / self.power) + np.abs(up) ** (2 / self.power) < 1

    def _depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """z of the frame's surface at (x, y) [n], relative to the nose, cm."""
        return TILT * (y - self.height) - BEND * (x - self.middle_x) ** 2

    def _on_front(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Points [..., 3] on the frame's surface."""
        return np.stack([x, y, self.front + self._depth(x, y)], axis=-1)

    def _outline(self, side: int, share: np.ndarray, count: int = 40) -> np.ndarray:
        """Outlines [..., count, 3] of a lens, scaled by shares [...]."""
        angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
        waves = np.stack([np.cos(angle), np.sin(angle)])
        across, up = np.sign(waves) * np.abs(waves) ** self.power  # a superellipse
        share = np.asarray(share)[..., None]
        x = self.middle_x + side * self.apart + share * self.half[0] * across * (1 + TAPER * up)
        return self._on_front(x, self.height + share * self.half[1] * up)

    def rim(self, side: int) -> Mesh:
        """The rim of one lens; `side` is -1 for the image's left."""
        return tube(self._outline(side, np.float64(1)), self.rim_width, closed=True, sides=6)

    def bridge(self) -> Mesh:
        """The bridge: a low arch over the nose, from rim to rim."""
        along = np.linspace(-1, 1, 9)
        x = self.middle_x + along * (self.apart - self.half[0] * 0.97)
        path = self._on_front(x, self.height + (0.35 + 0.22 * (1 - along**2)) * self.half[1])
        path[:, 2] += 0.12 * (1 - along**2)
        return tube(path, self.rim_width, sides=6)

    def temple(self, side: int) -> Mesh:
        """A temple: from the rim along the side of the head over the ear, then down behind it."""
        hinge = self._on_front(self.middle_x + side * (self.apart + self.half[0]), self.height + 0.45 * self.half[1])
        ear = self.vertices[_places()["ear_top"][(side + 1) // 2]] + [0, 0.12, 0]
        depth = np.append(np.linspace(hinge[2] - 0.1, ear[2], 13), ear[2] - np.array([0.8, 1.6, 2.2]) * self.scale)
        share = np.clip((hinge[2] - depth) / (hinge[2] - ear[2]), 0, 1)
        beside = self._beside(side, depth[:13])
        x = np.maximum(side * (hinge[0] + (ear[0] - hinge[0]) * share), np.append(beside, [beside[-1] + 0.1] * 3))
        x[:2] = np.maximum(x[:2], side * hinge[0] + 0.05)
        drop = np.append(np.zeros(13), np.array([0.15, 0.6, 1.4]) * self.scale)
        path = np.column_stack([side * x, hinge[1] + (ear[1] - hinge[1]) * share - drop, depth])
        return tube(
            path, np.column_stack([np.full(16, 1.2), np.full(16, 0.8)]) * self.rim_width, sides=6, up=(0, 1, 0.1)
        )

    def _beside(self, side: int, depth: np.ndarray) -> np.ndarray:
        """Half width of the head at depths z [n], plus the thickness of a temple; [n], cm."""
        points = self.vertices[_places()["side"]]
        points = points[points[:, 0] * side > 0]
        near = np.abs(points[:, 2, None] - depth) < 0.8
        return np.where(near, side * points[:, :1], 0).max(0) + self.rim_width + 0.06

    def lens(self, side: int) -> Mesh:
        """A lens with the curvature of the frame."""
        return sheet(self._outline(side, np.array([0.0, 0.35, 0.7, 0.97])), closed=True)


# -------------------------------------------------------------------------------------------------------- jewellery
def earrings(look: Look, vertices: np.ndarray) -> list[Solid]:
    """Studs, pearls or hoops at both lobes of a head, vertices [V, 3]; empty if none are worn."""
    if not look.earrings:
        return []
    rng = np.random.default_rng([look.seed, 13])
    # probabilities by eye; children wear no hoops
    kind = rng.choice(["stud", "pearl", "hoop"], p=[0.4, 0.3, 0.3] if look.age > 13 else [0.8, 0.2, 0.0])
    size, metal = rng.uniform(0.8, 1.2), (GOLD, SILVER)[rng.integers(2)]
    meshes = []
    for side, lobe in zip((-1, 1), vertices[_places()["lobe"]], strict=True):
        hole = lobe + np.array([side * 0.08, -0.1, 0.1])
        bead = ball(hole + np.array([side * 0.1, 0, 0.1]), 0.3 * size)
        meshes.append(_hoop(hole, side, 0.85 * size) if kind == "hoop" else bead)
    return [solid(joined(meshes), PEARL if kind == "pearl" else metal, METAL, class_id("ear_r"))]


def _hoop(hole: np.ndarray, side: int, radius: float) -> Mesh:
    """A ring that hangs from a hole [3] in the lobe."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    outwards = unit(np.array([side * 0.75, 0, 0.65]))
    ring = np.cos(angle)[:, None] * [0, 1, 0] + np.sin(angle)[:, None] * outwards
    middle = hole - [0, radius - 0.1, 0] + outwards * 0.1
    return tube(middle + ring * radius, 0.09, closed=True, sides=6, up=np.cross(outwards, [0, 1, 0]))


def necklace(look: Look, vertices: np.ndarray) -> list[Solid]:
    """A chain, perhaps with a pendant, or pearls, lying on the neck of a head [V, 3]; empty if none is worn."""
    if not look.necklace:
        return []
    rng = np.random.default_rng([look.seed, 17])
    pearls, length = rng.random() < 0.3, rng.uniform(0, 1.2)
    radius = 0.30 if pearls else 0.10
    path = _on_neck(vertices, around(-11.4 - length, -10.0 - 0.3 * length, -9.0), radius + 0.06)
    metal = (GOLD, SILVER)[rng.integers(2)]
    if pearls:
        return [solid(_beads(path, radius), PEARL, Material(1.2, 0.35), class_id("neck_l"))]
    meshes = [tube(path, radius, closed=True, sides=6, up=(0, 1, 0))]
    if rng.random() < 0.6:
        meshes.append(ball(path[0] + [0, -0.35, 0.15], rng.uniform(0.28, 0.42)))
    return [solid(joined(meshes), metal, METAL, class_id("neck_l"))]


def _on_neck(vertices: np.ndarray, heights: np.ndarray, off: float) -> np.ndarray:
    """A closed line [COLUMNS, 3] around the neck at y [COLUMNS], `off` cm off the skin."""
    bust = load_bust()
    points = bust.points(vertices)
    rows, columns = bust.rows_at(heights), np.arange(len(AZIMUTHS))
    low = np.floor(rows).astype(int)
    share = (rows - low)[:, None]
    line = points[low, columns] * (1 - share) + points[np.minimum(low + 1, len(points) - 1), columns] * share
    return line + normals(points)[low, columns] * off


def _beads(path: np.ndarray, radius: float) -> Mesh:
    """Touching balls along a closed line [n, 3]."""
    steps = np.linalg.norm(np.roll(path, -1, 0) - path, axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    count = int(along[-1] / (2 * radius))
    places = np.linspace(0, along[-1], count, endpoint=False)
    closed = np.concatenate([path, path[:1]])
    return joined([ball([np.interp(p, along, closed[:, c]) for c in range(3)], radius, 6) for p in places])
