"""The bundled studio parents: rendered people to start with, before one's own photographs."""

from pathlib import Path

from kinlib import config
from kinlib.errors import KinlibError

__all__ = ["couple", "couples"]


def couples() -> list[tuple[Path, Path]]:
    """(father, mother) pictures of every bundled couple."""
    folder = config.data_dir() / "studio" / "parents"
    fathers = sorted(folder.glob("couple_*_father.*"))
    return [(father, father.with_name(father.name.replace("father", "mother"))) for father in fathers]


def couple(number: int) -> tuple[Path, Path]:
    """(father, mother) of one couple, counted from 1.

    Raises:
        KinlibError: if there is no couple of that number.
    """
    found = couples()
    if not 1 <= number <= len(found):
        raise KinlibError(f"there is no couple {number}: choose one from 1 to {len(found)}")
    return found[number - 1]
