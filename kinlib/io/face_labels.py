"""Names of what a face's pixels can belong to.

`CLASSES` are the 19 of CelebAMask-HQ (Lee et al., 2020) in the order of its g_mask.py; left and right are the person's.
`REGIONS` are the 34 of StyleGene (Li et al., 2023) in the order of its checkpoint; they know no sides.
"""

__all__ = ["CLASSES", "HEAD", "MIRRORED_CLASSES", "REGIONS"]

CLASSES = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
HEAD = ("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip")
"""The classes of a head without its hair."""
REGIONS = (
    *("background", "head", "cheek", "chin", "ear", "ear-helix", "ear-lobule", "eye-bottom lid", "eyelashes", "iris"),
    *("pupil", "sclera", "tear duct", "top lid", "eyebrow", "forehead", "frown", "hair", "sideburns", "jaw"),
    *("moustache", "inferior lip", "oral comisure", "superior lip", "teeth", "neck", "nose", "ala of nose"),
    *("nose bridge", "nose tip", "nostril", "philtrum", "temple", "wrinkles"),
)

# Not by name alone: `l_lip` is the lower lip and `ear_r` an earring, and neither has a left or a right.
_SIDES = {"l_eye": "r_eye", "l_brow": "r_brow", "l_ear": "r_ear"}
_OTHER = _SIDES | {right: left for left, right in _SIDES.items()}
MIRRORED_CLASSES = tuple(CLASSES.index(_OTHER.get(name, name)) for name in CLASSES)
"""What each class becomes when the picture is mirrored; regions stay what they are."""
