"""Edits against true edits: known networks get the errors that they must."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.editing.networks import Edit
from kinlib.editing.rules import ATTRIBUTES
from kinlib.evaluation.edits.true_edits import background_psnr, edit_sheet, measure_pairs, read_pairs
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_png


@pytest.fixture
def folder(tmp_path):
    """Two pairs of 64 px: a grey picture whose left half becomes brighter by 40 or 80 levels."""
    rows = []
    for number, (name, step) in enumerate((("Pale_Skin", 40), ("Blond_Hair", 80))):
        before = np.full((64, 64, 3), 100, np.uint8)
        after, changed = before.copy(), np.zeros((64, 64), np.uint8)
        after[:, :32] += step
        changed[:, :32] = 255
        known = dict.fromkeys(ATTRIBUTES, False)
        rows.append(
            {
                "person": number,
                "attribute": name,
                "change": 1,
                "image": array_to_png(before),
                "edited": array_to_png(after),
            }
            | {"changed": array_to_png(changed), "attributes": json.dumps(known)}
            | {"edited_attributes": json.dumps(known | {name: True})}
        )
    pd.DataFrame(rows).to_parquet(tmp_path / "part-00000.parquet")
    return tmp_path


def edit(images: torch.Tensor, left: float = 0.0, right: float = 0.0) -> Edit:
    """Both halves become brighter by so many levels; the left half is attended to."""
    half = (torch.arange(images.shape[-1]) < images.shape[-1] // 2).float().expand(len(images), 1, *images.shape[2:])
    changed = images + (left * half + right * (1 - half)) / 127.5
    return Edit(changed, half, torch.zeros_like(half), changed)


def test_errors_are_split_into_region_and_rest(folder):
    pairs = read_pairs(folder, 32)
    assert pairs.images.shape == (2, 3, 32, 32) and pairs.changed[..., :16].all() and not pairs.changed[..., 16:].any()
    assert pairs.difference.sum() == 2 and pairs.difference[1, ATTRIBUTES.index("Blond_Hair")] == 1
    found = measure_pairs(lambda images, _: edit(images, left=30, right=5), pairs)
    assert found["pairs"] == 2 and found["attention_iou"] == 1
    # Resizing blurs the border between the halves a little.
    assert found["error_changed"] == pytest.approx((10 + 50) / 2, rel=0.05)
    assert found["error_changed_untouched"] == pytest.approx((40 + 80) / 2, rel=0.05)
    assert found["error_rest"] == pytest.approx(5, abs=1.5)
    assert found["attributes"]["Pale_Skin"]["error_changed"] == pytest.approx(10, abs=1)
    assert found["attributes"]["Blond_Hair"]["pairs"] == 1


def test_a_batch_to_learn_from_goes_both_ways_and_is_mirrored(folder):
    pairs = read_pairs(folder, 32)
    assert len(pairs) == 2
    before, after, changed, difference = pairs.batch(torch.ones(64).long(), torch.Generator().manual_seed(0))
    added = difference[:, ATTRIBUTES.index("Blond_Hair")]
    assert set(added.tolist()) == {1, -1}
    left = changed[:, 0, 0, 0] == 1
    assert set(left.tolist()) == {True, False} and (changed.mean(dim=(1, 2, 3)) == 0.5).all()
    change = (after - before)[:, 0, 16] * 127.5 * added[:, None]  # [64, 32], a row of pixels
    change = torch.where(left[:, None], change, change.flip(1))
    assert (change[:, 1:13] - 80).abs().max() < 1.5 and change[:, 19:31].abs().max() < 1.5


def test_psnr_is_of_the_background_alone():
    images = torch.zeros(3, 3, 8, 8)
    background = torch.zeros(3, 8, 8, dtype=torch.bool)
    background[:2, :, 4:] = True  # the third shows none
    change = torch.zeros(3, len(ATTRIBUTES))
    found = background_psnr(lambda some, _: edit(some, left=90, right=2.55), images, background, change)
    assert found == pytest.approx(40, abs=0.01)  # 255 against 2.55 levels
    assert background_psnr(lambda some, _: edit(some, left=90), images, background, change) > 60


def test_a_sheet_shows_edits_and_attention(tmp_path):
    edit_sheet(
        lambda images, _: edit(images), torch.zeros(2, 3, 8, 8), torch.zeros(2, len(ATTRIBUTES)), tmp_path / "a.png"
    )
    assert Image.open(tmp_path / "a.png").size[0] > Image.open(tmp_path / "a.png").size[1]


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(KinlibError, match="file with edits"):
        read_pairs(tmp_path, 32)
    pd.DataFrame({"image": [b""]}).to_parquet(tmp_path / "part.parquet")
    with pytest.raises(KinlibError, match="holds no edits"):
        read_pairs(tmp_path, 32)
