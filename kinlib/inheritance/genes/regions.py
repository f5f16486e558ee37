"""Names of facial regions as users give them: one of the 34, a group of them, or all.

| group | of `kinlib.inheritance.regions` | classes of `kinlib.io.face_labels.CLASSES` |
|---|---|---|
| eyes | eyes | l_eye, r_eye |
| brows | brows | l_brow, r_brow |
| nose | nose | nose |
| mouth | mouth | mouth, u_lip, l_lip |
| hair | hair | hair |
| jaw, skin, shape | skin | skin, l_ear, r_ear, neck |
"""

import math
import reprlib
from collections.abc import Mapping
from typing import Any

from kinlib.io.face_labels import REGIONS
from kinlib.runtime.errors import KinlibError

__all__ = ["COINS", "GROUPS", "check_shares", "region_indices"]

COINS = "coins"  # in place of shares: each group wholly from one parent, by a coin

GROUPS = {
    "hair": ("hair", "sideburns", "moustache"),
    "eyes": ("eye-bottom lid", "eyelashes", "iris", "pupil", "sclera", "tear duct", "top lid"),
    "brows": ("eyebrow",),
    "nose": ("nose", "ala of nose", "nose bridge", "nose tip", "nostril"),
    "mouth": ("inferior lip", "oral comisure", "superior lip", "teeth", "philtrum"),
    "jaw": ("chin", "jaw"),
    "skin": ("forehead", "frown", "neck", "wrinkles"),
    "shape": ("head", "ear", "ear-helix", "ear-lobule", "cheek", "temple"),  # cheeks and temples hold the outline
}
"""Groups of the 34 regions; each but the background belongs to one."""


def region_indices(name: str) -> tuple[int, ...]:
    """The regions that a name stands for, as indices of `kinlib.io.face_labels.REGIONS`.

    Args:
        name: a group, or a region; spaces, hyphens and underscores count as the same. Where a group has the name of one
            of its regions (hair, nose), the group is meant.

    Raises:
        KinlibError: if it is neither.
    """
    known = {_plain(region): (region,) for region in REGIONS} | GROUPS
    found = known.get(_plain(name)) if isinstance(name, str) else None
    if found is None:
        names = ", ".join(dict.fromkeys([*GROUPS, *(_plain(region) for region in REGIONS)]))
        raise KinlibError(f"unknown region {reprlib.repr(name)}: choose from {names}")
    return tuple(REGIONS.index(region) for region in found)


def check_shares(given: Any) -> dict[int, float] | str:
    """The father's share of some regions, by index.

    Args:
        given: a dictionary, or a text such as "eyes=1,nose_tip=0.3", by the names of `region_indices`; "random" is
            none, and `COINS` stays what it is. A region counts before the group that it belongs to.

    Raises:
        KinlibError: if a region is unknown, or a share is not a number from 0 to 1.
    """
    if isinstance(given, str) and given.strip() == COINS:
        return COINS
    if isinstance(given, str):
        words = [] if given.strip() == "random" else [word.partition("=") for word in given.split(",")]
        pairs = [(name.strip(), value if mark else None) for name, mark, value in words]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        raise KinlibError(f"shares of regions must be given as eyes=1,nose=0.3, not {reprlib.repr(given)}")
    found = {}
    for name, value in sorted(pairs, key=lambda pair: pair[0] not in GROUPS):  # groups first: regions replace them
        found |= dict.fromkeys(region_indices(name), _share(name, value))
    return found


def _share(name: str, value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = math.nan
    if not 0 <= share <= 1:
        raise KinlibError(f"the father's share of the region '{name}' must be a number from 0 to 1, not {value}")
    return share


def _plain(name: str) -> str:
    return name.strip().replace(" ", "_").replace("-", "_")
