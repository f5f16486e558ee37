"""Whole folders prepared: every picture has its row, whatever stops the work, and nothing is mixed up.

Nothing is computed here: what surrounds the stages is tried with an imitation of them.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinlib.io import files
from kinlib.io.resume import WORK
from kinlib.prepare import PrepareSettings, engines, list_photos, parts, prepare, read_prepared, rows, run
from kinlib.prepare.listing import describe_passed_over
from kinlib.prepare.parts import Part, PreparedPart
from kinlib.prepare.table import SCHEMA, stamp_of
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

ROOT = config.project_root()
FAMILIES = config.data_dir() / "studio" / "families"
SETTINGS = PrepareSettings()
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- which pictures there are


@pytest.fixture
def album(tmp_path) -> Path:
    """A folder of files that are called pictures."""
    root = tmp_path / "album"
    for name in ("b10.jpg", "b9.jpg", "b.jpg", "c.png", "c.png.jpg", "c.webp", "sub/a.JPEG", "sub/deep/z.tif", "d.TIF"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    for name in (".hidden.jpg", ".cache/a.jpg", "notes.txt", "jpg"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture")
    return root


def test_a_plain_folder(album):
    listing = list_photos(album)
    assert listing.kind == "folder" and listing.root == album.resolve() and len(listing) == 9
    names = [photo.image for photo in listing.photos]
    assert names == [
        "b9.jpg",
        "b10.jpg",
        "b.jpg",
        "c.png.jpg",
        "c.png",
        "c.webp",
        "d.TIF",
        "sub/a.JPEG",
        "sub/deep/z.tif",
    ]
    assert {photo.person for photo in listing.photos} == {photo.family for photo in listing.photos} == {None}
    assert listing.passed_over == ("jpg", "notes.txt")
    assert describe_passed_over(listing) == "2 passed over, of unknown type or unreadable: 'jpg', 'notes.txt'"


def test_photos_of_phones_are_taken_and_litter_is_not(tmp_path):
    names = ["IMG_1.HEIC", "a.heif", "b.avif", "c.JPG", "d.jfif", "e.mpo", "f.jp2"]
    litter = [".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/c.jpg", "__MACOSX/c.jpg"]
    for name in (*names, *litter):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"content")
    listing = list_photos(tmp_path)
    assert sorted(photo.image for photo in listing.photos) == sorted(names)
    assert listing.passed_over == () and describe_passed_over(listing) == ""


def test_many_files_of_other_types_are_counted_and_some_named(tmp_path):
    for number in range(7):
        (tmp_path / f"clip{number}.mov").write_bytes(b"film")
    with pytest.raises(
        KinlibError, match=r"holds no pictures \(there are 7 files of other types: 'clip0.mov', .*\.\.\."
    ):
        list_photos(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"picture")
    described = describe_passed_over(list_photos(tmp_path))
    assert described.startswith("7 passed over") and "clip4.mov" in described and "clip5.mov" not in described


def test_a_folder_that_cannot_be_opened_stops_nothing(tmp_path):
    for name in ("a.jpg", "locked/b.jpg", "open/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"picture")
    (tmp_path / "locked").chmod(0)
    root = os.geteuid() == 0
    if root:
        tmp_path.chmod(0o755)
        for folder in list(tmp_path.parents)[:2]:
            folder.chmod(0o755)
        os.seteuid(65534)  # root opens everything; nobody does not
    try:
        listing = list_photos(tmp_path)
    finally:
        if root:
            os.seteuid(0)
        (tmp_path / "locked").chmod(0o755)
    assert [photo.image for photo in listing.photos] == ["a.jpg", "open/c.jpg"]
    assert listing.passed_over == ("locked/",)


def test_other_files_of_a_data_set_are_passed_over_too(tmp_path):
    (tmp_path / "FAMILY101.txt").write_text("0\tFAMI\tASH\n1\tHUSB\tJohn_Ash\n")
    (tmp_path / "ASH" / "John_Ash").mkdir(parents=True)
    (tmp_path / "ASH" / "John_Ash" / "1.jpg").write_bytes(b"picture")
    (tmp_path / "ASH" / "John_Ash" / "clip.mov").write_bytes(b"film")
    assert list_photos(tmp_path).passed_over == ("ASH/John_Ash/clip.mov",)


def test_every_aligned_face_has_a_file_of_its_own(album):
    targets = {photo.image: photo.aligned for photo in list_photos(album).photos}
    assert len(set(targets.values())) == len(targets)
    assert targets["b9.jpg"] == "aligned/b9.jpg" and targets["sub/a.JPEG"] == "aligned/sub/a.JPEG"
    assert targets["c.png.jpg"] == "aligned/c.png.jpg" and targets["c.png"] == "aligned/c.png.jpg.jpg"


def test_a_folder_may_have_the_name_of_a_target(tmp_path):
    """a.png cannot be aligned into a.png.jpg where that is a folder with a picture of its own."""
    for name in ("a.png", "a.png.jpg/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"picture")
    targets = {photo.image: photo.aligned for photo in list_photos(tmp_path).photos}
    assert targets == {"a.png": "aligned/a.png.jpg.jpg", "a.png.jpg/b.jpg": "aligned/a.png.jpg/b.jpg"}


@posix
def test_names_that_are_long_or_no_text(tmp_path):
    (tmp_path / ("x" * 251 + ".png")).write_bytes(b"")
    (tmp_path / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(b"")
    photos = list_photos(tmp_path).photos
    assert [photo.image for photo in photos] == ["\\xff\\xfe.jpg", "x" * 251 + ".png"]
    for photo in photos:
        assert len(Path(photo.aligned).name.encode()) <= 255
        assert pa.array([photo.image]).to_pylist() == [photo.image]


def test_a_data_set_of_families(tmp_path):
    lines = ["0\tFAMI\tASH", "1\tHUSB\tJohn_Ash", "1\tWIFE\tAnn_Ash", "1\tSONN\tBob_Ash"]
    (tmp_path / "FAMILY101.txt").write_text("\r\n".join(lines) + "\r\n")
    for name in ("John_Ash/1.jpg", "John_Ash/2.jpg", "Ann_Ash/1.jpg", "Bob_Ash/1.jpg"):
        path = tmp_path / "ASH" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    (tmp_path / "ASH" / "Bob_Ash" / "2.jpg").write_bytes(b"")
    listing = list_photos(tmp_path)
    assert listing.kind == "Family101" and len(listing) == 5
    rows = {photo.image: (photo.person, photo.family) for photo in listing.photos}
    assert rows["ASH/John_Ash/2.jpg"] == ("ASH/John_Ash", "ASH")
    assert rows["ASH/Bob_Ash/2.jpg"] == ("ASH/Bob_Ash", "ASH")  # empty, but it gets its row
    assert {photo.family for photo in list_photos(tmp_path, "folder").photos} == {None}


def test_the_studio_families_are_all_there():
    listing = list_photos(FAMILIES)
    truth = pd.read_parquet(config.data_dir() / "studio" / "truth.parquet", columns=["file", "family"])
    listed = {photo.image: photo.family for photo in listing.photos}
    faults = json.loads((config.data_dir() / "studio" / "faults.json").read_text())
    (unlisted,) = [fault["person"] for fault in faults if fault["kind"] == "incomplete_house"]
    assert listing.kind == "Family101" and len(listed) > 1000
    for file, family in zip(truth["file"], truth["family"], strict=True):
        assert listed.get(file) == (None if unlisted in file else family)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("absent", None, "'.*absent' does not exist"),
        ("empty", None, "holds no pictures: give the folder"),
        ("file.jpg", None, "is a file"),
        ("empty", "album", "unknown kind 'album': choose one of family101, .* or folder"),
        ("empty", "fiw", "empty"),
    ],
)
def test_wrong_folders(tmp_path, name, kind, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jpg").write_bytes(b"picture")
    with pytest.raises(KinlibError, match=words):
        list_photos(tmp_path / name, kind)


def test_fingerprint_follows_names(album):
    before = list_photos(album).fingerprint
    (album / "b9.jpg").write_bytes(b"another size")
    assert list_photos(album).fingerprint == before
    (album / "b9.jpg").rename(album / "b8.jpg")
    assert list_photos(album).fingerprint != before


# ---- parts, stops, going on


def imitate(part: Part) -> PreparedPart:
    """What stands in for the stages: every third picture has no face."""
    rows, pictures = [], {}
    for photo in part.photos:
        row = {"image": photo.image, "status": "no face", "stamp": stamp_of(part.root / photo.image)}
        if row["stamp"] is None:
            row["status"], row["reason"] = "unreadable", "Permission denied"
        elif len(photo.image) % 3 > 0:
            content = (part.root / photo.image).read_bytes()
            row |= {"status": "ok", "latent": content * 50, "aligned": photo.aligned}
            pictures[photo.aligned] = content * 9
        rows.append(row)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), buffer)
    return PreparedPart(part.number, buffer.getvalue(), pictures)


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """Stages that compute nothing, and parts of two pictures; returns the numbers of the parts that were asked for."""
    asked: list[int] = []

    def prepare_part(part: Part) -> PreparedPart:
        asked.append(part.number)
        return imitate(part)

    monkeypatch.setattr(engines, "prepare_part", prepare_part)
    monkeypatch.setattr(parts, "PHOTOS_PER_PART", 2)
    return asked


def finish(album: Path, out: Path, settings: PrepareSettings = SETTINGS) -> list[int]:
    """Prepare all; returns the progress."""
    return list(prepare(list_photos(album), out, settings, workers=1, device="cpu"))


def test_every_picture_once_and_in_order(asked, album, tmp_path):
    assert finish(album, tmp_path / "out") == [0, 2, 4, 6, 8, 9] and asked == [0, 1, 2, 3, 4]
    table = read_prepared(tmp_path / "out", ["image", "status"])
    assert table["image"].tolist() == [photo.image for photo in list_photos(album).photos]
    good = {photo.aligned for photo in list_photos(album).photos if len(photo.image) % 3 > 0}
    assert set(contents(tmp_path / "out")) == {"prepared.parquet", "prepare.json", *good}
    note = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert note["root"] == str(album.resolve()) and note["pictures"] == 9 and note["upscale"] == "none"
    assert sorted(note["networks"]) == ["encoder", "identity", "landmarks"]
    assert run.count_statuses(tmp_path / "out") == {"ok": len(good), "no face": 9 - len(good)}


def test_what_is_there_is_left_alone(asked, album, tmp_path):
    finish(album, tmp_path / "out")
    before = contents(tmp_path / "out")
    assert finish(album, tmp_path / "out") == [9]
    assert contents(tmp_path / "out") == before and len(asked) == 5


class Killed(BaseException):
    """Ends the work as a signal does: nothing in the project catches it."""


@pytest.mark.parametrize("before", [True, False])
def test_stopped_at_any_file(asked, album, tmp_path, monkeypatch, before):
    """Just before or after any file gets its name: what is done is kept, and the end is the same to the byte."""
    finish(album, tmp_path / "whole")
    replace_file, written = os.replace, []

    def count(source, target):
        if before and len(written) == stop:
            raise Killed
        replace_file(source, target)
        written.append(Path(target).name)
        if not before and len(written) == stop:
            raise Killed

    monkeypatch.setattr(files.os, "replace", count)
    for stop in range(not before, 200):
        written.clear()
        out = tmp_path / f"{before}-{stop}"
        try:
            finish(album, out)
            break
        except Killed:
            done = sum(name.startswith("part-") for name in written)
        written.clear()
        stop = -1
        asked.clear()
        assert finish(album, out)[-1] == 9
        assert asked == list(range(done, 5)), "neither lost nor repeated"
        assert contents(out) == contents(tmp_path / "whole")
    assert stop >= len(contents(tmp_path / "whole")) + 5  # files of the end, parts, and the note of the beginning


def test_stopped_while_the_parts_are_removed(asked, album, tmp_path, monkeypatch):
    finish(album, tmp_path / "whole")

    def stop(path, **options):
        next(path.glob("part-000001-*.parquet")).unlink()
        raise Killed

    with monkeypatch.context() as context, pytest.raises(Killed):
        context.setattr(run.shutil, "rmtree", stop)
        finish(album, tmp_path / "out")
    assert (tmp_path / "out" / WORK).exists()
    asked.clear()
    assert finish(album, tmp_path / "out") == [9] and not asked
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_a_kill_leaves_half_written_is_removed(asked, album, tmp_path):
    finish(album, tmp_path / "whole")
    progress = prepare(list_photos(album), tmp_path / "out", workers=1, device="cpu")
    assert [next(progress) for _ in range(3)] == [0, 2, 4]
    progress.close()
    for place in ("", "aligned", "aligned/sub", WORK):
        (tmp_path / "out" / place).mkdir(exist_ok=True)
        (tmp_path / "out" / place / ".0123456789abcdef.part").write_bytes(b"half a file")
    next((tmp_path / "out" / WORK).glob("part-000001-*.parquet")).write_bytes(b"half a table")
    asked.clear()
    assert finish(album, tmp_path / "out") == [2, 4, 6, 8, 9] and asked == [1, 2, 3, 4]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


PROGRAM = """
from unittest.mock import patch
from kinlib.prepare import engines, list_photos, parts, prepare
from test_prepare import hang

if __name__ == "__main__":
    parts.PHOTOS_PER_PART = 2
    with patch("kinlib.runtime.config.pick_device", lambda device: "cpu"), patch.object(engines, "prepare_part", hang):
        for done in prepare(list_photos({album!r}), {out!r}, workers=2):
            print(done, flush=True)
"""


def hang(part: Part) -> PreparedPart:
    """The imitation; it comes to a standstill at the part that the environment names."""
    if part.number >= int(os.environ["HANG_AT"]):
        time.sleep(10)
    return imitate(part)


@posix
def test_killed_for_real(asked, album, tmp_path):
    """kill -9 while two processes are at work, again and again."""
    (tmp_path / "program.py").write_text(PROGRAM.format(album=str(album), out=str(tmp_path / "killed")))
    starts = []
    for hang_at in (1, 3):
        place = _place(tmp_path, hang_at)
        with subprocess.Popen([sys.executable, "program.py"], stdout=subprocess.PIPE, **place) as program:
            starts.append(int(program.stdout.readline()))
            while int(program.stdout.readline()) < 2 * hang_at:
                pass
            program.kill()
    assert starts == [0, 2] and not (tmp_path / "killed" / "prepare.json").exists()
    lines = subprocess.run(
        [sys.executable, "program.py"], capture_output=True, check=True, **_place(tmp_path, 5)
    ).stdout.split()
    assert [int(line) for line in lines] == [6, 8, 9]
    finish(album, tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def _place(folder: Path, hang_at: int) -> dict:
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return {"cwd": folder, "env": os.environ | {"PYTHONPATH": path, "HANG_AT": str(hang_at)}}


# ---- refusals


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"preset": "other"}, "unknown preset 'other': choose one of studio, ffhq"),
        ({"upscale": "twice"}, "unknown upscale 'twice': choose one of none, bicubic, network"),
        ({"dtype": "float64"}, "unknown dtype 'float64': choose one of float32"),
    ],
)
def test_unknown_settings(asked, album, tmp_path, settings, words):
    with pytest.raises(KinlibError, match=words):
        finish(album, tmp_path / "out", replace(SETTINGS, **settings))
    assert not (tmp_path / "out").exists() and not asked


def test_unknown_engine(album, tmp_path):
    with pytest.raises(KinlibError, match="unknown engine 'cloud': choose one of local, ray"):
        next(prepare(list_photos(album), tmp_path / "out", engine="cloud"))
    assert not (tmp_path / "out").exists()


def test_networks_that_are_not_here(asked, album, tmp_path, cache):
    with pytest.raises(KinlibError, match="the weights 'e4e_ffhq' are not here: run `kinlib weights fetch e4e_ffhq`"):
        finish(album, tmp_path / "out", PrepareSettings("ffhq"))
    assert not (tmp_path / "out").exists() and not asked


@pytest.mark.parametrize("complete", [True, False])
def test_folder_made_from_something_else(asked, album, tmp_path, monkeypatch, complete):
    """Finished or not, it is refused with what differs, and stays as it is."""
    out = tmp_path / "out"
    progress = prepare(list_photos(album), out, workers=1, device="cpu")
    assert [next(progress) for _ in range(2)] == [0, 2]
    progress.close()
    if complete:
        finish(album, out)
    before = contents(out)

    def refused(words: str, root: Path = album, settings: PrepareSettings = SETTINGS, kind: str | None = None) -> None:
        with pytest.raises(KinlibError, match=words) as caught:
            next(prepare(list_photos(root, kind), out, settings, workers=1, device="cpu"))
        assert "choose another --out" in str(caught.value) and contents(out) == before

    shutil.copytree(album, tmp_path / "copy")
    refused("made from another folder, '.*album' .folder.", tmp_path / "copy")
    refused("with upscale none, not bicubic", settings=replace(SETTINGS, upscale="bicubic"))
    refused("with dtype float32, not bfloat16", settings=replace(SETTINGS, dtype="bfloat16"))
    with monkeypatch.context() as context:
        context.setattr("kinlib.checkpoints.weights.sha256", lambda path: "0" * 64)
        refused("with other weights than those that are here now")


@pytest.mark.parametrize("complete", [True, False])
def test_a_folder_that_has_changed_is_brought_up_to_date(asked, album, tmp_path, complete):
    """New, replaced and removed pictures, and one that becomes readable; all others keep row and file."""
    out = tmp_path / "out"
    (album / "c.webp").unlink()
    (album / "c.webp").mkdir()  # cannot be opened, not even by root
    (album / "c.webp" / "inside").write_bytes(b"nothing")
    listing = list_photos(album)
    photos = (*listing.photos, replace(listing.photos[0], image="c.webp", aligned="aligned/c.webp.jpg"))
    progress = prepare(replace(listing, photos=photos, fingerprint="with c.webp"), out, workers=1, device="cpu")
    assert next(progress) == 0 and next(progress) == 2
    if complete:
        assert list(progress)[-1] == 9
        described = run.describe_failed(out)
        assert described == "1 unreadable or failed (reasons in prepared.parquet): 'c.webp'"
    progress.close()
    shutil.rmtree(album / "c.webp")
    (album / "c.webp").write_bytes(b"c.webp")
    same_size = (album / "b10.jpg").read_bytes().upper()
    (album / "b10.jpg").write_bytes(same_size)
    (album / "sub" / "deep" / "z.tif").unlink()
    (album / "a_new.jpg").write_bytes(b"new")
    assert finish(album, out)[-1] == 9
    finish(album, tmp_path / "again")
    assert contents(out) == contents(tmp_path / "again")
    assert read_prepared(out)["image"].tolist() == [photo.image for photo in list_photos(album).photos]
    asked.clear()
    assert finish(album, out) == [9] and not asked


def test_only_what_changed_is_prepared_again(asked, album, tmp_path, monkeypatch):
    finish(album, tmp_path / "out")
    prepared: list[str] = []

    def prepare_part(part: Part) -> PreparedPart:
        prepared.extend(photo.image for photo in part.photos)
        return imitate(part)

    monkeypatch.setattr(engines, "prepare_part", prepare_part)
    (album / "b9.jpg").write_bytes(b"9jpg.b")  # of the same size
    (album / "new.jpg").write_bytes(b"one more")
    os.utime(album / "b.jpg", (0, 0))
    assert finish(album, tmp_path / "out")[0] == 8 and prepared == ["b9.jpg", "new.jpg"]
    prepared.clear()
    lost = next((tmp_path / "out" / "aligned").rglob("*.jpg"))
    lost.unlink()  # by whomever
    finish(album, tmp_path / "out")
    assert len(prepared) == 1 and lost.exists()


def test_what_failed_is_tried_again(asked, album, tmp_path, monkeypatch):
    def fail(part: Part) -> PreparedPart:
        rows = [{"image": photo.image, "status": "failed", "reason": "a card fell out"} for photo in part.photos]
        rows = [row | {"stamp": stamp_of(part.root / row["image"])} for row in rows]
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), buffer)
        return PreparedPart(part.number, buffer.getvalue(), {})

    with monkeypatch.context() as context:
        context.setattr(engines, "prepare_part", fail)
        finish(album, tmp_path / "out")
    described = run.describe_failed(tmp_path / "out")
    assert described.startswith("9 unreadable or failed (reasons in prepared.parquet): 'b9.jpg', 'b10.jpg', ")
    assert described.endswith("'c.png', ...")
    finish(album, tmp_path / "out")
    assert run.describe_failed(tmp_path / "out") == ""
    finish(album, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_the_last_picture_without_a_face_may_be_replaced(asked, tmp_path):
    """Then no row lacks an aligned face, where one did before."""
    album = tmp_path / "album"
    album.mkdir()
    for name in ("a.jpg", "bb.jpg"):  # by `imitate`, the second has no face
        (album / name).write_bytes(name.encode())
    out = tmp_path / "out"
    finish(album, out)
    assert run.count_statuses(out) == {"ok": 1, "no face": 1}
    (album / "bb.jpg").rename(album / "bbb.jpg")
    finish(album, out)
    assert run.count_statuses(out) == {"ok": 2}
    assert sorted(path.name for path in (out / "aligned").iterdir()) == ["a.jpg", "bbb.jpg"]


def test_weights_that_were_damaged_and_are_mended(asked, album, tmp_path, monkeypatch):
    """A call that could not load them leaves nothing that stands in the way of the next."""

    def damaged(part: Part) -> PreparedPart:
        raise KinlibError("the weights are damaged")

    with monkeypatch.context() as context:
        context.setattr(engines, "prepare_part", damaged)
        context.setattr("kinlib.checkpoints.weights.sha256", lambda path: "0" * 64)
        with pytest.raises(KinlibError, match="the weights are damaged"):
            finish(album, tmp_path / "out")
    assert finish(album, tmp_path / "out")[-1] == 9


def test_a_long_table_is_joined_in_order(asked, album, tmp_path, monkeypatch):
    """Row groups of the old table and parts of the new work interleave."""
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 3)
    for number in range(20):
        (album / f"n{number}.jpg").write_bytes(f"first {number}".encode())
    finish(album, tmp_path / "out")
    for number in range(0, 20, 3):
        (album / f"n{number}.jpg").write_bytes(f"second {number}".encode())
    finish(album, tmp_path / "out")
    finish(album, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert pq.ParquetFile(tmp_path / "out" / "prepared.parquet").num_row_groups == 10


def test_folders_that_are_not_ours(asked, album, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(KinlibError, match="is a file: --out needs a folder"):
        finish(album, tmp_path / "file")
    for name in ("aligned", "prepared.parquet"):
        (tmp_path / f"strange {name}" / name).mkdir(parents=True)
        with pytest.raises(KinlibError, match=f"{name}' was not made here"):
            finish(album, tmp_path / f"strange {name}")
    for inside in (album, album / "sub", album / "new"):
        with pytest.raises(KinlibError, match="lies in the folder to prepare: choose an --out beside it"):
            finish(album, inside)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "prepare.json").write_text("{")
    with pytest.raises(KinlibError, match=r"prepare.json' is damaged"):
        finish(album, tmp_path / "damaged")
    if Path("/proc/self").exists():  # where not even root may write
        with pytest.raises(KinlibError, match="cannot be written"):
            finish(album, Path("/proc/prepared"))
    assert not asked


def test_no_space(asked, album, tmp_path):
    resource = pytest.importorskip("resource")  # POSIX only
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, limits[1]))  # bytes; tables have more
    try:
        with pytest.raises(KinlibError, match="cannot be written: File too large"):
            finish(album, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert finish(album, tmp_path / "out")[-1] == 9
    assert not [name for name in contents(tmp_path / "out") if name.endswith(".part")]


def test_reading_what_is_not_there(tmp_path):
    with pytest.raises(KinlibError, match=r"holds no prepared.parquet: make it with `kinlib prepare ROOT --out"):
        read_prepared(tmp_path)
    (tmp_path / "prepared.parquet").write_bytes(b"half a table")
    with pytest.raises(KinlibError, match="is damaged: delete it"):
        read_prepared(tmp_path)


def test_reading_a_column_that_is_not_there(asked, album, tmp_path):
    finish(album, tmp_path / "out")
    with pytest.raises(KinlibError, match="unknown column 'picture': choose of image, person"):
        read_prepared(tmp_path / "out", ["image", "picture"])


def test_without_ray_there_is_a_sentence(asked, album, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(KinlibError, match=r"ray is not installed: run `pip install 'kinlib\[scale\]'`"):
        list(prepare(list_photos(album), tmp_path / "out", engine="ray", device="cpu"))
    assert finish(album, tmp_path / "out")[-1] == 9  # what was begun there goes on with the other engine


def test_an_upscaler_that_is_not_here(asked, album, tmp_path, monkeypatch):
    def missing(*arguments):
        raise KinlibError("the weights 'studio_upscaler' are not here: run `kinlib train upscaler`")

    monkeypatch.setattr("kinlib.faces.upscale.upscaler_path", missing)
    with pytest.raises(KinlibError, match="'studio_upscaler' are not here"):
        finish(album, tmp_path / "out", replace(SETTINGS, upscale="network"))
    assert not (tmp_path / "out").exists()
