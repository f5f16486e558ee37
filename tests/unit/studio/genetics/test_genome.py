"""Meiosis, founders and populations against the theory that they follow.

Seeds are fixed, so a test passes or fails for good; bounds are four standard errors, computed from the theory.
"""

import numpy as np
import pytest
from scipy import stats

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics import (
    CHROMOSOMES,
    FST,
    POPULATIONS,
    GeneticMap,
    children,
    concatenate,
    founders,
    meiosis,
    recombination_fraction,
)
from kinlib.studio.genetics.architecture import load_architecture
from kinlib.studio.genetics.populations import MEANS, shifted

ERRORS = 4.0  # standard errors


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def strands(positions: list[float], n: int, seed: int = 0) -> np.ndarray:
    """Which copy each gamete took [n, L] of one parent, at places on chromosome 1 and one place on chromosome 2."""
    chromosome = np.array([0] * len(positions) + [1], np.uint8)
    genetic_map = GeneticMap(chromosome, np.array([*positions, 0.0]))
    parent = np.stack([np.zeros((1, len(chromosome)), np.uint8), np.ones((1, len(chromosome)), np.uint8)], 1)
    return meiosis(parent, genetic_map, seeded(seed), np.zeros(n, int))


@pytest.mark.parametrize("distance", [0.01, 0.05, 0.2, 0.5, 1.0, 2.5])
def test_recombination_follows_haldane(distance):
    n = 100_000
    gametes = strands([0.1, 0.1 + distance], n)
    expected = (1 - np.exp(-2 * distance)) / 2
    assert recombination_fraction(distance) == pytest.approx(expected)
    found = (gametes[:, 0] != gametes[:, 1]).mean()
    assert abs(found - expected) < ERRORS * np.sqrt(expected * (1 - expected) / n)


def test_copies_are_handed_on_alike_and_chromosomes_are_independent():
    n = 100_000
    gametes = strands([0.1, CHROMOSOMES[0]], n)
    error = ERRORS * 0.5 / np.sqrt(n)
    assert np.all(abs(gametes.mean(0) - 0.5) < error)
    assert abs((gametes[:, 1] != gametes[:, 2]).mean() - 0.5) < error  # neighbours in the array, not on a chromosome


def test_crossovers_do_not_interfere():
    n = 200_000
    gametes = strands([0.5, 0.7, 0.9], n)
    both = ((gametes[:, 0] != gametes[:, 1]) & (gametes[:, 1] != gametes[:, 2])).mean()
    expected = recombination_fraction(0.2) ** 2
    assert abs(both - expected) < ERRORS * np.sqrt(expected * (1 - expected) / n)


def test_map_is_about_the_human_one():
    genetic_map = load_architecture().map
    assert len(CHROMOSOMES) == 22 and 33 < sum(CHROMOSOMES) < 38
    assert np.all(np.diff(genetic_map.along) >= 0)
    assert np.all(genetic_map.position <= np.array(CHROMOSOMES)[genetic_map.chromosome])
    again = GeneticMap.from_along(genetic_map.along)
    assert np.array_equal(again.chromosome, genetic_map.chromosome)
    np.testing.assert_allclose(again.position, genetic_map.position, atol=1e-9)
    first, second = genetic_map.starts[2], genetic_map.starts[2] + 5
    assert genetic_map.distance(first, second) == pytest.approx(genetic_map.along[second] - genetic_map.along[first])
    assert genetic_map.distance(first, first - 1) == np.inf
    architecture = load_architecture()
    index = architecture.locus["iris_dark"]
    assert (genetic_map.chromosome[index], genetic_map.position[index]) == (14, pytest.approx(0.30))


def test_a_child_has_one_allele_of_each_parent_everywhere():
    father, mother = founders("amber", 3, seeded(1)), founders("ember", 3, seeded(2))
    born = children(father, mother, 4, seeded(3))
    assert len(born) == 12
    for copy, parent in enumerate((father, mother)):
        own, choice = born.alleles[:, copy], parent.alleles[np.repeat(np.arange(3), 4)]
        assert np.all((own == choice[:, 0]) | (own == choice[:, 1]))
        assert not np.any(np.all(own == choice[:, 0], axis=1))  # it is a mixture of both, not one of them
    np.testing.assert_allclose(born.ancestry, [[0.5, 0, 0, 0, 0.5]] * 12)


def test_same_seed_same_people():
    def family(seed):
        rng = seeded(seed)
        father, mother = founders({"birch": 2, "dune": 1}, 2, rng), founders("cedar", 2, rng)
        return concatenate([father, mother, children(father, mother, 3, rng)])

    first, again, other = family(5), family(5), family(6)
    for name in ("alleles", "sex", "noise", "seeds", "ancestry"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.alleles, other.alleles)
    assert not np.array_equal(first.noise, other.noise)


def test_selecting_people():
    people = founders("birch", 6, seeded())
    assert len(people[2]) == 1 and len(people[1:4]) == 3
    assert np.array_equal(people[np.array([4, 0])].alleles, people.alleles[[4, 0]])
    assert np.array_equal(people[-1].seeds, people.seeds[5:])
    assert np.array_equal(people.copies("hair_red"), people.alleles[:, :, people.architecture.locus["hair_red"]].sum(1))
    assert people.with_sex(np.ones(6)).sex.tolist() == [1] * 6


def test_founders_are_in_equilibrium():
    """Genotypes of all loci against Hardy-Weinberg at the population's frequencies: p-values must be uniform."""
    n = 4000
    people = founders("dune", n, seeded(7))
    frequencies = people.architecture.frequencies[POPULATIONS.index("dune")]
    copies = people.alleles.sum(1)
    expected = n * np.stack([(1 - frequencies) ** 2, 2 * frequencies * (1 - frequencies), frequencies**2])
    observed = np.stack([(copies == number).sum(0) for number in range(3)])
    common = expected.min(0) >= 5
    chi2 = (np.square(observed - expected) / expected).sum(0)[common]
    assert common.sum() > 3000
    assert stats.kstest(stats.chi2.sf(chi2, 2), "uniform").pvalue > 0.001
    inbreeding = 1 - observed[1].sum() / expected[1].sum()
    assert abs(inbreeding) < 0.002  # standard error 1 / sqrt(n * L), about 0.0003


def test_drift_has_the_stated_fst():
    """Hudson's estimator over all pairs of populations, at loci that only drift; error from a jackknife of loci."""
    architecture, n = load_architecture(), 300
    neutral = np.array([name.startswith("shape_") for name in architecture.loci])
    samples = [founders(name, n, seeded(index)).alleles[:, :, neutral] for index, name in enumerate(POPULATIONS)]
    found = np.array([sample.mean((0, 1)) for sample in samples])
    noise = found * (1 - found) / (2 * n - 1)
    pairs = [(i, j) for i in range(5) for j in range(i)]
    top = sum((found[i] - found[j]) ** 2 - noise[i] - noise[j] for i, j in pairs)
    bottom = sum(found[i] * (1 - found[j]) + found[j] * (1 - found[i]) for i, j in pairs)
    left_out = (top.sum() - top) / (bottom.sum() - bottom)
    error = np.sqrt(len(left_out) - 1) * left_out.std()
    assert error < 0.002
    assert abs(top.sum() / bottom.sum() - FST) < ERRORS * error


def test_differentiated_traits_have_the_stated_means():
    architecture = load_architecture()
    for trait, means in MEANS.items():
        wanted = np.array(means) - np.mean(means)
        np.testing.assert_allclose(architecture.means[:, architecture.trait[trait]], wanted, atol=0.05)


def test_frequencies_cannot_be_shifted_without_end():
    frequencies, effects = np.full(10, 0.5), np.array([0.2, -0.1] * 5)
    moved = shifted(frequencies, effects, 0.7)
    assert 2 * (moved - frequencies) @ effects == pytest.approx(0.7)
    assert np.all((moved > 0.5) == (effects > 0))
    assert 2 * (shifted(frequencies, effects, -0.7) - frequencies) @ effects == pytest.approx(-0.7)
    with pytest.raises(ValueError, match="cannot change"):
        shifted(frequencies, effects, 1.6)


def test_mixtures_follow_their_shares():
    people = founders({"amber": 3, "ember": 1}, 4000, seeded(2))
    assert people.ancestry.sum() == 4000
    assert abs(people.ancestry[:, 0].mean() - 0.75) < ERRORS * np.sqrt(0.75 * 0.25 / 4000)
    assert np.array_equal(founders(["dune", "birch"], 2, seeded()).ancestry.argmax(1), [3, 1])


def test_sexes_are_drawn_alike():
    n = 20_000
    born = children(founders("cedar", 1, seeded(1)), founders("cedar", 1, seeded(2)), n, seeded(3))
    assert stats.binomtest(int(born.sex.sum()), n).pvalue > 0.001


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: founders("oak", 2, seeded()), "unknown population 'oak'"),
        (lambda: founders(["amber"], 2, seeded()), "1 names"),
        (lambda: founders({"amber": -1, "birch": 2}, 2, seeded()), "negative"),
        (lambda: founders({}, 2, seeded()), "zero"),
        (lambda: founders("amber", 2, seeded()).copies("eyes"), "no locus 'eyes'"),
        (lambda: children(founders("amber", 2, seeded()), founders("amber", 1, seeded()), 1, seeded()), "as many"),
    ],
)
def test_what_cannot_be_is_explained(make, message):
    with pytest.raises(KinlibError, match=message):
        make()
