"""Blending by region: each place from the parent that it was given to."""

import pytest
import torch

from kinlib.gan.generator import Generator
from kinlib.inheritance.regions import REGIONS, blend_regions, region_masks
from kinlib.io.face_labels import CLASSES
from kinlib.runtime.errors import KinlibError

SIZE = 32


@pytest.fixture(scope="module")
def generator() -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Generator(SIZE, channels={4: 16, 8: 16, 16: 8, 32: 8}, n_mlp=2).eval().requires_grad_(False)
    for convolution in made.convs:
        convolution.noise.weight.fill_(0.1)
    return made


@pytest.fixture(scope="module")
def parents(generator) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    father, mother = torch.randn(2, 2, generator.num_layers, 512, generator=source)
    return father, mother


def left_half() -> torch.Tensor:
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., : SIZE // 2] = 1
    return mask


def test_whole_shares_give_a_parent(generator, parents):
    father, mother = parents
    everywhere = torch.ones(1, 1, SIZE, SIZE)
    for shares, rest, expected in (({0: 1.0}, 0.0, father), ({0: 0.0}, 1.0, mother), ({}, 1.0, father)):
        made = blend_regions(generator, father, mother, everywhere, shares, rest)
        assert torch.allclose(made, generator.synthesis(expected), atol=1e-4)


def test_same_parents_give_themselves(generator, parents):
    father, _ = parents
    made = blend_regions(generator, father, father, left_half(), {0: 0.3}, 0.8)
    assert torch.allclose(made, generator.synthesis(father), atol=1e-4)


def test_regions_follow_their_parent(generator, parents):
    """Near the left edge the father, near the right edge the mother."""
    father, mother = parents
    made = blend_regions(generator, father, mother, left_half(), {0: 1.0}, rest=0.0)
    own = [generator.synthesis(code) for code in parents]
    for columns, (near, far) in ((slice(0, 4), own), (slice(-4, None), own[::-1])):
        to_near = (made - near)[..., columns].square().mean()
        to_far = (made - far)[..., columns].square().mean()
        assert to_near < 0.5 * to_far


def test_masks_of_regions():
    probabilities = torch.zeros(1, len(CLASSES), 64, 64)
    probabilities[:, CLASSES.index("nose"), 20:40, 24:40] = 1
    nose, eyes = region_masks(probabilities, ["nose", "eyes"], SIZE)[0]
    assert nose.shape == (SIZE, SIZE) and nose[15, 16] == pytest.approx(1, abs=1e-3)
    assert nose[0, 0] == 0 and eyes.max() == 0
    assert 0 < nose[9, 16] <= 1, "the border is soft and lies outside the region"
    assert set(sum(REGIONS.values(), ())) <= set(CLASSES)


def test_refusals(generator, parents):
    with pytest.raises(KinlibError, match="unknown region 'tail'"):
        region_masks(torch.zeros(1, len(CLASSES), 8, 8), ["tail"], 8)
    for shares, words in (({0: 1.5}, "from 0 to 1, not 1.5"), ({3: 0.5}, "no mask 3"), ({0: float("nan")}, "0 to 1")):
        with pytest.raises(KinlibError, match=words):
            blend_regions(generator, *parents, left_half(), shares)
