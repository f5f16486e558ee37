"""Detection of a whole set, recall at small sizes, and what a score threshold discards, on the bundled families."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib import families
from kinlib.evaluation.preprocessing import detection
from kinlib.faces.keypoints import detect
from kinlib.families.tables import Problem
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError


@pytest.fixture(scope="module")
def tables():
    return families.read(config.families_dir())


@pytest.fixture(scope="module")
def pictures(tables):
    return [tables.load_image(image) for image in tables.images["image"].iloc[[20, 400, 900]]]


BLANK = Image.new("RGB", (120, 150), (90, 120, 150))


def test_a_sample_of_a_set(tables, monkeypatch):
    monkeypatch.setattr(detection, "CHUNK", 3)  # several chunks, the last one not full
    found = detection.detect_set(tables, number=4, seed=3)
    assert found.index.isin(tables.images["image"]).all() and found.index.is_unique and len(found) == 4
    assert (found.index == detection.detect_set(tables, number=4, seed=3).index).all()
    image = found.index[3]
    alone = detect(tables.load_image(image), min_score=0.0)[0]
    assert found.loc[image, "score"] == pytest.approx(alone.score, abs=1e-5)
    assert found.loc[image, "size"] == tables.load_image(image).size
    corrupt = [Problem("corrupt", image, "damaged"), Problem("grey", found.index[0], "grey")]
    assert detection.detect_set(tables, corrupt, 4, 3).index.tolist() == found.index[:3].tolist()


@pytest.mark.parametrize("score", detection.WAYS.values(), ids=detection.WAYS)
def test_scores_are_high_with_a_face_and_zero_without(score, pictures):
    values = score([*pictures, BLANK])
    assert values.shape == (4,) and (values[:3] > 0.9).all() and values[3] == 0


def test_one_size_is_scanned_at_a_time(pictures):
    with pytest.raises(KinlibError, match="one size"):
        detection.score_native([pictures[0], pictures[1].resize((60, 75))])
    assert detection.score_native([]).shape == (0,)


def test_enlarging_finds_faces_below_the_detectors_smallest_size(pictures):
    table = detection.recall_by_width(pictures, (120, 18), 0.9)
    assert table.loc[120].tolist() == [1, 1]
    assert table.loc[18, "native size"] < table.loc[18, "enlarged first"]


def test_discards_are_counted_against_the_first_treatment():
    good = np.array([True, True, True, True, False])
    scores = {"first": np.array([0.95, 0.5, 0.0, 0.95, 0.2]), "second": np.array([0.95, 0.95, 0.0, 0.3, 0.95])}
    table = detection.discards(scores, good, 0.9)
    assert table.columns.tolist() == ["no face", "discarded", "good discarded", "recovered", "newly lost"]
    assert table.loc["first"].tolist() == [1, 3, 2, 0, 0]
    assert table.loc["second"].tolist() == [1, 2, 2, 1, 1]


def test_a_sheet_marks_faces_where_there_are_some(tables):
    images = tables.images["image"].iloc[:2].tolist()
    face = detect(tables.load_image(images[0]))[0]
    faces = pd.Series([face, None], images)
    plain, marked, boxed = (
        detection.photo_sheet(tables, images, ["a", "b"], *more) for more in ((), (faces,), (faces, True))
    )
    shown = [[axes.images[0].get_array() for axes in sheet.axes] for sheet in (plain, marked, boxed)]
    assert not np.array_equal(shown[0][0], shown[1][0]) and not np.array_equal(shown[1][0], shown[2][0])
    assert np.array_equal(shown[0][1], shown[1][1])
    assert [axes.texts[0].get_text() for axes in marked.axes] == ["a", "b"]
