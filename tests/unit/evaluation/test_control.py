"""Whether a command about a region is followed, and what else it moves."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from kinlib.evaluation.control import measure_control, region_features, summarise_control
from kinlib.faces.parsing import load_parser
from kinlib.inheritance.genes.regions import GROUPS
from kinlib.io.images import to_tensor
from kinlib.io.photos import read_photo
from kinlib.studio.datasets import sample_parents

WHOLE = ("right", "whole_right", "inside", "elsewhere", "pixels_elsewhere")


@pytest.fixture(scope="module")
def parents() -> tuple[Tensor, Tensor]:
    """Pictures of fathers and of mothers, [2, 3, 128, 128] each."""
    from kinlib.faces.align import find_and_align

    pictures = [find_and_align(read_photo(path), 128).aligned for i in (1, 2) for path in sample_parents.couple(i)]
    faces = to_tensor(pictures)
    return faces[::2], faces[1::2]


def measured(parents: tuple[Tensor, Tensor], command) -> dict[str, dict[str, float]]:
    """The summary by group, of codes that are pictures."""
    table = measure_control(command, parents, parents, load_parser(), seeds=(0,))
    return summarise_control(table).set_index("group")[list(WHOLE)].T.to_dict()


def everything(fathers: Tensor, mothers: Tensor, shares: Mapping[str, float], seed: int) -> Tensor:
    """Obeys, with the whole face."""
    return fathers if next(iter(shares.values())) > 0.5 else mothers


def hair_only(fathers: Tensor, mothers: Tensor, shares: Mapping[str, float], seed: int) -> Tensor:
    """The mother, whose upper half is the father's if his hair is asked for."""
    if len(shares) == len(GROUPS):
        return everything(fathers, mothers, shares, seed)
    child = mothers.clone()
    if shares.get("hair") == 1:
        child[..., :40, :] = fathers[..., :40, :]
    return child


def test_a_whole_swap_is_right_and_moves_everything(parents):
    found = measured(parents, everything)
    assert set(found) == {*GROUPS, "all"}
    assert all(group == pytest.approx(dict.fromkeys(WHOLE, 1.0)) for group in found.values())


def test_a_command_that_is_ignored_is_right_half_of_the_time(parents):
    found = measured(parents, lambda f, m, shares, seed: everything(f, m, shares, seed) if len(shares) > 1 else m)
    expected = {"right": 0.5, "whole_right": 1.0, "inside": 0.0, "elsewhere": 0.0, "pixels_elsewhere": 0.0}
    assert all(group == pytest.approx(expected) for group in found.values())


def test_where_pictures_change_is_where_groups_move(parents):
    found = measured(parents, hair_only)
    assert found["hair"]["inside"] > 0.3 > found["hair"]["elsewhere"]
    assert found["mouth"]["inside"] == found["mouth"]["elsewhere"] == 0


def test_features_of_a_group_see_its_own_region(parents):
    """A mouth of another colour is another mouth, and no other nose."""
    parser, faces = load_parser(), parents[0]
    painted = faces.clone()
    mouth = torch.zeros(1, 1, 128, 128)
    mouth[..., 84:104, 44:84] = 1  # px of the FFHQ crop
    painted = painted * (1 - mouth) + (painted + 0.3).clamp(-1, 1) * mouth
    before, after = region_features(faces, parser), region_features(painted, parser)
    assert before["mouth"].distance(after["mouth"])["colour"].min() > 0.1
    assert before["eyes"].distance(after["eyes"])["colour"].max() < 0.02
    assert set(before["nose"].parts) == {"landmarks", "mask"} and set(before["skin"].parts) == {"colour"}
