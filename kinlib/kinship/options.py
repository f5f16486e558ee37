"""What a couple's children may be asked to be, checked before anything is read or computed."""

import operator

from kinlib.runtime.errors import KinlibError

__all__ = ["MAX_CHILDREN", "SEXES", "check_options", "check_steps"]

MAX_STEPS = 10_000  # of refinement; hours on a CPU
MAX_CHILDREN = 1000  # of one call; at 1024 px they fill 3 GB
SEXES = {"female": 0.0, "male": 1.0}


def check_options(
    n: int, seed: int, age: float | None, sex: str | None, truncation: float, refine_steps: int = 0
) -> None:
    """Check what `Kinship.children` takes, before any photograph is read.

    Raises:
        KinlibError: if a value is out of its range.
    """
    _check_whole("number of children", n, 1, MAX_CHILDREN)
    check_steps(refine_steps)
    _check_whole("seed", seed, -(10**18), 10**18)
    if age is not None and not 0 <= age <= 120:
        raise KinlibError(f"the age must be from 0 to 120 years, not {age:g}")
    if sex is not None and sex not in SEXES:
        raise KinlibError(f"unknown sex '{sex}': choose one of {', '.join(SEXES)}, or leave the option out")
    if not 0 <= truncation <= 1:
        raise KinlibError(f"the truncation must be from 0 to 1, not {truncation:g}")


def check_steps(refine_steps: int) -> None:
    """Check a number of refinement steps.

    Raises:
        KinlibError: if it is out of its range.
    """
    _check_whole("number of refinement steps", refine_steps, 0, MAX_STEPS)


def _check_whole(what: str, value: int, low: int, high: int) -> None:
    try:
        if low <= operator.index(value) <= high:
            return
    except TypeError:
        pass
    raise KinlibError(f"the {what} must be a whole number from {low:,} to {high:,}, not {value}")
