"""Gene networks of the published layout and of ours: what they compute, and files that do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bad_weights import Malicious
from safetensors.torch import save_file
from torch import Tensor

from kinlib.inheritance.genes import GeneDecoder, GeneEncoder, GeneSizes, load_genes
from kinlib.inheritance.genes.files import decoder_names, encoder_names, gene_state
from kinlib.inheritance.genes.networks import STUDIO, Components
from kinlib.runtime.errors import KinlibError
from tests.reference import plain_stylegene

MANIFESTS = Path(__file__).parents[3] / "manifests"
LAYERS, REGIONS, DIM = 3, 34, 16


def manifest(part: str) -> dict[str, list[int]]:
    return dict(json.loads((MANIFESTS / f"stylegene_{part}_keys.json").read_text()))


def small(shape: list[int]) -> list[int]:
    """A published shape with 3 layers of 16 numbers in place of 18 of 512."""
    tokens = LAYERS * REGIONS
    sizes = {612: tokens, 2448: 4 * tokens, 512: DIM, 256: DIM // 2, 18: LAYERS, 1: 1}
    return [sizes[number] for number in shape]


def seeded(seed: int = 0) -> dict[str, Tensor]:
    """Random tensors of the names and shapes of the manifests, scaled so that no layer drowns another."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for prefix in ("w2sub34", "sub2w"):
        for name, shape in manifest(prefix).items():
            wanted = small(shape)
            value = torch.randn(wanted, generator=rng) * (wanted[1] ** -0.5 if len(wanted) > 1 else 0.3)
            state[f"{prefix}.{name}"] = value + 1 if name.endswith("norm.weight") else value
    return state


def save(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"state_dict": state | {"encoder.layer.weight": torch.zeros(2)}, "epoch": 29}, path)
    return path


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def assert_near(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    assert (found - wanted).norm() / wanted.norm() < 1e-5


@pytest.mark.parametrize("bare", [False, True])
def test_the_published_layout_gives_the_published_outputs(tmp_path: Path, bare: bool):
    state = seeded()
    path = tmp_path / "stylegene.ckpt"
    if bare:
        torch.save(state, path)
    else:
        save(path, state)
    encoder, decoder = load_genes(path)
    codes = torch.randn(2, LAYERS, DIM, generator=torch.Generator().manual_seed(1))
    mean, log_variance = plain_stylegene.encode(codes, part(state, "w2sub34."), 8, REGIONS)
    found = encoder(codes)
    assert_near(found.mean, mean)
    assert_near(found.log_variance, log_variance)
    genes = torch.randn(2, LAYERS, REGIONS, DIM, generator=torch.Generator().manual_seed(2))
    assert_near(decoder(genes), plain_stylegene.decode(genes, part(state, "sub2w."), 6))
    assert not encoder.training and not any(parameter.requires_grad for parameter in encoder.parameters())


def test_networks_of_the_default_sizes_have_the_published_tensors():
    with torch.device("meta"):
        networks = {"w2sub34": GeneEncoder(), "sub2w": GeneDecoder()}
    tables = {"w2sub34": encoder_names(8, 2), "sub2w": decoder_names(6)}
    for name, network in networks.items():
        wanted = manifest(name)
        names = {f"{a}.{kind}": f"{b}.{kind}" for a, b in tables[name].items() for kind in ("weight", "bias")}
        ours = {key: list(value.shape) for key, value in network.state_dict().items()}
        assert names.keys() == wanted.keys() and set(names.values()) == ours.keys()
        # Token mixing is a convolution of width 1 there.
        assert {names[key]: shape[:2] for key, shape in wanted.items()} == ours
        count = sum(torch.Size(shape).numel() for shape in wanted.values())
        assert count == {"w2sub34": 39_187_164, "sub2w": 19_974_670}[name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("sub2w.layer.3.0.norm.weight"), "it lacks 'sub2w.layer.3.0.norm.weight'"),
        (lambda s: s.pop("w2sub34.layer.1.weight"), "it lacks 'w2sub34.layer.1.weight'"),
        (lambda s: s.update({"w2sub34.layer.40.weight": torch.ones(2)}), "unknown 'w2sub34.layer.40.weight'"),
        (lambda s: s.update({"sub2w.layer.7.bias": torch.ones(2)}), "misshapen 'trunk.norm.bias'"),
        (lambda s: s.update({"w2sub34.layer.1.weight": torch.ones(101, 3)}), "no whole number of regions"),
        (lambda s: s.update({"w2sub34.layer.1.weight": torch.ones(102)}), "no gene networks in the published layout"),
        (lambda s: [s.pop(key) for key in list(s) if key.startswith("sub2w.")], "it lacks 'sub2w.layer.1.0.fn.0"),
    ],
)
def test_published_files_that_do_not_fit_are_refused(tmp_path: Path, change, message: str):
    state = seeded()
    change(state)
    with pytest.raises(KinlibError, match=message) as caught:
        load_genes(save(tmp_path / "stylegene.ckpt", state))
    assert "\n" not in str(caught.value)


def test_code_in_a_file_is_not_run(tmp_path: Path):
    torch.save({"state_dict": seeded(), "more": Malicious(tmp_path / "ran")}, tmp_path / "stylegene.ckpt")
    with pytest.raises(KinlibError, match="could run code"):
        load_genes(tmp_path / "stylegene.ckpt")
    assert not (tmp_path / "ran").exists()


def studio(sizes: GeneSizes, seed: int = 0) -> tuple[GeneEncoder, GeneDecoder]:
    torch.manual_seed(seed)
    components = Components(sizes.components, sizes.num_layers * sizes.style_dim)
    components.fit(torch.randn(sizes.components + 20, sizes.num_layers, sizes.style_dim))
    return GeneEncoder(sizes, components).eval(), GeneDecoder(sizes, components).eval()


LEAN = replace(STUDIO, num_layers=4, style_dim=32, regions=5, gene_dim=8, components=12, encoder_depth=2)


@pytest.mark.parametrize(
    "sizes", [LEAN, replace(LEAN, gene_layers=2, token_factor=0.7), GeneSizes(3, 16, 5, 3, 16, 2, 1, 2)]
)
def test_our_file_keeps_sizes_and_outputs(tmp_path: Path, sizes: GeneSizes):
    encoder, decoder = studio(sizes) if sizes.components else (GeneEncoder(sizes).eval(), GeneDecoder(sizes).eval())
    save_file(gene_state(encoder, decoder), tmp_path / "genes.safetensors")
    again = load_genes(tmp_path / "genes.safetensors")
    codes = torch.randn(3, sizes.num_layers, sizes.style_dim)
    genes, found = encoder(codes), again[0](codes)
    assert genes.mean.shape == (3, sizes.gene_layers, sizes.regions, sizes.gene_dim)
    torch.testing.assert_close(found.mean, genes.mean)
    torch.testing.assert_close(found.log_variance, genes.log_variance)
    torch.testing.assert_close(again[1](genes.mean), decoder(genes.mean))
    assert again[0].components is again[1].components


def test_the_studio_networks_are_small():
    encoder, decoder = studio(replace(STUDIO, components=STUDIO.components))
    size = sum(value.numel() * 2 for value in gene_state(encoder, decoder).values())
    assert size < 6e6
    assert encoder(torch.randn(1, 12, 512)).mean.shape == (1, 1, 34, 48)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("sizes"), "holds no gene networks"),
        (lambda s: s.pop("decoder.head.weight"), "it lacks 'head.weight'"),
        (lambda s: s.update(more=torch.ones(2)), "unknown 'more'"),
        (lambda s: s.update({"encoder.stem.bias": torch.ones(2)}), "misshapen 'stem.bias'"),
        (lambda s: s.update(sizes=torch.tensor([4, 5, 1])), "holds no gene networks"),
    ],
)
def test_other_files_of_ours_are_refused(tmp_path: Path, change, message: str):
    state = gene_state(*studio(LEAN))
    change(state)
    save_file(state, tmp_path / "genes.safetensors")
    with pytest.raises(KinlibError, match=message):
        load_genes(tmp_path / "genes.safetensors")


def test_files_of_other_networks_are_refused(tmp_path: Path):
    save_file({"shift": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(KinlibError, match="holds no gene networks"):
        load_genes(tmp_path / "other.safetensors")
    with pytest.raises(KinlibError, match="there is no file"):
        load_genes(tmp_path / "absent.ckpt")


def test_sizes_that_cannot_be():
    with pytest.raises(KinlibError, match="1 or more"):
        GeneSizes(regions=0)
    with pytest.raises(KinlibError, match="principal components"):
        GeneSizes(gene_dim=48)


def test_shapes_are_checked():
    encoder, decoder = studio(LEAN)
    with pytest.raises(ValueError, match=r"codes must be \[B, 4, 32\]"):
        encoder(torch.zeros(1, 5, 32))
    with pytest.raises(ValueError, match=r"genes must be \[B, 1, 5, 8\]"):
        decoder(torch.zeros(1, 5, 8))


def test_samples_have_the_mean_and_the_variance():
    encoder, _ = studio(LEAN)
    genes = encoder(torch.randn(1, 4, 32))
    rng = torch.Generator().manual_seed(0)
    drawn = genes.expand(4000).sample(rng)
    standard = (drawn - genes.mean) / torch.exp(genes.log_variance / 2)
    assert standard.mean().abs() < 0.01 and (standard.var() - 1).abs() < 0.02
    torch.testing.assert_close(genes.sample(rng, spread=0), genes.mean)
    assert (genes.log_variance >= -4).all() and (genes.log_variance <= -2).all()


def test_components_describe_codes():
    torch.manual_seed(0)
    hidden = torch.randn(200, 6)
    codes = (hidden @ torch.randn(6, 4 * 32) + 5).unflatten(1, (4, 32))
    components = Components(6, 4 * 32)
    components.fit(codes)
    read = components.read(codes)
    torch.testing.assert_close(read.var(dim=0), torch.ones(6), atol=0.05, rtol=0)
    torch.testing.assert_close(components.write(read, 4), codes, atol=1e-3, rtol=0)
