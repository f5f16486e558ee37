"""Method `learned`: a network that samples children's codes as couples of the studio have children.

It is an engression network (Shen and Meinshausen 2025, "Engression: extrapolation through the lens of distributional
regression"): noise is an input like any other, and training minimises the energy score. That score is strictly proper:
the samples' distribution, and not only its mean, comes to be that of true children. Codes are read and given in
principal components of W+.

Each parent is read by the same network, with its sex as an input; an absent parent is an input of its own. Both
readings, the wanted sex and the noise then give the child:

    g_f = read(x_f, father),  g_m = read(x_m, mother),  y = linear(g_f, g_m) + mix(g_f, g_m, sex, noise)

Inputs and outputs are held to `LIMIT` standard deviations of the training set: a photograph unlike all of them would
otherwise lead the network to where it has learned nothing.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.weights import open_checkpoint
from kinlib.inheritance.blend import Share, check_share
from kinlib.runtime.errors import KinlibError

__all__ = ["LIMIT", "Sampler", "load_sampler"]

LIMIT = 3.5  # standard deviations, within which 99.95% of normally distributed numbers lie


class Sampler(nn.Module):
    """Codes of both parents, a sex and noise -> a child's code.

    Args:
        components: K, principal components of W+ that are read and given.
        size: numbers of a W+ code, L * 512.
        hidden: width of both networks.
        genes: numbers that are passed on of each parent.
        noise: numbers of noise.
    """

    def __init__(
        self, components: int = 128, size: int = 12 * 512, hidden: int = 256, genes: int = 96, noise: int = 48
    ):
        super().__init__()
        self.components, self.genes, self.noise = components, genes, noise
        self.register_buffer("axes", torch.zeros(components, size))  # of unit length
        self.register_buffer("scale", torch.ones(components))  # standard deviation along each axis, of all people
        self.register_buffer("mean", torch.zeros(size))  # of the parents' codes
        self.register_buffer("child_mean", torch.zeros(size))
        self.read = _network(components + 2, hidden, genes)
        self.linear = nn.Linear(2 * genes, components)
        self.mix = _network(2 * genes + 1 + noise, hidden, components)

    def to_components(self, codes: Tensor) -> Tensor:
        """Parents' codes [B, L, 512] -> standardised components [B, K], held to `LIMIT`."""
        found = (codes.flatten(1) - self.mean) @ self.axes.t() / self.scale
        return found.clamp(-LIMIT, LIMIT)

    def to_codes(self, components: Tensor) -> Tensor:
        """A child's components [B, K] -> code [B, L, 512]."""
        held = components.clamp(-LIMIT, LIMIT) * self.scale
        return (self.child_mean + held @ self.axes).unflatten(1, (-1, 512))

    def distance(self, codes: Tensor) -> Tensor:
        """Root mean square of parents' standardised components before they are held, [B]: 1 is usual."""
        return ((codes.flatten(1) - self.mean) @ self.axes.t() / self.scale).square().mean(dim=1).sqrt()

    def forward(self, father: Tensor, mother: Tensor, known: Tensor, male: Tensor, noise: Tensor) -> Tensor:
        """Components of children.

        Args:
            father, mother: standardised components [B, K].
            known: [B, 2], 1 where the father, and the mother, is given; 0 where the code is to be ignored.
            male: [B], 1 for a son and 0 for a daughter.
            noise: [B, M, noise], standard normal, for M children of each couple.

        Returns:
            [B, M, K]; not held to `LIMIT`, so that training has gradients everywhere.
        """
        parents = [
            self.read(torch.cat([x * there, there, torch.full_like(there, role)], dim=1))
            for x, there, role in zip((father, mother), known.split(1, dim=1), (1.0, -1.0), strict=True)
        ]
        genes = torch.cat(parents, dim=1)  # [B, 2 genes]
        both = torch.cat([genes, male[:, None] * 2 - 1], dim=1)[:, None].expand(-1, noise.shape[1], -1)
        return self.linear(genes)[:, None] + self.mix(torch.cat([both, noise], dim=2))  # [B, M, K]

    @torch.no_grad()
    def sample(self, father: Tensor, mother: Tensor, generator: torch.Generator, father_share: Share = 0.5) -> Tensor:
        """One child of each couple: a method of inheritance.

        Args:
            father, mother: W+ [B, L, 512].
            generator: of sex and noise.
            father_share: 0.5 for children as couples have them; towards 1 they take after the father, towards 0 after
                the mother. What the child would be with one parent unknown tells the parents' parts from each other:
                their difference is added, as guidance does (Ho and Salimans 2022). A number, or one for each layer.
        """
        place = self.scale.device
        x_father, x_mother = (self.to_components(codes.to(place).float()) for codes in (father, mother))
        male = (_random((len(father),), generator, torch.rand) < 0.5).float().to(place)
        noise = _random((len(father), 1, self.noise), generator, torch.randn).to(place)

        def child(*known: float) -> Tensor:
            return self(x_father, x_mother, x_father.new_tensor([known]).expand(len(father), 2), male, noise)[:, 0]

        both = child(1, 1)
        codes = self.to_codes(both)
        share = check_share(father_share).to(place).reshape(1, -1, 1)  # [1, 1, 1] or [1, L, 1]
        if (share != 0.5).any():
            apart = child(1, 0) - child(0, 1)
            ends = self.to_codes(both - apart), self.to_codes(both + apart)
            codes = torch.lerp(codes, torch.where(share < 0.5, *ends), (2 * share - 1).abs())
        return codes.to(father)


def load_sampler(path: str | Path) -> Sampler:
    """Read a sampler's file.

    Raises:
        KinlibError: if the file is missing or holds no sampler.
    """
    state = open_checkpoint(path)
    try:
        components, size = state["axes"].shape
        hidden, genes = state["read.0.weight"].shape[0], state["linear.weight"].shape[1] // 2
        noise = state["mix.0.weight"].shape[1] - 2 * genes - 1
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise KinlibError(f"{path} holds no sampler of children's codes ({problem})") from problem
    sampler = Sampler(components, size, hidden, genes, noise)
    load_state(sampler, state, path)
    return sampler.float().eval().requires_grad_(False)


def _network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    layers = [nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs)]
    return nn.Sequential(*layers)


def _random(shape: tuple[int, ...], generator: torch.Generator, kind) -> Tensor:
    """Sampled on the generator's device, so that a seed means the same on every device."""
    return kind(shape, generator=generator, device=generator.device)
