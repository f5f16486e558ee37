"""Guide masks, put together from the classes of a segmented face (Eq 5).

The names of classes are CelebAMask-HQ's, which kinlib's own classes share. A class that is absent from a picture has an
empty mask.

CelebAMask-HQ's file of the class "skin" covers the whole face, and those of nose, eyes and lips lie on it. In a label
map every pixel has one class, and skin is what the others leave. `classes_of` gives skin back what lies on it.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from kinlib.io.face_labels import CLASSES
from kinlib.runtime.errors import KinlibError

__all__ = ["DUMMY", "classes_of", "guide_masks"]

DUMMY = -255.0  # everywhere in the mask of a change that no class can guide, and of a picture without segmentation
CLOTHING = ("cloth", "hat", "ear_r", "neck_l")
HAIR = ("hair", "l_brow", "r_brow")
SKIN = ("skin", "neck", "l_ear", "r_ear")
ON_SKIN = ("nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")


def classes_of(labels: Tensor) -> dict[str, Tensor]:
    """The classes of a label map, as CelebAMask-HQ's files have them.

    Args:
        labels: integers [H, W], indices into `kinlib.io.face_labels.CLASSES`.

    Returns:
        bool [H, W] by name.
    """
    classes = {name: labels == number for number, name in enumerate(CLASSES) if name != "background"}
    classes["skin"] = torch.stack([classes[name] for name in ("skin", *ON_SKIN)]).any(dim=0)
    return classes


def guide_masks(classes: Mapping[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
    """The seven guide masks of a picture.

    Args:
        classes: bool masks [H, W] by name of class; absent ones are empty.
        size: (H, W).

    Returns:
        float32 [H, W] under "hair", "skin", "person", "eye_g", "clothing", "zero" and "unknown": 0 or 1, and `DUMMY`
        in "unknown".

    Raises:
        KinlibError: if a mask has another size.
    """
    for name, mask in classes.items():
        if tuple(mask.shape) != tuple(size):
            raise KinlibError(f"the mask of '{name}' is {list(mask.shape)}, the picture {list(size)}")

    def union(names: tuple[str, ...]) -> Tensor:
        found = [classes[name].bool() for name in names if name in classes]
        return torch.stack(found).any(dim=0) if found else torch.zeros(size, dtype=torch.bool)

    clothing = union(CLOTHING)
    hair, skin = union(HAIR) & ~clothing, union(SKIN) & ~clothing
    masks = {"hair": hair, "skin": skin, "person": hair | skin, "eye_g": union(("eye_g",)), "clothing": clothing}
    masks = {name: mask.float() for name, mask in masks.items()}
    return masks | {"zero": torch.zeros(size), "unknown": torch.full(size, DUMMY)}
