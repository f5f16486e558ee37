"""Generator and discriminator: tables, recurrence, composition."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet, as_tensor
from kinlib.editing.networks import Discriminator, Generator, SelectiveTransferUnit, blend, load_editor
from kinlib.runtime.errors import KinlibError


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return Generator(num_attributes=3, width=4)


def test_layers_are_those_of_table_1():
    with torch.device("meta"):
        net = Generator()
    assert [layer[0].out_channels for layer in net.encoder] == [64, 128, 256, 512, 1024]
    assert [layer[0].out_channels for layer in net.decoder] == [1024, 512, 256, 128]
    heads = (net.edit, net.attention, net.clothing)
    assert [head.out_channels for head in heads] == [3, 1, 1]
    layers = [layer[0] for layer in (*net.encoder, *net.decoder)] + list(heads)
    assert all(layer.kernel_size == (4, 4) and layer.stride == (2, 2) for layer in layers)


def test_layers_are_those_of_table_2():
    with torch.device("meta"):
        net = Discriminator(size=128)
    convolutions = [layer for layer in net.features if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 1024]
    assert [layer.out_features for layer in net.realness if hasattr(layer, "out_features")] == [1024, 1]
    assert [layer.out_features for layer in net.attributes if hasattr(layer, "out_features")] == [1024, 13]
    assert net.realness[0].in_features == 1024 * 4 * 4


@pytest.mark.parametrize("size", [32, 64, 96])
def test_shapes_and_ranges(generator, size):
    images = torch.rand(2, 3, size, size) * 2 - 1
    edit = generator(images, torch.tensor([[1.0, 0, -1], [0, 0, 0]]))
    assert edit.edited.shape == edit.image.shape == images.shape
    assert edit.attention.shape == edit.clothing.shape == (2, 1, size, size)
    assert edit.edited.abs().max() <= 1
    for mask in (edit.attention, edit.clothing):
        assert 0 <= mask.min() < mask.max() <= 1


def test_image_is_composed_by_equations_9_and_10(generator):
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    edited, attention, clothing, image = generator(images, torch.ones(2, 3))
    inner = edited * attention + images * (1 - attention)
    assert torch.allclose(image, images * clothing + inner * (1 - clothing), atol=1e-6)


def test_the_unit_is_stgans_recurrence():
    """STGAN, Eq 3 to 8, written out."""
    torch.manual_seed(1)
    unit = SelectiveTransferUnit(6, 4, 2)
    feature, state, difference = torch.randn(1, 4, 8, 8), torch.randn(1, 6, 4, 4), torch.tensor([[1.0, -1.0]])
    result, new_state = unit(feature, state, difference)
    planes = torch.stack([torch.ones(4, 4), -torch.ones(4, 4)])[None]
    upper = F.conv_transpose2d(torch.cat([state, planes], 1), unit.enlarge.weight, unit.enlarge.bias, 2, 1)

    def gate(layer, x):
        return F.conv2d(torch.cat([feature, x], 1), layer.weight, layer.bias, padding=1)

    reset, update = torch.sigmoid(gate(unit.reset, upper)), torch.sigmoid(gate(unit.update, upper))
    candidate = torch.tanh(gate(unit.candidate, reset * upper))
    assert torch.allclose(new_state, reset * upper, atol=1e-6)
    assert torch.allclose(result, (1 - update) * upper + update * candidate, atol=1e-6)


def test_a_change_reaches_the_picture_and_every_weight_learns(generator):
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    generator.eval()
    with torch.no_grad():
        same, other = generator(images, torch.zeros(2, 3)), generator(images, torch.ones(2, 3))
    assert (same.edited - other.edited).abs().max() > 1e-4
    generator.train().zero_grad()
    edit = generator(images, torch.ones(2, 3))
    sum(part.square().mean() for part in edit).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for name, p in generator.named_parameters())


@pytest.mark.parametrize("parts", [{"attention": False}, {"clothing": False}, {"units": False}])
def test_networks_to_compare_with(parts, tmp_path):
    """STGAN has no attention, AttGAN no units: each gives all that the whole network gives, and can be loaded."""
    torch.manual_seed(0)
    net = Generator(num_attributes=3, width=4, **parts).eval()
    images, change = torch.rand(2, 3, 64, 64) * 2 - 1, torch.tensor([[1.0, 0, -1], [0, 0, 0]])
    with torch.no_grad():
        edit, other = net(images, change), net(images, -change)
        assert (edit.edited - other.edited)[0].abs().max() > 1e-5  # the change reaches the picture
        if "attention" in parts:
            assert (edit.attention == 1).all()
            assert torch.equal(edit.image, blend(images, edit.edited, edit.clothing))
        if "clothing" in parts:
            assert torch.equal(edit.image, blend(edit.edited, images, edit.attention))
        known = AttributeSet(DOCUMENT.attributes[:3])
        save_file(net.state_dict() | as_tensor(known), tmp_path / "net.safetensors")
        again = load_editor(tmp_path / "net.safetensors")
        assert again.num_attributes == 3 and again.attribute_set == known
        assert torch.allclose(again(images, change).image, edit.image, atol=1e-6)


@pytest.mark.parametrize("size", [None, 64])
def test_discriminator_gives_realness_and_probabilities(size):
    torch.manual_seed(0)
    realness, attributes = Discriminator(num_attributes=5, width=4, size=size)(torch.rand(3, 3, 64, 64))
    assert realness.shape == (3,) and attributes.shape == (3, 5)
    assert attributes.min() > 0 and attributes.max() < 1


def test_what_does_not_fit_is_refused(generator):
    with pytest.raises(KinlibError, match="a multiple of 32, not"):
        generator(torch.zeros(1, 3, 48, 48), torch.zeros(1, 3))
    with pytest.raises(KinlibError, match=r"must be \[2, 3\], not \[2, 4\]"):
        generator(torch.zeros(2, 3, 32, 32), torch.zeros(2, 4))
    with pytest.raises(KinlibError, match="a multiple of 32, not"):
        Discriminator(width=4)(torch.zeros(1, 1, 32, 32))


def test_blend_takes_inside_where_the_mask_is_one():
    assert blend(torch.tensor([2.0, 2, 2]), torch.tensor([4.0, 4, 4]), torch.tensor([1.0, 0, 0.5])).tolist() == [
        2,
        4,
        3,
    ]
