"""Guide masks by hand, and what lies on the skin."""

import pytest
import torch

from kinlib.editing.masks import DUMMY, classes_of, guide_masks
from kinlib.io.face_labels import CLASSES
from kinlib.runtime.errors import KinlibError


def pixels(*numbers: int) -> torch.Tensor:
    """A mask [1, 8] with these pixels."""
    mask = torch.zeros(1, 8, dtype=torch.bool)
    mask[0, list(numbers)] = True
    return mask


def test_masks_are_equation_5():
    classes = {"skin": pixels(0, 1, 2), "neck": pixels(3), "hair": pixels(4, 5), "l_brow": pixels(1)}
    classes |= {"hat": pixels(5), "ear_r": pixels(3), "eye_g": pixels(0)}
    masks = guide_masks(classes, (1, 8))
    found = {name: mask.nonzero()[:, 1].tolist() for name, mask in masks.items() if name != "unknown"}
    assert found == {
        "hair": [1, 4],
        "skin": [0, 1, 2],
        "person": [0, 1, 2, 4],
        "eye_g": [0],
        "clothing": [3, 5],
        "zero": [],
    }
    assert masks["unknown"].unique().tolist() == [DUMMY]


def test_skin_of_a_label_map_is_the_whole_face():
    names = ["skin", "nose", "u_lip", "r_eye", "eye_g", "hair", "neck", "background"]
    labels = torch.tensor([[CLASSES.index(name) for name in names]])
    masks = guide_masks(classes_of(labels), (1, 8))
    assert masks["skin"][0].tolist() == [1, 1, 1, 1, 1, 0, 1, 0]
    assert masks["hair"][0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0]


def test_absent_classes_are_empty_and_another_size_is_refused():
    assert all(mask.sum() == 0 for name, mask in guide_masks({}, (2, 3)).items() if name != "unknown")
    with pytest.raises(KinlibError, match=r"the mask of 'hair' is \[1, 8\], the picture \[2, 8\]"):
        guide_masks({"hair": pixels(1)}, (2, 8))
