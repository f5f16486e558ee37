"""Blending by region: each place from the parent that it was given to."""

import pytest
import torch

from kinlib.faces.parsing import load_parser
from kinlib.gan.generator import Generator, load_generator
from kinlib.inheritance import registry
from kinlib.inheritance.region_method import parents_masks, region_pictures
from kinlib.inheritance.regions import REGIONS, blend_regions, check_regions, random_shares, region_masks
from kinlib.io.face_labels import CLASSES
from kinlib.runtime.config import data_dir
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


def test_names_of_regions():
    assert check_regions("eyes, nose") == check_regions(["eyes", "nose"]) == ("eyes", "nose")
    assert check_regions("random") is None
    for names in ("eyes,tail", "", ["eyes", 3], 5, None):
        with pytest.raises(KinlibError, match="choose from skin, hair, nose, mouth, eyes, brows"):
            check_regions(names)


def test_one_coin_for_each_region():
    source = torch.Generator().manual_seed(0)
    throws = torch.tensor([list(random_shares(source).values()) for _ in range(400)])
    assert throws.shape == (400, len(REGIONS)) and set(throws.unique().tolist()) == {0.0, 1.0}
    assert ((throws.mean(dim=0) - 0.5).abs() < 0.1).all()


@pytest.fixture(scope="module")
def couple() -> tuple:
    """The bundled generator, the parser, and two random codes [1, L, 512]."""
    bundled = load_generator(data_dir() / "weights" / "studio" / "generator.safetensors")
    z = torch.randn(2, 1, 512, generator=torch.Generator().manual_seed(4))
    return bundled, load_parser(), *(bundled.broadcast(bundled.mapping(part)) for part in z)


def test_the_fathers_eyes_change_the_eyes_most(couple):
    source = torch.Generator()
    mothers, with_eyes = (region_pictures(*couple, source, names) for names in ((), ("eyes",)))
    eyes = parents_masks(*couple)[0, list(REGIONS).index("eyes")]
    change = (with_eyes - mothers).abs().mean(dim=1)[0]
    inside, outside = (change * eyes).sum() / eyes.sum(), (change * (1 - eyes)).sum() / (1 - eyes).sum()
    assert inside > 4 * outside


@pytest.mark.parametrize("region", list(REGIONS))
def test_each_region_alone_is_the_named_parents(couple, region: str):
    """Neighbours do not cover it: most of what the whole father would change there is changed."""
    masks = parents_masks(*couple)
    inside = (masks[:, [list(REGIONS).index(region)]] > 0.9).float()
    shares = [dict.fromkeys(range(len(REGIONS)), share) for share in (0.0, 1.0)]
    mother, father, one = (
        blend_regions(couple[0], *couple[2:], masks, given, rest=0.0)
        for given in (*shares, shares[0] | {list(REGIONS).index(region): 1.0})
    )
    moved, whole = (((picture - mother).abs() * inside).sum() for picture in (one, father))
    assert moved > 0.5 * whole


def test_the_method_encodes_the_blended_picture(couple):
    generator, _, father, mother = couple
    inherit = registry.create("regions", from_father="hair,skin,brows,eyes,nose,mouth")
    child = inherit(father, mother, torch.Generator())
    assert child.shape == father.shape
    near, far = ((generator.synthesis(child) - generator.synthesis(code)).square().mean() for code in (father, mother))
    assert near < 0.5 * far
    seeds = [registry.create("regions")(father, mother, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(seeds[0], seeds[1]) and not torch.equal(seeds[0], seeds[2])
