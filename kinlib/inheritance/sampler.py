"""Method `learned`: a network that samples children's codes as couples of the studio have children.

It is an engression network (Shen and Meinshausen 2025, "Engression: extrapolation through the lens of distributional
regression"): noise is an input like any other, and training minimises the energy score. That score is strictly proper:
the samples' distribution, and not only its mean, comes to be that of true children. Codes are read and given in
principal components of W+.

One network serves several questions, because it is trained with masked inputs: any of father, mother and child may be
unknown, and either the child or a parent is wanted. Each person is read by the same network, with the role as an
input; an absent person is an input of its own. All readings, what is wanted and the noise then give the answer:

    g_r = read(x_r, r) for father, mother, child,    y = linear(g) + mix(g, wanted, sex, noise)

Inputs and outputs are held to `LIMIT` standard deviations of the training set: a photograph unlike all of them would
otherwise lead the network to where it has learned nothing.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import build
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.inheritance.blend import Share, check_share
from kinlib.inheritance.notes import add_note
from kinlib.runtime.errors import KinlibError

__all__ = ["FAR", "LIMIT", "ROLES", "Sampler", "load_sampler"]

LIMIT = 3.5  # standard deviations, within which 99.95% of normally distributed numbers lie
FAR = 1.9  # `Sampler.distance` above which a parent is called unlike the training set: see `distance`
ROLES = ("father", "mother", "child")


class Sampler(nn.Module):
    """Codes of the known members of a family, a sex and noise -> the code of the wanted member.

    Args:
        components: K, principal components of W+ that are read and given.
        size: numbers of a W+ code, L * 512.
        hidden: width of both networks.
        genes: numbers that are passed on of each person.
        noise: numbers of noise.
    """

    def __init__(
        self, components: int = 160, size: int = 12 * 512, hidden: int = 512, genes: int = 128, noise: int = 64
    ):
        super().__init__()
        self.components, self.genes, self.noise = components, genes, noise
        self.register_buffer("axes", torch.zeros(components, size))  # of unit length
        self.register_buffer("scale", torch.ones(components))  # standard deviation along each axis, of all people
        self.register_buffer("mean", torch.zeros(size))  # of the parents' codes
        self.register_buffer("child_mean", torch.zeros(size))
        self.read = _network(components + 1 + len(ROLES), hidden, genes)
        self.linear = nn.Linear(len(ROLES) * genes, components)
        self.mix = _network(len(ROLES) * genes + 2 + noise, hidden, components)

    def to_components(self, codes: Tensor) -> Tensor:
        """Codes of photographs [B, L, 512] -> standardised components [B, K], held to `LIMIT`."""
        found = (codes.flatten(1) - self.mean) @ self.axes.t() / self.scale
        return found.clamp(-LIMIT, LIMIT)

    def to_codes(self, components: Tensor) -> Tensor:
        """Components [B, K] that the network gave -> code [B, L, 512]."""
        held = components.clamp(-LIMIT, LIMIT) * self.scale
        return (self.child_mean + held @ self.axes).unflatten(1, (-1, 512))

    def distance(self, codes: Tensor) -> Tensor:
        """Root mean square of standardised components before they are held, [B]: 1 is usual.

        `FAR` is exceeded by 8% of the 64 album shots of the reference couples, by none of their portraits, and by all
        of three photographs of real people that were tried: it cannot tell for certain.
        """
        return ((codes.flatten(1) - self.mean) @ self.axes.t() / self.scale).square().mean(dim=1).sqrt()

    def notes(self, father: Tensor | None, mother: Tensor | None) -> tuple[str, ...]:
        """What users should know of parents whose codes W+ [1, L, 512] the training set does not hold the like of."""
        far = [
            role
            for role, code in (("father", father), ("mother", mother))
            if code is not None and self.distance(code.to(self.scale.device).float()).max() > FAR
        ]
        if not far:
            return ()
        whose = f"the {far[0]}'s picture is" if len(far) == 1 else "both parents' pictures are"
        return (f"{whose} unlike those that the method 'learned' was trained on: the child is a guess",)

    def forward(self, people: Tensor, known: Tensor, parent: Tensor, male: Tensor, noise: Tensor) -> Tensor:
        """Components of the wanted member of each family.

        Args:
            people: standardised components of father, mother and child [B, 3, K].
            known: [B, 3], 1 where the person is given; 0 where the components are to be ignored.
            parent: [B], 1 where a parent is wanted and 0 where a child is.
            male: [B], 1 for a son or the father and 0 for a daughter or the mother.
            noise: [B, M, noise], standard normal, for M answers each.

        Returns:
            [B, M, K]; not held to `LIMIT`, so that training has gradients everywhere.
        """
        roles = torch.eye(len(ROLES)).to(people).expand(len(people), -1, -1)  # [B, 3, 3]
        there = known[:, :, None]
        genes = self.read(torch.cat([people * there, there, roles], dim=2)).flatten(1)  # [B, 3 genes]
        asked = torch.stack([parent, male], dim=1) * 2 - 1
        given = torch.cat([genes, asked], dim=1)[:, None].expand(-1, noise.shape[1], -1)
        return self.linear(genes)[:, None] + self.mix(torch.cat([given, noise], dim=2))  # [B, M, K]

    def inherit(
        self, father: Tensor | None, mother: Tensor | None, generator: torch.Generator, **options: Any
    ) -> Tensor:
        """`sample`, with a note where a parent is unlike the training set."""
        for note in self.notes(father, mother):
            add_note(note)
        return self.sample(father, mother, generator, **options)

    @torch.no_grad()
    def sample(
        self,
        father: Tensor | None,
        mother: Tensor | None,
        generator: torch.Generator,
        father_share: Share = 0.5,
        strength: float = 1.0,
        sex: str | None = None,
    ) -> Tensor:
        """One child of each couple: a method of inheritance.

        Args:
            father, mother: W+ [B, L, 512]; None for one that is unknown: the child then has any second parent.
            generator: of noise, and of the sex where none is given.
            father_share: 0.5 for children as couples have them; towards 1 they take after the father, towards 0 after
                the mother. What the child would be with one parent unknown tells the parents' parts from each other:
                their difference is added, as guidance does (Ho and Salimans 2022). A number, or one for each layer.
            strength: 1 for children as couples have them; 0 for anybody's, and above 1 for more likeness to the parents
                than families have: guidance from the child of nobody known.
            sex: "female" or "male".

        Raises:
            KinlibError: if no parent is given, or a share for one parent only.
        """
        share = check_share(father_share).reshape(1, -1, 1)  # [1, 1, 1] or [1, L, 1]
        if (father is None or mother is None) and (share != 0.5).any():
            raise KinlibError("a father's share needs both parents: leave it out where one is unknown")
        people, known = self._given(father, mother, None)
        male = self._sexes(len(people), sex, generator)
        noise = self._noise(len(people), generator)

        def child(*chosen: float) -> Tensor:
            return self(people, known * known.new_tensor(chosen), torch.zeros_like(male), male, noise)[:, 0]

        found = child(1, 1, 0)
        if strength != 1:
            found = torch.lerp(child(0, 0, 0), found, strength)
        codes, share = self.to_codes(found), share.to(people.device)
        if (share != 0.5).any():
            apart = child(1, 0, 0) - child(0, 1, 0)
            ends = self.to_codes(found - apart), self.to_codes(found + apart)
            codes = torch.lerp(codes, torch.where(share < 0.5, *ends), (2 * share - 1).abs())
        return codes.to(mother if father is None else father)

    @torch.no_grad()
    def other_parent(self, child: Tensor, known: Tensor | None, sex: str, generator: torch.Generator) -> Tensor:
        """The other parent of a known child (the second task of StyleDiT, Chen et al. 2024), as a portrait.

        Args:
            child: W+ [B, L, 512].
            known: the known parent, W+ [B, L, 512]; None where neither is known.
            sex: of the wanted parent: "female" for the mother, "male" for the father.
            generator: of the noise.
        """
        parents = (known, None) if sex == "female" else (None, known)
        people, there = self._given(*parents, child)
        wanted = torch.ones(len(people), device=people.device)
        male = self._sexes(len(people), sex, generator)
        return self.to_codes(self(people, there, wanted, male, self._noise(len(people), generator))[:, 0]).to(child)

    def _given(self, *codes: Tensor | None) -> tuple[Tensor, Tensor]:
        """Components [B, 3, K] of father, mother and child, zero where one is None, and which are known, [B, 3]."""
        place = self.scale.device
        here = next((code for code in codes if code is not None), None)
        if here is None:
            raise KinlibError("there is nobody to take after: give one parent at least")
        none = torch.zeros(len(here), self.components, device=place)
        people = [none if code is None else self.to_components(code.to(place).float()) for code in codes]
        known = torch.tensor([[float(code is not None) for code in codes]], device=place)
        return torch.stack(people, dim=1), known.expand(len(here), -1)

    def _sexes(self, count: int, sex: str | None, generator: torch.Generator) -> Tensor:
        """1 for male, [B]; sampled in any case, so that the same noise follows."""
        male = (_random((count,), generator, torch.rand) < 0.5).float()
        return (male if sex is None else torch.full_like(male, sex == "male")).to(self.scale.device)

    def _noise(self, count: int, generator: torch.Generator) -> Tensor:
        return _random((count, 1, self.noise), generator, torch.randn).to(self.scale.device)


def load_sampler(path: str | Path) -> Sampler:
    """Read a sampler's file.

    Raises:
        KinlibError: if the file is missing or holds no sampler.
    """
    state = open_checkpoint(path)
    try:
        components, size = state["axes"].shape
        hidden, genes = state["read.0.weight"].shape[0], state["linear.weight"].shape[1] // len(ROLES)
        noise = state["mix.0.weight"].shape[1] - len(ROLES) * genes - 2
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as problem:
        raise KinlibError(f"{path} holds no sampler of children's codes ({problem})") from problem
    sampler = build(lambda: Sampler(components, size, hidden, genes, noise), state, path)
    return sampler.float().eval().requires_grad_(False)


def _network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    layers = [nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs)]
    return nn.Sequential(*layers)


def _random(shape: tuple[int, ...], generator: torch.Generator, kind) -> Tensor:
    """Sampled on the generator's device, so that a seed means the same on every device."""
    return kind(shape, generator=generator, device=generator.device)
