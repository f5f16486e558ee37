"""The options of `Kinship.children`, checked before anything is read or computed."""

import math
import operator
from typing import Any

from kinlib.runtime.errors import KinlibError

__all__ = ["MAX_CHILDREN", "SEXES", "check_age", "check_options", "check_range", "check_size", "check_steps"]
__all__ += ["shown_range"]

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
        check_age(age)
    if sex is not None and (not isinstance(sex, str) or sex not in SEXES):
        raise KinlibError(f"unknown sex '{sex}': choose one of {', '.join(SEXES)}, or leave the option out")
    check_range("the truncation must be from 0 to 1", truncation, 0, 1)


def check_age(age: float) -> float:
    """An age in years as a float.

    Raises:
        KinlibError: if it is of another type, or not from 0 to 120.
    """
    return check_range(f"the age must be from 0 to {MAX_AGE} years", age, 0, MAX_AGE)


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


def check_range(rule: str, value: Any, low: float, high: float) -> float:
    """A number in [low, high] as a float; NaN fails the comparison.

    Args:
        rule: begins the message, such as "the age must be from 0 to 120 years".
        value: of any type; text is refused, be it a number or not.
        low, high: the range, both ends included.

    Raises:
        KinlibError: if it is of another type or out of the range.
    """
    try:
        found = math.nan if isinstance(value, str) else float(value)  # "30" would fail later, where it is added
    except (TypeError, ValueError, OverflowError, RuntimeError):  # 10**400 overflows; a long tensor is no scalar
        found = math.nan
    if not low <= found <= high:
        shown = " ".join(str(value).split()) if isinstance(value, str) or math.isnan(found) else f"{found:g}"
        raise KinlibError(f"{rule}, not {shown}")
    return found


def shown_range(low: float, high: float) -> tuple[float, float]:
    """An attribute's range as users see it: both ends rounded outwards to two decimals.

    What a message or the help names is then also accepted.
    """
    return math.floor(low * 100) / 100, math.ceil(high * 100) / 100
