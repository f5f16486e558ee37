"""Generators and encoders in every layout in which they are published, and files that only look like it.

The layouts are made here, small: random networks saved as the official files are. That full-size networks have the
names and shapes of the official files is checked against their manifests, without allocating them.
"""

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from bad_weights import Malicious
from safetensors.torch import save_file
from torch import Tensor

from kinlib.gan.discriminator import Discriminator
from kinlib.gan.encoder import IRSE50, CompactBackbone, Encoder, load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.gan.layouts import encoder_state, expand_average
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

MANIFESTS = Path(__file__).parents[2] / "manifests"
RESOLUTION = 64
LAYERS = 10
CHANNELS = {4: 8, 8: 8, 16: 8, 32: 8, 64: 4}
OFFICIAL = {"e4e": "Encoder4Editing", "psp": "GradualStyleEncoder"}


def manifest(name: str) -> dict[str, list[int]]:
    return dict(json.loads((MANIFESTS / f"{name}.json").read_text()))


def shapes(net: torch.nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in net.state_dict().items()}


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Official names, 64 px, few channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Generator(RESOLUTION, channels=CHANNELS, n_mlp=2)
        for name, parameter in net.named_parameters():
            if name.endswith("noise.weight"):
                parameter.data.fill_(0.1)  # else the noise maps would not matter
    net.latent_avg.copy_(torch.randn(512, generator=torch.Generator().manual_seed(1)).expand(LAYERS, -1))
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def code() -> Tensor:
    return torch.randn(1, LAYERS, 512, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def compact() -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = Encoder(CompactBackbone(LAYERS, widths=(16, 16, 16, 16), hidden=8), num_layers=LAYERS)
    encoder.latent_avg.copy_(torch.randn(LAYERS, 512, generator=torch.Generator().manual_seed(4)))
    return encoder.eval()


def our_state(encoder: Encoder) -> dict[str, Tensor]:
    """An encoder's tensors as our files have them."""
    size = torch.tensor(encoder.backbone.input_size)
    return encoder.backbone.state_dict() | {"latent_avg": encoder.latent_avg, "input_size": size}


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(KinlibError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- names and shapes of the official files ---


def test_generator_has_the_official_names_and_shapes():
    with torch.device("meta"):
        assert shapes(Generator(1024)) == manifest("stylegan2_ffhq_1024_g_ema")


def test_discriminator_has_the_official_names_and_shapes():
    with torch.device("meta"):
        mine = shapes(Discriminator(1024))
    kernels = {name for name in mine if name.endswith(".kernel")}
    official = manifest("stylegan2_ffhq_1024_d")
    assert {name: shape for name, shape in mine.items() if name not in kernels - set(official)} == official


def test_encoder_has_the_official_names_and_shapes():
    with torch.device("meta"):
        assert shapes(IRSE50(18)) == manifest("e4e_ffhq_encoder")


# --- generators ---


def check_same(loaded: Generator, generator: Generator, code: Tensor) -> None:
    assert (loaded.resolution, loaded.num_layers) == (RESOLUTION, LAYERS)
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(loaded.synthesis(code), generator.synthesis(code))
    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(5))
    assert torch.equal(loaded.mapping(z), generator.mapping(z))


@pytest.mark.parametrize("average", ["512", "1 x 512", "L x 512", "1 x L x 512", "absent"])
@pytest.mark.parametrize("modern", [True, False])
def test_published_generator(tmp_path: Path, generator, code, average: str, modern: bool):
    rows = {"512": generator.latent_avg[0], "1 x 512": generator.latent_avg[:1], "L x 512": generator.latent_avg}
    rows["1 x L x 512"] = generator.latent_avg[None]
    content = {"g_ema": generator.state_dict()} | ({"latent_avg": rows[average]} if average in rows else {})
    torch.save(content, tmp_path / "g.pt", _use_new_zipfile_serialization=modern)
    loaded = load_generator(tmp_path / "g.pt")
    check_same(loaded, generator, code)
    if average == "absent":  # then from mapped samples, the same every time
        assert torch.equal(loaded.latent_avg, generator.mean_latent().expand(LAYERS, -1))
        assert torch.equal(load_generator(tmp_path / "g.pt").latent_avg, loaded.latent_avg)
    else:
        assert torch.equal(loaded.latent_avg, generator.latent_avg)


def test_older_files_lack_noise_maps_and_kernels(tmp_path: Path, generator, code):
    state = {k: v for k, v in generator.state_dict().items() if not k.startswith("noises.") and "kernel" not in k}
    assert len(state) < len(generator.state_dict())
    torch.save({"g_ema": state, "latent_avg": generator.latent_avg[0]}, tmp_path / "old.pt")
    one, two = load_generator(tmp_path / "old.pt"), load_generator(tmp_path / "old.pt")
    assert torch.equal(one.synthesis(code), two.synthesis(code))
    maps = [getattr(one.noises, f"noise_{i}") for i in range(LAYERS - 1)]
    official = [getattr(generator.noises, f"noise_{i}") for i in range(LAYERS - 1)]
    assert torch.equal(one.synthesis(code, noise=official), generator.synthesis(code))
    assert all(0.5 < float(one_map.std()) < 1.5 for one_map in maps)


def test_training_checkpoint(tmp_path: Path, generator, code):
    """As rosinality's script writes them: with discriminator, optimisers and the settings in a Namespace."""
    critic = Discriminator(8, channels={4: 8, 8: 8})
    optimisers = [torch.optim.Adam(net.parameters(), betas=(0.0, 0.99)) for net in (generator, critic)]
    critic(torch.zeros(1, 3, 8, 8)).sum().backward()
    optimisers[1].step()
    content = {
        "g": generator.state_dict(),
        "d": critic.state_dict(),
        "g_ema": generator.state_dict(),
        "g_optim": optimisers[0].state_dict(),
        "d_optim": optimisers[1].state_dict(),
        "args": Namespace(path="lmdb", iter=800_000, r1=10, channel_multiplier=2, wandb=False, ckpt=None),
        "ada_aug_p": 0.1,
    }
    torch.save(content, tmp_path / "550000.pt")
    check_same(load_generator(tmp_path / "550000.pt"), generator, code)


def test_our_generator(tmp_path: Path, generator, code):
    save_file(generator.state_dict() | {"latent_avg": generator.latent_avg}, tmp_path / "g.safetensors")
    loaded = load_generator(tmp_path / "g.safetensors")
    check_same(loaded, generator, code)
    assert torch.equal(loaded.latent_avg, generator.latent_avg)


def test_half_precision_is_computed_in_single(tmp_path: Path, generator, code):
    save_file({name: value.half() for name, value in generator.state_dict().items()}, tmp_path / "g.safetensors")
    loaded = load_generator(tmp_path / "g.safetensors")
    assert loaded.synthesis(code).dtype == torch.float32
    torch.testing.assert_close(loaded.synthesis(code), generator.synthesis(code), atol=0.05, rtol=0.05)


def test_decoder_of_an_encoder_file(tmp_path: Path, generator, code):
    state = {f"decoder.{name}": value for name, value in generator.state_dict().items()}
    state["encoder.styles.0.linear.bias"] = torch.zeros(512)
    torch.save({"state_dict": state, "latent_avg": generator.latent_avg, "opts": {}}, tmp_path / "e4e.pt")
    loaded = load_generator(tmp_path / "e4e.pt")
    check_same(loaded, generator, code)
    assert torch.equal(loaded.latent_avg, generator.latent_avg)


def spoil(state: dict[str, Tensor], way: str) -> dict:
    """A checkpoint that is not quite a generator's."""
    conv = state["convs.0.conv.weight"]
    wrong = {
        "missing tensor": {"conv1.activate.bias": None},
        "unknown tensor": {"conv1.extra": torch.zeros(3)},
        "misshapen tensor": {"to_rgb1.bias": torch.zeros(1, 4, 1, 1)},
        "misshapen noise": {"noises.noise_0": torch.zeros(1, 1, 5, 5)},
        "scalar": {"conv1.conv.weight": torch.tensor(1.0)},
        "no pictures": {name: None for name in state if name.startswith("to_rgbs.")},
        "numbered by words": {"to_rgbs.first.bias": torch.zeros(1)},
        "too large": {"to_rgbs.20.bias": torch.zeros(1)} | {f"convs.{2 * i}.conv.weight": conv for i in range(21)},
        "text for a tensor": {"input.input": "4x4"},
        "other network": {name: None for name in state} | {"layer1.0.conv1.weight": torch.zeros(3)},
    }[way]
    return {name: value for name, value in (state | wrong).items() if value is not None}


WAYS = {
    "missing tensor": r"lacks 'conv1\.activate\.bias'",
    "unknown tensor": r"has unknown 'conv1\.extra' \(1 in all\)",
    "misshapen tensor": r"has misshapen 'to_rgb1\.bias'",
    "misshapen noise": r"has misshapen 'noises\.noise_0'",
    "scalar": "in the published layout",
    "no pictures": "in the published layout",
    "numbered by words": "in the published layout",
    "too large": "1024 is the most",
    "text for a tensor": "holds no StyleGAN2 generator",
    "other network": "holds no StyleGAN2 generator",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", ["g_ema", "decoder.", "plain"])
def test_files_that_hold_no_generator(tmp_path: Path, generator, way: str, place: str):
    state = spoil(generator.state_dict(), way)
    content = {"g_ema": {"g_ema": state}, "plain": state}.get(place)
    content = content or {"state_dict": {f"decoder.{name}": value for name, value in state.items()}}
    torch.save(content, tmp_path / "g.pt")
    message = refusal(lambda: load_generator(tmp_path / "g.pt"))
    assert str(tmp_path / "g.pt") in message
    with pytest.raises(KinlibError, match=WAYS[way]):
        load_generator(tmp_path / "g.pt")


@pytest.mark.parametrize("content", [{"g_ema": torch.zeros(3)}, {"state_dict": torch.zeros(3)}, {1: 2}, {}])
def test_odd_content_is_refused(tmp_path: Path, content: dict):
    torch.save(content, tmp_path / "g.pt")
    assert "holds no StyleGAN2 generator" in refusal(lambda: load_generator(tmp_path / "g.pt"))
    assert "holds no e4e or pSp encoder" in refusal(lambda: load_encoder(tmp_path / "g.pt"))


@pytest.mark.parametrize(
    "average", [torch.zeros(LAYERS + 1, 512), torch.zeros(256), torch.zeros(2, LAYERS, 512), torch.tensor(0.0), "none"]
)
def test_averages_that_do_not_fit(tmp_path: Path, generator, average):
    torch.save({"g_ema": generator.state_dict(), "latent_avg": average}, tmp_path / "g.pt")
    assert "latent_avg" in refusal(lambda: load_generator(tmp_path / "g.pt"))


def test_averages_in_every_published_shape():
    row = torch.arange(512.0)
    for shape in ((512,), (1, 512), (18, 512), (1, 18, 512)):
        average = expand_average(row.expand(shape).double(), 18, "file.pt")
        assert average.dtype == torch.float32 and torch.equal(average, row.expand(18, -1))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("place", ["args", "g_ema", "opts"])
def test_code_is_never_run(tmp_path: Path, generator, place: str, modern: bool):
    victim = tmp_path / "code-was-run"
    content = {"g_ema": generator.state_dict(), "args": Namespace(path="lmdb"), "opts": {}}
    if place == "g_ema":
        content["g_ema"] = content["g_ema"] | {"input.input": Malicious(victim)}
    elif place == "args":
        content["args"].path = Malicious(victim)
    else:
        content["opts"]["encoder_type"] = Malicious(victim)
    torch.save(content, tmp_path / "g.pt", _use_new_zipfile_serialization=modern)
    for load in (load_generator, load_encoder):
        assert "could run code" in refusal(lambda load=load: load(tmp_path / "g.pt"))
    assert not victim.exists()
    torch.load(tmp_path / "g.pt", weights_only=False)
    assert victim.exists()  # the trap was armed


# --- encoders ---


def official_encoder(kind: str, options: object, layers: int = 2) -> dict:
    """An e4e or pSp file whose codes are known: zero weights, so that only the heads' biases and the average remain."""
    with torch.device("meta"):
        names = shapes(IRSE50(layers))
    # One number seen from everywhere: the file has all the shapes, and a hundredth of the size.
    state = {f"encoder.{name}": torch.zeros((), dtype=torch.float16).expand(shape) for name, shape in names.items()}
    for layer in range(layers):
        state[f"encoder.styles.{layer}.linear.bias"] = torch.full((512,), 1.0 + layer)
    state["decoder.input.input"] = torch.zeros(1, 8, 4, 4)
    average = torch.arange(layers).float()[:, None].expand(-1, 512) * 100
    return {"state_dict": state, "latent_avg": average.clone(), "opts": options}


@pytest.mark.parametrize("kind", ["e4e", "psp"])
def test_official_encoder_adds_its_average(tmp_path: Path, kind: str):
    torch.save(official_encoder(kind, {"encoder_type": OFFICIAL[kind], "device": "cuda:0"}), tmp_path / "e.pt")
    encoder = load_encoder(tmp_path / "e.pt")
    assert (encoder.kind, encoder.num_layers) == (kind, 2) and not encoder.training
    assert torch.equal(encoder.latent_avg[:, 0], torch.tensor([0.0, 100.0]))
    with torch.inference_mode():
        codes = encoder(torch.zeros(1, 3, 256, 256))
    # e4e's second code is an offset to the first, pSp's stands alone; the average comes on top of both.
    wanted = torch.tensor([1.0, 103.0 if kind == "e4e" else 102.0])
    torch.testing.assert_close(codes, wanted[None, :, None].expand(1, 2, 512))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"encoder_type": "Encoder4Editing"}, "e4e"),
        ({"encoder_type": "SingleStyleCodeEncoder"}, "e4e"),
        ({"encoder_type": "GradualStyleEncoder"}, "psp"),
        (Namespace(encoder_type="GradualStyleEncoder"), "psp"),
        (Namespace(), "e4e"),
        ({}, "e4e"),
        (None, "e4e"),
        ("GradualStyleEncoder", "e4e"),
    ],
)
def test_options_tell_the_kinds_apart(tmp_path: Path, options, kind: str):
    path = tmp_path / "e.pt"
    content = {"state_dict": {"encoder.styles.0.linear.bias": torch.zeros(512)}, "latent_avg": torch.zeros(18, 512)}
    content["opts"] = options
    torch.save(content, path)
    found = encoder_state(content, path)
    assert found.kind == kind and found.latent_avg.shape == (18, 512)
    assert set(found.state) == {"styles.0.linear.bias"}


def test_our_encoder(tmp_path: Path, compact):
    save_file(our_state(compact), tmp_path / "e.safetensors")
    loaded = load_encoder(tmp_path / "e.safetensors")
    picture = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(6)) * 2 - 1
    assert loaded.kind == "e4e" and loaded.num_layers == LAYERS
    assert torch.equal(loaded(picture), compact(picture))
    assert torch.equal(loaded.latent_avg, compact.latent_avg)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stem.0.weight": None}, "holds no encoder in a known layout"),
        ({"input_size": None}, "holds no encoder in a known layout"),
        ({"input_size": torch.zeros(3)}, "holds no encoder in a known layout"),
        ({"base.weight": torch.tensor(1.0)}, "holds no encoder in a known layout"),
        ({"offsets.0.weight": torch.zeros(1, 8)}, r"has misshapen 'offsets\.0\.weight'"),
        ({"lateral_fine.bias": None}, r"lacks 'lateral_fine\.bias'"),
        ({"lateral_fine.bias": torch.zeros(3)}, r"has misshapen 'lateral_fine\.bias'"),
        ({"extra.bias": torch.zeros(3)}, r"has unknown 'extra\.bias'"),
        ({"latent_avg": None}, "has no latent_avg"),
        ({"latent_avg": torch.zeros(3, 512)}, r"latent_avg of shape \[3, 512\]"),
    ],
)
def test_files_that_hold_no_encoder(tmp_path: Path, compact, change: dict, reason: str):
    state = {name: value for name, value in (our_state(compact) | change).items() if value is not None}
    save_file(state, tmp_path / "e.safetensors")
    with pytest.raises(KinlibError, match=reason) as caught:
        load_encoder(tmp_path / "e.safetensors")
    assert "\n" not in str(caught.value) and str(tmp_path / "e.safetensors") in str(caught.value)


def test_generator_and_encoder_files_are_not_interchangeable(tmp_path: Path, generator, compact):
    torch.save({"g_ema": generator.state_dict()}, tmp_path / "g.pt")
    save_file(our_state(compact), tmp_path / "e.safetensors")
    assert "holds no StyleGAN2 generator" in refusal(lambda: load_generator(tmp_path / "e.safetensors"))
    assert "holds no e4e or pSp encoder" in refusal(lambda: load_encoder(tmp_path / "g.pt"))


def test_bundled_networks_fit_each_other():
    folder = config.data_dir() / "weights" / "studio"
    generator, encoder = load_generator(folder / "generator.safetensors"), load_encoder(folder / "encoder.safetensors")
    assert generator.num_layers == encoder.num_layers
    torch.testing.assert_close(generator.latent_avg, encoder.latent_avg, atol=0.01, rtol=0)
