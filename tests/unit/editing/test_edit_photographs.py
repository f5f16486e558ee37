"""Edits at a photograph's own size: detail stays, masks follow outlines, nothing outside of the crop changes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kinlib.editing import photographs
from kinlib.editing.networks import Edit, Generator, blend
from kinlib.editing.photographs import edit_photo, guided_slope, luminance
from kinlib.io.crop import cut_quad, map_from_crop
from kinlib.io.images import resize, to_pil, to_tensor
from kinlib.runtime.errors import KinlibError

NO_CHANGE = torch.zeros(1, 13)


class Brightens(nn.Module):
    """Makes everything darker than grey brighter by 0.4: dark hair, for instance."""

    def __init__(self):
        super().__init__()
        self.step = nn.Parameter(torch.tensor(0.4))

    def forward(self, images, difference):
        mask = (luminance(images) < 0.4).float()
        edited = images + self.step.detach()
        return Edit(edited, mask, torch.zeros_like(mask), blend(edited, images, mask))


def photo(height: int = 300, width: int = 300) -> torch.Tensor:
    """A dark disc with fine grain on a bright ground."""
    rng = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disc = ((x**2 + y**2).sqrt() < 0.6).float()
    grain = 0.1 * (2 * torch.rand(3, height, width, generator=rng) - 1)
    return (0.5 - disc + grain).clamp(-1, 1)[None]


def sharpness(images: torch.Tensor) -> float:
    """Energy of what a blur removes, within the disc: its outline has less contrast after the edit."""
    return float((images - F.avg_pool2d(images, 3, 1, 1)).square()[..., 100:200, 100:200].mean())


def test_a_small_picture_is_edited_as_the_network_does():
    torch.manual_seed(0)
    net = Generator(13, 2).eval().requires_grad_(False)
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    change = torch.randn(3, 13).clamp(-1, 1)
    found = edit_photo(net, images, change)
    assert torch.equal(found.image, net(images, change).image)
    alone = edit_photo(net, images[1:2], change[1:2])
    torch.testing.assert_close(alone.image, found.image[1:2])


def test_a_large_picture_keeps_its_detail_and_changes_where_it_should():
    large = photo()
    found = edit_photo(Brightens(), large, NO_CHANGE)
    disc = large.mean(dim=1, keepdim=True) < 0
    inside = (found.image - large)[disc.expand_as(large)]
    assert inside.mean() == pytest.approx(0.4, abs=0.03)
    outside = (found.image - large)[~disc.expand_as(large)]
    assert outside.abs().mean() < 0.02
    enlarged = F.interpolate(Brightens()(resize(large, 64), NO_CHANGE).image, 300, mode="bicubic")
    assert sharpness(found.image) > 0.9 * sharpness(large) > 3 * sharpness(enlarged)


def test_bands_of_rows_leave_no_seam(monkeypatch):
    large = photo()
    whole = edit_photo(Brightens(), large, NO_CHANGE)
    monkeypatch.setattr(photographs, "BAND", 37)
    torch.testing.assert_close(edit_photo(Brightens(), large, NO_CHANGE).image, whole.image)


def test_a_guided_mask_follows_the_outline_more_closely_than_an_enlarged_one():
    large = photo(512, 512)
    wanted = (large.mean(dim=1, keepdim=True) < 0).float()
    guided = edit_photo(Brightens(), large, NO_CHANGE).mask
    plain = F.interpolate((luminance(resize(large, 64)) < 0.4).float(), 512, mode="bilinear")
    assert (guided - wanted).abs().mean() < 0.6 * (plain - wanted).abs().mean()


def test_the_slope_is_that_of_the_mask_over_the_guide():
    guide = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        guided_slope(guide, 0.5 * guide + 0.2, epsilon=1e-6), torch.full_like(guide, 0.5), atol=1e-3, rtol=0
    )
    assert guided_slope(guide, torch.full_like(guide, 0.7)).abs().max() < 1e-3


def test_thin_parts_of_a_mask_stay():
    """Rims of new glasses, which no outline in the photograph explains."""

    class Rims(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = nn.Parameter(torch.tensor(0.4))

        def forward(self, images, difference):
            mask = torch.zeros_like(images[:, :1])
            mask[..., 30, 10:54] = 1.0
            return Edit(images - 0.4, mask, torch.zeros_like(mask), blend(images - 0.4, images, mask))

    large = photo(256, 256)
    found = edit_photo(Rims(), large, NO_CHANGE)
    assert found.mask[..., 122, 60:200].mean() > 0.85  # half a small pixel beside the middle of the line


def test_a_face_in_a_photograph_is_edited_in_its_place_and_nothing_else():
    """The disc in a turned crop of a larger photograph; what lies outside of the crop stays to the bit."""
    whole = torch.full((1, 3, 400, 500), 0.5)
    whole[..., 140:300, 220:400] = -0.5
    angle, centre, half = np.deg2rad(20), np.array([310.0, 220.0]), 140.0
    right = half * np.array([np.cos(angle), np.sin(angle)])
    down = np.array([-right[1], right[0]])
    quad = np.stack([centre - right - down, centre - right + down, centre + right + down, centre + right - down])
    aligned = to_tensor(cut_quad(to_pil(whole)[0], quad, 256))
    found = edit_photo(Brightens(), whole, NO_CHANGE, aligned, quad)
    box = (found.image - whole).abs().amax(dim=1)[0] > 0.2
    assert box[150:290, 230:390].float().mean() > 0.97 and box.sum() < 1.06 * 160 * 180
    beyond = map_from_crop(np.array([[-4.0, 128.0], [128.0, 260.0], [300.0, 300.0]]), quad, 256).round().astype(int)
    for x, y in beyond:
        if 0 <= x < 500 and 0 <= y < 400:
            assert torch.equal(found.image[..., y, x], whole[..., y, x]) and found.mask[0, 0, y, x] == 0


def test_a_crop_that_reaches_beyond_the_photograph_is_edited_as_far_as_it_goes():
    whole = torch.full((1, 3, 100, 100), -0.5)
    quad = np.array([[-40.0, -40.0], [-40.0, 80.0], [80.0, 80.0], [80.0, -40.0]])
    aligned = to_tensor(cut_quad(to_pil(whole)[0], quad, 256))
    found = edit_photo(Brightens(), whole, NO_CHANGE, aligned, quad)
    assert (found.image - whole)[..., :70, :70].mean() == pytest.approx(0.4, abs=0.02)
    assert torch.equal(found.image[..., 82:, 82:], whole[..., 82:, 82:])


CROP = torch.zeros(1, 3, 256, 256)
BESIDE = np.array([[900, 900], [900, 990], [990, 990], [990, 900]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"photo": torch.zeros(3, 64, 64)}, "photographs must be"),
        ({"aligned": CROP}, "given together"),
        ({"photo": torch.zeros(2, 3, 64, 64), "aligned": CROP, "quad": BESIDE}, "one photograph"),
        ({"aligned": CROP, "quad": BESIDE}, "outside"),
    ],
)
def test_what_does_not_fit_is_refused(changes, words):
    given = {"photo": torch.zeros(1, 3, 64, 64), "difference": NO_CHANGE} | changes
    with pytest.raises(KinlibError, match=words):
        edit_photo(Brightens(), **given)
