"""Photos whose pixels are rotated: found upright, and only searched again where no upright face is convincing."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from kinlib.faces import orientation
from kinlib.faces.align import find_and_align
from kinlib.faces.keypoints import detect_all
from kinlib.faces.orientation import find_upright
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.originals import load_originals

PORTRAITS = sorted((config.data_dir() / "studio" / "portraits").glob("*.jpg"))[:4]
TURNS = (90, 180, 270)


def pictures() -> dict[str, Image.Image]:
    """A photograph, portraits, and family photographs in two sizes."""
    found = {path.stem: Image.open(path).convert("RGB") for path in PORTRAITS}
    for number, original in enumerate(load_originals()[:4]):
        found |= {f"original {number}": original.image, f"small {number}": original.small}
    return found | {"astronaut": Image.fromarray(skimage.data.astronaut())}


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture
def searches(monkeypatch) -> list[tuple[int, int]]:
    """The sizes of all photos in which faces were searched."""
    seen, search = [], orientation.detect_all

    def counted(image, **options):
        seen.append(image.size)
        return search(image, **options)

    monkeypatch.setattr(orientation, "detect_all", counted)
    return seen


@pytest.mark.parametrize("name", sorted(pictures()))
def test_all_orientations_are_told_apart(name: str):
    picture = pictures()[name]
    upright = find_upright(picture)
    assert upright.rotated == 0 and upright.image is picture
    for degrees in TURNS:  # counterclockwise, as Pillow counts
        found = find_upright(picture.rotate(degrees, expand=True))
        assert found.rotated == degrees
        assert np.array_equal(found.image, picture)
        assert np.array_equal(found.points.quad, upright.points.quad)


def test_a_false_face_is_not_taken(astronaut: Image.Image):
    """With its pixels rotated by 270 degrees, the detector finds a face where there is none, and is sure of it."""
    rotated = astronaut.rotate(270)
    (false,) = detect_all(rotated)[0]
    assert false.score > 0.95
    found = find_and_align(rotated)
    assert found.rotated == 270 and "rotated by 270 degrees clockwise" in found.notes[0]
    assert np.array_equal(found.aligned, find_and_align(astronaut).aligned)


def test_a_convincing_face_costs_one_search(searches, astronaut: Image.Image):
    assert find_upright(astronaut).convincing and len(searches) == 1
    searches.clear()
    find_upright(astronaut, faces=detect_all(astronaut)[0])
    assert not searches


def test_faceless_photos_are_tried_four_ways_and_closer_and_stay_faceless(searches):
    found = find_upright(Image.fromarray(skimage.data.coffee()))
    assert not found.faces and found.points is None and found.rotated == 0
    assert searches == [(600, 400), (400, 600), (600, 400), (400, 600), (600, 400)]  # the last one at a closer look
    with pytest.raises(KinlibError, match="no face found"):
        find_and_align(skimage.data.coffee())


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_tilted_head_is_no_rotated_photo(astronaut: Image.Image, degrees: int):
    tilted = astronaut.crop((96, 0, 352, 256)).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    assert find_upright(tilted).rotated == 0


def test_a_predictor_that_is_absent_is_an_error(astronaut: Image.Image, tmp_path):
    with pytest.raises(KinlibError, match=r"absent\.dat"):
        find_upright(astronaut, tmp_path / "absent.dat")
