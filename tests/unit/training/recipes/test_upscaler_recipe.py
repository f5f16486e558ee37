"""The upscaler's recipe: pairs that belong together, a start as bilinear interpolation, a run that is resumed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from studio_head import needs_head

from kinlib.cli import main
from kinlib.evaluation.preprocessing.size_pairs import family_pairs, read_pairs, split_people
from kinlib.evaluation.preprocessing.upscaler_fidelity import as_photograph, measure_upscaler
from kinlib.faces.upscale import upscale
from kinlib.faces.upscale_networks import load_upscaler
from kinlib.runtime.config import data_dir
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.studio.datasets.sample_parents import couples
from kinlib.training.data.patches import Patches
from kinlib.training.recipes.registry import train
from kinlib.training.recipes.upscaler import EsrganSettings, TwoHeads, UpscalerSettings

LARGE, SMALL = 256, 64
PATCH = 32


def landmarks(side: int) -> np.ndarray:
    """Roughly where they lie in a portrait; what the crop needs, the eyes and the mouth, is apart."""
    points = np.random.default_rng(0).uniform(0.3, 0.7, (68, 2))
    points[36:42], points[42:48], points[48], points[54] = (0.4, 0.45), (0.6, 0.45), (0.42, 0.7), (0.58, 0.7)
    return np.float32(points * side - 0.5).ravel()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Eight portraits in two sizes; persons 0 and 18 are held out. The small folder lacks one of them."""
    root = tmp_path_factory.mktemp("photographs")
    portraits = [Image.open(path).convert("RGB") for pair in couples()[:4] for path in pair]
    for name, side in (("large", LARGE), ("small", SMALL)):
        rows = []
        for person, portrait in zip((0, 1, 2, 3, 18, 5, 6, 7), portraits, strict=True):
            image = array_to_png(np.asarray(portrait.resize((side, side), Image.Resampling.BOX)))
            row = {"person": person, "view": 0, "image": image, "landmarks": landmarks(side)}
            rows.append(row | {"attributes": json.dumps({"male": person > 0, "age": 30.0})})
        (root / name).mkdir()
        pd.DataFrame(rows if name == "large" else rows[:-1]).to_parquet(root / name / "part-00000.parquet")
    return root


def settings(data: Path, out: Path, kind: type = UpscalerSettings, **more) -> UpscalerSettings:
    few = {"batch": 4, "patch": PATCH, "width": 8, "depth": 2, "photos": 0, "run": out / "run"}
    return kind(data / "large", out, **{"small": data / "small"} | few | more)


def test_pairs_belong_together(data):
    pairs = read_pairs(data / "large", data / "small")
    assert [pair.person for pair in pairs] == [0, 1, 2, 3, 18, 5, 6]
    for pair in pairs:
        reduced = np.float32(pair.large).reshape(SMALL, 4, SMALL, 4, 3).mean(axis=(1, 3))
        assert np.abs(reduced - pair.small).mean() < 3
        np.testing.assert_allclose(pair.landmarks.ravel(), landmarks(SMALL), atol=1e-4)
    assert len(read_pairs(data / "large", None)) == 8
    training, held_out = split_people(pairs)
    assert [pair.person for pair in held_out] == [0, 18] and len(training) == 5


@pytest.mark.parametrize("options", [{"rendered": 1.0}, {"clean": True}, {"rendered": 0.0, "strength": 0.1}])
def test_patches_show_the_same_in_both_sizes(data, options):
    pairs = read_pairs(data / "large", data / "small")
    small, large = Patches(PATCH, **options)(pairs, np.random.default_rng(0))
    assert small.shape == (7, PATCH, PATCH, 3) and large.shape == (7, 4 * PATCH, 4 * PATCH, 3)
    reduced = np.float32(large).reshape(7, PATCH, 4, PATCH, 4, 3).mean(axis=(2, 4))
    for one, other in zip(np.float32(small), reduced, strict=True):
        assert np.abs(one - other).mean() < 12
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


BUNDLED = data_dir() / "weights" / "studio" / "upscaler.safetensors"


@needs_head
@pytest.mark.skipif(not BUNDLED.exists(), reason="the upscaler's weights are not bundled")
def test_the_bundled_upscaler_beats_interpolation():
    """On family photographs, of people it was never trained on, against the same moment rendered in full size."""
    upscalers = {factor: load_upscaler(BUNDLED, factor) for factor in (2, 4)}
    metrics = measure_upscaler(upscalers, list(family_pairs(4)))
    for factor in (2, 4):
        for other in ("bicubic", "lanczos"):
            assert metrics[f"psnr_db_x{factor}"] > metrics[f"psnr_db_x{factor}_{other}"] + 0.2
            assert metrics[f"ssim_x{factor}"] > metrics[f"ssim_x{factor}_{other}"]
            assert metrics[f"identity_x{factor}"] > metrics[f"identity_x{factor}_{other}"]


@needs_head
def test_family_photographs_rendered_again_in_full_size():
    pairs = list(family_pairs(2))
    assert len({pair.person for pair in pairs}) == 2
    for pair in pairs:
        assert pair.small.shape == (150, 120, 3) and pair.large.shape == (600, 480, 3)
        reduced = np.float32(pair.large).reshape(150, 4, 120, 4, 3).mean(axis=(1, 3))
        error = np.abs(reduced - pair.small).mean()
        assert error < 6
        assert error < 0.8 * np.abs(np.roll(reduced, 1, axis=1) - pair.small).mean()  # not a pixel beside
        assert pair.landmarks.min() > 0 and pair.landmarks[:, 1].max() < 150


def test_the_network_starts_as_bilinear_interpolation():
    torch.manual_seed(0)
    net = TwoHeads(16, 3)
    x = torch.rand(2, 3, 14, 15)
    with torch.no_grad():
        for factor, enlarged in net(x).items():
            wanted = F.interpolate(x, scale_factor=factor, mode="bilinear")
            inside = (..., *[slice(factor, -factor)] * 2)
            torch.testing.assert_close(enlarged[inside], wanted[inside], atol=1e-5, rtol=0)
            torch.testing.assert_close(net.single(factor).net(x), enlarged)


def test_a_run_goes_on_and_its_file_enlarges(data, tmp_path):
    for steps in (2, 4):
        train("upscaler", settings(data, tmp_path, steps=steps, adversarial=0.01, adversarial_from=0.4))
    report = json.loads((tmp_path / "upscaler.json").read_text())
    assert report["recipe"]["steps_done"] == 4 and [call["step"] for call in report["calls"]] == [0, 2]
    metrics = report["metrics"]
    assert metrics["people"] == metrics["pictures"] == 2
    groups = metrics["groups"]
    assert set(groups) == {"women", "men", "18 to 39 years"}
    gain = metrics["psnr_db_x2"] - metrics["psnr_db_x2_bicubic"]
    assert groups["18 to 39 years"]["psnr_gain_x2"] == pytest.approx(gain, abs=1e-3)
    for factor in (2, 4):
        assert 10 < metrics[f"psnr_db_x{factor}"] < 60 and 0 < metrics[f"ssim_x{factor}"] <= 1
        assert -1 <= metrics[f"identity_x{factor}_bicubic"] <= 1
    assert metrics["bad_psnr_db_x2_bicubic"] < metrics["psnr_db_x2_bicubic"]
    assert list(json.loads((tmp_path / "manifest.json").read_text())) == ["upscaler.safetensors"]
    photo = Image.new("RGB", (20, 24), (90, 120, 60))
    assert upscale(photo, 4, path=tmp_path / "upscaler.safetensors").size == (80, 96)
    assert load_file(tmp_path / "upscaler.safetensors")["heads.2.weight"].dtype == torch.float16


def test_training_helps(data, tmp_path):
    """On the people it was trained on, since a handful of portraits teaches nothing about others."""
    train("upscaler", settings(data, tmp_path, steps=40, perceptual=0.0, rendered=1.0, lr=2e-3))
    net = TwoHeads(8, 2)
    net.load_state_dict({name: value.float() for name, value in load_file(tmp_path / "upscaler.safetensors").items()})
    training, _ = split_people(read_pairs(data / "large", data / "small"))
    photographs = [as_photograph(pair) for pair in training]
    torch.manual_seed(0)
    before = measure_upscaler({factor: TwoHeads(8, 2).single(factor) for factor in (2, 4)}, photographs)
    after = measure_upscaler({factor: net.single(factor) for factor in (2, 4)}, photographs)
    assert after["psnr_db_x2"] > before["psnr_db_x2"] and after["psnr_db_x4"] > before["psnr_db_x4"]
    assert before["psnr_db_x2_bicubic"] == after["psnr_db_x2_bicubic"]


def test_the_network_to_compare_with(data, tmp_path):
    train("upscaler_esrgan", settings(data, tmp_path, EsrganSettings, steps=1, small=None))
    report = json.loads((tmp_path / "upscaler_esrgan.json").read_text())
    assert report["recipe"]["clean"] and (tmp_path / "upscaler_esrgan.safetensors").exists()


def test_missing_families_are_noticed_before_training(data, tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    with pytest.raises(KinlibError, match="kinlib render --families"):
        train("upscaler", settings(data, tmp_path, photos=3))
    assert not (tmp_path / "run").exists()


def test_folders_that_do_not_belong_together(data, tmp_path, capsys):
    frame = pd.read_parquet(data / "small").assign(view=1)
    frame.to_parquet(tmp_path / "part-00000.parquet")
    with pytest.raises(KinlibError, match="in common"):
        read_pairs(data / "large", tmp_path)
    with pytest.raises(KinlibError, match="4 times the size"):
        read_pairs(data / "large", data / "large")
    with pytest.raises(KinlibError, match="smaller than the patches"):
        Patches(80)(read_pairs(data / "large", data / "small"), np.random.default_rng(0))
    with pytest.raises(KinlibError, match="at least 32 pixels"):
        train("upscaler", settings(data, tmp_path, patch=24))
    with pytest.raises(KinlibError, match="small photographs in"):
        train("upscaler", settings(data, tmp_path, small=tmp_path / "none"))
    assert main(["train", "upscaler", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "no *.parquet file" in capsys.readouterr().err
