"""The method `regions`: a child's code from a blend that has no code.

A method takes codes and gives a code, but regions are blended in feature maps. So the blended picture is encoded, which
loses what every encoding loses. Whoever needs only pictures calls `region_pictures`, which does not encode.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.faces.parsing import Parser, load_parser, parse
from kinlib.gan.encoder import load_encoder
from kinlib.gan.generator import Generator, load_generator
from kinlib.inheritance.regions import REGIONS, blend_regions, random_shares, region_masks

__all__ = ["build", "parents_masks", "region_pictures"]


def build(preset: str) -> Callable:
    """`(father, mother, generator, from_father) -> child`, all codes W+ [B, L, 512]; its networks are on the CPU."""
    paths = {role: weights.path(weights.for_role(preset, role).name) for role in ("generator", "encoder")}
    synthesis, encoder = load_generator(paths["generator"]), load_encoder(paths["encoder"])
    parser = load_parser(preset)
    last: list[tuple[Tensor, Tensor]] = []  # the parents whose masks were found last, and these: siblings share them

    def inherit(
        father: Tensor, mother: Tensor, generator: torch.Generator, from_father: Sequence[str] | None
    ) -> Tensor:
        both = torch.stack([father, mother]).cpu()
        if not last or not torch.equal(last[0][0], both):
            last[:] = [(both, parents_masks(synthesis, parser, *both))]
        pictures = region_pictures(synthesis, parser, *both, generator, from_father, last[0][1])
        with torch.no_grad():
            return encoder(pictures).to(father)

    return inherit


@torch.no_grad()
def parents_masks(synthesis: Generator, parser: Parser, father: Tensor, mother: Tensor) -> Tensor:
    """Soft masks [B, K, R, R] of all K regions, as they lie in the average of both parents.

    Args:
        synthesis: of R px.
        parser: as `kinlib.faces.parsing.load_parser` gives it.
        father, mother: W+ codes [B, L, 512].
    """
    middle = synthesis.synthesis((father + mother) / 2).clamp(-1, 1)  # [B, 3, R, R]
    found = parse(middle, parser=parser, device=middle.device).class_probabilities  # [B, 19, S, S]
    return region_masks(found.to(middle), list(REGIONS), synthesis.resolution)


def region_pictures(
    synthesis: Generator,
    parser: Parser,
    father: Tensor,
    mother: Tensor,
    generator: torch.Generator,
    from_father: Sequence[str] | None = None,
    masks: Tensor | None = None,
) -> Tensor:
    """Children whose regions come from either parent; what belongs to no region is the mean of both.

    Args:
        synthesis: of R px.
        parser: see `parents_masks`.
        father, mother: W+ codes [B, L, 512].
        generator: of the coins; each child has its own.
        from_father: the father's regions, of `REGIONS`; the others are the mother's. None: a coin for each region.
        masks: [B, K, R, R] of all regions, if `parents_masks` gave them before.

    Returns:
        Pictures [B, 3, R, R] in [-1, 1].
    """
    masks = parents_masks(synthesis, parser, father, mother) if masks is None else masks
    pictures = []
    for i in range(len(father)):
        chosen = {k: float(name in (from_father or ())) for k, name in enumerate(REGIONS)}
        shares = random_shares(generator) if from_father is None else chosen
        pictures.append(blend_regions(synthesis, father[i : i + 1], mother[i : i + 1], masks[i : i + 1], shares))
    return torch.cat(pictures).clamp(-1, 1)
