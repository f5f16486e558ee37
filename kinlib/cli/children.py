"""`kinlib child` and `kinlib family`: draw children of two photographed, or two bundled, parents.

A command checks its options, its output files and the photographs first, then loads networks, and writes when
everything has been drawn.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinlib.cli.machine import check_device
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from PIL import Image

    from kinlib.kinship.kinship import Child, Kinship

__all__ = ["MAX_ON_SHEET", "ChildCommand", "FamilyCommand"]

MAX_ON_SHEET = 48  # children; twelve rows


@dataclass(kw_only=True)
class Options:
    """What all commands that draw children share."""

    method: str = "average"
    """method of inheritance: average, per_layer, per_dimension, mask or slerp"""
    n: int = 1
    """number of children, up to 1000"""
    seed: int = 0
    """seed of the first child; the next ones count up"""
    father_share: float = 0.5
    """how much the father gives, from 0 to 1"""
    age: float | None = None
    """the child's age in years"""
    sex: str | None = None
    """female or male"""
    truncation: float = 1.0
    """below 1, pulls towards the average face"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights)"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""
    memory_efficient: bool = False
    """for small GPUs: networks that idle leave it, and those that work compute in half precision"""
    dtype: str | None = None
    """float32, float16 or bfloat16: what networks compute in"""


@dataclass(kw_only=True)
class ChildCommand(Options):
    """Draw children of two photographed parents."""

    father: Path
    """photograph of the father"""
    mother: Path
    """photograph of the mother"""
    out: Path = Path("child.png")
    """picture to write; with more than one child, their numbers are added to the name"""
    sheet: Path | None = None
    """also write parents, reconstructions and up to 48 children into one labelled picture"""
    refine: int = 0
    """steps of fitting each parent's code to the photograph; 100 helps on real photographs"""

    def run(self) -> None:
        _draw(self, (self.father, self.mother), _numbered(self.out, self.n), self.sheet, self.refine)


@dataclass(kw_only=True)
class FamilyCommand(Options):
    """Draw children of two of the bundled studio parents: the demonstration, no photographs needed."""

    out: Path = Path("family.png")
    """labelled picture of parents and children to write"""
    n: int = 6
    """number of children, up to 48"""
    method: str = "per_dimension"
    """method of inheritance: average, per_layer, per_dimension, mask or slerp"""
    couple: int = 1
    """which of the bundled couples"""

    def run(self) -> None:
        from kinlib.studio.datasets import sample_parents

        _draw(self, sample_parents.couple(self.couple), [], self.out, 0)


def _draw(options: Options, photos: tuple[Path, Path], targets: list[Path], sheet: Path | None, refine: int) -> None:
    """Draw, write the pictures, and say what was written and what to know about it."""
    from kinlib.io import images
    from kinlib.kinship.kinship import Kinship
    from kinlib.kinship.presets import check_directions

    _check(options, photos, targets, sheet, refine)
    kin = Kinship.load(options.preset, options.device, options.memory_efficient, options.dtype)
    edited = [attribute for attribute in ("age", "sex") if getattr(options, attribute) is not None]
    check_directions(kin.preset, kin.directions, edited)  # here, before photographs are encoded and perhaps fitted
    children = _children(kin, options, photos, refine)
    pictures = {path: child.image for path, child in zip(targets, children, strict=bool(targets))}
    if sheet:
        pictures[sheet] = _family_picture(kin, children)
    for path, picture in pictures.items():
        images.write_image(picture, path)
    for note in dict.fromkeys((*children[0].father.notes, *children[0].mother.notes, *children[0].notes)):
        print(f"note: {note}")
    print(f"wrote {_listed(list(pictures))}")


def _check(options: Options, photos: tuple[Path, Path], targets: list[Path], sheet: Path | None, refine: int) -> None:
    """Everything that can be told to be wrong without a network."""
    from kinlib.inheritance.blend import get_method
    from kinlib.io.photos import read_photo
    from kinlib.kinship.options import check_options
    from kinlib.runtime import memory

    config.check_preset(options.preset)
    memory.pick_dtype(options.dtype, check_device(options.device))
    get_method(options.method, options.father_share)
    check_options(options.n, options.seed, options.age, options.sex, options.truncation, refine)
    if sheet and options.n > MAX_ON_SHEET:
        raise KinlibError(f"a labelled picture holds {MAX_ON_SHEET} children at most, not {options.n}")
    _check_targets([*targets, *([sheet] if sheet else [])], photos)
    for photo in photos:
        read_photo(photo)  # decoded again later, which costs less than networks loaded in vain


def _check_targets(targets: list[Path], photos: tuple[Path, Path]) -> None:
    from kinlib.io import images

    if len(set(targets)) < len(targets):
        raise KinlibError(f"'{targets[-1]}' cannot be both a child's picture and the sheet: choose another name")
    for target in targets:
        images.check_writable(target)
        if any(target.exists() and photo.exists() and target.samefile(photo) for photo in photos):
            raise KinlibError(f"'{target}' is the photograph of a parent: choose another name for the output")


def _children(kin: "Kinship", options: Options, photos: tuple[Path, Path], refine: int) -> "list[Child]":
    faces = []
    for photo in photos:
        with _progress(photo, refine) as step:
            faces.append(kin.encode(photo, refine, step))
    return kin.children(
        *faces,
        n=options.n,
        method=options.method,
        seed=options.seed,
        father_share=options.father_share,
        age=options.age,
        sex=options.sex,
        truncation=options.truncation,
    )


def _family_picture(kin: "Kinship", children: "list[Child]") -> "Image.Image":
    """Parents, their reconstructions and the children in one labelled picture."""
    from kinlib import figures

    drawn = [kin.reconstruct(children[0].father), kin.reconstruct(children[0].mother)]
    return figures.family_picture(children, drawn)


def _numbered(out: Path, n: int) -> list[Path]:
    """The file of each child."""
    if n == 1 or not out.name:
        return [out]
    digits = max(2, len(str(n)))
    # A number far too large is refused later; a list of so many names would not fit into memory.
    return [out.with_name(f"{out.stem}_{i + 1:0{digits}d}{out.suffix}") for i in range(min(n, 10_000))]


def _listed(paths: list[Path]) -> str:
    """All files, or of very many the first and the last."""
    if len(paths) <= 8:
        return ", ".join(map(str, paths))
    return f"{paths[0]} to {paths[-1]} ({len(paths)} pictures)"


@contextmanager
def _progress(photo: Path, steps: int) -> Iterator[Callable[[int, float], None]]:
    """What to call after each step of refining a photograph; the first call makes a progress bar."""
    from tqdm import tqdm

    bars = []

    def step(done: int, loss: float) -> None:
        if not bars:
            bars.append(tqdm(total=steps, desc=f"refining {photo.name}", unit="step"))
        bars[0].set_postfix(loss=f"{loss:.3f}", refresh=False)
        bars[0].update(1)

    try:
        yield step
    finally:
        for bar in bars:
            bar.close()
