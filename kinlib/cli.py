"""The command line: `kinlib child`, `kinlib family`, `kinlib train`, `kinlib weights`.

Exit code 0, or 2 with one sentence that says what is wrong and what to do. Each command is a dataclass, from which tyro
makes the options; PyTorch is imported only by the commands that compute.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from kinlib import config
from kinlib.errors import KinlibError

__all__ = ["main"]


@dataclass
class Options:
    """What all commands that draw children share."""

    out: Path = Path("child.png")
    """picture to write; with more than one child, their numbers are added to the name"""
    method: str = "average"
    """method of inheritance: average, per_layer, per_dimension, mask or slerp"""
    n: int = 1
    """number of children"""
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
    sheet: Path | None = None
    """also write parents, reconstructions and children into one labelled picture"""
    preset: str = "studio"
    """studio (bundled) or ffhq (downloaded weights)"""
    device: str | None = None
    """cpu or cuda; the best there is by default"""


@dataclass
class ChildCommand(Options):
    """Draw children of two photographed parents."""

    father: Path = tyro.MISSING
    """photograph of the father"""
    mother: Path = tyro.MISSING
    """photograph of the mother"""
    refine: int = 0
    """steps of fitting each parent's code to the photograph; 100 helps on real photographs"""

    def run(self) -> None:
        _draw(self, self.father, self.mother, self.refine)


@dataclass
class FamilyCommand(Options):
    """Draw children of two of the bundled studio parents: the demonstration, no photographs needed."""

    out: Path = Path("family.png")
    """labelled picture of parents and children to write"""
    n: int = 6
    """number of children"""
    method: str = "per_layer"
    """method of inheritance"""
    couple: int = 1
    """which of the bundled couples"""

    def run(self) -> None:
        from kinlib import parents

        father, mother = parents.couple(self.couple)
        self.sheet, self.out = self.out, None
        _draw(self, father, mother, 0)


@dataclass
class WeightsCommand:
    """List, fetch or verify the files of weights."""

    action: Annotated[str, tyro.conf.Positional]
    """list, fetch or verify"""
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """names from the list, or a preset; all of ffhq by default"""

    def run(self) -> None:
        from kinlib import weights

        actions = {"list": _list_weights, "fetch": weights.fetch, "verify": _verify_weights}
        if self.action not in actions:
            raise KinlibError(f"unknown action '{self.action}': choose list, fetch or verify")
        actions[self.action](self.names or ("ffhq" if self.action == "fetch" else None))


def _list_weights(names) -> None:
    from kinlib import weights

    for row in weights.table():
        size = f"{row['size'] / 1e6:.1f} MB" if row["size"] else "?"
        here = "here" if row["present"] else "absent"
        print(f"{row['name']:22} {row['preset']:7} {size:>10}  {here:7} {row['purpose']} [{row['licence']}]")


def _verify_weights(names) -> None:
    from kinlib import weights

    rows = weights.verify(names)
    for row in rows:
        print(f"{row['name']:22} {row['state']}")
    if any(row["state"] == "damaged" for row in rows):
        raise KinlibError("some files are not what they should be: delete them and fetch them again")


def _draw(options: Options, father: Path, mother: Path, refine: int) -> None:
    """Draw, write the pictures, and say what was written and what to know about it."""
    from kinlib import images
    from kinlib.inheritance.blend import get_method

    config.check_preset(options.preset)
    get_method(options.method, options.father_share)
    targets = _targets(options)
    for path in (*targets, *([options.sheet] if options.sheet else [])):
        images.check_writable(path)
    children = _children(options, father, mother, refine)
    for path, child in zip(targets, children, strict=False):
        images.write_image(child.image, path)
    if options.sheet:
        _write_sheet(children, options)
    for note in dict.fromkeys((*children[0].father.notes, *children[0].mother.notes, *children[0].notes)):
        print(f"note: {note}")
    print("wrote " + ", ".join(str(path) for path in [*targets, options.sheet] if path))


def _children(options: Options, father: Path, mother: Path, refine: int) -> list:
    from kinlib.kinship import Kinship

    kin = Kinship.load(options.preset, options.device)
    faces = [kin.encode(photo, refine, _progress(photo, refine)) for photo in (father, mother)]
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


def _write_sheet(children: list, options: Options) -> None:
    from kinlib import figures, images
    from kinlib.kinship import Kinship

    kin = Kinship.load(options.preset, options.device)
    drawn = [kin.reconstruct(children[0].father), kin.reconstruct(children[0].mother)]
    images.write_image(figures.family_picture(children, drawn), options.sheet)


def _targets(options: Options) -> list[Path]:
    """The file of each child."""
    out = options.out
    if out is None:
        return []
    if options.n <= 1:
        return [out]
    return [out.with_name(f"{out.stem}_{i + 1:02d}{out.suffix}") for i in range(options.n)]


def _progress(photo: Path, steps: int) -> Callable[[int, float], None] | None:
    """A progress bar for the refinement of one photograph."""
    if not steps:
        return None
    from tqdm import tqdm

    bar = tqdm(total=steps, desc=f"refining {photo.name}", unit="step")

    def step(done: int, loss: float) -> None:
        bar.update(1)
        bar.set_postfix(loss=f"{loss:.3f}")
        if done == steps:
            bar.close()

    return step


def _train(arguments: list[str]) -> None:
    from kinlib.training import recipes

    recipes.main(arguments)


COMMANDS: dict[str, type] = {"child": ChildCommand, "family": FamilyCommand, "weights": WeightsCommand}
HELP = {name: command.__doc__ for name, command in COMMANDS.items()} | {"train": "Train one of the bundled networks."}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = arguments[0] if arguments else "--help"
    try:
        if name in ("-h", "--help"):
            print("usage: kinlib COMMAND [options]; kinlib COMMAND --help tells the options\n")
            print("\n".join(f"  {command:10} {text.splitlines()[0]}" for command, text in HELP.items()))
        elif name == "train":
            _train(arguments[1:])
        elif name in COMMANDS:
            tyro.cli(COMMANDS[name], args=arguments[1:], prog=f"kinlib {name}").run()
        else:
            raise KinlibError(f"unknown command '{name}': choose one of {', '.join(HELP)}")
    except KinlibError as problem:
        print(f"kinlib: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kinlib: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
