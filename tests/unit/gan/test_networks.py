"""The generator and the discriminator against their formulas, and what their callers rely on."""

import pytest
import torch

from kinlib.gan.discriminator import Discriminator, LatentDiscriminator, PatchDiscriminator, minibatch_stddev
from kinlib.gan.encoder import CompactBackbone, Encoder
from kinlib.gan.generator import Generator, default_channels
from kinlib.gan.ops import fir_filter, fir_kernel, upsample_2x
from kinlib.training.engine import losses
from tests.reference import plain_stylegan2 as plain

TOLERANCE = 1e-4


def relative_error(mine: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(((mine - wanted).abs().max() / wanted.abs().max()).detach())


def randomised(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Fresh networks have zero biases and noise strengths, which would hide mistakes in how they are used."""
    source = torch.Generator().manual_seed(seed)
    for name, parameter in net.named_parameters():
        if name.endswith(("bias", "noise.weight")):
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=source)
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(1)
    return randomised(Generator(64))


@pytest.fixture(scope="module")
def codes(generator) -> torch.Tensor:
    source = torch.Generator().manual_seed(2)
    return torch.randn(3, generator.num_layers, 512, generator=source)


def test_mapping_follows_the_formula(generator):
    z = torch.randn(4, 512, generator=torch.Generator().manual_seed(0))
    assert relative_error(generator.mapping(z), plain.mapping(generator.state_dict(), z)) < TOLERANCE


@pytest.mark.parametrize("batch", [1, 3])
def test_synthesis_follows_the_formulas(generator, codes, batch):
    wanted = plain.synthesis(generator.state_dict(), codes[:batch])
    assert relative_error(generator.synthesis(codes[:batch]), wanted) < TOLERANCE


def test_synthesis_with_gradients_follows_the_formulas(generator, codes):
    with torch.enable_grad():
        mine = codes[:2].clone().requires_grad_(True)
        other = codes[:2].clone().requires_grad_(True)
        picture, wanted = generator.synthesis(mine), plain.synthesis(generator.state_dict(), other)
        (gradient,) = torch.autograd.grad(picture.square().sum(), mine)
        (expected,) = torch.autograd.grad(wanted.square().sum(), other)
    assert relative_error(picture, wanted) < TOLERANCE
    assert relative_error(gradient, expected) < 1e-3


@pytest.mark.slow
def test_synthesis_at_1024_px_follows_the_formulas():
    torch.manual_seed(3)
    large = randomised(Generator(1024))
    w_plus = torch.randn(1, 18, 512)
    with torch.inference_mode():
        assert relative_error(large.synthesis(w_plus), plain.synthesis(large.state_dict(), w_plus)) < TOLERANCE


def test_the_style_may_be_tiny_or_zero(generator, codes):
    """Demodulation divides by the style's energy; its epsilon must count as in the formula."""
    small = codes[:2] * 1e-3
    assert relative_error(generator.synthesis(small), plain.synthesis(generator.state_dict(), small)) < TOLERANCE
    assert generator.synthesis(torch.zeros_like(codes[:2])).isfinite().all()


def test_pieces_of_a_batch_are_the_batch(generator, codes):
    together, pieces = generator.synthesis(codes), generator.synthesis(codes, batch_size=2)
    torch.testing.assert_close(together, pieces, rtol=1e-4, atol=1e-4)


def test_synthesis_compiles_without_a_break(generator, codes):
    torch._dynamo.reset()
    compiled = torch.compile(generator.synthesis, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(codes), generator.synthesis(codes), rtol=1e-4, atol=1e-4)


def test_stored_noise_repeats_and_fresh_noise_follows_its_generator(generator, codes):
    one = codes[:1]
    assert torch.equal(generator.synthesis(one), generator.synthesis(one))
    first, again, other = (
        generator.synthesis(one, noise="random", generator=torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(generator.synthesis(one, noise="none"), first)


def test_a_single_w_serves_every_layer(generator):
    w = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(generator.synthesis(w), generator.synthesis(generator.broadcast(w)))


@pytest.mark.parametrize("shape", [(1, 9, 512), (1, 10, 511), (512,), (1, 1, 10, 512)])
def test_codes_of_a_wrong_shape_are_named(generator, shape):
    with pytest.raises(ValueError, match="w_plus must be"):
        generator.synthesis(torch.zeros(shape))


def test_unknown_noise_and_resolution_are_refused(generator, codes):
    with pytest.raises(ValueError, match="noise"):
        generator.synthesis(codes[:1], noise="loud")
    with pytest.raises(ValueError, match="power of two"):
        Generator(96)


def test_truncation_ends_at_the_average(generator, codes):
    generator.latent_avg.copy_(torch.randn(10, 512, generator=torch.Generator().manual_seed(9)))
    torch.testing.assert_close(generator.truncate(codes, 0.0), generator.latent_avg.expand_as(codes))
    assert torch.equal(generator.truncate(codes, 1.0), codes)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 0.06), (torch.float16, 0.01)])
def test_autocast_stays_near_single_precision(dtype, bound):
    torch.manual_seed(5)
    generator = randomised(Generator(16, channels={4: 64, 8: 64, 16: 32}))  # float16 is slow on a CPU
    codes = torch.randn(2, generator.num_layers, 512)
    wanted = generator.synthesis(codes)
    with torch.autocast("cpu", dtype):
        drawn = generator.synthesis(codes)
    assert drawn.dtype == torch.float32
    assert drawn.isfinite().all()
    assert float((drawn - wanted).square().mean().sqrt() / wanted.std()) < bound


def test_official_channels():
    assert default_channels(1024) == {
        4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32
    }  # fmt: skip
    assert default_channels(256, channel_multiplier=1)[256] == 64


def test_doubling_is_zero_insertion_and_filtering():
    x = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(upsample_2x(x), plain.filter_2d(x, gain=4.0, up=2, pad=(2, 1)))


@pytest.mark.parametrize("pad", [1, 2])
def test_filter_is_the_two_dimensional_one(pad):
    x = torch.randn(2, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fir_filter(x, fir_kernel(4.0), pad), plain.filter_2d(x, gain=4.0, pad=(pad, pad)))


def test_each_patch_is_judged_by_itself():
    x = torch.randn(1, 3, 64, 64, requires_grad=True)
    logits = PatchDiscriminator(8)(x)
    assert logits.shape == (1, 1, 8, 8)
    (gradient,) = torch.autograd.grad(logits[0, 0, 3, 3], x)
    seen = gradient.abs().sum(dim=(0, 1)) > 0
    rows = torch.arange(64)
    inside = (rows >= 9) & (rows < 9 + 38)
    assert torch.equal(seen, inside[:, None] & inside)


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_discriminator_follows_the_formulas(batch):
    torch.manual_seed(4)
    net = randomised(Discriminator(32))
    images = torch.randn(batch, 3, 32, 32)
    assert relative_error(net(images), plain.discriminator(net.state_dict(), images)) < TOLERANCE


@pytest.mark.parametrize("batch", [1, 3, 5, 6])
def test_minibatch_stddev_takes_any_batch(batch):
    assert minibatch_stddev(torch.randn(batch, 4, 4, 4)).shape == (batch, 5, 4, 4)


def test_training_losses_have_gradients_of_second_order():
    torch.manual_seed(0)
    channels = {4: 8, 8: 8, 16: 8}
    generator, net = Generator(16, channels=channels, n_mlp=2), Discriminator(16, channels=channels)
    w_plus = generator.broadcast(generator.mapping(torch.randn(2, 512)))
    images = generator.synthesis(w_plus, noise="random")
    penalty, mean = losses.path_length(images, w_plus, torch.zeros(()))
    penalty.backward()
    assert mean > 0
    assert generator.convs[0].conv.weight.grad.abs().sum() > 0
    losses.r1_penalty(net, images.detach()).backward()
    assert net.convs[0][0].weight.grad.abs().sum() > 0
    assert LatentDiscriminator()(torch.randn(2, 512)).shape == (2, 1)


def test_r1_of_a_linear_critic_is_half_its_squared_weight():
    weight = torch.randn(3 * 4 * 4)
    critic = lambda x: x.flatten(1) @ weight  # noqa: E731
    assert losses.r1_penalty(critic, torch.randn(5, 3, 4, 4)) == pytest.approx(
        float(weight.square().sum() / 2), rel=1e-5
    )


def test_energy_loss_tells_distributions_apart():
    source = torch.Generator().manual_seed(0)
    x, y = torch.randn(300, 8, generator=source), torch.randn(300, 8, generator=source)
    assert abs(losses.energy_loss(x, y)) < 0.02
    assert losses.energy_loss(x, y + 1) > 0.1


def test_encoder_gives_average_plus_codes():
    torch.manual_seed(0)
    encoder = Encoder(CompactBackbone(10), "e4e", 10).eval()
    images = torch.randn(2, 3, 256, 256).clamp(-1, 1)
    with torch.no_grad():
        plain_codes = encoder(images)
        encoder.latent_avg.fill_(2.0)
        torch.testing.assert_close(encoder(images), plain_codes + 2.0)
        base, offsets = encoder.base_and_offsets(images)
    assert plain_codes.shape == (2, 10, 512)
    assert not offsets[:, 0].any()
    torch.testing.assert_close(base, plain_codes[:, 0])


def test_psp_codes_stand_alone():
    torch.manual_seed(0)
    encoder = Encoder(CompactBackbone(10), "psp", 10).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), encoder.backbone(images))
    with pytest.raises(ValueError, match="e4e"):
        Encoder(CompactBackbone(10), "restyle", 10)
    with pytest.raises(ValueError, match="images must be"):
        encoder(torch.zeros(3, 64, 64))
