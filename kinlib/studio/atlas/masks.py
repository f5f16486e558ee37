"""Soft masks of the face: kinds of skin, blood supply, and the density of the beard.

All are float32 [S, S] in 0..1 over the texture of the face, symmetrical. Centres, radii and shares were set by eye on
the generic face; lengths in cm.
"""

import numpy as np

from kinlib.studio.atlas import features
from kinlib.studio.atlas.curves import bump, curve_distance, inside, ramp
from kinlib.studio.atlas.uv import Chart

__all__ = ["paint_back_masks", "paint_masks"]

SKIN_EDGE = 0.3  # cm, width of the transition between neck and face
LIP_EDGE = 0.09  # cm, nominal width of the transition at the lip's border, centred on it
# Nominal cm per unit of texture coordinate. On the lips it measures 23 along u and 30 along v, so the transition is
# about 1.5 mm wide.
CM_PER_V = 17.5


def paint_masks(chart: Chart, landmarks: np.ndarray, landmarks_uv: np.ndarray, openness: np.ndarray) -> dict:
    """All masks by name.

    Args:
        chart: of the face.
        landmarks: float [68, 3], positions.
        landmarks_uv: float [68, 2], texture coordinates.
        openness: float32 [S, S], visible share of the sky; low in the nostrils.
    """
    masks = _lips(chart, landmarks_uv)
    masks |= _skin(chart)
    masks |= _nose(chart, openness)
    masks |= _ears(chart)
    masks |= _beard(chart, masks["lip"], masks["ears"])
    for side, left in (("left", True), ("right", False)):
        masks[f"brow_{side}"] = _brow(chart, landmarks, left)
    return {name: np.clip(mask, 0, 1).astype(np.float32) for name, mask in masks.items()}


def paint_back_masks(chart: Chart) -> dict:
    """Masks of the map with the back of the head and the neck: "scalp", "neck", "ears" (their backs)."""
    x, outward = np.abs(chart.position[..., 0]), chart.normal[..., 0] * np.sign(chart.position[..., 0])
    ears = ramp(features.in_side(chart, features.EAR), -0.25, -0.1) * ramp(x, 7.2, 7.5)
    # the skull beside the ear faces outwards, the back of the ear does not
    ears *= np.maximum(ramp(outward, 0.75, 0.5), ramp(x, 8.0, 8.2))
    scalp = ramp(features.in_side(chart, features.SCALP, smooth=False), -0.4, 0.4)
    return {"ears": ears, "scalp": scalp * (1 - ears), "neck": _neck(chart) * (1 - ears)}


def _lips(chart: Chart, landmarks_uv: np.ndarray) -> dict:
    """Lips, upper and lower lip, and their wet inner part."""
    size = len(chart.covered)
    uv = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5) / size  # [S, S, 2]
    edge = LIP_EDGE / CM_PER_V / 2
    shares = {name: ramp(inside(uv, line), -edge, edge) for name, line in features.lip_outlines(landmarks_uv).items()}
    lip, upper = shares["lips"], shares["upper"]
    return {"lip": lip, "lip_upper": lip * upper, "lip_lower": lip * (1 - upper), "lip_inner": shares["inner"]}


def _skin(chart: Chart) -> dict:
    """Regions of pigment, blood and sebum: Gaussians (centre, standard deviations in cm) or outlines."""
    x, y, z = np.abs(chart.position[..., 0]), chart.position[..., 1], chart.position[..., 2]
    # restricts Gaussians in (x, y) to the front of the head
    front = ramp(z, 1.5, 3.5)
    chin = bump(x, y, (0, -6.2), (1.3, 1.0)) * front
    forehead = bump(x, y, (0, 8.6), (3.8, 1.5)) * front
    # T-zone: forehead, nose, and 60% on the cheekbones
    oily = bump(x, y, (0, 8.4), (2.8, 1.6)) + bump(x, y, (0, 2), (0.8, 2.5)) + 0.6 * bump(x, y, (4.4, 1.3), (1.2, 0.7))
    lids = ramp(features.in_front(chart, features.FRONT["upper lid"]), -0.25, 0.15)
    return {
        "cheek": bump(x, y, (4.4, 0.1), (1.5, 1.35)) * front,
        "chin": chin,
        "forehead": forehead,
        "t_zone": (oily + 0.5 * chin) * front,
        "lids": lids * front,
        "eye_bags": bump(x, y - 0.13 * (x - 3) ** 2, (2.95, 2.4), (0.95, 0.32)) * front,
        "inner_eye": bump(x, y, (1.75, 3.35), (0.38, 0.4)) * front,
        "temple": ramp(features.in_front(chart, features.FRONT["temple"]), -0.6, 0.6) * front,
        "jaw": ramp(features.in_side(chart, features.SIDE["jaw"]), -0.5, 0.5) * (1 - _neck(chart)),
        "neck": _neck(chart),
        "scalp": ramp(features.in_side(chart, features.SCALP, smooth=False), -0.4, 0.4),
    }


def _neck(chart: Chart) -> np.ndarray:
    """Neck: below the mandible and, behind it, below a line from the ear lobe to the nape."""
    jaw = features.JAW_LINE
    head = np.vstack(
        [jaw, (0.5, -1.75), (-0.8, -2.2), (-3.0, -3.2), (-6.5, -4.0), (-14, -4.0), (-14, 20), (16, 20), (16, -8.1)]
    )
    return ramp(features.in_side(chart, head, smooth=False), SKIN_EDGE / 2, -SKIN_EDGE / 2)


def _nose(chart: Chart, openness: np.ndarray) -> dict:
    """Nose, bridge, wings, tip and nostrils."""
    x, y, z = np.abs(chart.position[..., 0]), chart.position[..., 1], chart.position[..., 2]
    named = ("nose", "nose bridge", "nose tip", "ala of nose")
    nose, bridge, _, wing = (ramp(features.in_front(chart, features.FRONT[name]), -0.1, 0.1) for name in named)
    # nostrils: texels below the nose that see less than a third of the sky
    hollow = ramp(openness, 0.36, 0.24) * (x > 0.15) * (x < 1.6) * (y > -1.2) * (y < 1.5) * (z > 7.5)
    ball = bump(x, y, (0, 0.2), (1.1, 0.9)) + 0.6 * bump(x, y, (1.45, -0.4), (0.6, 0.6))
    return {
        "nose": nose,
        "nose_bridge": bridge,
        "nose_wing": wing * (1 - hollow),
        "nose_tip": ball * ramp(z, 8.5, 9.5),
        "nostril": hollow * nose,
    }


def _ears(chart: Chart) -> dict:
    """Ears, with the outer rim (helix, 0.45 cm wide) and the lobule."""
    y, z = chart.position[..., 1], chart.position[..., 2]
    depth = features.in_side(chart, features.EAR)
    lateral = ramp(np.abs(chart.position[..., 0]), 6.3, 6.6)
    ears = ramp(depth, -0.08, 0.08) * lateral
    rim = np.vstack([features.EAR[:14]])
    across, _ = curve_distance(np.stack([z, y], axis=-1), rim)
    helix = ramp(across, 0.5, 0.38) * ears
    lobule = ramp(y + 0.35 * z, -0.72, -0.9) * ears
    return {"ears": ears, "ear_helix": helix * (1 - lobule), "ear_lobule": lobule}


def _beard(chart: Chart, lip: np.ndarray, ears: np.ndarray) -> dict:
    """Density of a full beard, and the parts of it that form a moustache or a goatee."""
    x, y, z = np.abs(chart.position[..., 0]), chart.position[..., 1], chart.position[..., 2]
    # y of the beard's upper border over |x|, and of its lower border over z
    cheek_line = np.interp(
        x, (0, 1.4, 2.2, 3.0, 3.6, 4.6, 5.6, 6.4, 6.9, 7.3), (-1.25, -1.3, -1.6, -2.4, -2.7, -2.3, -1.3, 0.3, 2.2, 3.6)
    )
    neck_line = np.interp(z, (1, 4, 7, 9, 12), (-4.4, -6.8, -8.8, -9.2, -9.8))
    beard = ramp(cheek_line - y, -0.3, 0.45) * ramp(y - neck_line, -0.5, 0.9) * ramp(z, 2.3, 3.0) * (1 - ears)
    beard *= 1 - ramp(lip, 0, 0.4)
    beard *= 1 - 0.75 * bump(x, y, (1.25, -4.85), (0.45, 0.3))  # bare on both sides of the soul patch
    beard *= 1 - 0.45 * bump(x, y, (0, -1.7), (0.28, 0.5))  # thin in the philtrum
    beard *= 1 - 0.35 * bump(x, y, (4.6, -2.6), (1.2, 0.9))  # thin on the cheek
    beard *= 1 - 0.5 * bump(x, y, (3.05, -3.7), (0.3, 0.7))  # thin beside the corner of the mouth
    moustache = ramp(features.in_front(chart, features.FRONT["moustache"]), -0.2, 0.2) * ramp(z, 8, 9)
    # a goatee: within 3 cm of the midline, above the neck
    tuft = ramp(3.05 - x, -0.2, 0.3) * ramp(z, 6, 7) * ramp(y, -9.3, -8.2)
    return {"beard": beard, "moustache": beard * moustache, "goatee": beard * tuft}


def _brow(chart: Chart, landmarks: np.ndarray, left: bool) -> np.ndarray:
    """One brow: texels within its half width of the midline."""
    places, _, half_width = features.brow_curve(chart, landmarks, left)
    distance, along = curve_distance(chart.position, places)
    edge = np.interp(along, np.linspace(0, 1, len(half_width)), half_width)
    return ramp(edge - distance, -0.08, 0.08)
