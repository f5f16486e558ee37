"""Entries of the benchmark: the children of each reference couple, from a method, a function or a folder."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from kinlib.evaluation.blends import SEEDS_APART
from kinlib.evaluation.heredity import Children, Reference, describe
from kinlib.faces.align import find_and_align
from kinlib.inheritance import registry
from kinlib.io.files import make_folder, write_bytes, write_json
from kinlib.io.photos import IMAGE_SUFFIXES, read_photo
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from kinlib.kinship.kinship import Face, Kinship

__all__ = ["LEAST", "CoupleJob", "couple_jobs", "describe_children", "encode_parents", "export_couples", "from_file"]
__all__ += ["generate", "list_pictures", "read_pictures"]

Parents = tuple["Face", "Face"]  # father and mother

LEAST = 2  # children of a couple; the distance between two of them belongs to the score
COUPLES = "couples.json"


def encode_parents(kin: "Kinship", reference: Reference, couples: Sequence[str]) -> Iterator[tuple[str, Parents]]:
    """(couple, its parents' faces), one couple after the other; raises as `Kinship.encode`."""
    for couple in couples:
        father, mother = (kin.encode(reference.picture(couple, role)) for role in ("father", "mother"))
        yield couple, (father, mother)


def generate(
    kin: "Kinship", method: str, parents: Iterable[tuple[str, Parents]], num: int, seed: int, **options
) -> Iterator[tuple[str, list[Image.Image]]]:
    """Children of couples by a method of the registry: (couple, `num` pictures), one couple after the other.

    Args:
        kin: the preset's networks.
        method: its name.
        parents: from `encode_parents`; for several methods, keep them: encoding takes longer than most methods do.
        num: children of each couple.
        seed: child i of couple k has the seed `seed + SEEDS_APART * k + i`.
        options: of the method.

    Raises:
        KinlibError: as `Kinship.children`.
    """
    for number, (couple, (father, mother)) in enumerate(parents):
        children = kin.children(father, mother, num, method, seed + SEEDS_APART * number, **options)
        yield couple, [child.image for child in children]


@dataclass(frozen=True)
class CoupleJob:
    """The children of one couple, as a job for any process.

    Attributes:
        couple: its name in the reference.
        father, mother: their photographs.
        method: name in the registry.
        source: "path.py:function" of a method that is registered from a file; None for others.
        options: of the method.
        num: how many children.
        seed: of the first child.
        preset, device: of `Kinship.load`.
    """

    couple: str
    father: Path
    mother: Path
    method: str
    source: str | None
    options: Mapping[str, Any]
    num: int
    seed: int
    preset: str
    device: str | None


def couple_jobs(reference: Reference, couples: Sequence[str], seed: int, **about: Any) -> list[CoupleJob]:
    """The jobs of some couples, with the seeds of `generate`; `about` is what they share."""
    return [
        CoupleJob(
            couple,
            *(Path(reference.picture(couple, role)).resolve() for role in ("father", "mother")),
            seed=seed + SEEDS_APART * number,
            **about,
        )
        for number, couple in enumerate(couples)
    ]


def describe_children(job: CoupleJob) -> "tuple[str, Children]":
    """(couple, its children described), in this process; raises as `Kinship.children`."""
    kin = _kinship(job.preset, job.device)
    known = job.source is None or job.method in registry.names()
    with nullcontext(job.method) if known else from_file(job.source) as method:
        parents = kin.encode(job.father), kin.encode(job.mother)
        children = kin.children(*parents, job.num, method, job.seed, **job.options)
    return job.couple, describe([child.image for child in children])


@lru_cache(maxsize=1)
def _kinship(preset: str, device: str | None) -> "Kinship":
    """Kept from couple to couple."""
    from kinlib.kinship.kinship import Kinship

    return Kinship.load(preset, device)


@contextmanager
def from_file(given: str) -> Iterator[str]:
    """Register a function `(father, mother, generator) -> child` of a Python file as a method, for as long as it lasts.

    Args:
        given: "path.py:function". The file's code is run.

    Yields:
        The name under which it is registered.

    Raises:
        KinlibError: if there is no such file or function, or the file cannot be run.
    """
    path, _, name = given.rpartition(":")
    function = _load(Path(path), name)
    method = f"{Path(path).name}:{name}"
    registry.register(registry.Method(method, f"of the file '{path}'", lambda preset: _checked(function, method)))
    try:
        yield method
    finally:
        registry.unregister(method)


def _load(path: Path, name: str) -> Callable:
    if not path.is_file():
        raise KinlibError(f"there is no file '{path}': give FILE.py:FUNCTION")
    spec = importlib.util.spec_from_file_location(f"kinlib_entry_{path.stem}", path)
    if spec is None:
        raise KinlibError(f"'{path}' is no Python file: give FILE.py:FUNCTION")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))  # so that it finds its neighbours, as a script does
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's file does
        raise KinlibError(f"'{path}' cannot be run: {type(error).__name__}: {_one_line(error)}") from error
    finally:
        sys.path.pop(0)
    function = getattr(module, name, None)
    if not callable(function):
        raise KinlibError(f"'{path}' has no function '{name}'")
    return function


def _checked(function: Callable, name: str) -> Callable:
    """The function, refusing what is no code of a child."""
    import torch

    def inherit(father, mother, generator):
        try:
            child = function(father.clone(), mother.clone(), generator)
        except Exception as error:
            raise KinlibError(f"'{name}' ended with {type(error).__name__}: {_one_line(error)}") from error
        if not isinstance(child, torch.Tensor) or child.shape != father.shape or not torch.isfinite(child).all():
            got = list(child.shape) if isinstance(child, torch.Tensor) else type(child).__name__
            raise KinlibError(f"'{name}' must return a finite tensor {list(father.shape)}, not {got}")
        return child.detach()

    return inherit


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no message"


def list_pictures(folder: str | os.PathLike, reference: Reference) -> dict[str, list[Path]]:
    """The children that a folder holds, by couple: `couple_01/*.png` and so on, in the order of the reference.

    Raises:
        KinlibError: if there is no such folder, it holds no couple, a couple is unknown, or one has fewer than two
            children.
    """
    root = Path(folder)
    if not root.is_dir():
        raise KinlibError(f"there is no folder '{folder}'")
    found = {place.name: _pictures_in(place) for place in sorted(root.iterdir()) if place.is_dir()}
    unknown = [name for name in found if name not in reference.couples and not name.startswith(".")]
    if unknown:
        raise KinlibError(f"'{unknown[0]}' is no couple: the folders are {reference.couples[0]} and so on")
    given = {couple: found[couple] for couple in reference.couples if couple in found}
    if not given:
        raise KinlibError(f"'{folder}' holds no folder of a couple, such as {reference.couples[0]}")
    for couple, pictures in given.items():
        if len(pictures) < LEAST:
            raise KinlibError(f"'{root / couple}' must hold {LEAST} pictures or more, not {len(pictures)}")
    return given


def _pictures_in(folder: Path) -> list[Path]:
    names = sorted(path for path in folder.iterdir() if path.name.casefold().endswith(IMAGE_SUFFIXES))
    return [path for path in names if not path.name.startswith(".")]


def read_pictures(paths: Sequence[Path], align: bool) -> list[Image.Image]:
    """Pictures of one couple's children as aligned faces.

    Args:
        paths: their files.
        align: find and align the face first; otherwise the pictures must be FFHQ crops already.

    Raises:
        KinlibError: if a picture cannot be read, shows no face, or is not square although it is not to be aligned.
    """
    if align:
        return [find_and_align(path).aligned for path in paths]
    pictures = [read_photo(path) for path in paths]
    for path, picture in zip(paths, pictures, strict=True):
        if picture.width != picture.height:
            size = f"{picture.width} x {picture.height} px"
            raise KinlibError(f"'{path}' is {size}: an aligned face is square; give --align to have it aligned")
    return pictures


def export_couples(reference: Reference, out: str | os.PathLike) -> Path:
    """Copy the parents' photographs into a folder, with a list of the couples: what another program needs.

    Returns:
        The list, `couples.json`: [{"couple": ..., "father": file, "mother": file}, ...].

    Raises:
        KinlibError: if the folder cannot be written to.
    """
    folder = make_folder(Path(out))
    rows = []
    for couple in reference.couples:
        row = {"couple": couple}
        for role in ("father", "mother"):
            source = reference.picture(couple, role)
            row[role] = f"{couple}_{role}{source.suffix}"
            write_bytes(folder / row[role], source.read_bytes())
        rows.append(row)
    write_json(folder / COUPLES, rows)
    return folder / COUPLES
