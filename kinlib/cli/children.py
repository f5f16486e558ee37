"""`kinlib child` and `kinlib family`: generate children of two photographed, or two bundled, parents.

A command checks its options, its output files and the photographs first, then loads networks, and writes when
all pictures have been generated.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from kinlib.cli.edits import METAVAR, describe_attributes, parse_edits
from kinlib.cli.machine import check_device
from kinlib.cli.targets import check_pictures
from kinlib.inheritance import registry
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from PIL import Image

    from kinlib.kinship.kinship import Child, Face, Kinship
    from kinlib.kinship.settings import ChildSettings

__all__ = ["MAX_ON_SHEET", "ChildCommand", "FamilyCommand", "Options", "check_sheet", "settings_of"]
__all__ += ["with_method_options"]

MAX_ON_SHEET = 48  # children; twelve rows


@dataclass(kw_only=True)
class Photographs:
    """The parents of `kinlib child`; a base of their own, so that the help begins with them."""

    father: Path | None = None
    """photograph of the father"""
    mother: Path | None = None
    """photograph of the mother; one of both may be left out with the method learned"""


@dataclass(kw_only=True)
class Options:
    """The options of all commands that generate children; `with_method_options` adds those of the methods."""

    default_method: ClassVar[str] = "average"
    method: str | None = None
    """method of inheritance"""
    weights: Path | None = None
    """JSON file of blend weights, in place of a method"""
    n: int = 1
    """number of children, up to 1000"""
    seed: int = 0
    """seed of the first child; the next ones count up"""
    age: float | None = None
    """the child's age in years"""
    sex: str | None = None
    """female or male"""
    edit: tuple[tuple[str, ...], ...] = ()
    """set attributes of the child"""
    truncation: float = 1.0
    """below 1, pulls towards the average face"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights)"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""
    memory_efficient: bool = False
    """for small GPUs: networks are on the device only while they compute, and compute in half precision"""
    dtype: str | None = None
    """float32, float16 or bfloat16: what networks compute in"""


@dataclass(kw_only=True)
class ChildCommand(Options, Photographs):
    """Generate children of two photographed parents."""

    out: Path = Path("child.png")
    """picture to write; with more than one child, their numbers are added to the name"""
    sheet: Path | None = None
    """also write parents, reconstructions and up to 48 children into one labelled picture"""
    refine: int = 0
    """steps of fitting each parent's code to the photograph; 100 helps on real photographs"""

    def run(self) -> None:
        _generate(self, (self.father, self.mother), _numbered(self.out, self.n), self.sheet, self.refine)


@dataclass(kw_only=True)
class FamilyCommand(Options):
    """Generate children of two of the bundled studio parents: the demonstration, no photographs needed."""

    default_method: ClassVar[str] = "per_dimension"
    out: Path = Path("family.png")
    """labelled picture of parents and children to write"""
    n: int = 6
    """number of children, up to 48"""
    couple: int = 1
    """which of the bundled couples"""

    def run(self) -> None:
        from kinlib.studio.datasets import sample_parents

        _generate(self, sample_parents.couple(self.couple), [], self.out, 0)


def with_method_options(command: type) -> type:
    """A command with the help of `--method` and `--edit` and the options of all methods, as the registry has them.

    An option that is left out is None, and the default of the command or of the method counts. Commands that take no
    method are returned as they are.
    """
    if not issubclass(command, Options):
        return command
    methods = f"method of inheritance: {registry.describe()}"
    added: list[tuple] = [("method", _described(str, methods, command.default_method), field(default=None))]
    added.append(("edit", _edit_option(), field(default=())))
    for option in registry.all_options():
        added.append((option.name, _described(option.type, option.help, option.default), field(default=None)))
    return make_dataclass(
        command.__name__, added, bases=(command,), kw_only=True, namespace={"__doc__": command.__doc__}
    )


def _described(kind: type, text: str, default: Any) -> Any:
    """The type of an option that is None where it is left out, with the default that then counts in its help."""
    return Annotated[kind | None, tyro.conf.arg(help=text, help_behavior_hint=f"(default: {default})")]


def _edit_option() -> Any:
    """The type of `--edit`: repeatable, each time with one or several words."""
    text = f"set attributes of the child, such as smile=0.5; {describe_attributes()}".removesuffix("; ")
    described = tyro.conf.arg(help=text, metavar=f"{METAVAR} ...", help_behavior_hint="(repeatable)")
    return Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction, described]


def settings_of(options: Options, refine: int) -> "ChildSettings":
    """The options as `kinlib.kinship` takes them; raises KinlibError if an edit cannot be read."""
    from kinlib.kinship.settings import ChildSettings

    given = {option.name: getattr(options, option.name, None) for option in registry.all_options()}
    method = options.default_method if options.method is None and options.weights is None else options.method
    return ChildSettings(
        n=options.n,
        seed=options.seed,
        method=method,
        method_options={name: value for name, value in given.items() if value is not None},
        weights=options.weights,
        age=options.age,
        sex=options.sex,
        edits=parse_edits(options.edit),
        truncation=options.truncation,
        refine_steps=refine,
        preset=options.preset,
        memory_efficient=options.memory_efficient,
        dtype=options.dtype,
    )


def _generate(
    options: Options, photos: tuple[Path | None, ...], targets: list[Path], sheet: Path | None, refine: int
) -> None:
    """Generate, write the pictures, and print what was written and what to know about it."""
    from kinlib.inheritance.weights_file import load_weights
    from kinlib.io import images

    settings = settings_of(options, refine)
    _check(settings, options.device, photos, targets, sheet)
    kin = settings.load(options.device)
    if options.weights is not None:
        load_weights(options.weights, kin.preset, kin.num_layers)  # before photographs are encoded and perhaps fitted
    children = settings.children(kin, *_faces(kin, photos, refine))
    pictures = {path: child.image for path, child in zip(targets, children, strict=bool(targets))}
    if sheet:
        pictures[sheet] = _family_picture(kin, children)
    for path, picture in pictures.items():
        images.write_image(picture, path)
    parents = [face for face in (children[0].father, children[0].mother) if face is not None]
    for note in dict.fromkeys((*(note for face in parents for note in face.notes), *children[0].notes)):
        print(f"note: {note}")
    print(f"wrote {_listed(list(pictures))}")


def _check(
    settings: "ChildSettings",
    device: str | None,
    photos: tuple[Path | None, ...],
    targets: list[Path],
    sheet: Path | None,
) -> None:
    """Everything that can be checked without a network."""
    from kinlib.io.photos import read_photo

    check_device(device)
    settings.check_parents(*photos)
    settings.check(device)
    if sheet:
        check_sheet(settings.n)
    given = [photo for photo in photos if photo is not None]
    check_pictures([*targets, *([sheet] if sheet else [])], given)
    for photo in given:
        read_photo(photo)  # decoded again later, which costs less than loading networks in vain


def check_sheet(n: int) -> None:
    """Raises KinlibError if so many children have no room in one labelled picture."""
    if n > MAX_ON_SHEET:
        raise KinlibError(f"a labelled picture holds {MAX_ON_SHEET} children at most, not {n}")


def _faces(kin: "Kinship", photos: tuple[Path | None, ...], refine: int) -> "list[Face | None]":
    faces: list[Face | None] = []
    for photo in photos:
        if photo is None:
            faces.append(None)
            continue
        with _progress(photo, refine) as step:
            faces.append(kin.encode(photo, refine, step))
    return faces


def _family_picture(kin: "Kinship", children: "list[Child]") -> "Image.Image":
    """Parents, their reconstructions and the children in one labelled picture."""
    from kinlib import figures

    parents = (children[0].father, children[0].mother)
    reconstructions = [kin.reconstruct(face) for face in parents if face is not None]
    return figures.family_picture(children, reconstructions)


def _numbered(out: Path, n: int) -> list[Path]:
    """The file of each child."""
    if n == 1 or not out.name:
        return [out]
    digits = max(2, len(str(n)))
    # A number that is too large is refused later; so many names would not fit into memory.
    return [out.with_name(f"{out.stem}_{i + 1:0{digits}d}{out.suffix}") for i in range(min(n, 10_000))]


def _listed(paths: list[Path]) -> str:
    """All files, or the first and the last of many."""
    if len(paths) <= 8:
        return ", ".join(map(str, paths))
    return f"{paths[0]} to {paths[-1]} ({len(paths)} pictures)"


@contextmanager
def _progress(photo: Path, steps: int) -> Iterator[Callable[[int, float], None]]:
    """A callback for each step of refining a photograph; the first call creates a progress bar."""
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
