"""Methods of editing compared: known methods get the numbers that they must."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from kinlib.editing.networks import Edit, Generator, blend
from kinlib.editing.rules import ATTRIBUTES
from kinlib.evaluation.edits.methods import (
    COLUMNS,
    DirectionMethod,
    at_own_size,
    fit_boundaries,
    judged,
    measure_edits,
    skin_by_group,
    skin_change,
    summarise_edits,
    true_edit,
    untouched,
    without_clothing,
)
from kinlib.evaluation.edits.true_edits import EditPairs
from kinlib.io.face_labels import CLASSES
from kinlib.runtime.errors import KinlibError

PALE, YOUNG = ATTRIBUTES.index("Pale_Skin"), ATTRIBUTES.index("Young")
SIDE, COUNT = 32, 12
SKIN = CLASSES.index("skin")


class Judge(nn.Module):
    """Sees pale skin where the middle of a picture is bright; a parameter tells its device."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(100.0))

    def forward(self, images):
        middle = images[:, :, 12:20, 12:20].mean(dim=(1, 2, 3))
        return (self.scale * middle)[:, None].expand(-1, len(ATTRIBUTES))


@pytest.fixture
def pairs() -> EditPairs:
    """A grey square of skin on a darker ground becomes brighter; two pairs of each of six people."""
    images = torch.full((COUNT, 3, SIDE, SIDE), -0.6)
    images[..., 8:24, 8:24] = -0.3
    edited, changed = images.clone(), torch.zeros(COUNT, 1, SIDE, SIDE, dtype=torch.bool)
    edited[..., 8:24, 8:24] = 0.3
    changed[..., 8:24, 8:24] = True
    difference = torch.zeros(COUNT, len(ATTRIBUTES))
    difference[:, PALE] = 1
    labels = torch.where(changed[:, 0], SKIN, 0).byte()
    facts = [
        {"male": number % 2 == 0, "age": 30.0, "melanin": 0.1 * (number // 2)} | dict.fromkeys(ATTRIBUTES, False)
        for number in range(COUNT)
    ]
    table = pd.DataFrame({"person": np.repeat(np.arange(6), 2), "attribute": "Pale_Skin", "change": 1})
    table["attributes"] = [json.dumps(one) for one in facts]
    return EditPairs(images, edited, changed, difference, table, (labels, labels))


def perfect(images, difference):
    """The true edit, with its mask."""
    mask = torch.zeros_like(images[:, :1])
    mask[..., 8:24, 8:24] = 1
    image = blend(images + 0.6, images, mask)
    return Edit(image, mask, torch.zeros_like(mask), image)


def careless(images, difference):
    """All of the picture becomes brighter, by 0.6."""
    whole = torch.ones_like(images[:, :1])
    return Edit(images + 0.6, whole, torch.zeros_like(whole), images + 0.6)


def test_known_methods_get_known_numbers(pairs):
    methods = {"perfect": perfect, "careless": careless, "untouched": untouched, "true edit": true_edit(pairs)}
    measured = measure_edits(methods, pairs, Judge())
    assert len(measured) == 4 * COUNT
    found = measured.groupby("method")[list(COLUMNS)].mean()
    pd.testing.assert_series_equal(found.loc["true edit"], found.loc["perfect"], check_names=False, atol=1e-4)
    found = found.drop("true edit")
    assert found.loc["perfect", "hit"] == found.loc["careless", "hit"] == 1 and found.loc["untouched", "hit"] == 0
    step = 0.6 * 127.5
    assert found["error_changed"].to_dict() == pytest.approx({"perfect": 0, "careless": 0, "untouched": step}, abs=1e-3)
    assert found["error_rest"].to_dict() == pytest.approx({"perfect": 0, "careless": step, "untouched": 0}, abs=1e-3)
    assert found["iou"].to_dict() == pytest.approx({"perfect": 1, "careless": 0.25, "untouched": 0})
    assert found.loc["careless", "background_psnr"] == pytest.approx(10 * np.log10(4 / 0.36), abs=0.01)
    assert found.loc["untouched", "background_psnr"] > 60 > found.loc["careless", "background_psnr"]
    assert found.loc["untouched", "background_ssim"] == pytest.approx(1, abs=1e-3)
    assert found.loc["careless", "background_ssim"] < 0.9
    assert found.loc["perfect", "skin"] == pytest.approx(0, abs=1e-6) and found.loc["untouched", "skin"] < -15


def test_summaries_have_intervals_over_people(pairs):
    rows = summarise_edits(measure_edits({"careless": careless}, pairs, Judge())).set_index("name")
    assert rows.loc["hit", "mean"] == rows.loc["accuracy", "mean"] == 1
    assert rows.loc["error_rest", "low"] <= rows.loc["error_rest", "mean"] <= rows.loc["error_rest", "high"]
    assert rows.loc["hit", "pairs"] == COUNT


def test_the_judge_looks_at_the_changed_attribute_and_its_sign():
    bright, dark = torch.full((1, 3, SIDE, SIDE), 0.5), torch.full((1, 3, SIDE, SIDE), -0.5)
    both = torch.cat([bright, dark])
    assert judged(Judge(), both, ["Pale_Skin"] * 2, [1, 1]).tolist() == [1, 0]
    assert judged(Judge(), both, ["Pale_Skin"] * 2, [-1, -1]).tolist() == [0, 1]


def test_skin_is_compared_within_its_mask_and_in_lightness():
    before = torch.full((2, 3, 8, 8), -0.2)
    after, mask = before.clone(), torch.zeros(2, 8, 8, dtype=torch.bool)
    mask[0, :4] = True
    after[:, :, :4] = 0.2
    found = skin_change(before, after, mask)
    # Grey of 102 and of 153 levels: CIELAB lightness 43.2 and 63.2.
    assert found[0] == pytest.approx(63.2 - 43.2, abs=0.2) and np.isnan(found[1])
    assert skin_change(after, before, mask)[0] == pytest.approx(-found[0])


def test_a_method_that_treats_groups_differently_is_found_out(pairs):
    """It brightens the skin of the darker half, and of women and men alike."""
    first = torch.tensor([number % 2 == 0 for number in range(COUNT)])
    pairs.images[6:] += 0.05  # by which the method tells the darker half

    def unfair(images, difference):
        assert len(images) == int(first.sum()) and (difference[:, YOUNG] == 1).all()
        step = torch.where(images.mean(dim=(1, 2, 3), keepdim=True) > images.mean(), 0.3, 0.0)
        return untouched(images + step, difference)

    groups = skin_by_group(unfair, pairs, "Young")
    assert groups["all"]["all"]["people"] == 6
    skins = groups["skin"]
    assert skins["darkest third of skins"]["mean"] > 5 > 1 > abs(skins["lightest third of skins"]["mean"])


def test_an_untrained_clothing_mask_can_be_left_out_and_large_pictures_are_edited_at_their_size():
    torch.manual_seed(0)
    net = Generator(13, 2).eval().requires_grad_(False)
    images, change = torch.rand(2, 3, 64, 64) * 2 - 1, torch.ones(2, 13)
    plain = net(images, change)
    bare = without_clothing(net)(images, change)
    assert torch.equal(bare.image, blend(plain.edited, images, plain.attention))
    large = at_own_size(net)(torch.rand(2, 3, 96, 96), change)
    assert large.image.shape == (2, 3, 96, 96) and large.attention.shape == (2, 1, 96, 96)


class Codes(nn.Module):
    """An encoder whose code is the mean colour in every number, and a generator that gives it back."""

    def forward(self, images):
        return images.mean(dim=(1, 2, 3))[:, None, None].expand(-1, 2, 512).clone()

    def synthesis(self, codes, batch_size):
        return codes.mean(dim=(1, 2))[:, None, None, None].expand(-1, 3, 16, 16)


def test_directions_move_codes_to_the_wanted_side_of_their_planes():
    rng = np.random.default_rng(0)
    light = rng.normal(size=120)
    codes = torch.from_numpy(light).float()[:, None, None].expand(-1, 2, 512) + 0.1 * torch.randn(120, 2, 512)
    attributes = pd.DataFrame({name: light > 0 for name in ATTRIBUTES})
    boundaries = fit_boundaries(codes, attributes, np.arange(120))
    method = DirectionMethod(Codes(), Codes(), boundaries)
    dark = torch.full((1, 3, SIDE, SIDE), -1.0)
    change = torch.zeros(1, len(ATTRIBUTES))
    assert method(dark, change).image.mean() == pytest.approx(-1, abs=0.01)
    change[0, PALE] = 1
    assert method(dark, change).image.mean() > 0.3
    assert method.reconstruct(dark, change).image.mean() == pytest.approx(-1, abs=0.01)
    assert method(dark, change).attention.isnan().all()


def test_pairs_without_classes_are_refused(pairs):
    pairs.labels = None
    with pytest.raises(KinlibError, match="classes of these pictures are unknown"):
        measure_edits({"untouched": untouched}, pairs, Judge())
