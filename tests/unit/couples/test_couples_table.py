"""Lists of couples as people write them: spreadsheets of all kinds are read, and faults are told with their place."""

from pathlib import Path

import pytest

from kinlib.couples import Couple, read_couples
from kinlib.couples.couples import fingerprint
from kinlib.runtime.errors import KinlibError


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "couples.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "father,mother\na.jpg,b.jpg\nc d.jpg,é.jpg\n",
        "Mother,note, Father \r\nb.jpg,,a.jpg\r\n\r\n é.jpg ,x,c d.jpg\r\n",
        "father;mother\na.jpg;b.jpg\nc d.jpg;é.jpg",
        "father\tmother\na.jpg\tb.jpg\nc d.jpg\té.jpg",
        "\ufefffather,mother\na.jpg,b.jpg\n,,\nc d.jpg,é.jpg\n",
        "father,mother\na.jpg,b.jpg\nc d.jpg,é.jpg\n".encode("utf-16"),
        "father,mother\na.jpg,b.jpg\nc d.jpg,é.jpg\n".encode("latin-1"),
        '\nfather,mother,couple\n"a.jpg",b.jpg\nc d.jpg,é.jpg,\n',
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path, content):
    first, second = read_couples(written(tmp_path, content))
    assert first == Couple("couple_0001", "a.jpg", "b.jpg", tmp_path)
    assert second == Couple("couple_0002", "c d.jpg", "é.jpg", tmp_path)
    assert second.photo("mother") == tmp_path / "é.jpg"


def test_names_absolute_paths_and_unknown_parents(tmp_path):
    text = "father,mother,couple\n/photos/a.jpg,../b.jpg,Ann & Bob\n,b.jpg,\n"
    first, second = read_couples(written(tmp_path, text))
    assert first.name == "Ann & Bob" and first.photo("father") == Path("/photos/a.jpg")
    assert first.photo("mother") == tmp_path / ".." / "b.jpg"
    assert second == Couple("couple_0002", None, "b.jpg", tmp_path) and second.photo("father") is None


def test_the_place_of_a_table_does_not_matter(tmp_path, monkeypatch):
    path = written(tmp_path, "father,mother\na.jpg,b.jpg\n")
    monkeypatch.chdir(tmp_path)
    assert read_couples(path.name) == read_couples(path)
    assert fingerprint([Couple("x", "a", "b", tmp_path)]) == fingerprint([Couple("x", "a", "b", Path("elsewhere"))])
    assert fingerprint([Couple("x", "a", "b", tmp_path)]) != fingerprint([Couple("x", "b", "a", tmp_path)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: give a CSV file with the columns father and mother"),
        ("\n \n", "is empty"),
        ("father,mother\n", "holds no couple below its header"),
        ("father,mum\na,b\n", "has no column mother: its first line must name"),
        ("a.jpg,b.jpg\n", "has no column father"),
        ("father,mother,Father\na,b,c\n", "has the column father twice"),
        (
            "father,mother\na,b\n\na,b,c.jpg\n",
            "line 4 of .* has 3 cells where the header has 2: put paths with a comma",
        ),
        ('father,mother\n"' + "a" * 200_000, "is no table"),
        ("father,mother,couple\na,b,x\nc,d,x\n", "the couple 'x' stands twice in"),
        ("father,mother,couple\na,b,Ann\nc,d,ann\n", "the couple 'ann' stands twice in .*, once as 'Ann'"),
        ("father,mother,couple\na,b,\nc,d,couple_0001\n", "the couple 'couple_0001' stands twice"),
        ("father,mother,couple\na,b,../x\n", "the couple '../x' of .* cannot name a folder: leave out '/'"),
        ("father,mother,couple\na,b,/etc\n", "leave out '/'"),
        ("father,mother,couple\na,b,x\\y\n", "leave out"),
        ("father,mother,couple\na,b,..\n", "may not begin or end with a full stop"),
        ("father,mother,couple\na,b,.work\n", "may not begin or end with a full stop"),
        ("father,mother,couple\na,b,Children.parquet\n", "files of the output have such names"),
        ("father,mother,couple\na,b," + "é" * 150, "it is too long"),
        ("father,mother,couple\na,b,x\0y\n", r"leave out '\\x00'"),
    ],
)
def test_faults_are_told(tmp_path, content, words):
    with pytest.raises(KinlibError, match=words):
        read_couples(written(tmp_path, content))


def test_what_is_no_file(tmp_path):
    with pytest.raises(KinlibError, match=r"absent\.csv' does not exist: give a CSV file with the columns"):
        read_couples(tmp_path / "absent.csv")
    with pytest.raises(KinlibError, match="is no file: give a CSV file"):
        read_couples(tmp_path)
