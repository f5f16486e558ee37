"""The recipe of the attribute network: what it learns from, a run that learns, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.cli import main
from kinlib.editing.attributes import AttributeNet, load_attributes
from kinlib.editing.rules import ATTRIBUTES
from kinlib.io.face_labels import CLASSES
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.training.data.edit_faces import EditFaces
from kinlib.training.recipes.edit_attributes import _heads, evaluate, rare_weights

PALE, HAIR = ATTRIBUTES.index("Pale_Skin"), CLASSES.index("hair")


@pytest.fixture
def renders(tmp_path):
    """One picture each of 54 people, three of them held out: a disc, bright where skin is pale."""
    rng, rows = np.random.default_rng(0), []
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    disc = x**2 + y**2 < 0.5
    for person in range(54):
        pale = person % 2 == 0
        picture = rng.integers(90, 110, (64, 64, 3)).astype(np.uint8)
        picture[disc] = 220 if pale else 40
        known = dict.fromkeys(ATTRIBUTES, False) | {"Pale_Skin": pale, "hair_colour": "brown", "grey": 0.0}
        labels = np.where(disc, CLASSES.index("skin"), 0).astype(np.uint8)
        rows.append({"person": person, "image": array_to_png(picture), "mask": array_to_png(labels)})
        rows[-1] |= {"attributes": json.dumps(known)}
    folder = tmp_path / "data"
    folder.mkdir()
    pd.DataFrame(rows).to_parquet(folder / "part-00000.parquet")
    return folder


def test_a_run_learns_what_can_be_seen_and_records_it(renders, tmp_path):
    options = ["--data", str(renders), "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run")]
    assert main(["train", "edit_attributes", *options, "--steps", "40", "--batch", "16"]) == 0
    report = json.loads((tmp_path / "out" / "edit_attributes.json").read_text())
    assert report["recipe"]["steps_done"] == 40 and report["recipe"]["people"] == 51
    metrics = report["metrics"]
    assert metrics["people"] == 3 and metrics["attributes"]["Pale_Skin"]["accuracy"] == 1
    net = load_attributes(tmp_path / "out" / "edit_attributes.safetensors")
    bright = torch.full((1, 3, 64, 64), 0.7)
    assert net(bright)[0, PALE] > net(-bright)[0, PALE]


def faces(masks: torch.Tensor, segmented: list[bool], attributes: torch.Tensor | None = None) -> EditFaces:
    count = len(masks)
    known = torch.zeros(count, 13) if attributes is None else attributes
    return EditFaces(torch.zeros(count, 3, 64, 64).byte(), known, masks, torch.tensor(segmented), None)


def test_pictures_without_parts_are_kept_whole():
    masks = torch.zeros(2, 64, 64, dtype=torch.uint8)
    masks[:, :32] = 2
    found = _heads(faces(masks, [True, False]), torch.tensor([0, 1]))
    assert found[0, :32].all() and not found[0, 32:].any() and found[1].all()


def test_rare_attributes_count_more():
    attributes = torch.zeros(10, 13)
    attributes[:2, PALE] = 1
    attributes[:, 0] = 1
    found = rare_weights(faces(torch.zeros(10, 64, 64).byte(), [False] * 10, attributes), 0.5)
    assert found[PALE] == pytest.approx(2) and found[0] == found[1] == 1  # odds of 4 to 1; all, and none


def test_accuracy_is_that_of_a_network_that_says_no():
    """A quarter of the faces has an attribute: who never finds it is right in three quarters, balanced in half."""
    net = AttributeNet().eval()
    with torch.no_grad():
        net.head[1].weight.zero_()
        net.head[1].bias.fill_(-3.0)
    attributes = torch.zeros(8, 13)
    attributes[:2, PALE] = 1
    found = evaluate(net, faces(torch.zeros(8, 64, 64).byte(), [False] * 8, attributes))
    assert found["attributes"]["Pale_Skin"] == {"accuracy": 0.75, "balanced": 0.5, "guess": 0.75, "share": 0.25}
    assert found["accuracy_least"] == 0.75 and found["accuracy_mean"] == pytest.approx((12 + 0.75) / 13, abs=1e-4)
    assert found["guess_mean"] == found["accuracy_mean"] and "people" not in found


def test_a_folder_without_pictures_is_refused(tmp_path, capsys):
    assert main(["train", "edit_attributes", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no *.parquet file" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.fixture
def celebamask(tmp_path):
    """Two pictures in CelebAMask-HQ's layout, the second held out."""
    root = tmp_path / "CelebAMask-HQ"
    (root / "CelebA-HQ-img").mkdir(parents=True)
    (root / "CelebAMask-HQ-mask-anno" / "0").mkdir(parents=True)
    lines, links = ["2", " ".join(ATTRIBUTES)], ["idx orig_idx orig_file"]
    for number, original in enumerate((5, 190_000)):
        Image.new("RGB", (64, 64), (90, 90, 90)).save(root / "CelebA-HQ-img" / f"{number}.jpg")
        Image.new("L", (512, 512), 255).save(root / "CelebAMask-HQ-mask-anno" / "0" / f"{number:05d}_skin.png")
        lines.append(f"{number}.jpg " + " ".join(["-1"] * len(ATTRIBUTES)))
        links.append(f"{number} {original - 1} {original:06d}.jpg")
    (root / "CelebAMask-HQ-attribute-anno.txt").write_text("\n".join(lines))
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(links))
    return root


@pytest.mark.parametrize("recipe", ["edit_attributes", "editor"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda root: (root / "CelebAMask-HQ-attribute-anno.txt").write_text("2\nBald\n0.jpg 1 1\n1.jpg 1\n"),
            "line 3 of",
        ),
        (
            lambda root: Image.new("L", (9, 8)).save(root / "CelebAMask-HQ-mask-anno" / "0" / "00000_hair.png"),
            "9 x 8 px, not",
        ),
    ],
    ids=["damaged annotations", "a mask of another size"],
)
def test_damaged_data_sets_end_in_one_sentence(celebamask, tmp_path, capsys, recipe, damage, words):
    damage(celebamask)
    options = ["--data", str(celebamask), "--out", str(tmp_path / "out"), "--run", str(tmp_path / "run")]
    assert main(["train", recipe, *options, "--batch", "1"]) == 2
    err = capsys.readouterr().err
    assert words in err and err.strip().splitlines()[-1].startswith("kinlib: ") and not (tmp_path / "out").exists()
