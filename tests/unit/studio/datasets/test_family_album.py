"""Reading the family set with its truth, from a small one written by hand."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_png
from kinlib.studio.datasets.family_album import load_album

PEOPLE = [  # person, name, sex, family, father, mother
    (0, "Adam_Bell", "male", "BELL", None, None),
    (1, "Bea_Crow", "female", "BELL", None, None),
    (2, "Cleo_Bell", "female", "BELL", 0, 1),
    (3, "Dan_Dove", "male", "BELL", None, None),
    (4, "Eve_Dove", "female", "BELL", 3, 2),
    (5, "Fay_Bell", "female", "BELL", 0, 1),
    (6, "Gus_Hart", "male", "HART", None, None),
]
PHOTOS = [  # number, age, yaw, fault, whether it has masks
    (1, 20.0, 0.0, None, True),
    (2, 30.0, 40.0, None, False),
    (3, 33.0, 2.0, None, False),
    (4, 30.0, 0.0, "pixelated", False),
]


@pytest.fixture
def folder(tmp_path):
    columns = ["person", "name", "sex", "family", "father", "mother"]
    people = pd.DataFrame(PEOPLE, columns=columns).astype({"father": "Int64", "mother": "Int64"})
    people.to_parquet(tmp_path / "people.parquet")
    mask = np.arange(30, dtype=np.uint8).reshape(6, 5)
    rows = []
    for number, age, yaw, fault, masked in PHOTOS:
        file = f"BELL/Adam_Bell/{number:02d}.jpg"
        path = tmp_path / "families" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 6), (40 * number, 0, 0)).save(path, quality=95)
        png = array_to_png(mask) if masked else None
        landmarks = np.arange(136, dtype=np.float32)
        rows.append((file, "BELL", "Adam_Bell", age, fault, yaw, landmarks, png, png))
    columns = ["file", "family", "name", "age", "fault", "yaw", "landmarks", "mask", "regions"]
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "truth.parquet")
    return tmp_path


def test_couples_come_from_the_pedigree(folder):
    album = load_album(folder)
    assert album.families() == ["BELL", "HART"]
    parents, daughters = ("Adam_Bell", "Bea_Crow"), ["Cleo_Bell", "Fay_Bell"]
    assert album.couples("BELL") == [(*parents, daughters), ("Dan_Dove", "Cleo_Bell", ["Eve_Dove"])]
    assert album.couples("HART") == []
    assert album.person("Eve_Dove")["sex"] == "female"


def test_the_photograph_is_near_the_age_frontal_and_without_fault(folder):
    album = load_album(folder)
    chosen = album.photograph("Adam_Bell", age=30)
    assert chosen.age == 33 and chosen.classes is None and chosen.image.size == (5, 6)
    assert chosen.landmarks.shape == (68, 2) and chosen.landmarks[1].tolist() == [2, 3]
    masked = album.photograph("Adam_Bell", masks=True)
    assert masked.age == 20 and masked.classes[5, 4] == 29 and masked.regions.shape == (6, 5)
    assert album.photograph("Gus_Hart") is None


def test_what_is_missing_is_told(folder, tmp_path):
    album = load_album(folder)
    with pytest.raises(KinlibError, match="no family 'NOBODY'"):
        album.couples("NOBODY")
    with pytest.raises(KinlibError, match="nobody called 'Zed'"):
        album.person("Zed")
    (folder / "families" / "BELL" / "Adam_Bell" / "03.jpg").write_bytes(b"no picture")
    with pytest.raises(KinlibError, match="cannot be read"):
        album.photograph("Adam_Bell")
    (folder / "truth.parquet").write_bytes(b"no table")
    with pytest.raises(KinlibError, match="damaged"):
        load_album(folder)
    with pytest.raises(KinlibError, match="no families"):
        load_album(tmp_path / "elsewhere")
