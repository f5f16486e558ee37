"""A search space without networks: pictures are linear in the coordinates, so that everything is known."""

import pytest
import torch

from kinlib.search.spaces import SearchSpace

DIMENSIONS, SIZE = 6, 16


@pytest.fixture
def toy_space() -> SearchSpace:
    return make_toy_space()


def make_toy_space(name: str = "toy", fingerprint: str = "00" * 32) -> SearchSpace:
    """Coordinates along orthonormal pictures; encoding is the projection."""
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(3 * SIZE * SIZE, DIMENSIONS))[0]  # [3 S S, D]

    def decode(coordinates):
        return (coordinates @ basis.t()).unflatten(1, (3, SIZE, SIZE))

    def encode(images):
        return images.flatten(1) @ basis

    vectors = {"Old": torch.tensor([2.0, 0, 0, 0, 0, 0]), "Smiling": torch.tensor([1.0, 1, 0, 0, 0, 0])}
    return SearchSpace(name, DIMENSIONS, SIZE, decode, encode, fingerprint, vectors)


@pytest.fixture
def other_space() -> SearchSpace:
    """The same space of another network."""
    return make_toy_space(fingerprint="11" * 32)
