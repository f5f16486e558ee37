"""Extended families: relations, years, genomes, and Family101's format."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics import POPULATIONS, phenotypes
from kinlib.studio.pedigree.extended_families import Pedigree, family101_text, photograph_years, simulate
from kinlib.studio.pedigree.family_growth import LAST_BIRTH, MAX_CHILDREN, grow_family
from kinlib.studio.pedigree.names import full_name, surnames


@pytest.fixture(scope="module")
def pedigree() -> Pedigree:
    return simulate()


@pytest.fixture(scope="module")
def born(pedigree) -> pd.DataFrame:
    """People with parents, and their parents' rows beside them."""
    people = pedigree.people
    children = people[people["father"].notna()].astype({"father": int, "mother": int})
    for role in ("father", "mother"):
        children = children.merge(people.add_prefix(f"{role}_"), left_on=role, right_on=f"{role}_person")
    return children


def test_numbers(pedigree):
    people = pedigree.people
    assert len(people) == 170 == len(pedigree.genomes) == len(pedigree.phenotypes)
    assert people["family"].nunique() == 26
    assert people["person"].tolist() == list(range(170)) == people.index.tolist()
    assert people.groupby("family").size().min() >= 3
    assert set(people["generation"]) == {1, 2, 3, 4}
    assert set(people["population"]) == {*POPULATIONS, "mixed"}
    assert 0.4 < (people["sex"] == "male").mean() < 0.6
    assert not people[["name", "sex", "birth_year", "family", "generation"]].isna().any(axis=None)
    assert len(simulate(3, 9, seed=5).people) == 9


def test_names_are_unique_and_fit_for_folders(pedigree):
    names = pedigree.people["name"]
    assert names.is_unique
    assert names.str.fullmatch(r"[A-Z][a-z]+_[A-Z][a-z]+").all()
    assert pedigree.people["family"].str.fullmatch("[A-Z]+").all()
    heirs = pedigree.people[pedigree.people["generation"] == 1].groupby("family")["name"].first()
    assert all(name.split("_")[1].upper() == family for family, name in heirs.items())


def test_children_have_the_fathers_surname(born):
    assert (born["name"].str.split("_").str[1] == born["father_name"].str.split("_").str[1]).all()


def test_parents_are_of_the_right_sex_age_family_and_generation(born):
    assert (born["father_sex"] == "male").all() and (born["mother_sex"] == "female").all()
    for role in ("father", "mother"):
        assert (born["birth_year"] - born[f"{role}_birth_year"]).between(20, 42).all()
        assert (born[f"{role}_family"] == born["family"]).all()
        assert (born[f"{role}_generation"] == born["generation"] - 1).all()
    assert born["birth_year"].max() <= LAST_BIRTH
    siblings = born.sort_values("birth_year").groupby("mother")["birth_year"].diff().dropna()
    assert siblings.min() >= 2 and len(siblings) > 20


def test_nobody_is_their_own_ancestor(pedigree):
    """Parents stand above their children, so no chain of parents can come back."""
    for role in ("father", "mother"):
        known = pedigree.people[pedigree.people[role].notna()]
        assert (known[role] < known["person"]).all()


def test_couples_are_not_related(pedigree):
    people = pedigree.people.set_index("person")

    def ancestors(person) -> set[int]:
        parents = [people.at[person, role] for role in ("father", "mother")]
        return {person}.union(*(ancestors(parent) for parent in parents if not pd.isna(parent)))

    for house in pedigree.houses.itertuples():
        assert not ancestors(house.husband) & ancestors(house.wife)


def test_houses_agree_with_people(pedigree):
    people, houses = pedigree.people, pedigree.houses
    for house in houses.itertuples():
        assert 1 <= len(house.children) <= MAX_CHILDREN
        rows = people.loc[list(house.children)]
        assert set(rows["father"]) == {house.husband} and set(rows["mother"]) == {house.wife}
        assert set(rows["house"]) == {house.house} and set(rows["family"]) == {house.family}
        assert rows["birth_year"].is_monotonic_increasing
    assert sum(houses["children"].map(len)) == people["father"].notna().sum()
    for numbers in houses.groupby("family")["house"]:
        assert numbers[1].tolist() == list(range(1, len(numbers[1]) + 1))
    founders = people["father"].isna()
    assert (people["house"].isna() == founders).all() and (people["mother"].isna() == founders).all()
    alone = set(people.loc[founders, "person"]) - set(houses["husband"]) - set(houses["wife"])
    assert not alone


def test_some_people_remarry(pedigree):
    married = pd.concat([pedigree.houses["husband"], pedigree.houses["wife"]]).value_counts()
    assert (married == 2).sum() >= 3 and married.max() == 2


def test_every_genome_fits_both_parents_at_every_locus(pedigree, born):
    genomes = pedigree.genomes
    for copy, role in enumerate(("father", "mother")):
        own = genomes.alleles[born["person"], copy]
        parent = genomes.alleles[born[role]]
        assert np.all((own == parent[:, 0]) | (own == parent[:, 1]))
    shares = pedigree.people[list(POPULATIONS)].to_numpy()
    np.testing.assert_allclose(shares[born["person"]], (shares[born["father"]] + shares[born["mother"]]) / 2)
    assert (pedigree.people["sex"].eq("male") == genomes.sex).all()
    person = pedigree.phenotypes.person(3)
    assert person.sex == pedigree.people.at[3, "sex"]


def test_same_seed_same_families():
    first, again, other = simulate(5, 40, seed=3), simulate(5, 40, seed=3), simulate(5, 40, seed=4)
    pd.testing.assert_frame_equal(first.people, again.people)
    pd.testing.assert_frame_equal(first.houses, again.houses)
    assert np.array_equal(first.genomes.alleles, again.genomes.alleles)
    assert np.array_equal(first.genomes.noise, again.genomes.noise)
    assert not first.people.equals(other.people)


def test_family101_text_reads_back(pedigree):
    text = family101_text(pedigree)
    assert text.endswith("\r\n") and text.count("\r\n") == text.count("\n") == text.count("\r")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))
    assert {len(row) for row in rows} == {3}
    assert {row[1] for row in rows} == {"FAMI", "HUSB", "WIFE", "SONN", "DAUG"}
    found, family = [], None
    for number, role, name in rows:
        if role == "FAMI":
            assert number == "0"
            family = name
        else:
            found.append((family, int(number), role, name))
    names, sexes, expected = pedigree.people["name"], pedigree.people["sex"], []
    for house in pedigree.houses.itertuples():
        key = (house.family, house.house)
        expected += [(*key, "HUSB", names[house.husband]), (*key, "WIFE", names[house.wife])]
        expected += [(*key, {"male": "SONN", "female": "DAUG"}[sexes[i]], names[i]) for i in house.children]
    assert found == expected
    assert {row[3] for row in found} == set(names)
    roles = pd.DataFrame(found, columns=["family", "house", "role", "name"]).groupby("name")["role"].agg(set)
    assert any({"SONN", "HUSB"} <= role for role in roles) and any({"DAUG", "WIFE"} <= role for role in roles)


def test_spouses_come_from_the_same_population_or_another():
    for mixed in (0.0, 1.0):
        people = simulate(15, 100, seed=2, mixed=mixed).people
        founders = people[people["father"].isna()].groupby("family")["population"].agg(list)
        same = [population == family[0] for family in founders for population in family[1:]]
        assert np.mean(same) == 1 - mixed
    assert (simulate(5, 30, mixed=0.0).people["population"] != "mixed").all()


@pytest.mark.parametrize("wanted", [0.0, 0.7])
def test_assortative_mating_correlates_spouses(wanted):
    """Correlation in a trait within one population, of founding couples only: nobody's ancestors are mixed."""
    pedigree = simulate(250, 750, seed=8, mixed=0.0, assortment=wanted, trait="nose_width")
    liability = pedigree.phenotypes.proportions[:, 12]
    index = pedigree.genomes.architecture.trait["nose_width"]
    assert np.array_equal(liability, phenotypes(pedigree.genomes).liability[:, index])
    means = pedigree.genomes.ancestry @ pedigree.genomes.architecture.means[:, index]
    husbands, wives = ((liability - means)[pedigree.houses[role]] for role in ("husband", "wife"))
    found = np.corrcoef(husbands, wives)[0, 1]
    assert abs(np.arctanh(found) - np.arctanh(wanted)) < 4 / np.sqrt(len(husbands))


def test_people_are_photographed_in_their_lifetime(pedigree):
    years = pedigree.people["birth_year"].to_numpy()
    taken = photograph_years(years, 6, np.random.default_rng(0))
    ages = taken - years[:, None]
    assert taken.shape == (170, 6) and np.all(np.diff(taken, axis=1) >= 0)
    assert ages.min() >= 3 and ages.max() <= 85 and taken.max() <= 2024
    assert np.mean(ages < 18) > 0.1 and np.mean(ages > 60) > 0.05


@pytest.mark.parametrize("size", [3, 4, 7, 20, 40])
def test_families_grow_to_any_size(size):
    for seed in range(5):
        family = grow_family(size, np.random.default_rng(seed))
        assert len(family.members) == size
        assert all(1 <= len(house.children) <= MAX_CHILDREN for house in family.houses)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: simulate(10, 29), "29 people are too few"),
        (lambda: simulate(0, 10), "too few"),
        (lambda: simulate(mixed=1.5), "mixed marriages"),
        (lambda: simulate(assortment=2), "correlation"),
        (lambda: simulate(trait="height"), "no polygenic trait 'height'"),
        (lambda: grow_family(2, np.random.default_rng(0)), "at least 3"),
        (lambda: grow_family(2000, np.random.default_rng(0)), "ask for smaller"),
        (lambda: surnames(5000, np.random.default_rng(0)), "run out"),
        (lambda: [full_name("male", "Aldani", set_, np.random.default_rng(0)) for set_ in [{""}] * 400], "too large"),
    ],
)
def test_what_cannot_be_is_explained(make, message):
    with pytest.raises(KinlibError, match=message):
        make()
