"""Weights that an installed package brings along: found without importing it, checked, and copied whole."""

import hashlib
import importlib.util
from dataclasses import replace

import pytest

from kinlib.checkpoints import packaged, weights
from kinlib.checkpoints.registry import PUBLISHED
from kinlib.cli import main

CONTENT = b"weights in a package"
TOY = replace(
    PUBLISHED[0],
    name="toy",
    file="toy.dat",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
    mirrors=("http://127.0.0.1:9/toy.dat",),  # nobody answers there
    also=(),
    packaged="toy_models/models/toy.dat",
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that cannot be imported, as face_recognition_models without pkg_resources; its file."""
    monkeypatch.setattr(weights, "PUBLISHED", (TOY,))
    monkeypatch.setenv("KINLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    file = tmp_path / "site" / "toy_models" / "models" / "toy.dat"
    file.parent.mkdir(parents=True)
    (file.parent.parent / "__init__.py").write_text("raise ImportError('no pkg_resources')")
    file.write_bytes(CONTENT)
    return file


def test_fetch_copies_it_without_a_download(package, tmp_path, capsys):
    assert weights.to_fetch("toy") == []
    assert main(["weights", "fetch", "toy"]) == 0
    place = tmp_path / "cache" / "weights" / "toy.dat"
    assert place.read_bytes() == CONTENT and weights.path("toy") == place
    assert [file.name for file in place.parent.iterdir()] == ["toy.dat"]
    assert "downloading" not in capsys.readouterr().out


def test_another_version_of_the_file_is_not_taken(package, tmp_path):
    package.write_bytes(CONTENT[::-1])
    assert packaged.find_in_package(TOY) is None and not packaged.copy_from_package(TOY, tmp_path / "toy.dat")
    assert weights.to_fetch("toy") == [TOY] and not (tmp_path / "toy.dat").exists()


def test_package_that_is_absent_or_lacks_the_file(package):
    package.unlink()
    assert packaged.find_in_package(TOY) is None
    assert packaged.find_in_package(replace(TOY, packaged="no_such_package/toy.dat")) is None
    assert packaged.find_in_package(replace(TOY, packaged="")) is None


def test_a_folder_that_cannot_be_written(package, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file")
    assert main(["weights", "fetch", "toy"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(
    importlib.util.find_spec("face_recognition_models") is None, reason="needs the package face-recognition-models"
)
def test_official_predictor_of_the_package_is_the_published_file(tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_CACHE", str(tmp_path))
    entry = weights.find("dlib_68")
    place = packaged.find_in_package(entry)
    assert place.name == entry.file and place.stat().st_size == entry.size
    assert weights.fetch("dlib_68") == {"dlib_68": tmp_path / "weights" / entry.file}
    assert weights.verify("dlib_68")[0]["state"] == "good"
