"""Names of what a picture's pixels can belong to.

`CLASSES` are the 19 of CelebAMask-HQ (Lee et al., 2020) in the order of its g_mask.py; left and right are the person's.
`REGIONS` are the 34 of StyleGene (Li et al., 2023) in the order of its checkpoint.
"""

__all__ = ["CLASSES", "NONE", "REGIONS", "class_id", "region_id"]

NONE = 255  # writes no label

CLASSES = (
    *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
REGIONS = (
    *("background", "head", "cheek", "chin", "ear", "ear-helix", "ear-lobule", "eye-bottom lid", "eyelashes", "iris"),
    *("pupil", "sclera", "tear duct", "top lid", "eyebrow", "forehead", "frown", "hair", "sideburns", "jaw"),
    *("moustache", "inferior lip", "oral comisure", "superior lip", "teeth", "neck", "nose", "ala of nose"),
    *("nose bridge", "nose tip", "nostril", "philtrum", "temple", "wrinkles"),
)


def class_id(name: str) -> int:
    """Number of a class."""
    return CLASSES.index(name)


def region_id(name: str) -> int:
    """Number of a region."""
    return REGIONS.index(name)
