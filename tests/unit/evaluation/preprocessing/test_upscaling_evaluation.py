"""Enlarged photographs against their originals: every measure on pictures whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib.evaluation.embedding import embed_pictures
from kinlib.evaluation.preprocessing import upscaling as scores
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import load_album
from kinlib.studio.datasets.originals import load_originals


@pytest.fixture(scope="module")
def originals():
    return load_originals(4)


def noise(seed, size=(40, 30), spread=20):
    return Image.fromarray(np.uint8(128 + np.random.default_rng(seed).normal(0, spread, (size[1], size[0], 3))))


def shifted(picture, grey):
    return Image.fromarray(np.uint8(np.clip(np.int32(picture) + grey, 0, 255)))


def test_psnr_is_that_of_the_formula():
    flat = Image.new("RGB", (40, 30), (100, 100, 100))
    table = scores.fidelity([shifted(flat, 5)], [flat])
    assert table["psnr_db"][0] == pytest.approx(20 * np.log10(255 / 5), abs=1e-3)
    same = scores.fidelity([noise(0)], [noise(0)])
    assert same["ssim"][0] == pytest.approx(1) and same["psnr_db"][0] > 90
    assert scores.fidelity([noise(0)], [noise(1)])["ssim"][0] < 0.3


def test_detail_knows_the_truth_from_invention():
    rng = np.random.default_rng(0)
    missing, other = rng.normal(0, 12, (2, 40, 40, 3))
    base = np.full((40, 40, 3), 128.0)
    as_picture = [
        Image.fromarray(np.uint8(base + one + 0.5)) for one in (0 * missing, missing, missing / 2, other, -missing)
    ]
    plain, original = as_picture[0], as_picture[1]
    pictures = [plain, original, as_picture[2], as_picture[3], as_picture[4]]
    table = scores.detail(pictures, [plain] * 5, [original] * 5)
    np.testing.assert_allclose(table["amount"], [0, 1, 0.5, 1, 1], atol=0.05)
    np.testing.assert_allclose(table["agreement"], [0, 1, 1, 0, -1], atol=0.06)


def test_pictures_have_to_fit():
    with pytest.raises(KinlibError, match="needs its original: there are 1 and 2"):
        scores.fidelity([noise(0)], [noise(0), noise(1)])
    with pytest.raises(KinlibError, match="cannot be compared"):
        scores.detail([noise(0)], [noise(0)], [noise(0, (20, 30))])
    tiny = noise(0).resize((4, 4))
    with pytest.raises(KinlibError, match="SSIM needs pictures of 11 px or more"):
        scores.fidelity([tiny], [tiny])


def test_whose_face_it_is():
    directions = np.eye(5, dtype=np.float32)
    gallery = scores.Gallery(["a.jpg", "b.jpg", "c.jpg"], ["A", "B", "C"], directions[:3])
    face = np.float32([[0.6, 0.8, 0, 0, 0], [0, 0, 0.8, 0.6, 0]])
    table = scores.identity_similarity(face, directions[[0, 3]], ["A", "D"], gallery)
    assert table["nearest"].tolist() == ["b.jpg", "c.jpg"]  # the first one's own family does not count
    np.testing.assert_allclose(table[["own", "stranger", "margin"]], [[0.6, 0.8, -0.2], [0.6, 0.8, -0.2]], atol=1e-6)
    with pytest.raises(KinlibError, match="nobody of another family"):
        scores.identity_similarity(face, face, ["A", "A"], scores.Gallery(["a.jpg"], ["A"], directions[:1]))


def test_originals_are_themselves(originals):
    """The bundled network, on the faces in full size: nobody is mistaken, and a photograph of the same person helps."""
    album = load_album()
    first = album.truth[album.truth["family"].isin([one.family for one in originals])].groupby("family").head(2)
    few = type(album)(album.folder, album.people, first)
    gallery = scores.build_gallery(few)
    assert len(gallery.files) == first["name"].nunique() and np.allclose(np.linalg.norm(gallery.embeddings, axis=1), 1)
    faces = scores.cut_faces([one.image for one in originals], [one.landmarks for one in originals])
    assert {face.size for face in faces} == {(128, 128)}
    own = embed_pictures(faces)
    table = scores.identity_similarity(own, own, [one.family for one in originals], gallery)
    assert np.allclose(table["own"], 1, atol=1e-5) and (table["margin"] > 0.1).all()
    assert all(file.split("/")[0] != one.family for file, one in zip(table["nearest"], originals, strict=True))


def test_a_face_is_found_where_it_is(originals):
    one, empty = originals[0], Image.new("RGB", (120, 150), (90, 120, 150))
    elsewhere = np.add(one.landmarks_in(120), [0, 60])
    truths = [one.landmarks_in(120), elsewhere, one.landmarks_in(120)]
    table = scores.detect_labelled([one.small, one.small, empty], truths)
    assert table["found"].tolist() == [1, 0, 0]
    assert table["off"][0] < 0.15 and table["off"].isna().tolist() == [False, True, True]


def test_gains_are_paired_and_have_intervals():
    base = np.random.default_rng(0).normal(30, 5, 20)
    tables = {
        name: pd.DataFrame({"psnr_db": base + more}) for name, more in (("bicubic", 0), ("better", 1), ("same", 0))
    }
    table = scores.gains(tables, "bicubic", "psnr_db")
    assert table.index.tolist() == ["better", "same"]
    np.testing.assert_allclose(table.loc["better"], 1)  # however unlike the photographs are
    np.testing.assert_allclose(table.loc["same"], 0, atol=1e-12)
    tables["unsure"] = pd.DataFrame({"psnr_db": base + np.random.default_rng(1).normal(0, 1, 20)})
    unsure = scores.gains(tables, "bicubic", "psnr_db").loc["unsure"]
    assert unsure["low"] < unsure["value"] < unsure["high"] and unsure["high"] - unsure["low"] > 0.3
    with pytest.raises(KinlibError, match="no measurements for 'lanczos'"):
        scores.gains(tables, "lanczos", "psnr_db")
    with pytest.raises(KinlibError, match="differ in length"):
        scores.gains(tables | {"fewer": tables["same"][:3]}, "bicubic", "psnr_db")


def test_photographs_without_originals(originals):
    empty = Image.new("RGB", (120, 150), (90, 120, 150))
    one, other = scores.unpaired_photographs([originals[0].small, empty], ["somebody", "nobody"])
    assert one.larger(2) is None and (one.name, one.small.size) == ("somebody", (120, 150))
    low, high = one.landmarks_in(240)
    inside = originals[0].landmarks_in(240)[17:]  # all but the jaw
    assert (low < inside.min(axis=0)).all() and (high > inside.max(axis=0)).all() and (high - low < (240, 300)).all()
    np.testing.assert_allclose(other.landmarks_in(60), [[-0.5, -0.5], [59.5, 74.5]])


def test_what_is_left_of_shrunk_photographs():
    """Squares of two pixels survive being halved; single pixels do not, and smooth kernels spoil squares."""
    grey = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    squares, fine = Image.fromarray(grey.repeat(2, 0).repeat(2, 1)), noise(1, (40, 41))
    tables = scores.restore([squares, fine], 2, ("nearest", "bicubic"))
    assert set(tables) == {"nearest", "bicubic"} and len(tables["nearest"]) == 2  # the odd row is cut off
    assert tables["nearest"]["psnr_db"][0] > 60 > 30 > tables["bicubic"]["psnr_db"][0]
    assert tables["nearest"]["psnr_db"][1] < 30
