"""Couples of founders follow from their seed: those of the bundled reference are found again."""

import numpy as np

from kinlib.evaluation.heredity import load_reference
from kinlib.studio.datasets.kin_couples import KIN, REFERENCE, family, homes
from kinlib.studio.genetics import POPULATIONS, phenotypes


def test_populations_of_the_reference_couples_are_those_of_its_people():
    reference = load_reference()
    found = [homes(reference.provenance.seed, REFERENCE, couple) for couple in range(len(reference))]
    assert [father for father, _ in found] == [POPULATIONS[couple % 5] for couple in range(len(reference))]
    assert 3 <= sum(father != mother for father, mother in found) <= 16
    for couple in (0, 7):
        father, mother, _ = family(reference.provenance.seed, REFERENCE, couple, 1)
        for role, genome in (("father", father), ("mother", mother)):
            melanin = reference.traits(reference.couples[couple], role)["melanin"].iloc[0]
            assert np.isclose(phenotypes(genome).melanin[0], melanin, atol=1e-3)


def test_other_streams_are_other_people():
    assert homes(0, REFERENCE, 3)[0] == homes(0, KIN, 3)[0] == POPULATIONS[3]
    ours, theirs = (family(0, stream, 3, 1)[0] for stream in (REFERENCE, KIN))
    assert phenotypes(ours).melanin[0] != phenotypes(theirs).melanin[0]
