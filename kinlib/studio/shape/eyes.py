"""Eyes: eyeballs stay rigid and rotate with the gaze, and the lids stay in contact with them.

Of every deformation of the face the eyeball takes only the best-fitting translation and scale. Skin that touches the
eyeball of the generic head keeps its distance to it, cornea included. Expressions that close the eye are scaled by its
opening, so that a blink shuts small and large eyes alike.
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

LYING, FREE = 0.15, 0.45  # cm from the eyeball: skin up to here follows it fully, from here not at all
MARGIN = 0.12  # cm from the eyeball's surface within which skin belongs to the edge of a lid
LASH_SHEETS = 6  # sheets of lashes per eye, with equally many vertices
USUAL, SPREAD = 0.98, 0.24  # opening of an eye at rest relative to the generic one: mean, and largest deviation
CORNEA = 1.75  # cm, its distance from the eyeball's centre
REACH = 3.2  # cm from the eyeball's centre within which skin can be a lid
SLACK = 0.05  # cm, added to openings so that ratios stay bounded for nearly closed eyes
CONVERGENCE = 2.0  # degrees by which each eye is rotated inwards to look at the camera
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
        lids: int [m], vertices that may touch the eyeball; clearance: float32 [m], cm above it; hold: float32 [m, 1],
            1 where they touch it, 0 where they are free.
        surface: float32 [81], radius of the eyeball at the cosines `KNOTS` from its axis.
        lashes: int [l], vertices; roots: int [l], rows of `lids` that carry them.
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
    """Centre float32 [3] and size relative to the generic eyeball."""

    centre: np.ndarray
    scale: float


@lru_cache(maxsize=1)
def load_eyes() -> tuple[Eye, Eye]:
    """The left and the right eye of the generic head."""
    head = load_head()
    return _measure(head, 0), _measure(head, 1)


def fit(points: np.ndarray, eye: Eye) -> EyeballPose:
    """Least-squares translation and scale of the generic eyeball to the deformed one in vertices [V, 3]."""
    ball = points[eye.ball]
    middle, away = eye.offsets.mean(axis=0), ball.mean(axis=0)
    spread = eye.offsets - middle
    scale = float(((ball - away) * spread).sum() / (spread**2).sum())
    return EyeballPose((away - scale * middle).astype(np.float32), scale)


def enlarge_behind_cornea(placed: EyeballPose, share: float) -> EyeballPose:
    """An eyeball larger by `share` whose cornea keeps its position."""
    back = np.array([0, 0, CORNEA * placed.scale * share], np.float32)
    return EyeballPose(placed.centre - back, placed.scale * (1 + share))


def rotation(eye: Eye, right: float, up: float) -> np.ndarray:
    """Rotation float32 [3, 3] of an eyeball: degrees to the image's right and up; 0 looks at the camera."""
    inwards = -CONVERGENCE if eye.side == "L" else CONVERGENCE
    yaw, pitch = np.radians(right + inwards), np.radians(up)
    (cy, sy), (cp, sp) = ((np.cos(angle), np.sin(angle)) for angle in (yaw, pitch))
    return np.array([[cy, -sy * sp, sy * cp], [0, cp, sp], [-sy, -cy * sp, cy * cp]], np.float32)


def place_eye(points: np.ndarray, eye: Eye, placed: EyeballPose, matrix: np.ndarray) -> None:
    """Write the rotated eyeball into vertices [V, 3] and move lids and lashes onto it, in place."""
    points[eye.ball] = placed.centre + placed.scale * eye.offsets @ matrix.T
    lifted = lid_displacements(points[eye.lids], eye, placed, matrix @ eye.axis)
    points[eye.lids] += lifted
    points[eye.lashes] += lifted[eye.roots]


def attach_lashes(points: np.ndarray, eye: Eye) -> None:
    """Translate the lashes with the lid vertices that carry them, in place; for a face at rest."""
    head = load_head()
    roots = eye.lids[eye.roots]
    points[eye.lashes] = points[roots] + head.vertices[eye.lashes] - head.vertices[roots]


def lid_displacements(lids: np.ndarray, eye: Eye, placed: EyeballPose, axis: np.ndarray) -> np.ndarray:
    """Displacements [m, 3] that restore the generic clearance of lids [m, 3] over the eyeball."""
    offset = lids - placed.centre
    radius = np.sqrt((offset**2).sum(axis=1))
    surface = np.interp(offset @ axis / radius, KNOTS, eye.surface).astype(np.float32)
    wanted = placed.scale * (surface + eye.clearance)  # [m], cm from the eyeball's centre
    return eye.hold * offset * (wanted / radius - 1)[:, None]


def openings(points: np.ndarray, eye: Eye) -> np.ndarray:
    """Opening at the inner and outer third relative to the generic opening, float32 [2]."""
    gaps = points[eye.pairs[:, 0], 1] - points[eye.pairs[:, 1], 1]
    return np.maximum(gaps + SLACK, 0) / (eye.gaps + SLACK)


def relax_lids(points: np.ndarray, eye: Eye) -> None:
    """Bring the opening at rest close to `USUAL` with some of the blink field; changes vertices [V, 3] in place.

    Identity modes contain some half-closed and some staring eyes, which are expressions rather than anatomy.
    """
    opening = float(openings(points, eye).mean())
    wanted = USUAL + SPREAD * np.tanh((opening - USUAL) / SPREAD)
    points += np.float32(opening - wanted) * load_head().expression(f"eyeBlink_{eye.side}")


def _measure(head: HeadModel, number: int) -> Eye:
    """The left (0) or right (1) eye of the generic head."""
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
    """0 below `low`, 1 above `high`, cubic in between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Centre [3] of the least-squares sphere through the back of an eyeball, which has no cornea."""
    back = points[points[:, 2] < np.median(points[:, 2])].astype(np.float64)
    # |p|² = 2 p.c + const is linear in the centre
    rows = np.column_stack([2 * back, np.ones(len(back))])
    return np.linalg.lstsq(rows, (back**2).sum(axis=1), rcond=None)[0][:3]


def _profile(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit axis [3] through the cornea, and the eyeball's radius [81] at `KNOTS`, from offsets [n, 3] to its centre."""
    radius = np.sqrt((offsets**2).sum(axis=1))
    # vertices beyond the 60% quantile of the radius form the cornea; their weighted mean gives the axis
    bulge = np.clip(radius - np.quantile(radius, 0.6), 0, None)[:, None] * offsets
    axis = bulge.sum(axis=0) / np.sqrt((bulge.sum(axis=0) ** 2).sum())
    # [81, n], radians
    distance = np.abs(np.arccos(np.clip(offsets @ axis / radius, -1, 1))[None] - np.arccos(KNOTS)[:, None])
    weight = np.exp(-((distance / np.radians(4)) ** 2) / 2)  # Gaussian smoothing over 4 degrees
    return axis, weight @ radius / weight.sum(axis=1)


def _roots(points: np.ndarray, lashes: np.ndarray, margin: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """For each lash vertex [l] the nearest vertex of the lid margin on the same lid, as rows of `margin`; [l]."""
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
