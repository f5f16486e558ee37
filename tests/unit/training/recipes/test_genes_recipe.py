"""The gene networks' recipe: its losses by hand, what each gradient reaches, and a run that learns and resumes."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from kinlib.inheritance.genes import Genes, GeneSizes, load_genes
from kinlib.inheritance.genes.image_encoder import ImageGeneEncoder, cell_masks
from kinlib.inheritance.genes.networks import STUDIO
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.kin_codes import KinCodes
from kinlib.training.data.label_maps import LabelledFaces
from kinlib.training.engine.gene_losses import gene_loss, latent_loss, regional_loss
from kinlib.training.recipes import genes as recipe
from kinlib.training.recipes.genes import GeneNetworks, GeneSettings, learning_rate

LAYERS, SIDE, PEOPLE = 2, 32, 60
SIZES = replace(STUDIO, num_layers=LAYERS, gene_dim=8, components=6, encoder_depth=1, head_depth=1, decoder_depth=1)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def synthetic(people: int = PEOPLE, seed: int = 0) -> recipe._Pictures:
    """Pictures of four coloured quarters, each a region; the code holds the brightness of each quarter."""
    traits = torch.rand(people, 4, generator=rng(seed))
    labels = torch.zeros(people, 2, SIDE, SIDE, dtype=torch.uint8)
    images = torch.zeros(people, 3, SIDE, SIDE, dtype=torch.uint8)
    half = SIDE // 2
    for i in range(4):
        rows, columns = slice(i // 2 * half, (i // 2 + 1) * half), slice(i % 2 * half, (i % 2 + 1) * half)
        labels[:, 1, rows, columns] = i + 1
        images[:, :, rows, columns] = (255 * traits[:, i]).byte()[:, None, None, None]
    directions = torch.linalg.qr(torch.randn(LAYERS * 512, 6, generator=rng(1)))[0].t() * 20
    noise = torch.randn(people, 2, generator=rng(2)) / 10
    codes = (torch.cat([traits - 0.5, noise], dim=1) @ directions).unflatten(1, (LAYERS, 512))
    return recipe._Pictures(LabelledFaces(images, labels, torch.arange(people)), codes.half())


def networks(sizes: GeneSizes = SIZES, seed: int = 0) -> GeneNetworks:
    torch.manual_seed(seed)
    found = GeneNetworks(sizes, SIDE)
    found.encoder.components.fit(synthetic().codes)
    return found


def settings(tmp_path: Path, **changes) -> GeneSettings:
    return GeneSettings(data=tmp_path, out=tmp_path / "out", run=tmp_path / "run", **changes)


def random_genes(seed: int, count: int = 3) -> Genes:
    return Genes(*torch.randn(2, count, 1, 34, 8, generator=rng(seed)))


def test_masks_are_shares_of_cells():
    labels = torch.zeros(1, 8, 8, dtype=torch.uint8)
    labels[0, :4, 4:] = 3
    labels[0, 5, 1:3] = 7
    masks = cell_masks(labels, 34)
    assert masks.shape == (1, 34, 2, 2) and torch.equal(masks.sum(dim=1), torch.ones(1, 2, 2))
    assert masks[0, 3].tolist() == [[0, 1], [0, 0]] and masks[0, 7].tolist() == [[0, 0], [2 / 16, 0]]


def test_a_region_decides_its_own_genes_only():
    encoder = networks().image.eval()
    pictures, labels, _ = synthetic(2).batch(torch.arange(2), torch.device("cpu"))
    other = pictures.clone()
    other[:, :, SIDE // 2 :, SIDE // 2 :] = -other[:, :, SIDE // 2 :, SIDE // 2 :]  # region 4
    before, after = (encoder(shown, cell_masks(labels, 34)).mean for shown in (pictures, other))
    changed = (before - after).abs().amax(dim=(0, 1, 3))
    assert changed[4] > 1e-3 and changed[1] == 0  # region 1 shares no border with it
    assert (changed[5:] == 0).all()  # regions that are not there


def test_equation_6_by_hand():
    wanted = torch.zeros(2, LAYERS, 512)
    assert latent_loss(wanted + torch.tensor([3.0, 4.0]).view(2, 1, 1), wanted).item() == pytest.approx(3.5)


def test_equation_7_by_hand():
    zero = Genes(torch.zeros(2, 1, 34, 8), torch.zeros(2, 1, 34, 8))
    mean, log_variance = zero.mean.clone(), zero.log_variance.clone()
    mean[:, :, 5] = 2.0
    log_variance[0, :, 7] = 2 * torch.log(torch.tensor(1.5))  # standard deviation 1.5 in place of 1, in half of them
    assert gene_loss(Genes(mean, log_variance), zero).item() == pytest.approx(2.0 + 0.25, rel=1e-4)
    mean.requires_grad_()
    gene_loss(Genes(mean * 0, log_variance * 0), zero).backward()
    assert torch.isfinite(mean.grad).all()


def test_the_rate_is_halved_after_each_third():
    assert [learning_rate(share) for share in (0, 0.33, 0.34, 0.66, 0.67, 1.0)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


class Painter:
    """A generator for tests: layer 0 of the code, its first four numbers, painted into the four quarters."""

    @staticmethod
    def synthesis(codes: torch.Tensor) -> torch.Tensor:
        quarters = codes[:, 0, :4].view(-1, 1, 2, 2)
        return torch.nn.functional.interpolate(quarters, (SIDE, SIDE), mode="nearest").expand(-1, 3, -1, -1)


def gradients(tmp_path: Path, term: str, **changes) -> set[str]:
    """Which of the networks one loss teaches."""
    found = networks()
    batch = synthetic(6).batch(torch.arange(6), torch.device("cpu"))
    recipe.losses(found, batch, settings(tmp_path, **changes), rng(), Painter)[term].backward()
    return {
        name
        for name in ("image", "encoder", "decoder")
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in getattr(found, name).parameters())
    }


def test_what_each_loss_teaches(tmp_path: Path):
    assert gradients(tmp_path, "latent") == {"image", "decoder"}
    assert gradients(tmp_path, "gene") == {"encoder"}
    assert gradients(tmp_path, "gene", joint=True) == {"encoder", "image"}
    assert gradients(tmp_path, "direct", direct=1.0) == {"encoder", "decoder"}
    assert gradients(tmp_path, "cycle", cycle=1.0) == {"encoder", "decoder"}
    assert gradients(tmp_path, "direct", direct=1.0, image_encoder=False) == {"encoder", "decoder"}
    assert gradients(tmp_path, "regional", regional=1.0) == {"encoder", "decoder"}


def test_the_regional_loss_is_zero_for_genes_that_act_in_their_region_only():
    """Genes of regions 1 to 4 are the brightness of their quarters; then swapping one moves only its quarter."""

    def own(genes: torch.Tensor) -> torch.Tensor:
        return genes[:, 0, 1:5, 0].unsqueeze(1)  # [B, 1, 4]

    def mixed(genes: torch.Tensor) -> torch.Tensor:
        return own(genes).mean(dim=2, keepdim=True).expand(-1, -1, 4)

    labels = synthetic(4).faces.labels[:, 1]
    genes = random_genes(0, 4).mean

    def losses(decode) -> list[float]:
        return [regional_loss(decode, Painter, genes, own(genes), labels, rng(seed)).item() for seed in range(9)]

    assert max(losses(own)) == 0
    assert max(losses(mixed)) > 0.01
    assert min(losses(lambda genes: own(genes) * 0)) > 0.01  # one face for all


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch) -> Path:
    """A run's data, without a renderer or an encoder."""
    parts = {False: synthetic(), True: synthetic(12, seed=5)}
    monkeypatch.setattr(recipe, "_load", lambda folder, held_out: parts[held_out])
    monkeypatch.setattr(recipe, "encode_set", lambda folder: iter([(0, 0)]))
    sizes = replace(SIZES, num_layers=12)
    monkeypatch.setattr(recipe, "STUDIO", sizes)
    return tmp_path


def test_a_run_learns_resumes_and_writes_what_can_be_loaded(rendered: Path):
    options = {"batch": 20, "lr": 5e-3, "gene_dim": 8, "components": 6, "direct": 0.5, "cycle": 0.1, "minutes": 5}
    recipe.train(settings(rendered, steps=60, **options))
    first = json.loads((rendered / "out" / "genes.json").read_text())["metrics"]
    recipe.train(settings(rendered, steps=300, **options))
    made = json.loads((rendered / "out" / "genes.json").read_text())
    metrics = made["metrics"]
    assert made["recipe"]["steps_done"] == 300 and len(made["calls"]) == 2
    assert metrics["variance_components"] > 0.99 and metrics["variance_latent_genes"] > first["variance_latent_genes"]
    assert metrics["variance_latent_genes"] > 0.5 and metrics["variance_image_genes"] > 0.3
    encoder, decoder = load_genes(rendered / "out" / "genes.safetensors")
    codes = synthetic(12, seed=5).codes.float()
    explained = recipe._explained(decoder(encoder(codes).mean), codes)
    assert explained == pytest.approx(metrics["variance_latent_genes"], abs=0.02)
    assert not any(key.startswith("image") for key in load_file(rendered / "out" / "genes.safetensors"))


def test_without_pictures_codes_alone_teach(rendered: Path):
    options = {"steps": 40, "batch": 20, "lr": 5e-3, "gene_dim": 8, "components": 6, "image_encoder": False}
    with pytest.raises(KinlibError, match="nothing teaches the decoder"):
        recipe.train(settings(rendered, **options))
    recipe.train(settings(rendered, direct=1.0, **options))
    metrics = json.loads((rendered / "out" / "genes.json").read_text())["metrics"]
    assert metrics["variance_latent_genes"] > 0.2 and not {"variance_image_genes", "gene_variance"} & metrics.keys()


def test_too_many_components_are_refused(rendered: Path):
    with pytest.raises(KinlibError, match="60 components need more than 60 pictures"):
        recipe.train(settings(rendered, steps=1, batch=20, components=60))


def test_pictures_and_codes_of_other_people_are_refused(tmp_path: Path, monkeypatch):
    faces = synthetic(40).faces
    codes = KinCodes(
        pd.DataFrame({"person": list(range(1, 41))}), torch.zeros(40, LAYERS, 512).half(), torch.zeros(0), 0
    )
    monkeypatch.setattr(recipe, "load_labelled", lambda folder, held_out: faces)
    monkeypatch.setattr(recipe, "load_codes", lambda folder: codes)
    with pytest.raises(KinlibError, match="are not those of its pictures"):
        recipe._load(tmp_path, False)


def test_the_image_encoder_takes_the_studio_size():
    encoder = ImageGeneEncoder(STUDIO, 128).eval()
    found = encoder(torch.zeros(1, 3, 128, 128), torch.zeros(1, 34, 32, 32))
    assert found.mean.shape == (1, 1, 34, 48) and (found.log_variance < -2).all()
