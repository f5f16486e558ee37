"""What a person chooses of a child's genes, region by region, without any layout: the state of the panel of 34 sliders.

    choices = RegionChoices().with_group("eyes", 1.0).with_region("nose_tip", 0.0).with_pool("hair")
    kin.child(father, mother, method=choices.method, **choices.options())

Choices are values: each `with_...` gives others. A region is the parents', by the father's share, or all the pool's;
what the pool gives is chosen for whole groups of regions. Regions of the pool are those that the method `genes_pool`
is given no share for, with `eta` 1: no other mutates, and `gamma` is 0.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kinlib.inheritance.genes.regions import GROUPS
from kinlib.runtime.errors import KinlibError

__all__ = ["ANY", "HALF", "REGION_GROUPS", "RegionChoices", "share_in_words"]

HALF = 0.5
ANY = "any"  # of ages, sexes and groups of a pool
REGION_GROUPS = {
    group: tuple(name.replace(" ", "_").replace("-", "_") for name in regions)
    for group, regions in (GROUPS | {"background": ("background",)}).items()
}
"""All 34 regions by group, as options of methods name them; the background is a group of its own."""


@dataclass(frozen=True)
class RegionChoices:
    """Whose genes each region of a child has.

    Attributes:
        shares: the father's share by region, from 0 to 1, of all 34.
        pooled: groups of regions that are the pool's.
        kept_layers: layers that genes decide, the others being the parents' mean; None leaves it to the method.
        gene_spread: factor on the standard deviation of genes.
        people: "age", "sex" and "group" of the people of the pool who may give genes.
        pool: file of the pool; None for the bundled one.
    """

    shares: Mapping[str, float] = field(
        default_factory=lambda: {region: HALF for regions in REGION_GROUPS.values() for region in regions}
    )
    pooled: frozenset[str] = frozenset()
    kept_layers: int | None = None
    gene_spread: float = 1.0
    people: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(("age", "sex", "group"), ANY))
    pool: Path | None = None

    def with_region(self, region: str, share: float) -> "RegionChoices":
        """A region with another share of the father's.

        Raises:
            KinlibError: if there is no such region.
        """
        if region not in self.shares:
            raise KinlibError(f"there is no region '{region}': choose from {', '.join(self.shares)}")
        return replace(self, shares={**self.shares, region: share})

    def with_group(self, group: str, share: float) -> "RegionChoices":
        """All regions of a group with one share of the father's.

        Raises:
            KinlibError: if there is no such group.
        """
        return replace(self, shares={**self.shares, **dict.fromkeys(_regions(group), share)})

    def with_pool(self, group: str, pooled: bool = True) -> "RegionChoices":
        """A group taken from the pool, or given back to the parents.

        Raises:
            KinlibError: if there is no such group.
        """
        _regions(group)
        return replace(self, pooled=self.pooled | {group} if pooled else self.pooled - {group})

    def common_share(self, group: str) -> float | None:
        """The father's share of a whole group; None where its regions differ."""
        found = {self.shares[region] for region in _regions(group)}
        return found.pop() if len(found) == 1 else None

    @property
    def method(self) -> str:
        """The method of inheritance that can do it."""
        return "genes_pool" if self.pooled else "genes"

    def options(self) -> dict[str, Any]:
        """The options of `method`; a group comes before those of its regions that differ from its first."""
        shares: dict[str, float] = {}
        for group, (first, *others) in REGION_GROUPS.items():
            if group not in self.pooled:
                shares[group] = self.shares[first]
                shares |= {name: self.shares[name] for name in others if self.shares[name] != self.shares[first]}
        options = {"region_shares": shares, "kept_layers": self.kept_layers, "gene_spread": self.gene_spread}
        if self.pooled:
            options |= {"eta": 1.0, "gamma": 0.0, "pool": self.pool}
            options |= {f"pool_{kind}": name for kind, name in self.people.items()}
        return options

    def command(self, seed: int = 0) -> str:
        """The same choices on the command line."""
        options = self.options()
        options["region_shares"] = ",".join(f"{name}={share:g}" for name, share in options["region_shares"].items())
        # Without any share, every region is the pool's: "random" is how methods are told of none.
        options["region_shares"] = options["region_shares"] or "random"
        given = {name: value for name, value in options.items() if value is not None and value != ANY}
        words = [f"--{name.replace('_', '-')} {shlex.quote(f'{value}')}" for name, value in given.items()]
        return f"kinlib child --father FATHER --mother MOTHER --method {self.method} {' '.join(words)} --seed {seed}"

    def in_words(self) -> str:
        """What the child has from whom, such as "hair: the pool; eyes: father; the rest: half of each"."""
        told = []
        for group in REGION_GROUPS:
            share = self.common_share(group)
            if group in self.pooled:
                told.append(f"{group}: the pool")
            elif share != HALF:
                told.append(f"{group}: {'by region' if share is None else share_in_words(share)}")
        if len(told) == len(REGION_GROUPS):
            return "; ".join(told)
        return "; ".join([*told, f"the rest: {share_in_words(HALF)}"]) if told else f"all: {share_in_words(HALF)}"


def share_in_words(share: float) -> str:
    """A father's share, as a slider shows it: "father", "70% father", "half of each", "mother"."""
    if share in (0, HALF, 1):
        return {0: "mother", HALF: "half of each", 1: "father"}[share]
    return f"{share:.0%} father" if share > HALF else f"{1 - share:.0%} mother"


def _regions(group: str) -> tuple[str, ...]:
    if group not in REGION_GROUPS:
        raise KinlibError(f"there is no group of regions '{group}': choose from {', '.join(REGION_GROUPS)}")
    return REGION_GROUPS[group]
