"""What the pictures of parents hide from a sampler of children, and how good the sampler's options are.

    python -m kinlib.training.experiments.sampler_study --data KIN --record

measures on the held-out couples of a kin set and keeps the numbers beside the bundled data.

**Ladder.** The same network is trained for the same short time on what an album shot, a portrait, the true traits, or
the genome says of both parents. True children are sampled by meiosis, and the code of a child's portrait follows from
its traits (`kin_pairs.PortraitCodes`). The energy distance left on each rung is what that input hides.

**Options.** The bundled sampler with fewer known people: one parent, the other parent of a known child, grandparents
(sons and daughters sampled first, then their children). The energy score of each, beside that of the same network that
is shown nobody, or, where a parent is wanted, of anybody's portraits.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.evaluation.bootstrap import draw_weights, estimate, mean, ratio
from kinlib.evaluation.heredity.distances import energy_distance
from kinlib.inheritance.sampler import LIMIT, Sampler, load_sampler
from kinlib.io.files import write_json
from kinlib.io.resume import read_note, read_record
from kinlib.runtime import config
from kinlib.studio.datasets.kin_couples import CHILD_AGE
from kinlib.studio.genetics import Genomes, breeding_values, children, phenotypes
from kinlib.studio.genetics.architecture import LOCI
from kinlib.studio.person import SEXES
from kinlib.training.data.kin_codes import KinCodes, encode_corrections, load_codes
from kinlib.training.data.kin_pairs import Pairs, PortraitCodes, couple_genomes, make_pairs, trait_features
from kinlib.training.data.kin_parents import find_parents, one_picture, portraits_of
from kinlib.training.engine.loop import batches, one_cycle
from kinlib.training.recipes.sampler import Spaces, energy_score, find_spaces, fit_axes, portrait_codes

__all__ = ["Couples", "held_out_couples", "ladder", "options", "record_path", "recorded"]

RUNGS = ("album shots", "portraits", "true traits", "genomes")
SAMPLES = 32  # children sampled, and true children, of each couple
STEPS, BATCH, LR, SHOWN = 800, 128, 2e-3, 4  # of a rung: short, and the same for all


@dataclass(frozen=True)
class Couples:
    """The held-out couples of a kin set.

    Attributes:
        fathers, mothers: genomes.
        codes: of both, by kind of picture: W+ [H, L, 512] each.
    """

    fathers: Genomes
    mothers: Genomes
    codes: dict[str, tuple[Tensor, Tensor]]


def held_out_couples(kin: KinCodes) -> Couples:
    """The couples that no sampler is trained on."""
    couples = np.sort(kin.table.couple.unique())
    held = np.flatnonzero(np.isin(couples, kin.table.couple[kin.held_out].unique()))
    fathers, mothers = (people[held] for people in couple_genomes(kin))
    kinds = {"portraits": "portrait", "album shots": "album"}
    codes = {
        name: tuple(one_picture(kin, role, kind, couples[held]) for role in ("father", "mother"))
        for name, kind in kinds.items()
    }
    return Couples(fathers, mothers, codes)


def ladder(kin: KinCodes, components: int, pairs: int, steps: int = STEPS, seed: int = 0) -> dict[str, list[float]]:
    """Energy distance of each rung of `RUNGS`, as the identity network sees children: value and interval.

    Args:
        kin: the set.
        components: of codes; what else is shown is brought to as many numbers.
        pairs: couples to train on.
        steps: of training.
        seed: of everything.
    """
    torch.manual_seed(seed)
    net = Sampler(components, kin.codes[0].numel())
    fit_axes(net, kin)
    portraits, spaces = portrait_codes(net, kin), find_spaces(net, kin, 1.0)  # codes and identity, at equal weights
    fathers, mothers = (find_parents(net, kin, None, role) for role in ("father", "mother"))
    paired = make_pairs(fathers.genomes, mothers.genomes, portraits, pairs, SHOWN, seed)
    held = held_out_couples(kin)
    truth = _true_children(held.fathers, held.mothers, portraits, SAMPLES, seed)
    found = {}
    for rung in RUNGS:
        if rung in held.codes:
            # Of a parent's four views the first two are of the portrait, the others of the album shot.
            first = 0 if rung == "portraits" else 2
            shown = [people.views[:, first : first + 2] for people in (fathers, mothers)]
            asked = [net.to_components(code) for code in held.codes[rung]]
        else:
            describe = _describer(_traits if rung == "true traits" else _genome, fathers.genomes, components)
            shown = [describe(people.genomes)[:, None] for people in (fathers, mothers)]
            asked = [describe(people) for people in (held.fathers, held.mothers)]
        trained = _train(components, shown, paired, spaces, steps, seed)
        drawn = _answers(trained, asked, seed)
        # As the identity network sees them: the second of the two spaces.
        found[rung] = _distance(drawn @ spaces.maps[1], truth @ spaces.maps[1], seed)
    return found


def options(net: Sampler, kin: KinCodes, corrections: Tensor, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """The energy score of the sampler's options on held-out couples in album shots, as W+ weighs components.

    Args:
        net: the sampler.
        kin: the set.
        corrections: [N, L, 512], as users' codes have them, from `encode_corrections`.
        seed: of everything.

    Returns:
        By option: `score`, value and interval; and `skill`, the share by which it is below that of the same network
        that is shown nobody (where a mother is wanted: of portraits of any woman).
    """
    portraits, spaces = portrait_codes(net, kin), find_spaces(net, kin, 0.0)
    held = held_out_couples(kin)
    added = corrections[torch.arange(len(held.fathers)) % len(corrections)]  # [H, L, 512], counted round
    fathers, mothers = (code + added for code in held.codes["album shots"])
    truth = _true_children(held.fathers, held.mothers, portraits, SAMPLES, seed)
    rng = torch.Generator().manual_seed(seed)

    def drawn(answer: Callable[[], Tensor]) -> Tensor:
        codes = torch.stack([answer() for _ in range(SAMPLES)], dim=1)  # [H, M, L, 512]
        return (codes.flatten(2) - net.child_mean) @ net.axes.t() / net.scale

    nobody = drawn(lambda: net.sample(fathers, mothers, rng, strength=0.0))
    found = {
        "both parents": (drawn(lambda: net.sample(fathers, mothers, rng)), nobody, truth),
        "father only": (drawn(lambda: net.sample(fathers, None, rng)), nobody, truth),
        "mother only": (drawn(lambda: net.sample(None, mothers, rng)), nobody, truth),
    }
    son = net.to_codes(_true_children(held.fathers, held.mothers, portraits, 1, seed + 1)[:, 0])  # [H, L, 512]
    women = portraits_of(held.mothers, portraits, SAMPLES, seed)  # [H, M, K]
    # Of any woman each, not one wrong woman's over and over, who would be an easy baseline.
    any_woman = women.flatten(0, 1)[torch.randint(women[..., 0].numel(), women.shape[:2], generator=rng)]
    with_father = drawn(lambda: net.other_parent(son, fathers, "female", rng))
    found["mother, from child and father"] = (with_father, any_woman, women)
    found["mother, from child"] = (drawn(lambda: net.other_parent(son, None, "female", rng)), any_woman, women)
    grand = _grandchildren(held, portraits, seed)
    shifted = [code.roll(-1, 0) for code in (fathers, mothers)]  # the next couple: the mother's parents

    def grandchild() -> Tensor:
        man, woman = net.sample(fathers, mothers, rng, sex="male"), net.sample(*shifted, rng, sex="female")
        return net.sample(man, woman, rng)

    found["grandparents"] = (drawn(grandchild), nobody, grand)
    return {name: _scored(*sets, spaces, seed) for name, sets in found.items()}


def record_path() -> Path:
    """Where the numbers are kept, beside the bundled data."""
    return config.data_dir() / "studio" / "sampler_study.json"


def recorded() -> dict:
    """The numbers that were kept: `ladder` and `options`.

    Raises:
        KinlibError: if they are missing or damaged.
    """
    return read_record(record_path(), "ladder", "options")


def _true_children(fathers: Genomes, mothers: Genomes, portraits: PortraitCodes, num: int, seed: int) -> Tensor:
    """Components of portraits of true children: [C, num, K]."""
    rng = np.random.default_rng([seed, 5])
    young = phenotypes(children(fathers, mothers, num, rng)).to_frame().assign(age=CHILD_AGE)
    return portraits(young, rng).unflatten(0, (len(fathers), num))  # [C * num, K] -> [C, num, K]


def _grandchildren(held: Couples, portraits: PortraitCodes, seed: int) -> Tensor:
    """Components of true grandchildren: each of a son of a couple and a daughter of the next, [C, SAMPLES, K]."""
    rng = np.random.default_rng([seed, 6])
    found = []
    following = np.roll(np.arange(len(held.fathers)), -1)
    for _ in range(SAMPLES):
        sons = children(held.fathers, held.mothers, 1, rng).with_sex(
            np.full(len(following), SEXES.index("male"), np.uint8)
        )
        daughters = children(held.fathers[following], held.mothers[following], 1, rng)
        young = phenotypes(children(sons, daughters, 1, rng)).to_frame().assign(age=CHILD_AGE)
        found.append(portraits(young, rng))
    return torch.stack(found, dim=1)


def _traits(people: Genomes) -> np.ndarray:
    return trait_features(phenotypes(people).to_frame().assign(age=CHILD_AGE))


def _genome(people: Genomes) -> np.ndarray:
    """What a child gets of each trait on average, and which alleles stand at the Mendelian loci."""
    copies = np.stack([people.copies(locus.name) for locus in LOCI], axis=1)
    return np.concatenate([breeding_values(people), copies], axis=1)


def _describer(describe: Callable, people: Genomes, components: int) -> Callable[[Genomes], Tensor]:
    """A function from people to [N, components]: standardised principal components of what describes them."""
    known = torch.from_numpy(np.float32(describe(people)))  # [P, F]
    centre, scale = known.mean(dim=0), known.std(dim=0).clamp_min(1e-3)  # an allele that nobody has does not vary
    standard = (known - centre) / scale  # [P, F]
    _, strength, axes = torch.svd_lowrank(standard, min(components, *standard.shape), niter=4)
    # Not of unit variance: the small ones are noise. Of unit variance in all, as codes are.
    size = strength.square().mean().sqrt() / len(known) ** 0.5

    def found(some: Genomes) -> Tensor:
        x = (torch.from_numpy(np.float32(describe(some))) - centre) / scale @ axes / size
        return torch.nn.functional.pad(x, (0, components - x.shape[1])).clamp(-3 * LIMIT, 3 * LIMIT)

    return found


def _train(components: int, shown: list[Tensor], pairs: Pairs, spaces: Spaces, steps: int, seed: int) -> Sampler:
    """A sampler trained on views [P, V, K] of fathers and mothers; both are always known."""
    torch.manual_seed(seed)
    net, rng = Sampler(components, 1, hidden=256), torch.Generator().manual_seed(seed)
    optimizer, order = torch.optim.AdamW(net.parameters(), LR, weight_decay=0.01), batches(len(pairs), BATCH, rng)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LR * one_cycle(step / steps)
        index = next(order)
        seen = [
            views[rows[index], torch.randint(views.shape[1], (len(index),), generator=rng)]
            for views, rows in zip(shown, (pairs.father, pairs.mother), strict=True)
        ]
        found = _forward(net, seen, pairs.male[index], torch.randn(len(index), SHOWN, net.noise, generator=rng))
        optimizer.zero_grad(set_to_none=True)
        spaces.score(found, pairs.children[index]).mean().backward()
        optimizer.step()
    return net.eval()


def _forward(net: Sampler, parents: list[Tensor], male: Tensor, noise: Tensor) -> Tensor:
    people = torch.stack([*parents, torch.zeros_like(parents[0])], dim=1)  # [B, 3, K]
    known = people.new_tensor([[1.0, 1.0, 0.0]]).expand(len(people), -1)  # both parents, no child
    return net(people, known, torch.zeros_like(male), male, noise)


@torch.no_grad()
def _answers(net: Sampler, parents: list[Tensor], seed: int) -> Tensor:
    """Sons and daughters in turn: [H, SAMPLES, K]."""
    rng, count = torch.Generator().manual_seed(seed), len(parents[0])
    noise = torch.randn(count, SAMPLES, net.noise, generator=rng)
    halves = noise.split(SAMPLES // 2, dim=1)
    return torch.cat([_forward(net, parents, torch.full((count,), sex), x) for sex, x in enumerate(halves, 0)], dim=1)


def _distance(drawn: Tensor, truth: Tensor, seed: int) -> list[float]:
    found = [energy_distance(mine.numpy(), theirs.numpy()) for mine, theirs in zip(drawn, truth, strict=True)]
    return _interval(mean(np.array(found)), seed)


def _scored(drawn: Tensor, nobody: Tensor, truth: Tensor, spaces: Spaces, seed: int) -> dict[str, list[float]]:
    into = spaces.maps[0]
    own, other = (energy_score(some @ into, truth @ into).numpy() for some in (drawn, nobody))
    return {"score": _interval(mean(own), seed), "skill": _interval(ratio(other - own, other), seed)}


def _interval(statistic, seed: int) -> list[float]:
    found = estimate(statistic, draw_weights(len(statistic.columns), seed=seed))
    return [float(f"{value:.5g}") for value in found]


def main(arguments: list[str] | None = None) -> None:
    """Measure ladder and options, print them, and keep the numbers if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that `kinlib render --kin` wrote")
    parser.add_argument("--pairs", type=int, default=8000, help="couples that parents are paired to")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training a rung")
    parser.add_argument("--only", choices=("options", "ladder"), help="measure this; the other's numbers stay")
    parser.add_argument("--record", action="store_true", help="keep the numbers beside the bundled data")
    given = parser.parse_args(arguments)
    kin = load_codes(given.data)
    net = load_sampler(weights.path("studio_sampler"))
    found = {"couples": len(held_out_couples(kin).fathers), "samples": SAMPLES}
    if given.only != "ladder":
        found["options"] = options(net, kin, encode_corrections(given.data))
    if given.only != "options":
        found |= {"ladder": ladder(kin, net.components, given.pairs, given.steps), "steps": given.steps}
    print(found)
    if given.record:
        write_json(record_path(), (read_note(record_path()) or {}) | found)


if __name__ == "__main__":
    main()
