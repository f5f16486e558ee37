"""The folder of uploads stays empty, whatever happens to those who filled it."""

import os
import stat
import subprocess
import sys

import pytest

from kinlib.demo.uploads import PREFIX, UploadFolder
from kinlib.runtime.errors import KinlibError


@pytest.fixture
def folder(tmp_path) -> UploadFolder:
    return UploadFolder(tmp_path)


def uploaded(folder: UploadFolder, age: float = 0.0):
    """A file as gradio leaves it: in a folder of its own."""
    path = folder.path / "0f3a" / "aunt.jpg"
    path.parent.mkdir()
    path.write_bytes(b"face")
    for one in (path, path.parent):
        before = one.stat().st_mtime - age
        os.utime(one, (before, before))
    return path


def test_nobody_else_may_enter(folder):
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_file_is_gone_once_it_is_read(folder):
    path = uploaded(folder)
    assert folder.take(str(path)) == ("aunt.jpg", b"face")
    assert not list(folder.path.iterdir())
    folder.sweep(0)
    with pytest.raises(KinlibError, match="is gone"):
        folder.take(str(path))


def test_two_visitors_with_one_photograph_both_get_it(folder):
    """gradio names uploads by their content: the first reader removes what the second has uploaded as well."""
    path = uploaded(folder)
    assert folder.take(str(path)) == folder.take(str(path)) == ("aunt.jpg", b"face")
    folder.sweep(60)
    assert folder.take(str(path)) == ("aunt.jpg", b"face")


@pytest.mark.parametrize("name", ["../secret.txt", "{folder}", "{folder}/../secret.txt", "{folder}/link"])
def test_nothing_outside_is_read_or_removed(folder, tmp_path, name):
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    (folder.path / "link").symlink_to(secret)
    with pytest.raises(KinlibError, match="no uploaded file"):
        folder.take(name.format(folder=folder.path))
    assert secret.read_text() == "mine" and folder.path.is_dir()


def test_what_nobody_reads_is_swept_out(folder):
    old = uploaded(folder, age=90)
    folder.sweep(100)
    assert old.exists()
    folder.sweep(60)
    assert not list(folder.path.iterdir())


def test_young_files_stay_beside_old_ones(folder):
    uploaded(folder, age=90)
    young = folder.path / "young.png"
    young.write_bytes(b"face")
    folder.sweep(60)
    assert list(folder.path.iterdir()) == [young]


def test_the_folder_of_a_killed_server_goes_when_the_next_one_starts(tmp_path, folder):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = tmp_path / f"{PREFIX}{int(dead.stdout)}-x1"
    left.mkdir()
    (left / "aunt.jpg").write_bytes(b"face")
    other = tmp_path / f"{PREFIX}notes"
    other.mkdir()
    UploadFolder(tmp_path)
    assert not left.exists()
    assert folder.path.exists() and other.exists()  # of a server that runs, and of nobody that is known
    folder.remove()
    assert not folder.path.exists()
