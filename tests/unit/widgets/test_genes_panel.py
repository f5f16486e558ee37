"""The panel of facial genes, driven by code, on small random gene networks."""

import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from kinlib.checkpoints.checksums import sha256
from kinlib.inheritance.genes.choices import REGION_GROUPS, RegionChoices
from kinlib.inheritance.genes.files import gene_state, load_genes
from kinlib.inheritance.genes.networks import Components, GeneDecoder, GeneEncoder, GeneSizes
from kinlib.inheritance.genes.pool import save_pool
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.widgets.genes import gene_panel

SIZES = GeneSizes(
    12, gene_layers=1, gene_dim=8, encoder_depth=1, head_depth=1, decoder_depth=1, components=16, dropout=0.0
)
LABELS = {"age": ["20-29", "3-9"], "sex": ["male", "female"], "group": ["amber", "birch"]}
NAMES = {"age": ("3-9", "20-29", "70+"), "sex": ("female", "male"), "group": ("amber", "birch")}


def data_with(folder: Path, made: dict[str, Path]) -> Path:
    """The bundled data with other gene networks and pool, by file name, or without."""
    weights = folder / "weights" / "studio"
    weights.mkdir(parents=True)
    (folder / "studio").symlink_to(config.data_dir() / "studio")
    bundled = config.data_dir() / "weights" / "studio"
    manifest = json.loads((bundled / "manifest.json").read_text())
    manifest = {name: facts for name, facts in manifest.items() if not name.startswith("gene_pool.")}
    manifest.pop("genes.safetensors", None)
    for name in manifest:
        (weights / name).symlink_to(bundled / name)
    for name, path in made.items():
        (weights / name).symlink_to(path)
        manifest[name] = {"sha256": sha256(path), "size": path.stat().st_size}
    (weights / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def made(kin, tmp_path_factory) -> dict[str, Path]:
    """Files of random gene networks and of a pool of two."""
    folder = tmp_path_factory.mktemp("genes")
    torch.manual_seed(0)
    components = Components(SIZES.components, 12 * 512)
    components.fit(torch.randn(64, 12, 512) + kin.generator.latent_avg)
    save_file(gene_state(GeneEncoder(SIZES, components), GeneDecoder(SIZES, components)), folder / "genes")
    save_pool(folder / "pool", torch.randn(2, 12, 512) + kin.generator.latent_avg, LABELS, NAMES)
    return {"genes.safetensors": folder / "genes", "gene_pool.safetensors": folder / "pool"}


@pytest.fixture
def panel(kin, made, tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(data_with(tmp_path / "data", made)))
    return gene_panel(kin)


def picture(panel) -> bytes:
    return panel.images["child"].value


def test_begins_with_half_of_each(panel):
    assert len(panel.regions) == 34 and panel.status.value == "" and "all: half of each" in panel.told.value
    pictures = [Image.open(io.BytesIO(image.value)) for image in panel.images.values()]
    assert len({one.tobytes() for one in pictures}) == 3
    assert panel.session.child.method == "genes" and not panel.private and panel._snapshot()[:2] == b"\xff\xd8"


def test_sliders_run_from_father_to_mother(panel):
    labels = [label for label, _ in panel.groups["eyes"].options]
    assert (labels[0], labels[10], labels[-1]) == ("father", "half of each", "mother")
    panel.controls["gene_spread"].value = 0.0
    panel.controls["kept_layers"].value = 12
    panel.controls["start"].value = "all from the father"
    assert panel.controls["start"].value == "choose" and panel.groups["hair"].value == 1.0
    father = panel.session.faces["father"].latent
    encoder, decoder = load_genes(config.data_dir() / "weights" / "studio" / "genes.safetensors")
    torch.testing.assert_close(panel.session.child.latent, decoder(encoder(father).mean), atol=1e-4, rtol=1e-4)


def test_a_group_moves_its_regions_and_a_region_moves_alone(panel):
    before = picture(panel)
    panel.groups["eyes"].value = 1.0
    assert all(panel.regions[region].value == 1.0 for region in REGION_GROUPS["eyes"])
    assert panel.regions["nose_tip"].value == 0.5 and picture(panel) != before
    before = picture(panel)
    panel.regions["iris"].value = 0.0
    assert picture(panel) != before and panel.groups["eyes"].value == 1.0 and "eyes: by region" in panel.told.value
    for region in REGION_GROUPS["eyes"]:
        panel.regions[region].value = 0.0
    assert panel.groups["eyes"].value == 0.0  # follows where all of its regions are


def test_a_move_of_a_group_generates_one_child(panel, monkeypatch):
    calls = []
    generate = panel.session.generate
    monkeypatch.setattr(panel.session, "generate", lambda settings: calls.append(1) or generate(settings))
    panel.groups["mouth"].value = 0.9
    panel.controls["start"].value = "drawn at random"
    assert len(calls) == 2 and len({slider.value for slider in panel.groups.values()}) > 3


def test_groups_unfold(panel):
    fold = panel._folds["hair"]
    assert fold.layout.display == "none"
    panel.unfold["hair"].value = True
    assert fold.layout.display == "" and list(fold.children) == [panel.regions[name] for name in REGION_GROUPS["hair"]]
    panel.unfold["hair"].value = False
    assert fold.layout.display == "none"


def test_a_group_from_the_pool(panel):
    before = picture(panel)
    panel.pooled["hair"].value = True
    assert picture(panel) != before and panel.session.child.method == "genes_pool"
    assert panel.groups["hair"].disabled and panel.regions["sideburns"].disabled and not panel.groups["eyes"].disabled
    assert panel.controls["pool_age"].options == ("any", *NAMES["age"])
    panel.controls["pool_age"].value = "70+"
    assert "nobody of age 70+" in panel.status.value and "--pool-age 70+" in panel.told.value
    panel.controls["pool_age"].value = "3-9"
    young = picture(panel)
    panel.controls["pool_age"].value = "20-29"
    assert panel.status.value == "" and picture(panel) != young
    panel.pooled["hair"].value = False
    assert picture(panel) == before and not panel.groups["hair"].disabled


def test_seeds_layers_and_spread(panel):
    before = picture(panel)
    panel.controls["another"].click()
    assert panel.controls["seed"].value == 1 and picture(panel) != before
    panel.controls["gene_spread"].value = 0.0
    panel.controls["another"].click()
    assert "every seed gives the same child" in panel.status.value
    panel.controls["kept_layers"].value = 0
    father, mother = (panel.session.faces[role].latent for role in ("father", "mother"))
    torch.testing.assert_close(panel.session.child.latent, (father + mother) / 2)


def test_a_pool_of_ones_own(panel, kin, tmp_path):
    save_pool(
        tmp_path / "own",
        torch.randn(1, 12, 512),
        {"age": ["3-9"], "sex": ["male"], "group": ["me"]},
        {"age": ("3-9",), "sex": ("male",), "group": ("me",)},
    )
    own = gene_panel(kin, pool=tmp_path / "own")
    assert own.controls["pool_group"].options == ("any", "me")
    own.pooled["eyes"].value = panel.pooled["eyes"].value = True
    assert f"--pool {tmp_path / 'own'}" in own.told.value and picture(own) != picture(panel)


def test_choices_come_back(panel):
    chosen = RegionChoices(kept_layers=5, gene_spread=0.5).with_group("eyes", 0.7).with_pool("jaw")
    panel.set_choices(chosen)
    assert panel.choices() == chosen and panel.groups["eyes"].value == 0.7
    panel.set_choices(RegionChoices().with_group("nose", 0.333))
    every = panel.controls["kept_layers"].max  # the panel shows a number where the choice is left to the method
    assert panel.choices() == RegionChoices(kept_layers=every).with_group("nose", 0.35)


def test_missing_files_are_named(kin, made, tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(data_with(tmp_path / "none", {})))
    with pytest.raises(KinlibError, match="needs gene networks, but the weights 'studio_genes' are not here") as told:
        gene_panel(kin)
    assert "\n" not in str(told.value)
    only = {"genes.safetensors": made["genes.safetensors"]}
    monkeypatch.setenv("KINLIB_DATA", str(data_with(tmp_path / "only", only)))
    panel = gene_panel(kin)
    assert all(box.disabled for box in panel.pooled.values()) and "gene pool" in panel.status.value
    with pytest.raises(KinlibError, match="cannot be read"):
        gene_panel(kin, pool=tmp_path / "absent")


def test_other_parents_are_private(kin, panel):
    faces = panel.session.faces
    assert gene_panel(kin, faces["mother"], faces["father"]).private
    with pytest.raises(KinlibError, match="give both parents"):
        gene_panel(kin, faces["father"])
