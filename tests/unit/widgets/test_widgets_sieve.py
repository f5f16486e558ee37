"""The panel of thresholds, driven by code: what is kept, what is discarded, and what a stored notebook may show."""

import io

import numpy as np
import pytest
from PIL import Image

from kinlib.runtime.errors import KinlibError
from kinlib.widgets.sieve import COLUMNS, ROWS, TILE, PhotoSieve

SCORES = np.array([0.99, 0.95, 0.7, 0.0, 0.999, 0.92])
YAWS = np.array([0.0, -35.0, 5.0, np.nan, 29.0, -31.0])
GOOD = np.array([True, False, True, False, True, True])


def pictures(count=6):
    """Each of another grey."""
    return [Image.new("RGB", (120, 150), (20 * number, 20 * number, 90)) for number in range(count)]


@pytest.fixture
def sieve():
    return PhotoSieve(pictures(), SCORES, YAWS, GOOD)


def tiles(image):
    """The shade of every tile of a sheet, in order."""
    sheet = np.asarray(Image.open(io.BytesIO(bytes(image.value))))
    rows, columns = (np.arange(count) * side + side // 2 for count, side in ((ROWS, TILE[1]), (COLUMNS, TILE[0])))
    return sheet[np.ix_(rows, columns)].reshape(-1, 3)


def test_the_first_limits(sieve):
    assert sieve.kept.tolist() == [True, False, False, False, True, False]
    assert "2 of 6" in sieve.captions["kept"].value and "2 of them usable faces" in sieve.captions["kept"].value
    assert (
        "4 of 6" in sieve.captions["discarded"].value
        and "2 of them usable faces lost" in sieve.captions["discarded"].value
    )


@pytest.mark.parametrize(
    ("control", "value", "kept"),
    [
        ("score", 0.5, [True, False, True, False, True, False]),
        ("score", 0.995, [False, False, False, False, True, False]),
        ("yaw", 60.0, [True, True, False, False, True, True]),
        ("yaw", 20.0, [True, False, False, False, False, False]),
    ],
)
def test_sliders_move_photographs(sieve, control, value, kept):
    before = {name: bytes(image.value) for name, image in sieve.images.items()}
    sieve.controls[control].value = value
    assert sieve.kept.tolist() == kept
    assert all(before[name] != bytes(image.value) for name, image in sieve.images.items())


def test_sheets_show_their_own_the_nearest_to_the_limits_first(sieve):
    shades = {"kept": [4, 0], "discarded": [5, 1, 2, 3]}
    for name, order in shades.items():
        shown = tiles(sieve.images[name])
        assert np.abs(shown[: len(order), 0] - 20.0 * np.array(order)).max() < 8
        assert (shown[len(order) :] > 200).all()  # the rest is empty


def test_many_photographs_fill_the_sheet_and_no_more():
    count = COLUMNS * ROWS + 30
    sieve = PhotoSieve(pictures(1) * count, np.full(count, 0.99), np.zeros(count))
    assert Image.open(io.BytesIO(bytes(sieve.images["kept"].value))).size == (COLUMNS * TILE[0], ROWS * TILE[1])
    assert sieve.kept.all() and "good" not in sieve.captions["kept"].value
    assert "0 of 50" in sieve.captions["discarded"].value


def test_a_stored_notebook_shows_a_picture_unless_it_is_private(sieve):
    bundle = sieve._repr_mimebundle_()
    if not isinstance(bundle, dict):
        pytest.skip("ipywidgets 7 displays itself")
    assert "image/jpeg" in bundle and len(bundle["image/jpeg"]) < 150_000
    private = PhotoSieve(pictures(), SCORES, YAWS, private=True)._repr_mimebundle_()
    assert "image/jpeg" not in private


@pytest.mark.parametrize(
    "columns",
    [
        ([], [], [], None),
        (pictures(), SCORES[:5], YAWS, None),
        (pictures(), SCORES, YAWS[:5], None),
        (pictures(), SCORES, YAWS, GOOD[:5]),
    ],
)
def test_columns_have_to_fit(columns):
    with pytest.raises(KinlibError, match="photographs, and as many scores, yaws and truths"):
        PhotoSieve(*columns)
