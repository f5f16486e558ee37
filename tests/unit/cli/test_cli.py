"""The command line as users meet it: it works, or it says in one line what is wrong and leaves no trace.

Most tests call `main` in this process, which is what the installed script does; a few start the real thing.
"""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from bad_weights import Malicious
from command_line import as_in_the_foreground
from PIL import Image
from safetensors.torch import save_file

from kinlib import __version__
from kinlib.cli import main
from kinlib.cli.children import MAX_ON_SHEET
from kinlib.inheritance import registry
from kinlib.io import images
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents

ROOT = Path(__file__).resolve().parents[3]
FATHER, MOTHER = sample_parents.couple(1)
PATHS = {"PYTHONPATH": str(ROOT)}  # so that a checkout is tested even where it is not installed
OLD = b"a picture from before"


@dataclass
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def kinlib(capsys) -> Callable[..., Result]:
    """Run the command line in this process."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where pictures go; a child.png from before is there already."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "child.png").write_bytes(OLD)
    return folder


@pytest.fixture
def child(kinlib, folder: Path) -> Callable[..., Result]:
    """`kinlib child` of the bundled couple into `folder`; options given replace the usual ones."""

    def run(*extra: object, father: object = FATHER, mother: object = MOTHER, out: object = None) -> Result:
        out = folder / "child.png" if out is None else out
        return kinlib("child", "--father", father, "--mother", mother, "--out", out, *extra)

    return run


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Path:
    """A copy of the bundled data that may be tampered with."""
    shutil.copytree(config.data_dir(), tmp_path / "data")
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(result: Result, folder: Path, *words: str) -> None:
    """Code 2, one line that holds the words, nothing on stdout, and the folder as it was."""
    assert result.code == 2 and result.out == ""
    assert result.err.startswith("kinlib: ") and result.err.endswith("\n") and result.err.count("\n") == 1
    assert "Traceback" not in result.err and "Error" not in result.err and "│" not in result.err
    for word in words:
        assert word in result.err
    assert contents(folder) == {"child.png": OLD}


def assert_drawn(result: Result, *paths: Path) -> None:
    assert result.code == 0 and result.err == ""
    assert result.out.splitlines()[-1].startswith("wrote ")
    for path in paths:
        with Image.open(path) as picture:
            assert picture.mode == "RGB" and min(picture.size) >= 256
    assert not [name for name in os.listdir(paths[0].parent) if name.endswith(".part")]


# --- it draws ---


def test_child_of_bundled_parents(child, folder: Path):
    result = child()
    assert_drawn(result, folder / "child.png")
    assert result.out == f"wrote {folder / 'child.png'}\n"
    first = (folder / "child.png").read_bytes()
    child()
    assert (folder / "child.png").read_bytes() == first


def test_child_of_a_real_person(child, folder: Path, tmp_path: Path):
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "astronaut.jpg", quality=95)
    assert_drawn(child(mother=tmp_path / "astronaut.jpg"), folder / "child.png")


def test_several_children(child, folder: Path):
    result = child("--n", 3, "--method", "per_layer", "--seed", 5, out=folder / "kid.jpg")
    names = ["kid_01.jpg", "kid_02.jpg", "kid_03.jpg"]
    assert_drawn(result, *(folder / name for name in names))
    assert sorted(os.listdir(folder)) == ["child.png", *names]
    assert len({(folder / name).read_bytes() for name in names}) == 3
    child("--method", "per_layer", "--seed", 6, out=folder / "alone.jpg")
    assert (folder / "alone.jpg").read_bytes() == (folder / "kid_02.jpg").read_bytes()


def test_many_children_are_numbered_in_order(child, folder: Path):
    result = child("--n", 100, "--method", "mask", out=folder / "kid.jpg")
    assert_drawn(result, folder / "kid_001.jpg", folder / "kid_100.jpg")
    assert "kid_001.jpg to " in result.out and "(100 pictures)" in result.out


def test_all_options(child, folder: Path):
    options = ("--method", "slerp", "--father-share", 0.7, "--age", 30, "--sex", "female", "--truncation", 0.8)
    assert_drawn(child(*options, "--seed", 3, "--preset", "studio", "--device", "cpu"), folder / "child.png")


def test_alike_children_are_announced(child, folder: Path):
    assert "note: the method 'average' is deterministic" in child("--n", 2).out


def test_refinement_shows_its_progress(child, folder: Path):
    result = child("--refine", 2, father=FATHER, mother=FATHER)
    assert result.code == 0 and "refining couple_1_father.jpg" in result.err
    assert result.err.count("0/2") <= 1  # the second encoding is remembered, and has no bar


def test_sheet(child, folder: Path):
    assert_drawn(child("--sheet", folder / "sheet.png"), folder / "child.png", folder / "sheet.png")


def test_family(kinlib, folder: Path):
    assert_drawn(kinlib("family", "--out", folder / "family.png", "--n", 2), folder / "family.png")
    assert sorted(os.listdir(folder)) == ["child.png", "family.png"]


def test_one_photograph_for_both_parents_is_announced(child, folder: Path):
    result = child(father=FATHER, mother=FATHER)
    assert_drawn(result, folder / "child.png")
    assert result.out.count("note: ") == 1 and "note: father and mother are the same photograph" in result.out


def test_help(kinlib):
    for arguments in ([], ["--help"], ["-h"], ["child", "--help"], ["train"], ["train", "--help"]):
        result = kinlib(*arguments)
        assert result.code == 0 and result.err == "" and result.out.startswith("usage: kinlib")
    for command in ("child", "family", "weights", "train"):
        assert f"  {command} " in kinlib().out


def options_of(kinlib, monkeypatch, command: str) -> list[str]:
    """The lines of a command's help that begin with an option."""
    monkeypatch.setenv("COLUMNS", "200")  # so that every option is one line
    lines = [line.strip("│ ") for line in kinlib(*command.split(), "--help").out.splitlines()]
    return [line for line in lines if re.match("--[a-z]", line)]


@pytest.mark.parametrize("command", ["prepare", "train identity"])
def test_required_options_come_first_in_the_help(kinlib, monkeypatch, command: str):
    required = ["(required)" in line for line in options_of(kinlib, monkeypatch, command)]
    assert required[0] and required == sorted(required, reverse=True)


def test_the_parents_come_first_in_the_help(kinlib, monkeypatch):
    """Neither is required by itself: one of them may be unknown."""
    first, second = options_of(kinlib, monkeypatch, "child")[:2]
    assert first.startswith("--father") and second.startswith("--mother")


def test_the_methods_in_the_help_are_those_of_the_registry(kinlib):
    for command in ("child", "family"):
        text = " ".join(kinlib(command, "--help").out.replace("│", " ").split())
        assert registry.describe() in text
        for option in registry.all_options():
            assert (
                f"--{option.name.replace('_', '-')} " in text and f"{option.help} (default: {option.default})" in text
            )


def test_version(kinlib):
    assert kinlib("--version").out == f"kinlib {__version__}\n"


@pytest.mark.parametrize("columns", [0, 1, 2, 39, 1000])
def test_help_in_terminals_of_every_width(kinlib, monkeypatch, columns: int):
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in ("child", "prepare", "train pair", "weights"):
        result = kinlib(*command.split(), "--help")
        assert result.code == 0 and "--help" in result.out
        assert os.environ["COLUMNS"] == str(columns)
    wrong = kinlib("train", "pair", "--shape")
    assert wrong.err.startswith("kinlib: missing: --data, --out; unknown options: --shape")


def test_without_tyros_hook_there_is_still_one_sentence(child, folder: Path, monkeypatch):
    """As in an older tyro, or a newer one that has dropped it, or tells of something else."""
    wanted = "these options cannot be understood; see `kinlib child --help`"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tyro._errors", None)
        assert_refused(child("--shape", 3), folder, wanted)
    with monkeypatch.context() as patch:
        patch.setattr("kinlib.cli.arguments._sentence", lambda *_: "")
        assert_refused(child("--shape", 3), folder, wanted)


# --- photographs of every kind ---


def save_photo(way: str, path: Path) -> Path:
    """The bundled father, stored in an unusual way."""
    with Image.open(FATHER) as opened:
        picture = opened.convert("RGB")
    if way == "cmyk":
        picture.convert("CMYK").save(path.with_suffix(".jpg"), quality=95)
        return path.with_suffix(".jpg")
    if way == "16 bit":
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(path)
    elif way == "moving":
        path = path.with_suffix(".gif")
        picture.save(path, save_all=True, append_images=[Image.new("RGB", picture.size)] * 3)
    elif way == "cut out":
        picture.putalpha(Image.new("L", picture.size, 255))
        picture.save(path)
    else:
        picture.convert({"grey": "L", "palette": "P"}[way]).save(path)
    return path


@pytest.mark.parametrize("way", ["cmyk", "16 bit", "grey", "palette", "cut out", "moving"])
def test_unusual_photographs(child, folder: Path, tmp_path: Path, way: str):
    assert_drawn(child(father=save_photo(way, tmp_path / "father.png")), folder / "child.png")


@pytest.mark.parametrize(("orientation", "turn"), [(3, 180), (6, 90), (8, 270)])
def test_photographs_stored_turned(child, folder: Path, tmp_path: Path, orientation: int, turn: int):
    child()
    upright = (folder / "child.png").read_bytes()
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(FATHER) as picture:
        picture.rotate(turn, expand=True).save(tmp_path / "turned.png", exif=exif)
    assert_drawn(child(father=tmp_path / "turned.png"), folder / "child.png")
    assert (folder / "child.png").read_bytes() == upright


def test_of_several_faces_the_largest_is_used(child, folder: Path, tmp_path: Path):
    large, small = images.read_photo(FATHER), images.read_photo(MOTHER)
    large = large.resize((large.width * 3, large.height * 3))
    both = Image.new("RGB", (large.width + small.width, large.height), (128, 128, 128))
    both.paste(large, (0, 0))
    both.paste(small, (large.width, 0))
    both.save(tmp_path / "both.png")
    result = child(father=tmp_path / "both.png")
    assert_drawn(result, folder / "child.png")
    assert f"note: 2 faces found in '{tmp_path / 'both.png'}': the largest is used" in result.out


def test_faces_turned_aside_are_announced(child, folder: Path, tmp_path: Path):
    Image.fromarray(skimage.data.camera()).save(tmp_path / "photographer.png")
    result = child(father=tmp_path / "photographer.png")
    assert_drawn(result, folder / "child.png")
    assert "note: " in result.out and "turned far to the side" in result.out


# --- photographs that cannot be used ---


def png_header(side: int) -> bytes:
    """A file that claims to be a PNG of `side` x `side` px."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000)))


def save_bad_photo(way: str, path: Path) -> Path:
    """A file that is no usable photograph."""
    if way == "folder":
        path.mkdir()
    elif way == "empty":
        path.touch()
    elif way == "text":
        path.write_text("dear family,\nhere is my photograph\n")
    elif way == "cut short":
        path.write_bytes(FATHER.read_bytes()[:1500])
    elif way == "one pixel":
        Image.new("RGB", (1, 1)).save(path, "PNG")
    elif way == "huge":
        path.write_bytes(png_header(60_000))
    elif way == "no face":
        Image.fromarray(skimage.data.coffee()).save(path)
    elif way == "in a file":
        path.write_text("not a folder")
        path = path / "photo.jpg"
    return path


BAD_PHOTOS = {
    "missing": "there is no file",
    "folder": "is a folder",
    "empty": "is empty",
    "text": "is not an image",
    "cut short": "is damaged or cut short",
    "one pixel": "is 1x1 px",
    "huge": "million pixels",
    "no face": "no face found in",
    "in a file": "cannot be opened",
}


@pytest.mark.parametrize("way", BAD_PHOTOS)
@pytest.mark.parametrize("parent", ["father", "mother"])
def test_bad_photographs(child, folder: Path, tmp_path: Path, way: str, parent: str):
    path = save_bad_photo(way, tmp_path / "bad.jpg")
    assert_refused(child(**{parent: path}), folder, BAD_PHOTOS[way], str(path))


def test_line_breaks_in_names_do_not_break_the_line(child, folder: Path, tmp_path: Path):
    assert_refused(child(father=tmp_path / "my\nfather.jpg"), folder, "there is no file")


# --- options ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "cloning"), "unknown method 'cloning': choose one of average"),
        (("--preset", "cartoon"), "unknown preset 'cartoon': choose one of studio, ffhq"),
        (("--device", "gpu"), "the device 'gpu' is not available"),
        (("--device", "meta"), "nothing can be computed on the device 'meta': use cpu"),
        (("--n", 0), "from 1 to 1,000, not 0"),
        (("--n", -1), "not -1"),
        (("--n", 1_000_000), "not 1000000"),
        (("--n", 10**30), "not 1000000000"),
        (("--n", "three"), "--n cannot be 'three'"),
        (("--n", "1.5"), "--n cannot be '1.5'"),
        (("--n",), "--n needs a value"),
        (("--seed", "today"), "--seed cannot be 'today'"),
        (("--seed", 10**20), "the seed must be a whole number"),
        (("--age", -5), "age must be from 0 to 120 years, not -5"),
        (("--age", 400), "not 400"),
        (("--age", "young"), "--age cannot be 'young'"),
        (("--sex", "any"), "unknown sex 'any': choose one of female, male"),
        (("--father-share", 2), "father's share must be a number from 0 to 1"),
        (("--father-share", "nan"), "father's share must be a number from 0 to 1"),
        (("--father-share", "half"), "--father-share cannot be 'half'"),
        (("--truncation", -0.1), "truncation must be from 0 to 1"),
        (("--refine", -1), "number of refinement steps"),
        (("--shape", 3), "unknown options: --shape 3"),
        (("--trunkation", 1), "did you mean --truncation?"),
        (("and", "more"), "unknown options: and more"),
        (("--age=young",), "--age cannot be 'young'"),
        (("--father_share", "half"), "--father-share cannot be 'half'"),
        (("--age", "nan"), "age must be from 0 to 120 years, not nan"),
        (("--truncation", "nan"), "truncation must be from 0 to 1, not nan"),
    ],
)
def test_bad_options(child, folder: Path, options: tuple, words: str):
    assert_refused(child(*options), folder, words)


def test_bad_options_cost_no_networks(child, folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))  # nothing could be loaded from here
    assert_refused(child("--n", 0), folder, "number of children")
    assert_refused(child(out=folder / "child.xyz"), folder, "image suffix")
    assert_refused(child(mother="absent.jpg"), folder, "there is no file")
    assert_refused(child(), folder, "'studio_generator' are not here")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ([], "there is no parent"),
        (["--father", FATHER], "needs both parents, and there is no mother: try 'learned'"),
        (["--mother", MOTHER], "needs both parents, and there is no father: try 'learned'"),
        (["--mother", MOTHER, "--method", "learned", "--father-share", "0.7"], "needs both parents: leave it out"),
    ],
)
def test_most_methods_need_both_parents(kinlib, folder: Path, given: list, missing: str):
    assert_refused(kinlib("child", *given), folder, missing)


def test_one_parent_is_enough_for_the_sampler(kinlib, folder: Path):
    out, sheet = folder / "child.png", folder / "sheet.png"
    options = ("--method", "learned", "--sex", "female", "--out", out, "--sheet", sheet)
    assert kinlib("child", "--mother", MOTHER, *options).code == 0
    assert out.is_file() and sheet.is_file()


def test_unknown_command(kinlib, folder: Path):
    assert_refused(kinlib("adopt"), folder, "unknown command 'adopt': choose one of child, couples, demo, edit, family")


def test_bundled_couples_are_counted(kinlib, folder: Path):
    for number in (0, 1000):
        result = kinlib("family", "--couple", number, "--out", folder / "family.png")
        assert_refused(result, folder, f"there is no couple {number}: choose one from 1 to")


# --- where to write ---


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("absent/child.png", "the folder"),
        ("child.png/inside.png", "cannot be written"),
        ("", "is a folder"),
        ("child.xyz", "does not end in a known image suffix"),
        ("child", "does not end in a known image suffix"),
        ("x" * 300 + ".png", "cannot be written"),
    ],
)
@pytest.mark.parametrize("option", ["--out", "--sheet"])
def test_targets_that_cannot_be_written(child, folder: Path, target: str, words: str, option: str):
    target = folder / target
    result = child(out=target) if option == "--out" else child("--sheet", target)
    assert_refused(result, folder, words)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, where not even root may write")
@pytest.mark.parametrize("n", [1, 3])
def test_folder_that_takes_no_files(child, folder: Path, n: int):
    assert_refused(child("--n", n, out="/proc/child.png"), folder, "/proc/child", "cannot be written")


def test_photographs_are_not_overwritten(child, folder: Path, tmp_path: Path):
    father = tmp_path / "father.png"
    with Image.open(FATHER) as picture:
        picture.save(father)
    before = father.read_bytes()
    linked = tmp_path / "link.png"
    linked.symlink_to(father)
    for target in (father, linked):
        assert_refused(child(father=father, out=target), folder, "is the photograph of a parent")
        assert_refused(child("--sheet", target, father=father), folder, "is the photograph of a parent")
    assert father.read_bytes() == before


def test_sheet_needs_a_name_of_its_own_and_few_children(child, folder: Path):
    assert_refused(child("--sheet", folder / "child.png"), folder, "cannot be both")
    for out, sheet in (
        (folder / "new.png", f"{folder}/./new.png"),
        (folder / "new.png", f"{folder}/../{folder.name}/new.png"),
        (folder / "new.png", folder / "NEW.png"),
        (folder / "n\u00e9.png", folder / "ne\u0301.png"),  # one name in two Unicode forms
        (folder / "child.png", f"{folder}/./child.png"),
        (folder / "child.png", folder / "Child.png"),
    ):
        assert_refused(child("--sheet", sheet, out=out), folder, "cannot be both")
    assert_refused(
        child("--n", 2, "--sheet", f"{folder}/./kid_02.png", out=folder / "kid.png"), folder, "cannot be both"
    )
    many = MAX_ON_SHEET + 1
    assert_refused(
        child("--n", many, "--sheet", folder / "sheet.png"), folder, f"{MAX_ON_SHEET} children", f"not {many}"
    )


def test_links_to_one_file_are_told_apart_from_two(child, folder: Path, tmp_path: Path):
    (tmp_path / "folder").symlink_to(folder)
    (tmp_path / "soft.png").symlink_to(folder / "child.png")
    os.link(folder / "child.png", tmp_path / "hard.png")
    for sheet in ("folder/child.png", "soft.png", "hard.png"):
        assert_refused(child("--sheet", tmp_path / sheet), folder, "cannot be both")
    assert_refused(child("--sheet", tmp_path / "folder" / "new.png", out=folder / "new.png"), folder, "cannot be both")


def test_report_goes_to_one_place_of_its_own_kind(kinlib, folder: Path, tmp_path: Path):
    assert_refused(kinlib("report", "--out", folder / "child.png"), folder, "does not end in .pdf")
    both = kinlib("report", "--out", tmp_path / "a.pdf", "--pages", tmp_path / "pages")
    assert_refused(both, folder, "choose one of --out", "--pages")


def test_stopped_while_writing(child, folder: Path, monkeypatch):
    """Ctrl-C when half of the file is on the disk."""

    def save(self, file, **options):
        file.write(b"half a pict")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", save)
    result = child()
    assert (result.code, result.out, result.err.strip()) == (130, "", "kinlib: stopped")
    assert contents(folder) == {"child.png": OLD}


# --- weights ---


BAD_WEIGHTS = {
    "absent": "are not here",
    "other bytes": "SHA-256 differs",
    "other network": "holds no",
    "cut short": "damaged",
    "text": "not a file of weights",
    "code": "could run code",
    "empty": "is empty",
    "folder": "are not here",
}


def spoil(path: Path, way: str, victim: Path) -> None:
    """Put something else in the place of bundled weights."""
    if way != "other bytes":
        (path.parent / "manifest.json").unlink()
    content = path.read_bytes()
    path.unlink()
    if way == "other bytes":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif way == "other network":
        save_file({"conv.weight": torch.zeros(3)}, path)
    elif way == "cut short":
        path.write_bytes(content[:-100])
    elif way == "text":
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".rjust(600))
    elif way == "code":
        torch.save({"g_ema": Malicious(victim)}, path)
    elif way == "empty":
        path.touch()
    elif way == "folder":
        path.mkdir()


@pytest.mark.parametrize("way", BAD_WEIGHTS)
@pytest.mark.parametrize("role", ["generator", "encoder"])
def test_spoilt_weights(child, folder: Path, data: Path, tmp_path: Path, way: str, role: str):
    path = data / "weights" / "studio" / f"{role}.safetensors"
    spoil(path, way, tmp_path / "code-was-run")
    words = BAD_WEIGHTS[way] if way != "text" else "damaged or not a file of weights"
    assert_refused(child(), folder, words, role)
    assert not (tmp_path / "code-was-run").exists()


def test_broken_manifest(child, folder: Path, data: Path):
    (data / "weights" / "studio" / "manifest.json").write_text("{broken")
    assert_refused(child(), folder, "manifest.json is damaged")


@pytest.mark.parametrize("command", ["child", "family"])
def test_empty_data_folder(kinlib, child, folder: Path, tmp_path: Path, monkeypatch, command: str):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "nowhere"))
    result = child() if command == "child" else kinlib("family", "--out", folder / "family.png")
    assert_refused(result, folder, "project's files")


def test_absent_photorealistic_weights_name_the_command(child, folder: Path, cache: Path):
    assert_refused(child("--preset", "ffhq"), folder, "run `kinlib weights fetch stylegan2_ffhq e4e_ffhq ", "1.79 GB")


def test_wrong_photorealistic_weights(child, folder: Path, cache: Path):
    (cache / "weights").mkdir(parents=True)
    for name in ("stylegan2-ffhq-config-f.pt", "e4e_ffhq_encode.pt"):
        torch.save({"g_ema": {"w": torch.zeros(3)}}, cache / "weights" / name)
    assert_refused(child("--preset", "ffhq"), folder, "not the published file", "kinlib weights fetch stylegan2_ffhq")


def test_weights_list_and_verify(kinlib, folder: Path, data: Path, cache: Path):
    assert kinlib("weights").out == kinlib("weights", "list").out
    assert len(kinlib("weights", "list", "ffhq").out.splitlines()) >= 8
    header, row = kinlib("weights", "list", "e4e_ffhq").out.splitlines()
    words = ["name", "preset", "size", "SHA-256", "present", "purpose"]
    begins = [header.index(word) for word in words]
    cells = [row[begin:end].strip() for begin, end in zip(begins, [*begins[1:], None], strict=True)]
    said = "encoder from a face to an editable W+ code [MIT code; weights non-commercial]"
    assert cells == ["e4e_ffhq", "ffhq", "1.2 GB", "2ace1d9a8c05", "absent", said] and header.endswith("[licence]")
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "e4e_ffhq_encode.pt").touch()
    assert kinlib("weights", "list", "e4e_ffhq").out.splitlines()[1] == row.replace("absent", "here  ")
    shown = [line.split()[0] for line in kinlib("weights", "list", "studio", "child").out.splitlines()]
    assert shown[:2] == ["name", "studio_generator"] and shown[-1] == "direction_age"
    result = kinlib("weights", "verify", "studio_generator")
    assert result.code == 0 and result.out.split() == ["studio_generator", "good"]
    assert kinlib("weights", "fetch", "studio_generator").out.split()[1].endswith("generator.safetensors")

    manifest = data / "weights" / "studio" / "manifest.json"
    records = json.loads(manifest.read_text())
    records["generator.safetensors"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(records))
    result = kinlib("weights", "verify", "studio")
    assert result.code == 2 and "studio_generator       damaged" in result.out
    assert result.err.count("\n") == 1 and "fetch them again" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frobnicate",), "unknown action 'frobnicate': choose list, fetch or verify"),
        (("list", "e4e_fhq"), "did you mean 'e4e_ffhq'?"),
        (("verify", "nothing"), "no weights called 'nothing'"),
        (("fetch", "direction_age"), "no network connection"),
    ],
)
def test_weights_refused(kinlib, folder: Path, cache: Path, arguments: tuple, words: str):
    result = kinlib("weights", *arguments)
    assert_refused(Result(result.code, "", result.err.splitlines()[-1] + "\n"), folder, words)


# --- training ---


def test_training_refused(kinlib, folder: Path, tmp_path: Path):
    assert_refused(kinlib("train", "horoscope"), folder, "unknown network 'horoscope': choose one of generator")
    assert_refused(kinlib("train", "pair"), folder, "missing", "--data", "--out", "`kinlib train pair --help`")
    asked = ("train", "identity", "--data", tmp_path / "absent", "--out", tmp_path / "weights")
    assert_refused(kinlib(*asked), folder, "no *.parquet file")
    assert_refused(kinlib(*asked, "--minutes", "many"), folder, "--minutes cannot be 'many'")
    assert_refused(kinlib(*asked, "--device", "abacus"), folder, "the device 'abacus' is not available here")
    assert_refused(kinlib(*asked, "--device", "meta"), folder, "nothing can be computed on the device 'meta'")
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "part-0.parquet").touch()
    assert_refused(kinlib(*asked[:-1], folder / "child.png"), folder, "is a file, but a folder is needed")
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("name", ["identity", "landmarks", "generator", "encoder", "pair", "directions"])
def test_training_help(kinlib, name: str):
    result = kinlib("train", name, "--help")
    assert result.code == 0 and f"usage: kinlib train {name}" in result.out and "--data" in result.out


# --- memory ---


def ran_out(kind: type[Exception]) -> Callable[..., None]:
    """A function that runs out of the graphics card's memory, or of the machine's in Python's or PyTorch's way."""

    def work(*_, **__):
        if kind is RuntimeError:
            torch.empty(10**15)  # more than an address can name, so no machine has it
        raise kind("CUDA out of memory. Tried to allocate 2.00 GiB." if kind is torch.OutOfMemoryError else "")

    return work


CHILD_REMEDIES = {
    torch.OutOfMemoryError: "of the graphics card is not enough: close what else uses it, or try --memory-efficient or",
    MemoryError: "the memory is not enough: close other programs, or try a smaller --n",
    RuntimeError: "the memory is not enough: close other programs, or try a smaller --n",
}


@pytest.mark.parametrize("kind", CHILD_REMEDIES)
def test_too_little_memory(child, folder: Path, monkeypatch, kind: type[Exception]):
    monkeypatch.setattr("kinlib.kinship.kinship.Kinship.load", ran_out(kind))
    result = child()
    assert_refused(result, folder, CHILD_REMEDIES[kind])
    assert "--batch" not in result.err and "--workers" not in result.err  # which `kinlib child` does not have


def test_too_little_memory_of_other_commands(kinlib, folder: Path, tmp_path: Path, monkeypatch):
    for target in ("report.exports.export", "studio.datasets.batch.render_people"):
        monkeypatch.setattr(f"kinlib.{target}", ran_out(MemoryError))
    assert_refused(kinlib("report"), folder, "the memory is not enough: close other programs\n")
    render = kinlib("render", "--out", tmp_path / "set")
    assert_refused(render, folder, "close other programs, or try fewer --workers\n")
    monkeypatch.setattr("kinlib.training.recipes.registry.train", ran_out(torch.OutOfMemoryError))
    training = kinlib("train", "identity", "--data", tmp_path, "--out", tmp_path / "weights")
    assert_refused(training, folder, "close what else uses it, or try a smaller --batch or", "--device cpu\n")


def test_other_failures_are_not_called_a_lack_of_memory(child, monkeypatch):
    def fail(*_):
        raise RuntimeError("sizes of tensors must match")

    monkeypatch.setattr("kinlib.kinship.kinship.Kinship.load", fail)
    with pytest.raises(RuntimeError, match="must match"):
        child()


def test_too_little_memory_before_pytorch_is_there(folder: Path):
    program = """
import sys
from kinlib.checkpoints import weights
from kinlib.cli import main

def table(names):
    raise MemoryError

weights.table = table
assert main(["weights", "list"]) == 2 and "torch" not in sys.modules
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=os.environ | PATHS)
    assert_refused(Result(2, done.stdout, done.stderr), folder, "the memory is not enough: close other programs\n")
    assert done.returncode == 0


# --- the real thing ---


def test_program(folder: Path):
    command = [sys.executable, "-m", "kinlib.cli", "child", "--father", FATHER, "--mother", MOTHER, "--out", "new.png"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=os.environ | PATHS)
    assert_drawn(Result(done.returncode, done.stdout, done.stderr), folder / "new.png")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_installed_program_refuses(folder: Path, encoding: str):
    program = Path(sys.executable).with_name("kinlib")
    if not program.exists():
        pytest.skip("kinlib is not installed here")
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "30", "TERM": "dumb"}
    command = [program, "child", "--father", "a.jpg", "--shape", "b"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)
    assert_refused(Result(done.returncode, done.stdout, done.stderr), folder, "unknown options: --shape b")


SHELL = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


def in_shell(folder: Path, words: str, **environment: str) -> subprocess.CompletedProcess:
    """`kinlib` with what a shell can do to its streams."""
    line = f'"{sys.executable}" -m kinlib.cli {words}'
    whole = os.environ | PATHS | environment
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, timeout=300, env=whole)


@SHELL
def test_names_that_the_output_cannot_hold(folder: Path):
    """Drawn, and told in what the encoding has; also a name of bytes that are no text."""
    shutil.copy(FATHER, folder / "k\u00e4se.jpg")
    shutil.copy(MOTHER, os.fsencode(folder) + b"/m\xff.jpg")
    words = "child --father k\u00e4se.jpg --mother \"$(printf 'm\\377.jpg')\" --out k\u00e4se.png"
    done = in_shell(folder, words, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout.endswith(b"wrote k\\xe4se.png\n")
    assert (folder / "k\u00e4se.png").exists()
    done = in_shell(folder, "child --father n\u00ef.jpg --mother b.jpg", PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"n\\xef.jpg" in done.stderr


@SHELL
def test_closed_and_full_streams(folder: Path):
    """Whatever happens to the streams, the exit code says whether it worked, and no traceback is left."""
    wrong = "child --father a.jpg --mother b.jpg"
    for words, code, stdout, stderr in (
        (f"{wrong} 2>&-", 2, b"", b""),  # and not on stdout instead
        (f"{wrong} >&- 2>&-", 2, b"", b""),
        (f"{wrong} 2>/dev/full", 2, b"", b""),
        ("--version >&-", 0, b"", b""),
        ("--version >/dev/full", 2, b"", b"kinlib: No space left on device\n"),
    ):
        if "/dev/full" in words and not Path("/dev/full").exists():
            continue
        done = in_shell(folder, words)
        assert (done.returncode, done.stdout, done.stderr) == (code, stdout, stderr), words


@SHELL
def test_progress_goes_nowhere_where_stderr_is_closed(folder: Path):
    done = in_shell(folder, f'child --father "{FATHER}" --mother "{FATHER}" --refine 1 --out new.png 2>&-', COLUMNS="1")
    assert done.returncode == 0 and (folder / "new.png").exists() and done.stdout.endswith(b"wrote new.png\n")


def test_reader_that_has_seen_enough(folder: Path):
    """`kinlib weights list | head -0`."""
    command = [sys.executable, "-m", "kinlib.cli", "weights", "list"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | PATHS
    ) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_stopped_while_computing(folder: Path):
    command = [sys.executable, "-m", "kinlib.cli", "child", "--father", FATHER, "--mother", MOTHER, "--refine", "9999"]
    with as_in_the_foreground():
        program = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | PATHS
        )
    with program:
        seen = b""
        while b"refining" not in seen and (byte := program.stderr.read(1)):
            seen += byte
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert program.returncode == 130 and out == b""
    assert err.decode().rstrip().endswith("kinlib: stopped") and b"Traceback" not in err
    assert contents(folder) == {"child.png": OLD}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux counts it")
def test_large_photograph_in_bounded_memory(folder: Path):
    """40 megapixels are 120 MB; a few copies of that may exist at a time, and none for long."""
    with Image.open(FATHER) as picture:
        picture.resize((6325, 6325)).save(folder / "large.jpg", quality=80)
    program = f"""
import resource
from kinlib.cli import main
peaks = []
for father in ({str(FATHER)!r}, "large.jpg"):
    assert main(["child", "--father", father, "--mother", {str(MOTHER)!r}, "--out", "new.png"]) == 0
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
assert peaks[1] - peaks[0] < 800e6, peaks
"""
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, timeout=300, env=os.environ | PATHS)
    assert (folder / "new.png").exists()
