"""One visitor's session, without any layout: two parents, their children, and the settings that controls hold.

    session = Session(kin)
    session.choose_couple(1)                           or choose_photos, choose_upload
    session.generate(Settings(coarse=1.0))
    session.pictures["child"]

The panel of notebook 00 (`kinlib.widgets.family`) and the web page are layouts over this class. A session holds all of
its state; sessions share only the networks of their `Kinship`, which do not change. A page with several visitors gives
each of them `Session(kin.separate())`, so that no photograph outlives the visit.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from kinlib.inheritance import registry
from kinlib.inheritance.blend import group_shares
from kinlib.inheritance.weights_file import BlendWeights
from kinlib.io.photos import read_photo
from kinlib.kinship.kinship import Child, Face, Kinship, Photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents

__all__ = ["AGES", "ATTRIBUTES", "PICTURES", "REFINE_STEPS", "ROLES", "SHARES", "Session", "Settings", "read_upload"]

ROLES = ("father", "mother")
PICTURES = (*ROLES, *(f"{role}_reconstruction" for role in ROLES), "child")
SHARES = {"coarse": "coarse: head, pose", "middle": "middle: features, hair", "fine": "fine: colours, texture"}
ATTRIBUTES = ("age", "sex")  # that `Settings` can set, where the preset has a direction
AGES = (1, 90)  # years; range of a control
REFINE_STEPS = 100  # of fitting a photograph's code; the encoder's code of a bundled parent needs none
SHOWN_SIZE = 512  # px; larger pictures only slow the connection down
BLANK = Image.new("RGB", (256, 256), (238, 238, 238))


@dataclass(frozen=True)
class Settings:
    """What the controls say.

    Attributes:
        coarse, middle, fine: the father's share in each group of layers, from 0 to 1, for methods that take one.
        method: one of `kinlib.inheritance.registry.names()`.
        seed: of the method's randomness.
        age: in years; None as inherited.
        sex: "female", "male"; None as inherited.
        truncation: below 1, pulls towards the average face.
        options: further options of the method, by name.
        weights: blend weights in place of a method, its options and the shares of the groups; None for a method.
        n: number of children; their seeds count up from `seed`.
        edits: further attributes to set, as `Kinship.edit` takes them.
    """

    coarse: float = 0.5
    middle: float = 0.5
    fine: float = 0.5
    method: str = "average"
    seed: int = 0
    age: float | None = None
    sex: str | None = None
    truncation: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: BlendWeights | None = None
    n: int = 1
    edits: Mapping[str, float | str] = field(default_factory=dict)


class Session:
    """Two parents and their children.

    Methods that can fail return whether they succeeded. After a failure `message` says why in one sentence, and all
    else is unchanged.

    Attributes:
        kin: the networks.
        faces: the parents by role, as far as they are known.
        children: those generated last.
        child: the first of them, or None.
        settings: those of these children.
        pictures: by the names of `PICTURES`, at most 512 px; grey where there is none yet.
        message: what the user should know.
        bundled: whether both parents are bundled ones.
        report: called with a text and the share that is done, from 0 to 1, during a long computation.
    """

    def __init__(self, kin: Kinship, refine: int = REFINE_STEPS, report: Callable[[str, float], None] | None = None):
        """Begin without parents; `refine` is the number of steps that fit the code of each photograph."""
        self.kin, self.refine = kin, refine
        self.report = report or (lambda text, share: None)
        self.faces: dict[str, Face] = {}
        self.children: list[Child] = []
        self.settings = Settings()
        self.pictures: dict[str, Image.Image] = dict.fromkeys(PICTURES, BLANK)
        self.message, self.bundled = "", False

    @property
    def child(self) -> Child | None:
        """The first of `children`, if there are any."""
        return self.children[0] if self.children else None

    @property
    def methods(self) -> list[str]:
        """The methods of inheritance that can be chosen: their files are here."""
        return registry.available(self.kin.preset)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Those of `ATTRIBUTES` that the preset has a direction for."""
        return tuple(name for name in ATTRIBUTES if name in self.kin.directions)

    def choose_couple(self, number: int) -> bool:
        """Take the bundled couple of that number, counted from 1."""

        def take() -> None:
            if not isinstance(number, int):
                raise KinlibError(f"the couple must be a whole number, not {number!r}")
            self._take(dict(zip(ROLES, sample_parents.couple(number), strict=True)), bundled=True)

        return self._attempt(take)

    def choose_photos(self, photos: Mapping[str, Photo | Face]) -> bool:
        """Take photographs, or encoded faces, by role; all of them or none."""
        return self._attempt(lambda: self._take(photos))

    def choose_upload(self, role: str, name: str, content: bytes, max_side: int | None = None) -> bool:
        """Take an uploaded file, by its name and content, as the "father" or the "mother".

        A longer side than `max_side` px is scaled down.
        """

        def take() -> None:
            with _concerning(role):
                photo = read_upload(name, content, max_side)
            self._take({role: photo})

        return self._attempt(take)

    def generate(self, settings: Settings) -> bool:
        """Generate the children anew."""
        return self._attempt(lambda: self._generate(settings))

    def refresh(self, settings: Settings) -> bool:
        """Generate the child of new parents, and keep the notes on their photographs in the message."""
        notes = self.message
        succeeded = self.generate(settings)
        if succeeded:
            self.message = "; ".join(filter(None, (notes, self.message)))
        return succeeded

    def _attempt(self, action: Callable[[], None]) -> bool:
        self.message = ""
        try:
            action()
        except KinlibError as problem:
            self.message = str(problem)
        except (MemoryError, OSError, RuntimeError) as problem:  # a full memory or disk, mostly
            first_line = str(problem).partition("\n")[0]
            self.message = f"that did not work: {first_line or type(problem).__name__}"
        else:
            return True
        return False

    def _take(self, photos: Mapping[str, Photo | Face], bundled: bool = False) -> None:
        """Encode first, and change the session only when every photograph has been encoded."""
        if unknown := [role for role in photos if role not in ROLES]:
            raise KinlibError(f"unknown role '{unknown[0]}': choose one of {', '.join(ROLES)}")
        faces = {role: self._encode(role, photo, 0 if bundled else self.refine) for role, photo in photos.items()}
        made = {f"{role}_reconstruction": _shown(self.kin.reconstruct(face)) for role, face in faces.items()}
        self.faces |= faces
        self.pictures |= made | {role: _shown(face.aligned) for role, face in faces.items()}
        self.bundled = bundled
        self.message = "; ".join(f"{role}: {note}" for role, face in faces.items() for note in face.notes)

    def _encode(self, role: str, photo: Photo | Face, steps: int) -> Face:
        if isinstance(photo, Face):
            return photo
        self.report(f"looking for the {role}'s face ...", 0.0)

        def refining(done: int, loss: float) -> None:
            self.report(f"fitting the {role}'s code, step {done} of {steps} ...", done / steps)

        with _concerning(role):
            return self.kin.encode(photo, steps, refining)

    def _generate(self, settings: Settings) -> None:
        missing = [role for role in ROLES if role not in self.faces]
        if missing:
            raise KinlibError(f"there is no {' and no '.join(missing)} yet: choose a couple, or upload a photograph")
        options = dict(settings.options)
        if settings.weights is not None:
            options["weights"] = settings.weights
        elif any(option.name == "father_share" for option in registry.find(settings.method).options):
            shares = group_shares(self.kin.num_layers, settings.coarse, settings.middle, settings.fine)
            options.setdefault("father_share", shares)
        children = self.kin.children(
            *(self.faces[role] for role in ROLES),
            n=settings.n,
            method=settings.method,
            seed=settings.seed,
            age=settings.age,
            sex=settings.sex,
            truncation=settings.truncation,
            edits=settings.edits,
            **options,
        )
        notes = (*children[0].notes, *self._seed_notes(children[0], settings))
        self.children, self.settings = children, settings
        self.pictures["child"] = _shown(children[0].image)
        self.message = "; ".join(notes)

    def _seed_notes(self, child: Child, settings: Settings) -> tuple[str, ...]:
        """A note where another seed was asked for and the method does not use it."""
        before = self.child
        if before is None or settings.seed == self.settings.seed or not torch.equal(before.latent, child.latent):
            return ()
        if settings != replace(self.settings, seed=settings.seed):
            return ()
        return (f"the method '{settings.method}' is deterministic: every seed gives the same child",)


def read_upload(name: str, content: bytes, max_side: int | None = None) -> Image.Image:
    """An uploaded photograph, upright RGB.

    Args:
        name: of the file, as the browser gives it; only for messages.
        content: the file's bytes.
        max_side: px; a longer side is scaled down.

    Raises:
        KinlibError: if it cannot be read.
    """
    safe = re.sub(r"[^\w. -]", "_", name)[-80:].strip(". ") or "photograph"
    with tempfile.TemporaryDirectory(prefix="kinlib-") as folder:  # files are checked more closely than bytes
        path = Path(folder, safe)
        path.write_bytes(content)
        try:
            return read_photo(path, max_side)
        except KinlibError as problem:
            raise KinlibError(str(problem).replace(f"{folder}{os.sep}", "")) from problem


@contextmanager
def _concerning(role: str) -> Iterator[None]:
    """Within the block, messages begin with the role that they concern."""
    try:
        yield
    except KinlibError as problem:
        raise KinlibError(f"{role}: {problem}") from problem


def _shown(picture: Image.Image) -> Image.Image:
    if picture.width <= SHOWN_SIZE:
        return picture
    return picture.resize((SHOWN_SIZE, SHOWN_SIZE), Image.Resampling.LANCZOS)
