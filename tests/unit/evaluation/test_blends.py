"""What blending does to a face, measured: detail, proportions, variety."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from kinlib.evaluation.blends import (
    MEASURES,
    child_codes,
    detail_strength,
    face_proportions,
    measure_faces,
    mixing_curves,
    single_dimension,
    strongest_dimensions,
    summarise,
)
from kinlib.faces.parsing import load_parser
from kinlib.gan.generator import Generator, load_generator
from kinlib.inheritance import registry
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


def test_measures_do_not_depend_on_the_batch(portraits):
    parser = load_parser()
    several = measure_faces(portraits, parser)
    for i in range(len(portraits)):
        alone = measure_faces(portraits[i : i + 1], parser)
        assert {name: alone[name][0] for name in MEASURES} == pytest.approx(
            {n: several[n][i] for n in MEASURES}, rel=1e-3
        )


def test_curve_is_one_at_its_ends():
    generator = load_generator(data_dir() / "weights" / "studio" / "generator.safetensors")
    z = torch.randn(2, 3, 512, generator=torch.Generator().manual_seed(2))
    fathers, mothers = (generator.broadcast(generator.mapping(part)) for part in z)
    blends = {
        "line": lambda father, mother, share: torch.lerp(mother, father, share),
        "father": lambda father, mother, share: father,  # whatever share is asked for
    }
    table = mixing_curves(generator, fathers, mothers, (0.0, 0.5, 1.0), load_parser(), blends)
    assert len(table) == 18 and table.couple.tolist() == [0, 1, 2] * 6
    line, wrong = (table[table.method == name] for name in blends)
    assert line[line.share.isin([0.0, 1.0])]["detail"].to_numpy() == pytest.approx(1, abs=1e-3)
    assert wrong[wrong.share == 1.0]["detail"].to_numpy() == pytest.approx(1, abs=1e-3)
    assert (wrong[wrong.share == 0.0]["detail"] - 1).abs().max() > 0.01


def test_child_codes_are_those_of_a_single_child():
    inherit = registry.create("mask")
    fathers, mothers = torch.randn(2, 3, 10, 512, generator=torch.Generator().manual_seed(3))
    codes = child_codes(inherit, fathers, mothers, 2, seed=5)
    assert codes.shape == (3, 2, 10, 512)
    for couple, first in ((0, 5), (1, 1005)):  # couples do not share their coins
        one = slice(couple, couple + 1)
        alone = inherit(fathers[one], mothers[one], torch.Generator().manual_seed(first + 1))
        assert torch.equal(codes[couple, 1], alone[0])


def test_single_dimension_is_a_parents():
    father, mother = torch.ones(10, 512), torch.zeros(10, 512)
    codes = single_dimension(father, mother, torch.tensor([3, 500]))
    assert codes.shape == (2, 2, 10, 512)
    assert (codes[0, 1, :, 500] == 1).all() and (codes[1, 1, :, 500] == 0).all()
    assert (codes[0, 1, :, 3] == 0.5).all() and codes[0, 0].sum() == 10 * (511 / 2 + 1)


def test_summary_has_intervals_over_couples():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"share": np.repeat([0.0, 0.5], 40), "detail": np.r_[np.ones(40), rng.normal(0.8, 0.1, 40)]})
    table.loc[79, "detail"] = np.nan
    first, second = summarise(table, "share", ["detail"]).itertuples()
    assert first.mean == first.low == first.high == 1 and first.couples == 40
    assert second.low < second.mean < second.high < 0.9 and second.couples == 39
    both = summarise(table.assign(method="mask"), ["method", "share"], ["detail"])
    assert both.method.tolist() == ["mask", "mask"] and both["mean"].tolist() == [first.mean, second.mean]


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
