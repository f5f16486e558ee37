"""Numbers of the classes and regions in label maps; the names are those of `kinlib.io.face_labels`."""

from kinlib.io.face_labels import CLASSES, REGIONS

__all__ = ["CLASSES", "NONE", "REGIONS", "class_id", "region_id"]

NONE = 255  # of a strand or solid that writes no label


def class_id(name: str) -> int:
    """Number of a class of CelebAMask-HQ, 0 to 18."""
    return CLASSES.index(name)


def region_id(name: str) -> int:
    """Number of a region of StyleGene, 0 to 33."""
    return REGIONS.index(name)
