"""A search in a folder: it goes on where it stopped, and refuses what is not its own."""

import dataclasses
import json

import pytest
import torch
from PIL import Image

from kinlib.runtime.errors import KinlibError
from kinlib.search.by_picture import PictureSearch, SearchSettings

SETTINGS = SearchSettings(population=8, parents=3)


@pytest.fixture
def target(toy_space):
    return toy_space.decode(torch.linspace(-1, 1, 6)[None])[0].clamp(-1, 1)


def finish(search: PictureSearch, generations: int) -> PictureSearch:
    assert list(search.run(generations))[-1:] in ([generations], [])
    return search


def test_a_search_writes_what_it_found(toy_space, target, tmp_path):
    search = finish(PictureSearch(toy_space, target, SETTINGS, tmp_path / "out"), 5)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("settings.json", "state.safetensors", "best.png", "target.png", "top.png", "search.json")
    }
    log = json.loads((tmp_path / "out" / "search.json").read_text())
    assert log["generations"] == 5 and log["history"] == search.history == sorted(search.history)
    assert Image.open(tmp_path / "out" / "best.png").size == (16, 16)
    assert Image.open(tmp_path / "out" / "top.png").size == (128, 32)  # generations 0 and 5, eight individuals each


def test_a_stopped_search_goes_on_as_if_it_had_not_stopped(toy_space, target, tmp_path):
    whole = finish(PictureSearch(toy_space, target, SETTINGS, tmp_path / "whole"), 9)
    stopped = PictureSearch(toy_space, target, SETTINGS, tmp_path / "parts")
    numbers = stopped.run(9)
    assert [next(numbers) for _ in range(4)] == [0, 1, 2, 3]
    numbers.close()  # as Ctrl-C does: the best so far is written
    assert (tmp_path / "parts" / "best.png").exists()
    resumed = PictureSearch(toy_space, target, SETTINGS, tmp_path / "parts")
    assert resumed.generation.number == 3
    finish(resumed, 9)
    assert resumed.history == whole.history and torch.equal(resumed.generation.population, whole.generation.population)


def test_other_searches_and_damaged_ones_are_refused(toy_space, other_space, target, tmp_path):
    finish(PictureSearch(toy_space, target, SETTINGS, tmp_path), 1)
    for other in (dataclasses.replace(SETTINGS, seed=1), dataclasses.replace(SETTINGS, parents=2)):
        with pytest.raises(KinlibError, match=r"another (seed|parents)"):
            PictureSearch(toy_space, target, other, tmp_path)
    with pytest.raises(KinlibError, match="another target"):
        PictureSearch(toy_space, -target, SETTINGS, tmp_path)
    with pytest.raises(KinlibError, match="another network"):
        PictureSearch(other_space, target, SETTINGS, tmp_path)
    state = tmp_path / "state.safetensors"
    for damage in (state.read_bytes()[:40], b"", b"\0" * 100):
        state.write_bytes(damage)
        with pytest.raises(KinlibError, match="damaged"):
            PictureSearch(toy_space, target, SETTINGS, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(KinlibError, match="is a file"):
        PictureSearch(toy_space, target, SETTINGS, tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"parents": 9}, r"more parents \(9\) than individuals \(8\)"),
        ({"population": 0}, "1 or more"),
        ({"crossover": "both"}, "no crossover 'both'"),
        ({"space": "z"}, "no space 'z'"),
        ({"fitness": "beauty"}, "no fitness 'beauty'"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, sentence):
    with pytest.raises(KinlibError, match=sentence):
        dataclasses.replace(SETTINGS, **change).check()
