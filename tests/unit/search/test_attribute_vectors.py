"""Attribute vectors: means by hand, correlations, and what orthogonalising leaves."""

import pandas as pd
import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.search.attributes import attribute_vectors, correlations, orthogonalise, strength_of

VECTORS = {
    "Male": torch.tensor([2.0, 0.0, 0.0]),
    "Beard": torch.tensor([1.0, 1.0, 0.0]),
    "Old": torch.tensor([0.0, 0.0, 1.0]),
}


def test_a_vector_is_the_difference_of_means():
    coordinates = torch.randn(60, 4)
    values = pd.DataFrame({"Smiling": [1.0] * 20 + [0.0] * 30 + [float("nan")] * 10})
    found = attribute_vectors(coordinates, values)["Smiling"]
    assert torch.allclose(found, coordinates[:20].mean(0) - coordinates[20:50].mean(0))


def test_attributes_of_a_few_faces_have_no_vector():
    values = pd.DataFrame({"Bald": [1.0] * 9 + [0.0] * 51, "Hat": [1.0] * 10 + [0.0] * 50})
    assert set(attribute_vectors(torch.randn(60, 4), values)) == {"Hat"}
    with pytest.raises(KinlibError, match="60 faces need"):
        attribute_vectors(torch.randn(60, 4), values[:50])


def test_correlations_are_cosines():
    table = correlations(VECTORS)
    assert table.loc["Male", "Beard"] == pytest.approx(0.5**0.5)
    assert table.loc["Male", "Old"] == 0 and table.loc["Beard", "Beard"] == pytest.approx(1)


def test_orthogonalising_leaves_what_the_others_do_not_have():
    assert torch.allclose(orthogonalise(VECTORS, "Beard", ["Male"]), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)
    alone = orthogonalise(VECTORS, "Beard")
    assert all(abs(float(alone @ VECTORS[name])) < 1e-6 for name in ("Male", "Old"))
    assert torch.equal(orthogonalise(VECTORS, "Beard", []), VECTORS["Beard"])
    with pytest.raises(KinlibError, match="nothing is left"):
        orthogonalise({"a": torch.ones(2), "b": torch.ones(2)}, "a")
    with pytest.raises(KinlibError, match="no attribute 'Hat'"):
        orthogonalise(VECTORS, "Hat")


def test_strength_is_counted_in_lengths_of_the_vector():
    assert strength_of(torch.tensor([[4.0, 5.0, 6.0]]), VECTORS["Male"])[0] == pytest.approx(2)
