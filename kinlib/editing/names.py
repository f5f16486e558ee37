"""The attributes as users name them, and the changes that they ask for: checked, and turned into differences (Eq 7)."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinlib.editing.attribute_sets import DOCUMENT, AttributeSet, EditableAttribute
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:  # help texts list the attributes, and should not have to wait for PyTorch
    from torch import Tensor

__all__ = ["already_there", "check_changes", "check_present", "difference_of", "editable_attributes"]


THERE = 0.5  # probability from which an attribute counts as present


def editable_attributes(known: AttributeSet = DOCUMENT) -> tuple[EditableAttribute, ...]:
    """The attributes that can be edited, with their names and labels, in the order of sliders."""
    return known.attributes


def check_changes(changes: Any, known: AttributeSet = DOCUMENT) -> dict[str, float]:
    """Changes by the data set's names, checked before anything is computed; those of zero are left out.

    Args:
        changes: from -1 (remove) to 1 (add) by attribute, whose name may be ours or the data set's.
        known: the attributes that there are.

    Raises:
        KinlibError: if an attribute is unknown or given twice, a change is no number in the range, or two additions
            contradict each other (black and blond hair).
    """
    what = "changes must be numbers by attribute, such as {'glasses': 1}"
    found = _by_attribute(changes, what, _check_value, known)
    _check_contradictions([known.find(name) for name, value in found.items() if value > 0])
    return {name: value for name, value in found.items() if value}


def check_present(present: Any, known: AttributeSet = DOCUMENT) -> dict[str, float]:
    """Attributes that are said to be there, by the data set's names; None is none.

    Args:
        present: 1 (there) or 0 (not there) by attribute.
        known: the attributes that there are.

    Raises:
        KinlibError: if an attribute is unknown or given twice, or a value is neither.
    """
    if present is None:
        return {}
    what = "what is present must be 0 or 1 by attribute, such as {'glasses': 0}"
    return _by_attribute(present, what, _check_presence, known)


def difference_of(
    changes: Mapping[str, float], present: "Sequence[float] | Tensor", known: AttributeSet = DOCUMENT
) -> "Tensor":
    """Wanted minus present attributes (Eq 7), scaled by how strong each change is to be.

    What a new attribute excludes is removed with it, as in training: blond hair takes the place of brown hair. An
    attribute that is there already is not added again, and one that is absent is not removed.

    Args:
        changes: from `check_changes`.
        present: probability of each attribute, [A].
        known: the attributes.

    Returns:
        float32 [1, A] in [-1, 1].
    """
    import torch

    there = _there(present, known)
    difference = dict.fromkeys(known.columns, 0.0)
    for name, value in changes.items():
        if (value > 0) == there[name]:
            continue
        difference[name] = float(value)
        for other in known.find(name).excludes if value > 0 else ():
            if there.get(other):
                difference[other] = min(difference[other], -float(value))
    return torch.tensor([list(difference.values())])


def already_there(
    changes: Mapping[str, float], present: "Sequence[float] | Tensor", known: AttributeSet = DOCUMENT
) -> list[str]:
    """Labels of the changes that have nothing to do, as "glasses" or "no glasses"; arguments as `difference_of`."""
    there = _there(present, known)
    idle = [known.find(name) for name, value in changes.items() if (value > 0) == there[name]]
    return [one.label if there[one.celeba] else one.absent for one in idle]


def _there(present: "Sequence[float] | Tensor", known: AttributeSet) -> dict[str, bool]:
    return dict(zip(known.columns, (float(value) > THERE for value in present), strict=True))


def _by_attribute(values: Any, what: str, check: Callable[[str, Any], float], known: AttributeSet) -> dict[str, float]:
    """Values by the data set's names, each checked by its attribute's own name; `what` says what they must be."""
    if not isinstance(values, Mapping):
        raise KinlibError(f"{what}, not of the type {type(values).__name__}")
    found: dict[str, float] = {}
    for name, value in values.items():
        attribute = known.find(name)
        if attribute.celeba in found:
            raise KinlibError(f"{attribute.name} is given twice, once as {attribute.celeba}: leave one out")
        found[attribute.celeba] = check(attribute.name, value)
    return found


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


def _check_contradictions(added: Sequence[EditableAttribute]) -> None:
    for first in added:
        for second in added:
            if second.celeba in first.excludes:
                raise KinlibError(
                    f"{first.label} and {second.label} contradict each other: leave out {first.name} or {second.name}"
                )
