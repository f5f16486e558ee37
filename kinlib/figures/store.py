"""Storing figures and numbers, with a manifest of the notebook, parameters and seed of each figure.

Results are stored in the project. A notebook that is run by hand stores them in the cache instead, so that trying other
parameters does not change tracked files; `run_notebooks.py --write` sets `KINLIB_STORE`, which selects the project.
"""

import hashlib
import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from kinlib.figures.style import MAX_PREVIEW, PRINT, as_jpeg, as_png, as_svg
from kinlib.io.files import make_folder, parse_json, write_bytes, write_json
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["Saved", "save", "save_numbers"]

MAX_PHOTOS = 200_000  # bytes of a stored photo grid
SUFFIXES = {"plot": ".svg", "photos": ".jpg"}


@dataclass(frozen=True, repr=False)
class Saved:
    """A stored figure: its path (None if it is private), and the preview that a notebook shows.

    The preview of a private figure is marked as such, so that `run_notebooks.py --write` leaves it out of the file.
    """

    path: Path | None
    preview: bytes
    kind: str

    def __repr__(self) -> str:
        if self.path is None:
            return "a private figure, not stored"
        root = config.project_root()
        return (self.path.relative_to(root) if self.path.is_relative_to(root) else self.path).as_posix()

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict] | None:
        """No picture, only the mark of a private figure."""
        return None if self.path else ({}, {"private": True})

    def _repr_png_(self) -> bytes | None:
        return self.preview if self.kind == "plot" else None

    def _repr_jpeg_(self) -> bytes | None:
        return self.preview if self.kind == "photos" else None


def save(
    name: str,
    fig: Figure,
    source: str | None = None,
    parameters: Mapping | None = None,
    seed: int | None = None,
    kind: str = "plot",
    private: bool = False,
    preview_bytes: int = MAX_PREVIEW,
) -> Saved:
    """Store a figure in `figures/` with an entry in `figures/manifest.json`.

    Args:
        name: begins with the notebook's number: "07_methods", or "A1_tree" in the appendix.
        fig: any matplotlib figure.
        source: the notebook's name; None finds it by its number.
        parameters: the settings that the figure depends on.
        seed: of its random numbers.
        kind: "plot" (SVG) or "photos" (JPEG of at most 200 KB).
        private: show it without storing it; for pictures of real people.
        preview_bytes: most bytes of the preview in the notebook.

    Returns:
        The stored figure; as the last line of a cell it displays the preview.

    Raises:
        KinlibError: if the name or the kind is unusable, or the figure cannot be written.
    """
    if not re.fullmatch(r"[A-Z\d]\d_[a-z0-9_]+", name):
        raise KinlibError(f"'{name}' cannot name a figure: use the notebook's number and words, such as 07_methods")
    if kind not in SUFFIXES:
        raise KinlibError(f"unknown kind of figure '{kind}': choose one of {', '.join(SUFFIXES)}")
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)  # else the notebook would show it a second time
    preview = as_png(fig, preview_bytes) if kind == "plot" else as_jpeg(fig, preview_bytes)
    if private:
        return Saved(None, preview, kind)
    content = as_svg(fig) if kind == "plot" else as_jpeg(fig, MAX_PHOTOS, PRINT)
    path = make_folder(_results_root() / "figures") / f"{name}{SUFFIXES[kind]}"
    write_bytes(path, content)
    _note(path, source or _notebook(name), dict(parameters or {}), seed, content)
    return Saved(path, preview, kind)


def save_numbers(name: str, numbers: Mapping[str, float | int | str | list], private: bool = False) -> Path | None:
    """Store the numbers of a notebook in `report/numbers/<name>.json`, from which the report reads them.

    Args:
        name: the notebook's: "07_blending".
        numbers: by name; numbers (also NumPy's and PyTorch's), strings, or lists of them. Rounded to six digits.
        private: store nothing; for notebooks that have read photographs of real people.

    Returns:
        The path; None if nothing is stored.

    Raises:
        KinlibError: if a number is not finite, or the file cannot be written.
    """
    if private:
        return None
    plain = {key: _plain(value, key) for key, value in numbers.items()}
    path = make_folder(_results_root() / "report" / "numbers") / f"{name}.json"
    write_json(path, plain)
    return path


def _results_root() -> Path:
    """The project; for a notebook that is run by hand, a folder in the cache."""
    by_hand = _in_kernel() and not os.environ.get("KINLIB_STORE")
    return config.cache_dir() / "results" if by_hand else config.project_root()


def _in_kernel() -> bool:
    """Whether this process is a notebook's kernel; a program that starts kernels has the same modules loaded."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def _note(path: Path, notebook: str, parameters: dict, seed: int | None, content: bytes) -> None:
    """Enter a figure into the manifest, with the commit of the first run that gave these bytes.

    A figure of the same name and another kind is removed.
    """
    manifest = path.with_name("manifest.json")
    try:
        entries = parse_json(manifest.read_bytes()) if manifest.exists() else {}
    except ValueError as error:
        raise KinlibError(f"{manifest} is damaged: delete it and run the notebooks again") from error
    settings = {key: _plain(value, key) for key, value in parameters.items()}
    digest = hashlib.sha256(content).hexdigest()
    known = entries.get(path.name, {})
    same = (known.get("sha256"), known.get("parameters"), known.get("seed")) == (digest, settings, seed)
    commit = known["commit"] if same else config.commit()
    facts = {"notebook": notebook, "parameters": settings, "seed": seed, "commit": commit, "sha256": digest}
    replaced = {f"{path.stem}{suffix}" for suffix in SUFFIXES.values()} - {path.name}
    kept = {name: entry for name, entry in entries.items() if name not in replaced}
    write_json(manifest, dict(sorted({**kept, path.name: facts}.items())))
    for name in replaced:
        path.with_name(name).unlink(missing_ok=True)


def _notebook(name: str) -> str:
    found = sorted((config.project_root() / "notebooks").glob(f"{name[:2]}_*.ipynb"))
    return found[0].stem if found else name[:2]


def _plain(value, key: str):
    """A value for JSON: finite numbers rounded to six digits, paths without their folders."""
    if isinstance(value, str | bool | None):
        return value
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {str(name): _plain(one, f"{key}.{name}") for name, one in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one, key) for one in value]
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise KinlibError(f"the number '{key}' is {value}: it must be finite")
    return float(f"{value:.6g}")
