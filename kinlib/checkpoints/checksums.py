"""SHA-256 sums of large files, and notes of the sums that nobody has published.

Of a file without a recorded sum nobody can say whether it is the right one. But that it is still the one that was
downloaded can be said: its sum is noted beside it, in `<file>.sha256`, as `sha256sum` writes it.
"""

import hashlib
from pathlib import Path

from kinlib.io.files import write_bytes

__all__ = ["note_sum", "noted_sum", "sha256"]

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


def note_sum(path: Path) -> None:
    """Note a file's sum beside it.

    Raises:
        KinlibError: if that cannot be written.
    """
    write_bytes(_note(path), f"{sha256(path)}  {path.name}\n".encode())


def noted_sum(path: Path) -> str | None:
    """The sum that was noted when the file came, or None where nothing was, or what lies there is no note."""
    try:
        words = _note(path).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return words[0] if words and len(words[0]) == hashlib.sha256().digest_size * 2 else None


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
