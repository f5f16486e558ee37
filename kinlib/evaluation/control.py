"""Is control real? A child is told to take a region from one parent: does it, and does the rest stay as it was?

A method that lets a person choose ("the father's eyes") is asked for each group of regions from either parent, the rest
drawn as it draws it. Two things are measured on the pictures:

- *right*: how often the region is nearer to that parent's than to the other's;
- *elsewhere*: how far all other regions differ between the two commands, as a share of how far they differ between
  children who have everything from the father and children who have everything from the mother.

How near two regions are is read off the pictures by the parser and the landmark predictor: the region's landmarks, its
mask, and its mean colour, each in units of its mean distance between the two parents of a couple. Noses, jaws and the
shape of a head have no colour of their own, and skin is a colour only: its outline is that of hair and head.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.evaluation.bootstrap import draw_weights, estimate, mean, ratio
from kinlib.faces.landmarks import CHIP, load_predictor, mean_landmarks
from kinlib.faces.parsing import Parser, parse
from kinlib.gan.generator import Generator
from kinlib.inheritance.genes.methods import GeneMethod
from kinlib.inheritance.genes.regions import GROUPS, region_indices
from kinlib.inheritance.region_method import parents_masks
from kinlib.inheritance.regions import REGIONS as REGION_MASKS
from kinlib.inheritance.regions import blend_regions, random_shares
from kinlib.io.face_labels import REGIONS

__all__ = ["BLENDED", "Command", "Features", "blend_command", "gene_command", "measure_control", "region_features"]
__all__ += ["summarise_control"]

Command = Callable[[Tensor, Tensor, Mapping[str, float], int], Tensor]
"""(fathers, mothers [C, L, 512], the father's share of some groups, seed) -> pictures [C, 3, S, S] in [-1, 1]."""

LANDMARKS: dict[str, slice | list[int]] = {
    "eyes": slice(36, 48),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "mouth": slice(48, 68),
    "jaw": slice(4, 13),
    "shape": [0, 1, 2, 3, 13, 14, 15, 16],
}
COLOURED = ("hair", "eyes", "brows", "mouth", "skin")
OUTLINED = ("hair", "eyes", "brows", "nose", "mouth", "jaw", "shape")
BLENDED = tuple(name for name in GROUPS if name in REGION_MASKS)
"""The groups that `kinlib.inheritance.regions` has a region for."""
BATCH = 16  # pictures synthesised at a time
CELLS = 32  # of a mask along each side: a pixel's shift of a border counts little, a lock of hair much


@dataclass(frozen=True)
class Features:
    """What a group of regions looks like in B pictures.

    Attributes:
        parts: "landmarks" [B, 2P] in shares of the picture's side, "mask" [B, CELLS^2] in [0, 1], "colour" [B, 3] in
            [-1, 1], those of them that the group has.
    """

    parts: dict[str, np.ndarray]

    def distance(self, other: "Features") -> dict[str, np.ndarray]:
        """Root mean square difference of each part, [B]."""
        return {name: np.sqrt(np.square(part - other.parts[name]).mean(axis=1)) for name, part in self.parts.items()}


def region_features(pictures: Tensor, parser: Parser) -> dict[str, Features]:
    """The features of every group of regions.

    Args:
        pictures: [B, 3, S, S] in [-1, 1], aligned.
        parser: as `kinlib.faces.parsing.load_parser` gives it.
    """
    found = parse(pictures, parser=parser, mirror=False).region_probabilities  # [B, 34, s, s]
    points = _landmarks(pictures)  # [B, 68, 2]
    shown = F.interpolate(pictures, found.shape[-2:], mode="bilinear", antialias=True, align_corners=False)
    features = {}
    for group, names in GROUPS.items():
        mask = found[:, [REGIONS.index(name) for name in names]].sum(dim=1, keepdim=True)  # [B, 1, s, s]
        parts = {}
        if group in LANDMARKS:
            parts["landmarks"] = points[:, LANDMARKS[group]].reshape(len(points), -1)
        if group in OUTLINED:
            parts["mask"] = F.adaptive_avg_pool2d(mask, CELLS).flatten(1).numpy()
        if group in COLOURED:
            parts["colour"] = ((shown * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3)).clamp_min(1)).numpy()
        features[group] = Features(parts)
    return features


def measure_control(
    command: Command,
    parents: tuple[Tensor, Tensor],
    pictures: tuple[Tensor, Tensor],
    parser: Parser,
    seeds: Sequence[int],
    groups: Sequence[str] = tuple(GROUPS),
) -> pd.DataFrame:
    """Every group of regions from either parent, for every couple.

    Args:
        command: the method; told nothing of the other groups, it draws them, from the seed alone.
        parents: W+ [C, L, 512] of C fathers and mothers.
        pictures: of these parents, as the generator synthesises them, [C, 3, S, S].
        parser: see `region_features`.
        seeds: of the children; each gives one child for each command.
        groups: those that the method can be told; the others, too, are looked at.

    Returns:
        One row for each couple, seed and group: `right`, the share of both commands that were followed; `whole_right`,
        the same for children with everything from one parent, which codes, drawing and measuring bound; `inside`,
        `elsewhere` and `pixels_elsewhere`, how far the group, the other groups (their mean), and the pixels outside of
        the group differ between both commands; and `whole_inside`, `whole_elsewhere`, `whole_pixels_elsewhere`, how far
        they do between everything from the father and everything from the mother.
    """
    scale = _Scale(*(region_features(shown, parser) for shown in pictures))
    tables = []
    for seed in seeds:
        whole = _Pair(*(command(*parents, dict.fromkeys(groups, share), seed) for share in (1.0, 0.0)), parser)
        for group in groups:
            pair = _Pair(*(command(*parents, {group: share}, seed) for share in (1.0, 0.0)), parser)
            outside = 1 - _region_mask(group, (pair.father, pair.mother), parser)
            row = {"right": scale.followed(pair, group), "whole_right": scale.followed(whole, group)}
            row |= scale.moved(pair, group, outside)
            row |= {f"whole_{name}": value for name, value in scale.moved(whole, group, outside).items()}
            tables.append(pd.DataFrame({"couple": range(len(parents[0])), "seed": seed, "group": group, **row}))
    return pd.concat(tables, ignore_index=True)


class _Pair:
    """Children who were told to be like the father, and like the mother: pictures [C, 3, S, S] and features."""

    def __init__(self, father: Tensor, mother: Tensor, parser: Parser):
        self.father, self.mother = father, mother
        self.features = tuple(region_features(shown, parser) for shown in (father, mother))


class _Scale:
    """Features of C couples, and what a group's parts are measured in: their mean distance between two parents."""

    def __init__(self, fathers: dict[str, Features], mothers: dict[str, Features]):
        self.parents = fathers, mothers
        self.units = {
            group: {part: found.mean() for part, found in fathers[group].distance(mothers[group]).items()}
            for group in GROUPS
        }

    def distance(self, first: dict[str, Features], second: dict[str, Features], group: str) -> np.ndarray:
        """Mean over the parts of a group, [C]."""
        found = first[group].distance(second[group])
        return np.mean([part / self.units[group][name] for name, part in found.items()], axis=0)

    def followed(self, pair: _Pair, group: str) -> np.ndarray:
        """Share of both children who are nearer to the parent whom they were told to be like, [C]."""
        near = [self.distance(*both, group) for both in zip(pair.features, self.parents, strict=True)]
        far = [self.distance(*both, group) for both in zip(pair.features, self.parents[::-1], strict=True)]
        return np.mean([one < two for one, two in zip(near, far, strict=True)], axis=0)

    def moved(self, pair: _Pair, group: str, outside: Tensor) -> dict[str, np.ndarray]:
        """How far both children differ in the group, in the other groups, and in pixels outside of it, [C] each."""
        rest = [self.distance(*pair.features, name) for name in GROUPS if name != group]
        return {
            "inside": self.distance(*pair.features, group),
            "elsewhere": np.mean(rest, axis=0),
            "pixels_elsewhere": _mean_difference(pair.father, pair.mother, outside),
        }


def gene_command(method: GeneMethod, generator: Generator, kept_layers: int | None = None) -> Command:
    """Commands to children by crossover of genes, without noise: what the command changes is all that changes.

    Args:
        method: without a pool.
        generator: of pictures.
        kept_layers: layers that genes decide; see `GeneMethod.cross`.
    """

    @torch.no_grad()
    def command(fathers: Tensor, mothers: Tensor, shares: Mapping[str, float], seed: int) -> Tensor:
        of_regions = {index: share for name, share in shares.items() for index in region_indices(name)}
        source = torch.Generator().manual_seed(seed)
        codes = method.cross(fathers, mothers, source, of_regions, kept_layers, gene_spread=0.0)
        return generator.synthesis(codes, batch_size=BATCH).clamp(-1, 1)

    return command


def blend_command(generator: Generator, parser: Parser) -> Command:
    """Commands to children whose feature maps are blended by region (`kinlib.inheritance.regions`).

    Args:
        generator: of pictures.
        parser: of the regions; it knows `BLENDED` of the groups.
    """

    @torch.no_grad()
    def command(fathers: Tensor, mothers: Tensor, shares: Mapping[str, float], seed: int) -> Tensor:
        source, pictures = torch.Generator().manual_seed(seed), []
        for father, mother in zip(fathers.split(1), mothers.split(1), strict=True):
            masks = parents_masks(generator, parser, father, mother)
            chosen = random_shares(source) | {list(REGION_MASKS).index(name): share for name, share in shares.items()}
            pictures.append(blend_regions(generator, father, mother, masks, chosen).clamp(-1, 1))
        return torch.cat(pictures)

    return command


def summarise_control(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Means with intervals over couples.

    Args:
        table: of `measure_control`.
        seed: of the intervals.

    Returns:
        One row for each group, and "all": `right`, `whole_right`, `inside`, `elsewhere` and `pixels_elsewhere`, the
        last three as shares of the whole swap; each with the 95% interval in `.._low` and `.._high`.
    """
    rows = []
    for group in (*table.group.unique(), "all"):
        chosen = table if group == "all" else table[table.group == group]
        couples = chosen.groupby("couple").mean(numeric_only=True)
        draws = draw_weights(len(couples), seed=seed)
        statistics = {name: mean(couples[name].to_numpy()) for name in ("right", "whole_right")}
        for name in ("inside", "elsewhere", "pixels_elsewhere"):
            statistics[name] = ratio(couples[name].to_numpy(), couples[f"whole_{name}"].to_numpy())
        row: dict = {"group": group}
        for name, statistic in statistics.items():
            row[name], row[f"{name}_low"], row[f"{name}_high"] = estimate(statistic, draws)
        rows.append(row)
    return pd.DataFrame(rows)


def _landmarks(pictures: Tensor) -> np.ndarray:
    """Landmarks of aligned faces [B, 68, 2], in shares of the side."""
    grey = F.interpolate(pictures.mean(dim=1, keepdim=True), (CHIP, CHIP), mode="bilinear", align_corners=False)
    chips = ((grey[:, 0].clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    model = load_predictor()
    return np.stack([mean_landmarks(chip, model) for chip in chips]) / CHIP


def _region_mask(group: str, pictures: Sequence[Tensor], parser: Parser) -> Tensor:
    """Where any of the pictures probably has the group, a little grown: [B, 1, S, S] of 0 and 1."""
    names, side = GROUPS[group], pictures[0].shape[-1]
    masks = [parse(shown, parser=parser, mirror=False).soft_mask(*names, of="regions") for shown in pictures]
    return F.max_pool2d((torch.stack(masks).amax(dim=0) > 0.5).float(), 2 * (side // 32) + 1, 1, side // 32)


def _mean_difference(first: Tensor, second: Tensor, weight: Tensor) -> np.ndarray:
    """Mean absolute difference of pictures where the weight [B, 1, S, S] is, [B]."""
    difference = (first - second).abs().mean(dim=1, keepdim=True)
    return ((difference * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp_min(1)).numpy()
