"""The files that the report is built from, read once: what is checked is what is typeset."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from kinlib.io.files import parse_json
from kinlib.runtime.errors import KinlibError

__all__ = ["EXPORTED", "MAIN", "TIMED", "Sources", "read_sources", "report_folder"]

EXPORTED = "studio"  # the numbers file that `kinlib.report.exports` writes; notebooks write all others
TIMED = ("ffhq_cpu", "scale", "start_cpu", "web_page")  # numbers of `make bench` and of scripts in tests/checks
MAIN = "report.typ"

COMMENT = re.compile(r"(?<!:)//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Sources:
    """One reading of everything that shapes the report.

    Attributes:
        root: the checkout.
        files: content of every file that Typst may open, by its path below the checkout. Figures and numbers files
            that the texts do not mention are left out, as are figures that are missing on disk.
        checksums: file name of each figure that the texts name -> SHA-256 in `figures/manifest.json`.
    """

    root: Path
    files: dict[str, bytes]
    checksums: dict[str, str]

    def texts(self) -> dict[str, str]:
        """Typst files without their comments, by path."""
        return {name: _uncommented(content) for name, content in self.files.items() if name.endswith(".typ")}

    def figures(self) -> dict[str, dict]:
        """File name of each figure that the texts name -> notebook and parameters that made it."""
        return parse_json(self.files["figures/manifest.json"])

    def digest(self) -> str:
        """Checksum of all files, 32 hex digits. The PDF carries it, so that a stale one is recognised."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{name}\0{hashlib.sha256(self.files[name]).hexdigest()}\n".encode())
        return digest.hexdigest()[:32]


def report_folder(root: Path) -> Path:
    """The folder of a checkout's report.

    Raises:
        KinlibError: if there is no report.
    """
    folder = root / "report"
    if not (folder / MAIN).is_file():
        raise KinlibError(f"there is no report to build in '{root}': run this in a checkout of the project")
    return folder


def read_sources(root: Path) -> Sources:
    """Read the report of a checkout.

    Raises:
        KinlibError: if there is no report, or a JSON file of it is damaged.
    """
    folder = report_folder(root)
    paths = [*sorted(folder.rglob("*.typ")), folder / "references.bib"]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    text = "".join(_uncommented(content) for name, content in files.items() if name.endswith(".typ"))
    for path in sorted((folder / "numbers").glob("*.json")):
        if f'"{path.stem}/' in text:
            read_json(path)  # damaged files are refused before Typst meets them
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    manifest = read_json(root / "figures" / "manifest.json")
    manifest = {file: entry for file, entry in manifest.items() if f'"{Path(file).stem}"' in text}
    made_by = {file: {key: entry[key] for key in ("notebook", "parameters")} for file, entry in manifest.items()}
    files["figures/manifest.json"] = json.dumps(made_by, sort_keys=True).encode()
    for file in manifest:
        if (root / "figures" / file).is_file():
            files[f"figures/{file}"] = (root / "figures" / file).read_bytes()
    return Sources(root, files, {file: entry["sha256"] for file, entry in manifest.items()})


def read_json(path: Path) -> dict:
    """The content of a JSON file; empty if there is none.

    Raises:
        KinlibError: if the file is damaged.
    """
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise KinlibError(f"'{path}' cannot be read: run the notebooks that write it again") from error


def _uncommented(content: bytes) -> str:
    return COMMENT.sub("", content.decode())
