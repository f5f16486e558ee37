"""Results of `Kinship`: an encoded face, a generated child."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray
    from PIL import Image
    from torch import Tensor

__all__ = ["Child", "Face"]


@dataclass(frozen=True)
class Face:
    """The face in a photograph, and its code.

    Attributes:
        image: the photograph, upright RGB; after `Kinship.edit` the picture of the edited code.
        aligned: the FFHQ crop, 256 px; after `Kinship.edit` of that picture.
        latent: W+ code [1, L, 512], on the CPU.
        notes: what a user should know (several faces, turned aside, ...).
        quad: the crop's corners in the photograph, float64 [4, 2], as `kinlib.io.crop` has them; None where `image` is
            no photograph but the picture of a code.
    """

    image: "Image.Image"
    aligned: "Image.Image"
    latent: "Tensor"
    notes: tuple[str, ...] = ()
    quad: "ndarray | None" = None


@dataclass(frozen=True)
class Child:
    """A generated child.

    Attributes:
        image: the picture, at least 256 px.
        latent: W+ code [1, L, 512], on the CPU.
        father, mother: the parents; None for one who is unknown.
        method: method of inheritance; "weights" where blend weights took its place.
        seed: seed of its randomness.
        notes: what a user should know.
    """

    image: "Image.Image"
    latent: "Tensor"
    father: Face | None
    mother: Face | None
    method: str
    seed: int
    notes: tuple[str, ...] = ()
