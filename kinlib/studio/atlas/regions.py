"""Label maps of the bare head: class (of 19) and region (of 34) of each texel.

Regions are painted in order, large ones first; later ones overwrite earlier ones. Hair, lashes, eyes, teeth and clothes
write their own labels when they are rasterised.
"""

import numpy as np

from kinlib.studio.atlas import features
from kinlib.studio.atlas.uv import Chart
from kinlib.studio.labels import class_id, region_id

__all__ = ["label_back", "label_face"]

NASOLABIAL = 0.35  # depth of the fold from which a texel is labelled "wrinkles"


def label_face(chart: Chart, masks: dict, wrinkles: dict) -> tuple[np.ndarray, np.ndarray]:
    """Classes and regions of the face's map, uint8 [S, S] each."""
    return _classes(chart, masks), _regions(chart, masks, wrinkles)


def label_back(chart: Chart, masks: dict) -> tuple[np.ndarray, np.ndarray]:
    """Classes and regions of the map with the back of the head and the neck, uint8 [S, S] each."""
    left = chart.position[..., 0] > 0
    classes = np.full(left.shape, class_id("skin"), np.uint8)
    regions = np.full(left.shape, region_id("head"), np.uint8)
    classes[masks["neck"] > 0.5], regions[masks["neck"] > 0.5] = class_id("neck"), region_id("neck")
    ears = masks["ears"] > 0.5
    classes[ears & left], classes[ears & ~left] = class_id("l_ear"), class_id("r_ear")
    regions[ears] = region_id("ear")
    return classes, regions


def _classes(chart: Chart, masks: dict) -> np.ndarray:
    """Classes uint8 [S, S]; a mask counts from 0.5, later ones overwrite earlier ones."""
    left = chart.position[..., 0] > 0
    painted = {
        "neck": masks["neck"],
        "nose": masks["nose"],
        "l_ear": masks["ears"] * left,
        "r_ear": masks["ears"] * ~left,
        "l_lip": masks["lip"],
        "u_lip": masks["lip"] * (masks["lip_upper"] > masks["lip_lower"]),
        "l_brow": masks["brow_left"],
        "r_brow": masks["brow_right"],
    }
    classes = np.full(left.shape, class_id("skin"), np.uint8)
    for name, share in painted.items():
        classes[share > 0.5] = class_id(name)
    return classes


def _regions(chart: Chart, masks: dict, wrinkles: dict) -> np.ndarray:
    """Regions uint8 [S, S], painted over "cheek" in the order below."""
    x, y, z = np.abs(chart.position[..., 0]), chart.position[..., 1], chart.position[..., 2]
    front, above_ear = z > 1.5, (z < 3.0) & (y > 2.4) & (x > 6.5)
    outlined = {name: (features.in_front(chart, line) > 0) & front for name, line in features.FRONT.items()}
    outlined |= {name: features.in_side(chart, line) > 0 for name, line in features.SIDE.items()}
    painted = [("jaw", outlined["jaw"]), ("temple", outlined["temple"]), ("forehead", outlined["forehead"])]
    painted += [("chin", outlined["chin"]), ("neck", masks["neck"] > 0.5)]
    painted += [("head", above_ear | (masks["scalp"] > 0.5)), ("sideburns", outlined["sideburns"])]
    painted += [("wrinkles", (wrinkles["nasolabial"] > NASOLABIAL) | outlined["crow's feet"])]
    painted += [(name, outlined[name]) for name in ("frown", "moustache", "philtrum", "oral comisure")]
    painted += [("nose", outlined["nose root"] | (masks["nose"] > 0.5))]
    painted += [(name, outlined[name] & (masks["nose"] > 0.5)) for name in ("nose bridge", "ala of nose", "nose tip")]
    painted += [("nostril", masks["nostril"] > 0.5)]
    painted += [(name, outlined[name]) for name in ("top lid", "eye-bottom lid", "tear duct")]
    painted += [("eyebrow", np.maximum(masks["brow_left"], masks["brow_right"]) > 0.5)]
    lips, upper = masks["lip"] > 0.5, masks["lip_upper"] > masks["lip_lower"]
    painted += [("inferior lip", lips), ("superior lip", lips & upper)]
    painted += [("ear", masks["ears"] > 0.5), ("ear-helix", masks["ear_helix"] > 0.5)]
    painted += [("ear-lobule", masks["ear_lobule"] > 0.5)]
    regions = np.full(front.shape, region_id("cheek"), np.uint8)
    for name, where in painted:
        regions[where] = region_id(name)
    return regions
