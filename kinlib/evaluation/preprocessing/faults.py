"""Recall and precision of fault detection on the studio's families, whose faults were planted."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kinlib.families.tables import Problem
from kinlib.io.files import parse_json
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.planted_faults import KINDS, Fault

__all__ = ["matches", "planted_faults", "score"]


def planted_faults(folder: Path | None = None) -> list[Fault]:
    """The planted faults of the bundled families, or of those in another folder.

    Raises:
        KinlibError: if there is no such list, or it is damaged.
    """
    path = Path(folder or config.data_dir() / "studio") / "faults.json"
    try:
        rows = parse_json(path.read_bytes())
        return [Fault(**{key: value for key, value in row.items() if key != "meaning"}) for row in rows]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise KinlibError(f"{path} cannot be read as a list of faults: render the families again") from error


def matches(problem: Problem, fault: Fault) -> bool:
    """Whether a problem is the planted fault: same kind and family, and the same house, person and picture if known."""
    if (problem.kind, problem.family) != (fault.kind, fault.family):
        return False
    known = [
        (problem.house, fault.house),
        (problem.person and problem.person.rpartition("/")[2], fault.person),
        (_picture(problem.where), fault.picture),
    ]
    return all(one == other for one, other in known if one is not None and other is not None)


def _picture(where: str) -> int | None:
    """The number of a picture, from its path; None for other places."""
    stem = Path(where).stem
    return int(stem) if stem.isdigit() else None


def score(found: Sequence[Problem], planted: Sequence[Fault]) -> pd.DataFrame:
    """Recall and precision of each kind of fault.

    A fault counts once: further problems that match it are false positives.

    Args:
        found: problems from any detector; kinds that are never planted are ignored.
        planted: as from `planted_faults`.

    Returns:
        One row a kind: numbers `planted`, `found` and `correct`; `recall` (correct / planted) and `precision` (correct
        / found), NaN where the denominator is 0.
    """
    rows = []
    for kind in KINDS:
        own = [problem for problem in found if problem.kind == kind]
        faults = [fault for fault in planted if fault.kind == kind]
        correct = sum(any(matches(problem, fault) for problem in own) for fault in faults)
        rows.append((kind, len(faults), len(own), correct, _share(correct, len(faults)), _share(correct, len(own))))
    return pd.DataFrame(rows, columns=["kind", "planted", "found", "correct", "recall", "precision"]).set_index("kind")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
