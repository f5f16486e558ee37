"""Landmarks by groups, the square in its photograph, close-ups."""

import io

import numpy as np
import pytest
from PIL import Image

from kinlib import figures
from kinlib.figures.points import GROUPS
from kinlib.figures.style import pixels
from kinlib.runtime.errors import KinlibError


def points(side=100):
    return np.random.default_rng(0).uniform(0.3, 0.7, (68, 2)) * side


def test_every_landmark_belongs_to_one_group():
    numbers = [number for parts, _, _ in GROUPS.values() for first, end in parts for number in range(first, end)]
    assert sorted(numbers) == list(range(68))


def test_landmark_picture():
    grey = Image.new("RGB", (100, 120), (120, 120, 120))
    drawn = figures.landmark_picture(grey, points())
    assert len(drawn.axes[0].lines) == sum(len(parts) for parts, _, _ in GROUPS.values())
    assert {text.get_text().split("  ")[1] for text in drawn.texts} == set(GROUPS)
    assert Image.open(io.BytesIO(drawn._repr_png_())).width > 500
    with pytest.raises(KinlibError, match=r"\[68, 2\], not \[5, 2\]"):
        figures.landmark_picture(grey, np.zeros((5, 2)))


def test_the_square_is_drawn_where_it_is_also_beyond_the_photograph():
    blue = Image.new("RGB", (40, 50), (0, 0, 255))
    quad = np.array([[-10.0, 10], [-10, 30], [10, 30], [10, 10]])
    marked = figures.mark_crop(blue, quad, points=np.array([[30.0, 40]]), factor=4)
    seen = np.int32(marked)
    assert marked.size == ((40 + 11) * 4, 50 * 4)
    assert (seen[20, 20] == (238, 238, 238)).all() and (seen[20, -20] == (0, 0, 255)).all()  # beyond, and inside
    left, top = round((-10 + 11 + 0.5) * 4), round((20 + 0.5) * 4)
    assert seen[top, left, :2].min() > 200 and seen[top, left, 2] < 100  # the square's left side, yellow
    dot = seen[round(40.5 * 4), round((30 + 11 + 0.5) * 4)]
    assert dot[2] > dot[0] and dot[1] > 100


def test_lines_are_drawn():
    plain = Image.new("RGB", (40, 50), (0, 0, 255))
    quad = np.array([[5.0, 5], [5, 25], [25, 25], [25, 5]])
    line = np.array([[[10.0, 15], [20, 15]]])
    with_line, without = (np.int32(figures.mark_crop(plain, quad, lines=one)) for one in (line, None))
    changed = np.argwhere((with_line != without).any(axis=2)).mean(axis=0)[::-1]
    np.testing.assert_allclose(changed, (np.array([15, 15]) + 0.5) * 3, atol=1.5)


def test_a_close_up_shows_the_same_part_in_any_size():
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)).resize(
        (80, 100), Image.Resampling.BICUBIC
    )
    large = small.resize((320, 400), Image.Resampling.NEAREST)
    place = points(60) + 10
    first = figures.close_up(small, place, 120, smooth=False)
    second = figures.close_up(large, (place + 0.5) * 4 - 0.5, 120, smooth=False)
    assert first.size == (120, 120) and np.abs(np.int32(first) - np.int32(second)).mean() < 6
    assert (
        len(np.unique(np.asarray(first).reshape(-1, 3), axis=0)) < 40 * 40 < 120 * 120
    )  # squares, not a smooth picture
    corner = figures.close_up(small, np.array([[0.0, 0], [30, 30]]), 60)  # a square inside the picture is taken
    assert corner.size == (60, 60)


def test_the_same_picture_twice_is_the_same():
    grey = Image.new("RGB", (100, 120), (120, 120, 120))
    one, other = (np.asarray(pixels(figures.landmark_picture(grey, points()), 60)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
