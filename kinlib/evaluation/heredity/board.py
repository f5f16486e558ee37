"""The recorded results of the bundled methods on the reference couples, and the place of an entry among them.

`python -m kinlib.benchmark.measure --record` measures them; whenever a network that they depend on changes, it is run
again.
"""

from pathlib import Path

from kinlib.evaluation.heredity.report import Report
from kinlib.io.resume import read_note
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

__all__ = ["FLOOR", "HEADS", "KEYS", "markdown", "place", "record_path", "recorded", "summarise"]

HEADS = {
    "energy_distance": "energy distance",
    "traits_energy_distance": "... of traits",
    "mean_shift": "mean shift",
    "spread": "spread",
    "coverage": "coverage",
}
"""The measures that are recorded, and the heads of their columns; see `kinlib.evaluation.heredity.score`."""
FLOOR = "true siblings, encoded and generated"
"""What a perfect method would get through the same networks: part of any distance is the pictures' and not heredity's.
"""
KEYS = {"portraits": "entries", "album": "album"}
"""Where the record has the results for each kind of the parents' pictures."""
Entries = dict[str, dict[str, list[float]]]  # method -> measure -> value, lower and upper end of its interval


def summarise(report: Report) -> dict[str, list[float]]:
    """Value, lower and upper end of the interval of each measure of `HEADS` that the report has."""
    rows = report.summary.reindex(list(HEADS)).dropna(how="all")
    return {name: [float(f"{row[part]:.6g}") for part in ("value", "low", "high")] for name, row in rows.iterrows()}


def recorded(pictures: str = "portraits") -> Entries:
    """The bundled methods' results, best first.

    Args:
        pictures: of the parents, as `load_reference` has them. The floor is among the results for portraits; with album
            shots not every method was measured.

    Raises:
        KinlibError: if the record is missing or damaged.
    """
    note = read_note(record_path())
    try:
        found = note[KEYS[pictures]] if pictures == "portraits" else note.get(KEYS[pictures], {})
        return dict(sorted(found.items(), key=lambda entry: entry[1]["energy_distance"][0]))
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise KinlibError(f"'{record_path()}' is missing or damaged: restore it") from error


def place(report: Report) -> tuple[int, int]:
    """(1 for the best, number of methods) of an entry among the bundled methods, by the energy distance."""
    others = [row["energy_distance"][0] for name, row in recorded().items() if name not in (FLOOR, report.method)]
    mine = report.summary.loc["energy_distance", "value"]
    return 1 + sum(other < mine for other in others), 1 + len(others)


def markdown() -> str:
    """The recorded results as a table for the documentation."""
    lines = [f"| method | {' | '.join(HEADS.values())} |", "|---|" + "---|" * len(HEADS)]
    for name, row in recorded().items():
        cells = [f"{row[key][0]:.3f} [{row[key][1]:.3f}, {row[key][2]:.3f}]" for key in HEADS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def record_path() -> Path:
    """Where the record lies, beside the bundled data."""
    return config.data_dir() / "studio" / "benchmark.json"
