"""What blending does to a face, measured: detail, proportions, variety."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from kinlib.evaluation.blends import (
    detail_strength,
    face_proportions,
    mixing_curve,
    strongest_dimensions,
    summarise,
    variety,
)
from kinlib.faces.parsing import load_parser
from kinlib.gan.generator import Generator, load_generator
from kinlib.io.images import to_tensor
from kinlib.io.photos import read_photo
from kinlib.runtime.config import data_dir


@pytest.fixture(scope="module")
def portraits() -> torch.Tensor:
    """Two bundled portraits, aligned, [2, 3, 128, 128]."""
    from kinlib.faces.align import find_and_align
    from kinlib.studio.datasets import sample_parents

    aligned = [find_and_align(read_photo(path), 128).aligned for path in sample_parents.couple(1)]
    return to_tensor(aligned)


def test_blur_takes_detail(portraits):
    sharp = detail_strength(portraits)
    soft = detail_strength(F.avg_pool2d(portraits, 5, 1, 2, count_include_pad=False))
    assert (soft < 0.7 * sharp).all()
    assert torch.allclose(detail_strength(portraits * 0.5), 0.5 * sharp, rtol=1e-4)


def test_detail_is_weighed(portraits):
    """Detail where the weight is 0 does not count."""
    flat = portraits.clone()
    flat[..., 64:] = 0
    weight = torch.zeros(2, 1, 128, 128)
    weight[..., 70:] = 1
    assert detail_strength(flat, weight).max() < 1e-6


def test_smaller_faces_are_seen(portraits):
    """The features shrunk inside the same head: the ratio falls by about as much."""
    parser = load_parser()
    whole = face_proportions(portraits, parser)
    shrunk = portraits.clone()
    shrunk[..., 40:112, 28:100] = F.interpolate(
        portraits[..., 34:118, 22:106], (72, 72), mode="bilinear", antialias=True
    )
    small = face_proportions(shrunk, parser)
    assert (small["face_to_head"] < 0.97 * whole["face_to_head"]).all()
    assert ((whole["face_to_head"] > 0.15) & (whole["face_to_head"] < 0.8)).all()


def test_curve_is_one_at_its_ends():
    generator = load_generator(data_dir() / "weights" / "studio" / "generator.safetensors")
    z = torch.randn(2, 3, 512, generator=torch.Generator().manual_seed(2))
    fathers, mothers = (generator.broadcast(generator.mapping(part)) for part in z)
    table = mixing_curve(generator, fathers, mothers, (0.0, 0.5, 1.0), load_parser())
    assert len(table) == 9
    ends = table[table.share.isin([0.0, 1.0])]
    assert ends["detail"].to_numpy() == pytest.approx(1, abs=1e-3)
    # A blend that gives the father whatever is asked for: against the mother's values the ratio is his to hers.
    swapped = mixing_curve(generator, fathers, mothers, (0.0,), load_parser(), lambda father, mother, share: father)
    back = mixing_curve(generator, mothers, fathers, (0.0,), load_parser(), lambda father, mother, share: father)
    assert (swapped["detail"] * back["detail"]).to_numpy() == pytest.approx(1, abs=1e-3)
    assert (swapped["detail"] - 1).abs().max() > 0.01


def test_summary_has_intervals_over_couples():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"share": np.repeat([0.0, 0.5], 40), "detail": np.r_[np.ones(40), rng.normal(0.8, 0.1, 40)]})
    table.loc[79, "detail"] = np.nan
    first, second = summarise(table, "share", ["detail"]).itertuples()
    assert first.mean == first.low == first.high == 1 and first.couples == 40
    assert second.low < second.mean < second.high < 0.9 and second.couples == 39


def test_variety():
    same = F.normalize(torch.ones(4, 8), dim=1)
    assert variety(same) == pytest.approx(0, abs=1e-6)
    assert variety(torch.eye(8)) == pytest.approx(1)


def test_strongest_dimension_is_found():
    """Parents that differ in two dimensions only: these come first, the one that differs more before the other."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = Generator(8, channels={4: 8, 8: 8}, n_mlp=2).eval().requires_grad_(False)
    father = torch.randn(1, generator.num_layers, 512, generator=torch.Generator().manual_seed(1))
    mother = father.clone()
    mother[..., 30] += 8
    mother[..., 200] += 0.5
    table = strongest_dimensions(generator, father, mother, count=3, batch=256)
    assert table.dimension.tolist()[:2] == [30, 200] and table.change.iloc[2] == 0
