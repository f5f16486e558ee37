"""Traits against quantitative and Mendelian genetics.

Bounds are four standard errors from the theory. Where all 131 traits are tested at once the sum of squared deviations
is held against chi-square as well: it notices a bias that hides below every single bound.
"""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics import (
    POPULATIONS,
    TRAITS,
    Genomes,
    breeding_values,
    children,
    concatenate,
    founders,
    heritability,
    mate_pairs,
    phenotypes,
    trait_distribution,
)
from kinlib.studio.genetics.architecture import load_architecture
from kinlib.studio.genetics.populations import LOCI
from kinlib.studio.person import HAIR_COLOURS, IRIS_COLOURS, NUM_SHAPE, PROPORTIONS, SEXES

ERRORS = 4.0
COUPLES = 3000


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[T] of two arrays [N, T], column by column."""
    first, second = ((values - values.mean(0)) / values.std(0) for values in (first, second))
    return (first * second).mean(0)


def deviations_fit(found: np.ndarray, expected: np.ndarray, error: np.ndarray) -> None:
    """Assert that estimates lie around their expectations as their standard errors say: singly, together, on average.

    The joint bounds are wide enough for the weak dependence between traits that share loci.
    """
    z = (found - expected) / error
    assert np.abs(z).max() < ERRORS + 0.5  # of 131
    assert 0.5 < np.mean(z**2) < 1.7
    assert abs(z.mean()) < ERRORS * 1.5 / np.sqrt(len(z))


@pytest.fixture(scope="module")
def families() -> dict[str, np.ndarray]:
    """Liabilities [COUPLES, T] in one population: parents, two children of each couple, and the father's by another."""
    rng = seeded(11)
    father, mother, other = (founders("cedar", COUPLES, rng) for _ in range(3))
    born = children(father, mother, 2, rng)
    people = {"father": father, "mother": mother, "first": born[::2], "second": born[1::2]}
    people["half"] = children(father, other, 1, rng)
    return {name: phenotypes(genomes).liability for name, genomes in people.items()}


@pytest.fixture(scope="module")
def true_heritability() -> np.ndarray:
    return heritability()["cedar"].to_numpy()


def test_slope_on_mid_parent_is_the_heritability(families, true_heritability):
    parent = (families["father"] + families["mother"]) / 2
    parent, child = parent - parent.mean(0), families["first"] - families["first"].mean(0)
    slope = (parent * child).sum(0) / np.square(parent).sum(0)
    error = np.sqrt(np.square(child - slope * parent).sum(0) / (COUPLES - 2) / np.square(parent).sum(0))
    assert error.max() < 0.025
    deviations_fit(slope, true_heritability, error)


def test_siblings_correlate_by_half_the_heritability_and_half_siblings_by_a_quarter(families, true_heritability):
    for relative, share in (("second", 1 / 2), ("half", 1 / 4)):
        expected = share * true_heritability
        error = (1 - expected**2) / np.sqrt(COUPLES)
        deviations_fit(correlations(families["first"], families[relative]), expected, error)


def test_spouses_and_strangers_do_not_correlate(families):
    error = np.full(len(TRAITS), 1 / np.sqrt(COUPLES))
    for first, second in (("father", "mother"), ("half", "mother")):
        deviations_fit(correlations(families[first], families[second]), np.zeros(len(TRAITS)), error)


def test_heritability_is_as_stated():
    table = heritability()
    assert list(table.index) == [trait.name for trait in TRAITS]
    architecture = load_architecture()
    additive = architecture.additive_variance.mean(0)
    found = additive / (additive + np.square(architecture.environment, dtype=float))
    np.testing.assert_allclose(found, table["heritability"], atol=1e-6)
    visible = table[table["group"].isin(["shape", "proportions"])]
    assert np.all(abs(visible[list(POPULATIONS)] - 0.8) < 0.06)
    assert visible["between"].max() < 0.5  # wide overlap: most of the variance lies within populations


def test_variance_among_founders_is_the_additive_variance():
    n = 4000
    values = breeding_values(founders("amber", n, seeded(3)))
    architecture = load_architecture()
    expected = architecture.additive_variance[POPULATIONS.index("amber")]
    kurtosis = stats.kurtosis(values, axis=0)
    deviations_fit(values.var(0) / expected, np.ones(len(TRAITS)), np.sqrt((2 + kurtosis) / n))
    means = architecture.means[POPULATIONS.index("amber")]
    deviations_fit(values.mean(0, dtype=float), means, np.sqrt(expected / n))


def test_half_the_additive_variance_lies_within_families():
    rng = seeded(4)
    father, mother = founders("dune", 4000, rng), founders("dune", 4000, rng)
    born = breeding_values(children(father, mother, 1, rng))
    segregation = born - (breeding_values(father) + breeding_values(mother)) / 2
    half = load_architecture().additive_variance[POPULATIONS.index("dune")] / 2
    error = np.sqrt((2 + stats.kurtosis(segregation, axis=0)) / 4000)
    deviations_fit(segregation.var(0) / half, np.ones(len(TRAITS)), error)


def test_children_of_a_couple_follow_the_theory():
    n, rng = 6000, seeded(5)
    father, mother = founders("birch", 1, rng), founders("ember", 1, rng)
    theory = trait_distribution(father, mother)
    born = children(father, mother, n, rng)
    values = breeding_values(born)
    deviations_fit(values.mean(0, dtype=float), theory.mean, np.sqrt(theory.variance / n))
    error = np.sqrt((2 + stats.kurtosis(values, axis=0)) / n)
    deviations_fit(values.var(0) / theory.variance, np.ones(len(TRAITS)), error)
    everything = phenotypes(born).liability.var(0)
    deviations_fit(everything / (theory.variance + theory.environment), np.ones(len(TRAITS)), error)
    scale = np.sqrt(np.outer(theory.variance, theory.variance))
    wrong = (np.cov(values.T) - theory.covariance) / scale  # standard error of a correlation: about 1 / sqrt(n)
    assert np.sqrt(np.square(wrong[np.triu_indices(len(TRAITS), 1)]).mean()) < 1.1 / np.sqrt(n)


def test_linkage_matters_to_the_theory():
    """Were all loci independent, a couple's variances would be others: the test above can tell the two apart."""
    rng = seeded(5)
    father, mother = founders("birch", 1, rng), founders("ember", 1, rng)
    het = sum(parent.alleles[0, 0] != parent.alleles[0, 1] for parent in (father, mother))
    free = het @ np.square(load_architecture().effects) / 4
    z = (trait_distribution(father, mother).variance / free - 1) / np.sqrt(2 / 6000)
    assert np.mean(z**2) > 5


def test_values_do_not_depend_on_the_batch():
    people = founders({name: 1 for name in POPULATIONS}, 200, seeded(6))
    together, architecture = breeding_values(people), people.architecture
    assert all(np.array_equal(breeding_values(people[i])[0], together[i]) for i in range(0, 200, 17))
    exact = people.alleles.sum(1).astype(np.float64) @ architecture.effects - architecture.offset
    assert np.array_equal(together, exact)
    whole, single = phenotypes(people), phenotypes(people[33])
    assert np.array_equal(whole.liability[33], single.liability[0])
    assert whole.traits(33).freckles == single.traits(0).freckles


def test_shape_is_standard_normal_over_all_populations():
    looks = phenotypes(founders({name: 1 for name in POPULATIONS}, 8000, seeded(8)))
    for values in (looks.shape, looks.proportions):
        assert np.abs(values.mean(0)).max() < 0.05
        assert np.abs(values.std(0) - 1).max() < 0.04
        assert np.abs(stats.kurtosis(values, axis=0)).max() < 0.4
    spread = np.quantile(looks.melanin, [0.01, 0.25, 0.5, 0.75, 0.99])
    assert spread[0] < 0.05 and spread[-1] > 0.9 and np.diff(spread).min() > 0.1
    for name in ("melanin", "redness", "hair_curl", "freckles", "cleft_chin", "beard"):
        values = getattr(looks, name)
        assert values.min() >= 0 and values.max() <= 1
    for name in ("melanin", "redness", "hair_curl", "beard"):
        order = np.argsort(looks.liability[:, load_architecture().trait[name]])
        assert np.all(np.diff(getattr(looks, name)[order]) >= 0)
    assert set(looks.iris) == set(IRIS_COLOURS) and set(looks.hair_colour) == set(HAIR_COLOURS)


def test_looks_cohere_within_populations_and_overlap_between_them():
    n = 2000
    frames = {name: phenotypes(founders(name, n, seeded(9))).to_frame() for name in POPULATIONS}
    assert [frames[name]["melanin"].median() for name in ("birch", "cedar", "dune", "ember")] == sorted(
        frames[name]["melanin"].median() for name in ("birch", "cedar", "dune", "ember")
    )
    assert frames["birch"]["melanin"].quantile(0.95) > frames["dune"]["melanin"].quantile(0.05)
    assert frames["dune"]["lip_fullness"].quantile(0.8) > frames["ember"]["lip_fullness"].quantile(0.4)
    light = frames["birch"]["iris"].isin(["blue", "grey", "green"])
    assert frames["birch"]["melanin"][light].mean() < frames["birch"]["melanin"][~light].mean()
    dark_haired = frames["cedar"]["hair_colour"].isin(["black", "dark"])
    assert frames["cedar"]["melanin"][dark_haired].mean() > frames["cedar"]["melanin"][~dark_haired].mean()
    own = frames["amber"][list(PROPORTIONS)].corr()
    assert own.loc["face_width", "jaw_width"] > 0.2 and own.loc["nose_length", "nose_bridge"] > 0.2


def test_assortative_mating():
    n, rng, trait = 4000, seeded(12), load_architecture().trait["face_width"]
    men, women = founders("ember", n, rng), founders("ember", n, rng)
    first, second = (phenotypes(people).liability[:, trait] for people in (men, women))
    for wanted in (0.0, 0.6, -0.4):
        husbands, wives = mate_pairs(first, second, wanted, rng)
        assert sorted(husbands) == sorted(wives) == list(range(n))
        found = np.corrcoef(first[husbands], second[wives])[0, 1]
        assert abs(np.arctanh(found) - np.arctanh(wanted)) < ERRORS / np.sqrt(n)
    husbands, wives = mate_pairs(first, second, 0.6, seeded(1))
    born = breeding_values(children(men[husbands], women[wives], 1, rng))[:, trait]
    own = heritability().loc["face_width", "ember"]
    base = load_architecture().additive_variance[POPULATIONS.index("ember"), trait]
    expected = 1 + 0.6 * own / 2  # the parents' breeding values correlate by r * h2
    assert abs(born.var() / base / expected - 1) < ERRORS * np.sqrt(2 / n)
    assert expected - 1 > ERRORS * np.sqrt(2 / n)  # so that random mating would fail here
    with pytest.raises(KinlibError, match="as many men"):
        mate_pairs(first[1:], second, 0.1, rng)
    with pytest.raises(KinlibError, match="from -1 to 1"):
        mate_pairs(first, second, 1.1, rng)


def bred(seed: int = 0, **genotypes: str) -> Genomes:
    """One person whose named loci hold the two alleles given ("01": father's 0, mother's 1); the rest is drawn."""
    person = founders("cedar", 1, seeded(seed))
    alleles = person.alleles.copy()
    for name, pair in genotypes.items():
        alleles[0, :, person.architecture.locus[name]] = [int(allele) for allele in pair]
    return replace(person, alleles=alleles)


def offspring(father: dict[str, str], mother: dict[str, str], n: int = 8000):
    return phenotypes(children(bred(1, **father), bred(2, **mother), n, seeded(3)))


def ratios_fit(values: np.ndarray, ratios: dict[str, int]) -> None:
    """Assert Mendelian ratios by chi-square."""
    assert set(np.unique(values)) == set(ratios)
    observed = np.array([(values == value).sum() for value in ratios])
    if len(ratios) == 1:
        return
    expected = np.array(list(ratios.values())) / sum(ratios.values()) * len(values)
    assert stats.chisquare(observed, expected).pvalue > 0.001


PALE = {"iris_dark": "00", "iris_green": "00", "iris_deep": "00"}
FAIR = {"hair_black": "00", "hair_deep": "00", "hair_red": "00", "hair_fair": "11"}


@pytest.mark.parametrize(
    ("father", "mother", "ratios"),
    [
        (PALE | {"iris_dark": "01"}, PALE | {"iris_dark": "01"}, {"brown": 3, "blue": 1}),
        (PALE | {"iris_dark": "01"}, PALE, {"brown": 1, "blue": 1}),
        (PALE | {"iris_dark": "11"}, PALE, {"brown": 1}),
        (PALE, PALE, {"blue": 1}),
        (PALE | {"iris_green": "10"}, PALE | {"iris_green": "01"}, {"green": 3, "blue": 1}),
        (
            PALE | {"iris_dark": "01", "iris_green": "10"},
            PALE | {"iris_dark": "01", "iris_green": "01"},
            {"brown": 12, "green": 3, "blue": 1},  # dominant epistasis
        ),
        (
            dict.fromkeys(PALE, "01"),
            dict.fromkeys(PALE, "10"),
            {"dark": 36, "brown": 12, "hazel": 9, "green": 3, "grey": 3, "blue": 1},
        ),
    ],
)
def test_iris_colours_are_inherited(father, mother, ratios):
    ratios_fit(offspring(father, mother).iris, ratios)


@pytest.mark.parametrize(
    ("father", "mother", "ratios"),
    [
        (FAIR | {"hair_black": "01"}, FAIR | {"hair_black": "01"}, {"dark": 3, "blond": 1}),
        (FAIR, FAIR | {"hair_deep": "10"}, {"brown": 1, "blond": 1}),
        (FAIR | {"hair_fair": "01"}, FAIR | {"hair_fair": "01"}, {"light": 3, "blond": 1}),
        (
            FAIR | {"hair_black": "01", "hair_deep": "01"},
            FAIR | {"hair_black": "10", "hair_deep": "01"},
            {"black": 9, "dark": 3, "brown": 3, "blond": 1},
        ),
        (FAIR | {"hair_red": "01"}, FAIR | {"hair_red": "10"}, {"blond": 3, "red": 1}),
        (FAIR | {"hair_red": "11"}, FAIR | {"hair_red": "01"}, {"blond": 1, "red": 1}),
        (
            FAIR | {"hair_black": "01", "hair_red": "01"},
            FAIR | {"hair_black": "01", "hair_red": "01"},
            {"dark": 12, "blond": 3, "red": 1},  # black hides red
        ),
    ],
)
def test_hair_colours_are_inherited(father, mother, ratios):
    ratios_fit(offspring(father, mother).hair_colour, ratios)


def test_red_hair_comes_from_two_carriers():
    rng = seeded(20)
    father, mother = founders("birch", 3000, rng), founders("birch", 3000, rng)
    red = phenotypes(children(father, mother, 1, rng)).hair_colour == "red"
    assert red.sum() > 100
    assert np.all(father.copies("hair_red")[red] > 0) and np.all(mother.copies("hair_red")[red] > 0)
    assert np.any(phenotypes(father).hair_colour[red] != "red")


@pytest.mark.parametrize(("locus", "trait"), [("freckles",) * 2, ("cleft_chin",) * 2, ("free_lobes",) * 2])
def test_dominant_marks(locus, trait):
    shown = getattr(offspring({locus: "01"}, {locus: "10"}), trait) > 0
    ratios_fit(shown, {True: 3, False: 1})
    assert not np.any(getattr(offspring({locus: "00"}, {locus: "00"}, 50), trait))


def test_curl_is_incompletely_dominant():
    n = 6000
    father, mother = bred(1, hair_coil="01"), bred(2, hair_coil="01")
    born = children(father, mother, n, seeded(3))
    copies = born.copies("hair_coil")
    ratios_fit(copies, {0: 1, 1: 2, 2: 1})
    curl = [phenotypes(born).hair_curl[copies == number] for number in range(3)]
    assert np.diff([np.median(values) for values in curl]).min() > 0.1
    column = phenotypes(born).liability[:, load_architecture().trait["hair_curl"]]
    means = np.array([column[copies == number].mean() for number in range(3)])
    assert abs(means[2] - 2 * means[1] + means[0]) < ERRORS * np.sqrt(4 + 4 + 2) * column.std() / np.sqrt(n)


def test_independent_loci_lie_on_chromosomes_of_their_own():
    """The ratios above take it for granted."""
    chromosomes = [locus.chromosome for locus in LOCI]
    assert len(set(chromosomes)) == len(chromosomes)


def test_sex_limits_beard_and_brow():
    people = founders("dune", 4000, seeded(30))
    women, men = (phenotypes(people.with_sex(np.full(4000, sex))) for sex in (0, 1))
    assert np.array_equal(women.beard, men.beard)  # carried by both, shown by whoever is drawn as a man
    assert np.array_equal(women.liability, men.liability)
    assert np.all(np.corrcoef(women.brow, men.brow) > 0.999)
    assert men.brow.mean() > women.brow.mean() + 0.4 and men.brow.std() > women.brow.std()


def test_records_for_the_renderer():
    people = founders("birch", 5, seeded(1))
    looks = phenotypes(people)
    frame = looks.to_frame()
    assert len(looks) == len(frame) == 5
    assert frame.shape[1] == 1 + 11 + NUM_SHAPE + len(PROPORTIONS)
    for index in range(5):
        person, traits = looks.person(index), looks.traits(index)
        assert person.sex == SEXES[people.sex[index]] == frame["sex"][index]
        assert person.seed == people.seeds[index]
        assert traits.shape.shape == (NUM_SHAPE,) and traits.shape.dtype == np.float32
        assert traits.proportion("nose_width") == pytest.approx(frame["nose_width"][index])
        assert type(traits.melanin) is float and type(traits.free_lobes) is bool and type(traits.iris) is str


def test_architectures():
    assert load_architecture() is load_architecture(0)
    first, other = load_architecture(), load_architecture(1)
    assert len(first.loci) == len(set(first.loci)) == len(other.loci)
    assert not np.array_equal(first.effects, other.effects)
    assert pickle.loads(pickle.dumps(other)) is other
    rng = seeded(1)
    with pytest.raises(KinlibError, match="one architecture"):
        children(founders("amber", 1, rng), founders("amber", 1, rng, other), 1, rng)
    with pytest.raises(KinlibError, match="one father and one mother"):
        trait_distribution(founders("amber", 2, rng), founders("amber", 1, rng))
    both = concatenate([founders("amber", 2, rng), founders("dune", 1, rng)])
    assert len(both) == 3 and np.array_equal(both.ancestry.argmax(1), [0, 0, 3])
