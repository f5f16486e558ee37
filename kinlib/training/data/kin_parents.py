"""Parents as a sampler of children is shown them: in portraits, in album shots, in degraded views.

Also children as a sampler is shown them when their other parent is wanted. A kin set has its children in portraits
only; how a person's album shot differs from the portrait is known of the parents, and is added to a child's portrait.
"""

import json
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kinlib.inheritance.sampler import LIMIT, Sampler
from kinlib.studio.datasets.kin_couples import CHILD_AGE
from kinlib.studio.datasets.sampling import member_genome
from kinlib.studio.genetics import Genomes, concatenate, phenotypes
from kinlib.studio.person import SEXES
from kinlib.training.data.kin_codes import KinCodes
from kinlib.training.data.kin_pairs import PortraitCodes, couple_genomes

__all__ = ["Parents", "child_components", "find_parents", "one_picture", "photographed", "portraits_of"]

ADULT = 16.0  # years; younger people are no parents


@dataclass(frozen=True)
class Parents:
    """All fathers, or all mothers.

    Attributes:
        genomes: of P people.
        views: standardised components [P, V, K] of V pictures and degraded views of each; of those of the kin set the
            portrait is the first.
        couples: how many of them are of the kin set; they come first.
    """

    genomes: Genomes
    views: Tensor
    couples: int

    @property
    def shifts(self) -> Tensor:
        """What another picture adds to a portrait, of those of the kin set: [N, K]."""
        views = self.views[: self.couples]  # others' first view is no portrait
        return (views[:, 1:] - views[:, :1]).flatten(0, 1)


def find_parents(net: Sampler, kin: KinCodes, others: KinCodes | None, role: str) -> Parents:
    """The fathers or mothers of the couples that are not held out, in their order, then unrelated grown-ups.

    Args:
        net: with its axes.
        kin: the kin set.
        others: unrelated people.
        role: "father" or "mother".
    """
    genomes = couple_genomes(kin)[("father", "mother").index(role)]
    couples = np.sort(kin.table.couple.unique())
    kept = np.flatnonzero(np.isin(couples, kin.table.couple[~kin.held_out].unique()))
    rows = np.flatnonzero((kin.table.role == role) & ~kin.held_out)  # all their pictures
    found = Parents(genomes[kept], _views(net, kin, rows, kin.table.couple.to_numpy()[rows]), len(kept))
    if others is None:
        return found
    people = others.table.person.to_numpy()
    sex = SEXES.index("male" if role == "father" else "female")
    unique = np.unique(people)
    everybody = concatenate([member_genome(others.seed, int(person)) for person in unique])
    grown_up = np.array([json.loads(text)["age"] >= ADULT for text in others.table.attributes])
    rows = np.flatnonzero(grown_up & np.isin(people, unique[everybody.sex == sex]))
    chosen = np.isin(unique, people[rows])  # people with at least one picture as a grown-up
    more = _views(net, others, rows, people[rows])
    most = torch.arange(max(found.views.shape[1], more.shape[1]))  # views are repeated where there are fewer
    views = torch.cat([some[:, most % some.shape[1]] for some in (found.views, more)])
    return Parents(concatenate([found.genomes, everybody[np.flatnonzero(chosen)]]), views, len(kept))


def portraits_of(people: Genomes, portraits: PortraitCodes, num: int, seed: int) -> Tensor:
    """Components of `num` portraits of each person, as young as the children: [P, num, K]."""
    traits = phenotypes(people).to_frame().assign(age=CHILD_AGE)
    rng = np.random.default_rng([seed, 4])
    return torch.stack([portraits(traits, rng) for _ in range(num)], dim=1)


def photographed(net: Sampler, portraits: Tensor, shifts: Tensor, rng: torch.Generator) -> Tensor:
    """Children's portraits as the sampler would read them from photographs: half of them in album shots or degraded.

    Args:
        net: with its axes.
        portraits: standardised components of children [B, K].
        shifts: from `Parents.shifts`.
        rng: of the choice.
    """
    moved = (net.child_mean - net.mean) @ net.axes.t() / net.scale  # children's components have another mean
    shift = shifts[torch.randint(len(shifts), (len(portraits),), generator=rng)]  # [B, K]
    other = torch.rand(len(portraits), 1, generator=rng) < 0.5  # [B, 1]
    return (portraits + moved.cpu() + shift * other).clamp(-LIMIT, LIMIT)


def child_components(net: Sampler, codes: Tensor) -> Tensor:
    """Standardised components of children's codes, held as the sampler's own: [N, K]."""
    found = (codes.float().flatten(1) - net.child_mean) @ net.axes.t() / net.scale  # [N, L * 512] -> [N, K]
    return found.clamp(-LIMIT, LIMIT)


def one_picture(kin: KinCodes, role: str, kind: str, couples: np.ndarray) -> Tensor:
    """Codes of one picture of each parent of a role: [C, L, 512]."""
    table = kin.table
    wanted = (table.role == role) & (table.kind == kind) & table.couple.isin(couples) & (table.view <= 1)
    return kin.codes[torch.from_numpy(np.flatnonzero(wanted))].float()


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
