"""CelebA's two formats: what is read, and which sentence says what is wrong."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kinlib.runtime.errors import KinlibError
from kinlib.training.data.attribute_faces import load_attribute_faces
from kinlib.training.data.celeba import is_celeba, read_celeba, read_pictures

NAMES = ["Bald", "Smiling", "Young"]


def write(root: Path, count: int = 6, partition: bool = True) -> Path:
    """A folder in the published layout: every picture has a shade of its own."""
    (root / "img_align_celeba").mkdir(parents=True)
    lines, parts = [str(count), " ".join(NAMES) + " "], []
    for number in range(1, count + 1):
        name = f"{number:06d}.jpg"
        shade = Image.new("RGB", (178, 218), (40 * number, 0, 0))
        shade.save(root / "img_align_celeba" / name, quality=95)
        values = [1 if number % 2 else -1, -1, 1]
        lines.append(name + "".join(f" {value:2d}" for value in values))
        parts.append(f"{name} {0 if number <= 4 else number - 4}")
    (root / "list_attr_celeba.txt").write_text("\r\n".join(lines) + "\r\n")
    if partition:
        (root / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return root


def test_the_published_layout(tmp_path):
    table = read_celeba(write(tmp_path))
    assert is_celeba(tmp_path) and list(table.columns) == ["file", "held_out", *NAMES]
    assert table.held_out.tolist() == [False] * 4 + [True] * 2
    assert table.Bald.tolist() == [True, False] * 3 and not table.Smiling.any() and table.Young.all()


def test_without_a_partition_the_published_number_divides(tmp_path):
    write(tmp_path, partition=False)
    assert not read_celeba(tmp_path).held_out.any()
    lines = ["1", " ".join(NAMES), "162771.jpg 1 1 1"]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(lines))
    (tmp_path / "img_align_celeba" / "000001.jpg").rename(tmp_path / "img_align_celeba" / "162771.jpg")
    assert read_celeba(tmp_path).held_out.tolist() == [True]


def test_the_csv_layout(tmp_path):
    plain = read_celeba(write(tmp_path / "plain"))
    root = tmp_path / "csv"
    (root / "img_align_celeba").mkdir(parents=True)
    (tmp_path / "plain" / "img_align_celeba").rename(root / "img_align_celeba" / "img_align_celeba")
    names = [path.name for path in plain.file]
    values = plain[NAMES].astype(int) * 2 - 1
    values.assign(image_id=names).set_index("image_id").to_csv(root / "list_attr_celeba.csv")
    parts = pd.DataFrame({"image_id": names, "partition": plain.held_out.astype(int)})
    parts.to_csv(root / "list_eval_partition.csv", index=False)
    found = read_celeba(root)
    assert found.drop(columns="file").equals(plain.drop(columns="file"))
    assert [path.name for path in found.file] == names and found.file[0].exists()


def test_pictures_are_the_ffhq_crop(tmp_path):
    write(tmp_path)
    picture = np.zeros((218, 178, 3), np.uint8)
    picture[38:192, 12:166] = 255  # the crop's square
    Image.fromarray(picture).save(tmp_path / "img_align_celeba" / "000001.png")
    (found,) = read_pictures([tmp_path / "img_align_celeba" / "000001.png"], 64)
    assert found.shape == (3, 64, 64) and (found[:, 3:-3, 3:-3] == 255).all()
    training, held_out = load_attribute_faces(tmp_path, 32)
    assert len(training) == 4 and len(held_out) == 2 and training.people is None
    assert training.images.shape[1:] == (3, 32, 32) and training.attributes.Bald.tolist() == [1, 0, 1, 0]
    assert abs(int(training.images[1, 0].float().mean()) - 80) < 3


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("list_attr_celeba.txt", None, "no list_attr_celeba.txt"),
        ("list_attr_celeba.txt", "2\nBald\n000001.jpg 1\n", "promises 2 pictures and lists 1"),
        ("list_attr_celeba.txt", "1\nBald Young\n000001.jpg 1\n", "line 3 of"),
        ("list_attr_celeba.txt", "1\nBald\n000001.jpg 0\n", "other than -1 and 1"),
        ("list_attr_celeba.txt", "1\nBald\n000001.jpg x\n", "no whole numbers"),
        ("list_attr_celeba.txt", "1\nBald\n000009.jpg 1\n", "lacks '000009.jpg'"),
        ("list_eval_partition.txt", "000001.jpg 0\n", "lacks '000002.jpg'"),
    ],
)
def test_damaged_lists_are_told(tmp_path, file, text, sentence):
    write(tmp_path)
    (tmp_path / file).unlink() if text is None else (tmp_path / file).write_text(text)
    with pytest.raises(KinlibError, match=sentence):
        read_celeba(tmp_path)


def test_missing_and_wrong_pictures_are_told(tmp_path):
    write(tmp_path)
    first = tmp_path / "img_align_celeba" / "000001.jpg"
    Image.new("RGB", (64, 64)).save(first)
    with pytest.raises(KinlibError, match="64 x 64 px, not CelebA's 178 x 218"):
        read_pictures([first], 32)
    first.write_bytes(b"no picture")
    with pytest.raises(KinlibError, match="cannot be read"):
        read_pictures([first], 32)
    first.unlink()
    with pytest.raises(KinlibError, match="is not there"):
        read_celeba(tmp_path)
    assert not is_celeba(tmp_path / "img_align_celeba")
