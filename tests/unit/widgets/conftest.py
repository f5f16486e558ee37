"""Networks and a face that several panels are tried with."""

import pytest

from kinlib.kinship.kinship import Kinship
from kinlib.studio.datasets import sample_parents


@pytest.fixture(scope="module")
def kin():
    return Kinship.load("studio", "cpu")


@pytest.fixture(scope="module")
def face(kin):
    return kin.encode(sample_parents.couple(1)[0])
