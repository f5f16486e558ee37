"""The whole way: two photographs in, children out.

>>> from kinlib import Kinship
>>> kin = Kinship.load("studio")                                            # doctest: +SKIP
>>> child = kin.child("father.jpg", "mother.jpg", method="average")          # doctest: +SKIP
>>> child.image.save("child.png")                                           # doctest: +SKIP
"""

import hashlib
import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from kinlib.checkpoints import weights as weight_files
from kinlib.faces.align import align_found
from kinlib.faces.identity import identity_loss, load_identity
from kinlib.faces.orientation import find_upright
from kinlib.faces.points import five_point_loss, load_onet
from kinlib.gan.directions import Direction
from kinlib.gan.encoder import Encoder
from kinlib.gan.generator import Generator
from kinlib.gan.refine import refine
from kinlib.inheritance import registry
from kinlib.inheritance.notes import gathered_notes
from kinlib.inheritance.sampler import load_sampler
from kinlib.inheritance.weights_file import BlendWeights, as_weights, check_alone
from kinlib.io import images
from kinlib.io.photos import PhotoSource, photo_name, read_photo
from kinlib.kinship.attributes import check_edits, edit_notes, set_attributes
from kinlib.kinship.options import check_options, check_size, check_steps
from kinlib.kinship.presets import (
    PRESETS,
    absent_notes,
    files_here,
    find_source,
    load_core,
    load_role,
)
from kinlib.kinship.results import Child, Face
from kinlib.kinship.selective import check_how, edit_selectively
from kinlib.runtime import config, memory
from kinlib.runtime.errors import KinlibError

__all__ = ["Child", "Face", "Kinship"]

Photo = PhotoSource

SHOWN_SIZE = 256  # smaller pictures are enlarged to this side, so that they can be looked at
ALIGNED_SIZE = 256  # what encoders take
REMEMBERED = 32  # encoded photographs kept, so that a slider's move does not encode again
REMEMBERED_PIXELS = 100_000_000  # of these photographs together; 300 MB
DEFAULT_METHOD = "average"  # of inheritance
LIKE_DB = 22.5  # PSNR of a reconstruction; renders of held-out people reach more, most photographs of real people less

_LOADING = threading.RLock()  # not in `Kinship`, which could then not be copied or pickled


@dataclass
class Kinship:
    """The networks of one preset, and the way from two photographs to children.

    Attributes:
        preset: "studio" or "ffhq".
        generator, encoder: the networks that every use needs.
        directions: attribute directions by name; those without a probe can only be moved along.
        device: where the networks compute.
        landmarks, identity: files of the landmark predictor and the identity embedder; None where absent.
        memory_efficient: whether the networks live on the CPU and are on the device only while they compute.
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
    _networks: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)  # by preset and role

    @classmethod
    def load(
        cls,
        preset: str = "studio",
        device: str | torch.device | None = None,
        memory_efficient: bool = False,
        dtype: str | torch.dtype | None = None,
    ) -> "Kinship":
        """Load a preset's generator, encoder and directions; other networks are loaded when they are first used.

        Args:
            preset: "studio" or "ffhq".
            device: where to compute; None picks the best there is.
            memory_efficient: keep idle networks off the device, generate one picture at a time, and on a GPU compute
                in half precision unless `dtype` says otherwise.
            dtype: "float32", "float16" or "bfloat16" (or PyTorch's own), what networks compute in; None is float32.
                A refinement takes float32 in any case, because the gradient of one pixel in a million is too small
                for 16 bits. On a CPU, float16 takes minutes at 1024 px where the others take seconds.

        Raises:
            KinlibError: if the preset or the type is unknown, or the weights are absent (the message says how to get
                them).
        """
        config.check_preset(preset)
        place = config.pick_device(device)
        if dtype is None and memory_efficient and place.type == "cuda":
            dtype = memory.half_dtype(place)
        dtype = memory.pick_dtype(dtype, place)
        core = load_core(preset)
        home = torch.device("cpu") if memory_efficient else place
        networks = core.generator.to(home), core.encoder.to(home), core.directions
        files = [next(iter(files_here(preset, role)), None) for role in ("landmarks", "identity")]
        return cls(preset, *networks, place, *files, memory_efficient, dtype)

    def network(self, role: str) -> Any:
        """What plays a role in the preset, loaded when it is first asked for.

        | role | |
        |---|---|
        | `generator`, `encoder` | the attributes of the same names |
        | `directions` | attribute directions by name |
        | `landmarks` | dlib shape predictor of 68 points, for `kinlib.faces.landmarks.predict` |
        | `identity` | aligned faces [B, 3, S, S] in [-1, 1] -> unit embeddings [B, 512] |
        | `parsing` | parser for `kinlib.faces.parsing.parse` |
        | `demography` | aligned faces [B, 3, S, S] in [-1, 1] -> table with one row a face |
        | `editor` | the editing network of `kinlib.editing.networks` (studio only) |

        Generator and encoder are where `memory_efficient` says. The others stay on the CPU and are shared with whoever
        else loads them: `kinlib.runtime.memory.on_device` moves one to a device for the length of a block.

        Raises:
            KinlibError: if there is no such role, or its files are absent (the message says how to get them) or
                damaged.
        """
        find_source(self.preset, role)
        if role in ("generator", "encoder", "directions"):
            return getattr(self, role)
        with _LOADING:  # several threads may ask at once; one of them loads
            key = self.preset, role
            if key not in self._networks:
                self._networks[key] = load_role(self.preset, role)
            return self._networks[key]

    def separate(self) -> "Kinship":
        """The same networks with a cache of encoded photographs of its own.

        For a page with several visitors: no visitor's photographs stay in memory after the visit, or in another's way.
        """
        return replace(self, _faces=OrderedDict())

    @property
    def num_layers(self) -> int:
        """L, the number of codes in W+."""
        return self.generator.num_layers

    def encode(
        self, photo: PhotoSource, refine_steps: int = 0, progress: Callable[[int, float], None] | None = None
    ) -> Face:
        """Find the face in a photograph, align it, and encode it.

        Args:
            photo: path, bytes, open binary file, PIL image, array or tensor, as `kinlib.io.photos.read_photo` takes it.
                If no upright face is convincing, it is also tried rotated by 90, 180 and 270 degrees.
            refine_steps: steps of fitting the code to the face (about 100 help on a photograph).
            progress: called with (steps done, loss) while refining.

        Returns:
            A face of the caller's own; what is done to its pictures and code does not come back.

        Raises:
            KinlibError: if the picture cannot be read or shows no face.
        """
        check_steps(refine_steps)
        picture, name = read_photo(photo), photo_name(photo)
        # The name belongs to the key, because the notes speak of it.
        key = (hashlib.sha256(picture.tobytes()).hexdigest(), picture.size, refine_steps, name)
        if key not in self._faces:
            upright = find_upright(picture, self.landmarks, self.device)
            found = align_found(upright, ALIGNED_SIZE, name)
            aligned = images.to_tensor(found.aligned)
            target = images.resize(aligned, self.generator.resolution)
            latent = self._encode_aligned(aligned, target, refine_steps, progress)
            lacking = absent_notes(self.preset, self.landmarks, self.identity, refine_steps > 0)
            notes = (*found.notes, *lacking, *([] if refine_steps else self._unlike(target, latent, name)))
            self._remember(key, Face(upright.image, found.aligned, latent, notes, found.quad))
        self._faces.move_to_end(key)
        return _copied(self._faces[key])

    def child(
        self,
        father: Photo | Face | Child | None = None,
        mother: Photo | Face | Child | None = None,
        method: str = DEFAULT_METHOD,
        seed: int = 0,
        **options: Any,
    ) -> Child:
        """One child; for the options see `children`."""
        return self.children(father, mother, 1, method, seed, **options)[0]

    def children(
        self,
        father: Photo | Face | Child | None = None,
        mother: Photo | Face | Child | None = None,
        n: int = 8,
        method: str = DEFAULT_METHOD,
        seed: int = 0,
        *,
        age: float | None = None,
        sex: str | None = None,
        edits: Mapping[str, float | str] | None = None,
        weights: BlendWeights | str | Path | None = None,
        truncation: float = 1.0,
        refine_steps: int = 0,
        **method_options: Any,
    ) -> list[Child]:
        """Generate children of a couple.

        Args:
            father, mother: photographs, faces from `encode`, or children: grandparents have grandchildren so. One may
                be None (unknown) where the method takes that.
            n: how many, from 1 to 1,000; child i is the same as `child(..., seed=seed + i)`.
            method: method of inheritance, one of `kinlib.inheritance.registry.names()`.
            seed: seed of the first child's randomness.
            age: in years, kept to the range of the training data; None leaves what the codes say.
            sex: "female", "male" or None. A method that takes the sex samples such a child; for the others it is set
                along a direction afterwards.
            edits: attributes to set, such as {"smile": 0.5}, as `edit` takes them; `age` and `sex` are set with them.
            weights: blend weights, or their JSON file (`kinlib.inheritance.weights_file`), in place of a method, which
                must then be left out with its options. The children's `method` is "weights".
            truncation: 1 leaves the codes; smaller values pull them towards the average face, which is safer and less
                distinct.
            refine_steps: passed to `encode` for photographs.
            method_options: options of the method. Those that need no training take `father_share`: how much the father
                gives, a number in [0, 1] (0.5 by default) or one for each layer, [L].

        Raises:
            KinlibError: if a picture, the method, the blend weights, an edit or an option is unusable, the direction of
                an attribute is absent, or something is given twice. All but pictures is checked first.
        """
        check_options(n, seed, age, sex, truncation, refine_steps)
        given = father, mother
        method, inherit = self._inheritance(method, weights, method_options, given, sex)
        wanted = check_edits(self.preset, self.directions, {} if edits is None else edits, age, sex)
        if weights is None and registry.find(method).sexed and sex is not None:
            wanted.pop("sex")  # sampled, not set
        father, mother = (None if one is None else self._face(one, refine_steps) for one in given)
        parents = [None if face is None else face.latent for face in (father, mother)]

        sources = [torch.Generator().manual_seed(operator.index(seed) + i) for i in range(n)]
        with gathered_notes() as told:
            if weights is None and registry.find(method).batched:
                codes = inherit(*(parent.expand(n, -1, -1) for parent in parents), sources)  # [n, L, 512]
            else:
                codes = torch.cat([inherit(*parents, source) for source in sources])
        codes = self.generator.truncate(codes.to(self.device), truncation)
        codes = set_attributes(codes, self.directions, wanted)
        pictures = self.synthesise(codes)
        notes = (*_couple_notes(father, mother), *told, *edit_notes(self.directions, wanted))
        if n > 1 and torch.equal(codes[0], codes[-1]):
            notes += (f"the method '{method}' is deterministic: all children are the same",)
        return [
            Child(picture, code[None].cpu(), father, mother, method, seed + i, notes)
            for i, (picture, code) in enumerate(zip(pictures, codes, strict=True))
        ]

    def edit(
        self,
        face: Face | Child,
        edits: Mapping[str, float | str],
        how: str = "directions",
        *,
        present: Mapping[str, float] | None = None,
        editor: str | Path | None = None,
        reader: str | Path | None = None,
    ) -> Face | Child:
        """A face or a child with attributes set.

        | how | |
        |---|---|
        | `directions` | the code moves along latent directions, and the generator synthesises the whole picture anew |
        | `attention` | a network changes the picture itself within an attention mask; all else stays as it is |

        Directions: all attributes are set together, so that setting one does not undo another. Values are in the
        attribute's unit (years, degrees, or a share from 0 to 1) and have to lie in the range of the training data.
        Only an age beyond it is kept to it, which a note says. A published direction without a probe cannot read how
        much of the attribute there is; its value counts in steps of the direction, to at most 10, and a note says so.

        Attention: values go from -1 (remove) to 1 (add), smaller ones change less. A photograph is edited at its own
        size. A network reads which attributes are there already; they are not added again, which a note says.

        Args:
            face: a face from `encode`, or a child.
            edits: values by attribute. Directions: such as {"age": 8, "smile": 0.5}; the attributes are the names in
                `directions`, and sex may be "female" or "male". Attention: such as {"glasses": 1, "hair_blond": 1};
                `kinlib.editing.names.editable_attributes` lists them.
            how: "directions" or "attention".
            present: with attention, attributes that are there (1) or not (0), whatever the network reads.
            editor: with attention, a file of `kinlib train editor` in place of the bundled network. It may be for
                other attributes than the bundled thirteen (`kinlib.editing.attribute_sets`).
            reader: with attention, a file of `kinlib train edit_attributes` that reads the attributes of `editor`.

        Returns:
            An object of the same kind with another code and picture. With directions, a face's `image` and `aligned`
            are those of the code, so that it can be a parent; with attention its code is that of the edited picture.
            What was given stays as it is.

        Raises:
            KinlibError: if `how` or an attribute is unknown, a value is no number or out of its range, changes
                contradict each other, the direction or the network needed is absent, or the face was encoded with
                another preset.
        """
        if not isinstance(face, Face | Child):
            kind = type(face).__name__
            raise KinlibError(f"only a face from `encode` or a child can be edited, not {kind}: encode a photo first")
        check_how(how, present, editor, reader)
        if how == "attention":
            return edit_selectively(self, face, edits, present, editor, reader).face
        wanted = check_edits(self.preset, self.directions, edits)
        self._check_layers(face)
        latent = set_attributes(face.latent, self.directions, wanted)
        picture = self.synthesise(latent)[0]
        notes = tuple(dict.fromkeys((*face.notes, *edit_notes(self.directions, wanted))))
        changed = {"image": picture, "latent": latent, "notes": notes}
        if isinstance(face, Face):
            changed["aligned"] = picture.resize((ALIGNED_SIZE, ALIGNED_SIZE), Image.Resampling.LANCZOS)
            changed["quad"] = None
        return replace(face, **changed)

    def encode_aligned(self, aligned: Image.Image) -> Tensor:
        """W+ code [1, L, 512], on the CPU, of an FFHQ crop, in which no face is looked for."""
        picture = images.to_tensor(
            images.to_rgb(aligned).resize((ALIGNED_SIZE, ALIGNED_SIZE), Image.Resampling.LANCZOS)
        )
        return self._encode_aligned(picture, images.resize(picture, self.generator.resolution), 0, None)

    def other_parent(
        self,
        child: Photo | Face | Child,
        known: Photo | Face | Child | None = None,
        sex: str = "female",
        seed: int = 0,
    ) -> Face:
        """One sample of what a child's other parent may look like, as a portrait.

        Args:
            child: photograph, face or generated child.
            known: the known parent; None where neither is known.
            sex: of the wanted parent: "female" for the mother, "male" for the father.
            seed: of the sample; another seed gives another person who could be it.

        Raises:
            KinlibError: if a picture or the sex is unusable, or the preset has no trained sampler.
        """
        check_options(1, seed, None, sex, 1.0)
        if sex is None:
            raise KinlibError("which parent is wanted? Give its sex: female for the mother, male for the father")
        sampler = load_sampler(weight_files.path(weight_files.for_role(self.preset, "sampler").name))
        faces = [None if one is None else self._face(one, 0) for one in (child, known)]
        codes = [None if face is None else face.latent for face in faces]
        code = sampler.other_parent(*codes, sex, torch.Generator().manual_seed(operator.index(seed)))
        picture = self.synthesise(code)[0]
        return Face(picture, picture.resize((ALIGNED_SIZE, ALIGNED_SIZE), Image.Resampling.LANCZOS), code.cpu())

    def synthesise(self, latents: Tensor, size: int | None = None) -> list[Image.Image]:
        """Synthesise the pictures of codes.

        Args:
            latents: W+ [B, L, 512].
            size: smaller pictures are enlarged to this side, in px; None enlarges to 256 px.

        Raises:
            KinlibError: if the codes have another shape or are not finite, or the size is impossible.
        """
        check_size(size)
        if latents.ndim != 3 or latents.shape[1:] != self.generator.latent_avg.shape:
            wanted = ", ".join(map(str, self.generator.latent_avg.shape))
            raise KinlibError(f"codes must have the shape [B, {wanted}], not {list(latents.shape)}")
        # On a CPU one by one: as fast, and the rounding then does not depend on how many are generated together.
        single = self.device.type == "cpu" or self.memory_efficient
        batch = 1 if single else max(1, 1024 // self.generator.resolution)
        size = size or max(SHOWN_SIZE, self.generator.resolution)
        pictures = []
        with self._at_work(self.generator) as generator:
            for part in latents.split(batch):
                pictures += images.to_pil(generator.synthesis(part.to(self.device)))
        return [_enlarged(picture, size) for picture in pictures]

    def reconstruct(self, face: Face) -> Image.Image:
        """The picture of a face's code; raises as `synthesise`."""
        return self.synthesise(face.latent)[0]

    def _face(self, given: Photo | Face | Child, refine_steps: int) -> Face:
        if isinstance(given, Child):
            given = _as_face(given)
        if not isinstance(given, Face):
            return self.encode(given, refine_steps)
        self._check_layers(given)
        return given

    def _check_layers(self, given: Face | Child) -> None:
        if given.latent.shape[1] != self.num_layers:
            layers = f"{given.latent.shape[1]} layers instead of {self.num_layers}"
            raise KinlibError(f"a face was encoded with another preset ({layers}): encode its photograph again")

    def _inheritance(
        self,
        method: str,
        weights: BlendWeights | str | Path | None,
        method_options: Mapping[str, Any],
        parents: tuple,
        sex: str | None,
    ) -> tuple[str, registry.Inherit]:
        """The name and the callable of what makes a child's code: blend weights, or a method of the registry."""
        if weights is None:
            found = registry.find(method)
            found.check_parents(*parents)
            return method, registry.create(method, self.preset, sex if found.sexed else None, **method_options)
        check_alone(None if method == DEFAULT_METHOD else method, method_options)
        shares = as_weights(weights, self.preset, self.num_layers).shares()  # [L, 512]
        if any(parent is None for parent in parents):
            raise KinlibError("blend weights need both parents: leave them out for a method that takes one")
        return "weights", lambda father, mother, generator: torch.lerp(mother, father, shares.to(father))

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

    def _encode_aligned(self, aligned: Tensor, target: Tensor, refine_steps: int, progress) -> Tensor:
        """W+ code [1, L, 512], on the CPU, of an aligned face at the encoder's and at the generator's size."""
        with self._at_work(self.encoder) as encoder:
            code = encoder(aligned.to(self.device)).float()
        if refine_steps:
            code = self._refine(target, code, refine_steps, progress)
        with torch.inference_mode(False):  # an inference tensor could take part in nobody's gradients
            return code.cpu().clone()

    def _refine(self, target: Tensor, code: Tensor, steps: int, progress) -> Tensor:
        losses: dict = {five_point_loss: 1.0}
        with ExitStack() as block:
            block.enter_context(torch.random.fork_rng(devices=[]))  # the losses' networks are randomly initialised
            block.enter_context(self._awake(self.generator))
            # Shared with whoever else loads them, so they are lent however much memory there is.
            block.enter_context(memory.on_device(load_onet(), self.device))
            if self.identity:
                net = block.enter_context(memory.on_device(load_identity(self.identity), self.device))
                losses[partial(identity_loss, net=net)] = 0.3
            return refine(self.generator, code, target.to(self.device), steps, losses, progress=progress)

    def _unlike(self, target: Tensor, latent: Tensor, name: str) -> list[str]:
        """A note where the studio's encoder, which knows renders only, misses the face of a photograph."""
        if not PRESETS[self.preset].renders_only:
            return []
        with self._at_work(self.generator) as generator:
            drawn = generator.synthesis(latent.to(self.device))
        error = (drawn.clamp(-1, 1) - target.to(self.device)).square().mean()
        if 10 * torch.log10(4 / error) >= LIKE_DB:
            return []
        return [f"the encoder draws {name} only roughly: refining (--refine 100, refine_steps=100) brings it closer"]


def _as_face(child: Child) -> Face:
    """A child as a parent."""
    aligned = child.image.resize((ALIGNED_SIZE, ALIGNED_SIZE), Image.Resampling.LANCZOS)
    return Face(child.image, aligned, child.latent, child.notes)


def _couple_notes(father: Face | None, mother: Face | None) -> tuple[str, ...]:
    """A note where both parents are one photograph, whatever path or object it came from."""
    if father is None or mother is None:
        return ()
    # Of the crops, not the photographs: the same face then, and no copy of a large photograph.
    same = father is mother or father.aligned.tobytes() == mother.aligned.tobytes()
    return ("father and mother are the same photograph: the child inherits from one person only",) if same else ()


def _copied(face: Face) -> Face:
    """Kept faces are lent to nobody: who draws on a picture or edits a code in place changes a copy."""
    with torch.inference_mode(False):
        quad = None if face.quad is None else face.quad.copy()
        return Face(face.image.copy(), face.aligned.copy(), face.latent.clone(), face.notes, quad)


def _enlarged(picture: Image.Image, size: int) -> Image.Image:
    return picture if picture.width >= size else picture.resize((size, size), Image.Resampling.LANCZOS)
