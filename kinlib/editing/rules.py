"""Which guide mask and which attention loss go with a change of attributes (Tables 3 to 6 of the document).

The document guides the attention mask by segmentation where segmentation says where a change may happen: exactly (a
loss on the whole mask, "target"), as an upper bound ("nontarget"), or not at all ("none").
"""

import math
from collections.abc import Mapping

from kinlib.runtime.errors import KinlibError

__all__ = ["ATTRIBUTES", "EXCLUDED", "LOSSES", "MASKS", "RULES", "Rule", "Rules", "select"]

Rule = tuple[tuple[str, ...], str]
"""Regions that a change may touch (Table 3), and the loss that it allows (Table 5)."""
Rules = Mapping[tuple[str, int], Rule]
"""By attribute, and 1 where it is added or -1 where it is removed."""

# In the order of section 4.1; the spelling is CelebA's.
ATTRIBUTES = (
    "Bald",
    "Bangs",
    "Black_Hair",
    "Blond_Hair",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Eyeglasses",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "No_Beard",
    "Pale_Skin",
    "Young",
)
# What a face with an attribute cannot have as well: adding the one removes the others.
EXCLUDED = {
    "Bald": ("Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair"),
    "Bangs": ("Bald",),
    "Black_Hair": ("Bald", "Blond_Hair", "Brown_Hair"),
    "Blond_Hair": ("Bald", "Black_Hair", "Brown_Hair"),
    "Brown_Hair": ("Bald", "Black_Hair", "Blond_Hair"),
    "Mustache": ("No_Beard",),
    "No_Beard": ("Mustache",),
}
MASKS = ("hair", "skin", "person", "eye_g", "zero", "unknown")
LOSSES = ("target", "nontarget", "none")

# Regions that a change may touch (Table 3) and the loss that it allows (Table 5), when the attribute is added and when
# it is removed.
_SAME_BOTH_WAYS = {
    "Bangs": (("hair", "skin"), "nontarget"),
    "Black_Hair": (("hair",), "target"),
    "Blond_Hair": (("hair",), "target"),
    "Brown_Hair": (("hair",), "target"),
    "Bushy_Eyebrows": (("skin",), "nontarget"),
    "Male": (("skin",), "nontarget"),
    "Mouth_Slightly_Open": (("unknown",), "none"),  # the jaw moves as well, for which there is no class
    "Mustache": (("skin",), "nontarget"),
    "No_Beard": (("skin",), "nontarget"),
    "Pale_Skin": (("skin",), "target"),
    "Young": (("skin",), "nontarget"),
}
RULES: Rules = {(name, sign): rule for name, rule in _SAME_BOTH_WAYS.items() for sign in (1, -1)} | {
    ("Bald", 1): (("hair",), "target"),
    ("Bald", -1): (("unknown",), "none"),  # how much hair there will be, no mask of the photograph can tell
    ("Eyeglasses", 1): (("skin",), "nontarget"),  # the photograph has no glasses whose mask could be taken
    ("Eyeglasses", -1): (("eye_g",), "target"),
}


def select(changes: Mapping[str, float], rules: Rules = RULES) -> tuple[str, str]:
    """The guide mask and the attention loss for a set of changes.

    Any combination has an answer, also one that no face can show (black and blond hair): training draws its targets
    from the attributes of other pictures.

    Args:
        changes: attribute to its change: positive adds it, negative removes it, zero leaves it as it is.
        rules: of the attributes; the document's by default.

    Returns:
        (mask, loss): one of `MASKS` and one of `LOSSES`. Without a change, ("zero", "none"): the attention of a
        reconstruction is held down by a loss of its own (Eq 13).

    Raises:
        KinlibError: for an attribute without rules, or a change that is no finite number.
    """
    regions, allowed = set(), set()
    for name, change in changes.items():
        if (name, 1) not in rules:
            names = sorted({known for known, _ in rules})
            raise KinlibError(f"there are no rules for the attribute '{name}': {', '.join(names)}")
        if not math.isfinite(change):
            raise KinlibError(f"the change of '{name}' must be a finite number, not {change}")
        if change:
            touched, loss = rules[name, 1 if change > 0 else -1]
            regions.update(touched)
            allowed.add(loss)
    return _mask(regions), _loss(allowed)


def _mask(regions: set[str]) -> str:
    """Table 4."""
    if "unknown" in regions:
        return "unknown"
    if not regions:
        return "zero"
    if "hair" in regions:
        return "hair" if regions == {"hair"} else "person"
    return "skin" if "skin" in regions else "eye_g"


def _loss(allowed: set[str]) -> str:
    """Table 6: the loosest of the losses that the changes allow."""
    for loss in ("none", "nontarget", "target"):
        if loss in allowed:
            return loss
    return "none"
