"""Where things are, also on machines that lack what most have."""

import os
import tempfile
from pathlib import Path

import pytest

from kinlib.runtime import config


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("KINLIB_CACHE", str(tmp_path))
    assert config.cache_dir() == tmp_path
    monkeypatch.delenv("KINLIB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.cache_dir() == tmp_path / ".cache" / "kinlib"


@pytest.mark.skipif(os.name != "posix", reason="needs users by number")
def test_cache_folder_of_an_account_without_a_home(monkeypatch):
    """A bare user number, as `docker run --user 54321` gives: no HOME, and no entry in the table of users."""
    import pwd

    monkeypatch.delenv("KINLIB_CACHE")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    with pytest.raises(RuntimeError):
        Path.home()
    assert config.cache_dir() == Path(tempfile.gettempdir(), f"kinlib-{os.getuid()}")


@pytest.mark.skipif(os.name != "posix", reason="needs users by number")
def test_cache_folder_of_a_read_only_home(monkeypatch, tmp_path):
    """A folder that is there, filled perhaps by somebody else, is used; one that cannot be made is not."""
    monkeypatch.delenv("KINLIB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: not (mode & os.W_OK and Path(path) == tmp_path))
    assert config.cache_dir() == Path(tempfile.gettempdir(), f"kinlib-{os.getuid()}")
    (tmp_path / ".cache" / "kinlib").mkdir(parents=True)
    assert config.cache_dir() == tmp_path / ".cache" / "kinlib"
