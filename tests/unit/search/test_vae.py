"""The autoencoder: sizes, losses by hand, coordinates, and files."""

import pytest
import torch
from safetensors.torch import save_file

from kinlib.runtime.errors import KinlibError
from kinlib.search.vae import VAE, kl_divergence, load_vae


def small(seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(size=16, width=4, latent=5).eval()


@pytest.mark.parametrize(("size", "width", "latent"), [(8, 2, 3), (64, 24, 128), (128, 4, 16)])
def test_pictures_come_back_in_their_size(size, width, latent):
    net = VAE(size, width, latent).eval()
    images = torch.rand(2, 3, size, size) * 2 - 1
    mean, log_variance = net.encode(images)
    assert mean.shape == log_variance.shape == (2, latent)
    assert net.decode_latent(mean).shape == images.shape
    rebuilt, *_ = net(images, torch.Generator().manual_seed(0))
    assert rebuilt.shape == images.shape


def test_the_bundled_sizes_take_less_than_four_megabytes():
    net = VAE()
    assert 2 * sum(p.numel() for p in [*net.parameters(), *net.buffers()]) < 4e6


@pytest.mark.parametrize("sizes", [(48, 24, 128), (4, 8, 8), (64, 0, 8), (64, 8, 0)])
def test_sizes_that_cannot_be_are_refused(sizes):
    with pytest.raises(KinlibError, match="cannot be"):
        VAE(*sizes)


def test_kl_divergence_is_torch_distributions():
    mean, log_variance = torch.randn(4, 5), torch.randn(4, 5)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(kl_divergence(mean, log_variance), expected, atol=1e-5)
    assert kl_divergence(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_sampling_depends_on_the_generator_alone():
    net, images = small(), torch.zeros(2, 3, 16, 16)
    first, second = (net(images, torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, net(images, torch.Generator().manual_seed(4))[0])


def test_coordinates_of_the_training_faces_are_white_and_lead_back():
    net, images = small(), torch.rand(60, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        means = net.encode(images)[0]
        net.fit_coordinates(means)
        found = net.coordinates(images)
        assert found.mean(dim=0).abs().max() < 1e-3
        assert torch.allclose(torch.cov(found.t()), torch.eye(5), atol=0.02)
        assert torch.allclose(net.decode(found), net.decode_latent(means).clamp(-1, 1), atol=1e-4)
    assert net.axes.norm(dim=1).diff().max() <= 1e-6  # the first axis is the longest


def test_coordinates_take_pictures_of_any_size():
    net = small()
    assert net.coordinates(torch.zeros(1, 3, 40, 40)).shape == (1, 5)


def test_a_file_gives_the_same_network(tmp_path):
    net = small()
    net.fit_coordinates(torch.randn(40, 5))
    net.attributes = {"Smiling": torch.arange(5.0)}
    state = {key: value.contiguous() for key, value in net.tensors().items()}
    save_file(state, tmp_path / "vae.safetensors")
    again = load_vae(tmp_path / "vae.safetensors")
    assert (again.size, again.width, again.latent) == (16, 4, 5)
    coordinates = torch.randn(3, 5)
    assert torch.allclose(net.decode(coordinates), again.decode(coordinates), atol=1e-5)
    assert torch.equal(again.attributes["Smiling"], torch.arange(5.0))
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_other_files_are_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(KinlibError, match="holds no VAE"):
        load_vae(tmp_path / "other.safetensors")
    state = {key: value.contiguous() for key, value in small().tensors().items() if not key.startswith("out.")}
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(KinlibError, match=r"lacks 'out\.weight'"):
        load_vae(tmp_path / "part.safetensors")
