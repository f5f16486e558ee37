"""Counts of the bundled studio sets: the table of the data set card in data/README.md."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from kinlib.io.resume import read_note
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.planted_faults import KINDS
from kinlib.studio.genetics import POPULATIONS

__all__ = ["MISSING", "studio_table"]

MISSING = "*The sets are not here yet: `kinlib render --families` and `kinlib render --reference` make them.*\n"
MEGABYTE = 1_000_000
TURNED = 30  # degrees; a larger yaw counts as rotated
CHILD, OLD = 13, 65  # years


def studio_table(folder: Path) -> str:
    """Markdown table of the sets in a folder such as data/studio, or `MISSING` if there are none.

    Raises:
        KinlibError: if the sets are damaged.
    """
    rows: list[tuple[str, str]] = []
    try:
        if (note := read_note(folder / "studio.json")) is not None:
            rows += _families(folder, note)
        if (facts := read_note(folder / "heredity" / "reference.json")) is not None:
            rows += _reference(facts)
    except (OSError, ValueError, KeyError) as error:
        raise KinlibError(f"the sets in '{folder}' are damaged: make them anew with `kinlib render`") from error
    if not rows:
        return MISSING
    return "\n".join(["| rendered for the project | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]) + "\n"


def _families(folder: Path, note: dict) -> list[tuple[str, str]]:
    people, truth = (pd.read_parquet(folder / f"{name}.parquet") for name in ("people", "truth"))
    faults = json.loads((folder / "faults.json").read_text())
    size, houses = people.groupby("family").size().median(), note["houses"]
    words = f"{note['families']} of {size:.0f} people (median) in up to {people['generation'].max()} generations; "
    return [
        ("made by", f"`kinlib render --families`, seed {note['seed']}, version {note['renderer']} of the renderer"),
        ("families", f"{words}{houses} couples with their children"),
        *_people(people),
        *_photographs(truth),
        ("with masks of 19 classes and 34 regions", f"{truth['mask'].notna().sum():,} photographs"),
        ("planted faults", f"{len(faults)}: " + "; ".join(KINDS[fault["kind"]] for fault in faults)),
        ("portraits", f"{note['portraits']}, of {note['portraits'] // 2} couples, 256 x 256 px"),
        ("size", f"{_size(folder) / MEGABYTE:.1f} MB"),
    ]


def _people(people: pd.DataFrame) -> list[tuple[str, str]]:
    homes = people["population"].value_counts()
    pale, middle, dark = np.quantile(people["melanin"], [0.1, 0.5, 0.9])
    return [
        ("people", f"{len(people)}: {_shares(people['sex'])}"),
        ("at home in", ", ".join(f"{name} {homes.get(name, 0)}" for name in (*POPULATIONS, "mixed"))),
        ("melanin, 0 to 1", f"{pale:.2f} (10%), {middle:.2f} (median), {dark:.2f} (90%)"),
        ("hair", _shares(people["hair_colour"])),
        ("irises", _shares(people["iris"])),
    ]


def _photographs(truth: pd.DataFrame) -> list[tuple[str, str]]:
    shown = truth[truth["attributes"].notna()]
    seen = pd.DataFrame([json.loads(text) for text in shown["attributes"]])
    each = truth.groupby("name").size()
    ages = truth["age"].quantile([0, 0.25, 0.5, 0.75, 1]).to_list()
    worn = {name: seen[name].mean() for name in ("glasses", "hat", "earrings")}
    worn["a beard"] = (seen["beard"] != "none").mean()
    worn["a smile"] = (seen["smile"] > 0.3).mean()
    young, old = (truth["age"] < CHILD).mean(), (truth["age"] >= OLD).mean()
    span = f"{ages[0]:.0f} to {ages[4]:.0f} years, quartiles {ages[1]:.0f}, {ages[2]:.0f} and {ages[3]:.0f}"
    return [
        ("photographs", f"{len(truth):,} of {len(each)} people, {each.min()} to {each.max()} of each, 120 x 150 px"),
        ("ages in them", f"{span}; {young:.0%} under {CHILD}, {old:.0%} {OLD} or older"),
        (f"turned by more than {TURNED} degrees", f"{(shown['yaw'].abs() > TURNED).mean():.0%}"),
        ("shown with", ", ".join(f"{name} {share:.0%}" for name, share in worn.items())),
    ]


def _reference(facts: dict) -> list[tuple[str, str]]:
    counts = facts["counts"]
    words = f"{counts['couples']} couples with {counts['siblings']} true children each, measured and not kept; "
    return [("reference of heredity", words + f"`kinlib render --reference`, seed {facts['seed']}")]


def _shares(column: pd.Series) -> str:
    shares = column.value_counts(normalize=True)
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def _size(folder: Path) -> int:
    """Bytes of the family set; other files in the folder do not count."""
    own = [*folder.glob("*.json"), *folder.glob("*.parquet")]
    own += [path for name in ("families", "portraits") for path in (folder / name).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in own)
