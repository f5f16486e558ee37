"""Inputs that break an encoder: aligned faces damaged step by step, and what is left of the person.

An encoder was trained on aligned, whole, sharp faces. Each fault here takes one of these properties away, in steps, on
faces whose undamaged picture is known. So it can be told how much of an error the damage itself causes, because it
hides the face, and how much the encoder adds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.evaluation.inversion.codes import psnr
from kinlib.evaluation.inversion.tables import as_table

__all__ = ["FAULTS", "Fault", "measure_fault"]

GREY = 0.0  # of what covers a face: the middle of [-1, 1]
MOUTH = 0.72  # height of the mouth in an FFHQ crop, as a share of its side

Damage = Callable[[Tensor, float], Tensor]  # pictures [B, 3, S, S] and a strength -> pictures


@dataclass(frozen=True)
class Fault:
    """One kind of damage.

    Attributes:
        name: in words.
        unit: of the strength, in words.
        levels: strengths that are tried, rising damage.
        apply: the damage.
        undo: moves a face back to where it belongs, for faults of position; None for others.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Damage
    undo: Damage | None = None


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Rotated clockwise about the centre; what comes in from outside is the reflected picture."""
    angle = torch.deg2rad(torch.tensor(float(degrees)))
    return _mapped(images, [[angle.cos(), angle.sin(), 0], [-angle.sin(), angle.cos(), 0]])


def shifted(images: Tensor, share: float) -> Tensor:
    """Moved to the right by a share of the side."""
    return _mapped(images, [[1, 0, -2 * share], [0, 1, 0]])


def enlarged(images: Tensor, factor: float) -> Tensor:
    """Scaled about the centre: above 1 the crop is too narrow, below 1 too wide."""
    return _mapped(images, [[1 / factor, 0, 0], [0, 1 / factor, 0]])


def covered(images: Tensor, share: float) -> Tensor:
    """A grey bar from the bottom of the face upwards, as wide as the picture's middle half; `share` is its height.

    At 0.2 it covers the mouth, at 0.4 the nose, at 0.6 the eyes.
    """
    side = images.shape[-1]
    bottom, left = round((MOUTH + 0.1) * side), round(0.25 * side)
    result = images.clone()
    result[..., bottom - round(share * side) : bottom, left : side - left] = GREY
    return result


def reduced(images: Tensor, size: float) -> Tensor:
    """Reduced to `size` px and enlarged again: what a small face in a photograph has left."""
    small = F.interpolate(images, (int(size), int(size)), mode="bilinear", antialias=True, align_corners=False)
    return F.interpolate(small, images.shape[-2:], mode="bicubic", align_corners=False).clamp(-1, 1)


def _mapped(images: Tensor, matrix: Sequence[Sequence]) -> Tensor:
    """Resampled by a map [2, 3] from places in the result to places in the picture, both from -1 to 1."""
    theta = torch.tensor(matrix, dtype=images.dtype, device=images.device).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


FAULTS = {
    "rotated": Fault("rotated", "degrees", (10, 20, 40, 80), rotated, lambda x, angle: rotated(x, -angle)),
    "shifted": Fault("shifted", "of the side", (0.05, 0.1, 0.2, 0.3), shifted, lambda x, part: shifted(x, -part)),
    "enlarged": Fault(
        "too narrow a crop", "times larger", (1.15, 1.3, 1.6, 2.0), enlarged, lambda x, k: enlarged(x, 1 / k)
    ),
    "covered": Fault("covered", "of the side", (0.1, 0.2, 0.4, 0.6), covered),
    "reduced": Fault("small", "px", (64, 32, 16, 8), reduced),
}


@torch.no_grad()
def measure_fault(
    images: Tensor, fault: Fault, redraw: Callable[[Tensor], Tensor], identity: Callable[[Tensor], Tensor]
) -> pd.DataFrame:
    """What an encoder makes of damaged faces.

    Args:
        images: aligned faces [B, 3, S, S] in [-1, 1], undamaged.
        fault: one of `FAULTS`.
        redraw: pictures [B, 3, S, S] -> reconstructions [B, 3, R, R], through the encoder.
        identity: pictures -> embeddings [B, D] of unit length.

    Returns:
        One row for each level and picture: `level`, `picture`, `psnr_db` of the reconstruction against the damaged
        picture that the encoder was given, and the cosine of identity to the undamaged face of the reconstruction
        (`identity`) and of the damaged picture (`identity_of_input`), after moving a face back where it was moved.
    """
    wanted, measured = identity(images), {}
    for level in fault.levels:
        given = fault.apply(images, level)
        made = redraw(given)
        back = fault.undo or (lambda x, _: x)
        measured[level] = {
            "psnr_db": psnr(made, F.interpolate(given, made.shape[-2:], mode="bilinear", antialias=True)),
            "identity": (identity(back(made, level)) * wanted).sum(dim=1),
            "identity_of_input": (identity(back(given, level)) * wanted).sum(dim=1),
        }
        measured[level] = {name: values.double().cpu().numpy() for name, values in measured[level].items()}
    return as_table(measured, "level")
