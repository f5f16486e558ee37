"""SHA-256 checksums of large files.

A file whose checksum was never published cannot be checked against its source. It can still be checked against its own
download: the checksum is then stored beside it, in `<file>.sha256`, in the format of `sha256sum`.
"""

import hashlib
from pathlib import Path

from kinlib.io.files import write_bytes

__all__ = ["write_checksum", "read_checksum", "sha256"]

_sums: dict[tuple, str] = {}  # by (path, size, mtime): large files are read once


def sha256(path: str | Path) -> str:
    """SHA-256 of a file in hexadecimal; read once while path, size and modification time stay the same."""
    path = Path(path).resolve()
    facts = path.stat()
    key = (path, facts.st_size, facts.st_mtime_ns)
    if key not in _sums:
        with path.open("rb") as file:
            _sums[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _sums[key]


def write_checksum(path: Path) -> None:
    """Store a file's checksum beside it, in `<file>.sha256`.

    Raises:
        KinlibError: if that cannot be written.
    """
    write_bytes(_checksum_file(path), f"{sha256(path)}  {path.name}\n".encode())


def read_checksum(path: Path) -> str | None:
    """The checksum stored beside a file; None where there is none, or the file beside it holds something else."""
    try:
        words = _checksum_file(path).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return words[0] if words and len(words[0]) == hashlib.sha256().digest_size * 2 else None


def _checksum_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
