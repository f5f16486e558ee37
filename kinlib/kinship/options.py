"""The options of `Kinship.children`, checked before anything is read or computed."""

import math
import operator
from typing import Any

from kinlib.runtime.errors import KinlibError

__all__ = ["MAX_CHILDREN", "SEXES", "check_options", "check_size", "check_steps"]

MAX_STEPS = 10_000  # of refinement; hours on a CPU
MAX_CHILDREN = 1000  # of one call; at 1024 px they fill 3 GB
MAX_SEED = 10**18  # PyTorch takes 64 bits
MAX_AGE = 120  # years
MAX_SIZE = 16_384  # px; 800 MB of one picture
SEXES = {"female": 0.0, "male": 1.0}  # values of the direction


def check_options(
    n: int, seed: int, age: float | None, sex: str | None, truncation: float, refine_steps: int = 0
) -> None:
    """Check what `Kinship.children` takes, before any photograph is read.

    Raises:
        KinlibError: if a value is of another type or out of its range.
    """
    _check_whole("number of children", n, 1, MAX_CHILDREN)
    check_steps(refine_steps)
    _check_whole("seed", seed, -MAX_SEED, MAX_SEED)
    if age is not None:
        _check_number(f"the age must be from 0 to {MAX_AGE} years", age, MAX_AGE)
    if sex is not None and (not isinstance(sex, str) or sex not in SEXES):
        raise KinlibError(f"unknown sex '{sex}': choose one of {', '.join(SEXES)}, or leave the option out")
    _check_number("the truncation must be from 0 to 1", truncation, 1)


def check_steps(refine_steps: int) -> None:
    """Check a number of refinement steps.

    Raises:
        KinlibError: if it is of another type or out of its range.
    """
    _check_whole("number of refinement steps", refine_steps, 0, MAX_STEPS)


def check_size(size: int | None) -> None:
    """Check the side of a picture.

    Raises:
        KinlibError: if it is of another type or out of its range; None is neither.
    """
    if size is not None:
        _check_whole("size of a picture", size, 1, MAX_SIZE)


def _check_whole(what: str, value: Any, low: int, high: int) -> None:
    try:
        if low <= operator.index(value) <= high:
            return
    except TypeError:
        pass
    raise KinlibError(f"the {what} must be a whole number from {low:,} to {high:,}, not {value}")


def _check_number(rule: str, value: Any, high: float) -> None:
    """Refuse what is no number in [0, high]; NaN fails the comparison."""
    try:
        found = math.nan if isinstance(value, str) else float(value)  # "30" would fail later, where it is added
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found <= high:
        shown = value if isinstance(value, str) or math.isnan(found) else f"{found:g}"
        raise KinlibError(f"{rule}, not {shown}")
