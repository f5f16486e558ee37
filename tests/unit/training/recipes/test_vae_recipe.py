"""The autoencoder's recipe: its losses, and runs on CelebA's layout that learn, stop and resume."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinlib.cli import main
from kinlib.faces.identity import load_identity
from kinlib.search.vae import VAE, load_vae
from kinlib.training.cards.model_cards import model_card
from kinlib.training.recipes.vae import VAESettings, losses

SMALL = ("--size", "16", "--width", "4", "--latent", "4", "--batch", "4", "--minutes", "5")


@pytest.fixture
def celeba(tmp_path) -> Path:
    """Twenty-four flat pictures, half of them dark; the last four are held out."""
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines, parts = ["24", "Dark Striped"], []
    for number in range(24):
        dark = number % 2
        picture = np.full((218, 178, 3), 60 if dark else 190, np.uint8) + rng.integers(0, 20, 3, dtype=np.uint8)
        Image.fromarray(picture).save(root / "img_align_celeba" / f"{number + 1:06d}.jpg")
        lines.append(f"{number + 1:06d}.jpg {1 if dark else -1} -1")
        parts.append(f"{number + 1:06d}.jpg {0 if number < 20 else 2}")
    (root / "list_attr_celeba.txt").write_text("\n".join(lines))
    (root / "list_eval_partition.txt").write_text("\n".join(parts))
    return root


def test_losses_fall_to_zero_for_a_perfect_reconstruction():
    class Perfect(VAE):
        def forward(self, images, generator=None):
            return images, torch.zeros(len(images), 4), torch.zeros(len(images), 4)

    settings = VAESettings(data=Path(), out=Path(), size=64)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    found = losses(Perfect(64, 4, 4), load_identity(), images, torch.ones(64, 64), settings, torch.Generator())
    assert set(found) == {"pixels", "perceptual", "identity", "kl"}
    assert all(float(value) == pytest.approx(0, abs=1e-5) for value in found.values())


def test_weights_scale_their_losses():
    net, identity, images = VAE(64, 4, 4).eval(), load_identity(), torch.rand(2, 3, 64, 64) * 2 - 1
    plain = VAESettings(data=Path(), out=Path(), beta=1, perceptual=1, identity=1)
    more = VAESettings(data=Path(), out=Path(), beta=3, perceptual=2, identity=5)
    one, other = (
        losses(net, identity, images, torch.ones(64, 64), settings, torch.Generator().manual_seed(0))
        for settings in (plain, more)
    )
    factors = {"pixels": 1, "perceptual": 2, "identity": 5, "kl": 3}
    for name, factor in factors.items():
        assert float(other[name].detach()) == pytest.approx(factor * float(one[name].detach()), rel=1e-4)


def test_a_run_on_celeba_writes_network_vectors_and_record(celeba, tmp_path):
    where = ("--data", str(celeba), "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run"))
    assert main(["train", "vae", *where, *SMALL, "--steps", "6"]) == 0
    net = load_vae(tmp_path / "out" / "vae.safetensors")
    assert (net.size, net.width, net.latent) == (16, 4, 4)
    assert set(net.attributes) == {"Dark"}  # nobody is striped
    record = json.loads((tmp_path / "out" / "vae.json").read_text())
    assert record["recipe"]["steps_done"] == 6 and record["recipe"]["pictures_used"] == 20
    assert np.isfinite(list(record["metrics"].values())).all() and "people" not in record["metrics"]
    assert main(["train", "vae", *where, *SMALL, "--steps", "8"]) == 0
    calls = json.loads((tmp_path / "out" / "vae.json").read_text())["calls"]
    assert [call["step"] for call in calls] == [0, 6]  # it went on


def test_the_card_of_the_bundled_network():
    from kinlib.training.cards.model_cards import read_reports

    card = model_card("vae", read_reports()["vae"])
    assert "Variational autoencoder" in card and "PSNR of the reconstruction" in card


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "nowhere"), "no *.parquet file"),
        (("--data", "celeba", "--size", "60"), "cannot be"),
        (("--data", "celeba", "--batch", "64"), "batches of 64"),
    ],
)
def test_refused_in_one_sentence(celeba, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "vae", "--out", "out", *arguments]) == 2
    assert words in capsys.readouterr().err
