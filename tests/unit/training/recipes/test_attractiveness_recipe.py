"""The recipe of rated faces: what it reads, its schedule and augmentation, and runs on renders and photographs."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import pearsonr

from kinlib.attractiveness.network import load_combonet
from kinlib.attractiveness.raters import facts, make_panel
from kinlib.cli import main
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import SET_NOTE
from kinlib.studio.person import NUM_SHAPE, PROPORTIONS
from kinlib.training.data.rated_faces import augment, load_rated_pictures, load_rated_renders
from kinlib.training.recipes.attractiveness import AttractivenessSettings, step_schedule, train
from kinlib.training.recipes.registry import train as train_by_name


def write_set(folder, people: int = 72, seed: int = 0):
    """Two pictures of each person whose brightness shows the smile: something to learn."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        # Only the smile differs; a face without any asymmetry would have the best rating whatever it does.
        identity, proportions = np.full(NUM_SHAPE, 0.9), np.resize([1.0, -1.0], len(PROPORTIONS))
        for view in range(2):
            smile, age = float(rng.uniform(0, 0.9)), 10.0 if person % 9 == 1 else float(rng.uniform(25, 35))
            pixels = np.clip(rng.normal(40 + 200 * smile, 10, (32, 32, 3)), 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            record = {"age": age, "smile": smile, "freckles": 0.0, "male": False, "melanin": 0.3}
            record |= {"hair_colour": "brown", "grey": 0.0}
            rows.append(
                {"person": person, "view": view, "image": file.getvalue(), "yaw": 0.0, "pitch": 0.0}
                | {"identity": identity, "proportions": proportions, "attributes": json.dumps(record)}
            )
    pd.DataFrame(rows).to_parquet(folder / "part-00000.parquet")
    (folder / SET_NOTE).write_text(json.dumps({"seed": 1}))
    return folder


def test_children_are_left_out_and_labels_are_the_panels_means(tmp_path):
    panel = make_panel()
    faces = load_rated_renders(write_set(tmp_path), panel, size=16)
    assert len(faces) == 2 * 64 and faces.images.shape[1:] == (3, 16, 16) and faces.table["age"].min() >= 18
    assert faces.scores.numpy() == pytest.approx(panel.rate(facts(faces.table)).mean(axis=1), abs=1e-6)
    training, held_out = faces.split()
    assert not set(training.table["unit"]) & set(held_out.table["unit"]) and len(held_out) == 8


def test_the_schedule_is_the_papers():
    assert [step_schedule(epoch / 200) for epoch in (0, 49, 50, 100, 150, 199, 200)] == pytest.approx(
        [1, 1, 0.1, 0.01, 0.001, 0.001, 0.001]
    )


def test_augmentation_changes_every_picture_in_its_own_way_and_stays_in_range():
    images = torch.randint(0, 255, (1, 3, 24, 24), dtype=torch.uint8).expand(8, -1, -1, -1)
    views = augment(images, torch.Generator().manual_seed(0), 16)
    assert views.shape == (8, 3, 16, 16) and views.abs().max() <= 1
    assert len({round(float(view.mean()), 5) for view in views}) == 8
    assert torch.equal(views, augment(images, torch.Generator().manual_seed(0), 16))


@pytest.mark.parametrize("loss", ["combo_published", "label_distribution"])
def test_a_run_learns_and_records_what_it_did(tmp_path, loss):
    (tmp_path / "data").mkdir()
    data, out = write_set(tmp_path / "data"), tmp_path / "out"
    settings = AttractivenessSettings(
        data, out, run=tmp_path / "run", loss=loss, epochs=10, batch=16, lr=0.05, raters=12
    )
    train(settings)
    report = json.loads((out / "attractiveness.json").read_text())
    assert report["recipe"]["loss"] == loss and report["recipe"]["steps_done"] == 10 * 7
    metrics = report["metrics"]
    assert metrics["pearson"] > 0.7 and metrics["mae"] < metrics["guess"]
    assert metrics["mae_low"] <= metrics["mae"] <= metrics["mae_high"]
    assert {"women", "18 to 39 years"} <= set(metrics["groups"]) and metrics["people"] == 4
    net = load_combonet(out / "attractiveness.safetensors")
    faces = load_rated_renders(data, make_panel(12))
    scores = net((faces.images.float() / 255 - 0.45) / 0.225)[0]
    if loss != "label_distribution":
        assert pearsonr(scores.numpy(), faces.scores.numpy())[0] > 0.5


def photographs(root):
    """A set in SCUT-FBP's layout whose brightness is the rating."""
    (root / "Crop").mkdir(parents=True)
    rows = ["Image,Attractiveness label,Standard Deviation"]
    for number in range(1, 41):
        score = 1.5 + number % 6 * 0.5
        Image.new("RGB", (40, 48), (int(50 * score),) * 3).save(root / "Crop" / f"SCUT-FBP-{number}.jpg")
        rows.append(f"{number},{score},0.5")
    (root / "SCUT-FBP.csv").write_text("\n".join(rows))
    return root


def test_a_published_set_takes_the_place_of_renders(tmp_path, capsys):
    data = photographs(tmp_path / "set")
    train_set, test_set = load_rated_pictures(data, "fold_2", 16)
    assert (len(train_set), len(test_set), train_set.levels) == (32, 8, 5)
    options = ["--epochs", "2", "--batch", "8", "--split", "fold_2", "--loss", "mse"]
    folders = ["--data", str(data), "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run")]
    assert main(["train", "attractiveness", *folders, *options]) == 0
    metrics = json.loads((tmp_path / "out" / "attractiveness.json").read_text())["metrics"]
    assert metrics["pictures"] == 8 and np.isfinite(metrics["mae"])
    assert main(["train", "attractiveness", *folders, "--split", "60_40"]) == 2
    assert "has no split '60_40'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "l3"}, "there is no loss 'l3'"),
        ({"backbone": "vgg"}, "there is no backbone 'vgg'"),
        ({"start": "imagenet.pth"}, "--start is for a large backbone"),
        ({"epochs": 0}, "--epochs and --raters"),
        ({"data": "nowhere"}, "does not exist"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_anything_is_read(tmp_path, changes, words):
    settings = AttractivenessSettings(write_set(tmp_path, 2), tmp_path / "out", run=tmp_path / "run")
    for name, value in changes.items():
        setattr(settings, name, value)
    with pytest.raises(KinlibError, match=words):
        train_by_name("attractiveness", settings)
    assert not (tmp_path / "run").exists()


def test_renders_without_their_columns_or_seed_are_refused(tmp_path):
    pd.DataFrame({"person": [1]}).to_parquet(tmp_path / "part-00000.parquet")
    with pytest.raises(KinlibError, match="no renders of this program"):
        load_rated_renders(tmp_path, make_panel())
    write_set(tmp_path, 3)
    (tmp_path / SET_NOTE).unlink()
    with pytest.raises(KinlibError, match="with the seed of its people"):
        load_rated_renders(tmp_path, make_panel())
