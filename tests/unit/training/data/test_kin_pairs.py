"""Pairs of rendered parents: true children, of asked-for sexes, with codes that follow from their traits."""

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.studio.datasets.kin_couples import CHILD_AGE, KIN, family
from kinlib.studio.genetics import Genomes, concatenate, founders, phenotypes
from kinlib.training.data.kin_codes import KinCodes
from kinlib.training.data.kin_pairs import PortraitCodes, couple_genomes, make_pairs, trait_features

COUPLES = 12


@pytest.fixture(scope="module")
def parents() -> tuple[Genomes, Genomes]:
    table = pd.DataFrame({"couple": np.arange(COUPLES)})
    return couple_genomes(KinCodes(table, torch.empty(0), torch.empty(0), seed=5))


def traits_of(people: Genomes) -> pd.DataFrame:
    return phenotypes(people).to_frame().assign(age=CHILD_AGE)


@pytest.fixture(scope="module")
def portraits() -> PortraitCodes:
    """A map whose first component is the skin's melanin, whose second is 1 for men and -1 for women, without noise."""
    people = concatenate([founders(home, 800, np.random.default_rng(1)) for home in ("birch", "dune")])
    traits = traits_of(people)
    codes = torch.tensor(np.stack([traits.melanin, 2.0 * (traits.sex == "male") - 1], axis=1))
    return PortraitCodes(traits, codes.float())


def test_parents_are_those_of_the_set(parents):
    father, mother, _ = family(5, KIN, 7, 3)
    assert (parents[0].alleles[7] == father.alleles[0]).all() and (parents[1].alleles[7] == mother.alleles[0]).all()


def test_the_map_finds_what_follows_from_traits(portraits):
    people = traits_of(founders({"birch": 0.5, "dune": 0.5}, 50, np.random.default_rng(2)))
    found = portraits(people)
    assert np.corrcoef(found[:, 0], people.melanin)[0, 1] > 0.97
    assert ((found[:, 1] > 0).numpy() == (people.sex == "male")).all()
    assert portraits.explained.min() > 0.98


def test_residuals_are_as_large_as_the_noise():
    """Left out one by one: as large as the noise even where there are hardly more portraits than features."""
    rng = np.random.default_rng(3)
    traits = traits_of(founders("birch", 600, rng))
    noise = torch.from_numpy(rng.normal(size=(600, 4)))
    fitted = PortraitCodes(traits, noise.float())
    assert 0.9 < fitted.residuals.std() < 1.6 and fitted.explained.max() < 0.1
    drawn = fitted(traits, np.random.default_rng(4)) - fitted(traits)
    assert drawn.std() == pytest.approx(float(fitted.residuals.std()), rel=0.1)


def test_features_are_finite_and_tell_words_apart():
    people = traits_of(founders("dune", 100, np.random.default_rng(0)))
    features = trait_features(people)
    assert features.shape[0] == 100 and np.isfinite(features).all()
    blue, dark = (trait_features(people.assign(iris=word))[0] for word in ("blue", "dark"))
    assert (blue != dark).sum() == 4  # two indicators, each of them by sex as well


def test_children_are_of_their_pair_and_sex(parents, portraits):
    pairs = make_pairs(*parents, portraits, count=200, num=3, seed=1)
    assert pairs.children.shape == (200, 3, 2) and len(pairs) == 200
    assert ((pairs.children[:, :, 1] > 0).float() == pairs.male[:, None]).all()
    skin = [phenotypes(side).melanin for side in parents]
    middle = (skin[0][pairs.father] + skin[1][pairs.mother]) / 2
    assert np.corrcoef(middle, pairs.children[:, :, 0].mean(dim=1))[0, 1] > 0.9
    assert (
        len(np.unique(np.stack([pairs.father, pairs.mother], axis=1), axis=0)) > 30
    )  # partners in other couples as well
    homes = [side.ancestry.argmax(axis=1) for side in parents]
    assert 0.7 < (homes[0][pairs.father] == homes[1][pairs.mother]).mean() < 0.95  # one in four is of any population
    again = make_pairs(*parents, portraits, count=200, num=3, seed=1)
    assert torch.equal(again.children, pairs.children)


def test_more_mothers_than_fathers(parents, portraits):
    """Nobody is left out, and a population without a mother finds one elsewhere."""
    pairs = make_pairs(parents[0][[1]], parents[1][[0, 2, 3]], portraits, count=60, num=2, seed=1)
    assert set(pairs.father.tolist()) == {0} and set(pairs.mother.tolist()) == {0, 1, 2}
