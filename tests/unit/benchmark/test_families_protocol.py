"""StyleGene's protocol on folders in the layouts of TSKinFace, FF-Database and FIW, filled with rendered people."""

import json

import numpy as np
import pytest
from PIL import Image

from kinlib import Kinship, families
from kinlib.benchmark.families import TRUE, generate_and_verify
from kinlib.cli import main
from kinlib.evaluation.family_embeddings import embed_families
from kinlib.evaluation.heredity import load_reference
from kinlib.evaluation.heredity.siblings import load_siblings
from kinlib.runtime.errors import KinlibError

FAMILIES = 7  # the fewest that can be split
MATRIX = "MID,1,2,3,Name,Gender\n1,0,5,4,{0}F,m\n2,5,0,4,{0}M,f\n3,1,1,0,{0}S,m\n"


@pytest.fixture(scope="module")
def faces():
    """Of each couple father, mother, and two children."""
    reference, siblings = load_reference(), load_siblings(2)
    return [
        [
            *(Image.open(reference.picture(couple, role)).convert("RGB") for role in ("father", "mother")),
            *siblings[couple],
        ]
        for couple in reference.couples[:FAMILIES]
    ]


def save(picture: Image.Image, path, side: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.resize((side, side)).save(path)


def tskinface(root, faces):
    for number, people in enumerate(faces, 1):
        for letter, face in zip("FMSD", people, strict=True):
            save(face, root / f"TSKinFace_Data/TSKinFace_cropped/FMSD/FMSD-{number}-{letter}.jpg", 64)
    for group in ("FMS", "FMD"):
        (root / "TSKinFace_Data/TSKinFace_cropped" / group).mkdir()
    return root


def ff_database(root, faces):
    for number, people in enumerate(faces, 1):
        family = root / "train" / f"{number:04d}"
        save(people[0], family / "ori.png", 200)
        for name, face in zip(("01112111", "02212111", "03112111"), people[:3], strict=True):
            save(face, family / f"{name}.png", 128)
    return root


def fiw(root, faces):
    """The son was photographed with his father in the first family, and alone in the others."""
    for number, people in enumerate(faces, 1):
        family = root / "FIDs" / f"F{number:04d}"
        for member, face in enumerate(people[:3], 1):
            photo = 1 if number == 1 and member == 3 else member
            save(face, family / f"MID{member}" / f"P{number:03d}{photo:02d}_face{member}.jpg", 224)
        (family / "mid.csv").write_text(MATRIX.format(f"A{number}"))
    return root


def test_generated_children_beside_the_true_ones_of_tskinface(tmp_path, faces):
    tables = families.read(tskinface(tmp_path, faces))
    found = embed_families(tables)
    assert tables.name == "TSKinFace" and len(found) == FAMILIES and found.unread == 0
    assert [len(young) for young in found.children] == [2] * FAMILIES and np.isnan(found.same_photo)
    kin = Kinship.load("studio", device="cpu")
    methods = {"average": ("average", {}), "the father": ("mask", {"father_share": 1.0})}
    table = generate_and_verify(kin, tables, found, methods, num=2, couples=2)
    assert list(table.index) == [TRUE, "average", "the father"]
    assert table["auc"].between(0, 1).all() and table["accuracy"].between(0, 1).all()
    assert table.loc["the father", "diversity"] < 1e-5 < table.loc[TRUE, "diversity"]
    with pytest.raises(KinlibError, match="2 children or more"):
        generate_and_verify(kin, tables, found, methods, num=1)


def test_the_command_says_what_it_found(tmp_path, faces, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = ff_database(tmp_path / "set", faces)
    options = ("--method", "average", "--children", "2", "--couples", "2", "--out", "score.json")
    assert main(["score", "--families", str(root), *options]) == 0
    out = capsys.readouterr().out
    assert "FF-Database: 7 couples, 0 photographs" in out and "100% of the children's photographs show a parent" in out
    stored = json.loads((tmp_path / "score.json").read_text())
    assert stored["families"] == "FF-Database" and set(stored["children"]) == {TRUE, "average"}
    assert stored["children"][TRUE]["diversity"] is None, "one picture of each couple's children"
    assert main(["score", "--families", str(ff_database(tmp_path / "few", faces[:3])), *options[:-2]]) == 2
    assert "from 7 families on, not 3" in capsys.readouterr().err


def test_ff_database_says_that_relatives_share_photographs(tmp_path, faces):
    tables = families.read(ff_database(tmp_path, faces[:3]))
    found = embed_families(tables)
    assert tables.name == "FF-Database" and len(found) == 3 and found.same_photo == 1
    with pytest.raises(KinlibError, match="found of no father, mother and child of FF-Database"):
        embed_families(tables, with_parent=False)


def test_fiw_without_children_photographed_with_a_parent(tmp_path, faces):
    tables = families.read(fiw(tmp_path, faces[:3]))
    found = embed_families(tables)
    assert tables.name == "FIW" and len(found) == 3 and found.same_photo == pytest.approx(1 / 3)
    assert embed_families(tables, with_parent=False).homes == ["F0002", "F0003"]


def test_pictures_without_a_face_are_counted(tmp_path, faces):
    root = ff_database(tmp_path, faces[:3])
    Image.new("RGB", (128, 128)).save(root / "train/0001/01112111.png")
    (root / "train/0002/03112111.png").write_bytes(b"no picture")
    found = embed_families(families.read(root))
    assert found.unread == 2 and found.homes == ["train/0003"]
