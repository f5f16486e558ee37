"""What the sliders do, without any layout: two parents and their child as PNG pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from kinlib.inheritance.blend import group_shares
from kinlib.kinship.kinship import Child, Face, Kinship, Photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents
from kinlib.widgets.snapshot import GREY, as_png
from kinlib.widgets.uploads import read_upload

__all__ = ["PICTURES", "REFINE_STEPS", "ROLES", "Family", "Settings"]

ROLES = ("father", "mother")
PICTURES = (*ROLES, *(f"{role}_drawn" for role in ROLES), "child")
REFINE_STEPS = 100  # of fitting a photograph's code; bundled parents are left as the encoder sees them
SHOWN_SIZE = 512  # px; larger pictures only slow the connection down
BLANK = Image.new("RGB", (256, 256), GREY)


@dataclass(frozen=True)
class Settings:
    """Where the sliders stand.

    Attributes:
        coarse, middle, fine: the father's share in each group of layers, from 0 to 1.
        method: one of `kinlib.inheritance.blend.methods()`.
        seed: of the method's randomness.
        age: in years; None as inherited.
        sex: "female", "male"; None as inherited.
        truncation: below 1, pulls towards the average face.
    """

    coarse: float = 0.5
    middle: float = 0.5
    fine: float = 0.5
    method: str = "average"
    seed: int = 0
    age: float | None = None
    sex: str | None = None
    truncation: float = 1.0


class Family:
    """Two parents and their child as PNG pictures.

    What can fail returns whether it worked. If it did not, `message` says why in one sentence and all else stays.

    Attributes:
        faces: the parents by role, as far as they are known.
        child: the child drawn last.
        pictures: PNG bytes by the names of `PICTURES`.
        message: what the user should know.
        bundled: whether both parents are the studio's own.
    """

    def __init__(self, kin: Kinship, refine: int = REFINE_STEPS, report: Callable[[str, float], None] | None = None):
        """`refine` steps fit each photograph's code; `report` is told what is going on and how much of it is done."""
        self.kin, self.refine = kin, refine
        self.report = report or (lambda text, share: None)
        self.faces: dict[str, Face] = {}
        self.child: Child | None = None
        self.pictures = dict.fromkeys(PICTURES, _png(BLANK))
        self.message, self.bundled = "", False

    def choose_couple(self, number: int) -> bool:
        """Take the bundled couple of that number, counted from 1."""
        return self._attempt(
            lambda: self._take(dict(zip(ROLES, sample_parents.couple(number), strict=True)), bundled=True)
        )

    def choose_photos(self, photos: Mapping[str, Photo | Face]) -> bool:
        """Take photographs, or encoded faces, by role; all of them or none."""
        return self._attempt(lambda: self._take(photos))

    def choose_upload(self, role: str, value: Mapping | Sequence) -> bool:
        """Take the value of a FileUpload as the "father" or the "mother"."""
        return self._attempt(lambda: self._take({role: self._upload(role, value)}))

    def draw(self, settings: Settings) -> bool:
        """Draw the child anew."""
        return self._attempt(lambda: self._draw(settings))

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
        """Encode first, and change the family only when every photograph has worked."""
        faces = {role: self._encode(role, photo, 0 if bundled else self.refine) for role, photo in photos.items()}
        drawn = {f"{role}_drawn": _png(self.kin.reconstruct(face)) for role, face in faces.items()}
        self.faces |= faces
        self.pictures |= drawn | {role: _png(face.aligned) for role, face in faces.items()}
        self.bundled = bundled
        self.message = "; ".join(f"{role}: {note}" for role, face in faces.items() for note in face.notes)

    def _encode(self, role: str, photo: Photo | Face, steps: int) -> Face:
        if isinstance(photo, Face):
            return photo
        self.report(f"looking for the {role}'s face ...", 0.0)

        def refining(done: int, loss: float) -> None:
            self.report(f"fitting the {role}'s code, step {done} of {steps} ...", done / steps)

        try:
            return self.kin.encode(photo, steps, refining)
        except KinlibError as problem:
            raise KinlibError(f"{role}: {problem}") from problem

    def _upload(self, role: str, value: Mapping | Sequence) -> Image.Image:
        try:
            return read_upload(value)
        except KinlibError as problem:
            raise KinlibError(f"{role}: {problem}") from problem

    def _draw(self, settings: Settings) -> None:
        missing = [role for role in ROLES if role not in self.faces]
        if missing:
            raise KinlibError(f"there is no {' and no '.join(missing)} yet: choose a couple, or upload a photograph")
        shares = group_shares(self.kin.num_layers, settings.coarse, settings.middle, settings.fine)
        self.child = self.kin.child(
            *(self.faces[role] for role in ROLES),
            method=settings.method,
            seed=settings.seed,
            father_share=shares,
            age=settings.age,
            sex=settings.sex,
            truncation=settings.truncation,
        )
        self.pictures["child"] = _png(self.child.image)
        self.message = "; ".join(self.child.notes)


def _png(picture: Image.Image) -> bytes:
    if picture.width > SHOWN_SIZE:
        picture = picture.resize((SHOWN_SIZE, SHOWN_SIZE), Image.Resampling.LANCZOS)
    return as_png(picture)
