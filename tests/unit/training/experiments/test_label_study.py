"""The study of labelled pictures: its measure, its draws, its record."""

import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.training.experiments import label_study
from kinlib.training.experiments.label_study import COUNTS, Pictures, StudySettings, mean_iou, recorded


def test_overlap_is_the_mean_over_labels_that_occur():
    truth = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 1]])
    found = torch.tensor([[0, 0, 1, 0], [0, 0, 0, 3]])
    assert mean_iou(found, truth, 5) == pytest.approx((5 / 6 + 1 / 3) / 2)
    assert mean_iou(truth, truth, 5) == 1


def test_more_labelled_pictures_are_better():
    """Each picture shows one of four labels only, so that one picture cannot teach them all."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat(6)[:, None, None].expand(-1, 2, 50).byte()
    features = torch.nn.functional.one_hot(labels[:, 0].long(), 4) + 0.1 * torch.randn(24, 50, 4, generator=rng)
    pictures = Pictures(features.half(), labels)
    settings = StudySettings(draws=2, steps=60, members=2, hidden=(16, 8))
    few, many = (list(label_study._draws(pictures, pictures, count, 1, 4, settings)) for count in (1, 20))
    assert len(many) == 2 and min(many) > 0.9 and max(few) < 0.5
    assert few == list(label_study._draws(pictures, pictures, 1, 1, 4, settings))


def test_the_grid_is_inside_and_even():
    grid = label_study._grid(128)[0]
    assert (
        len(grid) == 43 * 43
        and grid[0] == 128 + 1
        and grid[-1] == 127 * 128 + 127
        and len(set(grid.tolist())) == len(grid)
    )


def test_the_record_is_bundled_and_complete():
    found = recorded()
    for kind in ("classes", "regions"):
        curve = found[kind]["curve"]
        assert curve["pictures"] == list(COUNTS)
        assert all(
            low <= mean <= high for low, mean, high in zip(*(curve[n] for n in ("low", "mean", "high")), strict=True)
        )
        assert curve["mean"][0] < curve["mean"][-1] and 0 < found[kind]["parser"] < found[kind]["parser_on_renders"] < 1


def test_a_damaged_record_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    with pytest.raises(KinlibError, match=r"label_study\.json' is missing or damaged"):
        recorded()
