"""The network of editing attributes: its size, its files, and what it reads."""

import json

import pytest
import torch
from safetensors.torch import save_file

from kinlib.checkpoints import weights
from kinlib.editing.attributes import AttributeNet, load_attributes, read_attributes
from kinlib.editing.names import editable_attributes
from kinlib.editing.networks import Generator
from kinlib.editing.rules import ATTRIBUTES
from kinlib.io.images import to_tensor
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents


def test_the_bundled_network_is_small_and_says_how_good_it_is():
    path = weights.path("studio_edit_attributes")
    assert path.stat().st_size <= 250_000
    metrics = json.loads(path.with_suffix(".json").read_text())["metrics"]
    assert metrics["accuracy_mean"] > metrics["guess_mean"] + 0.03 and set(metrics["attributes"]) == set(ATTRIBUTES)


def test_it_reads_the_bundled_parents():
    """Six fathers and six mothers, whose sex is known."""
    from kinlib.faces.align import find_and_align

    couples = [sample_parents.couple(number) for number in range(1, 7)]
    faces = to_tensor([find_and_align(read_photo(path)).aligned for couple in couples for path in couple])
    found = read_attributes(faces)
    assert found.shape == (12, 13) and found.min() >= 0 and found.max() <= 1
    male = found[:, ATTRIBUTES.index("Male")] > 0.5
    assert (male == torch.tensor([True, False] * 6)).float().mean() >= 10 / 12


def test_a_picture_and_its_mirror_image_read_the_same_at_any_size_and_alone():
    torch.manual_seed(0)
    net = AttributeNet().eval()
    images = torch.rand(70, 3, 32, 32) * 2 - 1
    found = read_attributes(images, net)
    torch.testing.assert_close(read_attributes(images.flip(3), net), found)
    torch.testing.assert_close(read_attributes(images[66:67], net), found[66:67])
    with pytest.raises(KinlibError, match="faces must be"):
        read_attributes(images[0], net)


def test_other_files_are_refused(tmp_path):
    state = torch.random.get_rng_state()
    path = tmp_path / "other.safetensors"
    save_file({name: tensor.clone() for name, tensor in Generator(13, 2).state_dict().items()}, path)
    torch.random.set_rng_state(state)
    with pytest.raises(KinlibError, match="holds no network of attributes"):
        load_attributes(path)
    with pytest.raises(KinlibError):
        load_attributes(tmp_path / "missing.safetensors")
    assert len(editable_attributes()) == load_attributes().head[1].out_features
