"""The study of encoder heads: where its trainings begin, and its record."""

import torch

from kinlib.checkpoints import weights
from kinlib.gan.encoder import load_encoder
from kinlib.training.experiments.encoder_study import GRIDS, MEASURES, _start, recorded


def test_both_trainings_begin_with_the_bundled_codes(tmp_path):
    bundled = load_encoder(weights.path("studio_encoder"), corrections=False)
    pictures = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sizes = []
    for grid in GRIDS:
        begun = load_encoder(_start(bundled, grid, tmp_path / str(grid)))
        torch.testing.assert_close(begun(pictures), bundled(pictures), atol=5e-3, rtol=0)  # stored in half precision
        sizes.append(sum(one.numel() for one in begun.parameters()))
    assert sizes[1] > 1.5 * sizes[0]


def test_the_record_has_both_and_the_bundled_one():
    found = recorded()
    assert list(found["lines"]) == ["bundled", *(f"grid of {grid}" for grid in GRIDS)] and found["people"] == 100
    for line in found["lines"].values():
        assert all(set(one) == set(MEASURES) for one in line.values())
        assert line["corrected"]["psnr_db"] > line["alone"]["psnr_db"]
