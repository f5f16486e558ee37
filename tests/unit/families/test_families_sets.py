"""The other sets' layouts, written here small, with the slips that public loaders fall for. All names are invented."""

import shutil

import numpy as np
import pytest
from scipy.io import savemat

from kinlib import families
from kinlib.families import family_file, ff_database, fiw, kinfacew, readers, trios, tskinface
from kinlib.families.fiw_matrix import read_matrix
from kinlib.families.tables import couples, houses, sex_split
from kinlib.runtime.errors import KinlibError


def pictures(root, *names, content=b"x"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def text(path, *lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())


def parents(tables, child):
    own = tables.relations[tables.relations["child"] == child]
    return dict(zip(own["kind"], own["parent"], strict=True))


# TSKinFace ------------------------------------------------------------------------------------------------------------


def make_tskinface(root, where="TSKinFace_Data/TSKinFace_cropped"):
    for group in tskinface.GROUPS:
        for number in (1, 2, 10):
            pictures(root / where / group, *(f"{group}-{number}-{letter}.jpg" for letter in ("F", "M", *group[2:])))
    return root


@pytest.mark.parametrize("where", ["", "TSKinFace_cropped", "TSKinFace_Data/TSKinFace_Data/TSKinFace_cropped"])
def test_tskinface(tmp_path, where):
    """Loaders that read FMS and FMD only miss the families with two children, and half of these trios."""
    tables = tskinface.read(make_tskinface(tmp_path, where))
    assert tables.name == "TSKinFace" and not tables.problems
    assert tables.people["family"].nunique() == 9  # FMS-1 and FMSD-1 are not one family
    assert len(tables.images) == len(tables.people) == 3 * 3 + 3 * 3 + 3 * 4
    assert tables.people["family"].drop_duplicates().tolist()[:3] == ["FMS-1", "FMS-2", "FMS-10"]
    assert parents(tables, "FMSD-2/D") == {"father": "FMSD-2/F", "mother": "FMSD-2/M"}
    assert couples(tables)["children"].map(len).tolist() == [1] * 6 + [2] * 3
    assert sex_split(tables) == {"female": 9 + 6, "male": 9 + 6, "unknown": 0}
    assert tables.path(tables.images["image"][0]).is_file()


def test_tskinface_with_faults(tmp_path):
    root = make_tskinface(tmp_path) / "TSKinFace_Data" / "TSKinFace_cropped"
    (root / "FMS" / "FMS-2-M.jpg").unlink()
    pictures(root / "FMS", "FMS-1-D.jpg", "FMD-1-F.jpg", "readme.txt", ".DS_Store", "family.jpg")
    pictures(root / "FMD", "FMD-2-M.png", content=b"")
    tables = tskinface.read(tmp_path)
    assert tables.problem_counts() == {"incomplete_house": 1, "hidden_file": 1, "empty_file": 1, "other_file": 4}
    assert parents(tables, "FMS-2/S") == {"father": "FMS-2/F"}
    assert [problem.family for problem in tables.problems if problem.kind == "incomplete_house"] == ["FMS-2"]


def test_tskinface_with_two_pictures_of_one_person(tmp_path):
    """Which of them is meant cannot be told: both are left out, and the family is incomplete."""
    root = make_tskinface(tmp_path) / "TSKinFace_Data" / "TSKinFace_cropped"
    pictures(root / "FMS", "FMS-01-F.jpg")
    tables = tskinface.read(tmp_path)
    assert tables.problem_counts() == {"repeated_number": 2, "incomplete_house": 1}
    assert parents(tables, "FMS-1/S") == {"mother": "FMS-1/M"}


def test_tskinface_without_a_group(tmp_path):
    root = make_tskinface(tmp_path, "x")
    for path in (root / "x" / "FMSD").iterdir():
        path.unlink()
    (root / "x" / "FMSD").rmdir()
    assert tskinface.read(root).problem_counts() == {"missing_folder": 1}


# KinFaceW -------------------------------------------------------------------------------------------------------------


def make_kinfacew(root, where="KinFaceW-II", sizes=None, lists=True):
    sizes = sizes or dict.fromkeys(("fd", "fs", "md", "ms"), 3)
    for folder, kind in kinfacew.FOLDERS.items():
        names = [f"{kind}_{n:03d}_{who}.jpg" for n in range(1, sizes[kind] + 1) for who in (1, 2)]
        pictures(root / where / "images" / folder, *names)
        rows = [[n % 5 + 1, 1, names[2 * n], names[2 * n + 1]] for n in range(sizes[kind])]
        rows += [[n % 5 + 1, 0, names[2 * n], names[2 * n - 1]] for n in range(sizes[kind])]
        if lists:
            write_pairs(root / where, kind, rows)
    return root


def write_pairs(root, kind, rows):
    cells = np.empty((len(rows), 4), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            cells[i, j] = value if isinstance(value, str) else np.array([[value]])
    (root / "meta_data").mkdir(parents=True, exist_ok=True)
    savemat(root / "meta_data" / f"{kind}_pairs.mat", {"pairs": cells})


@pytest.mark.parametrize("where", ["KinFaceW-II", "KinFaceW-II/KinFaceW-II"])
def test_kinfacew(tmp_path, where):
    tables = kinfacew.read(make_kinfacew(tmp_path, where))
    assert tables.name == "KinFaceW-II" and not tables.problems
    assert len(tables.people) == len(tables.images) == 24 and tables.people["family"].nunique() == 12
    assert parents(tables, "ms_002/2") == {"mother": "ms_002/1"}
    sexes = dict(zip(tables.people["person"], tables.people["sex"], strict=True))
    assert [sexes[person] for person in ("fd_001/1", "fd_001/2", "ms_001/1", "ms_001/2")] == [
        *("male", "female", "female", "male"),
    ]
    assert tables.images["photo"][0] == "fd_001"  # both were cut from one photograph
    assert tables.pairs.loc[0].tolist() == ["fd_001/1", "fd_001/2", True, "fd", 1]
    assert tables.pairs["kin"].sum() == 12 and len(tables.pairs) == 24
    assert tables.pairs.loc[3].tolist() == ["fd_001/1", "fd_003/2", False, "fd", 1]
    assert not houses(tables)["complete"].any()  # only one parent is known


def test_kinfacew_one_has_pictures_of_its_own(tmp_path):
    tables = kinfacew.read(make_kinfacew(tmp_path, "KinFaceW-I"))
    assert tables.name == "KinFaceW-I" and tables.images["photo"].isna().all()


def test_kinfacew_under_the_other_name(tmp_path):
    """A public script saves KinFaceW-I's archive as KinFaceW-II.zip: the numbers of pairs tell."""
    root = make_kinfacew(tmp_path, "KinFaceW-II", kinfacew.SIZES["KinFaceW-I"], lists=False)
    tables = kinfacew.read(root / "KinFaceW-II")
    assert tables.name == "KinFaceW-I" and tables.images["photo"].isna().all()
    assert tables.problem_counts() == {"missing_file": 4, "wrong_set": 1}


def test_kinfacew_with_faults(tmp_path):
    root = make_kinfacew(tmp_path) / "KinFaceW-II"
    (root / "images" / "father-son" / "fs_002_2.jpg").unlink()
    pictures(root / "images" / "mother-son", "fd_009_1.jpg", "x.jpg")
    rows = [[1, 1, "md_001_1.jpg", "md_002_2.jpg"], [1, 0, "md_001_1.jpg", "md_001_2.jpg"], ["a", 1, "b", "c"]]
    write_pairs(root, "md", [*rows, [2, 1, "md_003_1.jpg", "md_003_2.jpg"]])
    (root / "meta_data" / "ms_pairs.mat").write_bytes(b"damaged")
    tables = kinfacew.read(root)
    counts = {"malformed_line": 1, "incomplete_house": 1, "missing_file": 2, "other_file": 2, "unreadable": 1}
    assert tables.problem_counts() == {**counts, "wrong_pair": 2}
    assert tables.pairs["kind"].value_counts().to_dict() == {"fd": 6, "fs": 4, "md": 1}
    assert [p.where for p in tables.problems if p.kind == "wrong_pair"] == [
        *("meta_data/md_pairs.mat:1", "meta_data/md_pairs.mat:2"),
    ]


# FIW ------------------------------------------------------------------------------------------------------------------

MATRIX = [  # father 1, mother 2, son 3, his daughter 4
    "MID,1,2,3,4,Name,Gender",
    "1,0,5,4,6,Al Bo,m",
    "2,5,0,4,6,Cy Bo,Female",
    "3,1,1,0,4,Di Bo,M",
    "4,3,3,1,0,Ed Bo,f",
]


def make_fiw(root, lines=MATRIX, end="\r\n", name="mid.csv"):
    text(root / "FIDs" / "F0001" / name, *lines, end=end)
    for mid in (1, 2, 3, 4):
        pictures(root / "FIDs" / "F0001" / f"MID{mid}", f"P00009_face{mid}.jpg", f"P0001{mid}_face0.jpg")
    text(root / "FIDs" / "FIW_FIDs.csv", "FID,surname")
    return root


@pytest.mark.parametrize("name", ["mid.csv", "F0001.csv"])
def test_fiw(tmp_path, name):
    """Counted from the left instead of by its heading, column 1 would be MID0 and all relations one person off."""
    tables = fiw.read(make_fiw(tmp_path, name=name))
    assert tables.name == "FIW" and not tables.problems
    assert tables.people.loc[0].tolist() == ["F0001/MID1", "F0001", "Al Bo", "male"]
    assert tables.people["sex"].tolist() == ["male", "female", "male", "female"]
    assert parents(tables, "F0001/MID3") == {"father": "F0001/MID1", "mother": "F0001/MID2"}
    assert parents(tables, "F0001/MID4") == {"father": "F0001/MID3"} and len(tables.relations) == 3
    assert tables.relations["line"].tolist() == [4, 4, 5] and tables.relations["house"].tolist() == [1, 1, 2]
    assert trios.build(tables)["child"].tolist() == ["F0001/MID3"]
    assert tables.images["photo"].tolist()[:2] == ["P00009", "P00011"]
    assert (tables.images["photo"] == "P00009").sum() == 4  # four relatives on one photograph
    assert houses(tables)["complete"].tolist() == [True, False]
    assert tables.path(tables.images["image"][0]).is_file()


def test_fiw_relations_that_do_not_mirror(tmp_path):
    lines = [*MATRIX[:3], "3,4,1,0,4,Di Bo,M", MATRIX[4]]  # MID3 and MID1 are each other's parent
    tables = fiw.read(make_fiw(tmp_path, lines))
    assert tables.problem_counts() == {"unmirrored": 1}
    assert tables.problems[0].where == "F0001/mid.csv:2" and "MID3" in tables.problems[0].text
    assert parents(tables, "F0001/MID3") == {"mother": "F0001/MID2"}


def test_fiw_missing_folders_are_told_by_line(tmp_path):
    root = make_fiw(tmp_path)
    shutil.rmtree(root / "FIDs" / "F0001" / "MID3")
    tables = fiw.read(root)
    (problem,) = tables.problems
    assert (problem.kind, problem.where, problem.person) == ("missing_folder", "F0001/mid.csv:4", "F0001/MID3")
    assert "no folder F0001/MID3" in problem.text


@pytest.mark.parametrize(
    ("sexes", "kept"),
    [
        ("mmf", {"mother": "F1/MID3"}),
        ("mfm", {"mother": "F1/MID2"}),
        ("mf?", {"father": "F1/MID1", "mother": "F1/MID2"}),
        ("mm", {}),
        ("m?", {"father": "F1/MID1", "parent": "F1/MID2"}),
        ("???", {}),
    ],
)
def test_fiw_parents_who_exclude_each_other(sexes, kept):
    count = len(sexes)
    lines = ["MID," + ",".join(str(n + 1) for n in range(count + 1)) + ",Name,Gender"]
    lines += [f"{n + 1}," + "0," * count + f"4,P{n},{sex}" for n, sex in enumerate(sexes)]
    lines += [f"{count + 1}," + "1," * count + "0,Kid,f"]
    found = read_matrix(lines, "F1", "F1/mid.csv")
    assert {kind: parent for parent, _, kind, _, _ in found.relations} == kept
    assert ("too_many_parents" in [problem.kind for problem in found.problems]) == (len(kept) < count)


def test_fiw_faults_of_the_list(tmp_path):
    lines = [*MATRIX[:2], "2,5,0,4,66,Cy Bo,x", "2,5,0,4,6,Twice,f", "3,1,1,0,4,Di", ",1,2", MATRIX[4], "", ",,,"]
    root = make_fiw(tmp_path, lines)
    (root / "FIDs" / "F0002").mkdir()
    pictures(root / "FIDs", "F0001/unrelated_and_nonfaces/P1_face1.jpg", "loose.jpg", "F0001/MID2/oddly_named.jpg")
    tables = fiw.read(root)
    assert tables.problem_counts() == {
        **{"malformed_line": 2, "repeated_line": 1, "unknown_sex": 1, "unmirrored": 1, "unknown_code": 1},
        **{"unlisted_folder": 3, "missing_file": 1, "other_file": 1},
    }
    assert tables.people["person"].tolist() == ["F0001/MID1", "F0001/MID2", "F0001/MID4"]
    assert tables.images.loc[tables.images["image"].str.contains("oddly"), "photo"].isna().all()


def test_fiw_of_kaggle(tmp_path):
    pairs = ["p1,p2", "F0002/MID1,F0002/MID3", "F0002/MID3,F0002/MID1", "F0002/MID1,F0009/MID1", "F0002/MID1", ""]
    text(tmp_path / "train_relationships.csv", *pairs, "F0002//MID2,F0002/MID1", "F0002/MID1,F0002/MID1")
    pictures(tmp_path / "train-faces", "F0002/MID1/P00009_face3.jpg", "F0002/MID2/P00009_face1.jpg")
    pictures(tmp_path / "train-faces", "F0010/MID1/P00010_face0.jpg")
    pictures(tmp_path / "test", "face00001.jpg")
    tables = fiw.read(tmp_path)
    assert tables.problem_counts() == {"malformed_line": 2, "repeated_line": 1, "missing_folder": 1, "wrong_pair": 1}
    missing = [problem.where for problem in tables.problems if problem.kind == "missing_folder"]
    assert missing == ["train_relationships.csv:2"]  # where MID3 is first named
    assert tables.relations.empty and tables.members.empty  # the list does not say who is whose parent
    assert tables.pairs[["first", "second"]].to_numpy().tolist() == [
        ["F0002/MID1", "F0002/MID3"],
        ["F0002/MID2", "F0002/MID1"],
    ]
    assert tables.people["person"].tolist() == ["F0002/MID1", "F0002/MID2", "F0002/MID3", "F0010/MID1"]
    assert tables.images["photo"].tolist() == ["P00009", "P00009", "P00010"]
    assert tables.images_of["F0002/MID3"] == []  # in the list, without pictures
    assert tables.path(tables.images["image"][0]).is_file()


# FF-Database ----------------------------------------------------------------------------------------------------------


def make_ff(root):
    pictures(root / "train" / "0001", "ori.png", "01111111.png", "02211111.png", "03111111.png", "04211111.png")
    pictures(root / "train" / "0002", "ori.png", "02211111.png", "03211111.png")
    pictures(root / "test" / "0001", "01111111.png", "02211111.png", "03111111.png")
    return root


def test_ff_database(tmp_path):
    """Names left over from the family before have given children parents of another family."""
    tables = ff_database.read(make_ff(tmp_path))
    assert tables.name == "FF-Database"
    assert tables.problem_counts() == {"incomplete_house": 1}
    assert parents(tables, "train/0001/03") == {"father": "train/0001/01", "mother": "train/0001/02"}
    assert parents(tables, "train/0002/03") == {"mother": "train/0002/02"}  # no father, least of all 0001's
    assert tables.people["family"].unique().tolist() == ["train/0001", "train/0002", "test/0001"]
    assert sex_split(tables) == {"female": 5, "male": 4, "unknown": 0}
    assert tables.images.groupby("photo", dropna=False)["image"].count().tolist() == [4, 2, 3]
    assert tables.images["photo"][0] == "train/0001/ori.png" and tables.images["photo"].isna().sum() == 3
    assert not tables.images["image"].str.contains("ori").any()


def test_ff_database_with_faults(tmp_path):
    root = make_ff(tmp_path)
    pictures(root / "train" / "0001", "05911111.png", "notes.txt", "x.png", "00111111.png", ".DS_Store")
    pictures(root / "train" / "0003", "01111111.png", "01211111.png", "02111111.png", "03111111.png")
    tables = ff_database.read(root)
    assert tables.problem_counts() == {
        **{"incomplete_house": 1, "differing_sex": 1, "unknown_sex": 1, "repeated_number": 2},
        **{"hidden_file": 1, "other_file": 3},
    }
    assert parents(tables, "train/0003/03") == {"mother": "train/0003/02"}
    assert tables.members.loc[tables.members["person"] == "train/0001/05", "role"].tolist() == ["child"]


@pytest.mark.parametrize("part", ["", "train"])
def test_ff_database_without_parts(tmp_path, part):
    make_ff(tmp_path)
    tables = ff_database.read(tmp_path / part)
    assert ("0001" if part else "train/0001") in set(tables.people["family"])


# All of them ----------------------------------------------------------------------------------------------------------


def make_family101(root):
    text(root / "FAMILY101.txt", "0\tFAMI\tBO", "1\tHUSB\tAl_Bo", "1\tWIFE\tCy_Bo", "1\tSONN\tDi_Bo", end="\r\n")
    return root


MAKERS = {
    "family101": make_family101,
    "tskinface": make_tskinface,
    "kinfacew": make_kinfacew,
    "fiw": make_fiw,
    "ff_database": make_ff,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_set_is_recognised(tmp_path, kind):
    root = MAKERS[kind](tmp_path)
    assert readers.recognise(root) == kind
    tables = families.read(root)
    assert tables.name == families.read(root, kind).name
    people = set(tables.people["person"])
    assert tables.people["person"].is_unique and tables.images["image"].is_unique
    assert set(tables.images["person"]) <= people and set(tables.members["person"]) <= people
    assert set(tables.relations["parent"]) | set(tables.relations["child"]) <= people
    for problem in tables.problems:
        assert problem.kind in families.tables.KINDS


def test_every_maker_has_a_test():
    assert set(MAKERS) == set(families.READERS)


def test_folders_with_no_set_or_several(tmp_path):
    pictures(tmp_path / "a", "1.jpg")
    with pytest.raises(KinlibError, match="holds none of the data sets family101"):
        families.read(tmp_path / "a")
    with pytest.raises(KinlibError, match="does not exist"):
        families.read(tmp_path / "b")
    make_family101(tmp_path / "c")
    make_tskinface(tmp_path)
    with pytest.raises(KinlibError, match="holds family101 and tskinface"):
        families.read(tmp_path)
    assert families.read(tmp_path, "tskinface").name == "TSKinFace"
    with pytest.raises(KinlibError, match="unknown data set 'lfw'"):
        families.read(tmp_path, "lfw")
    make_tskinface(tmp_path, "copy/TSKinFace_cropped")
    with pytest.raises(KinlibError, match="more than once"):
        families.read(tmp_path, "tskinface")


@pytest.mark.parametrize("kind", MAKERS)
def test_a_reader_says_what_it_misses(tmp_path, kind):
    with pytest.raises(KinlibError, match=r"^(there|').*: give ") as error:
        readers.READERS[kind].read(tmp_path)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,0,inf,Ann,f", "MID1 is 'inf' to MID2, which is no code from 0 to 9"),
        ("1,0," + "9" * 400 + ",Ann,f", "which is no code from 0 to 9"),
        ("9" * 23 + ",0,1,Ann,f", "a line that lacks its number or columns"),
        ('1,0,1,"' + "x" * 200_000, "the list is no table: field larger than field limit"),
    ],
)
def test_numbers_and_fields_that_no_list_has(line, words):
    found = read_matrix(["MID,1,2,Name,Gender", line, "2,1,0,Bob,m"], "F1", "F1/mid.csv")
    assert any(words in problem.text for problem in found.problems)


def test_house_numbers_that_no_table_holds():
    rows, problems = family_file.parse(["0\tFAMI\tASH", "9" * 23 + "\tHUSB\tJohn_Ash"], "FAMILY101.txt")
    assert rows == [] and problems[0].kind == "malformed_line" and problems[0].where == "FAMILY101.txt:2"
