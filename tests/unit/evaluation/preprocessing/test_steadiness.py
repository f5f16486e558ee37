"""How far crop and code move when a photo changes a little: the measure, and the figure on the studio's portraits."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from kinlib.checkpoints import weights
from kinlib.evaluation.preprocessing import steadiness
from kinlib.evaluation.preprocessing.steadiness import CHANGES, bundled_photos, measure_steadiness, recorded, summarise
from kinlib.gan.encoder import load_encoder
from kinlib.runtime.errors import KinlibError

AIM = 0.08  # of the distance between two people, at the 90th percentile


@pytest.fixture(scope="module")
def portraits() -> list[Image.Image]:
    return bundled_photos()[:12]


def test_codes_of_portraits_are_steady(portraits: list[Image.Image], record_property):
    """The whole way stays below the aim, and adds no more than the same again to what the encoder itself moves."""
    changes = ("jpeg_75", "smaller", "shifted")
    table = measure_steadiness(portraits, load_encoder(weights.path("studio_encoder")), changes, device="cpu")
    assert len(table) == 36 and np.isfinite(table[["crop", "code", "aligned"]]).all(axis=None)
    for change, found in summarise(table).items():
        record_property(f"code, 90th percentile, {change}", round(found["code_p90"], 4))
        assert found["code_p90"] < AIM
        assert found["crop_p90"] < 1.5  # px of 256; before both sets of points placed the crop, 1.6 to 2.0
    jpeg = summarise(table)["jpeg_75"]
    assert jpeg["code_median"] < 2.5 * jpeg["aligned_median"]


def test_the_record_is_of_all_changes_and_keeps_the_aim():
    kept = recorded()
    assert kept["preset"] == "studio" and kept["photos"] == 36 and set(kept["changes"]) == set(CHANGES)
    for change in ("jpeg_75", "smaller", "larger", "shifted"):
        assert kept["changes"][change]["code_p90"] < AIM
    assert json.loads(json.dumps(kept)) == kept


def test_distances_are_shares_of_that_between_people(portraits: list[Image.Image], monkeypatch):
    """Codes that are counted up as they are asked for: two people at 0 and 1, then photo and aligned face of each."""
    numbers = iter(range(6))
    monkeypatch.setattr(steadiness, "BATCH", 1)

    def encode(faces: torch.Tensor) -> torch.Tensor:
        return torch.full((len(faces), 2, 512), float(next(numbers)))

    table = measure_steadiness(portraits[:2], encode, ("shifted",), device="cpu")
    assert table["code"].tolist() == [2, 3] and table["aligned"].tolist() == [3, 4]


@pytest.mark.parametrize("change", CHANGES)
def test_geometry_of_the_changes_is_undone(change: str):
    photo = Image.new("RGB", (201, 243))
    quad = np.array([[20.0, 30], [20, 130], [120, 130], [120, 30]])
    scales = np.divide(CHANGES[change](photo).size, photo.size) if change in ("smaller", "larger") else 1.0
    moved = (quad + 0.5) * scales - 0.5 - np.array([change == "shifted", 0])
    assert steadiness._crop_moved(quad, moved, photo, change) == pytest.approx(0, abs=1e-9)
    assert steadiness._crop_moved(quad, moved + np.array([0, 1]), photo, change) == pytest.approx(2.56, rel=0.06)


def test_wrong_inputs(portraits: list[Image.Image]):
    with pytest.raises(KinlibError, match="at least 2 photos"):
        measure_steadiness(portraits[:1], torch.nn.Identity())
    with pytest.raises(KinlibError, match="unknown change 'rotated'"):
        measure_steadiness(portraits, torch.nn.Identity(), ("rotated",))
    with pytest.raises(KinlibError, match="no face found in photo 0"):
        measure_steadiness([Image.new("RGB", (200, 200))] * 2, torch.nn.Identity(), device="cpu")
