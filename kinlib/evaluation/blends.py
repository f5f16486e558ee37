"""What blending does to a face: small faces, lost detail, siblings that are all alike.

The student report complains that generated children have faces too small for their heads (its Fig 6.3.1) and that
averaging blurs what is distinctive (Fig 6.3.2, 6.3.3). Both are measured here, child against parents, so that a
complaint becomes a curve with an interval. All pictures pass through the same generator: what the encoder lost before
counts for neither side.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.evaluation.bootstrap import mean_interval
from kinlib.evaluation.preprocessing.detail import neighbour_differences
from kinlib.faces.parsing import Parser, Parsing, parse
from kinlib.gan.generator import Generator
from kinlib.io.face_labels import HEAD

__all__ = ["MEASURES", "SEEDS_APART", "child_codes", "detail_strength", "face_proportions", "measure_faces"]
__all__ += ["mixing_curves", "single_dimension", "strongest_dimensions", "summarise"]

MEASURES = ("detail", "face_to_head", "face_area")  # what `measure_faces` measures

Blend = Callable[[Tensor, Tensor, float], Tensor]
"""(fathers, mothers, share) -> children, all codes W+ [C, L, 512]."""

FACE = ("nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")  # what is between brows and lips
COVER = ("hair", "hat")
BATCH = 32  # pictures synthesised at a time
SEEDS_APART = 1000  # between couples: more than there are children of one
EDGE = 0.02  # share of the columns and rows cut off at either end of a mask, so that no stray pixel sets its size


def detail_strength(pictures: Tensor, weight: Tensor | None = None) -> Tensor:
    """Strength of the finest detail: root mean square difference of neighbouring pixels, [B].

    The texture loss of `kinlib.training.engine.losses` has the same differences.

    Args:
        pictures: [B, 3, S, S] in [-1, 1].
        weight: [B, 1, S, S], importance of each pixel, such as a mask of face and hair; all alike if None.
    """
    grey = pictures.mean(dim=1, keepdim=True)  # [B, 1, S, S]
    power = neighbour_differences(grey).square().mean(dim=1, keepdim=True)  # [B, 1, S - 2, S - 2]
    inside = torch.ones_like(power) if weight is None else weight[..., 1:-1, 1:-1].to(power)
    return ((power * inside).sum(dim=(1, 2, 3)) / inside.sum(dim=(1, 2, 3)).clamp_min(1e-6)).sqrt()


def face_proportions(pictures: Tensor, parser: Parser) -> dict[str, np.ndarray]:
    """How large the face is against its head, as a parser sees both.

    Args:
        pictures: [B, 3, S, S] in [-1, 1], aligned.
        parser: as `kinlib.faces.parsing.load_parser` gives it.

    Returns:
        float64 [B] each, NaN where a part was not found: `face_to_head`, the height from brows to lips as a share of
        the head's with its hair; `face_area`, skin and features as a share of them and the hair.
    """
    return _proportions(parse(pictures, parser=parser, mirror=False))


def measure_faces(pictures: Tensor, parser: Parser) -> dict[str, np.ndarray]:
    """Detail of face and hair (`detail_strength`) and proportions (`face_proportions`), by the names of `MEASURES`.

    Args:
        pictures: [B, 3, S, S] in [-1, 1], aligned. Detail depends on S: compare pictures of one size only.
        parser: as `kinlib.faces.parsing.load_parser` gives it.

    Returns:
        float64 [B] each, NaN where a part was not found.
    """
    parts = [_measure(part, parser) for part in pictures.split(BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in MEASURES}


@torch.no_grad()
def mixing_curves(
    generator: Generator,
    fathers: Tensor,
    mothers: Tensor,
    shares: Sequence[float],
    parser: Parser,
    blends: Mapping[str, Blend],
) -> pd.DataFrame:
    """Children of couples at several shares of mixing, against the parents' own reconstructions.

    Args:
        generator: of R px.
        fathers, mothers: W+ codes [C, L, 512] of C couples.
        shares: the father's shares, each from 0 to 1.
        parser: see `measure_faces`.
        blends: methods by name.

    Returns:
        One row for each method, share and couple: `method`, `share`, `couple`, and the child's `MEASURES`, each as a
        ratio to what the same share of mixing makes of both parents' values: 1 where nothing is lost.
    """

    def measured(codes: Tensor) -> dict[str, np.ndarray]:
        return measure_faces(generator.synthesis(codes, batch_size=BATCH).clamp(-1, 1), parser)

    mother, father = measured(mothers), measured(fathers)
    tables = []
    for method, blend in blends.items():
        for share in shares:
            child = measured(blend(fathers, mothers, share))
            ratios = {name: child[name] / ((1 - share) * mother[name] + share * father[name]) for name in MEASURES}
            couples = np.arange(len(fathers))
            tables.append(pd.DataFrame({"method": method, "share": share, "couple": couples, **ratios}))
    return pd.concat(tables, ignore_index=True)


def child_codes(
    inherit: Callable[[Tensor, Tensor, torch.Generator], Tensor],
    fathers: Tensor,
    mothers: Tensor,
    count: int,
    seed: int = 0,
) -> Tensor:
    """Codes [C, count, L, 512] of the children of C couples.

    Args:
        inherit: a method, as `kinlib.inheritance.registry.create` makes it.
        fathers, mothers: W+ codes [C, L, 512].
        count: children of each couple.
        seed: of everything. Child i of couple c is that of `Kinship.child` with the seed `seed + SEEDS_APART * c + i`:
            with equal seeds all couples would share their coins, and intervals over couples would leave them out.
    """
    couples = zip(fathers.split(1), mothers.split(1), strict=True)
    made = []
    for number, couple in enumerate(couples):
        first = seed + SEEDS_APART * number
        seeds = range(first, first + count)
        made.append(torch.cat([inherit(*couple, torch.Generator().manual_seed(one)) for one in seeds]))
    return torch.stack(made)


def summarise(table: pd.DataFrame, by: str | list[str], names: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Means with 95% intervals over couples (bootstrap of couples).

    Args:
        table: one row for each value of `by` and couple.
        by: a column, such as "share" or "method", or several.
        names: columns to average; what is not a number is left out.
        seed: of the bootstrap.

    Returns:
        One row for each value of `by` and name: the columns of `by`, `name`, `mean`, `low`, `high`, `couples`.
    """
    rows, columns = [], [by] if isinstance(by, str) else by
    for values, part in table.groupby(columns, sort=False):
        for name in names:
            column = part[name].to_numpy(dtype=float)
            column = column[np.isfinite(column)]
            found = {"name": name, **mean_interval(column, seed), "couples": len(column)}
            rows.append(dict(zip(columns, values, strict=True)) | found)
    return pd.DataFrame(rows)


def single_dimension(father: Tensor, mother: Tensor, dimensions: Tensor) -> Tensor:
    """The average child with one dimension, in all layers, from one parent: codes [2, K, L, 512].

    Args:
        father, mother: W+ codes [L, 512].
        dimensions: int64 [K].

    Returns:
        Row 0 has dimension k of child k from the father, row 1 from the mother.
    """
    codes = ((father + mother) / 2).repeat(2, len(dimensions), 1, 1)  # [2, K, L, 512]
    children = torch.arange(len(dimensions))
    for row, parent in enumerate((father, mother)):
        codes[row, children, :, dimensions] = parent[:, dimensions].t()  # [K, L]
    return codes


@torch.no_grad()
def strongest_dimensions(
    generator: Generator, fathers: Tensor, mothers: Tensor, count: int = 10, batch: int = BATCH
) -> pd.DataFrame:
    """Which single dimensions of W+ change the picture most when they pass from the mother to the father.

    Every one of the 512 dimensions is swapped in all layers of the average child of every couple, as the report's
    per-dimension weights do.

    Args:
        generator: of R px.
        fathers, mothers: W+ codes [C, L, 512].
        count: rows that are returned.
        batch: pictures synthesised at a time.

    Returns:
        `dimension`, and `change`, the root mean square change of the picture (range 2), mean over couples; strongest
        first.
    """
    every = torch.arange(fathers.shape[2])
    total = torch.zeros(len(every))
    for father, mother in zip(fathers, mothers, strict=True):
        for some in every.split(batch):  # pictures of all 512 at 1024 px would take 12 GB
            codes = single_dimension(father, mother, some)  # [2, K, L, 512]
            ends = [generator.synthesis(part).clamp(-1, 1) for part in codes]  # [K, 3, R, R] each
            total[some] += (ends[0] - ends[1]).square().mean(dim=(1, 2, 3)).sqrt().cpu()
    order = total.argsort(descending=True)[:count]
    return pd.DataFrame({"dimension": order.numpy(), "change": (total[order] / len(fathers)).numpy()})


def _measure(pictures: Tensor, parser: Parser) -> dict[str, np.ndarray]:
    found = parse(pictures, parser=parser, mirror=False)  # of many pictures; means need no second look
    inside = F.interpolate(found.soft_mask(*HEAD, *COVER), pictures.shape[-2:])  # [B, 1, S, S]
    detail = detail_strength(pictures, inside.to(pictures))
    return {"detail": detail.double().cpu().numpy(), **_proportions(found)}


def _proportions(found: Parsing) -> dict[str, np.ndarray]:
    face, skin, cover = found.mask(*FACE), found.mask(*HEAD), found.mask(*COVER)
    head = skin | cover
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "face_to_head": _height(face) / _height(head),
            "face_area": skin.sum(axis=(1, 2)) / head.sum(axis=(1, 2)),
        }


def _height(masks: np.ndarray) -> np.ndarray:
    """Height in pixels of masks [B, S, S]: from the row below which all but a few of the pixels lie; NaN if empty."""
    below = masks.sum(axis=2).cumsum(axis=1)  # [B, S]
    total = below[:, -1:].astype(float)
    top = (below > EDGE * total).argmax(axis=1)
    bottom = (below >= (1 - EDGE) * total).argmax(axis=1)
    return np.where(total[:, 0] > 0, bottom - top + 1.0, np.nan)
