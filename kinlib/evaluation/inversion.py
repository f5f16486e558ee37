"""How good is a code? Reconstruction against editability, before and after refinement.

Tov et al. 2021 (e4e) found that the closer a code in W+ reconstructs a picture, the further it lies from W and the
worse it can be edited. Here both sides of that trade-off are measured on the same codes: how close the generated
picture comes to the given one, and how well the code still ages, smiles and blends.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.realism import detection_rate
from kinlib.gan.directions import Direction
from kinlib.gan.encoder import Encoder
from kinlib.gan.generator import Generator
from kinlib.gan.refine import refine

__all__ = ["distance_to_w", "editability", "reconstruction", "refinement_curve"]

BATCH = 32  # pictures synthesised at a time

Embed = Callable[[Tensor], Tensor]


def distance_to_w(codes: Tensor) -> Tensor:
    """How far codes [B, L, 512] lie from W, where all layers have one vector: [B].

    The root mean square over layers and dimensions of what differs from the mean over layers, as a share of the root
    mean square of that mean: 0 for a code of W.
    """
    mean = codes.mean(dim=1, keepdim=True)  # [B, 1, 512]
    return (codes - mean).square().mean(dim=(1, 2)).sqrt() / mean.square().mean(dim=(1, 2)).sqrt()


@torch.no_grad()
def reconstruction(generator: Generator, codes: Tensor, pictures: Tensor, identity: Embed, features: Embed) -> dict:
    """How close generated pictures come to the given ones.

    Args:
        generator: of R px.
        codes: [N, L, 512].
        pictures: [N, 3, R, R] in [-1, 1].
        identity: pictures -> embeddings [B, D] of unit length.
        features: pictures -> feature maps [B, C, H, W]; their distance stands for LPIPS (Zhang et al. 2018), whose
            published weights know photographs, not renders.

    Returns:
        float64 [N] each: `psnr_db`, `perceptual` (mean squared distance of feature vectors of unit length),
        `identity_cosine`, `distance_to_w`.
    """
    rows: dict[str, list[Tensor]] = {name: [] for name in ("psnr_db", "perceptual", "identity_cosine")}
    for code, wanted in zip(codes.split(BATCH), pictures.split(BATCH), strict=True):
        made = generator.synthesis(code).clamp(-1, 1)
        error = (made - wanted).square().mean(dim=(1, 2, 3))
        rows["psnr_db"].append(10 * torch.log10(4 / error))  # the range from -1 to 1 is 2 wide
        rows["perceptual"].append(_perceptual(features(made), features(wanted)))
        rows["identity_cosine"].append((identity(made) * identity(wanted)).sum(dim=1))
    found = {name: torch.cat(parts).double().numpy() for name, parts in rows.items()}
    return found | {"distance_to_w": distance_to_w(codes).double().numpy()}


@torch.no_grad()
def editability(
    generator: Generator,
    encoder: Encoder,
    codes: Tensor,
    directions: Mapping[str, Direction],
    moves: Mapping[str, float],
    identity: Embed,
) -> dict:
    """How well codes can be edited and blended.

    Args:
        generator, encoder: of one W+; the encoder reads what an edit changed off the generated picture.
        codes: [N, L, 512], at least two.
        directions: with probes, by attribute.
        moves: by how much each attribute is moved, in its unit.
        identity: pictures -> embeddings [B, D] of unit length.

    Returns:
        For each attribute of `moves`, float64 [N]: `seen_NAME`, the share of the move that the encoder reads off the
        edited picture, and `kept_NAME`, the cosine of identity between edited and unedited picture. And one number,
        `blends_found`, the share of half-way blends with the next code in which MTCNN finds a face.
    """
    before = _synthesise(generator, codes)
    embedded, read = identity(before), encoder(before)
    found = {}
    for name, amount in moves.items():
        direction = directions[name]
        after = _synthesise(generator, direction.move(codes, amount))
        seen = (direction.read(encoder(after)) - direction.read(read)) / amount
        found[f"seen_{name}"] = seen.double().numpy()
        found[f"kept_{name}"] = (identity(after) * embedded).sum(dim=1).double().numpy()
    blends = _synthesise(generator, (codes + codes.roll(1, 0)) / 2)
    return found | {"blends_found": detection_rate(blends)}


def refinement_curve(
    generator: Generator,
    codes: Tensor,
    pictures: Tensor,
    steps: Sequence[int],
    measure: Callable[[Tensor], dict],
    losses: Mapping[Callable, float] | None = None,
) -> pd.DataFrame:
    """Measure codes after numbers of refinement steps, each refined from the start.

    Args:
        generator: of R px.
        codes: [N, L, 512], as the encoder gives them.
        pictures: [N, 3, R, R] in [-1, 1].
        steps: numbers of steps, such as (0, 30, 100, 300).
        measure: codes [N, L, 512] -> numbers, or arrays [N], by name; such as `reconstruction` and `editability`.
        losses: as `kinlib.gan.refine.refine` takes them.

    Returns:
        One row for each number of steps and picture: `steps`, `picture`, and what `measure` gives.
    """
    tables = []
    for number in steps:
        refined = refine(generator, codes, pictures, number, dict(losses or {})) if number else codes
        columns = {name: np.broadcast_to(value, len(codes)) for name, value in measure(refined).items()}
        tables.append(pd.DataFrame({"steps": number, "picture": np.arange(len(codes)), **columns}))
    return pd.concat(tables, ignore_index=True)


def _synthesise(generator: Generator, codes: Tensor) -> Tensor:
    return generator.synthesis(codes, batch_size=BATCH).clamp(-1, 1)


def _perceptual(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared distance of feature vectors [B, C, H, W] of unit length: [B]."""
    first, second = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-8) for x in (first, second))
    return (first - second).square().sum(dim=1).mean(dim=(1, 2))
