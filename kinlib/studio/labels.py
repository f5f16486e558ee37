"""What the renderer writes into its label maps; the names are those of `kinlib.io.face_labels`."""

from kinlib.io.face_labels import CLASSES, REGIONS

__all__ = ["CLASSES", "NONE", "REGIONS", "class_id", "region_id"]

NONE = 255  # writes no label


def class_id(name: str) -> int:
    """Number of a class."""
    return CLASSES.index(name)


def region_id(name: str) -> int:
    """Number of a region."""
    return REGIONS.index(name)
