"""Setting attributes of codes along latent directions (Shen et al. 2020, InterFaceGAN)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from kinlib.gan.directions import Direction
from kinlib.kinship.options import SEXES, check_age, check_range, shown_range
from kinlib.kinship.presets import attribute_names, check_directions
from kinlib.runtime.errors import KinlibError

__all__ = ["GUESSED_ADULT", "GUESSED_YEARS", "check_edits", "edit_notes", "set_attributes"]

GUESSED_ADULT = 35.0  # years; assumed age of parents, because published directions have no probe
GUESSED_YEARS = 10.0  # years; assumed length of one unit of the published direction
MOST_STEPS = 10.0  # of a published direction; twice the range that e4e's authors show (from -5 to 5)
EDIT_ROUNDS = 3  # setting one attribute shifts another a little; three rounds leave 0.2% of it (measured)


def check_edits(
    preset: str,
    directions: Mapping[str, Direction],
    edits: Mapping[str, Any],
    age: float | None = None,
    sex: str | None = None,
) -> dict[str, float]:
    """The values for `set_attributes`, checked before anything is computed.

    Args:
        preset: "studio" or "ffhq".
        directions: those that were loaded, by attribute.
        edits: values by attribute; for sex also one of `SEXES`.
        age, sex: options of their own, checked by `check_options`; None where they were not given.

    Raises:
        KinlibError: if an attribute is unknown or given twice, its direction is absent, or a value is no number or
            out of the range of the training data (an age: out of the range from 0 to 120).
    """
    if not isinstance(edits, Mapping):
        kind = type(edits).__name__
        raise KinlibError(f"edits must be values by attribute, such as {{'smile': 0.5}}, not of the type {kind}")
    wanted = {"sex": None if sex is None else SEXES[sex], "age": None if age is None else float(age)}
    wanted = {attribute: value for attribute, value in wanted.items() if value is not None}
    check_directions(preset, directions, wanted)
    known = attribute_names(preset, directions)
    for attribute in edits:
        if attribute in wanted:
            raise KinlibError(f"{attribute} is given twice, by its own option and as an edit: leave one out")
        if attribute not in known:
            raise KinlibError(f"unknown attribute '{attribute}': choose one of {', '.join(known)}")
    check_directions(preset, directions, edits)
    return wanted | {attribute: _check_value(attribute, value, directions) for attribute, value in edits.items()}


def set_attributes(codes: Tensor, directions: Mapping[str, Direction], wanted: Mapping[str, float]) -> Tensor:
    """Codes W+ [B, L, 512] with their attributes set.

    A direction with a probe brings the attribute to the wanted value. One without can only be moved along: the value
    counts in steps of the direction, and an age from `GUESSED_ADULT`.

    Args:
        codes: W+ [B, L, 512].
        directions: by attribute; one for each in `wanted`.
        wanted: values by attribute, such as {"sex": 1.0, "age": 30.0}.
    """
    moved = [attribute for attribute in wanted if directions[attribute].probe is None]
    for attribute in moved:  # first, so that they do not undo what is set
        value = wanted[attribute]
        steps = (value - GUESSED_ADULT) / GUESSED_YEARS if attribute == "age" else value
        codes = directions[attribute].move(codes, steps)
    read = [attribute for attribute in wanted if attribute not in moved]
    for _ in range(EDIT_ROUNDS if len(read) > 1 else 1):
        for attribute in read:
            codes = directions[attribute].set(codes, wanted[attribute])
    return codes


def edit_notes(directions: Mapping[str, Direction], wanted: Mapping[str, float]) -> tuple[str, ...]:
    """What users should know of the attributes that they asked for; arguments as of `set_attributes`."""
    moved = [attribute for attribute in wanted if directions[attribute].probe is None and attribute != "age"]
    if not moved:
        return _age_notes(directions, wanted)
    steps = ", ".join(f"{attribute} by {wanted[attribute]:g} steps" for attribute in moved)
    said = f"moved, not set: {steps}, because a published direction cannot read how much of an attribute there is"
    return (*_age_notes(directions, wanted), said)


def _age_notes(directions: Mapping[str, Direction], wanted: Mapping[str, float]) -> tuple[str, ...]:
    if "age" not in wanted:
        return ()
    direction = directions["age"]
    if direction.probe is None:
        assumed = f"{GUESSED_ADULT:.0f} was assumed"
        return (f"the age is a guess: the published direction cannot read the parents' ages, so {assumed}",)
    if direction.low <= wanted["age"] <= direction.high:
        return ()
    years = f"{direction.low:.0f} to {direction.high:.0f} years"
    return (f"the age was kept to the range of the training data, {years}",)


def _check_value(attribute: str, value: Any, directions: Mapping[str, Direction]) -> float:
    direction = directions[attribute]
    if attribute == "age":
        return check_age(value)
    if attribute == "sex" and isinstance(value, str) and value in SEXES:
        return SEXES[value]
    if direction.probe is None:
        rule = f"{attribute} must be from {-MOST_STEPS:g} to {MOST_STEPS:g} steps of the published direction"
        return check_range(rule, value, -MOST_STEPS, MOST_STEPS)
    low, high = shown_range(direction.low, direction.high)
    # `Direction.set` keeps to the range itself, which is narrower by less than 0.01.
    rule = f"{attribute} must be from {low:g} to {high:g}, the range of the training data"
    return check_range(rule, value, low, high)
