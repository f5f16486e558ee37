"""The record of hair strands that hair, brows, beard and lashes pass to the renderer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinlib.studio.labels import NONE

__all__ = ["Strands", "join_strands", "label_array"]


@dataclass
class Strands:
    """n strands of K points each, lengths in cm.

    Attributes:
        points: float32 [n, K, 3], head frame, from root to tip.
        normals: float32 [n, K, 3], outward unit normals of the volume that the hair fills, for shading.
        openness: float32 [n, K] in 0..1, share of the sky that a point sees (ambient occlusion).
        colour: float32 [n, 3], linear RGB.
        width: float32 [n], cm at the root; a strand tapers to its tip.
        label: uint8 [n], class of `labels.CLASSES` written into the label map; `labels.NONE` writes none.
        region: uint8 [n], region of `labels.REGIONS` written into the region map; `labels.NONE` writes none.
        shine: 0..1, strength of the specular highlights.
        cast: 0..1, how strongly the strands shadow what lies below; 1 for scalp hair.

    Raises:
        ValueError: if the arrays do not describe the same number of strands and points.
    """

    points: np.ndarray
    normals: np.ndarray
    openness: np.ndarray
    colour: np.ndarray
    width: np.ndarray
    label: np.ndarray
    region: np.ndarray
    shine: float = 0.5
    cast: float = 1.0

    def __post_init__(self) -> None:
        """Convert all arrays to their types and check that their shapes agree."""
        # numba kernels need contiguous arrays of exactly these types
        for name in ("points", "normals", "openness", "colour", "width"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.float32))
        for name in ("label", "region"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.uint8))
        # n, K
        count, num_points = self.points.shape[:2]
        expected = {
            "normals": (count, num_points, 3),
            "openness": (count, num_points),
            "colour": (count, 3),  # one colour per strand, not per point
            **dict.fromkeys(("width", "label", "region"), (count,)),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Strands.{name} has shape {getattr(self, name).shape}, expected {shape}.")

    def __len__(self) -> int:
        """Number of strands."""
        return len(self.points)

    def select(self, chosen: np.ndarray) -> "Strands":
        """The strands that an index array or a mask [n] chooses, in that order."""
        names = ("points", "normals", "openness", "colour", "width", "label", "region")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def join_strands(parts: Sequence[Strands]) -> Strands:
    """Concatenate records with equally many points per strand; shine and cast are taken from the first one."""
    names = ("points", "normals", "openness", "colour", "width", "label", "region")
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def label_array(count: int, label: int = NONE) -> np.ndarray:
    """The same label for every strand, uint8 [count]."""
    return np.full(count, label, np.uint8)  # [n]
