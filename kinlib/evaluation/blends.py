"""What blending does to a face: small faces, lost detail, siblings that are all alike.

The student report complains that generated children have faces too small for their heads (its Fig 6.3.1) and that
averaging blurs what is distinctive (Fig 6.3.2, 6.3.3). Both are measured here, child against parents, so that a
complaint becomes a curve with an interval. All pictures pass through the same generator: what the encoder lost before
counts for neither side.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from kinlib.evaluation.bootstrap import draw_weights, estimate, mean
from kinlib.evaluation.detail import neighbour_differences
from kinlib.faces.parsing import Parser, parse
from kinlib.gan.generator import Generator

__all__ = ["detail_strength", "face_proportions", "mixing_curve", "strongest_dimensions", "summarise", "variety"]

HEAD = ("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip")
FACE = ("nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")  # what is between brows and lips
COVER = ("hair", "hat")
BATCH = 32  # pictures synthesised at a time
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
    found = parse(pictures, parser=parser)
    face, skin, cover = found.mask(*FACE), found.mask(*HEAD), found.mask(*COVER)
    head = skin | cover
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "face_to_head": _height(face) / _height(head),
            "face_area": skin.sum(axis=(1, 2)) / head.sum(axis=(1, 2)),
        }


@torch.no_grad()
def mixing_curve(
    generator: Generator,
    fathers: Tensor,
    mothers: Tensor,
    shares: Sequence[float],
    parser: Parser,
    blend: Callable[[Tensor, Tensor, float], Tensor] = lambda father, mother, share: torch.lerp(mother, father, share),
) -> pd.DataFrame:
    """Children of couples at several shares of mixing, against the parents' own reconstructions.

    Args:
        generator: of R px.
        fathers, mothers: W+ codes [C, L, 512] of C couples.
        shares: the father's shares, each from 0 to 1.
        parser: see `face_proportions`.
        blend: (fathers, mothers, share) -> codes of the children.

    Returns:
        One row for each share and couple: `share`, `couple`, and the child's `detail`, `face_to_head` and `face_area`,
        each as a ratio to what the same share of mixing makes of both parents' values: 1 where nothing is lost.
    """
    ends = [_measure(generator, codes, parser) for codes in (mothers, fathers)]
    tables = []
    for share in shares:
        measured = _measure(generator, blend(fathers, mothers, share), parser)
        ratios = {
            name: values / ((1 - share) * ends[0][name] + share * ends[1][name]) for name, values in measured.items()
        }
        tables.append(pd.DataFrame({"share": share, "couple": np.arange(len(fathers)), **ratios}))
    return pd.concat(tables, ignore_index=True)


def summarise(table: pd.DataFrame, by: str, names: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Means with 95% intervals over couples (bootstrap of couples).

    Args:
        table: one row for each value of `by` and couple.
        by: a column, such as "share" or "method".
        names: columns to average; what is not a number is left out.
        seed: of the bootstrap.

    Returns:
        One row for each value of `by` and name: `by`, `name`, `mean`, `low`, `high`, `couples`.
    """
    rows = []
    for value, part in table.groupby(by, sort=False):
        for name in names:
            column = part[name].to_numpy(dtype=float)
            column = column[np.isfinite(column)]
            centre, low, high = estimate(mean(column), draw_weights(len(column), seed=seed))
            rows.append({by: value, "name": name, "mean": centre, "low": low, "high": high, "couples": len(column)})
    return pd.DataFrame(rows)


def variety(embeddings: Tensor) -> float:
    """Mean distance between siblings: 1 - cosine of identity, over all pairs of embeddings [n, D] of unit length."""
    cosine = embeddings @ embeddings.t()
    count = len(embeddings)
    return float(1 - (cosine.sum() - cosine.trace()) / (count * (count - 1)))


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
    total = torch.zeros(fathers.shape[2])
    for father, mother in zip(fathers, mothers, strict=True):
        middle = (father + mother) / 2  # [L, 512]
        codes = middle.repeat(2 * len(total), 1, 1).view(2, len(total), *middle.shape)  # [2, 512, L, 512]
        every = torch.arange(len(total))
        codes[0, every, :, every] = father.t()
        codes[1, every, :, every] = mother.t()
        ends = [generator.synthesis(part, batch_size=batch).clamp(-1, 1) for part in codes]
        total += (ends[0] - ends[1]).square().mean(dim=(1, 2, 3)).sqrt()
    order = total.argsort(descending=True)[:count]
    return pd.DataFrame({"dimension": order.numpy(), "change": (total[order] / len(fathers)).numpy()})


def _measure(generator: Generator, codes: Tensor, parser: Parser) -> dict[str, np.ndarray]:
    pictures = generator.synthesis(codes, batch_size=BATCH).clamp(-1, 1)
    inside = parse(pictures, parser=parser).soft_mask(*HEAD, *COVER)  # [B, 1, R, R]
    detail = detail_strength(pictures, F.interpolate(inside, pictures.shape[-2:]))
    return {"detail": detail.double().numpy(), **face_proportions(pictures, parser)}


def _height(masks: np.ndarray) -> np.ndarray:
    """Height in pixels of masks [B, S, S]: from the row below which all but a few of the pixels lie; NaN if empty."""
    below = masks.sum(axis=2).cumsum(axis=1)  # [B, S]
    total = below[:, -1:].astype(float)
    top = (below > EDGE * total).argmax(axis=1)
    bottom = (below >= (1 - EDGE) * total).argmax(axis=1)
    return np.where(total[:, 0] > 0, bottom - top + 1.0, np.nan)
