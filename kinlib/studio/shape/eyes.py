"""Eyes that stay eyes: eyeballs keep their form, turn with the gaze, and lids lie on them.

Whatever a field or an expression does to the face, the eyeball takes only its best similarity (move and size). Lids
slide over it: what lay on the eyeball in the generic head keeps its distance to it, cornea included. Expressions that
close the eye are scaled by how far it is open, so that a blink shuts small and large eyes alike.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kinlib.studio.head.model import EYE_SOCKETS, EYEBALLS, FACE, LASHES, TEARS, HeadModel, load_head

__all__ = [
    "Eye",
    "EyeballPose",
    "attach_lashes",
    "enlarge_behind_cornea",
    "fit",
    "lid_displacements",
    "load_eyes",
    "openings",
    "place_eye",
    "relax_lids",
    "rotation",
]

LYING, FREE = 0.15, 0.45  # cm from the eyeball: up to here skin lies on it, from here it takes no notice
MARGIN = 0.12  # cm above or below the eyeball's surface: the edge of a lid
LASH_SHEETS = 6  # of equally many vertices each
USUAL, SPREAD = 0.98, 0.24  # opening of an eye at rest as a share of the generic one, and how far it may be off
CORNEA = 1.75  # cm, its distance from the eyeball's centre
REACH = 3.2  # cm from the eyeball's centre
SLACK = 0.05  # cm, added to openings so that nearly closed eyes have no wild ratios
PARALLEL = 2.0  # degrees that the modelled eyeballs turn inwards to look at a camera
KNOTS = np.linspace(-1, 1, 81)  # cosines from the eyeball's axis
LIDS = (((43, 47), (44, 46)), ((38, 40), (37, 41)))  # landmarks of the lids, upper and lower, inner pair first
CANTHI = ((42, 45), (39, 36))  # inner, outer


@dataclass(frozen=True, eq=False)
class Eye:
    """One eye of the generic head.

    Attributes:
        side: "L" or "R", the person's.
        centre: float32 [3], of the eyeball.
        axis: float32 [3], unit vector through the cornea.
        ball: int [n], its vertices; offsets: float32 [n, 3], from the centre.
        lids: int [m], what may lie on the eyeball; clearance: float32 [m], cm above it; hold: float32 [m, 1], 1 for
            what lies on it, 0 for what is free.
        surface: float32 [81], radius of the eyeball at the cosines `KNOTS` from its axis.
        lashes: int [l]; roots: int [l], the places among `lids` where they stand.
        pairs: int [2, 2], vertices of the upper and lower lid, at the inner and at the outer third.
        gaps: float32 [2], cm between them.
        across: float32 [V], 0 at the inner pair and beyond to 1 at the outer pair and beyond.
    """

    side: str
    centre: np.ndarray
    axis: np.ndarray
    ball: np.ndarray
    offsets: np.ndarray
    lids: np.ndarray
    clearance: np.ndarray
    hold: np.ndarray
    surface: np.ndarray
    lashes: np.ndarray
    roots: np.ndarray
    pairs: np.ndarray
    gaps: np.ndarray
    across: np.ndarray


@dataclass(frozen=True)
class EyeballPose:
    """Where somebody's eyeball is: its centre float32 [3] and its size relative to the generic one."""

    centre: np.ndarray
    scale: float


@lru_cache(maxsize=1)
def load_eyes() -> tuple[Eye, Eye]:
    """The left and the right eye of the generic head."""
    head = load_head()
    return _measure(head, 0), _measure(head, 1)


def fit(points: np.ndarray, eye: Eye) -> EyeballPose:
    """The similarity without turn that comes closest to what happened to the eyeball in vertices [V, 3]."""
    ball = points[eye.ball]
    middle, away = eye.offsets.mean(axis=0), ball.mean(axis=0)
    spread = eye.offsets - middle
    scale = float(((ball - away) * spread).sum() / (spread**2).sum())
    return EyeballPose((away - scale * middle).astype(np.float32), scale)


def enlarge_behind_cornea(placed: EyeballPose, share: float) -> EyeballPose:
    """A larger eyeball whose cornea stays where it was."""
    back = np.array([0, 0, CORNEA * placed.scale * share], np.float32)
    return EyeballPose(placed.centre - back, placed.scale * (1 + share))


def rotation(eye: Eye, right: float, up: float) -> np.ndarray:
    """Matrix float32 [3, 3] that turns an eyeball: degrees to the image's right and up, from looking straight ahead."""
    inwards = -PARALLEL if eye.side == "L" else PARALLEL
    yaw, pitch = np.radians(right + inwards), np.radians(up)
    (cy, sy), (cp, sp) = ((np.cos(angle), np.sin(angle)) for angle in (yaw, pitch))
    return np.array([[cy, -sy * sp, sy * cp], [0, cp, sp], [-sy, -cy * sp, cy * cp]], np.float32)


def place_eye(points: np.ndarray, eye: Eye, placed: EyeballPose, matrix: np.ndarray) -> None:
    """Put the eyeball where it belongs, turned, and the lids on it; changes vertices [V, 3] in place."""
    points[eye.ball] = placed.centre + placed.scale * eye.offsets @ matrix.T
    lifted = lid_displacements(points[eye.lids], eye, placed, matrix @ eye.axis)
    points[eye.lids] += lifted
    points[eye.lashes] += lifted[eye.roots]


def attach_lashes(points: np.ndarray, eye: Eye) -> None:
    """Carry the lashes with the lids they stand on, in place; for a face at rest."""
    head = load_head()
    roots = eye.lids[eye.roots]
    points[eye.lashes] = points[roots] + head.vertices[eye.lashes] - head.vertices[roots]


def lid_displacements(lids: np.ndarray, eye: Eye, placed: EyeballPose, axis: np.ndarray) -> np.ndarray:
    """Displacements [m, 3] that bring lids [m, 3] to the clearance over the eyeball that they have by nature."""
    offset = lids - placed.centre
    radius = np.sqrt((offset**2).sum(axis=1))
    surface = np.interp(offset @ axis / radius, KNOTS, eye.surface).astype(np.float32)
    wanted = placed.scale * (surface + eye.clearance)
    return eye.hold * offset * (wanted / radius - 1)[:, None]


def openings(points: np.ndarray, eye: Eye) -> np.ndarray:
    """How far the eye is open at its inner and outer third, float32 [2], as a share of the generic opening."""
    gaps = points[eye.pairs[:, 0], 1] - points[eye.pairs[:, 1], 1]
    return np.maximum(gaps + SLACK, 0) / (eye.gaps + SLACK)


def relax_lids(points: np.ndarray, eye: Eye) -> None:
    """Open lids that hang and lower lids that stare, as only an expression would; changes vertices [V, 3] in place."""
    opening = float(openings(points, eye).mean())
    wanted = USUAL + SPREAD * np.tanh((opening - USUAL) / SPREAD)
    points += np.float32(opening - wanted) * load_head().expression(f"eyeBlink_{eye.side}")


def _measure(head: HeadModel, number: int) -> Eye:
    points = head.vertices
    ball = np.flatnonzero(np.isin(head.vertex_part, (EYEBALLS[number], EYEBALLS[number] + 1)))
    outer = points[head.vertex_part == EYEBALLS[number]]
    centre = _sphere_centre(outer)
    axis, surface = _profile(outer - centre)
    offset = points - centre
    radius = np.sqrt((offset**2).sum(axis=1))
    clearance = radius - np.interp(offset @ axis / radius, KNOTS, surface)
    hold = 1 - _smoothstep(clearance, LYING, FREE)
    near = (radius < REACH) & (hold > 0)
    soft = (EYE_SOCKETS[number], TEARS[number], TEARS[number] + 2, TEARS[number] + 4)
    lids = np.flatnonzero(near & np.isin(head.vertex_part, (FACE, *soft)))
    marks = head.landmarks
    pairs = marks[np.array(LIDS[number])]
    lashes = np.flatnonzero(head.vertex_part == LASHES[number])
    margin = np.flatnonzero((head.vertex_part[lids] == FACE) & (np.abs(clearance[lids]) < MARGIN))
    across = (points[:, 0] - points[pairs[0, 0], 0]) / (points[pairs[1, 0], 0] - points[pairs[0, 0], 0])
    return Eye(
        "LR"[number],
        centre.astype(np.float32),
        axis.astype(np.float32),
        ball,
        (points[ball] - centre).astype(np.float32),
        lids,
        clearance[lids].astype(np.float32),
        hold[lids, None].astype(np.float32),
        surface.astype(np.float32),
        lashes,
        margin[_roots(points, lashes, lids[margin], points[marks[list(CANTHI[number])]])],
        pairs,
        points[pairs[:, 0], 1] - points[pairs[:, 1], 1],
        np.clip(across, 0, 1).astype(np.float32),
    )


def _smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Centre of the sphere through the back of an eyeball, which has no cornea."""
    back = points[points[:, 2] < np.median(points[:, 2])].astype(np.float64)
    rows = np.column_stack([2 * back, np.ones(len(back))])
    return np.linalg.lstsq(rows, (back**2).sum(axis=1), rcond=None)[0][:3]


def _profile(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The axis through the cornea, and the eyeball's radius at `KNOTS`, for its outer vertices from its centre."""
    radius = np.sqrt((offsets**2).sum(axis=1))
    bulge = np.clip(radius - np.quantile(radius, 0.6), 0, None)[:, None] * offsets
    axis = bulge.sum(axis=0) / np.sqrt((bulge.sum(axis=0) ** 2).sum())
    distance = np.abs(np.arccos(np.clip(offsets @ axis / radius, -1, 1))[None] - np.arccos(KNOTS)[:, None])
    weight = np.exp(-((distance / np.radians(4)) ** 2) / 2)
    return axis, weight @ radius / weight.sum(axis=1)


def _roots(points: np.ndarray, lashes: np.ndarray, margin: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """For each lash vertex the nearest of the margin's vertices on its own lid, as places in `margin`."""
    inner, outer = corners

    def is_upper(places: np.ndarray) -> np.ndarray:
        share = (places[:, 0] - inner[0]) / (outer[0] - inner[0])
        return places[:, 1] > inner[1] + share * (outer[1] - inner[1])

    rows, on_upper = points[margin], is_upper(points[margin])
    sheets = len(lashes) // LASH_SHEETS
    roots = np.empty(len(lashes), int)
    for start in range(0, len(lashes), sheets):
        sheet = points[lashes[start : start + sheets]]
        chosen = np.flatnonzero(on_upper == (is_upper(sheet).mean() > 0.5))
        distance = ((sheet[:, None] - rows[chosen]) ** 2).sum(axis=-1)
        roots[start : start + sheets] = chosen[distance.argmin(axis=1)]
    return roots
