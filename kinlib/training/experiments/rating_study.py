"""The experiments of notebook 14: when a loss helps, what a network of ratings reacts to, and whose taste it learns.

    python -m kinlib.training.experiments.rating_study --data RENDERS --run DIR [--record]

Each part is kept in DIR, so that a study that was stopped is resumed. `--record` keeps the results beside the bundled
data, where the notebook reads them (`recorded`). Intervals are over the folds of three divisions of people, whose
training sets overlap: they are too narrow.

**Conditions.** All training pictures and the mean of 60 raters (`all`); 200 pictures (`few pictures`); the mean of
three raters, rounded to a level (`coarse ratings`); a tenth of the pictures outside the commonest level (`imbalance`).
Tests are always on all pictures of the test fold and the mean of 60 raters.
"""

import argparse
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file, save
from scipy.stats import pearsonr
from torch import Tensor
from tqdm import tqdm

from kinlib.attractiveness.losses import LOSSES, levels_of
from kinlib.attractiveness.network import ComboNet, load_combonet, normalise
from kinlib.attractiveness.prediction import predict
from kinlib.attractiveness.raters import Facts, Panel, facts, make_panel
from kinlib.checkpoints import weights
from kinlib.evaluation.bootstrap import draw_weights, estimate, mean
from kinlib.evaluation.ratings import compare, measure
from kinlib.io.files import write_bytes, write_json, write_whole
from kinlib.io.images import resize, to_tensor
from kinlib.io.resume import read_note, read_record
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.genetics.populations import POPULATIONS
from kinlib.training.data.rated_faces import RatedFaces, augment, load_rated_renders
from kinlib.training.engine.loop import batches
from kinlib.training.experiments.rating_heads import LR, describe_pictures, fit_head, person_folds, predict_scores
from kinlib.training.experiments.rating_probes import BASE, IGNORED, LIKED, render_probes
from kinlib.training.recipes.attractiveness import optimizer_of, step_schedule

__all__ = ["CONDITIONS", "Study", "measure_losses", "probe_path", "record_path", "recorded"]

CONDITIONS = ("all", "few pictures", "coarse ratings", "imbalance")
PARTS = ("losses", "raters", "transfer", "bundled", "whole")
SEEDS = (0, 1, 2)  # of the division into folds, of weights and of batches
FEW, COARSE, RARE = 200, 3, 0.1  # pictures; raters; share kept of the rarer levels
BASELINE = "mse"
LINES = {name: (name, LR) for name in LOSSES} | {"combo, lr 0.001": ("combo", 0.001)}
"""What is trained in every condition: name -> loss and learning rate; the paper's, and a smaller one for its loss."""
RATERS = (1, 2, 5, 10, 20, 60)
WHOLE = ("mse", "combo", "combo_published")  # losses with which whole networks are trained
WHOLE_STEPS, WHOLE_LR = 450, 0.02
PEOPLE = 12  # with probes
BUNDLED = 2  # of them, whose pictures are kept for the notebook
SHOWN = (BASE, "smile", "age", "light", "camera", "make-up", "skin tone")  # factors of those


@dataclass(frozen=True, eq=False)
class Study:
    """What all parts share.

    Attributes:
        faces: all rated adults.
        features: [N, K], see `rating_heads`.
        seen: what raters react to in each picture.
        panel: the raters.
        ratings: [N, R].
    """

    faces: RatedFaces
    features: Tensor
    seen: Facts
    panel: Panel
    ratings: np.ndarray

    @property
    def people(self) -> np.ndarray:
        """The person in each picture, [N]."""
        return self.faces.table["unit"].to_numpy()

    @property
    def truth(self) -> np.ndarray:
        """Mean rating of each picture, [N]."""
        return self.ratings.mean(axis=1)


def load(data: Path, run: Path) -> Study:
    """Read a set of renders and rate it; features are kept in the folder `run`."""
    panel = make_panel()
    faces = load_rated_renders(data, panel)
    seen, kept = facts(faces.table), run / "features.safetensors"
    if not kept.exists():
        write_bytes(kept, save({"features": describe_pictures(faces.images).contiguous()}))
    return Study(faces, load_file(kept)["features"], seen, panel, panel.rate(seen))


def measure_losses(study: Study, run: Path, seeds: Sequence[int] = SEEDS) -> dict:
    """Every loss in every condition, on fixed features: error, correlation, and the difference from `BASELINE`'s.

    Args:
        study: what is shared.
        run: folder in which each condition and seed is kept.
        seeds: of the division into folds, of weights and of batches.

    Returns:
        condition -> line -> `mae`, `pearson`, `mae_rare` (of pictures outside the commonest level), `mae_gain` and
        `pearson_gain` (above those of `BASELINE`; a smaller error is a gain), each [mean, low, high] over folds.
    """
    found: dict[str, dict[str, list[dict]]] = {name: {line: [] for line in LINES} for name in CONDITIONS}
    for seed in seeds:
        for name in CONDITIONS:
            note = run / f"losses-{name.replace(' ', '_')}-{seed}.json"
            known = read_note(note) or {}
            if missing := [line for line in LINES if line not in known]:
                known |= _losses_in(study, name, seed, missing)
                write_json(note, known)
            for line in LINES:
                found[name][line] += known[line]
    return {name: _beside_baseline(rows) for name, rows in found.items()}


def _losses_in(study: Study, condition: str, seed: int, lines: list[str]) -> dict[str, list[dict]]:
    """A row for each fold, by line."""
    found: dict[str, list[dict]] = {line: [] for line in lines}
    for train, test in person_folds(study.people, seed):
        rows, labels = _condition(study, condition, train, seed)
        for line in lines:
            loss, lr = LINES[line]
            net = fit_head(study.features[rows], labels, loss, seed, lr=lr)
            predicted = predict_scores(net, study.features[test], loss)
            found[line].append(_fit_of(predicted, study.truth[test]))
    return found


def _condition(study: Study, name: str, train: np.ndarray, seed: int) -> tuple[Tensor, Tensor]:
    """Rows of the training pictures, and their labels."""
    rng = np.random.default_rng([seed, 9])
    rows, labels = np.flatnonzero(train), study.truth
    if name == "few pictures":
        rows = rng.choice(rows, FEW, replace=False)
    elif name == "coarse ratings":
        asked = rng.permuted(np.tile(np.arange(len(study.panel)), (len(labels), 1)), axis=1)[:, :COARSE]
        labels = np.rint(np.take_along_axis(study.ratings, asked, axis=1).mean(axis=1))
    elif name == "imbalance":
        levels = levels_of(torch.from_numpy(labels[rows])).numpy()
        rows = rows[(levels == np.bincount(levels).argmax()) | (rng.random(len(rows)) < RARE)]
    return torch.from_numpy(rows), torch.from_numpy(labels[rows]).float()


def _fit_of(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Error and correlation in one fold; NaN correlation for constant predictions counts as 0."""
    errors = np.abs(predicted - truth)
    levels = levels_of(torch.from_numpy(truth)).numpy()
    rare = levels != np.bincount(levels).argmax()
    correlation = pearsonr(predicted, truth)[0] if predicted.std() > 1e-6 else 0.0
    found = {"mae": errors.mean(), "pearson": correlation, "mae_rare": errors[rare].mean()}
    return {name: float(value) for name, value in found.items()}


def _beside_baseline(rows: dict[str, list[dict]]) -> dict[str, dict[str, list[float]]]:
    tables = {loss: pd.DataFrame(some) for loss, some in rows.items()}
    base = tables[BASELINE]
    found = {}
    for loss, table in tables.items():
        columns = {name: table[name] for name in table}
        columns |= {"mae_gain": base.mae - table.mae, "pearson_gain": table.pearson - base.pearson}
        found[loss] = {name: _interval(column) for name, column in columns.items()}
    return found


def measure_raters(study: Study) -> dict:
    """How many raters a label needs: by their number, correlations with the panel's true preference on test folds.

    Returns:
        number -> `label` (of the mean rating itself) and `network` (of a network trained on such labels).
    """
    wanted = study.panel.expected(study.seen)
    found = {}
    for count in RATERS:
        rows = []
        for number, (train, test) in enumerate(person_folds(study.people, 0)):
            chosen = np.random.default_rng([count, number]).permutation(len(study.panel))[:count]
            labels = study.ratings[:, chosen].mean(axis=1)
            net = fit_head(study.features[train], torch.from_numpy(labels[train]).float(), BASELINE, number)
            predicted = predict_scores(net, study.features[test], BASELINE)
            rows.append([pearsonr(some, wanted[test])[0] for some in (labels[test], predicted)])
        table = np.array(rows)
        found[str(count)] = {"label": _interval(table[:, 0]), "network": _interval(table[:, 1])}
    return found


def measure_transfer(study: Study) -> dict:
    """Networks trained on the raters of one population, tested on the raters of each, and on the pictured groups.

    Returns:
        `taste`: correlation of the groups' true preferences, group -> group. `network`: correlation of a network's
        scores with the true preference of each group's raters on test folds, [mean, low, high]. `gap`: mean predicted
        score of pictured people of each population above the mean of all, by the raters trained on, and by all
        raters; `gap_wanted`: the same of the true preference.
    """
    panels = {home: study.panel.of(home) for home in POPULATIONS} | {"all": study.panel}
    wanted = {home: panel.expected(study.seen) for home, panel in panels.items()}
    columns = {home: study.panel.homes == POPULATIONS.index(home) for home in POPULATIONS}
    columns["all"] = np.ones(len(study.panel), bool)
    pictured = study.faces.table["population"].to_numpy()
    network: dict[str, dict[str, list]] = {home: {other: [] for other in panels} for home in panels}
    scores = {home: np.empty(len(pictured)) for home in panels}
    for home in tqdm(panels, desc="transfer", mininterval=30):
        labels = study.ratings[:, columns[home]].mean(axis=1)
        for number, (train, test) in enumerate(person_folds(study.people, 0)):
            net = fit_head(study.features[train], torch.from_numpy(labels[train]).float(), BASELINE, number)
            scores[home][test] = predict_scores(net, study.features[test], BASELINE)
            for other in panels:
                network[home][other].append(pearsonr(scores[home][test], wanted[other][test])[0])
    return {
        "taste": {a: {b: _short(pearsonr(wanted[a], wanted[b])[0]) for b in panels} for a in panels},
        "network": {a: {b: _interval(np.array(rows)) for b, rows in some.items()} for a, some in network.items()},
        "gap": {home: _above_mean(scores[home], pictured) for home in panels},
        "gap_wanted": {home: _above_mean(wanted[home], pictured) for home in panels},
    }


def _above_mean(values: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    return {name: _short(values[groups == name].mean() - values.mean()) for name in POPULATIONS}


def measure_whole(study: Study, run: Path) -> dict:
    """Whole small networks with three losses, tested on held-out people.

    Returns:
        loss -> `mae` and `pearson`, and `mae_above`, the error above that of `BASELINE`: [value, low, high] over
        people each.
    """
    training, held_out = study.faces.split()
    truth, people = held_out.scores.numpy(), held_out.table["unit"].to_numpy()
    predicted = {}
    for loss in WHOLE:
        note = run / f"whole-{loss}.json"
        if read_note(note) is None:
            net = _train_whole(training, loss, SEEDS[0])
            write_json(note, {"scores": _predict_whole(net, held_out, loss).tolist()})
        predicted[loss] = np.array(read_note(note)["scores"])
    found = {}
    for loss, scores in predicted.items():
        numbers = measure(scores, truth, people)
        above = compare(scores, predicted[BASELINE], truth, people)["mae"]
        found[loss] = {"mae": numbers["mae"], "pearson": numbers["pearson"], "mae_above": above}
    return found


def _train_whole(training: RatedFaces, loss: str, seed: int) -> ComboNet:
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    net, rng = ComboNet("small"), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        net.regression_branch.bias.fill_(float(training.scores.mean()))
    criterion, optimizer = LOSSES[loss](training.scores, training.levels), optimizer_of(net, WHOLE_LR)
    order = batches(len(training), 64, rng)
    for step in tqdm(range(WHOLE_STEPS), desc=f"{loss} {seed}", mininterval=30):
        optimizer.param_groups[0]["lr"] = WHOLE_LR * step_schedule(step / WHOLE_STEPS)
        index = next(order)
        images = normalise(augment(training.images[index], rng, net.backbone.input_size))
        value = criterion(*net(images), training.scores[index])
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
    return net.eval()


def _predict_whole(net: ComboNet, faces: RatedFaces, loss: str) -> np.ndarray:
    return predict(net, faces.images.float() / 127.5 - 1, by_levels=loss == "label_distribution").scores


def measure_bundled(study: Study, probes: pd.DataFrame) -> dict:
    """What the bundled network reacts to.

    Returns:
        `held_out`: its predictions and the ratings of held-out pictures. `changes`: factor -> value -> change of the
        score, and `wanted`, of the true preference, [mean, low, high] over people each. `shares`: factor -> share of
        the variance of scores over held-out pictures that it makes, with an interval over people; `wanted_shares`
        the same of the true preference.
    """
    net = load_combonet(weights.path("studio_attractiveness"))
    _, held_out = study.faces.split()
    scores = _predict_whole(net, held_out, "")
    probes = probes.assign(
        score=predict(net, torch.cat([_decoded(data) for data in probes["image"]])).scores,
        wanted=study.panel.expected(facts(probes)),
    )
    wanted = held_out.table["expected"].to_numpy()
    factors = ("expression", *IGNORED)
    return {
        "held_out": {
            "predicted": [_short(x) for x in scores],
            "rated": [_short(x) for x in held_out.scores.numpy()],
            "population": held_out.table["population"].tolist(),
            "age": [round(x) for x in held_out.table["age"].tolist()],
        },
        "changes": {name: _changes(probes, name) for name in (*LIKED, "skin tone")},
        "shares": {name: _share(probes, name, "score", scores.var()) for name in factors},
        "wanted_shares": {name: _share(probes, name, "wanted", wanted.var()) for name in factors},
        "people": int(probes["person"].nunique()),
    }


def _changes(probes: pd.DataFrame, factor: str) -> dict[str, dict[str, list[float]]]:
    """Each value of a factor against the plain picture of the same person."""
    base = probes[probes.factor == BASE].set_index("person")
    found = {}
    for value, rows in probes[probes.factor == factor].groupby("value"):
        rows = rows.set_index("person")
        found[f"{value:g}"] = {name: _interval((rows[name] - base[name]).dropna()) for name in ("score", "wanted")}
    return found


def _share(probes: pd.DataFrame, factor: str, column: str, total: float) -> list[float]:
    """Variance within people while one thing varies, as a share of the variance over natural pictures."""
    some = probes[probes.factor.isin([factor, BASE] if factor == "make-up" else [factor])]
    some = some[some.person.isin(probes[probes.factor == factor].person)]
    return _interval(some.groupby("person")[column].var() / total)


def _decoded(data: bytes) -> Tensor:
    return resize(to_tensor(Image.open(io.BytesIO(data)).convert("RGB")), 64)


def record_path() -> Path:
    """Where the record lies, beside the bundled data."""
    return config.data_dir() / "studio" / "rating_study.json"


def probe_path() -> Path:
    """Where the pictures of a few people with one thing changed lie, for the notebook."""
    return config.data_dir() / "studio" / "rating_probes.parquet"


def load_probes() -> pd.DataFrame:
    """The bundled probes with their pictures, 64 px, in the column `picture`.

    Raises:
        KinlibError: if the file is missing or damaged.
    """
    try:
        table = pd.read_parquet(probe_path())
        pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data in table["image"]]
    except (OSError, ValueError, KeyError) as error:
        raise KinlibError(f"'{probe_path()}' is missing or damaged: restore it") from error
    return table.drop(columns="image").assign(picture=pictures)


def recorded() -> dict:
    """The study's results.

    Raises:
        KinlibError: if the record is missing or damaged.
    """
    return read_record(record_path())


def study(data: Path, run: Path, only: str | None = None) -> dict:
    """All parts, or one of `PARTS`; what the folder `run` holds is not computed again."""
    run.mkdir(parents=True, exist_ok=True)
    loaded = load(data, run)
    parts: dict[str, Callable[[], dict]] = {
        "losses": lambda: measure_losses(loaded, run),
        "raters": lambda: measure_raters(loaded),
        "transfer": lambda: measure_transfer(loaded),
        "bundled": lambda: measure_bundled(loaded, _probes(run)),
        "whole": lambda: measure_whole(loaded, run),
    }
    found: dict = {"pictures": len(loaded.faces), "people": len(np.unique(loaded.people)), "panel": len(loaded.panel)}
    found["levels"] = np.bincount(levels_of(torch.from_numpy(loaded.truth)).numpy(), minlength=5).tolist()
    for name in [only] if only else PARTS:
        compute = parts[name]
        note = run / f"{name}.json"
        if read_note(note) is None:
            write_json(note, compute())
        found[name] = read_note(note)
    return found


def _probes(run: Path) -> pd.DataFrame:
    """The probes, rendered once."""
    path = run / "probes.parquet"
    if not path.exists():
        table = render_probes(PEOPLE)
        write_whole(path, lambda file: table.to_parquet(file, index=False))
    return pd.read_parquet(path)


def keep_probes(probes: pd.DataFrame) -> None:
    """Write the pictures that the notebook shows: few people and factors, 64 px."""
    some = probes[probes.person.isin(probes.person.unique()[:BUNDLED]) & probes.factor.isin(SHOWN)]
    some = some.assign(image=[_smaller(data) for data in some["image"]])
    write_whole(probe_path(), lambda file: some.reset_index(drop=True).to_parquet(file, index=False))


def _smaller(data: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).resize((64, 64), Image.Resampling.BOX).save(file, "JPEG", quality=90)
    return file.getvalue()


def _interval(values) -> list[float]:
    """[mean, low, high]."""
    values = np.asarray(values, float)
    return [_short(x) for x in estimate(mean(values), draw_weights(len(values)))]


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")


def main(arguments: list[str] | None = None) -> None:
    """Run the study, print it, and keep the results if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that `kinlib render` wrote")
    parser.add_argument("--run", type=Path, required=True, help="folder for what is computed")
    parser.add_argument("--only", choices=PARTS, help="this part")
    parser.add_argument("--record", action="store_true", help="keep the results beside the bundled data")
    given = parser.parse_args(arguments)
    found = study(given.data, given.run, given.only)
    print(json.dumps(found, indent=1))
    if given.record:
        found = (read_note(record_path()) or {}) | found
        write_json(record_path(), found)
        if "bundled" in found:
            keep_probes(_probes(given.run))
        print(f"wrote {record_path()}")


if __name__ == "__main__":
    main()
