"""Faults found in the studio's families, scored against those that were planted."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kinlib.families.tables import Problem
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.planted_faults import KINDS, Fault

__all__ = ["matches", "planted_faults", "score"]


def planted_faults(folder: Path | None = None) -> list[Fault]:
    """The faults of the bundled families, or of those in another folder.

    Raises:
        KinlibError: if there is no such list, or it is damaged.
    """
    path = Path(folder or config.data_dir() / "studio") / "faults.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [Fault(**{key: value for key, value in row.items() if key != "meaning"}) for row in rows]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise KinlibError(f"{path} cannot be read as a list of faults: render the families again") from error


def matches(problem: Problem, fault: Fault) -> bool:
    """Whether a problem is the planted fault: kind and family, and all that both of them tell."""
    if (problem.kind, problem.family) != (fault.kind, fault.family):
        return False
    told = [
        (problem.house, fault.house),
        (problem.person and problem.person.rpartition("/")[2], fault.person),
        (_picture(problem.where), fault.picture),
    ]
    return all(one == other for one, other in told if one is not None and other is not None)


def _picture(where: str) -> int | None:
    """The number of a picture, from its path; None for other places."""
    stem = Path(where).stem
    return int(stem) if stem.isdigit() else None


def score(found: Sequence[Problem], planted: Sequence[Fault]) -> pd.DataFrame:
    """How many of the planted faults were found, and how many of the found ones were planted.

    Each fault is found once at most: further problems that match it count as found in vain.

    Args:
        found: by whatever means; those of kinds that nobody plants are left aside.
        planted: as from `planted_faults`.

    Returns:
        One row a kind: `planted`, `found`, `right`, `recall` (right / planted) and `precision` (right / found); the two
        shares are missing where there is nothing to divide by.
    """
    rows = []
    for kind in KINDS:
        own = [problem for problem in found if problem.kind == kind]
        faults = [fault for fault in planted if fault.kind == kind]
        right = sum(any(matches(problem, fault) for problem in own) for fault in faults)
        rows.append((kind, len(faults), len(own), right, _share(right, len(faults)), _share(right, len(own))))
    return pd.DataFrame(rows, columns=["kind", "planted", "found", "right", "recall", "precision"]).set_index("kind")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
