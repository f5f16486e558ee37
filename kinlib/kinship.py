"""The whole way: two photographs in, children out.

>>> from kinlib import Kinship
>>> kin = Kinship.load("studio")                                            # doctest: +SKIP
>>> child = kin.child("father.jpg", "mother.jpg", method="average")          # doctest: +SKIP
>>> child.image.save("child.png")                                           # doctest: +SKIP
"""

import hashlib
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from kinlib import config, images, memory
from kinlib.errors import KinlibError
from kinlib.faces.align import find_and_align
from kinlib.faces.identity import identity_loss, load_identity
from kinlib.faces.points import five_point_loss, load_onet
from kinlib.gan.directions import Direction
from kinlib.gan.encoder import Encoder
from kinlib.gan.generator import Generator
from kinlib.gan.refine import refine
from kinlib.inheritance.blend import get_method
from kinlib.options import SEXES, check_options, check_steps
from kinlib.photos import read_photo
from kinlib.presets import absent_notes, check_directions, load_networks
from kinlib.results import Child, Face

__all__ = ["Child", "Face", "Kinship"]

Photo = str | Path | Image.Image | np.ndarray

SHOWN_SIZE = 256  # smaller pictures are enlarged to this side, so that they can be looked at
ALIGNED_SIZE = 256  # what encoders take
REMEMBERED = 32  # encoded photographs kept, so that a slider's move does not encode again
REMEMBERED_PIXELS = 100_000_000  # of these photographs together; 300 MB
LIKE_DB = 22.5  # PSNR of a reconstruction; renders of held-out people reach more, most photographs of real people less
GUESSED_ADULT = 35.0  # published directions cannot read an age; parents in photographs are taken for this old
GUESSED_YEARS = 10.0  # and one unit of the direction for so many years
EDIT_ROUNDS = 3  # setting one attribute shifts the reading of another a little; the rounds close in on all of them


@dataclass
class Kinship:
    """Generator, encoder and directions of one preset, and what can be done with them.

    Attributes:
        preset: "studio" or "ffhq".
        generator, encoder: the networks.
        directions: attribute directions by name; those without a probe can only be moved along.
        device: where the networks compute.
        landmarks, identity: files of the landmark predictor and the identity embedder; None where they are not here.
        memory_efficient: whether the networks live on the CPU and visit the device for their work only.
        dtype: what the networks compute in; codes and pictures are float32 in any case.
    """

    preset: str
    generator: Generator
    encoder: Encoder
    directions: dict[str, Direction]
    device: torch.device
    landmarks: Path | None = None
    identity: Path | None = None
    memory_efficient: bool = False
    dtype: torch.dtype = torch.float32
    _faces: OrderedDict = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def load(
        cls,
        preset: str = "studio",
        device: str | torch.device | None = None,
        memory_efficient: bool = False,
        dtype: str | torch.dtype | None = None,
    ) -> "Kinship":
        """Load a preset's networks.

        Args:
            preset: "studio" or "ffhq".
            device: where to compute; None picks the best there is.
            memory_efficient: keep networks that idle off the device, draw one picture at a time, and on a GPU compute
                in half precision unless `dtype` says otherwise.
            dtype: "float32", "float16" or "bfloat16" (or PyTorch's own), what networks compute in; None is float32.
                A refinement takes float32 in any case, because the gradient that one pixel of a million has is too
                small for 16 bits. On a CPU, float16 takes minutes at 1024 px where the others take seconds.

        Raises:
            KinlibError: if the preset or the type is unknown, or the weights are absent (the message says how to get
                them).
        """
        config.check_preset(preset)
        place = config.pick_device(device)
        if dtype is None and memory_efficient and place.type == "cuda":
            dtype = memory.half_dtype(place)
        dtype = memory.pick_dtype(dtype, place)
        found = load_networks(preset)
        home = torch.device("cpu") if memory_efficient else place
        networks = found.generator.to(home), found.encoder.to(home), found.directions
        return cls(preset, *networks, place, found.landmarks, found.identity, memory_efficient, dtype)

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
        check_steps(refine_steps)
        picture = read_photo(photo)
        name = f"'{photo}'" if isinstance(photo, str | Path) else "the picture"
        # The name belongs to the key, because the notes speak of it.
        key = (hashlib.sha256(picture.tobytes()).hexdigest(), picture.size, refine_steps, name)
        if key in self._faces:
            self._faces.move_to_end(key)
            return self._faces[key]
        found = find_and_align(picture, ALIGNED_SIZE, self.landmarks, name, self.device)
        aligned = images.to_tensor(found.aligned)
        latent = self._encode_aligned(aligned, refine_steps, progress)
        lacking = absent_notes(self.preset, self.landmarks, self.identity, refine_steps > 0)
        notes = (*found.notes, *lacking, *([] if refine_steps else self._unlike(aligned, latent, name)))
        face = Face(picture, found.aligned, latent.cpu(), notes)
        self._remember(key, face)
        return face

    def child(
        self, father: Photo | Face, mother: Photo | Face, method: str = "average", seed: int = 0, **options
    ) -> Child:
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
            n: how many, from 1 to 1,000; child i is the same as `child(..., seed=seed + i)`.
            method: method of inheritance, one of `kinlib.inheritance.blend.methods()`.
            seed: seed of the first child's randomness.
            father_share: how much the father gives, in [0, 1]; or one number for each layer, [L].
            age: in years, kept to the range of the training data; None leaves what the codes say.
            sex: "female", "male" or None.
            truncation: 1 leaves the codes, smaller pulls them towards the average face, which is safer and duller.
            refine_steps: passed to `encode` for photographs.

        Raises:
            KinlibError: if a picture, the method or an option is unusable, or the direction of an attribute is absent.
        """
        blend = get_method(method, father_share)
        check_options(n, seed, age, sex, truncation, refine_steps)
        wanted = {"sex": None if sex is None else SEXES[sex], "age": age}
        wanted = {attribute: value for attribute, value in wanted.items() if value is not None}
        check_directions(self.preset, self.directions, wanted)
        father, mother = self._face(father, refine_steps), self._face(mother, refine_steps)
        sources = [torch.Generator().manual_seed(operator.index(seed) + i) for i in range(n)]
        codes = torch.cat([blend(father.latent, mother.latent, source) for source in sources])
        codes = self._edit(self.generator.truncate(codes.to(self.device), truncation), wanted)
        pictures = self.draw(codes)
        notes = self._notes(age)
        if n > 1 and torch.equal(codes[0], codes[-1]):
            notes += (f"the method '{method}' leaves nothing to chance: all children are the same",)
        return [
            Child(picture, code[None].cpu(), father, mother, method, seed + i, notes)
            for i, (picture, code) in enumerate(zip(pictures, codes, strict=True))
        ]

    def draw(self, latents: Tensor, size: int | None = None) -> list[Image.Image]:
        """Pictures of W+ codes [B, L, 512], at the generator's size, or enlarged to `size` (by default to 256 px)."""
        # A CPU draws them one by one: as fast, and rounding then does not depend on how many are asked for.
        single = self.device.type == "cpu" or self.memory_efficient
        batch = 1 if single else max(1, 1024 // self.generator.resolution)
        size = size or max(SHOWN_SIZE, self.generator.resolution)
        pictures = []
        with self._at_work(self.generator) as generator:
            for part in latents.split(batch):
                pictures += images.to_pil(generator.synthesis(part.to(self.device)))
        return [_enlarged(picture, size) for picture in pictures]

    def reconstruct(self, face: Face) -> Image.Image:
        """The face as the generator draws it from its code."""
        return self.draw(face.latent)[0]

    def _face(self, given: Photo | Face, refine_steps: int) -> Face:
        if not isinstance(given, Face):
            return self.encode(given, refine_steps)
        if given.latent.shape[1] != self.num_layers:
            layers = f"{given.latent.shape[1]} layers instead of {self.num_layers}"
            raise KinlibError(f"a face was encoded with another preset ({layers}): encode its photograph again")
        return given

    def _remember(self, key: tuple, face: Face) -> None:
        """Keep an encoded photograph, and let the oldest go where there are too many or their pictures too large."""
        self._faces[key] = face
        while len(self._faces) > 1 and (
            len(self._faces) > REMEMBERED
            or sum(kept.image.width * kept.image.height for kept in self._faces.values()) > REMEMBERED_PIXELS
        ):
            self._faces.popitem(last=False)

    @contextmanager
    def _at_work(self, net: nn.Module) -> Iterator[nn.Module]:
        """A network on the device, computing as `dtype` says, without gradients."""
        with self._awake(net), torch.inference_mode(), memory.autocast(self.device, self.dtype):
            yield net

    def _awake(self, net: nn.Module) -> AbstractContextManager:
        """A network on the device; where memory is short, for the length of the block only."""
        return memory.on_device(net, self.device) if self.memory_efficient else nullcontext(net.to(self.device))

    def _encode_aligned(self, aligned: Tensor, refine_steps: int, progress) -> Tensor:
        with self._at_work(self.encoder) as encoder:
            code = encoder(aligned.to(self.device)).float()
        if not refine_steps:
            return code
        return self._refine(aligned, code.clone(), refine_steps, progress)

    def _refine(self, aligned: Tensor, code: Tensor, steps: int, progress) -> Tensor:
        target = images.resize(aligned, self.generator.resolution).to(self.device)
        losses: dict = {five_point_loss: 1.0}
        with ExitStack() as block:
            block.enter_context(torch.random.fork_rng(devices=[]))  # the losses' networks are born with random weights
            block.enter_context(self._awake(self.generator))
            # Shared with whoever else loads them, so they are lent however much memory there is.
            block.enter_context(memory.on_device(load_onet(), self.device))
            if self.identity:
                net = block.enter_context(memory.on_device(load_identity(self.identity), self.device))
                losses[partial(identity_loss, net=net)] = 0.3
            return refine(self.generator, code, target, steps, losses, progress=progress)

    def _unlike(self, aligned: Tensor, latent: Tensor, name: str) -> list[str]:
        """A note where the studio's encoder, which knows renders only, misses the face of a photograph."""
        if self.preset != "studio":
            return []
        target = images.resize(aligned, self.generator.resolution).to(self.device)
        with self._at_work(self.generator) as generator:
            error = (generator.synthesis(latent).clamp(-1, 1) - target).square().mean()
        if 10 * torch.log10(4 / error) >= LIKE_DB:
            return []
        return [f"the encoder draws {name} only roughly: refining (--refine 100, refine_steps=100) brings it closer"]

    def _edit(self, codes: Tensor, wanted: dict[str, float]) -> Tensor:
        for turn in range(EDIT_ROUNDS if len(wanted) > 1 else 1):
            for attribute, value in wanted.items():
                codes = self._set(attribute, codes, value, again=turn > 0)
        return codes

    def _set(self, attribute: str, codes: Tensor, value: float, again: bool) -> Tensor:
        direction = self.directions[attribute]
        if direction.probe is not None:
            return direction.set(codes, value)
        return codes if again else direction.move(codes, (value - GUESSED_ADULT) / GUESSED_YEARS)

    def _notes(self, age: float | None) -> tuple[str, ...]:
        if age is None:
            return ()
        direction = self.directions["age"]
        if direction.probe is None:
            assumed = f"{GUESSED_ADULT:.0f} was assumed"
            return (f"the age is a guess: the published direction cannot read the parents' ages, so {assumed}",)
        if direction.low <= age <= direction.high:
            return ()
        years = f"{direction.low:.0f} to {direction.high:.0f} years"
        return (f"the age was kept to the range of the training data, {years}",)


def _enlarged(picture: Image.Image, size: int) -> Image.Image:
    return picture if picture.width >= size else picture.resize((size, size), Image.Resampling.LANCZOS)
