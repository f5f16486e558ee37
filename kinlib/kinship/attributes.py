"""Setting attributes of codes along latent directions (Shen et al. 2020, InterFaceGAN)."""

from collections.abc import Mapping

from torch import Tensor

from kinlib.gan.directions import Direction

__all__ = ["GUESSED_ADULT", "GUESSED_YEARS", "age_notes", "set_attributes"]

GUESSED_ADULT = 35.0  # years; assumed age of parents, because published directions have no probe
GUESSED_YEARS = 10.0  # years; assumed length of one unit of the published direction
EDIT_ROUNDS = 3  # setting one attribute shifts another a little; the rounds converge on all of them


def set_attributes(codes: Tensor, directions: Mapping[str, Direction], wanted: Mapping[str, float]) -> Tensor:
    """Codes W+ [B, L, 512] with their attributes set.

    A direction with a probe brings the attribute to the wanted value. One without can only be moved along: the age is
    then counted from `GUESSED_ADULT`.

    Args:
        codes: W+ [B, L, 512].
        directions: by attribute; one for each in `wanted`.
        wanted: values by attribute, such as {"sex": 1.0, "age": 30.0}.
    """
    for turn in range(EDIT_ROUNDS if len(wanted) > 1 else 1):
        for attribute, value in wanted.items():
            direction = directions[attribute]
            if direction.probe is not None:
                codes = direction.set(codes, value)
            elif turn == 0:
                codes = direction.move(codes, (value - GUESSED_ADULT) / GUESSED_YEARS)
    return codes


def age_notes(directions: Mapping[str, Direction], wanted: Mapping[str, float]) -> tuple[str, ...]:
    """What users should know of the age that they asked for; arguments as of `set_attributes`."""
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
