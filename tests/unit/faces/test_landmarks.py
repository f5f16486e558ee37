"""The 68 landmarks: the bundled predictor on a real face, its helpers, and a training run in miniature."""

import bz2
import io
import json
import logging
import lzma
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image

from kinlib.faces import landmarks
from kinlib.faces.align import find_and_align
from kinlib.faces.keypoints import Keypoints, detect
from kinlib.runtime.errors import KinlibError
from kinlib.training.engine.dlib_file import rounded
from kinlib.training.recipes.landmarks import LandmarkSettings, measure, read_renders, train


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="module")
def face(astronaut: Image.Image) -> Keypoints:
    return detect(astronaut)[0]


@pytest.fixture(scope="module")
def points(astronaut: Image.Image, face: Keypoints) -> np.ndarray:
    return landmarks.predict(astronaut, face)


# --- the bundled predictor ---


def test_size_of_the_bundled_file():
    assert landmarks.bundled_predictor().stat().st_size <= 2_000_000
    manifest = json.loads(landmarks.bundled_predictor().with_name("manifest.json").read_text())
    assert manifest["landmarks.dat.xz"]["size"] == landmarks.bundled_predictor().stat().st_size
    report = json.loads(landmarks.bundled_predictor().with_name("landmarks.json").read_text())
    assert report["metrics"]["median"] < 2.0


def test_astronaut(points: np.ndarray, face: Keypoints):
    assert points.shape == (68, 2) and points.dtype == np.float32
    assert landmarks.disagreement(points, face) < 0.1 and landmarks.plausible(points, face)
    # Read off the enlarged picture by eye: outer corners of the eyes, tip of the chin.
    assert np.abs(points[36] - [193.5, 100.5]).max() < 4
    assert np.abs(points[45] - [258.5, 104]).max() < 5
    assert np.abs(points[8] - [222, 178]).max() < 7


def test_anatomy(points: np.ndarray):
    x, y = points.T
    assert (np.diff(x[:17]) > -1).all()  # jaw from left to right
    assert x[17:22].max() < x[27] < x[22:27].min()
    assert y[17:27].mean() < y[36:48].mean() < y[30] < y[48:68].mean() < y[8]


@pytest.mark.parametrize("degrees", [-40, 25])
def test_tilted_head(astronaut: Image.Image, points: np.ndarray, degrees: float):
    tilted = astronaut.crop((96, 0, 352, 256)).rotate(degrees, Image.Resampling.BICUBIC)
    there = landmarks.predict(tilted, detect(tilted)[0])
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle = np.array([127.5, 127.5])
    back = (there - middle) @ np.array([[c, s], [-s, c]]) + middle + [96, 0]
    assert np.linalg.norm(back - points, axis=1).mean() < 2.5  # of 65 px between the outer corners of the eyes


def test_mirrored_face(astronaut: Image.Image, points: np.ndarray):
    mirrored = astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    there = landmarks.predict(mirrored, detect(mirrored)[0])
    back = (there * [-1, 1] + [511, 0])[list(landmarks.MIRRORED)]
    assert np.linalg.norm(back - points, axis=1).mean() < 2.5


@pytest.mark.parametrize("size", [(60, 75), (120, 150), (1600, 2000)])
def test_any_size(astronaut: Image.Image, points: np.ndarray, size: tuple[int, int]):
    head = astronaut.crop((144, 14, 304, 214)).resize(size, Image.Resampling.LANCZOS)
    there = landmarks.predict(head, detect(head)[0]) * 160 / size[0] + [144, 14]
    assert np.linalg.norm(there - points, axis=1).mean() < 3


def test_face_as_points_box_and_array(astronaut: Image.Image, face: Keypoints, points: np.ndarray):
    assert np.array_equal(landmarks.predict(astronaut, face.points), points)
    assert np.array_equal(landmarks.predict(np.asarray(astronaut), face), points)
    assert np.linalg.norm(landmarks.predict(astronaut, face.box) - points, axis=1).mean() < 3


def test_bundled_predictor_drives_the_crop(astronaut: Image.Image):
    found = find_and_align(astronaut)
    assert found.used == "68+5" and found.landmarks.shape == (68, 2)


def test_same_result_twice_and_one_load(astronaut: Image.Image, face: Keypoints, points: np.ndarray):
    assert np.array_equal(landmarks.predict(astronaut, face), points)
    assert landmarks.load_predictor() is landmarks.load_predictor(str(landmarks.bundled_predictor()))


# --- agreement ---


def shape_around(five: np.ndarray) -> np.ndarray:
    shape = np.zeros((68, 2))
    shape[36:42], shape[42:48], shape[30], shape[48], shape[54] = five
    return shape


def test_five_from_68(face: Keypoints):
    assert np.allclose(landmarks.five_from_68(shape_around(face.points)), face.points)
    for bad in (np.zeros((5, 2)), np.zeros(136)):
        with pytest.raises(KinlibError, match="68"):
            landmarks.five_from_68(bad)


def test_disagreement_is_in_eye_distances(face: Keypoints):
    eye_distance = np.linalg.norm(face.points[1] - face.points[0])
    shape = shape_around(face.points)
    assert landmarks.disagreement(shape, face) < 1e-6
    beside = shape + np.array([eye_distance / 2, 0])
    assert 0.4 < landmarks.disagreement(beside, face) <= 0.51 and not landmarks.plausible(beside, face)
    assert not landmarks.plausible(shape * np.nan, face)


def test_implausible_landmarks_leave_the_crop_to_five_points(astronaut: Image.Image, face: Keypoints):
    moved = Keypoints(face.box, face.score, face.points + np.array([60, 40]))  # a face where there is none
    assert not landmarks.plausible(landmarks.predict(astronaut, face), moved)


# --- wrong inputs ---


@pytest.mark.parametrize("content", [b"", b"<html>quota exceeded</html>", bytes(5000), bz2.compress(b"weights")])
def test_files_that_are_no_predictor(tmp_path: Path, content: bytes):
    path = tmp_path / "wrong.dat"
    path.write_bytes(content)
    with pytest.raises(KinlibError, match=r"wrong\.dat"):
        landmarks.load_predictor(path)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated_predictor(tmp_path: Path, share: float, packed: bool):
    content = landmarks.bundled_predictor().read_bytes()
    content = content if packed else lzma.decompress(content)
    path = tmp_path / ("cut.dat.xz" if packed else "cut.dat")
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(KinlibError, match=r"cut\.dat"):
        landmarks.load_predictor(path)


def test_coarser_numbers_move_the_points_little(astronaut: Image.Image, face: Keypoints, tmp_path: Path):
    content = lzma.decompress(landmarks.bundled_predictor().read_bytes())
    assert rounded(content) == content  # they are rounded already
    coarse = tmp_path / "coarse.dat"
    coarse.write_bytes(rounded(content, bits=12))
    assert len(lzma.compress(coarse.read_bytes())) < 0.8 * len(lzma.compress(content))
    moved = landmarks.predict(astronaut, face, coarse) - landmarks.predict(astronaut, face)
    assert 0 < np.abs(moved).mean() < 1
    for broken in (b"", content[:1000], b"<html></html>"):
        with pytest.raises(KinlibError, match="not the file of a dlib shape predictor"):
            rounded(broken)


def test_missing_predictor(tmp_path: Path):
    for path in (tmp_path / "absent.dat", tmp_path):
        with pytest.raises(KinlibError, match="no landmark predictor"):
            landmarks.load_predictor(path)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((68, 2)),
        np.zeros((5, 2)),
        np.full((5, 2), np.nan),
        np.zeros(4),
        np.array([5, 5, 5, 9]),
        np.array([np.nan, 5, 50, 90]),
        np.array([300, 300, 400, 400]),  # no face there
        np.array([9000, 9000, 9100, 9100]),
    ],
)
def test_faces_that_are_none(astronaut: Image.Image, wrong: np.ndarray):
    with pytest.raises(KinlibError):
        landmarks.predict(astronaut, wrong)


# --- training ---


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory, astronaut: Image.Image) -> Path:
    """A miniature training set: the astronaut's head as eight people, with made-up landmarks around her five points."""
    folder = tmp_path_factory.mktemp("renders")
    rng = np.random.default_rng(0)
    rows = []
    for person in range(11, 20):
        left, top = rng.integers(-6, 7, 2) + np.array([160, 40])
        crop = astronaut.crop((left, top, left + 128, top + 160)).resize((102, 128))
        buffer = io.BytesIO()
        crop.save(buffer, "PNG")
        shape = shape_around((detect(astronaut)[0].points - [left, top]) * 0.8)
        shape[:36] += rng.normal(0, 0.5, (36, 2)) + shape[30]
        shape[49:54] = shape[48] + (shape[54] - shape[48]) * np.linspace(0.2, 0.8, 5)[:, None]
        shape[55:] = shape[48:54].mean(axis=0)
        rows.append({"person": person, "view": 0, "image": buffer.getvalue(), "landmarks": shape.ravel()})
    pd.DataFrame(rows).to_parquet(folder / "part-00.parquet")
    return folder


def test_training_in_miniature(renders: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        settings = LandmarkSettings(
            renders, tmp_path / "first", chips=3, depth=2, trees=20, cascades=3, oversampling=5, threads=1
        )
        report = train(settings)
    assert (report["recipe"]["pictures_used"], report["recipe"]["people"]) == (8, 8)  # person 18 is held out
    figures = report["metrics"]
    assert figures["pictures"] == 1 and figures["found"] == 1 and 0 < figures["median"] < 25
    assert figures["groups"] == {}  # nothing is known of whom they show
    assert json.loads((tmp_path / "first" / "landmarks.json").read_text()) == report
    written = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert written == ["landmarks.dat.xz", "landmarks.json", "manifest.json"]
    assert measure(read_renders(renders), tmp_path / "first" / "landmarks.dat.xz")["pictures"] == 9

    again = LandmarkSettings(**{**vars(settings), "out": tmp_path / "second"})
    train(again)
    first, second = ((tmp_path / name / "landmarks.dat.xz").read_bytes() for name in ("first", "second"))
    assert first == second  # one seed, one file
    shutil.rmtree(tmp_path / "second")


def test_training_without_data(tmp_path: Path):
    with pytest.raises(KinlibError, match="no renders"):
        train(LandmarkSettings(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_mirror_is_its_own_inverse():
    mirrored = np.array(landmarks.MIRRORED)
    assert sorted(mirrored) == list(range(68)) and (mirrored[mirrored] == np.arange(68)).all()
    assert (mirrored[[8, 27, 28, 29, 30, 33, 51, 57, 62, 66]] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]).all()
