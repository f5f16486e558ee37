"""Genomes and pedigrees by the clock: `make bench`. Bounds leave room for a busy machine; the seconds are printed."""

import time

import numpy as np

from kinlib.studio.genetics import children, founders, phenotypes, trait_distribution
from kinlib.studio.pedigree import simulate


def seconds(function, repeats: int = 5) -> float:
    """The best of a few runs after one to warm up: other work on the machine only ever adds time."""
    function()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


def test_a_thousand_siblings_with_all_traits():
    rng = np.random.default_rng(0)
    father, mother = founders("birch", 1, rng), founders("dune", 1, rng)
    drawn = seconds(lambda: children(father, mother, 1000, rng))
    whole = seconds(lambda: phenotypes(children(father, mother, 1000, rng)))
    theory = seconds(lambda: trait_distribution(father, mother))
    print(f"\n1,000 siblings: genomes {drawn:.3f} s, with traits {whole:.3f} s; their distribution {theory:.3f} s")
    assert whole < 0.1


def test_pedigrees():
    print(f"\n26 families, 170 people: {seconds(simulate, 2):.2f} s; ", end="")
    print(f"500 families, 4,000 people: {seconds(lambda: simulate(500, 4000), 1):.1f} s")
