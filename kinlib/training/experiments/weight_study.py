"""The experiments of notebook 09 on a kin set, half an hour on a CPU: mock against real gradients, and what they learn.

    python -m kinlib.training.experiments.weight_study --data KIN --run DIR [--record]

Each training is kept in DIR, so that a study that was stopped is resumed. `--record` keeps the results beside the
bundled data, where the notebook reads them (`recorded`).
"""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm import tqdm

from kinlib.evaluation import learned_weights
from kinlib.evaluation.bootstrap import mean_interval
from kinlib.inheritance import registry
from kinlib.inheritance.weight_network import AdaptiveDimensionWeightModel, combine, similarity_loss
from kinlib.io.files import write_bytes, write_json
from kinlib.io.resume import read_record
from kinlib.runtime import config
from kinlib.studio.datasets.kin_couples import KIN, family
from kinlib.studio.genetics import children, phenotypes
from kinlib.training.data.kin_codes import KinCodes, load_codes
from kinlib.training.data.kin_faces import Couples, couples_of, embed_children
from kinlib.training.experiments.weight_runs import Condition, fit, stalling_epoch, turning_point
from kinlib.training.recipes.weights import Processor, make_processor, real_processor

__all__ = ["TRIOS", "record_path", "recorded", "study"]

TRIOS = 150  # the report's number of families, about
SEEDS = (0, 1)
OTHER_MATRIX = 1  # seed of the mock's second matrix
UNTRAINED = 7  # seed of a network that nothing trained here began as
DARK = {"hair": ("hair_colour", ("black", "dark")), "iris": ("iris", ("dark", "brown"))}
"""By trait: the column, and the words that a person with a dominant allele has (`genetics.phenotypes`)."""
TRUE_CHILDREN = 64  # of each couple, for the share that shows a dominant trait

SMALL = Condition(epochs=30, lr=3e-3)  # of 300 steps; validation turns within them
ALL = Condition(epochs=5, lr=3e-3)  # as many steps, with 900 couples
REAL = Condition(epochs=5, lr=3e-3)  # a step costs as much as ten of the mock's
LINES: dict[str, tuple[str, int, bool, Condition]] = {
    "mock": ("mock", 0, True, SMALL),
    "mock, all families": ("mock", 0, False, ALL),
    "mock, all families, other matrix": ("mock", OTHER_MATRIX, False, ALL),
    "real": ("face", 0, True, REAL),
    "real, all families": ("face", 0, False, replace(REAL, epochs=2)),
    "mock, a weight per layer": ("mock", 0, True, replace(SMALL, blocks="layer")),
    "mock, growing dropout": ("mock", 0, True, replace(SMALL, dropout=(0.2, 0.5))),
    "mock, noise": ("mock", 0, True, replace(SMALL, noise=0.3)),
    "mock, narrow": ("mock", 0, True, replace(SMALL, width=16)),
    "mock, a weight per dimension": ("mock", 0, True, replace(SMALL, blocks="dimension")),
    "real, a weight per layer": ("face", 0, True, replace(REAL, blocks="layer")),
}
"""Name -> processor, seed of its matrix, whether only `TRIOS` families with one child each are seen, and the rest."""


def study(data: Path, run: Path, seeds: Iterable[int] = SEEDS, lines: Iterable[str] = tuple(LINES)) -> dict:
    """Train all lines and measure them on held-out couples.

    Args:
        data: the kin set, encoded.
        run: folder for what is trained.
        seeds: of each line.
        lines: names of `LINES`.

    Returns:
        What the notebook shows; see the functions below.
    """
    run.mkdir(parents=True, exist_ok=True)
    kin = load_codes(data)
    train_set, held_out = couples_of(kin, embed_children(data, kin, run))
    jobs = [(name, seed) for name in lines for seed in seeds]
    histories, nets = [], {}
    for name, seed in tqdm(jobs, desc="trainings", mininterval=5):
        net, history = _trained(name, seed, train_set, held_out, run)
        histories.append(history.assign(line=name, seed=seed))
        nets.setdefault(name, []).append(net)
    torch.manual_seed(UNTRAINED)
    nets["untrained"] = [AdaptiveDimensionWeightModel(tuple(held_out.father.shape[1:]), SMALL.width).eval()]
    if "neural" in registry.available("studio"):
        nets["neural"] = [_bundled()]
    first = {name: some[0] for name, some in nets.items()}  # the first seed: what networks say, not how they vary
    return {
        "couples": {"train": len(train_set), "held_out": len(held_out), "trios": min(TRIOS, len(train_set))},
        "curves": _curves(pd.concat(histories)),
        "turning": _turning(histories),
        "held_out": _held_out(first, held_out),
        "weights": {name: _described(net, held_out) for name, net in first.items()},
        "agreement": _agreements(first, held_out),
        "dominance": _dominance(first, kin, held_out),
    }


def record_path() -> Path:
    """Where the record lies, beside the bundled data."""
    return config.data_dir() / "studio" / "weight_study.json"


def recorded() -> dict:
    """The study's results.

    Raises:
        KinlibError: if the record is missing or damaged.
    """
    return read_record(record_path())


def _trained(name: str, seed: int, train_set: Couples, held_out: Couples, run: Path):
    """A line's network and history, from the folder if it is there."""
    kind, matrix, few, condition = LINES[name]
    shape = tuple(train_set.father.shape[1:])
    stem = run / f"{name.replace(', ', '-').replace(' ', '_')}-{seed}"
    net = AdaptiveDimensionWeightModel(shape, condition.width, blocks=condition.blocks).eval()
    weights, history = stem.with_suffix(".safetensors"), stem.with_suffix(".csv")
    if weights.exists() and history.exists():
        net.load_state_dict(load_file(weights))
        return net, pd.read_csv(history)
    shown = train_set[: min(TRIOS, len(train_set))].trios() if few else train_set  # one child each, as in the report
    net, _, table = fit(condition, make_processor(kind, shape, matrix), shown, held_out, seed)
    table.to_csv(history, index=False)
    write_bytes(weights, save({key: value.contiguous() for key, value in net.state_dict().items()}))
    return net, table


def _bundled() -> AdaptiveDimensionWeightModel:
    from kinlib.checkpoints import weights
    from kinlib.inheritance.weight_network import load_weight_network

    return load_weight_network(weights.path("studio_weights"))


def _curves(table: pd.DataFrame) -> dict:
    """Losses after each epoch: line -> rows with `epoch`, and mean, least and largest of the seeds for both sets."""
    found = {}
    for name, part in table.groupby("line", sort=False):
        by_epoch = part.groupby("epoch")[["train", "held_out"]].agg(["mean", "min", "max"])
        by_epoch.columns = ["_".join(column) for column in by_epoch.columns]
        found[name] = by_epoch.round(5).reset_index().to_dict("list")
    return found


def _turning(histories: list[pd.DataFrame]) -> dict:
    """When the loss on held-out couples stalls, when it is least, its gain until then, its rise after it, and the gap.

    The gap is that between held-out and seen couples at the end. Each is a mean over seeds, with its range.
    """
    rows = []
    for history in histories:
        epoch, rise = turning_point(history)
        last = history.iloc[-1]
        rows.append(
            {
                "line": history.line.iloc[0],
                "stalls": stalling_epoch(history),
                "least": epoch,
                "rise": rise,
                "gain": history.held_out.iloc[0] - history.held_out.min(),
                "gap": last.held_out - last.train,
                "seeds": 1,
            }
        )
    table = pd.DataFrame(rows).groupby("line", sort=False)
    found = {}
    for name, part in table:
        numbers = part[["stalls", "least", "rise", "gain", "gap"]].agg(["mean", "min", "max"]).round(5)
        found[name] = numbers.to_dict() | {"seeds": len(part)}
    return found


def _held_out(nets: dict, held_out: Couples) -> dict:
    """Loss through generator and identity network on held-out couples, and its difference from that of the average.

    Both are means with intervals over couples, `loss` and `above_average`: method -> `mean`, `low` and `high`.
    """
    processor = real_processor()
    losses = {name: _losses(net, processor, held_out) for name, net in nets.items()}
    for name in ("average", "per_layer", "mask"):
        inherit, rng = registry.create(name), torch.Generator().manual_seed(0)  # coins for each couple
        losses[name] = _losses_of(inherit(held_out.father, held_out.mother, rng), processor, held_out)
    return {
        "loss": {name: _rounded(mean_interval(some)) for name, some in losses.items()},
        "above_average": {name: _rounded(mean_interval(some - losses["average"])) for name, some in losses.items()},
    }


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {name: round(number, 5) for name, number in numbers.items()}


def _losses(net: Callable, processor: Processor, couples: Couples) -> np.ndarray:
    weights = learned_weights.weights_of(net, couples.father, couples.mother)
    return _losses_of(combine(couples.father, couples.mother, weights), processor, couples)


@torch.no_grad()
def _losses_of(child: Tensor, processor: Processor, couples: Couples) -> np.ndarray:
    embeddings = torch.cat([processor.generate_embeddings_from_latent(part) for part in child.split(32)])  # [C, 512]
    num = couples.children.shape[1]
    losses = similarity_loss(embeddings.repeat_interleave(num, dim=0), couples.children.flatten(0, 1))  # [C * T]
    return losses.unflatten(0, (-1, num)).mean(dim=1).numpy()  # [C, T] -> [C]


def _described(net: Callable, couples: Couples) -> dict:
    """Section 8.1 of the report for one network."""
    weights = learned_weights.weights_of(net, couples.father, couples.mother)
    pairs = learned_weights.consistent_pairs(weights)
    return {
        "overview": learned_weights.overview(weights).round(5).to_dict("index"),
        "layers": learned_weights.layer_means(weights).round(5).to_dict("list"),
        "pairs": {name: [float(f"{x:.4g}") for x in column] for name, column in pairs.items()},
    }


def _agreements(nets: dict, couples: Couples) -> dict:
    """Rank correlations of networks' mean weights, and of pulls, with the pull of each loss at the beginning."""
    shape = tuple(couples.father.shape[1:])
    processors = {
        "pull of the mock": make_processor("mock", shape, 0),
        "pull of the other matrix": make_processor("mock", shape, OTHER_MATRIX),
        "pull of the real gradient": real_processor(),
    }
    maps = {}  # of each loss, [L, 512]
    for name, processor in processors.items():

        def loss(weights: Tensor, index: Tensor, processor: Processor = processor) -> Tensor:
            some = couples[index]
            child = combine(some.father, some.mother, weights)
            target = torch.nn.functional.normalize(some.children.mean(dim=1), dim=1)  # [B, 512], unit length
            return similarity_loss(processor.generate_embeddings_from_latent(child), target)

        maps[name] = learned_weights.pull(loss, couples.father, couples.mother)
    found = {}
    for name, net in nets.items():
        mean = learned_weights.weights_of(net, couples.father, couples.mother).mean(dim=0)  # [L, 512]
        found[name] = {pull: round(learned_weights.agreement(mean, other), 4) for pull, other in maps.items()}
    maps = {
        pull: {name: round(learned_weights.agreement(one, other), 4) for name, other in maps.items()}
        for pull, one in maps.items()
    }
    return {"networks": found, "pulls": maps}


def _dominance(nets: dict, kin: KinCodes, held_out: Couples) -> dict:
    """How far children lie towards the parent with the dominant allele: by trait, true children and each network.

    Held-out fathers are paired with all held-out mothers of whom one of the two shows the dominant trait and the other
    does not. `probability` is the share of true children of these couples that show it.
    """
    found = {}
    portraits = (kin.table.kind == "portrait") & (kin.table.role != "child")
    shown = portraits.to_numpy() & ~kin.held_out
    for trait, (column, words) in DARK.items():
        dark = kin.table[column].isin(words).to_numpy()
        seen = kin.codes[torch.from_numpy(np.flatnonzero(shown))].float()  # [N, L, 512]
        direction = learned_weights.fit_direction(seen, dark[shown])
        along = (seen * direction).sum(dim=(1, 2)).numpy()  # [N]
        scale = float(along[dark[shown]].mean() - along[~dark[shown]].mean())  # distance of both classes along it
        fathers, mothers = (
            dark[np.flatnonzero(portraits & (kin.table.role == role) & kin.held_out)] for role in ("father", "mother")
        )
        pairs = np.argwhere(fathers[:, None] != mothers[None])  # [P, 2]: a father's and a mother's row
        carries = torch.from_numpy(fathers[pairs[:, 0]]).view(-1, 1, 1)  # [P, 1, 1], whether it is the father
        father, mother = held_out.father[pairs[:, 0]], held_out.mother[pairs[:, 1]]  # [P, L, 512]
        sides = torch.where(carries, father, mother), torch.where(carries, mother, father), direction, scale
        shares = {"true children": _true_share(kin, dark, direction, scale)}
        for name, net in nets.items():
            child = combine(father, mother, learned_weights.weights_of(net, father, mother))
            shares[name] = _by_father(learned_weights.dominant_share(child, *sides), pairs[:, 0])
        found[trait] = {name: _rounded(mean_interval(share)) for name, share in shares.items()}
        found[trait] |= {"probability": _probability(kin, column, words, held_out, pairs), "pairs": len(pairs)}
    return found


def _by_father(share: np.ndarray, father: np.ndarray) -> np.ndarray:
    """Mean share of each father's couples, the units of the intervals."""
    means = pd.Series(share).groupby(father).mean()
    return means[np.isfinite(means)].to_numpy()


def _true_share(kin: KinCodes, dark: np.ndarray, direction: Tensor, scale: float) -> np.ndarray:
    """`dominant_share` of the rendered true children of all couples of which one parent shows the dominant trait."""
    table = kin.table.assign(dark=dark, row=np.arange(len(kin.table)))[kin.table.kind == "portrait"]
    shares = []
    for _, couple in table.groupby("couple"):
        father, mother = (couple[couple.role == role].iloc[0] for role in ("father", "mother"))
        if father.dark == mother.dark:  # such a couple says nothing of dominance
            continue
        carrier, other = (father, mother) if father.dark else (mother, father)
        rows = [couple.row[couple.role == "child"].tolist(), [carrier.row], [other.row]]
        child, *both = (kin.codes[row].float().mean(dim=0, keepdim=True) for row in rows)
        shares.append(learned_weights.dominant_share(child, *both, direction, scale)[0])
    return np.array(shares)[np.isfinite(shares)]


def _probability(kin: KinCodes, column: str, words: tuple[str, ...], held_out: Couples, pairs: np.ndarray) -> float:
    """Share of the couples' true children that show the dominant trait, from their genomes."""
    rng = np.random.default_rng(0)
    people = [family(kin.seed, KIN, int(number), 1)[:2] for number in held_out.number]
    chosen = pairs[rng.permutation(len(pairs))[:50]]  # couples; more change the share by less than a hundredth
    shown = []
    for father, mother in chosen:
        young = children(people[father][0], people[mother][1], TRUE_CHILDREN, rng)
        shown.append(phenotypes(young).to_frame()[column].isin(words).mean())
    return round(float(np.mean(shown)), 4)


def main(arguments: list[str] | None = None) -> None:
    """Run the study, and keep its results if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the kin set, encoded")
    parser.add_argument("--run", type=Path, required=True, help="folder for what is trained")
    parser.add_argument("--lines", nargs="*", default=list(LINES), help="which trainings")
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--record", action="store_true", help="keep the results beside the bundled data")
    given = parser.parse_args(arguments)
    found = study(given.data, given.run, given.seeds, given.lines)
    write_json(given.run / "study.json", found)
    print(json.dumps(found["turning"], indent=1))
    if given.record:
        write_json(record_path(), found)


if __name__ == "__main__":
    main()
