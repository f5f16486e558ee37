"""The whole way: two photographs in, children out.

>>> from kinlib import Kinship
>>> kin = Kinship.load("studio")                                            # doctest: +SKIP
>>> child = kin.child("father.jpg", "mother.jpg", method="average")          # doctest: +SKIP
>>> child.image.save("child.png")                                           # doctest: +SKIP
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinlib import config, images, weights
from kinlib.errors import KinlibError
from kinlib.faces.align import find_and_align
from kinlib.gan.directions import Direction, load_direction, load_directions
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.refine import refine
from kinlib.inheritance.blend import get_method
from kinlib.photos import read_photo

__all__ = ["Child", "Face", "Kinship"]

Photo = str | Path | Image.Image | np.ndarray

SHOWN_SIZE = 256  # smaller pictures are enlarged to this side, so that they can be looked at
ALIGNED_SIZE = 256  # what encoders take
REMEMBERED = 32  # encoded photographs kept, so that a slider's move does not encode again
GUESSED_ADULT = 35.0  # published directions cannot read an age; parents in photographs are taken for this old
GUESSED_YEARS = 10.0  # and one unit of the direction for so many years
SEXES = {"female": 0.0, "male": 1.0}


@dataclass(frozen=True)
class Face:
    """A photograph's face and its code.

    Attributes:
        image: the photograph, upright RGB.
        aligned: the FFHQ crop, 256 px.
        latent: W+ code [1, L, 512], on the CPU.
        notes: what a user should know (several faces, turned aside, ...).
    """

    image: Image.Image
    aligned: Image.Image
    latent: Tensor
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Child:
    """A drawn child.

    Attributes:
        image: the picture, at least 256 px.
        latent: W+ code [1, L, 512], on the CPU.
        father, mother: the parents it was drawn from.
        method: method of inheritance.
        seed: seed of its randomness.
        notes: what a user should know.
    """

    image: Image.Image
    latent: Tensor
    father: Face
    mother: Face
    method: str
    seed: int
    notes: tuple[str, ...] = ()


@dataclass
class Kinship:
    """Generator, encoder and directions of one preset, and what can be done with them.

    Attributes:
        preset: "studio" or "ffhq".
        generator, encoder: the networks.
        directions: attribute directions by name; those without a probe can only be moved along.
        device: where the networks live.
    """

    preset: str
    generator: Generator
    encoder: Encoder
    directions: dict[str, Direction]
    device: torch.device
    _faces: OrderedDict = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def load(cls, preset: str = "studio", device: str | torch.device | None = None) -> "Kinship":
        """Load a preset's networks.

        Raises:
            KinlibError: if the preset is unknown, or its weights are absent (the message says how to get them).
        """
        config.check_preset(preset)
        place = config.pick_device(device)
        if preset == "studio":
            generator = load_generator(weights.path("studio_generator"))
            encoder = load_encoder(weights.path("studio_encoder"))
            directions = load_directions(weights.path("studio_directions"))
        else:
            generator = load_generator(weights.path("stylegan2_ffhq"))
            encoder = load_encoder(weights.path("e4e_ffhq"))
            directions = _published_directions()
        return cls(preset, generator.to(place), encoder.to(place), directions, place)

    @property
    def num_layers(self) -> int:
        """L, the number of codes in W+."""
        return self.generator.num_layers

    def encode(self, photo: Photo, refine_steps: int = 0, progress: Callable[[int, float], None] | None = None) -> Face:
        """Find the face in a photograph, align it, and encode it.

        Args:
            photo: path, PIL image or array (uint8, H x W x 3).
            refine_steps: steps of fitting the code to the face (about 100 help on a photograph).
            progress: called with (steps done, loss) while refining.

        Raises:
            KinlibError: if the picture cannot be read or shows no face.
        """
        picture = read_photo(photo)
        name = str(photo) if isinstance(photo, str | Path) else "the picture"
        key = (hashlib.sha256(picture.tobytes()).hexdigest(), picture.size, refine_steps)
        if key in self._faces:
            self._faces.move_to_end(key)
            return self._faces[key]
        found = find_and_align(picture, ALIGNED_SIZE, name=name)
        latent = self._encode_aligned(images.to_tensor(found.aligned), refine_steps, progress)
        face = Face(picture, found.aligned, latent.cpu(), tuple(found.notes))
        self._faces[key] = face
        if len(self._faces) > REMEMBERED:
            self._faces.popitem(last=False)
        return face

    def child(self, father: Photo | Face, mother: Photo | Face, method: str = "average", seed: int = 0, **options) -> Child:
        """One child; for the options see `children`."""
        return self.children(father, mother, 1, method, seed, **options)[0]

    def children(
        self,
        father: Photo | Face,
        mother: Photo | Face,
        n: int = 8,
        method: str = "average",
        seed: int = 0,
        father_share: float | Tensor = 0.5,
        age: float | None = None,
        sex: str | None = None,
        truncation: float = 1.0,
        refine_steps: int = 0,
    ) -> list[Child]:
        """Draw children of a couple.

        Args:
            father, mother: photographs, or faces from `encode`.
            n: how many; child i is the same as `child(..., seed=seed + i)`.
            method: method of inheritance, one of `kinlib.inheritance.blend.methods()`.
            seed: seed of the first child's randomness.
            father_share: how much the father gives, in [0, 1]; or one number for each layer, [L].
            age: in years; None leaves what the codes say.
            sex: "female", "male" or None.
            truncation: 1 leaves the codes, smaller pulls them towards the average face, which is safer and duller.
            refine_steps: passed to `encode` for photographs.

        Raises:
            KinlibError: if a picture, the method or an option is unusable.
        """
        blend = get_method(method, father_share)
        _check_options(n, age, sex, truncation)
        father, mother = self._face(father, refine_steps), self._face(mother, refine_steps)
        sources = [torch.Generator().manual_seed(seed + i) for i in range(n)]
        codes = torch.cat([blend(father.latent, mother.latent, source) for source in sources])
        codes = self._edit(self.generator.truncate(codes.to(self.device), truncation), age, sex)
        pictures = self.draw(codes)
        notes = self._notes(age)
        return [
            Child(picture, code[None].cpu(), father, mother, method, seed + i, notes)
            for i, (picture, code) in enumerate(zip(pictures, codes, strict=True))
        ]

    @torch.inference_mode()
    def draw(self, latents: Tensor, size: int | None = None) -> list[Image.Image]:
        """Pictures of W+ codes [B, L, 512], at the generator's size, or enlarged to `size` (256 px if it is smaller)."""
        batch = max(1, 1024 // self.generator.resolution)
        drawn = self.generator.synthesis(latents.to(self.device), batch_size=batch)
        size = size or max(SHOWN_SIZE, self.generator.resolution)
        return [_enlarged(picture, size) for picture in images.to_pil(drawn)]

    def reconstruct(self, face: Face) -> Image.Image:
        """The face as the generator draws it from its code."""
        return self.draw(face.latent)[0]

    def _face(self, given: Photo | Face, refine_steps: int) -> Face:
        return given if isinstance(given, Face) else self.encode(given, refine_steps)

    def _encode_aligned(self, aligned: Tensor, refine_steps: int, progress) -> Tensor:
        with torch.inference_mode():
            code = self.encoder(aligned.to(self.device))
        if not refine_steps:
            return code
        target = images.resize(aligned, self.generator.resolution).to(self.device)
        return refine(self.generator, code.clone(), target, refine_steps, self._refinement_losses(), progress=progress)

    def _refinement_losses(self) -> dict:
        """Identity and landmarks, where the preset has differentiable networks for them."""
        from kinlib.faces.identity import identity_loss
        from kinlib.faces.points import five_point_loss

        losses = {five_point_loss: 1.0}
        if self.preset == "studio":
            losses[identity_loss] = 0.3
        return losses

    def _edit(self, codes: Tensor, age: float | None, sex: str | None) -> Tensor:
        if age is not None:
            codes = self._set("age", codes, age)
        if sex is not None:
            codes = self._set("sex", codes, SEXES[sex])
        return codes

    def _set(self, attribute: str, codes: Tensor, value: float) -> Tensor:
        direction = self.directions.get(attribute)
        if direction is None:
            raise KinlibError(f"the preset '{self.preset}' has no direction for {attribute}: leave that option out")
        if direction.probe is None:
            return direction.move(codes, (value - GUESSED_ADULT) / GUESSED_YEARS)
        return direction.set(codes, value)

    def _notes(self, age: float | None) -> tuple[str, ...]:
        if age is None or self.directions["age"].probe is not None:
            return ()
        return (f"the age is a guess: the published direction cannot read ages, so {GUESSED_ADULT:.0f} was assumed",)


def _check_options(n: int, age: float | None, sex: str | None, truncation: float) -> None:
    if n < 1:
        raise KinlibError(f"the number of children must be at least 1, not {n}")
    if age is not None and not 0 <= age <= 120:
        raise KinlibError(f"the age must be from 0 to 120 years, not {age:g}")
    if sex is not None and sex not in SEXES:
        raise KinlibError(f"unknown sex '{sex}': choose one of {', '.join(SEXES)}, or leave the option out")
    if not 0 <= truncation <= 1:
        raise KinlibError(f"the truncation must be from 0 to 1, not {truncation:g}")


def _published_directions() -> dict[str, Direction]:
    """Directions of the ffhq preset that are here; they are small extras, so absent ones are left out."""
    result = {}
    for name in ("age", "smile", "pose"):
        try:
            result[name] = Direction(load_direction(weights.path(f"direction_{name}")))
        except KinlibError:
            continue
    return result


def _enlarged(picture: Image.Image, size: int) -> Image.Image:
    return picture if picture.width >= size else picture.resize((size, size), Image.Resampling.LANCZOS)
