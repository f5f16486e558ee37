"""Codes corrected in passes: what an untrained, a trained and a stored residual encoder do, and its recipe."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kinlib.evaluation.quality import reconstruct
from kinlib.gan.encoder import CompactBackbone, Encoder, RefiningEncoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.residual import LIMIT, MOMENTUM, STEP, ResidualEncoder, code_gradient, fingerprint
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import load_faces
from kinlib.training.engine import record
from kinlib.training.recipes.encoder import encoder_state
from kinlib.training.recipes.registry import train
from kinlib.training.recipes.restyle import RestyleSettings, refining_state
from tests.unit.training.recipes.test_recipes import data, parser  # noqa: F401  (fixtures)

LAYERS = 8  # of 32 px


def small_generator(seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    return Generator(32, channels={4: 8, 8: 8, 16: 8, 32: 6}, n_mlp=2).eval().requires_grad_(False)


@pytest.fixture
def refining() -> RefiningEncoder:
    """An untrained encoder of 64 px for a generator of 32 px."""
    generator = small_generator()
    first = Encoder(CompactBackbone(LAYERS, widths=(16, 16, 16, 16), hidden=8), "e4e", LAYERS)
    first.latent_avg.normal_(generator=torch.Generator().manual_seed(1))
    return RefiningEncoder(first, ResidualEncoder(LAYERS, rank=4, hidden=8), generator, passes=2).eval()


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(2)) * 2 - 1


def trained(encoder: RefiningEncoder) -> RefiningEncoder:
    """The same with offsets that come of more than steps along the gradient."""
    torch.nn.init.normal_(encoder.residual.expand, std=0.1, generator=torch.Generator().manual_seed(3))
    return encoder.requires_grad_(False)


def saved(encoder: RefiningEncoder, folder: Path, generator: Generator) -> Path:
    """The file of an encoder, with a generator beside it."""
    record.write(generator.state_dict() | {"latent_avg": generator.latent_avg}, folder, "generator", {}, {})
    return record.write(refining_state(encoder), folder, "encoder", {}, {})


def test_no_pass_leaves_the_codes_of_the_first_encoder(refining, pictures):
    first = Encoder(refining.backbone, "e4e", LAYERS).eval()
    first.latent_avg.copy_(refining.latent_avg)
    assert torch.equal(refining(pictures, passes=0), first(pictures))


def test_untrained_corrections_are_descent_with_momentum(refining, pictures):
    """Step and momentum in the code are about those stated, and what is learned starts at nothing."""
    codes, target = refining(pictures, passes=0), refining.target(pictures)
    gradient = code_gradient(refining.generator, codes, target)
    first = refining.correction(codes, target, torch.zeros_like(codes))
    assert ((first * gradient).sum(dim=(1, 2)) < 0).all() and first.abs().max() <= STEP
    last = 0.01 * torch.randn(codes.shape, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(refining.correction(codes, target, last) - first, MOMENTUM * last, atol=1e-3, rtol=0)
    error = [(refining.generator.synthesis(refining(pictures, n)) - target).square().mean() for n in (0, 1, 2)]
    assert error[0] > error[1] > error[2]


def test_no_error_gives_finite_offsets(refining, pictures):
    codes = refining(pictures, passes=0)
    nothing = torch.zeros_like(codes)
    assert refining.residual(nothing, nothing).abs().max() < STEP


def test_offsets_are_bounded_whatever_the_gradient(refining):
    """One gradient in thousands lies along few directions only; its offset must not run away from pass to pass."""
    residual = trained(refining).residual
    torch.nn.init.normal_(residual.expand, std=10.0)
    gradient = torch.zeros(2, LAYERS, 512)
    gradient[:, :, 0] = 1e6
    offsets = residual(gradient, torch.full_like(gradient, LIMIT))
    assert 0.9 * LIMIT < offsets.abs().max() <= LIMIT


def test_every_pass_corrects_the_one_before(refining, pictures):
    trained(refining)
    codes = [refining(pictures, passes=passes) for passes in range(4)]
    assert all(not torch.equal(a, b) for a, b in zip(codes, codes[1:], strict=False))
    assert torch.equal(refining(pictures), codes[2])
    target = refining.target(pictures)
    assert target.shape == (3, 3, 32, 32)
    wanted = refining.correction(codes[2], target, codes[2] - codes[1])
    torch.testing.assert_close(codes[3] - codes[2], wanted, atol=1e-4, rtol=1e-3)


def test_gradient_is_that_of_the_error(refining, pictures):
    """Downhill along it the error falls; at a reconstruction of its own code it is zero."""
    generator, codes = refining.generator, refining(pictures, passes=0)
    target = refining.target(pictures)
    gradient = code_gradient(generator, codes, target)
    assert gradient.shape == codes.shape and not gradient.requires_grad
    step = 1e-3 * gradient / gradient.norm(dim=(1, 2), keepdim=True)
    before, after = ((generator.synthesis(c) - target).square().sum() for c in (codes, codes - step))
    assert after < before
    torch.testing.assert_close(
        code_gradient(generator, codes, generator.synthesis(codes)), torch.zeros_like(codes), atol=1e-4, rtol=0
    )


def test_codes_are_the_same_without_gradients_and_in_inference_mode(refining, pictures):
    trained(refining)
    wanted = refining(pictures)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(refining(pictures), wanted)


def test_many_pictures_get_the_codes_of_few(refining, monkeypatch, pictures):
    trained(refining)
    wanted = refining(pictures)
    monkeypatch.setattr("kinlib.gan.encoder.PART", 2)
    torch.testing.assert_close(refining(pictures), wanted, atol=1e-4, rtol=1e-4)


def test_only_the_residual_encoder_learns(refining, pictures):
    trained(refining)
    refining.residual.requires_grad_(True)
    target = refining.target(pictures)
    codes = refining(pictures, passes=0).detach()
    last = 0.01 * torch.ones_like(codes)
    refining.generator.synthesis(codes + refining.correction(codes, target, last)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in refining.residual.parameters())
    assert all(parameter.grad is None for parameter in refining.generator.parameters())
    assert all(parameter.grad is None for parameter in refining.backbone.parameters())


def test_stored_corrections_are_read_again(refining, pictures, tmp_path):
    path = saved(trained(refining), tmp_path, refining.generator)
    loaded = load_encoder(path)
    assert isinstance(loaded, RefiningEncoder) and loaded.passes == 2 and not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    torch.testing.assert_close(loaded(pictures), refining(pictures), atol=5e-2, rtol=5e-2)  # half precision
    generator = load_generator(tmp_path / "generator.safetensors")
    shared = load_encoder(path, generator)
    assert shared.generator is generator
    assert torch.equal(shared(pictures), loaded(pictures))
    assert type(load_encoder(record.write(encoder_state(refining), tmp_path / "plain", "encoder", {}, {}))) is Encoder


def test_corrections_of_another_generator_are_refused(refining, tmp_path):
    path = saved(trained(refining), tmp_path, small_generator(seed=1))
    for generator in (None, small_generator(seed=1)):
        with pytest.raises(KinlibError, match="with another generator") as caught:
            load_encoder(path, generator)
        assert "\n" not in str(caught.value)
    (tmp_path / "generator.safetensors").unlink()
    with pytest.raises(KinlibError, match=r"generator\.safetensors"):
        load_encoder(path)


def test_the_first_encoder_is_read_without_its_generator(refining, pictures, tmp_path):
    path = saved(trained(refining), tmp_path, refining.generator)
    wanted = load_encoder(path)(pictures, passes=0)
    (tmp_path / "generator.safetensors").unlink()
    first = load_encoder(path, corrections=False)
    assert type(first) is Encoder
    assert torch.equal(first(pictures), wanted)


@pytest.mark.parametrize("lacking", ["passes", "generator", "project", "mix.bias"])
def test_incomplete_corrections_are_refused(refining, tmp_path, lacking):
    saved(refining, tmp_path, refining.generator)
    state = refining_state(refining)
    del state[f"residual.{lacking}"]
    path = record.write(state, tmp_path, "encoder", {}, {})
    with pytest.raises(KinlibError) as caught:
        load_encoder(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_fingerprint_survives_storing_and_tells_generators_apart(tmp_path):
    generator = small_generator()
    path = record.write(generator.state_dict(), tmp_path, "generator", {}, {})
    assert torch.equal(fingerprint(load_generator(path)), fingerprint(generator))
    assert not torch.equal(fingerprint(small_generator(seed=1)), fingerprint(generator))
    generator.style[1].weight.data.add_(1)
    assert torch.equal(fingerprint(load_generator(path)), fingerprint(generator)), "codes of pictures pass no mapping"


def test_recipe_improves_codes_and_resumes(data, parser, tmp_path):  # noqa: F811
    """A few steps on a handful of pictures: written, resumed, and nearer to those pictures than the first codes."""
    start = tmp_path / "pair"
    generator = small_generator()
    first = Encoder(CompactBackbone(LAYERS, widths=(16, 16, 16, 16), hidden=8), "e4e", LAYERS).eval()
    record.write(generator.state_dict() | {"latent_avg": generator.latent_avg}, start, "generator", {}, {})
    record.write(encoder_state(first), start, "encoder", {"steps": 7}, {})
    settings = RestyleSettings(data, tmp_path / "out", start=start, parsing=parser, run=tmp_path / "run", batch=4)
    for steps in (20, 40):
        train("restyle", replace(settings, steps=steps, passes=2))
    report = json.loads((tmp_path / "out" / "encoder.json").read_text())
    assert report["recipe"]["steps_done"] == 40 and [call["step"] for call in report["calls"]] == [0, 20]
    assert report["start"]["recipe"] == {"steps": 7}
    assert report["metrics"]["people"] == 2
    shutil.copy(start / "generator.safetensors", tmp_path / "out")
    encoder = load_encoder(tmp_path / "out" / "encoder.safetensors")
    faces = load_faces(data).split()[0].images.float() / 127.5 - 1
    target = encoder.target(faces)
    errors = [(reconstruct(generator, net, faces) - target).square().mean() for net in (first, encoder)]
    assert errors[1] < errors[0]
