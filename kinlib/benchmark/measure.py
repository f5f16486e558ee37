"""Measures the bundled methods on the reference couples.

    python -m kinlib.benchmark.measure --record
    python -m kinlib.benchmark.measure --record --only neural
    python -m kinlib.benchmark.measure --record --pictures album --only learned mask

keeps the results beside the bundled data (`kinlib.evaluation.heredity.board`).
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from kinlib import Kinship
from kinlib.benchmark.entries import encode_parents, generate
from kinlib.evaluation import heredity
from kinlib.evaluation.bootstrap import draw_weights, estimate, mean
from kinlib.evaluation.heredity import Children, Reference
from kinlib.evaluation.heredity.assignment import assign
from kinlib.evaluation.heredity.board import FLOOR, KEYS, record_path, recorded, summarise
from kinlib.evaluation.heredity.reference import PICTURES
from kinlib.evaluation.heredity.siblings import load_siblings
from kinlib.inheritance import registry
from kinlib.io.files import write_json
from kinlib.io.resume import read_note

__all__ = ["CHILDREN", "SEED", "VARIANTS", "measure"]

CHILDREN, SEED = 16, 0  # of each couple
VARIANTS = {
    "mask blocks=group": ("mask", {"blocks": "group"}),
    "genes region_shares=coins": ("genes", {"region_shares": "coins"}),
}
"""Settings other than the default that matter: the name, as `kinlib score` prints it, the method and its options."""


def measure(
    kin: Kinship, reference: Reference, only: Sequence[str] | None = None
) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """(name, summary) of the floor, then of each method whose files are here, and of `VARIANTS`.

    Args:
        kin: the networks.
        reference: the couples, with either kind of their parents' pictures.
        only: names to be measured; None takes all.

    Yields:
        Measures as `summarise` has them, and `right`: the share of children that are assigned to their own parents.
    """
    every = {name: (name, {}) for name in registry.available(kin.preset)} | VARIANTS
    wanted = {name: made for name, made in every.items() if only is None or name in only}
    if only is None or FLOOR in only:
        yield FLOOR, _summary(FLOOR, _floor(kin), reference)
    parents = dict(encode_parents(kin, reference, reference.couples)) if wanted else {}
    for name, (method, options) in wanted.items():
        children = generate(kin, method, parents.items(), CHILDREN, SEED, **options)
        yield name, _summary(name, children, reference)


def _floor(kin: Kinship) -> Iterator[tuple[str, list[Image.Image]]]:
    for couple, pictures in load_siblings().items():
        yield couple, [kin.reconstruct(kin.encode(picture)) for picture in pictures]


def _summary(
    name: str, children: Iterator[tuple[str, list[Image.Image]]], reference: Reference
) -> dict[str, list[float]]:
    described: dict[str, Children] = {couple: heredity.describe(pictures) for couple, pictures in children}
    report = heredity.score(described, reference, method=name)
    embedded = np.stack([described[couple].embeddings for couple in reference.couples])
    right = mean(assign(embedded, reference.fathers, reference.mothers)["right"])
    interval = estimate(right, draw_weights(len(reference), seed=SEED))
    return summarise(report) | {"right": [float(f"{value:.6g}") for value in interval]}


def main(arguments: list[str] | None = None) -> None:
    """Measure the bundled methods, print them, and keep the numbers if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--record", action="store_true", help="keep the numbers beside the bundled data")
    parser.add_argument("--only", nargs="+", help="measure these; the others' numbers stay as they are")
    parser.add_argument("--pictures", choices=PICTURES, default=PICTURES[0], help="of the parents")
    given = parser.parse_args(arguments)
    kin, reference = Kinship.load("studio", device="cpu"), heredity.load_reference(pictures=given.pictures)
    entries = dict(recorded(given.pictures)) if given.only else {}
    for name, summary in measure(kin, reference, given.only):
        entries[name] = summary
        print(name, *(f"{measure} {value[0]:.3f}" for measure, value in summary.items()), sep="  ", flush=True)
    if given.record:
        facts = {"preset": "studio", "children": CHILDREN, "seed": SEED}
        write_json(record_path(), (read_note(record_path()) or {}) | facts | {KEYS[given.pictures]: entries})


if __name__ == "__main__":
    main()
