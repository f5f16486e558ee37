"""MTCNN in batches: what the library finds, found faster."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinlib.faces import points as shares
from kinlib.faces.mtcnn.cascade import BOX, PICTURE, POINTS, SCORE, Cascade, area_means, area_sums
from kinlib.runtime import config

FAMILIES = config.data_dir() / "studio" / "families"


@pytest.fixture(scope="module")
def cascade() -> Cascade:
    return Cascade(torch.device("cpu"), 20)


@pytest.fixture(scope="module")
def library():
    facenet_pytorch = pytest.importorskip("facenet_pytorch")
    return facenet_pytorch.MTCNN(keep_all=True, min_face_size=20, device="cpu").eval()


def people(count: int) -> list[Image.Image]:
    folders = sorted(path for path in FAMILIES.glob("*/*") if path.is_dir())
    return [Image.open(Path(folder, "03.jpg")).convert("RGB") for folder in folders[:: len(folders) // count][:count]]


def crowd() -> np.ndarray:
    """Two pictures of 480 x 300 px with several faces each, some cut off by the edge, and one of noise."""
    faces = people(6)
    pictures = []
    for group in (faces[:3], faces[3:]):
        picture = Image.new("RGB", (480, 300), (120, 130, 140))
        for face, (left, top), size in zip(group, [(-30, 40), (130, 0), (330, 60)], (150, 190, 160), strict=True):
            picture.paste(face.resize((size, size * 5 // 4)), (left, top))
        pictures.append(np.asarray(picture))
    noise = np.random.default_rng(0).integers(0, 256, (300, 480, 3), dtype=np.uint8)
    return np.stack([*pictures, noise])


@pytest.mark.parametrize("which", ["portraits", "crowd"])
def test_finds_what_the_library_finds(cascade, library, which):
    batch = crowd() if which == "crowd" else np.stack([np.asarray(face.resize((219, 274))) for face in people(8)])
    rows = cascade(batch)
    boxes, scores, points = library.detect(batch, landmarks=True)
    for number in range(len(batch)):
        mine = rows[rows[:, PICTURE] == number]
        if boxes[number] is None:
            assert not len(mine)
            continue
        mine, order = mine[np.argsort(-mine[:, SCORE])], np.argsort(-np.float32(scores[number]))
        np.testing.assert_allclose(mine[:, SCORE], np.float32(scores[number])[order], atol=1e-5)
        np.testing.assert_allclose(mine[:, BOX], np.float32(boxes[number])[order], atol=0.01)
        theirs = np.float32(points[number])[order]
        np.testing.assert_allclose(mine[:, POINTS].reshape(-1, 5, 2), theirs, atol=0.01)
    assert len(rows) >= (5 if which == "crowd" else 8)


def test_no_face_no_rows(cascade):
    flat = np.full((2, 100, 90, 3), 128, np.uint8)
    assert cascade(flat).shape == (0, 20) and cascade(flat[:, :20, :20]).shape == (0, 20)


def test_a_batch_finds_what_one_picture_finds(cascade):
    batch = crowd()
    together = cascade(batch)
    for number, picture in enumerate(batch):
        alone = cascade(picture[None])
        np.testing.assert_allclose(alone[:, 1:], together[together[:, PICTURE] == number][:, 1:], atol=0.01)


@pytest.mark.parametrize("size", [(5, 4), (24, 24), (33, 41), (50, 40)])
def test_area_means_are_those_of_adaptive_pooling(size):
    pictures = np.random.default_rng(1).integers(0, 256, (2, 50, 40, 3), dtype=np.uint8)
    which, windows = np.array([1, 0]), np.array([[0, 0, 40, 50], [7, 11, 30, 38]])
    means = area_means(area_sums(pictures), which, windows, *size)
    assert means.shape == (2, *size, 3) and means.dtype == np.float32
    for mean, number, (left, top, right, bottom) in zip(means, which, windows, strict=True):
        part = torch.from_numpy(pictures[number, top:bottom, left:right]).permute(2, 0, 1).double()
        wanted = (torch.nn.functional.adaptive_avg_pool2d(part, size) - 127.5) / 128
        np.testing.assert_allclose(mean, wanted.permute(1, 2, 0), atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [lambda: Cascade(torch.device("cpu"), 20), shares.load_onet.__wrapped__],
    ids=["the cascade", "the last network alone"],
)
def test_the_caller_s_random_numbers_stay(make):
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    make()
    assert torch.rand(1) == wanted
