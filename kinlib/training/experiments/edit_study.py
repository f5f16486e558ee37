"""What each part of the editing networks is for, how the loss weights trade off, and other ways to edit.

    python -m kinlib.training.experiments.edit_study PART --data FACES --edits EDITS --run DIR [--record]

PART is one of

- `lines`: an ablation. Every line of `LINES` is trained for `--steps` steps from the same start;
- `search`: a random search over the loss weights (the document's section 4.2 and Fig 4), `--trials` trainings;
- `methods`: the bundled network beside InterFaceGAN's edits on the same pictures, by attribute and by group of
  people; FACES then needs codes (`kinlib prepare`, or the sampler's recipe).

All are measured on EDITS, rendered pairs of people who are in no training set (`kinlib render --edits`), by the bundled
attribute network. Each training is kept in DIR, so that a study that was stopped is resumed. `--record` keeps the
results beside the bundled data, where the notebook reads them (`recorded`).
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from torch import Tensor, nn

from kinlib import Kinship
from kinlib.editing.attributes import load_attributes
from kinlib.editing.networks import load_editor
from kinlib.evaluation.edits.methods import (
    DirectionMethod,
    at_own_size,
    fit_boundaries,
    measure_edits,
    skin_by_group,
    summarise_edits,
    true_edit,
    untouched,
    without_clothing,
)
from kinlib.evaluation.edits.true_edits import EditPairs, edit_all, read_pairs
from kinlib.io.files import write_json, write_whole
from kinlib.io.images import to_tensor, to_uint8
from kinlib.io.resume import read_note, read_record
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_jpeg
from kinlib.studio.datasets.renders import HELD_OUT_EVERY
from kinlib.training.data.kin_codes import load_codes
from kinlib.training.experiments.arguments import study_parser
from kinlib.training.recipes.editor import EditorSettings, train

__all__ = ["LINES", "SEARCHED", "ablation", "compare_methods", "example_directions", "examples_path"]
__all__ += ["fit_directions", "record_path", "recorded", "weight_search", "write_examples"]

LINES: dict[str, dict[str, Any]] = {
    "whole": {},
    "no attention mask (STGAN)": {"attention": False, "reconstruction": 100.0},  # STGAN's own weight
    "no guide masks": {"share": 0.0},
    "no clothing mask": {"clothing_mask": False},
    "bottleneck (AttGAN)": {"units": False},
    "guide masks of 10%": {"share": 0.1},
    "guide masks of 50%": {"share": 0.5},
}
"""By name: what differs from the defaults of `kinlib train editor`."""

# Of all trainings of the study: the bundled network's recipe, short, with rendered pairs, since photographs alone teach
# little in few steps. The attention is not shown the region that truly changes: that is what guide masks are for.
SHORT: dict[str, Any] = {"width": 8, "critic_steps": 1, "lr": 3e-4, "attributes": 0.5, "true_region": 0.0}

# The weights that the document searched (4.2), each uniformly from 0 to 5.
SEARCHED = ("reconstruction", "dual", "attention_identity", "target", "nontarget", "clothing")
HIGHEST = 5.0

# Attribute, change, and which of its pairs: a variety of regions.
EXAMPLES = (
    *(("Eyeglasses", 1, 0), ("Eyeglasses", -1, 0), ("Blond_Hair", 1, 0), ("Black_Hair", 1, 0), ("Bald", 1, 0)),
    *(("Bangs", 1, 0), ("Mouth_Slightly_Open", 1, 0), ("Mustache", 1, 0), ("Young", -1, 0), ("Pale_Skin", 1, 0)),
)
# Whose effect on skin tone is measured; pale skin is meant to have one.
TONED = ("Young", "Male", "Eyeglasses", "Blond_Hair", "Black_Hair", "Pale_Skin")
EXAMPLE_QUALITY = 85  # of JPEG
SIZE, LARGE = 64, 128  # px, of the networks and what is trained here; and of pictures edited at their own size

INTERVAL = ("mean", "low", "high")
Found = dict[str, Any]


def _trained(folder: Path, settings: EditorSettings) -> nn.Module:
    """The network of a folder, trained if it is not there yet."""
    if not (folder / "editor.safetensors").exists():
        train(settings)
    return load_editor(folder / "editor.safetensors")


def _measure(methods: Mapping[str, Any], pairs: EditPairs, seed: int) -> dict[str, Found]:
    """Mean with interval of every measure, by method."""
    return _by(summarise_edits(measure_edits(methods, pairs, load_attributes()), seed=seed), "method")


def _by(rows: pd.DataFrame, column: str) -> dict[str, Found]:
    """{value of the column: {measure: [mean, low, high]}}; None in place of NaN, which JSON lacks."""
    found: dict[str, Found] = {}
    for row in rows.itertuples():
        found.setdefault(getattr(row, column), {})[row.name] = [_rounded(getattr(row, key)) for key in INTERVAL]
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def _skin(method: Any, pairs: EditPairs, attribute: str) -> Found:
    """{what divides people: {group: [mean, low, high]}} of the change of the skin's lightness."""
    found = skin_by_group(method, pairs, attribute)
    return {
        by: {group: [_rounded(one[key]) for key in INTERVAL] for group, one in groups.items()}
        for by, groups in found.items()
    }


def ablation(
    data: Path, test: EditPairs, run: Path, lines: Sequence[str] = tuple(LINES), seed: int = 0, **options: Any
) -> Iterator[tuple[str, Found]]:
    """(name, measures) of each line.

    Args:
        data: what `kinlib render` wrote.
        test: true edits of other people, to measure on.
        run: folder of the trainings.
        lines: of `LINES`.
        seed: of everything.
        options: further settings of all trainings, such as `steps`.
    """
    for name in lines:
        folder = run / "".join(letter if letter.isalnum() else "-" for letter in name)
        settings = EditorSettings(data=data, out=folder, run=folder / "run", seed=seed, **(options | LINES[name]))
        net = _trained(folder, settings)
        # Where no clothing was shown in training, the mask of it means nothing.
        method = without_clothing(net) if settings.share == 0 else net
        yield name, _measure({name: method}, test, seed)[name]


def weight_search(
    data: Path, test: EditPairs, run: Path, trials: int, seed: int = 0, **options: Any
) -> Iterator[Found]:
    """The weights and the measures of each trial of a random search; arguments as of `ablation`."""
    rng = np.random.default_rng(seed)
    for number in range(trials):
        weights = {name: round(float(rng.uniform(0, HIGHEST)), 2) for name in SEARCHED}
        folder = run / f"trial-{number:02d}"
        settings = EditorSettings(data=data, out=folder, run=folder / "run", seed=seed, **(options | weights))
        yield {"weights": weights} | _measure({"trial": _trained(folder, settings)}, test, seed)["trial"]


def fit_directions(data: Path, kin: Kinship, seed: int = 0) -> tuple[DirectionMethod, DirectionMethod]:
    """InterFaceGAN's planes in W and in W+, fitted on the codes of a folder of renders, one picture a person.

    Held-out people are left out.
    """
    found = load_codes(data)
    rows = np.flatnonzero((found.table.person % HELD_OUT_EVERY != 0) & ~found.table.person.duplicated())
    table = found.table.iloc[rows].reset_index(drop=True)
    facts = pd.DataFrame([json.loads(text) for text in table.attributes])
    planes = [
        fit_boundaries(found.codes[rows].float(), facts, table.person.to_numpy(), seed, space)
        for space in ("w", "w_plus")
    ]
    in_w = DirectionMethod(kin.encoder, kin.generator, planes[0])
    return in_w, in_w.along(planes[1])


def compare_methods(
    kin: Kinship, directions: DirectionMethod, layered: DirectionMethod, pairs: EditPairs, seed: int = 0
) -> Found:
    """The bundled network and InterFaceGAN's edits on the same pictures.

    Args:
        kin: the networks.
        directions, layered: from `fit_directions`, in W and in W+.
        pairs: true edits of other people.
        seed: of the intervals.

    Returns:
        `methods`, as `ablation`; `attributes`, the same for each attribute; `skin`, the change of the skin's lightness
        when an attribute changes, by group; `planes` and `planes_w_plus`, the accuracy of each plane on held-out codes.
    """
    methods = {"attention": at_own_size(kin.network("editor")), "directions": directions, "directions in W+": layered}
    others = {"encoded only": directions.reconstruct, "untouched": untouched, "true edit": true_edit(pairs)}
    measured = measure_edits(methods | others, pairs, load_attributes())
    by_attribute = {
        name: _by(summarise_edits(some, seed=seed), "method") for name, some in measured.groupby("attribute")
    }
    return {
        "methods": _by(summarise_edits(measured, seed=seed), "method"),
        "attributes": by_attribute,
        "skin": {method: {name: _skin(edit, pairs, name) for name in TONED} for method, edit in methods.items()},
        "planes": _accuracies(directions),
        "planes_w_plus": _accuracies(layered),
    }


def _accuracies(method: DirectionMethod) -> dict[str, float]:
    return {name: round(plane.accuracy, 4) for name, plane in method.boundaries.items()}


def write_examples(edits: Path, directions: DirectionMethod, out: Path) -> None:
    """Keep one true edit of each of `EXAMPLES` for the notebook, with InterFaceGAN's edit beside it.

    Args:
        edits: what `kinlib render --edits` wrote.
        directions: from `fit_directions`.
        out: Parquet file with the columns of `edits` that `read_pairs` takes, and `directions`, JPEG bytes.
    """
    table = pd.concat([pd.read_parquet(part) for part in sorted(edits.glob("*.parquet"))], ignore_index=True)
    pairs = read_pairs(edits, LARGE)
    wanted = [
        table.index[(table.attribute == name) & (table.change == change)][number] for name, change, number in EXAMPLES
    ]
    edited = edit_all(directions, pairs.images[wanted], pairs.difference[wanted]).image
    kept = table.loc[wanted].drop(columns=["yaw", "pitch", "roll"]).reset_index(drop=True)
    for name in ("image", "edited"):
        kept[name] = [array_to_jpeg(_pixels(data), EXAMPLE_QUALITY) for data in kept[name]]
    kept["directions"] = [array_to_jpeg(one, EXAMPLE_QUALITY) for one in to_uint8(edited)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, lambda file: kept.to_parquet(file, index=False, compression="zstd"))


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def record_path() -> Path:
    """Where the results lie that the notebook shows."""
    return config.data_dir() / "studio" / "edit_study.json"


def examples_path() -> Path:
    """Where the true edits lie that the notebook shows."""
    return config.data_dir() / "studio" / "edits" / "examples.parquet"


def example_directions() -> Tensor:
    """InterFaceGAN's edits of the bundled examples, [N, 3, S, S] in [-1, 1], in their order.

    Raises:
        KinlibError: if the file is missing or damaged.
    """
    try:
        kept = pd.read_parquet(examples_path(), columns=["directions"])
        return to_tensor([_pixels(data) for data in kept["directions"]])
    except (OSError, ValueError, KeyError) as error:
        raise KinlibError(f"'{examples_path()}' is missing or damaged: restore it") from error


def recorded() -> dict:
    """The results of the parts that were recorded last, by part.

    Raises:
        KinlibError: if the file is missing or damaged.
    """
    return read_record(record_path(), "methods")


def main(arguments: list[str] | None = None) -> None:
    """Run one part of the study, print it, and keep the numbers if asked."""
    parser = study_parser(main.__doc__)
    parser.add_argument("part", choices=("lines", "search", "methods"))
    parser.add_argument("--edits", type=Path, required=True, help="folder of rendered edits to measure on")
    parser.add_argument("--pairs", type=Path, help="folder of rendered edits of other people to learn from")
    parser.add_argument("--pictures", type=int, help="most pictures of FACES to learn from")
    parser.add_argument("--steps", type=int, default=1500, help="of each training")
    parser.add_argument("--trials", type=int, default=6, help="of the search")
    given = parser.parse_args(arguments)
    pairs = read_pairs(given.edits, LARGE if given.part == "methods" else SIZE)
    options = SHORT | {"steps": given.steps, "minutes": 600.0, "size": SIZE}
    options |= {"pairs": given.pairs, "pictures": given.pictures}
    facts = {"steps": given.steps, "pairs": len(pairs), "people": int(pairs.table.person.nunique())}
    facts |= {"true_edits": given.pairs is not None}
    if given.part == "lines":
        found: Found = {"facts": facts, "lines": {}}
        for name, measures in ablation(given.data, pairs, given.run, **options):
            found["lines"][name] = measures
            print(name, _in_words(measures), flush=True)
    elif given.part == "search":
        found = {"facts": facts, "trials": []}
        for trial in weight_search(given.data, pairs, given.run, given.trials, **options):
            found["trials"].append(trial)
            print(trial["weights"], _in_words(trial), flush=True)
    else:
        kin = Kinship.load("studio")
        directions, layered = fit_directions(given.data, kin)
        found = {"facts": facts} | compare_methods(kin, directions, layered, pairs)
        if given.record:
            write_examples(given.edits, directions, examples_path())
        print({name: _in_words(measures) for name, measures in found["methods"].items()})
    if given.record:
        write_json(record_path(), (read_note(record_path()) or {}) | {given.part: found})


def _in_words(measures: Found) -> str:
    names = ("accuracy", "error_changed", "error_rest", "background_psnr", "iou")
    shown = [(name, measures[name][0]) for name in names if measures[name][0] is not None]
    return ", ".join(f"{name} {value:.3g}" for name, value in shown)


if __name__ == "__main__":
    main()
