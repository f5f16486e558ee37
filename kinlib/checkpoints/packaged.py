"""Files of weights that an installed Python package brings along, so that they need no download.

The package is located without importing it: packages that only carry weights may need what is not installed.
"""

import importlib.util
import shutil
from pathlib import Path

from kinlib.checkpoints.checksums import sha256
from kinlib.checkpoints.registry import Checkpoint
from kinlib.io.files import make_folder, write_whole

__all__ = ["copy_from_package", "find_in_package"]


def find_in_package(entry: Checkpoint) -> Path | None:
    """The checkpoint's file within an installed package, if its SHA-256 is a recorded one; else None."""
    package, _, inside = entry.packaged.partition("/")
    spec = importlib.util.find_spec(package) if package else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        place = Path(folder, inside)
        if place.is_file() and sha256(place) in entry.hashes:
            return place
    return None


def copy_from_package(entry: Checkpoint, place: Path) -> bool:
    """Copy the checkpoint's file from an installed package to `place`; False where no package has it.

    Raises:
        KinlibError: if it cannot be written.
    """
    source = find_in_package(entry)
    if source is None:
        return False
    make_folder(place.parent)
    with source.open("rb") as content:
        write_whole(place, lambda file: shutil.copyfileobj(content, file))
    return True
