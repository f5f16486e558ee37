"""Hair as polylines: the record that hair, brows, beard and lashes hand to the renderer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinlib.studio.labels import NONE

__all__ = ["Strands", "join_strands", "label_array", "unit"]


@dataclass
class Strands:
    """Many thin curves with equally many points each, lengths in cm.

    Attributes:
        points: float32 [n, K, 3], head frame, from root to tip.
        normals: float32 [n, K, 3], outward unit normal of the volume that the hair fills, for shading.
        openness: float32 [n, K], 0 buried to 1 open to the sky.
        colour: float32 [n, 3], linear RGB.
        width: float32 [n], cm at the root; a strand tapers to its tip.
        label: uint8 [n], class of `labels.CLASSES` that it writes, `labels.NONE` writes none.
        region: uint8 [n], region of `labels.REGIONS` that it writes, `labels.NONE` writes none.
        shine: 0..1, strength of highlights.
        cast: how strongly it shadows what lies below, 0 none to 1 scalp hair.
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
        """Brings all arrays to their types, and checks that they speak of the same strands."""
        for name in ("points", "normals", "openness", "colour", "width"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.float32))
        for name in ("label", "region"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.uint8))
        count, num_points = self.points.shape[:2]
        expected = {
            "normals": (count, num_points, 3),
            "openness": (count, num_points),
            "colour": (count, 3),
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
    """One record of several with equally many points per strand; shine and cast are the first one's."""
    names = ("points", "normals", "openness", "colour", "width", "label", "region")
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def label_array(count: int, label: int = NONE) -> np.ndarray:
    """The same label for every strand, uint8 [count]."""
    return np.full(count, label, np.uint8)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] scaled to length one; zero stays zero."""
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)
