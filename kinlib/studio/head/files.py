"""The files of ICT-FaceKit behind the head model: list, download and verification.

`files.json` lists path, SHA-256 and size of each at one commit of the public repository. Downloaded files are kept
until the model is converted, so that an interrupted download continues with the missing files.
"""

import json
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from kinlib.checkpoints.download import Downloader, retrieve, try_mirrors
from kinlib.checkpoints.weights import sha256
from kinlib.runtime.errors import KinlibError

__all__ = ["COMMIT", "MIRRORS", "RemoteFile", "discard", "download", "expression_names", "find_in", "identity_names"]
__all__ += ["table", "verify"]

COMMIT = "da5f95a607f5e6b37755b38d3385d7f2853732e5"
MIRRORS = (
    f"https://raw.githubusercontent.com/ICT-VGL/ICT-FaceKit/{COMMIT}/",
    f"https://github.com/ICT-VGL/ICT-FaceKit/raw/{COMMIT}/",
)
TIMEOUT = 20  # seconds without data after which a download is aborted
ATTEMPTS = 4  # per file, resuming after a dropped connection


@dataclass(frozen=True)
class RemoteFile:
    """One file of the repository: its path there, SHA-256 in hexadecimal and size in bytes."""

    path: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.path).name


@lru_cache(maxsize=1)
def table() -> tuple[RemoteFile, ...]:
    """All required files, the licence first."""
    rows = json.loads(Path(__file__).with_suffix(".json").read_text())
    return tuple(RemoteFile(path, sha256, size) for path, (sha256, size) in rows.items())


def identity_names() -> list[str]:
    """Names of the identity modes in order: "identity000" and so on."""
    return sorted(name for name in _modes() if name.startswith("identity"))


def expression_names() -> list[str]:
    """Names of the expressions, in the order in which the head model lists them."""
    return [name for name in _modes() if not name.startswith("identity")]


def _modes() -> list[str]:
    """Names of all modes: the .obj files except the neutral mesh."""
    names = [file.name.removesuffix(".obj") for file in table() if file.name.endswith(".obj")]
    return [name for name in names if name != "generic_neutral_mesh"]


def find_in(folder: Path) -> Path | None:
    """The folder with the .obj files: `folder` or its `FaceXModel`; None if the neutral mesh is in neither."""
    return next(
        (place for place in (folder, folder / "FaceXModel") if (place / "generic_neutral_mesh.obj").is_file()), None
    )


def verify(folder: Path) -> None:
    """Compare the .obj files in a folder with their SHA-256.

    Raises:
        KinlibError: if one is missing or differs from the published one.
    """
    for file in _model_files():
        place = folder / file.name
        if not place.is_file():
            raise KinlibError(f"{place} is missing: get ICT-FaceKit's FaceXModel at commit {COMMIT[:7]} again")
        if sha256(place) != file.sha256:
            raise KinlibError(f"{place} is not ICT-FaceKit's file at commit {COMMIT[:7]} (its SHA-256 differs)")


def download(folder: Path, progress: bool = True) -> Path:
    """Download the files missing in `folder`; returns the folder with the .obj files.

    Raises:
        KinlibError: if a download fails; the message says what to do instead.
    """
    from tqdm.auto import tqdm

    total = sum(file.size for file in table())
    with tqdm(total=total, unit="B", unit_scale=True, desc="Downloading ICT-FaceKit", disable=not progress) as bar:
        for file in table():
            _fetch(file, folder / file.path)
            bar.update(file.size)
    return folder / PurePosixPath(_model_files()[0].path).parent


def discard(folder: Path) -> None:
    """Delete the downloaded .obj files; the licence is kept."""
    shutil.rmtree(folder / PurePosixPath(_model_files()[0].path).parent, ignore_errors=True)


def _model_files() -> list[RemoteFile]:
    return [file for file in table() if "/" in file.path]


def _fetch(file: RemoteFile, place: Path) -> None:
    if place.is_file() and sha256(place) == file.sha256:
        return
    part = place.with_name(place.name + ".part")

    def attempt(url: str) -> str | None:
        loader = Downloader(part, size=file.size, attempts=ATTEMPTS, timeout=TIMEOUT)
        return retrieve(url, file.sha256, place, loader)

    why = try_mirrors([mirror + file.path for mirror in MIRRORS], attempt)
    if why is not None:
        raise KinlibError(
            f"the head model could not be downloaded ({file.path}: {why}): try again later, or clone "
            f"github.com/ICT-VGL/ICT-FaceKit elsewhere, copy its FaceXModel and let KINLIB_ICT_DIR name that folder"
        )
