"""Measures the bundled methods on the reference couples.

    python -m kinlib.benchmark.measure --record
    python -m kinlib.benchmark.measure --record --only neural

keeps the results beside the bundled data (`kinlib.evaluation.heredity.board`): of all methods, or of those named,
with the others' left as they are.
"""

import argparse
from collections.abc import Collection, Iterator

from PIL import Image

from kinlib import Kinship
from kinlib.benchmark.entries import encode_parents, generate
from kinlib.evaluation import heredity
from kinlib.evaluation.heredity import Children, Reference, Report
from kinlib.evaluation.heredity.board import FLOOR, record_path, summarise
from kinlib.evaluation.heredity.siblings import load_siblings
from kinlib.inheritance import registry
from kinlib.io.files import write_json
from kinlib.io.resume import read_note

__all__ = ["CHILDREN", "SEED", "VARIANTS", "measure"]

CHILDREN, SEED = 16, 0  # of each couple
VARIANTS = {"mask blocks=group": ("mask", {"blocks": "group"})}
"""Settings other than the default that matter: the name, as `kinlib score` prints it, the method and its options."""


def measure(kin: Kinship, reference: Reference, only: Collection[str] = ()) -> Iterator[Report]:
    """The report of the floor, then of each method whose files are here, and of `VARIANTS`; or of those named only."""
    if not only or FLOOR in only:
        yield _report(FLOOR, _floor(kin), reference)
    parents = dict(encode_parents(kin, reference, reference.couples))
    for name, (method, options) in ({name: (name, {}) for name in registry.available(kin.preset)} | VARIANTS).items():
        if only and name not in only:
            continue
        children = generate(kin, method, parents.items(), CHILDREN, SEED, **options)
        yield _report(name, children, reference)


def _floor(kin: Kinship) -> Iterator[tuple[str, list[Image.Image]]]:
    for couple, pictures in load_siblings().items():
        yield couple, [kin.reconstruct(kin.encode(picture)) for picture in pictures]


def _report(name: str, children: Iterator[tuple[str, list[Image.Image]]], reference: Reference) -> Report:
    described: dict[str, Children] = {couple: heredity.describe(pictures) for couple, pictures in children}
    return heredity.score(described, reference, method=name)


def main(arguments: list[str] | None = None) -> None:
    """Measure the bundled methods, print them, and keep the numbers if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--record", action="store_true", help="keep the numbers beside the bundled data")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="methods to measure, instead of all")
    given = parser.parse_args(arguments)
    entries = read_note(record_path())["entries"] if given.only else {}
    for report in measure(Kinship.load("studio", device="cpu"), heredity.load_reference(), given.only):
        entries[report.method] = summarise(report)
        print(report.method, *(f"{name} {value[0]:.3f}" for name, value in entries[report.method].items()), sep="  ")
    if given.record:
        write_json(record_path(), {"preset": "studio", "children": CHILDREN, "seed": SEED, "entries": entries})


if __name__ == "__main__":
    main()
