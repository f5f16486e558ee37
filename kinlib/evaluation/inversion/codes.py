"""Codes: reconstruction against editability, by passes of correction and steps of refinement.

Tov et al. 2021 (e4e) found that the closer a code in W+ reconstructs a picture, the further it lies from W and the
worse it can be edited. Here both sides of that trade-off are measured on the same codes: how close the generated
picture comes to the given one, and how well the code still ages, smiles and blends.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinlib.gan.directions import Direction
from kinlib.gan.encoder import Encoder, RefiningEncoder
from kinlib.gan.generator import Generator
from kinlib.gan.refine import refine
from kinlib.io.images import resize, to_tensor
from kinlib.runtime.errors import KinlibError

__all__ = [
    "distance_to_w",
    "editability",
    "encoding_errors",
    "pass_codes",
    "reconstruction",
    "refinement_curve",
    "stages",
]

AT_ONCE = 32 * 128**2  # pixels synthesised at a time; their activations take 0.3 GB, and a gradient keeps them

Pictures = Callable[[Tensor], Tensor]  # pictures [B, 3, S, S] in [-1, 1] -> a number, an embedding or a picture of each


def distance_to_w(codes: Tensor) -> Tensor:
    """How far codes [B, L, 512] lie from W, where all layers have one vector: [B].

    The root mean square over layers and dimensions of what differs from the mean over layers, as a share of the root
    mean square of that mean: 0 for a code of W.
    """
    mean = codes.mean(dim=1, keepdim=True)  # [B, 1, 512]
    return (codes - mean).square().mean(dim=(1, 2)).sqrt() / mean.square().mean(dim=(1, 2)).sqrt()


def stages(encoder: Encoder, images: Tensor) -> dict[str, Tensor]:
    """What the parts of an e4e code bring: codes [B, L, 512] by name, from the one vector of W to the whole code.

    Args:
        encoder: of e4e's kind; of pSp's, which has no base, the codes are the average with more and more layers.
        images: aligned faces [B, 3, S, S] in [-1, 1].
    """
    base, offsets = encoder.base_and_offsets(images)  # [B, 512], [B, L, 512]
    start = base.unsqueeze(1) + encoder.latent_avg  # [B, L, 512]
    last = {"w": 1, "+ coarse": 3, "+ middle": 7, "+ fine": encoder.num_layers}  # groups of `kinlib.gan.encoder`
    layer = torch.arange(encoder.num_layers, device=offsets.device).reshape(1, -1, 1)
    return {name: start + offsets * (layer < end) for name, end in last.items()}


@torch.no_grad()
def pass_codes(encoder: RefiningEncoder, images: Tensor, most: int) -> list[Tensor]:
    """Codes [B, L, 512] after 0, 1, ..., `most` passes of correction, at the cost of `most` passes.

    Args:
        encoder: has corrections, trained or not.
        images: aligned faces [B, 3, S, S] in [-1, 1].
        most: 0 or more.
    """
    parts = [_pass_codes(encoder, some, most) for some in images.split(_batch(encoder.generator))]
    return [torch.cat(codes) for codes in zip(*parts, strict=True)]


@torch.no_grad()
def reconstruction(
    generator: Generator, codes: Tensor, pictures: Tensor, identity: Pictures, features: Pictures
) -> dict[str, np.ndarray]:
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
    batch = _batch(generator)
    for code, wanted in zip(codes.split(batch), pictures.split(batch), strict=True):
        made = generator.synthesis(code).clamp(-1, 1)
        rows["psnr_db"].append(psnr(made, wanted))
        rows["perceptual"].append(_perceptual(features(made), features(wanted)))
        rows["identity_cosine"].append((identity(made) * identity(wanted)).sum(dim=1))
    return {name: _array(torch.cat(parts)) for name, parts in rows.items()} | {
        "distance_to_w": _array(distance_to_w(codes))
    }


@torch.no_grad()
def encoding_errors(
    generator: Generator, encode: Pictures, pictures: Sequence[Image.Image], identity: Pictures
) -> dict[str, np.ndarray]:
    """How well aligned faces survive encoder and generator, one at a time in memory.

    Args:
        generator: of R px.
        encode: pictures [B, 3, S, S] in [-1, 1] -> codes [B, L, 512].
        pictures: N aligned faces, RGB.
        identity: pictures -> embeddings [B, D] of unit length.

    Returns:
        float64 [N] each: `psnr_db`, at R px, and `identity_cosine`.

    Raises:
        KinlibError: if there are no pictures.
    """
    if not pictures:
        raise KinlibError("there are no pictures to encode")
    rows = []
    for picture in pictures:
        given = to_tensor(picture).to(generator.latent_avg)
        wanted = resize(given, generator.resolution)
        made = generator.synthesis(encode(given)).clamp(-1, 1)
        rows.append(torch.cat([psnr(made, wanted), (identity(made) * identity(wanted)).sum(dim=1)]))
    return dict(zip(("psnr_db", "identity_cosine"), _array(torch.stack(rows)).T, strict=True))


@torch.no_grad()
def editability(
    generator: Generator,
    codes: Tensor,
    directions: Mapping[str, Direction],
    moves: Mapping[str, float],
    readers: Mapping[str, Pictures],
    identity: Pictures,
    redraw: Pictures,
) -> dict[str, np.ndarray]:
    """How well codes can be edited and blended.

    Args:
        generator: of R px.
        codes: [N, L, 512], at least two.
        directions: by attribute.
        moves: by how much each attribute is moved, in the direction's unit.
        readers: by attribute, pictures [B, 3, R, R] -> the attribute [B] as it is seen in them.
        identity: pictures -> embeddings [B, D] of unit length.
        redraw: pictures -> pictures, through an encoder that knows plausible faces only: what it cannot repeat is not
            one.

    Returns:
        float64 [N] each. For an attribute, `changed_NAME`, what the reader sees of the move, and `kept_NAME`, the
        cosine of identity between edited and unedited picture. Of the half-way blend with the next code: `blend_kin`,
        mean cosine of identity with both, and `blend_redrawn_db`, PSNR of its redrawing; `redrawn_db` is that of the
        unblended picture.
    """
    before = _synthesise(generator, codes)
    embedded = identity(before)
    found = {}
    for name, amount in moves.items():
        after = _synthesise(generator, directions[name].move(codes, amount))
        found[f"changed_{name}"] = readers[name](after) - readers[name](before)
        found[f"kept_{name}"] = (identity(after) * embedded).sum(dim=1)
    blends = _synthesise(generator, (codes + codes.roll(1, 0)) / 2)
    found["blend_kin"] = (identity(blends) * (embedded + embedded.roll(1, 0))).sum(dim=1) / 2
    found |= {"redrawn_db": psnr(redraw(before), before), "blend_redrawn_db": psnr(redraw(blends), blends)}
    return {name: _array(values) for name, values in found.items()}


def refinement_curve(
    generator: Generator,
    codes: Tensor,
    pictures: Tensor,
    steps: Sequence[int],
    losses: Mapping[Callable, float] | None = None,
) -> dict[int, Tensor]:
    """Codes [N, L, 512] after numbers of refinement steps, each refined from the start.

    Each number has a run of its own, because the step size falls towards the end of a run.

    Args:
        generator: of R px.
        codes: [N, L, 512], as the encoder gives them.
        pictures: [N, 3, R, R] in [-1, 1].
        steps: numbers of steps, such as (0, 30, 100, 300).
        losses: as `kinlib.gan.refine.refine` takes them.
    """
    batch, losses = _batch(generator), dict(losses or {})
    pairs = list(zip(codes.split(batch), pictures.split(batch), strict=True))
    return {number: torch.cat([refine(generator, *pair, number, losses) for pair in pairs]) for number in steps}


def psnr(made: Tensor, wanted: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, pictures [B, 3, S, S] in [-1, 1] -> [B]."""
    error = (made - wanted).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(4 / error.clamp_min(1e-10))  # the range from -1 to 1 is 2 wide; equal pictures: 106 dB


def _pass_codes(encoder: RefiningEncoder, images: Tensor, most: int) -> list[Tensor]:
    codes = [encoder(images, passes=0)]
    target, offsets = encoder.target(images), torch.zeros_like(codes[0])
    for _ in range(most):
        offsets = encoder.correction(codes[-1], target, offsets)
        codes.append(codes[-1] + offsets)
    return codes


def _synthesise(generator: Generator, codes: Tensor) -> Tensor:
    return generator.synthesis(codes, batch_size=_batch(generator)).clamp(-1, 1)


def _batch(generator: Generator) -> int:
    return max(1, AT_ONCE // generator.resolution**2)


def _perceptual(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared distance of feature vectors [B, C, H, W] of unit length: [B]."""
    first, second = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-8) for x in (first, second))
    return (first - second).square().sum(dim=1).mean(dim=(1, 2))


def _array(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()
