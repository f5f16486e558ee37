"""`kinlib prepare` as users meet it: a bar and a folder, or one line that says what is wrong and no trace."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import check_ctrl_c, check_refusal

from kinlib.cli import main
from kinlib.prepare import engines, read_prepared
from kinlib.prepare.parts import Part, PreparedPart
from kinlib.prepare.stages import Work
from kinlib.prepare.table import as_parquet
from kinlib.runtime import config

PHOTO = config.data_dir() / "studio" / "portraits" / "couple_1_father.jpg"


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """A folder of two files that are called photographs; the tests run beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"no picture")
    return tmp_path / "photos"


@pytest.fixture
def refused(photos, tmp_path, capsys) -> Callable[..., str]:
    """`kinlib prepare` that ends with code 2 and one line and changes nothing; returns that line."""
    return lambda *arguments: check_refusal("prepare", arguments, tmp_path, capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "see `kinlib prepare --help`"),
        (("photos",), "missing: --out"),
        (("photos", "--out"), "--out"),
        (("absent", "--out", "set"), "'absent' does not exist: give the folder"),
        (("photos/a.jpg", "--out", "set"), "'photos/a.jpg' is a file"),
        (("photos", "--out", "photos/a.jpg"), "'photos/a.jpg' is a file: --out needs a folder"),
        (("photos", "--out", "photos"), "'photos' lies in the folder to prepare"),
        (("photos", "--out", "photos/set"), "'photos/set' lies in the folder to prepare"),
        (("photos", "--out", "set", "--workers", 0), "--workers must be from 1 to 256, not 0"),
        (("photos", "--out", "set", "--workers", 1000), "not 1000"),
        (("photos", "--out", "set", "--workers", "all"), "--workers cannot be 'all'"),
        (("photos", "--out", "set", "--preset", "best"), "unknown preset 'best': choose one of studio, ffhq"),
        (("photos", "--out", "set", "--upscale", "4"), "unknown upscale '4': choose one of none, bicubic, network"),
        (("photos", "--out", "set", "--dtype", "int8"), "unknown dtype 'int8': choose one of float32"),
        (("photos", "--out", "set", "--engine", "spark"), "unknown engine 'spark': choose one of local, ray"),
        (("photos", "--out", "set", "--kind", "imdb"), "unknown kind 'imdb': choose one of family101"),
        (("photos", "--out", "set", "--device", "abacus"), "the device 'abacus' is not available here"),
        (("photos", "--out", "set", "--device", "meta"), "nothing can be computed on the device 'meta': use cpu"),
        (("photos", "--out", "set", "--size", 64), "--size"),
        (("photos", "--out", "/proc/set"), "/.work' cannot be written"),
    ],
)
def test_bad_options(refused, options, words):
    assert words in refused(*options)


def test_weights_that_are_not_here(refused, cache):
    words = refused("photos", "--out", "set", "--preset", "ffhq")
    assert "the weights 'e4e_ffhq' are not here: run `kinlib weights fetch e4e_ffhq`" in words


def imitate(part: Part) -> PreparedPart:
    """What stands in for the stages: nobody is found."""
    works = [Work(photo, None, "no face", "the detector found no face", size=(120, 150)) for photo in part.photos]
    return PreparedPart(part.number, as_parquet(works), {})


def test_bar_and_summary(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engines, "prepare_part", imitate)
    arguments = ["prepare", "photos", "--out", "set", "--workers", "1", "--device", "cpu"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == "wrote set: 2 pictures, 2 no face\n" and "preparing: 100%" in err and "2/2" in err
    assert main(arguments) == 0
    assert capsys.readouterr().out == out
    assert main([*arguments, "--upscale", "bicubic"]) == 2
    assert capsys.readouterr().err == (
        "kinlib: 'set' was made with upscale none, not bicubic: choose another --out, or delete it\n"
    )


def test_files_of_other_types_are_counted_in_the_summary(photos, capsys, monkeypatch):
    monkeypatch.setattr(engines, "prepare_part", imitate)
    for name in ("clip.mov", "letter.txt", ".DS_Store", "Thumbs.db"):
        (photos / name).write_bytes(b"no picture")
    assert main(["prepare", "photos", "--out", "set", "--workers", "1", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == (
        "wrote set: 2 pictures, 2 no face\n"
        "note: 2 passed over, of unknown type or unreadable: 'clip.mov', 'letter.txt'\n"
    )


def test_prepare_for_real(photos, capsys):
    (photos / "b.jpg").write_bytes(PHOTO.read_bytes())
    assert main(["prepare", "photos", "--out", "set", "--workers", "1", "--device", "cpu", "--upscale", "bicubic"]) == 0
    wrote, note = capsys.readouterr().out.splitlines()
    assert wrote == "wrote set: 2 pictures, 1 ok, 1 unreadable"
    assert note == "note: 1 unreadable or failed (reasons in prepared.parquet): 'a.jpg'"
    table = read_prepared("set")
    assert table["status"].tolist() == ["unreadable", "ok"] and Path("set", table["aligned"][1]).is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="reads processes as Linux lists them")
def test_stopped_by_ctrl_c(photos, tmp_path):
    for number in range(400):
        (photos / f"{number}.jpg").write_bytes(PHOTO.read_bytes())
    check_ctrl_c(["prepare", "photos", "--out", "set", "--workers", "2", "--device", "cpu"], 402, tmp_path)
    assert not (tmp_path / "set" / "prepare.json").exists() and list((tmp_path / "set" / ".work").glob("part-*"))
