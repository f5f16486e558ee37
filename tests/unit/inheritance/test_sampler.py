"""The sampler's network: what it reads and gives, what noise, limits and the father's share do, and its file."""

import pytest
import torch
from safetensors.torch import save_file

from kinlib.inheritance.sampler import FAR, LIMIT, Sampler, load_sampler
from kinlib.runtime.errors import KinlibError

LAYERS, COMPONENTS = 3, 5


@pytest.fixture
def sampler() -> Sampler:
    """An untrained network whose axes are random but orthogonal."""
    torch.manual_seed(0)
    net = Sampler(COMPONENTS, LAYERS * 512, hidden=16, genes=6, noise=4)
    net.axes.copy_(torch.linalg.qr(torch.randn(LAYERS * 512, COMPONENTS))[0].t())
    net.scale.copy_(torch.linspace(3, 1, COMPONENTS))
    net.mean.normal_()
    net.child_mean.normal_()
    return net.eval()


def codes(net: Sampler, components: torch.Tensor) -> torch.Tensor:
    """Parents' codes with these standardised components."""
    return (net.mean + components * net.scale @ net.axes).unflatten(1, (LAYERS, 512))


def sample(net: Sampler, father: torch.Tensor, mother: torch.Tensor, seed: int, **options) -> torch.Tensor:
    return net.sample(father, mother, torch.Generator().manual_seed(seed), **options)


def test_components_and_codes_are_inverse_within_the_limit(sampler):
    wanted = torch.tensor([[0.0, 1.0, -2.0, 3.0, -3.4]])
    assert torch.allclose(sampler.to_components(codes(sampler, wanted)), wanted, atol=1e-4)
    child = sampler.to_codes(wanted).flatten(1) - sampler.child_mean
    assert torch.allclose(child @ sampler.axes.t() / sampler.scale, wanted, atol=1e-4)


def test_inputs_and_outputs_are_held(sampler):
    far = codes(sampler, torch.full((1, COMPONENTS), 50.0))
    assert sampler.to_components(far).max() == LIMIT
    assert sampler.distance(far).item() == pytest.approx(50, rel=1e-3)
    with torch.no_grad():
        sampler.linear.bias.fill_(1000.0)
    child = sample(sampler, far, far, 1).flatten(1) - sampler.child_mean
    assert (child @ sampler.axes.t() / sampler.scale).max() <= LIMIT + 1e-4


def test_a_seed_is_a_child_and_seeds_differ(sampler):
    father, mother = (codes(sampler, torch.randn(1, COMPONENTS)) for _ in range(2))
    first = sample(sampler, father, mother, 1)
    assert first.shape == father.shape and torch.equal(first, sample(sampler, father, mother, 1))
    assert not torch.allclose(first, sample(sampler, father, mother, 2), atol=1e-4)


def test_every_input_matters(sampler):
    people, others = torch.randn(2, 1, 3, COMPONENTS)
    known, parent, male, noise = torch.ones(1, 3), torch.zeros(1), torch.ones(1), torch.randn(1, 1, 4)
    given = sampler(people, known, parent, male, noise)
    assert given.shape == (1, 1, COMPONENTS)
    changed = [(people, known, parent + 1, male, noise), (people, known, parent, male * 0, noise)]
    changed += [(people, known, parent, male, noise + 1), (people[:, [1, 0, 2]], known, parent, male, noise)]
    for person in range(3):
        another = people.clone()
        another[:, person] = others[:, person]
        changed.append((another, known, parent, male, noise))
        hidden = known.clone()
        hidden[:, person] = 0
        assert torch.equal(sampler(people, hidden, parent, male, noise), sampler(another, hidden, parent, male, noise))
    assert all(not torch.allclose(given, sampler(*some), atol=1e-5) for some in changed)


def test_one_parent_is_enough_and_none_is_not(sampler):
    father, mother = (codes(sampler, torch.randn(1, COMPONENTS)) for _ in range(2))
    alone = sample(sampler, father, None, 1)
    assert alone.shape == father.shape and not torch.allclose(alone, sample(sampler, father, mother, 1), atol=1e-4)
    assert not torch.allclose(alone, sample(sampler, None, father, 1), atol=1e-4)
    with pytest.raises(KinlibError, match="give one parent at least"):
        sample(sampler, None, None, 1)
    with pytest.raises(KinlibError, match="needs both parents"):
        sample(sampler, father, None, 1, father_share=0.7)


def test_the_sex_steers_and_leaves_the_noise(sampler):
    father, mother = (codes(sampler, torch.randn(1, COMPONENTS)) for _ in range(2))
    son, daughter, any_child = (sample(sampler, father, mother, 1, sex=sex) for sex in ("male", "female", None))
    assert not torch.allclose(son, daughter, atol=1e-4)
    assert torch.equal(any_child, son) or torch.equal(any_child, daughter)


def test_the_strength_leads_from_nobodys_children_to_the_parents(sampler):
    father, mother, other = (codes(sampler, torch.randn(1, COMPONENTS)) for _ in range(3))
    assert torch.equal(
        sample(sampler, father, mother, 1, strength=0.0), sample(sampler, other, mother, 1, strength=0.0)
    )
    with torch.no_grad():  # small, so that nothing is held
        for layer in (sampler.mix[4], sampler.linear):
            layer.weight.mul_(0.1)
    weak, usual, strong = (sample(sampler, father, mother, 1, strength=value) for value in (0.0, 1.0, 2.0))
    assert torch.allclose(usual - weak, strong - usual, atol=1e-4) and not torch.allclose(usual, strong, atol=1e-4)


def test_the_other_parent_depends_on_child_and_known_parent(sampler):
    child, father, other = (codes(sampler, torch.randn(1, COMPONENTS)) for _ in range(3))

    def wanted(*given, sex="female"):
        return sampler.other_parent(*given, sex, torch.Generator().manual_seed(0))

    found = wanted(child, father)
    assert found.shape == child.shape and torch.equal(found, wanted(child, father))
    changed = [wanted(other, father), wanted(child, other), wanted(child, None), wanted(child, father, sex="male")]
    assert all(not torch.allclose(found, some, atol=1e-4) for some in changed)


def test_parents_unlike_the_training_set_are_noted(sampler):
    usual, far = codes(sampler, torch.ones(1, COMPONENTS)), codes(sampler, torch.full((1, COMPONENTS), 2 * FAR))
    assert sampler.notes(usual, usual) == () and sampler.notes(None, usual) == ()
    assert "the mother's picture is unlike" in sampler.notes(usual, far)[0]
    assert "both parents' pictures are unlike" in sampler.notes(far, far)[0]


def test_the_share_moves_children_from_mother_to_father(sampler):
    """With a linear network the share is exact: 1 doubles the father's part and takes the mother's out."""
    with torch.no_grad():
        for layer in (sampler.mix[4], sampler.linear):
            layer.weight.zero_()
            layer.bias.zero_()
        sampler.linear.weight[:, :COMPONENTS] = torch.eye(COMPONENTS, 6)[:, :COMPONENTS]
        sampler.linear.weight[:, 6 : 6 + COMPONENTS] = torch.eye(COMPONENTS, 6)[:, :COMPONENTS]
    father, mother = (codes(sampler, 0.1 * torch.randn(1, COMPONENTS)) for _ in range(2))
    found = [sample(sampler, father, mother, 1, father_share=share) for share in (0.0, 0.5, 1.0)]
    assert torch.allclose(found[1] - found[0], found[2] - found[1], atol=1e-4)
    assert not torch.allclose(found[0], found[2], atol=1e-3)


def test_the_file_keeps_sizes_and_children(sampler, tmp_path):
    save_file({name: value.half() for name, value in sampler.state_dict().items()}, tmp_path / "sampler.safetensors")
    again = load_sampler(tmp_path / "sampler.safetensors")
    father, mother = (codes(sampler, torch.randn(2, COMPONENTS)) for _ in range(2))
    assert torch.allclose(sample(again, father, mother, 3), sample(sampler, father, mother, 3), atol=0.05)


def test_other_files_are_refused(tmp_path):
    save_file({"shift": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(KinlibError, match="holds no sampler"):
        load_sampler(tmp_path / "other.safetensors")
