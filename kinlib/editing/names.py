"""The attributes as users name them, and the changes that they ask for: checked, and turned into differences (Eq 7)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinlib.editing.rules import ATTRIBUTES, EXCLUDED
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:  # help texts list the attributes, and should not have to wait for PyTorch
    from torch import Tensor

__all__ = ["EDITABLE", "EditableAttribute", "already_there", "check_changes", "check_present"]
__all__ += ["difference_of", "editable_attributes"]


@dataclass(frozen=True)
class EditableAttribute:
    """An attribute that the editing networks change.

    Attributes:
        name: for code and commands, such as "hair_blond".
        celeba: CelebA's name, such as "Blond_Hair".
        label: for people, such as "blond hair".
    """

    name: str
    celeba: str
    label: str


# In the order of the networks' attributes.
EDITABLE = tuple(
    EditableAttribute(name, celeba, label)
    for (name, label), celeba in zip(
        {
            "bald": "bald",
            "bangs": "bangs",
            "hair_black": "black hair",
            "hair_blond": "blond hair",
            "hair_brown": "brown hair",
            "brows_bushy": "bushy eyebrows",
            "glasses": "glasses",
            "male": "male",
            "mouth_open": "mouth slightly open",
            "moustache": "moustache",
            "no_beard": "no beard",
            "pale_skin": "pale skin",
            "young": "young",
        }.items(),
        ATTRIBUTES,
        strict=True,
    )
)
_BY_NAME = {one.name: one for one in EDITABLE} | {one.celeba: one for one in EDITABLE}
THERE = 0.5  # probability from which an attribute counts as present


def editable_attributes() -> tuple[EditableAttribute, ...]:
    """The attributes that can be edited, with their names and labels, in the order of sliders."""
    return EDITABLE


def check_changes(changes: Any) -> dict[str, float]:
    """Changes by CelebA's names, checked before anything is computed; those of zero are left out.

    Args:
        changes: from -1 (remove) to 1 (add) by attribute, whose name may be ours or CelebA's.

    Raises:
        KinlibError: if an attribute is unknown or given twice, a change is no number in the range, or two additions
            contradict each other (black and blond hair).
    """
    found = _by_attribute(changes, "changes must be numbers by attribute, such as {'glasses': 1}", _check_value)
    _check_contradictions([name for name, value in found.items() if value > 0])
    return {name: value for name, value in found.items() if value}


def check_present(present: Any) -> dict[str, float]:
    """Attributes that are said to be there, by CelebA's names; None is none.

    Args:
        present: 1 (there) or 0 (not there) by attribute.

    Raises:
        KinlibError: if an attribute is unknown or given twice, or a value is neither.
    """
    if present is None:
        return {}
    return _by_attribute(
        present, "what is present must be 0 or 1 by attribute, such as {'glasses': 0}", _check_presence
    )


def difference_of(changes: Mapping[str, float], present: "Sequence[float] | Tensor") -> "Tensor":
    """Wanted minus present attributes (Eq 7), scaled by how strong each change is to be.

    What a new attribute excludes is removed with it, as in training: blond hair takes the place of brown hair. An
    attribute that is there already is not added again, and one that is absent is not removed.

    Args:
        changes: from `check_changes`.
        present: probability of each of `ATTRIBUTES`, [A].

    Returns:
        float32 [1, A] in [-1, 1].
    """
    import torch

    there = dict(zip(ATTRIBUTES, (float(value) > THERE for value in present), strict=True))
    difference = dict.fromkeys(ATTRIBUTES, 0.0)
    for name, value in changes.items():
        if (value > 0) == there[name]:
            continue
        difference[name] = float(value)
        for other in EXCLUDED.get(name, ()) if value > 0 else ():
            if there[other]:
                difference[other] = min(difference[other], -float(value))
    return torch.tensor([list(difference.values())])


def already_there(changes: Mapping[str, float], present: "Sequence[float] | Tensor") -> list[str]:
    """Labels of the changes that have nothing to do, as "glasses" or "no glasses"; arguments as `difference_of`."""
    there = dict(zip(ATTRIBUTES, (float(value) > THERE for value in present), strict=True))
    idle = [name for name, value in changes.items() if (value > 0) == there[name]]
    return [("" if there[name] else "no ") + _BY_NAME[name].label for name in idle]


def _by_attribute(values: Any, what: str, check: Callable[[str, Any], float]) -> dict[str, float]:
    """Values by CelebA's names, each checked by its attribute's own name; `what` says what they must be."""
    if not isinstance(values, Mapping):
        raise KinlibError(f"{what}, not of the type {type(values).__name__}")
    found: dict[str, float] = {}
    for name, value in values.items():
        attribute = _find(name)
        if attribute.celeba in found:
            raise KinlibError(f"{attribute.name} is given twice, once as {attribute.celeba}: leave one out")
        found[attribute.celeba] = check(attribute.name, value)
    return found


def _find(name: Any) -> EditableAttribute:
    if name not in _BY_NAME:
        raise KinlibError(f"unknown attribute '{name}': choose one of {', '.join(one.name for one in EDITABLE)}")
    return _BY_NAME[name]


def _check_value(name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not -1 <= number <= 1:  # NaN fails the comparison
        raise KinlibError(f"{name} must be from -1 (remove) to 1 (add), not {value}")
    return number


def _check_presence(name: str, value: Any) -> float:
    if isinstance(value, str) or value not in (0, 1):
        raise KinlibError(f"{name} is present (1) or not (0), but not {value}")
    return float(value)


def _check_contradictions(added: Sequence[str]) -> None:
    for name in added:
        for other in added:
            if other in EXCLUDED.get(name, ()):
                first, second = _BY_NAME[name], _BY_NAME[other]
                raise KinlibError(
                    f"{first.label} and {second.label} contradict each other: leave out {first.name} or {second.name}"
                )
