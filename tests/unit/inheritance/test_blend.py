"""What every method of inheritance promises, and what sets each of them apart."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kinlib.inheritance import blend, registry
from kinlib.inheritance.blend import GROUPS, group_shares
from kinlib.runtime.errors import KinlibError

UNTRAINED = ["average", "per_layer", "per_dimension", "mask", "slerp"]
RANDOM = ["per_layer", "per_dimension", "mask"]
WITHIN = ["average", "per_layer", "per_dimension", "mask"]  # slerp leaves the straight line by design
LAYERS = 10


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def parents() -> tuple[Tensor, Tensor]:
    """Codes of three couples: [3, L, 512] each."""
    source = seeded(1)
    return torch.randn(3, LAYERS, 512, generator=source), 2 * torch.randn(3, LAYERS, 512, generator=source) + 0.5


def method(name: str, share: float | Tensor = 0.5) -> registry.Inherit:
    """A method of the table with the father's share set."""
    return registry.create(name, father_share=share)


def share_of_father(child: Tensor, father: Tensor, mother: Tensor) -> Tensor:
    """The share from which an entry was mixed, for methods that mix along straight lines."""
    return (child - mother) / (father - mother)


def test_methods_are_registered():
    assert set(UNTRAINED) <= set(registry.names())


@pytest.mark.parametrize("name", UNTRAINED)
def test_whole_shares_give_the_parents(name: str, parents):
    father, mother = parents
    for seed in range(20):
        torch.testing.assert_close(method(name, 1.0)(father, mother, seeded(seed)), father, atol=1e-5, rtol=0)
        torch.testing.assert_close(method(name, 0.0)(father, mother, seeded(seed)), mother, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", UNTRAINED)
def test_same_generator_same_child(name: str, parents):
    inherit = method(name, 0.3)
    assert torch.equal(inherit(*parents, seeded(5)), inherit(*parents, seeded(5)))
    other = inherit(*parents, seeded(6))
    assert torch.equal(inherit(*parents, seeded(5)), other) == (name not in RANDOM)


@pytest.mark.parametrize("name", UNTRAINED)
def test_global_random_numbers_and_parents_are_left_alone(name: str, parents):
    father, mother = parents[0].clone(), parents[1].clone()
    before = torch.random.get_rng_state()
    method(name, 0.3)(father, mother, seeded())
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(father, parents[0]) and torch.equal(mother, parents[1])


@pytest.mark.parametrize("name", UNTRAINED)
def test_shape_type_and_seed_of_a_single_couple(name: str, parents):
    father, mother = (code[:1].half() for code in parents)
    child = method(name)(father, mother, seeded())
    assert child.shape == father.shape and child.dtype == torch.float16 and child.isfinite().all()


@pytest.mark.parametrize("name", WITHIN)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_child_stays_between_its_parents(name: str, share: float, parents):
    father, mother = parents
    child = method(name, share)(father, mother, seeded())
    assert (child >= torch.minimum(father, mother) - 1e-6).all()
    assert (child <= torch.maximum(father, mother) + 1e-6).all()


@pytest.mark.parametrize("name", UNTRAINED)
def test_parents_who_are_alike_have_a_child_who_is(name: str, parents):
    father, _ = parents
    torch.testing.assert_close(method(name, 0.4)(father, father.clone(), seeded()), father, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.8])
def test_mean_of_random_shares_is_the_share(name: str, share: float):
    father, mother = torch.ones(400, LAYERS, 512), torch.zeros(400, LAYERS, 512)
    drawn = method(name, share)(father, mother, seeded())  # with such parents the child is the shares themselves
    independent = {"per_layer": drawn[:, :, 0], "per_dimension": drawn[:, 0], "mask": drawn}[name]
    error = float(independent.std()) / math.sqrt(independent.numel())
    assert abs(float(independent.mean()) - share) < 5 * error
    assert error < 0.01 and drawn.min() >= 0 and drawn.max() <= 1


def test_average_mixes_all_entries_alike(parents):
    father, mother = parents
    child = method("average", 0.25)(father, mother, seeded())
    torch.testing.assert_close(child, 0.25 * father + 0.75 * mother)


def test_per_layer_has_one_share_a_layer():
    father, mother = torch.ones(2, LAYERS, 512), torch.zeros(2, LAYERS, 512)
    shares = method("per_layer")(father, mother, seeded())
    assert torch.equal(shares, shares[:, :, :1].expand_as(shares))
    assert len(shares[:, :, 0].unique()) == 2 * LAYERS


def test_per_dimension_has_one_share_for_all_layers():
    father, mother = torch.ones(2, LAYERS, 512), torch.zeros(2, LAYERS, 512)
    shares = method("per_dimension")(father, mother, seeded())
    assert torch.equal(shares, shares[:, :1].expand_as(shares))
    assert len(shares[:, 0].unique()) > 1000


def test_mask_takes_every_entry_from_one_parent(parents):
    father, mother = parents
    child = method("mask", 0.4)(father, mother, seeded())
    assert ((child == father) | (child == mother)).all()


def test_slerp_keeps_the_length_of_codes_of_one_length(parents):
    father, mother = (20 * torch.nn.functional.normalize(code, dim=2) for code in parents)
    for share in (0.2, 0.5, 0.7):
        child = method("slerp", share)(father, mother, seeded())
        torch.testing.assert_close(child.norm(dim=2), torch.full((3, LAYERS), 20.0), atol=1e-3, rtol=0)
        turned = torch.nn.functional.cosine_similarity(child, mother, dim=2).acos()
        whole = torch.nn.functional.cosine_similarity(father, mother, dim=2).acos()
        torch.testing.assert_close(turned, share * whole, atol=1e-3, rtol=0)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, -1.5, 0.0])
@pytest.mark.parametrize("disturbance", [0.0, 1e-6, 1e-3])
def test_slerp_of_parallel_opposite_and_zero_codes(factor: float, disturbance: float, parents):
    father = parents[0]
    mother = factor * father + disturbance * parents[1]
    for share in (0.0, 0.3, 0.5, 1.0):
        child = method("slerp", share)(father, mother, seeded())
        # Rounding must not be taken for an angle: an arc between opposite codes may swing out, but not without bound.
        longest = torch.maximum(father.norm(dim=2), mother.norm(dim=2))
        assert child.isfinite().all() and (child.norm(dim=2) <= longest * 1.01).all()


@pytest.mark.parametrize("name", UNTRAINED)
def test_a_share_for_every_layer(name: str, parents):
    father, mother = parents
    shares = torch.zeros(LAYERS)
    shares[:4] = 1
    child = method(name, shares)(father, mother, seeded())
    torch.testing.assert_close(child[:, :4], father[:, :4], atol=1e-5, rtol=0)
    torch.testing.assert_close(child[:, 4:], mother[:, 4:], atol=1e-5, rtol=0)


def test_shares_between_follow_their_layers(parents):
    shares = torch.linspace(0, 1, LAYERS)
    found = share_of_father(method("average", shares)(*parents, seeded()), *parents).median(dim=2).values
    torch.testing.assert_close(found, shares.expand(3, -1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("layers", [10, 12, 18])
def test_group_shares(layers: int):
    shares = group_shares(layers, coarse=0.1, middle=0.2, fine=0.3)
    wanted = [0.1] * 4 + [0.2] * 4 + [0.3] * (layers - 8)
    torch.testing.assert_close(shares, torch.tensor(wanted))
    assert list(GROUPS) == ["coarse", "middle", "fine"]


@pytest.mark.parametrize("name", UNTRAINED)
@pytest.mark.parametrize(
    "share",
    [-0.1, 1.1, float("nan"), float("inf"), [0.5, 2.0], torch.full((2, 2), 0.5), np.ones((9, 9)), "half", None, [], 1j],
)
def test_bad_shares_are_refused(name: str, share):
    with pytest.raises(KinlibError, match="father's share must be a number from 0 to 1") as caught:
        method(name, share)
    assert "\n" not in str(caught.value)


def test_unknown_method_names_the_known_ones():
    with pytest.raises(KinlibError, match="unknown method 'budding': choose one of average, per_layer"):
        method("budding")


@pytest.mark.parametrize("name", UNTRAINED)
@pytest.mark.parametrize(
    ("father", "mother"),
    [((1, 10, 512), (1, 12, 512)), ((2, 10, 512), (1, 10, 512)), ((10, 512), (10, 512)), ((512,), (512,))],
)
def test_codes_of_the_wrong_shape_are_refused(name: str, father: tuple, mother: tuple):
    with pytest.raises(ValueError, match=r"father and mother must both be \[B, L, 512\]"):
        method(name)(torch.zeros(father), torch.zeros(mother), seeded())


def test_functions_can_be_called_without_the_table(parents):
    for name in UNTRAINED:
        wanted = method(name, 0.3)(*parents, seeded(4))
        assert torch.equal(getattr(blend, name)(*parents, seeded(4), 0.3), wanted)


def test_shares_for_another_number_of_layers_are_refused(parents):
    with pytest.raises(KinlibError, match="share has 18 entries for 10 layers"):
        method("average", torch.full((18,), 0.5))(*parents, seeded())


@pytest.mark.parametrize(
    ("blocks", "coins"), [("entry", LAYERS * 512), ("dimension", 512), ("layer", LAYERS), ("group", len(GROUPS))]
)
def test_mask_inherits_whole_blocks(blocks: str, coins: int):
    """Every block is one parent's, and over many children about half of the blocks are the father's."""
    father, mother = torch.ones(200, LAYERS, 512), torch.zeros(200, LAYERS, 512)
    child = registry.create("mask", blocks=blocks)(father, mother, seeded())
    assert set(child.unique().tolist()) == {0.0, 1.0}
    parts = {
        "entry": child.flatten(1),
        "dimension": child.mean(dim=1),
        "layer": child.mean(dim=2),
        "group": torch.stack([child[:, begin:end].mean(dim=(1, 2)) for begin, end in GROUPS.values()], dim=1),
    }[blocks]
    assert parts.shape == (200, coins) and ((parts == 0) | (parts == 1)).all()
    assert parts.mean() == pytest.approx(0.5, abs=3 / math.sqrt(200 * coins))
    assert not torch.equal(parts[0], parts[1])


def test_unknown_blocks_are_refused():
    for blocks in ("row", None, 3):
        with pytest.raises(KinlibError, match="choose one of entry, dimension, layer, group"):
            registry.create("mask", blocks=blocks)
