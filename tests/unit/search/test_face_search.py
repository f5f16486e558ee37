"""A session of picking faces: every action, its undoing, and files."""

import json

import pytest
import torch

from kinlib.runtime.errors import KinlibError
from kinlib.search.attributes import strength_of
from kinlib.search.regions import REGIONS, blur_outside, carry_over, region_mask
from kinlib.search.session import FaceSearch, morph


@pytest.fixture
def search(toy_space) -> FaceSearch:
    return FaceSearch(toy_space, count=12, seed=3)


def faces(search: FaceSearch) -> torch.Tensor:
    return search._state.faces


def test_a_session_goes_from_picks_to_the_next_screen(search):
    assert search.screen().shape == (12, 3, 16, 16) and search.generation == 0 and search.viewed == 12
    liked = faces(search)[4].clone()
    search.pick([4, 7])
    search.next_screen()
    assert search.generation == 1 and search.viewed == 24 and search.picks == ()
    assert torch.equal(faces(search)[0], liked)  # the best is never lost


def test_a_screen_is_decided_by_the_seed(toy_space):
    one, same, other = (FaceSearch(toy_space, 12, seed) for seed in (1, 1, 2))
    assert torch.equal(one.screen(), same.screen()) and not torch.equal(one.screen(), other.screen())


@pytest.mark.parametrize("count", [1, 19])
def test_screens_of_other_sizes_are_refused(toy_space, count):
    with pytest.raises(KinlibError, match="2 to 18 faces"):
        FaceSearch(toy_space, count)


def test_the_composite_is_the_weighted_mean_of_picks(search):
    search.pick([2, 5])
    expected = (faces(search)[2] + faces(search)[5] / 2) / 1.5
    assert torch.allclose(search.coordinates(), expected)
    assert torch.allclose(search.picture(), search.space.decode(expected[None])[0])


def test_ratings_are_picks_in_order(search):
    search.rate({3: 1.0, 9: 5.0, 1: 0.0, 2: 2.5})
    assert search.picks == (9, 2, 3)
    with pytest.raises(KinlibError, match="must be a number"):
        search.rate({3: float("nan")})


@pytest.mark.parametrize("numbers", [[12], [-1], [0, 0], ["0"], [True]])
def test_picks_that_cannot_be_are_refused_and_change_nothing(search, numbers):
    search.pick([1])
    with pytest.raises(KinlibError):
        search.pick(numbers)
    assert search.picks == (1,)


def test_nothing_picked_is_said(search):
    with pytest.raises(KinlibError, match="nothing is picked"):
        search.next_screen()
    assert search.generation == 0


def test_another_screen_adds_faces_to_the_generation(search):
    search.pick([1])
    search.another_screen()
    assert search.numbers == range(12, 24) and len(search.screen()) == 12 and search.picks == (1,)
    search.pick([1, 20])
    search.next_screen()
    assert search.numbers == range(12)


def test_a_description_sets_attributes_of_all_faces(search):
    search.describe({"Old": 1, "Smiling": 0})
    along = strength_of(faces(search), search.space.attributes["Old"])
    assert along == pytest.approx([0.5] * 12, abs=1e-3)
    assert search.sliders == {"Old": 1.0}


def test_a_slider_moves_along_the_vector_and_stays(search):
    before = faces(search).clone()
    search.set_attribute("Smiling", 2)
    assert torch.allclose(faces(search) - before, 2 * search.space.attributes["Smiling"].expand_as(before), atol=1e-3)
    search.set_attribute("Smiling", 0.5)
    assert torch.allclose(faces(search) - before, 0.5 * search.space.attributes["Smiling"].expand_as(before), atol=1e-3)
    for name, value in (("Hat", 1), ("Old", 4), ("Old", float("nan")), ("Old", "1")):
        with pytest.raises(KinlibError):
            search.set_attribute(name, value)


def test_an_independent_slider_leaves_other_attributes(toy_space):
    search = FaceSearch(toy_space, 12, independent=True)
    before = faces(search).clone()
    search.set_attribute("Smiling", 1)
    assert ((faces(search) - before) @ toy_space.attributes["Old"]).abs().max() < 1e-3


def test_back_and_undo(search):
    first = faces(search).clone()
    search.pick([4])
    search.next_screen()
    search.set_attribute("Old", 1)
    search.back()
    assert search.generation == 0 and search.picks == (4,) and torch.equal(faces(search), first)
    search.undo()
    assert search.generation == 1 and search.sliders == {"Old": 1.0}
    for _ in range(3):
        search.undo()
    assert search.picks == () and torch.equal(faces(search), first)
    with pytest.raises(KinlibError, match="nothing to undo"):
        search.undo()
    with pytest.raises(KinlibError, match="first generation"):
        search.back()


def test_a_locked_region_is_carried_over(search):
    owner = search.space.decode(faces(search)[2][None])[0]
    before = (search.screen() - owner)[[0, 5]].square().mean()
    search.lock("face", 2)
    assert (search.screen() - owner)[[0, 5]].square().mean() < before
    assert torch.equal(faces(search)[2], search._past[0].faces[2])
    assert search.locked == ("face",)
    search.unlock("face")
    with pytest.raises(KinlibError, match="not locked"):
        search.unlock("face")
    with pytest.raises(KinlibError, match="no region 'ear'"):
        search.lock("ear", 0)


def test_a_saved_session_goes_on_as_it_would_have(search, toy_space, tmp_path):
    search.describe({"Old": -1})
    search.pick([3, 1])
    search.lock("hair", 3)
    search.next_screen()
    search.save(tmp_path / "session.json")
    again = FaceSearch.load(tmp_path / "session.json", toy_space)
    assert (again.generation, again.sliders, again.locked) == (1, {"Old": -1.0}, ("hair",))
    for one in (search, again):
        one.pick([0, 2])
        one.next_screen()
    assert torch.equal(faces(search), faces(again))


def test_sessions_of_another_network_and_damaged_ones_are_refused(search, toy_space, other_space, tmp_path):
    path = tmp_path / "session.json"
    search.pick([0])
    search.save(path)
    with pytest.raises(KinlibError, match="another network"):
        FaceSearch.load(path, other_space)
    good = json.loads(path.read_text())
    for damage in (
        {"faces": [[1.0]]},
        {"faces": [[float("nan")] * 6] * 12},
        {"picks": [99]},
        {"count": 90},
        {"sliders": {"Hat": 1}},
        {"rounds": [{"faces": good["faces"]}]},
        {"locks": {"ear": good["faces"][0]}},
    ):
        path.write_text(json.dumps(good | damage))
        with pytest.raises(KinlibError, match="damaged session"):
            FaceSearch.load(path, toy_space)
    for text in ("", "[]", '{"format": "other"}', "{"):
        path.write_text(text)
        with pytest.raises(KinlibError, match="holds no session"):
            FaceSearch.load(path, toy_space)
    with pytest.raises(KinlibError, match="cannot be read"):
        FaceSearch.load(tmp_path / "none.json", toy_space)


def test_a_morph_is_the_mean():
    assert torch.equal(morph(torch.tensor([[1.0, 2], [3, 6]])), torch.tensor([2.0, 4]))
    with pytest.raises(KinlibError, match="N of 1 or more"):
        morph(torch.empty(0, 4))


@pytest.mark.parametrize("region", REGIONS)
def test_region_masks_are_soft_and_in_place(region):
    mask = region_mask(region, 64)
    assert mask.shape == (64, 64) and mask.min() >= 0 and mask.max() <= 1
    assert mask.max() > 0.9 and mask.min() < 0.1
    if region not in ("hair",):  # symmetric about the middle of the face
        assert torch.allclose(mask, mask.flip(1), atol=1e-5)


def test_carrying_over_changes_the_region_alone():
    pictures, owner = torch.zeros(2, 3, 64, 64), torch.ones(3, 64, 64)
    found = carry_over(pictures, owner, "mouth")
    assert found[0, 0, 46, 32] > 0.9 and found[0, 0, 5, 5] < 0.01
    assert torch.allclose(found[0, 0], region_mask("mouth", 64))


def test_blurring_keeps_the_face():
    pictures = torch.rand(1, 3, 64, 64)
    found = blur_outside(pictures)
    assert (found - pictures)[..., 30:44, 26:38].abs().max() < 0.05
    assert (found - pictures)[..., :6, :6].abs().max() > 0.2
