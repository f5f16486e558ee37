"""The sampler of method `learned`: trained on a kin set by the energy score, in principal components of W+.

The score is strictly proper (Gneiting and Raftery 2007): its mean is least for the true distribution of a couple's
children only. With m samples x_i of a couple and a true child y it is

    (1 / m) sum |x_i - y| - 1 / (2 m (m - 1)) sum |x_i - x_j|

Parents are shown as they come: in portraits, in freely taken photographs, in degraded views, and one of them at times
not at all, so that a child can be sampled for one known parent as well. They are paired at random, not only as in the
set, and unrelated people with them (see `kinlib.training.data.kin_pairs`): with a thousand parents, few couples and
many steps a network learns the parents by heart.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from kinlib.inheritance import blend
from kinlib.inheritance.sampler import LIMIT, Sampler
from kinlib.io.resume import read_note
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.kin import NOTE
from kinlib.studio.datasets.sampling import member_genome
from kinlib.studio.genetics import Genomes, concatenate
from kinlib.studio.person import SEXES
from kinlib.training.data.kin_codes import HELD_OUT_EVERY, KinCodes, encode_set, load_codes
from kinlib.training.data.kin_pairs import Pairs, PortraitCodes, couple_genomes, make_pairs
from kinlib.training.engine import record
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["SamplerSettings", "energy_score", "evaluate", "fit_axes", "train"]

JITTER = 0.1  # standard deviations, added to parents' components: corrections of an encoder move them as much
ABSENT = 0.1  # probability that a parent is not shown
ADULT = 16.0  # years; younger people are no parents
LEAST_COUPLES = 40  # of which two are held out
SHOWN = 16  # children sampled of each held-out couple when it is evaluated


@dataclass(kw_only=True)
class SamplerSettings(TrainSettings):
    """Train the sampler of children's codes."""

    data: Path
    """folder that `kinlib render --kin` wrote"""
    others: Path | None = None
    """folder of unrelated people that `kinlib render` wrote, to be paired with the parents of the kin set"""
    run: Path = Path("runs/sampler")
    """folder of checkpoints and log"""
    steps: int = 4000
    """length of the schedule"""
    batch: int = 128
    """couples in a step, over all processes"""
    lr: float = 1e-3
    """highest learning rate"""
    components: int = 128
    """principal components of W+"""
    hidden: int = 256
    """width of the network"""
    pairs: int = 8000
    """couples that rendered parents are paired to"""
    samples: int = 6
    """children sampled of each couple in a step"""


@dataclass(frozen=True)
class _Parents:
    """All fathers, or all mothers: genomes, and standardised components [P, V, K] of V pictures and views of each."""

    genomes: Genomes
    views: Tensor


def train(settings: SamplerSettings) -> None:
    """Encode what has no codes yet, train, resuming from the last checkpoint, and write the weights with metrics."""
    for folder in filter(None, (settings.data, settings.others)):
        with tqdm(desc=f"encoding {folder.name}", unit="part", mininterval=5) as bar:
            for done, bar.total in encode_set(folder):
                bar.update(done - bar.n)
    launch(_train, settings)


def _train(settings: SamplerSettings, accelerator: Accelerator) -> None:
    torch.manual_seed(settings.seed)
    kin = load_codes(settings.data)
    others = load_codes(settings.others) if settings.others else None
    if (couples := kin.table.couple.nunique()) < LEAST_COUPLES:
        raise KinlibError(f"'{settings.data}' has {couples} couples with codes: render {LEAST_COUPLES} or more")
    net = Sampler(settings.components, kin.codes[0].numel(), settings.hidden)
    fit_axes(net, kin, others)
    fathers, mothers = (_parents(net, kin, others, role) for role in ("father", "mother"))
    pairs = make_pairs(
        fathers.genomes, mothers.genomes, portrait_codes(net, kin), settings.pairs, settings.samples, settings.seed
    )
    true = _true_pairs(net, kin)

    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=0.01, half_life=100)
    weight = loss_weights(net).to(accelerator.device)
    for index in trainer.batches(len(pairs)):
        some = torch.randint(len(true), (max(1, len(index) // 4),), generator=trainer.rng)
        loss = _loss(net, pairs, index, (fathers, mothers), settings.samples, weight, trainer.rng)
        # A quarter as many true children, as they were rendered and encoded: what the map from traits leaves out.
        loss = loss + _loss(net, true, some, (fathers, mothers), settings.samples, weight, trainer.rng) / 4
        trainer.step(loss)
    if trainer.run.is_main:
        metrics = evaluate(trainer.average.eval(), kin, settings.seed)
        trainer.run.log(**record.scalars(metrics))
        _write(trainer, settings, metrics, kin, others)


def _write(
    trainer: SupervisedTrainer, settings: SamplerSettings, metrics: dict, kin: KinCodes, others: KinCodes | None
) -> None:
    seen = kin.table[~kin.held_out]
    people, pictures = len(seen.drop_duplicates(["couple", "role", "number"])), len(seen)
    if others is not None:
        people, pictures = people + others.table.person.nunique(), pictures + len(others.table)
    used = {"steps_done": trainer.run.step, "pictures_used": pictures, "people": people}
    used |= {"held_out": f"every {HELD_OUT_EVERY}st couple of the set"}
    # So that the set can be rendered again; it may have been growing still.
    note = (read_note(settings.data / NOTE) or {}) | {"couples": int(kin.table.couple.nunique())}
    recipe = asdict(settings) | used
    record.write(trainer.average, settings.out, "sampler", recipe, metrics, calls=trainer.calls, set=note)


def fit_axes(net: Sampler, kin: KinCodes, others: KinCodes | None = None) -> None:
    """Set the means, the principal axes and their scale: of parents' pictures and children's portraits alike."""
    child = torch.tensor((kin.table.role == "child").tolist())
    used = torch.tensor((~kin.held_out).tolist())
    parents, young = (kin.codes[used & rows].float().flatten(1) for rows in (~child, child))
    if others is not None:
        parents = torch.cat([parents, others.codes.float().flatten(1)])
    net.mean.copy_(parents.mean(dim=0))
    net.child_mean.copy_(young.mean(dim=0))
    # Each kind has the weight of one picture, however many there are.
    both = [(codes - mean) / len(codes) ** 0.5 for codes, mean in ((parents, net.mean), (young, net.child_mean))]
    _, strength, axes = torch.svd_lowrank(torch.cat(both), net.components, niter=4)
    net.axes.copy_(axes.t())
    net.scale.copy_(strength / 2**0.5)


def loss_weights(net: Sampler) -> Tensor:
    """Weight of each standardised component in a distance, [K]: as in W+, of mean square 1."""
    return net.scale / net.scale.square().mean().sqrt()


def _parents(net: Sampler, kin: KinCodes, others: KinCodes | None, role: str) -> _Parents:
    """The fathers or mothers of the couples that are not held out, in their order, then unrelated grown-ups."""
    genomes = couple_genomes(kin)[("father", "mother").index(role)]
    couples = np.sort(kin.table.couple.unique())
    kept = np.flatnonzero(np.isin(couples, kin.table.couple[~kin.held_out].unique()))
    rows = np.flatnonzero((kin.table.role == role) & ~kin.held_out)
    found = _Parents(genomes[kept], _views(net, kin, rows, kin.table.couple.to_numpy()[rows]))
    if others is None:
        return found
    people = others.table.person.to_numpy()
    sex = SEXES.index("male" if role == "father" else "female")
    unique = np.unique(people)
    everybody = concatenate([member_genome(others.seed, int(person)) for person in unique])
    grown_up = np.array([json.loads(text)["age"] >= ADULT for text in others.table.attributes])
    rows = np.flatnonzero(grown_up & np.isin(people, unique[everybody.sex == sex]))
    chosen = np.isin(unique, people[rows])
    more = _views(net, others, rows, people[rows])
    most = torch.arange(max(found.views.shape[1], more.shape[1]))  # views are repeated where there are fewer
    views = torch.cat([some[:, most % some.shape[1]] for some in (found.views, more)])
    return _Parents(concatenate([found.genomes, everybody[np.flatnonzero(chosen)]]), views)


def _views(net: Sampler, codes: KinCodes, rows: np.ndarray, people: np.ndarray) -> Tensor:
    """Components of all pictures and degraded views by person, repeated where a person has fewer: [P, V, K].

    Args:
        net: with its axes.
        codes: of the set.
        rows: of pictures of possible parents, in the table.
        people: whose picture each of these is.
    """
    parents = np.flatnonzero(codes.table["role"] != "child") if "role" in codes.table else np.arange(len(codes.table))
    place = np.searchsorted(parents, rows)  # among the degraded views
    index = torch.from_numpy(rows)
    views = torch.cat([codes.codes[index][:, None], codes.degraded[torch.from_numpy(place)]], dim=1)  # [R, 1 + V, ...]
    found = net.to_components(views.flatten(0, 1).float()).unflatten(0, views.shape[:2])  # [R, 1 + V, K]
    each = [found[torch.from_numpy(people == person)].flatten(0, 1) for person in np.unique(people)]
    most = max(len(one) for one in each)
    return torch.stack([one[torch.arange(most) % len(one)] for one in each])


def children_of(net: Sampler, kin: KinCodes) -> Tensor:
    """Standardised components of the true children of all couples: [C, T, K]."""
    codes = kin.codes[torch.tensor((kin.table.role == "child").tolist())]
    return _components(net, codes).unflatten(0, (kin.table.couple.nunique(), -1))


def portrait_codes(net: Sampler, kin: KinCodes) -> PortraitCodes:
    """The map from traits to portraits, fitted to the children of couples that are not held out."""
    rows = ((kin.table.role == "child").to_numpy()) & ~kin.held_out
    codes = kin.codes[torch.from_numpy(rows)].float().flatten(1) - net.child_mean
    return PortraitCodes(kin.table[rows], codes @ net.axes.t() / net.scale)


def _true_pairs(net: Sampler, kin: KinCodes) -> Pairs:
    """Every true child of the couples that are not held out, as a row of its own."""
    rows = (kin.table.role == "child").to_numpy() & ~kin.held_out
    _, couple = np.unique(kin.table.couple[rows], return_inverse=True)
    male = torch.tensor((kin.table.sex[rows] == "male").tolist()).float()
    index = torch.from_numpy(couple).long()
    return Pairs(index, index, male, _components(net, kin.codes[torch.from_numpy(rows)])[:, None])


def _components(net: Sampler, codes: Tensor) -> Tensor:
    """Standardised components of children's codes, held as the sampler's own: [N, K]."""
    found = (codes.float().flatten(1) - net.child_mean) @ net.axes.t() / net.scale
    return found.clamp(-LIMIT, LIMIT)


def _loss(
    net: Sampler,
    pairs: Pairs,
    index: Tensor,
    parents: tuple[_Parents, _Parents],
    samples: int,
    weight: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """Mean energy score of a batch, each parent in a random view."""
    place, count = weight.device, len(index)
    seen = []
    for people, rows in zip(parents, (pairs.father[index], pairs.mother[index]), strict=True):
        shown = people.views[rows, torch.randint(people.views.shape[1], (count,), generator=rng)]
        seen.append((shown + JITTER * torch.randn(shown.shape, generator=rng)).to(place))
    known = (torch.rand(count, 2, generator=rng) >= ABSENT).float().to(place)
    noise = torch.randn(count, samples, net.noise, generator=rng).to(place)
    found = net(*seen, known, pairs.male[index].to(place), noise)  # [B, M, K]
    return energy_score(found * weight, pairs.children[index].to(place) * weight).mean()


def energy_score(samples: Tensor, truth: Tensor) -> Tensor:
    """The energy score of M samples for T true children, mean over these, divided by sqrt(K): [B].

    Args:
        samples: [B, M, K], M of at least 2.
        truth: [B, T, K].
    """
    count = samples.shape[1]
    to_truth = torch.cdist(samples, truth).mean(dim=(1, 2))
    first, second = torch.triu_indices(count, count, 1)
    # Not by cdist, whose gradient at the zero distances of samples to themselves is not defined.
    apart = (samples[:, first] - samples[:, second]).norm(dim=2).mean(dim=1)
    return (to_truth - apart / 2) / samples.shape[2] ** 0.5


@torch.no_grad()
def evaluate(net: Sampler, kin: KinCodes, seed: int = 0) -> dict:
    """On held-out couples, in components weighted as in W+.

    Returns:
        For parents in portraits and in album shots: the energy score of the sampler, of `mask` and of `average`, and
        `right`, the share of sampled children nearest to the mean of their own true siblings among all couples'.
    """
    couples = np.sort(kin.table.couple.unique())
    rows = np.flatnonzero(np.isin(couples, kin.table.couple[kin.held_out].unique()))
    truth = children_of(net, kin)[torch.from_numpy(rows)]  # [H, T, K]
    weight = loss_weights(net)
    metrics: dict = {"couples": len(rows), "children": truth.shape[1]}
    for kind in ("portrait", "album"):
        codes = [_one_picture(kin, role, kind, couples[rows]) for role in ("father", "mother")]
        if any(len(found) != len(rows) for found in codes):
            continue
        for name, method in (("sampler", net.sample), ("mask", blend.mask), ("average", blend.average)):
            rng = torch.Generator().manual_seed(seed)
            drawn = torch.stack([method(*codes, rng) for _ in range(SHOWN)], dim=1)  # [H, M, L, 512]
            found = ((drawn.flatten(2) - net.child_mean) @ net.axes.t() / net.scale) * weight
            metrics[f"energy_score_{kind}_{name}"] = float(energy_score(found, truth * weight).mean())
            near = torch.cdist(found.flatten(0, 1), (truth * weight).mean(dim=1)).argmin(dim=1)
            metrics[f"right_{kind}_{name}"] = float(
                (near == torch.arange(len(rows)).repeat_interleave(SHOWN)).float().mean()
            )
    return metrics


def _one_picture(kin: KinCodes, role: str, kind: str, couples: np.ndarray) -> Tensor:
    """Codes of one picture of each parent of a role: [C, L, 512]."""
    table: pd.DataFrame = kin.table
    wanted = (table.role == role) & (table.kind == kind) & table.couple.isin(couples) & (table.view <= 1)
    return kin.codes[torch.from_numpy(np.flatnonzero(wanted))].float()
