"""Rendering pictures of further siblings: children of the same parents, but no child of the reference."""

import numpy as np
import pytest
from test_render_reference import SMALL

from kinlib.evaluation.heredity.siblings import load_siblings
from kinlib.studio.render import Picture
from kinlib.training.data import render_siblings
from kinlib.training.data.render_reference import siblings
from kinlib.training.data.render_siblings import NUM_PICTURED, write_siblings


@pytest.fixture
def people(monkeypatch) -> list:
    """A renderer of grey squares; the people that it was given."""
    shown = []

    def plain_portrait(person, age, size) -> Picture:
        shown.append(person)
        image = np.full((size, size, 3), len(shown), np.uint8)
        return Picture(image, np.zeros((68, 2)), 0.0, 0.0, 0.0, image[..., 0], image[..., 0], {})

    monkeypatch.setattr(render_siblings, "plain_portrait", plain_portrait)
    monkeypatch.setattr(render_siblings, "load_head", lambda: None)
    monkeypatch.setattr(render_siblings, "warm_up", lambda: None)
    return shown


def test_further_siblings_are_written_in_order(people, tmp_path):
    assert list(write_siblings(SMALL, tmp_path, workers=1)) == list(range(1, 2 * NUM_PICTURED + 1))
    found = load_siblings(folder=tmp_path)
    assert list(found) == ["couple_01", "couple_02"]
    shades = [round(np.asarray(picture).mean()) for some in found.values() for picture in some]
    assert shades == list(range(1, 2 * NUM_PICTURED + 1))


def test_further_siblings_are_other_children_of_the_couple(people, tmp_path):
    list(write_siblings(SMALL, tmp_path, workers=1))
    seeds = {person.seed for person in people}
    assert len(seeds) == 2 * NUM_PICTURED
    assert not seeds & {int(seed) for couple in (0, 1) for seed in siblings(SMALL, couple)[2].seeds}
