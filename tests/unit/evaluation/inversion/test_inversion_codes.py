"""Reconstruction against editability, measured on codes whose errors are known."""

import numpy as np
import pytest
import torch

from kinlib.evaluation import inversion
from kinlib.gan.directions import Direction
from kinlib.gan.encoder import CompactBackbone, Encoder, RefiningEncoder
from kinlib.gan.generator import Generator
from kinlib.gan.residual import ResidualEncoder
from kinlib.io.images import to_pil
from kinlib.runtime.errors import KinlibError

LAYERS = 8  # of 32 px


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(32, channel_multiplier=1).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def encoder(generator) -> RefiningEncoder:
    torch.manual_seed(1)
    backbone = CompactBackbone(LAYERS, widths=(16, 16, 16, 16), hidden=16)
    first = Encoder(backbone, "e4e", LAYERS)
    return RefiningEncoder(first, ResidualEncoder(LAYERS), generator, passes=2).eval().requires_grad_(False)


def colours(pictures: torch.Tensor) -> torch.Tensor:
    """A stand-in for an embedding: the mean colour, of unit length."""
    return torch.nn.functional.normalize(pictures.mean(dim=(2, 3)) + 2, dim=1)


def codes_of(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, LAYERS, 512, generator=torch.Generator().manual_seed(seed))


def test_distance_to_w():
    w = torch.randn(3, 1, 512).expand(-1, LAYERS, -1)
    assert inversion.distance_to_w(w).max() < 1e-6
    offsets = codes_of(3)
    near, far = (inversion.distance_to_w(w + share * offsets) for share in (0.1, 0.5))
    assert (near < far).all() and (near > 0).all()


def test_a_perfect_reconstruction(generator):
    codes = codes_of(3)
    pictures = generator.synthesis(codes).clamp(-1, 1)
    found = inversion.reconstruction(generator, codes, pictures, colours, lambda x: x)
    assert (found["psnr_db"] > 80).all() and found["perceptual"].max() < 1e-6
    assert found["identity_cosine"] == pytest.approx(np.ones(3), abs=1e-5)
    worse = inversion.reconstruction(generator, codes, pictures * 0.9, colours, lambda x: x)
    assert (worse["psnr_db"] < found["psnr_db"]).all()


def test_psnr_of_a_known_error():
    pictures = torch.zeros(2, 3, 8, 8)
    assert inversion.psnr(pictures + 0.2, pictures) == pytest.approx([20.0, 20.0], abs=1e-4)  # 2 / 0.2: a factor of ten


def test_stages_begin_in_w_and_end_at_the_code(encoder):
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    encoder.latent_avg.normal_(generator=torch.Generator().manual_seed(0)).copy_(encoder.latent_avg[:1].expand(8, -1))
    found = inversion.stages(encoder, images)
    distances = [float(inversion.distance_to_w(codes).mean()) for codes in found.values()]
    assert distances[0] < 1e-6 and distances == sorted(distances)
    assert torch.allclose([*found.values()][-1], encoder(images, passes=0), atol=1e-5)


def test_passes_are_those_of_the_encoder(encoder):
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    codes = inversion.pass_codes(encoder, images, 3)
    assert len(codes) == 4
    for passes in (0, 2):
        assert torch.allclose(codes[passes], encoder(images, passes=passes), atol=1e-5)


def test_refinement_comes_closer(generator):
    goal, start = codes_of(2), codes_of(2, seed=1)
    pictures = generator.synthesis(goal).clamp(-1, 1)
    found = inversion.refinement_curve(generator, start, pictures, (2, 20))
    errors = [(generator.synthesis(codes) - pictures).square().mean() for codes in (start, found[2], found[20])]
    assert errors[2] < errors[1] < errors[0]


def test_edits_are_read_from_pictures(generator):
    """An edit along nothing changes nothing; one that a reader sees is reported with its sign."""
    codes, step = codes_of(3), codes_of(1, seed=2)[0] * 0.1
    directions = {"still": Direction(step * 0), "bright": Direction(step)}

    def brightness(pictures):
        return pictures.mean(dim=(1, 2, 3))

    moves, readers = {"still": 1.0, "bright": 1.0}, {"still": brightness, "bright": brightness}
    found = inversion.editability(generator, codes, directions, moves, readers, colours, lambda x: x)
    assert np.abs(found["changed_still"]).max() < 1e-6 and found["kept_still"] == pytest.approx(np.ones(3), abs=1e-5)
    back = inversion.editability(generator, codes, directions, {"bright": -1.0}, readers, colours, lambda x: x)
    assert found["changed_bright"] == pytest.approx(-back["changed_bright"], rel=0.8, abs=0.02)
    assert np.abs(found["changed_bright"]).max() > 1e-4
    assert (found["redrawn_db"] > 80).all() and (found["blend_redrawn_db"] > 80).all()
    assert ((found["blend_kin"] > 0.5) & (found["blend_kin"] <= 1 + 1e-6)).all()


def test_tables_and_intervals():
    table = inversion.as_table({10: {"x": np.arange(4.0)}, 2: {"x": np.full(4, 7.0)}}, "steps")
    assert table["steps"].tolist() == [10] * 4 + [2] * 4 and table["picture"].tolist() == [0, 1, 2, 3] * 2
    found = inversion.intervals(table, "steps", "x")
    assert found.index.tolist() == [10, 2] and found.index.name == "steps"
    assert found.loc[10, "mean"] == 1.5 and found.loc[10, "low"] < 1.5 < found.loc[10, "high"]
    assert found.loc[2, "people"] == 4
    assert np.isnan(inversion.interval(np.array([1.0, 2.0]))["low"])


def test_change_is_each_persons_own():
    table = inversion.as_table({"a": {"x": np.array([1.0, 5.0])}, "b": {"x": np.array([2.0, 7.0])}}, "code")
    found = inversion.change_from(table, "code", "a", ["x"])
    assert found["code"].tolist() == ["a", "a", "b", "b"] and found["x"].tolist() == [0, 0, 1, 2]


def test_errors_of_single_pictures(generator):
    """Of an encoder that gives the code of what was generated, and of one that gives another."""
    codes = codes_of(3)
    faces = to_pil(generator.synthesis(codes))
    order = iter(codes.unsqueeze(1))
    right = inversion.encoding_errors(generator, lambda _: next(order), faces, colours)
    assert (right["psnr_db"] > 40).all() and right["identity_cosine"] == pytest.approx(np.ones(3), abs=1e-3)
    wrong = inversion.encoding_errors(generator, lambda _: codes[:1], faces, colours)
    assert wrong["psnr_db"][0] == pytest.approx(right["psnr_db"][0]) and (wrong["psnr_db"][1:] < 40).all()
    with pytest.raises(KinlibError, match="no pictures"):
        inversion.encoding_errors(generator, lambda _: codes, [], colours)
