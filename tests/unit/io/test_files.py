"""Files are written whole or not at all, whatever interrupts the writing."""

import json
import os
from pathlib import Path

import pytest

from kinlib.io.files import make_folder, write_bytes, write_json, write_whole
from kinlib.runtime.errors import KinlibError

OLD, NEW = b"what was there before", b"what is new"


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "file.bin").write_bytes(OLD)
    return tmp_path / "file.bin"


def test_written_and_replaced(path):
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW and os.listdir(path.parent) == ["file.bin"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("not a picture")])
def test_what_goes_wrong_while_writing_is_told(path, error):
    def save(file):
        file.write(NEW)
        raise error

    words = "No space left on device" if isinstance(error, OSError) else "not a picture"
    with pytest.raises(KinlibError, match=f"file.bin' cannot be written: {words}"):
        write_whole(path, save)
    assert path.read_bytes() == OLD and os.listdir(path.parent) == ["file.bin"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interruptions_leave_the_old_file(path, error):
    def save(file):
        file.write(NEW)
        raise error

    with pytest.raises(error):
        write_whole(path, save)
    assert path.read_bytes() == OLD and os.listdir(path.parent) == ["file.bin"]


def test_trying_changes_nothing(path):
    write_whole(path, None)
    assert path.read_bytes() == OLD and os.listdir(path.parent) == ["file.bin"]
    with pytest.raises(KinlibError, match="cannot be written"):
        write_whole(path / "below", None)


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_others_may_read_what_the_umask_lets_them(path):
    before = os.umask(0o027)
    try:
        write_bytes(path, NEW)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_json(tmp_path):
    write_json(tmp_path / "note.json", {"name": "Zoë", "list": [1, None]})
    raw = (tmp_path / "note.json").read_bytes()
    assert json.loads(raw) == {"name": "Zoë", "list": [1, None]}
    assert "Zoë".encode() in raw and raw.endswith(b"}\n")


def test_folders(tmp_path, path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    for wrong in (path, path / "below", tmp_path / ("x" * 300), tmp_path / "nul\0"):
        with pytest.raises(KinlibError, match="cannot be written"):
            make_folder(wrong)
