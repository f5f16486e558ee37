"""The studio's networks, and a couple of bundled parents."""

import pytest

from kinlib import Kinship
from kinlib.kinship.kinship import Face
from kinlib.studio.datasets import sample_parents


@pytest.fixture(scope="module")
def kin() -> Kinship:
    return Kinship.load("studio", device="cpu")


@pytest.fixture(scope="module")
def faces(kin: Kinship) -> tuple[Face, Face]:
    father, mother = sample_parents.couple(1)
    return kin.encode(father), kin.encode(mother)
