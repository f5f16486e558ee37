"""The sampler of method `learned`: trained on a kin set by the energy score, in principal components of W+.

The score is strictly proper (Gneiting and Raftery 2007): its mean is least for the true distribution of a couple's
children only. With m samples x_i of a couple and a true child y it is

    (1 / m) sum |x_i - y| - 1 / (2 m (m - 1)) sum |x_i - x_j|

It is taken twice: in components weighted as in W+, and as an identity network sees them (`kin_identity`). Both are
proper, and so is their sum; the second says more of whose child it is.

Parents are shown as they come: in portraits, in freely taken photographs, in degraded views, and one of them at times
not at all, so that a child can be sampled for one known parent as well. In a part of each batch the child is shown and
a parent is wanted. People are paired at random, not only as in the set, and unrelated people with them (see
`kinlib.training.data.kin_pairs`): with a thousand parents, few couples and many steps a network learns the parents by
heart.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from tqdm import tqdm

from kinlib.evaluation.heredity.assignment import assign
from kinlib.inheritance import blend
from kinlib.inheritance.sampler import LIMIT, Sampler
from kinlib.io.resume import read_note
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.kin import NOTE
from kinlib.training.data.kin_codes import HELD_OUT_EVERY, KinCodes, encode_corrections, encode_set, load_codes
from kinlib.training.data.kin_identity import embed_codes, fit_identity_map
from kinlib.training.data.kin_pairs import Pairs, PortraitCodes, make_pairs
from kinlib.training.data.kin_parents import (
    Parents,
    child_components,
    find_parents,
    one_picture,
    photographed,
    portraits_of,
)
from kinlib.training.engine import record
from kinlib.training.engine.processes import launch
from kinlib.training.engine.settings import TrainSettings
from kinlib.training.engine.supervised import SupervisedTrainer

__all__ = ["SamplerSettings", "energy_score", "evaluate", "fit_axes", "loss_weights", "train"]

JITTER = 0.1  # standard deviations, added to components, so that no picture is learned by heart
ABSENT = 0.15  # probability that a parent is not shown
BACKWARDS = 0.15  # share of a batch in which the child is shown and a parent is wanted
LEAST_COUPLES = 40  # of which two are held out
SHOWN = 16  # children sampled of each held-out couple when it is evaluated
MAPPED = 1000  # children, from whose pictures the identity map is fitted: it then explains 88% of held-out variance


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
    components: int = 160
    """principal components of W+"""
    hidden: int = 512
    """width of the network"""
    pairs: int = 20000
    """couples that rendered parents are paired to"""
    samples: int = 6
    """children sampled of each couple in a step"""
    identity: float = 1.0
    """weight of the score as an identity network sees children, beside that of codes"""


@dataclass(frozen=True)
class Families:
    """What a step of training chooses from.

    Attributes:
        fathers, mothers: who is paired.
        young: components [P, T, K] of T portraits each of all fathers, and of all mothers: wanted parents.
        paired: random pairs with children whose codes follow from their traits.
        true: every true child, as it was rendered and encoded.
        corrections: components [N, K] that an encoder's corrections add to parents' pictures, which the set has
            without: users' codes have them, and they move the last components by more than a standard deviation.
    """

    fathers: Parents
    mothers: Parents
    young: tuple[Tensor, Tensor]
    paired: Pairs
    true: Pairs
    corrections: Tensor


@dataclass(frozen=True)
class Spaces:
    """Linear maps [K, D] from standardised components into the spaces in which the score is taken, with weights."""

    maps: tuple[Tensor, ...]
    weights: tuple[float, ...]

    def score(self, samples: Tensor, truth: Tensor) -> Tensor:
        """Weighted sum of the energy scores of M samples [B, M, K] for T true answers [B, T, K]: [B]."""
        found = [energy_score(samples @ into, truth @ into) for into in self.maps]  # [..., K] @ [K, D] -> [..., D]; [B]
        return sum(weight * one for weight, one in zip(self.weights, found, strict=True))


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
    net = Sampler(settings.components, kin.codes[0].numel(), settings.hidden)  # a code has L * 512 entries
    fit_axes(net, kin, others)
    corrections = encode_corrections(settings.data)  # [N, L, 512]
    families = find_families(net, kin, others, corrections, settings)
    spaces = find_spaces(net, kin, settings.identity, accelerator.device)

    trainer = SupervisedTrainer(net, settings, accelerator, weight_decay=0.01, half_life=100)  # AdamW's default
    for index in trainer.batches(len(families.paired)):
        some = torch.randint(len(families.true), (max(1, len(index) // 4),), generator=trainer.rng)
        loss = _loss(net, families, families.paired, index, settings.samples, spaces, trainer.rng)
        # A quarter as many true children, as they were rendered and encoded: what the map from traits leaves out.
        loss = loss + _loss(net, families, families.true, some, settings.samples, spaces, trainer.rng) / 4
        trainer.step(loss)
    if trainer.run.is_main:
        metrics = evaluate(trainer.average.eval(), kin, corrections, settings.seed)
        trainer.run.log(**record.scalars(metrics))
        _write(trainer, settings, metrics, kin, others)


def find_families(
    net: Sampler, kin: KinCodes, others: KinCodes | None, corrections: Tensor, settings: SamplerSettings
) -> Families:
    """Everything that training chooses from, of couples that are not held out."""
    fathers, mothers = (find_parents(net, kin, others, role) for role in ("father", "mother"))  # P of each
    portraits = portrait_codes(net, kin)
    num, seed = settings.samples, settings.seed
    young = tuple(portraits_of(people.genomes, portraits, num, seed) for people in (fathers, mothers))
    paired = make_pairs(fathers.genomes, mothers.genomes, portraits, settings.pairs, num, seed)
    added = corrections.flatten(1) @ net.axes.t() / net.scale  # [N, L * 512] @ [L * 512, K] -> [N, K]
    return Families(fathers, mothers, young, paired, _true_pairs(net, kin), added)


def find_spaces(net: Sampler, kin: KinCodes, identity: float, device: torch.device | str = "cpu") -> Spaces:
    """Components as in W+ and, where it has a weight, as the identity network sees them."""
    codes = torch.diag(loss_weights(net)).to(device)  # [K, K]: each component by its weight
    if not identity:
        return Spaces((codes,), (1.0,))
    rows = np.flatnonzero((kin.table.role == "child").to_numpy() & ~kin.held_out)[:MAPPED]
    children = kin.codes[torch.from_numpy(rows)]  # [M, L, 512] of at most `MAPPED` children
    with tqdm(desc="identities", total=len(rows), unit="picture", mininterval=5) as bar:
        embedded = embed_codes(children, bar.update)
    return Spaces((codes, fit_identity_map(child_components(net, children), embedded).to(device)), (1.0, identity))


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
    child = torch.tensor((kin.table.role == "child").tolist())  # bool [N]
    used = torch.tensor((~kin.held_out).tolist())
    parents, young = (kin.codes[used & rows].float().flatten(1) for rows in (~child, child))  # [N, L * 512] each
    if others is not None:
        parents = torch.cat([parents, others.codes.float().flatten(1)])
    net.mean.copy_(parents.mean(dim=0))
    net.child_mean.copy_(young.mean(dim=0))
    # Each kind has the weight of one picture, however many there are.
    both = [(codes - mean) / len(codes) ** 0.5 for codes, mean in ((parents, net.mean), (young, net.child_mean))]
    _, strength, axes = torch.svd_lowrank(torch.cat(both), net.components, niter=4)  # axes [L * 512, K]
    net.axes.copy_(axes.t())
    net.scale.copy_(strength / 2**0.5)  # root of the mean of both variances


def loss_weights(net: Sampler) -> Tensor:
    """Weight of each standardised component in a distance, [K]: as in W+, of mean square 1."""
    # Standardised components times their scale are lengths in W+.
    return net.scale / net.scale.square().mean().sqrt()


def children_of(net: Sampler, kin: KinCodes) -> Tensor:
    """Standardised components of the true children of all couples: [C, T, K]."""
    codes = kin.codes[torch.tensor((kin.table.role == "child").tolist())]
    return child_components(net, codes).unflatten(0, (kin.table.couple.nunique(), -1))


def portrait_codes(net: Sampler, kin: KinCodes) -> PortraitCodes:
    """The map from traits to portraits, fitted to the children of couples that are not held out."""
    rows = ((kin.table.role == "child").to_numpy()) & ~kin.held_out
    codes = kin.codes[torch.from_numpy(rows)].float().flatten(1) - net.child_mean  # [N, L * 512]
    return PortraitCodes(kin.table[rows], codes @ net.axes.t() / net.scale)


def _true_pairs(net: Sampler, kin: KinCodes) -> Pairs:
    """Every true child of the couples that are not held out, as a row of its own."""
    rows = (kin.table.role == "child").to_numpy() & ~kin.held_out
    _, couple = np.unique(kin.table.couple[rows], return_inverse=True)  # numbers of couples -> rows of parents
    male = torch.tensor((kin.table.sex[rows] == "male").tolist()).float()  # [N]
    index = torch.from_numpy(couple).long()
    return Pairs(index, index, male, child_components(net, kin.codes[torch.from_numpy(rows)])[:, None])  # [N, 1, K]


def _loss(
    net: Sampler, families: Families, pairs: Pairs, index: Tensor, samples: int, spaces: Spaces, rng: torch.Generator
) -> Tensor:
    """Mean score of a batch: children of couples and, in a part of it, parents of children."""
    place, count = spaces.maps[0].device, len(index)
    rows = pairs.father[index], pairs.mother[index]  # [B] each
    truth, male = pairs.children[index], pairs.male[index]  # [B, T, K], [B]
    # [B, 3]: whether father, mother and child are shown; the child only where a parent is wanted (below).
    known = torch.cat([(torch.rand(count, 2, generator=rng) >= ABSENT).float(), torch.zeros(count, 1)], dim=1)
    parent = (torch.rand(count, generator=rng) < BACKWARDS).float()  # [B], 1 where a parent is wanted
    role = torch.randint(2, (count,), generator=rng)  # of the wanted parent: 0 the father, 1 the mother
    child = photographed(net, truth[:, 0], families.fathers.shifts, rng)  # [B, K], the first of the true children
    parents = zip((families.fathers, families.mothers), rows, strict=True)
    shown = [_shown(people, row, families.corrections, rng) for people, row in parents]
    people = torch.stack([*shown, child], dim=1)  # [B, 3, K]
    people = people + JITTER * torch.randn(people.shape, generator=rng)

    back = parent.bool()
    known[back, role[back]], known[back, 2] = 0, 1  # the wanted parent is hidden, the child is shown
    # The answer is then not children but portraits of that parent as young as they, [B, 2, T, K] -> [B, T, K].
    young = torch.stack([some[row, : truth.shape[1]] for some, row in zip(families.young, rows, strict=True)], dim=1)
    truth = torch.where(back[:, None, None], young[torch.arange(count), role], truth)
    male = torch.where(back, 1.0 - role, male)  # the father, role 0, is male
    noise = torch.randn(count, samples, net.noise, generator=rng)
    found = net(*(some.to(place) for some in (people, known, parent, male, noise)))  # [B, M, K]
    return spaces.score(found, truth.to(place)).mean()


def _shown(people: Parents, rows: Tensor, corrections: Tensor, rng: torch.Generator) -> Tensor:
    """Components of one view of each of these people, corrected as one of the measured pictures was: [B, K]."""
    view = people.views[rows, torch.randint(people.views.shape[1], (len(rows),), generator=rng)]  # [B, K]
    added = corrections[torch.randint(len(corrections), (len(rows),), generator=rng)]  # [B, K]
    return (view + added).clamp(-LIMIT, LIMIT)


def energy_score(samples: Tensor, truth: Tensor) -> Tensor:
    """The energy score of M samples for T true children, mean over these, divided by sqrt(K): [B].

    Args:
        samples: [B, M, K], M of at least 2.
        truth: [B, T, K].
    """
    count = samples.shape[1]
    to_truth = torch.cdist(samples, truth).mean(dim=(1, 2))  # [B, M, T] -> [B]
    first, second = torch.triu_indices(count, count, 1)  # all pairs of two different samples
    # Not by cdist, whose gradient at the zero distances of samples to themselves is not defined.
    apart = (samples[:, first] - samples[:, second]).norm(dim=2).mean(dim=1)
    # Gneiting and Raftery 2007, equation 22, estimated without bias.
    return (to_truth - apart / 2) / samples.shape[2] ** 0.5


@torch.no_grad()
def evaluate(net: Sampler, kin: KinCodes, corrections: Tensor, seed: int = 0) -> dict:
    """On held-out couples, in components weighted as in W+ and as the identity network sees the pictures.

    The parents' codes are corrected as those pictures were that `corrections` [N, L, 512] was measured from.

    Returns:
        For parents in portraits and in album shots: the energy score of the sampler, of `mask` and of `average`, and
        `right`, the share of sampled children assigned to their own couple among all (`assignment.assign`), beside
        `right_siblings` of true children.
    """
    couples = np.sort(kin.table.couple.unique())
    rows = np.flatnonzero(np.isin(couples, kin.table.couple[kin.held_out].unique()))
    truth = children_of(net, kin)[torch.from_numpy(rows)]  # [H, T, K]
    weight = loss_weights(net)
    seen = [embed_codes(one_picture(kin, role, "portrait", couples[rows])).numpy() for role in ("father", "mother")]
    metrics: dict = {"couples": len(rows), "children": truth.shape[1]}
    siblings = torch.stack([net.to_codes(one) for one in truth.unbind(1)], dim=1)  # [H, T, L, 512]
    metrics["right_siblings"] = _right(siblings, seen)
    for kind in ("portrait", "album"):
        added = corrections[torch.arange(len(rows)) % len(corrections)]
        codes = [one_picture(kin, role, kind, couples[rows]) for role in ("father", "mother")]
        codes = [code + added if len(code) == len(rows) else code for code in codes]
        if any(len(found) != len(rows) for found in codes):  # a set of portraits only has no album shots
            continue
        for name, method in (("sampler", net.sample), ("mask", blend.mask), ("average", blend.average)):
            rng = torch.Generator().manual_seed(seed)
            drawn = torch.stack([method(*codes, rng) for _ in range(SHOWN)], dim=1)  # [H, M, L, 512]
            found = ((drawn.flatten(2) - net.child_mean) @ net.axes.t() / net.scale) * weight
            metrics[f"energy_score_{kind}_{name}"] = float(energy_score(found, truth * weight).mean())
            if name != "average":  # whose children are all alike, and too like their parents
                metrics[f"right_{kind}_{name}"] = _right(drawn[:, : truth.shape[1]], seen)
    return metrics


def _right(codes: Tensor, parents: list[np.ndarray]) -> float:
    """Share of children [C, n, L, 512] that are assigned to their own couple, by the parents' embeddings."""
    embedded = embed_codes(codes.flatten(0, 1)).unflatten(0, codes.shape[:2]).numpy()  # [C * n, 512] -> [C, n, 512]
    return float(assign(embedded, *parents)["right"].mean())
