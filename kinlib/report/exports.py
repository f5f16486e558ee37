"""Numbers of the bundled data sets and networks for the report: counted, or read from the training records.

They go to `report/numbers/studio.json`, beside the files that the notebooks write.
"""

import json
from pathlib import Path

import pandas as pd

from kinlib.io.resume import read_note
from kinlib.report.sources import EXPORTED
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.card import CHILD, OLD, TURNED
from kinlib.studio.genetics import FST, POPULATIONS, TRAITS
from kinlib.studio.genetics.populations import LOCI
from kinlib.studio.person import BEARDS, CLOTHES, HAIR_STYLES, HATS, NUM_SHAPE, PROPORTIONS

__all__ = ["bundled_numbers", "export"]


def export() -> Path:
    """Recompute and write the numbers; returns the file.

    Raises:
        KinlibError: if the bundled sets are missing or damaged.
    """
    from kinlib.figures import save_numbers  # matplotlib is slow to load

    return save_numbers(EXPORTED, bundled_numbers(config.data_dir()))


def bundled_numbers(data: Path) -> dict:
    """Counts of the data sets in a folder such as `data/`, and the metrics of its networks.

    Raises:
        KinlibError: if the sets are missing or damaged.
    """
    studio = data / "studio"
    try:
        note, reference = read_note(studio / "studio.json"), read_note(studio / "heredity" / "reference.json")
        return {
            **{name: note[name] for name in ("families", "houses", "people", "photographs")},
            **_people(pd.read_parquet(studio / "people.parquet")),
            **_photographs(pd.read_parquet(studio / "truth.parquet")),
            **_design(),
            "faults": len(json.loads((studio / "faults.json").read_text())),
            "reference": reference["counts"],
            "networks": _networks(data / "weights" / "studio"),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"the sets in '{studio}' are missing or damaged"
        raise KinlibError(f"{told}: run `kinlib render --families` and `kinlib render --reference`") from error


def _people(people: pd.DataFrame) -> dict:
    return {
        "generations": int(people["generation"].max()),
        "female_share": float((people["sex"] == "female").mean()),
    }


def _photographs(truth: pd.DataFrame) -> dict:
    each, ages = truth.groupby("name").size(), truth["age"]
    return {
        "photographed": len(each),
        "photographs_each": [int(each.min()), int(each.max())],
        "ages": {"least": float(ages.min()), "median": float(ages.median()), "most": float(ages.max())},
        "child_age": CHILD,
        "old_age": OLD,
        "child_share": float((ages < CHILD).mean()),
        "old_share": float((ages >= OLD).mean()),
        "turned_degrees": TURNED,
        "turned_share": float((truth["yaw"].dropna().abs() > TURNED).mean()),
    }


def _design() -> dict:
    """Sizes of the renderer's own tables: traits, styles, populations."""
    stated = [trait.heritability for trait in TRAITS]
    return {
        "loci_with_dominance": len(LOCI),
        "heritability": {"least": min(stated), "most": max(stated)},
        "shape_modes": NUM_SHAPE,
        "proportions": len(PROPORTIONS),
        "populations": len(POPULATIONS),
        "fst": FST,
        "hair_styles": len(HAIR_STYLES),
        "hats": len(HATS),
        "beards": len(BEARDS),
        "clothes": len(CLOTHES),
    }


def _networks(folder: Path) -> dict:
    """Network -> its metrics on held-out people, as recorded by training."""
    notes = {path.stem: read_note(path) for path in sorted(folder.glob("*.json")) if path.stem != "manifest"}
    return {name: _numbers(note.get("metrics", {})) for name, note in notes.items()}


def _numbers(metrics: dict) -> dict:
    return {name: one for name, one in metrics.items() if isinstance(one, int | float)}
