"""Two published ideas for children's faces, re-implemented as small as they can be, to compare methods with.

Both are supervised: they learn from couples' codes with the codes of their true children, in principal components of
W+. Neither is the published network, which has other data, other generators and further losses; what is kept is what
sets them apart from the course's methods.

- **StyleDNA** (Lin et al. 2021): one network reads a parent's code as a gene; both genes are joined, and another
  network gives the child's code. The published code joins by the larger of both numbers, so that a couple has one
  child, or mixes them by a share alpha: `SharedGenes` learns to do both, and samples alpha for each number.
- **ChildPredictor** (Zhao et al. 2022): the parents' codes determine genetic factors of the child, 15 of 16 of its
  numbers; the others are external factors, which are noise. `GeneticFactors` takes for these the components that the
  parents tell least of, and samples them as they vary among true children.

Trained on tens or hundreds of couples they overfit: `train` keeps the state that was best on couples set aside.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kinlib.inheritance.genes.networks import Components
from kinlib.runtime.errors import KinlibError
from kinlib.training.data.kin_codes import KinCodes
from kinlib.training.engine.loop import batches

__all__ = ["Baseline", "BaselineSettings", "Couples", "GeneticFactors", "SharedGenes", "couples_of", "train"]

EXTERNAL = 1 / 16  # share of external factors: 32 of 512 numbers
CHECKS = 40  # times that the couples set aside are looked at
FIRST = 0.01  # factor on the last layer's weights: training begins at the mean child


@dataclass(frozen=True)
class BaselineSettings:
    """Sizes and training.

    Attributes:
        components: K, of W+.
        genes, hidden: numbers of a parent's gene, and width of the networks.
        steps, batch, lr, weight_decay: of AdamW.
        dropout: rate behind both hidden layers.
        seed: of everything.
    """

    components: int = 64
    genes: int = 64
    hidden: int = 128
    steps: int = 800
    batch: int = 32
    lr: float = 5e-4
    weight_decay: float = 0.1
    dropout: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Couples:
    """Couples with true children.

    Attributes:
        father, mother: W+ [C, L, 512], of portraits.
        children: W+ [C, T, L, 512].
    """

    father: Tensor
    mother: Tensor
    children: Tensor

    def __len__(self) -> int:
        return len(self.father)

    def __getitem__(self, index) -> "Couples":
        return Couples(self.father[index], self.mother[index], self.children[index])


def couples_of(kin: KinCodes) -> tuple[Couples, Couples]:
    """The couples of a kin set to train on, and those set aside.

    Raises:
        KinlibError: if there is none of either kind.
    """
    table = kin.table
    portraits = {
        role: torch.from_numpy(np.flatnonzero((table.role == role) & (table.kind == "portrait")))
        for role in ("father", "mother", "child")
    }
    father, mother, young = (kin.codes[rows].float() for rows in portraits.values())
    every = Couples(father, mother, young.unflatten(0, (len(father), -1)))
    held = torch.tensor(kin.held_out)[portraits["father"]]
    if not held.any() or held.all():
        raise KinlibError(f"a kin set of {len(every)} couples is too small to train on and to set some aside")
    return every[~held], every[held]


class Baseline(nn.Module, ABC):
    """What both have in common: components, and the method of inheritance.

    Args:
        components: of W+, fitted.
        num_layers: L.
    """

    def __init__(self, components: Components, num_layers: int):
        super().__init__()
        self.components, self.num_layers = components, num_layers
        self.register_buffer("centre", torch.zeros(len(components.scale)))  # components of the mean child

    @abstractmethod
    def forward(self, father: Tensor, mother: Tensor, noise: Callable[..., Tensor]) -> Tensor:
        """Components [B, K] of children from those of the parents; `noise` gives uniform numbers of a shape."""

    def settle(self, father: Tensor, mother: Tensor, children: Tensor) -> None:
        """Fix what is not trained by descent, from components of parents [C, K] and of their children [C, T, K]."""
        self.centre.copy_(children.mean(dim=(0, 1)))

    @torch.no_grad()
    def inherit(self, father: Tensor, mother: Tensor, generator: torch.Generator) -> Tensor:
        """A method of inheritance: all codes W+ [B, L, 512], randomness from the generator."""

        def noise(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=generator.device).to(father)

        found = self(self.components.read(father), self.components.read(mother), noise)
        return self.components.write(found, self.num_layers)


class SharedGenes(Baseline):
    """StyleDNA's idea.

    Args:
        components, num_layers: as of `Baseline`.
        settings: sizes.
        sampled: mix genes by random shares; otherwise the larger of both counts, and there is one child.
    """

    def __init__(self, components: Components, num_layers: int, settings: BaselineSettings, sampled: bool = True):
        super().__init__(components, num_layers)
        count = len(components.scale)
        self.sampled = sampled
        self.encoder = _network(count, settings, settings.genes)
        self.decoder = _network(settings.genes, settings, count, FIRST)

    def forward(self, father: Tensor, mother: Tensor, noise: Callable[..., Tensor]) -> Tensor:
        genes = self.encoder(father), self.encoder(mother)  # [B, G] each
        joined = torch.lerp(*genes, noise(*genes[0].shape)) if self.sampled else torch.maximum(*genes)
        return self.centre + self.decoder(joined)


class GeneticFactors(Baseline):
    """ChildPredictor's idea.

    Args:
        components, num_layers: as of `Baseline`.
        settings: sizes.
    """

    def __init__(self, components: Components, num_layers: int, settings: BaselineSettings):
        super().__init__(components, num_layers)
        count = len(components.scale)
        self.mapping = _network(2 * count, settings, count, FIRST)
        self.register_buffer("external", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("spread", torch.zeros(count))  # of true children

    def settle(self, father: Tensor, mother: Tensor, children: Tensor) -> None:
        """Choose the external factors: the least correlation of children with the mean of their parents."""
        super().settle(father, mother, children)
        parents = ((father + mother) / 2)[:, None].expand_as(children).flatten(0, 1)
        young = children.flatten(0, 1)
        known = torch.stack(
            [torch.corrcoef(both)[0, 1] for both in torch.stack([parents, young]).unbind(2)]
        ).nan_to_num()
        least = known.argsort()[: max(round(EXTERNAL * len(known)), 1)]
        self.external[least] = True
        self.spread.copy_(young.std(dim=0))

    def forward(self, father: Tensor, mother: Tensor, noise: Callable[..., Tensor]) -> Tensor:
        genetic = self.centre + self.mapping(torch.cat([father, mother], dim=1))
        normal = torch.special.ndtri(noise(*genetic.shape).clamp(1e-6, 1 - 1e-6))
        return torch.where(self.external, self.centre + self.spread * normal, genetic)


def train(
    build: Callable[[Components, int, BaselineSettings], Baseline],
    couples: Couples,
    aside: Couples,
    corrections: Tensor,
    settings: BaselineSettings | None = None,
) -> tuple[Baseline, dict[str, float]]:
    """Train one of them by the squared error of components, weighted as in W+.

    Args:
        build: `SharedGenes` or `GeneticFactors`.
        couples, aside: from `couples_of`; training stops to help when the error on `aside` no longer falls.
        corrections: [N, L, 512], what users' codes of parents have and those of the set lack (`encode_corrections`).
        settings: sizes.

    Returns:
        The network, and its loss on couples that were seen and on those set aside, as a share of the loss of the mean
        child: 1 is no better than to ignore the parents.
    """
    settings = settings or BaselineSettings()
    everybody = torch.cat([couples.father, couples.mother, couples.children.flatten(0, 1)])
    count, layers = min(settings.components, len(everybody) // 2), everybody.shape[1]
    components = Components(count, everybody[0].numel())
    with torch.random.fork_rng(devices=[]):  # components, initial weights and dropout
        torch.manual_seed(settings.seed)
        components.fit(everybody)
        net = build(components, layers, settings)
        fixed, weight = corrections.mean(dim=0), components.scale / components.scale.square().mean().sqrt()
        parents = [components.read(codes + fixed) for codes in (couples.father, couples.mother)]
        net.settle(*parents, _read_children(components, couples))
        least, kept = _error(net, aside, fixed, weight), copy.deepcopy(net.state_dict())
        for step, _ in enumerate(_steps(net, couples, corrections, weight, settings), 1):
            if step % max(settings.steps // CHECKS, 1) == 0:
                error = _error(net, aside, fixed, weight)
                if error < least:
                    least, kept = error, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    metrics = {}
    for name, some in (("seen", couples), ("aside", aside)):
        ignorant = ((_read_children(components, some) - net.centre) * weight).square().mean()
        metrics[name] = _error(net, some, fixed, weight) / float(ignorant)
    return net.eval().requires_grad_(False), {name: round(value, 4) for name, value in metrics.items()}


def _steps(
    net: Baseline, couples: Couples, corrections: Tensor, weight: Tensor, settings: BaselineSettings
) -> Iterator[float]:
    """Descend; yields the loss of each step."""
    rng, read = torch.Generator().manual_seed(settings.seed), net.components.read
    optimizer = torch.optim.AdamW(net.parameters(), settings.lr, weight_decay=settings.weight_decay)
    order, young = (
        batches(len(couples), min(settings.batch, len(couples)), rng),
        _read_children(net.components, couples),
    )
    for _ in range(settings.steps):
        index = next(order)
        added = corrections[torch.randint(len(corrections), (2, len(index)), generator=rng)]  # [2, B, L, 512]
        shown = [read(codes[index] + some) for codes, some in zip((couples.father, couples.mother), added, strict=True)]
        found = net(*shown, lambda *shape: torch.rand(shape, generator=rng))
        which = torch.randint(young.shape[1], (len(index),), generator=rng)
        loss = ((found - young[index, which]) * weight).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        yield float(loss.detach())


def _read_children(components: Components, couples: Couples) -> Tensor:
    """Components of children: [C, T, K]."""
    return components.read(couples.children.flatten(0, 1)).unflatten(0, couples.children.shape[:2])


@torch.no_grad()
def _error(net: Baseline, couples: Couples, correction: Tensor, weight: Tensor) -> float:
    """Squared error of the middle child, with all noise at its median."""
    net.eval()
    parents = (net.components.read(codes + correction) for codes in (couples.father, couples.mother))
    found = net(*parents, lambda *shape: torch.full(shape, 0.5))
    net.train()
    return float(((found[:, None] - _read_children(net.components, couples)) * weight).square().mean())


def _network(inputs: int, settings: BaselineSettings, outputs: int, last: float = 1.0) -> nn.Sequential:
    """Two hidden layers; `last` is a factor on the initial weights of the last one."""
    sizes, layers = (inputs, settings.hidden, settings.hidden), []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after), nn.PReLU(), nn.Dropout(settings.dropout)]
    layers.append(nn.Linear(settings.hidden, outputs))
    with torch.no_grad():
        for part in layers[-1].parameters():
            part.mul_(last)
    return nn.Sequential(*layers)
