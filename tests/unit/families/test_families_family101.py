"""Family101's list and folders, written here with every slip that real ones have. All names are invented."""

import json

import pytest

from kinlib.families import family101
from kinlib.families.source import folded, natural, read_lines
from kinlib.families.tables import KINDS, couples, extended_families, houses, roles, sex_split
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

SMITH = [
    *("0\tFAMI\tSMITH", "1\tHUSB\tJohn_Smith", "1\tWIFE\tAnn_Miller", "1\tSONN\tBob_Smith", "1\tDAUG\tCleo_Smith"),
    *("2\tHUSB\tBob_Smith", "2\tWIFE\tEve_Jones", "2\tSONN\tDan_Smith"),
]


@pytest.fixture
def make(tmp_path):
    """Write a set: the lines of the list, and the folders of people with one picture each."""

    def write(lines, folders=None, encoding="utf-8", end="\r\n", name="FAMILY101.txt", where=""):
        root = tmp_path / where
        root.mkdir(exist_ok=True)
        (root / name).write_bytes("".join(line + end for line in lines).encode(encoding))
        family = None
        for line in lines if folders is None else []:
            _, role, person = line.split("\t")
            family = person if role == "FAMI" else family
            if role != "FAMI":
                picture(root / family / person / "0001.jpg")
        for folder in folders or []:
            picture(root / folder / "0001.jpg")
        return root

    return write


def picture(path, content=b"\xff\xd8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def kinds(tables):
    return [problem.kind for problem in tables.problems]


def parents(tables, child):
    own = tables.relations[tables.relations["child"] == child]
    return dict(zip(own["kind"], own["parent"], strict=True))


def test_a_clean_set(make):
    tables = family101.read(make(SMITH))
    assert kinds(tables) == []
    assert tables.name == "Family101"
    assert tables.people["person"].is_unique and len(tables.people) == 6  # Bob stands twice in the list
    assert tables.people.loc[2].tolist() == ["SMITH/Bob_Smith", "SMITH", "Bob_Smith", "male"]
    assert tables.images["image"].is_unique and len(tables.images) == 6
    assert tables.images.loc[0].tolist() == ["SMITH/John_Smith/0001.jpg", "SMITH/John_Smith", None]
    assert tables.path(tables.images["image"][0]).is_file()
    assert parents(tables, "SMITH/Dan_Smith") == {"father": "SMITH/Bob_Smith", "mother": "SMITH/Eve_Jones"}
    assert tables.relations.loc[0, ["house", "line"]].tolist() == [1, 4]
    assert tables.children("SMITH/John_Smith") == ["SMITH/Bob_Smith", "SMITH/Cleo_Smith"]
    assert tables.spouses("SMITH/Bob_Smith") == ["SMITH/Eve_Jones"]


def test_counts(make):
    tables = family101.read(make(SMITH))
    assert sex_split(tables) == {"female": 3, "male": 3, "unknown": 0}
    assert roles(tables)["role"].value_counts().to_dict() == {"husband": 2, "wife": 2, "son": 2, "daughter": 1}
    assert couples(tables)[["father", "children"]].to_numpy().tolist() == [
        ["SMITH/John_Smith", ["SMITH/Bob_Smith", "SMITH/Cleo_Smith"]],
        ["SMITH/Bob_Smith", ["SMITH/Dan_Smith"]],
    ]
    assert tables.private  # these might be real people
    assert extended_families(tables).to_numpy().tolist() == [["SMITH", 6, 2, 6]]
    assert houses(tables)["complete"].tolist() == [True, True]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_line_ends(make, end):
    """Two public loaders split the text at CRLF after Python had made every line end a LF, and got one long line."""
    assert len(family101.read(make(SMITH, end=end)).people) == 6


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(make, encoding):
    lines = ["0\tFAMI\tNÚÑEZ", "1\tHUSB\tJosé_Núñez", "1\tWIFE\tZoë_Roß", "1\tSONN\tÅke_Núñez"]
    tables = family101.read(make(lines, encoding=encoding))
    assert tables.people["name"].tolist() == ["José_Núñez", "Zoë_Roß", "Åke_Núñez"]
    assert len(tables.images) == 3 and not tables.problems


def test_latin_1_names_keep_their_line(tmp_path):
    """0x85 is a letter's neighbour in Latin-1 texts and a line end to `str.splitlines`."""
    (tmp_path / "list.txt").write_bytes(b"a\x85b\xe9\r\nc")
    assert read_lines(tmp_path / "list.txt") == ["a\x85b\xe9", "c"]


def test_blanks_tabs_and_empty_lines(make):
    lines = ["", "0  FAMI  SMITH", " 1 husb\tJohn_Smith ", "1\t\tWIFE\tAnn_Miller\t", "   ", "1 SONN Bob Smith"]
    tables = family101.read(make(lines, folders=["SMITH/John_Smith", "SMITH/Ann_Miller", "SMITH/Bob_Smith"]))
    assert tables.people["name"].tolist() == ["John_Smith", "Ann_Miller", "Bob Smith"]
    assert kinds(tables) == ["folder_spelling"]  # the list's "Bob Smith" is the folder's Bob_Smith
    assert len(tables.images) == 3


def test_lines_that_cannot_be_read(make):
    lines = [
        *(
            "1\tHUSB\tLost_Man",
            *SMITH[:4],
            "x\tSONN\tNobody",
            "1\tSONN",
            "1\tCOUS\tCarl_Smith",
            "one word",
            "-1\tSONN\tN_N",
        ),
        "1\tSONN\tTwo\tNames",
    ]
    tables = family101.read(make(lines, folders=["SMITH/John_Smith", "SMITH/Ann_Miller", "SMITH/Bob_Smith"]))
    assert kinds(tables) == ["no_family", *["malformed_line"] * 2, "unknown_role", *["malformed_line"] * 3]
    assert [problem.where for problem in tables.problems] == [f"FAMILY101.txt:{n}" for n in (1, 6, 7, 8, 9, 10, 11)]
    assert tables.people["name"].tolist() == ["John_Smith", "Ann_Miller", "Bob_Smith"]


@pytest.mark.parametrize("header", ["0\tFAMI", "0\tFAMILY\tHILL"])
def test_members_below_a_damaged_header_are_not_given_to_the_family_before(make, header):
    lines = [*SMITH[:4], header, "1\tHUSB\tJoe_Hill", "1\tWIFE\tKay_Lamb", "1\tDAUG\tUna_Hill"]
    tables = family101.read(make(lines, folders=["SMITH/John_Smith", "SMITH/Ann_Miller", "SMITH/Bob_Smith"]))
    assert set(tables.people["family"]) == {"SMITH"} and len(tables.people) == 3
    assert kinds(tables)[1:] == ["no_family"] * 3


def test_a_header_with_another_number_and_one_that_comes_again(make):
    lines = [
        "1\tFAMI\tSMITH",
        *SMITH[1:5],
        "0\tFAMI\tHILL",
        "1\tHUSB\tJoe_Hill",
        "1\tWIFE\tKay_Lamb",
        "1\tSONN\tIan_Hill",
    ]
    tables = family101.read(make([*lines, *SMITH[:1], *SMITH[5:]]))
    assert kinds(tables) == ["header_number", "repeated_family"]
    assert parents(tables, "SMITH/Dan_Smith")["father"] == "SMITH/Bob_Smith"


def test_a_house_number_that_comes_again_with_another_couple(make):
    """As with the real list's Presley family: two nuclear families, both called 1."""
    lines = [*SMITH[:5], "1\tHUSB\tBob_Smith", "1\tWIFE\tEve_Jones", "1\tSONN\tDan_Smith", "3\tHUSB\tDan_Smith"]
    tables = family101.read(make([*lines, "3\tWIFE\tFay_Wood", "3\tSONN\tGus_Smith"]))
    assert kinds(tables) == ["repeated_house"]
    problem = tables.problems[0]
    assert (problem.where, problem.family, problem.house) == ("FAMILY101.txt:6", "SMITH", 2)
    assert houses(tables)["house"].tolist() == [1, 2, 3] and houses(tables)["complete"].all()
    assert parents(tables, "SMITH/Dan_Smith") == {"father": "SMITH/Bob_Smith", "mother": "SMITH/Eve_Jones"}
    assert parents(tables, "SMITH/Cleo_Smith") == {"father": "SMITH/John_Smith", "mother": "SMITH/Ann_Miller"}


def test_a_repeated_number_without_children_between(make):
    lines = [*SMITH[:3], "1\tHUSB\tBob_Smith", "1\tWIFE\tEve_Jones", "1\tSONN\tDan_Smith"]
    tables = family101.read(make(lines))
    assert kinds(tables) == ["repeated_house", "incomplete_house"] or kinds(tables) == [
        "incomplete_house",
        "repeated_house",
    ]
    assert parents(tables, "SMITH/Dan_Smith")["mother"] == "SMITH/Eve_Jones"


def test_rows_of_a_house_in_any_order_and_in_two_places(make):
    lines = [SMITH[0], SMITH[3], SMITH[1], *SMITH[5:], SMITH[2], SMITH[4]]
    tables = family101.read(make(lines))
    assert kinds(tables) == []
    assert parents(tables, "SMITH/Cleo_Smith") == {"father": "SMITH/John_Smith", "mother": "SMITH/Ann_Miller"}


@pytest.mark.parametrize(
    ("extra", "kind", "known"),
    [("HUSB\tRex_Smith", "several_husbands", "mother"), ("WIFE\tUma_Miller", "several_wives", "father")],
)
def test_two_of_a_sex_in_one_house(make, extra, kind, known):
    tables = family101.read(make([*SMITH[:3], f"1\t{extra}", *SMITH[3:5]]))
    assert kinds(tables) == [kind]
    assert list(parents(tables, "SMITH/Bob_Smith")) == [known]  # no guess about the other
    assert len(tables.people) == 5 and len(tables.members) == 5  # nobody is dropped
    assert not houses(tables)["complete"].any()


def test_a_second_wife_below_the_children_is_no_couple_of_her_own(make):
    tables = family101.read(make([*SMITH[:4], "1\tWIFE\tUma_Wood", "1\tDAUG\tCleo_Smith"]))
    assert kinds(tables) == ["several_wives"]
    for child in ("Bob", "Cleo"):
        assert parents(tables, f"SMITH/{child}_Smith") == {"father": "SMITH/John_Smith"}


def test_another_house_can_tell_which_of_two_husbands_is_the_father(make):
    lines = [
        *SMITH[:2],
        "1\tHUSB\tRex_Smith",
        *SMITH[2:4],
        "2\tHUSB\tRex_Smith",
        "2\tWIFE\tAnn_Miller",
        "2\tSONN\tBob_Smith",
    ]
    tables = family101.read(make(lines))
    assert set(kinds(tables)) == {"several_husbands", "two_houses"}
    assert parents(tables, "SMITH/Bob_Smith") == {"father": "SMITH/Rex_Smith", "mother": "SMITH/Ann_Miller"}


def test_a_child_of_two_houses(make):
    lines = [*SMITH[:4], "2\tHUSB\tJohn_Smith", "2\tWIFE\tUma_Wood", "2\tDAUG\tCleo_Smith", "2\tSONN\tBob_Smith"]
    tables = family101.read(make(lines))
    problem = tables.problems[0]
    assert kinds(tables) == ["two_houses"]
    assert (problem.person, problem.house, problem.where) == ("SMITH/Bob_Smith", 2, "FAMILY101.txt:8")
    assert parents(tables, "SMITH/Bob_Smith") == {"father": "SMITH/John_Smith"}  # they agree about him only
    assert parents(tables, "SMITH/Cleo_Smith")["mother"] == "SMITH/Uma_Wood"


@pytest.mark.parametrize("drop", [1, 2])
def test_a_house_without_a_parent(make, drop):
    lines = [line for number, line in enumerate(SMITH[:4]) if number != drop]
    tables = family101.read(make(lines))
    assert kinds(tables) == ["incomplete_house"]
    assert ("husband", "wife")[drop - 1] in tables.problems[0].text
    assert len(tables.relations) == 1 and not houses(tables)["complete"][0]


def test_a_house_without_children(make):
    tables = family101.read(make(SMITH[:3]))
    assert kinds(tables) == ["incomplete_house"] and "no child" in tables.problems[0].text


def test_a_line_that_comes_again(make):
    tables = family101.read(make([*SMITH[:4], SMITH[3], SMITH[1]]))
    assert kinds(tables) == ["repeated_line"] * 2
    assert len(tables.relations) == 2 and len(tables.members) == 3


def test_one_person_of_two_sexes(make):
    tables = family101.read(make([*SMITH[:3], "1\tDAUG\tBob_Smith", *SMITH[5:]]))
    assert kinds(tables) == ["differing_sex"]
    assert tables.problems[0].person == "SMITH/Bob_Smith" and tables.problems[0].where == "FAMILY101.txt:5"
    assert sex_split(tables)["unknown"] == 1
    assert parents(tables, "SMITH/Dan_Smith")["father"] == "SMITH/Bob_Smith"  # in that house he is the husband


def test_nobody_is_among_the_own_ancestors(make):
    lines = [*SMITH[:4], "2\tHUSB\tBob_Smith", "2\tWIFE\tEve_Jones", "2\tDAUG\tAnn_Miller", "3\tHUSB\tRex_Hill"]
    tables = family101.read(make([*lines, "3\tWIFE\tUma_Wood", "3\tSONN\tRex_Hill", "3\tDAUG\tIda_Hill"]))
    assert kinds(tables) == ["own_ancestor"] * 3  # Ann is mother and daughter of Bob, Rex his own father
    assert parents(tables, "SMITH/Bob_Smith") == {"father": "SMITH/John_Smith"}
    assert parents(tables, "SMITH/Ann_Miller") == {"mother": "SMITH/Eve_Jones"}
    assert parents(tables, "SMITH/Rex_Hill") == {"mother": "SMITH/Uma_Wood"}
    assert parents(tables, "SMITH/Ida_Hill") == {"father": "SMITH/Rex_Hill", "mother": "SMITH/Uma_Wood"}


def test_one_name_in_two_families(make):
    lines = [*SMITH, "0\tFAMI\tHILL", "1\tHUSB\tJoe_Hill", "1\tWIFE\tCleo_Smith", "1\tSONN\tIan_Hill"]
    tables = family101.read(make(lines))
    assert kinds(tables) == ["same_name"]
    assert len(tables.people[tables.people["name"] == "Cleo_Smith"]) == 2


def test_folders(make):
    root = make(SMITH[:5], folders=["SMITH/JOHN-SMITH", "SMITH/Ann_Milner", "SMITH/Stray_Dog", "HILL/Joe_Hill"])
    (root / "SMITH" / "Bob_Smith" / "old").mkdir(parents=True)
    tables = family101.read(root)
    assert tables.problem_counts() == {
        **{"missing_folder": 2, "folder_spelling": 1, "empty_folder": 1, "unlisted_folder": 4},
    }
    assert tables.images["person"].tolist() == ["SMITH/John_Smith"]
    missing = {problem.person: problem.text for problem in tables.problems if problem.kind == "missing_folder"}
    lines = {problem.person: problem.where for problem in tables.problems if problem.kind == "missing_folder"}
    assert lines == {"SMITH/Ann_Miller": "FAMILY101.txt:3", "SMITH/Cleo_Smith": "FAMILY101.txt:5"}
    assert "no folder SMITH/Cleo_Smith" in missing["SMITH/Cleo_Smith"]
    assert "Ann_Milner" in missing["SMITH/Ann_Miller"] and set(missing) == {"SMITH/Ann_Miller", "SMITH/Cleo_Smith"}
    stray = {problem.where: problem.text for problem in tables.problems if problem.kind == "unlisted_folder"}
    assert set(stray) == {"SMITH/Bob_Smith/old", "SMITH/Ann_Milner", "SMITH/Stray_Dog", "HILL"}
    assert "1 images" in stray["HILL"]


def test_a_family_without_a_folder(make):
    tables = family101.read(make(SMITH[:4], folders=["HILL/Joe_Hill"]))
    assert tables.problem_counts() == {"missing_folder": 3, "unlisted_folder": 1}
    lines = {problem.where for problem in tables.problems if problem.kind == "missing_folder"}
    assert lines == {"FAMILY101.txt:2", "FAMILY101.txt:3", "FAMILY101.txt:4"}
    assert tables.images.empty and list(tables.images.columns) == ["image", "person", "photo"]


def test_files(make):
    root = make(SMITH[:4])
    own = root / "SMITH" / "Bob_Smith"
    for name, content in ((".DS_Store", b"x"), ("._0001.jpg", b"x"), ("Thumbs.db", b"x"), ("0002.JPG", b"x")):
        picture(own / name, content)
    picture(own / "0003.jpg", b"")
    picture(own / "note.txt")
    (own / "0004.jpg").symlink_to(root / "nowhere.jpg")
    picture(root / "SMITH" / "group.jpg")
    tables = family101.read(root)
    assert tables.problem_counts() == {"hidden_file": 3, "empty_file": 1, "other_file": 2, "unreadable": 1}
    assert [image for image in tables.images["image"] if "Bob" in image] == [
        "SMITH/Bob_Smith/0001.jpg",
        "SMITH/Bob_Smith/0002.JPG",
    ]
    assert {problem.person for problem in tables.problems if problem.kind == "hidden_file"} == {"SMITH/Bob_Smith"}


def test_names_that_are_no_text_break_no_table(make, tmp_path):
    root = make(SMITH[:4])
    try:
        (root / "SMITH" / "Bob_Smith" / b"\xff\xfe.jpg".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system refuses such names")
    tables = family101.read(root)
    assert tables.problem_counts() == {"unreadable": 1}
    tables.images.to_parquet(tmp_path / "images.parquet")
    assert tables.problems[0].where.encode("utf-8")


def test_pictures_are_in_natural_order(make):
    root = make(SMITH[:4])
    for number in (10, 9, 100):
        picture(root / "SMITH" / "Bob_Smith" / f"Bob_{number}.jpg")
    own = family101.read(root).images_of["SMITH/Bob_Smith"]
    assert [image.rpartition("/")[2] for image in own] == ["0001.jpg", "Bob_9.jpg", "Bob_10.jpg", "Bob_100.jpg"]


def test_where_the_list_may_lie(make, tmp_path):
    make(SMITH, name="Family101.TXT", where="Family101_150x120")
    assert len(family101.read(tmp_path).people) == 6


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda root: root / "nowhere", "does not exist"),
        (lambda root: root, "there is no FAMILY101.txt"),
        (lambda root: (root / "FAMILY101.txt").write_text("Hello\n") and root, "lists no people"),
        (lambda root: (root / "FAMILY101.txt").write_text("0\tFAMI\tX\n") and root / "FAMILY101.txt", "is a file"),
    ],
)
def test_folders_that_hold_no_families(tmp_path, prepare, words):
    with pytest.raises(KinlibError, match=words):
        family101.read(prepare(tmp_path))


def test_comparing_and_sorting_names():
    assert folded("José  Núñez-Roß") == folded("JOSE_NUNEZ_ROSS")
    assert folded("Ann_Smith") != folded("Anna_Smith")
    assert sorted(["b10", "b9", "B1", "a"], key=natural) == ["B1", "a", "b9", "b10"]


def test_every_problem_has_a_kind_that_is_explained(make):
    lines = ["1\tHUSB\tX", *SMITH[:3], "1\tHUSB\tRex_Smith", "1\tKID\tY", SMITH[3], "7\tSONN\tBob_Smith"]
    tables = family101.read(make(lines, folders=["SMITH/X"]))
    assert len(set(kinds(tables))) > 4 and set(kinds(tables)) <= set(KINDS)


def test_which_families_notebooks_use(monkeypatch, make):
    assert config.families_dir() == config.data_dir() / "studio" / "families"
    monkeypatch.setenv("KINLIB_FAMILY101", str(make(SMITH)))
    assert len(family101.read(config.families_dir()).people) == 6
    monkeypatch.setenv("KINLIB_FAMILY101", "")
    assert config.families_dir().name == "families"


def test_the_studio_families():
    """What the bundled set's list says of its planted faults, and that everything else of it is in order."""
    folder = config.data_dir() / "studio"
    tables = family101.read(folder / "families")
    planted = {fault["kind"]: fault for fault in json.loads((folder / "faults.json").read_text())}
    found = {problem.kind: problem for problem in tables.problems}
    for kind in ("two_houses", "repeated_house", "incomplete_house", "missing_folder", "hidden_file"):
        assert found[kind].family == planted[kind]["family"]
    for kind in ("two_houses", "repeated_house", "incomplete_house"):
        assert found[kind].house == planted[kind]["house"]
    for kind in ("two_houses", "missing_folder", "hidden_file"):
        assert found[kind].person.endswith(planted[kind]["person"])
    # whose row is gone has a folder that nobody lists
    assert tables.problem_counts() == dict.fromkeys([kind for kind in KINDS if kind in found], 1)
    assert set(found) - set(planted) == {"unlisted_folder"}
    assert not tables.private
    assert planted["incomplete_house"]["person"] in found["unlisted_folder"].where
