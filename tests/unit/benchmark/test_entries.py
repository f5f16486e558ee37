"""Children from a method, a function of a file, and a folder of pictures."""

import json

import pytest
import skimage.data
import torch
from PIL import Image

from kinlib import Kinship
from kinlib.benchmark.entries import encode_parents, export_couples, from_file, generate, list_pictures, read_pictures
from kinlib.evaluation.heredity import load_reference
from kinlib.inheritance import registry
from kinlib.runtime.errors import KinlibError

MINE = """
from neighbour import share
def inherit(father, mother, generator):
    return share * father + (1 - share) * mother
def wrong(father, mother, generator):
    return father[:, :1]
def failing(father, mother, generator):
    raise IndexError("no\\nsuch layer")
number = 3
"""


@pytest.fixture(scope="module")
def reference():
    return load_reference()


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "neighbour.py").write_text("share = 0.25\n")
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_a_function_of_a_file_is_a_method(mine):
    father, mother = torch.ones(2, 12, 512), torch.zeros(2, 12, 512)
    with from_file(f"{mine}:inherit") as method:
        assert method == "mine.py:inherit" and method in registry.available("studio")
        child = registry.create(method)(father, mother, torch.Generator())
        torch.testing.assert_close(child, torch.full((2, 12, 512), 0.25))
    assert method not in registry.names()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "no function 'absent'"),
        ("number", "no function 'number'"),
        ("wrong", r"finite tensor \[1, 12, 512\], not \[1, 1, 512\]"),
        ("failing", "IndexError: no such layer"),
    ],
)
def test_functions_that_cannot_be_used(mine, name, words):
    code = torch.zeros(1, 12, 512)
    with pytest.raises(KinlibError, match=words) as caught, from_file(f"{mine}:{name}") as method:
        registry.create(method)(code, code, torch.Generator())
    assert "\n" not in str(caught.value) and not any("mine.py" in name for name in registry.names())


@pytest.mark.parametrize(
    ("content", "words"), [("def inherit(:", "SyntaxError"), ("import nowhere_to_be_found", "ModuleNotFoundError")]
)
def test_files_that_cannot_be_run(tmp_path, content, words):
    (tmp_path / "bad.py").write_text(content)
    with pytest.raises(KinlibError, match=words) as caught, from_file(f"{tmp_path / 'bad.py'}:inherit"):
        pass
    assert "\n" not in str(caught.value)
    with pytest.raises(KinlibError, match="there is no file"), from_file(f"{tmp_path / 'none.py'}:inherit"):
        pass


def test_children_of_couples_differ_and_are_those_of_their_seeds(reference):
    kin = Kinship.load("studio", device="cpu")
    couples = reference.couples[:2]
    generated = dict(generate(kin, "mask", encode_parents(kin, reference, couples), 2, 5))
    assert list(generated) == list(couples) and all(len(children) == 2 for children in generated.values())
    parents = [reference.picture(couples[1], role) for role in ("father", "mother")]
    expected = kin.children(*parents, 2, "mask", 1005)
    assert [a.tobytes() for a in generated[couples[1]]] == [child.image.tobytes() for child in expected]


def folder_of(root, reference, counts: dict[str, int]):
    for couple, count in counts.items():
        (root / couple).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (64, 64), (number, 0, 0)).save(root / couple / f"{number}.png")
    return root


def test_a_folder_of_pictures(tmp_path, reference):
    first, second = reference.couples[:2]
    root = folder_of(tmp_path, reference, {second: 2, first: 3})
    (root / first / "notes.txt").write_text("")
    (root / ".cache").mkdir()
    found = list_pictures(root, reference)
    assert {couple: [path.name for path in paths] for couple, paths in found.items()} == {
        first: ["0.png", "1.png", "2.png"],
        second: ["0.png", "1.png"],
    }
    assert [picture.getpixel((0, 0))[0] for picture in read_pictures(found[first], align=False)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("counts", "words"),
    [({}, "holds no folder of a couple"), ({"couple_77": 2}, "'couple_77' is no couple"), ({"couple_01": 1}, "2 pict")],
)
def test_folders_that_cannot_be_scored(tmp_path, reference, counts, words):
    with pytest.raises(KinlibError, match=words) as caught:
        list_pictures(folder_of(tmp_path, reference, counts), reference)
    assert "\n" not in str(caught.value)
    with pytest.raises(KinlibError, match="there is no folder"):
        list_pictures(tmp_path / "nowhere", reference)


def test_photographs_are_aligned_if_asked(tmp_path):
    Image.fromarray(skimage.data.astronaut()[:, 20:]).save(tmp_path / "one.png")
    with pytest.raises(KinlibError, match="492 x 512 px: an aligned face is square"):
        read_pictures([tmp_path / "one.png"], align=False)
    (face,) = read_pictures([tmp_path / "one.png"], align=True)
    assert face.size == (256, 256)


def test_couples_are_exported(tmp_path, reference):
    path = export_couples(reference, tmp_path / "new" / "couples")
    rows = json.loads(path.read_text())
    assert [row["couple"] for row in rows] == list(reference.couples)
    for row in rows:
        for role in ("father", "mother"):
            assert (path.parent / row[role]).read_bytes() == reference.picture(row["couple"], role).read_bytes()
