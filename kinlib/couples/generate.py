"""The children of one couple, as a job for any process: photographs in, picture files and rows out."""

import io
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from kinlib.couples.couples import PARENTS, Couple
from kinlib.evaluation.blends import SEEDS_APART
from kinlib.kinship.settings import ChildSettings
from kinlib.prepare.table import stamp_of
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import one_thread

if TYPE_CHECKING:
    from kinlib.kinship.kinship import Child, Kinship

__all__ = ["SHEET", "CoupleJob", "MadeCouple", "child_files", "generate_couple", "seed_of", "stamp"]

SHEET = "sheet.jpg"
QUALITY = 92  # of the sheet's JPEG


@dataclass(frozen=True)
class CoupleJob:
    """What one call has to do.

    Attributes:
        number: of the couple in its list, from 0.
        couple: which one.
        settings: how.
        sheet: whether parents and children are wanted in one labelled picture as well.
        device: where the networks compute.
    """

    number: int
    couple: Couple
    settings: ChildSettings
    sheet: bool
    device: str


@dataclass(frozen=True)
class MadeCouple:
    """What came of it.

    Attributes:
        number: of the couple.
        couple: its name.
        rows: one for each child, or a single one with the reason why there are none; see `kinlib.couples.run`.
        pictures: files by name within the couple's folder.
    """

    number: int
    couple: str
    rows: list[dict[str, Any]]
    pictures: dict[str, bytes] = field(default_factory=dict)


def child_files(n: int) -> list[str]:
    """Names of the files of n children in their couple's folder."""
    digits = max(2, len(str(n - 1)))
    return [f"child_{number:0{digits}d}.png" for number in range(n)]


def seed_of(settings: ChildSettings, number: int) -> int:
    """Seed of the first child of a couple, apart from other couples' as in the benchmark."""
    return settings.seed + SEEDS_APART * number


def stamp(couple: Couple) -> str:
    """What tells the content of a couple's photographs from another's; a file that cannot be opened has "none"."""
    photos = [couple.photo(role) for role in PARENTS]
    return " ".join((photo and photo.is_file() and stamp_of(photo)) or "none" for photo in photos)


def generate_couple(job: CoupleJob) -> MadeCouple:
    """Generate the children of one couple, on one core or the device.

    Raises:
        KinlibError: if the networks cannot be loaded, or memory does not suffice. Whatever else goes wrong is about
            this couple, and stands in its row.
    """
    import torch

    common = {"couple": job.couple.name, "father": job.couple.father, "mother": job.couple.mother}
    common["stamp"] = stamp(job.couple)
    settings = job.settings
    kin = _networks(settings.preset, settings.memory_efficient, settings.dtype, job.device)
    try:
        with one_thread():
            return _generate(kin, job, common)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise KinlibError("the memory does not suffice: run the same again with fewer --workers") from error
    except KinlibError as error:
        reason = str(error)
    except Exception as error:  # of one couple, most likely: the others are not to suffer
        reason = f"{type(error).__name__}: {error}"
    return MadeCouple(job.number, job.couple.name, [common | {"error": _as_listed(reason, job.couple)}])


@lru_cache(maxsize=1)
def _networks(preset: str, memory_efficient: bool, dtype: str | None, device: str) -> "Kinship":
    """Kept from couple to couple."""
    return ChildSettings(preset=preset, memory_efficient=memory_efficient, dtype=dtype).load(device)


def _generate(kin: "Kinship", job: CoupleJob, common: dict[str, Any]) -> MadeCouple:
    photos = [job.couple.photo(role) for role in PARENTS]
    father, mother = (None if photo is None else kin.encode(photo, job.settings.refine_steps) for photo in photos)
    children = job.settings.children(kin, father, mother, seed_of(job.settings, job.number))
    told = [note for face in (father, mother) if face is not None for note in face.notes]
    rows, pictures = [], {}
    for number, (child, name) in enumerate(zip(children, child_files(len(children)), strict=True)):
        pictures[name] = _as_file(child.image, "PNG")
        notes = [_as_listed(note, job.couple) for note in dict.fromkeys((*told, *child.notes))]
        made = {"child": number, "seed": child.seed, "method": child.method, "file": f"{job.couple.name}/{name}"}
        rows.append(common | made | {"notes": notes})
    if job.sheet:
        pictures[SHEET] = _as_file(_sheet(kin, children), "JPEG", quality=QUALITY)
    return MadeCouple(job.number, job.couple.name, rows, pictures)


def _sheet(kin: "Kinship", children: "list[Child]") -> Image.Image:
    """Parents, their reconstructions and the children in one labelled picture."""
    from kinlib import figures

    parents = (children[0].father, children[0].mother)
    return figures.family_picture(children, [kin.reconstruct(face) for face in parents if face is not None])


def _as_file(picture: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _as_listed(text: str, couple: Couple) -> str:
    """One line that names the photographs as the list does, so that it says the same wherever the folder lies."""
    for role in PARENTS:
        if (photo := couple.photo(role)) is not None:
            text = text.replace(str(Path(photo)), getattr(couple, role))
    return " ".join(text.split())
