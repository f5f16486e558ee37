"""Fidelity of enlarged photographs to the large ones that the studio rendered of the same scene."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from PIL import Image

from kinlib.evaluation.groups import by_group, groups_of
from kinlib.evaluation.preprocessing.size_pairs import FACTOR, QUALITY, SizePair
from kinlib.faces.degrade import Degradation, compress_pixels
from kinlib.faces.identity import load_identity
from kinlib.faces.landmarks import five_from_68
from kinlib.faces.upscale import FACTORS, enlarge, upscale
from kinlib.faces.upscale_networks import Upscaler
from kinlib.io.crop import crop_quad, cut_quad
from kinlib.io.images import to_tensor

__all__ = ["as_bad_photograph", "as_photograph", "measure_upscaler"]

REFERENCES = ("bicubic", "lanczos")


def measure_upscaler(upscalers: dict[int, Upscaler], pairs: list[SizePair]) -> dict:
    """Means over photographs, for networks that enlarge 2 and 4 times and for interpolation.

    Returns:
        `psnr_db_x2`, `ssim_x2`, `identity_x2` (cosine of the embeddings of enlarged and original face) and the same
        for x4; with `_bicubic` and `_lanczos` behind, those of interpolation; and the number of `pictures`. Twofold
        enlargements are compared with the original averaged to half its size. Under `groups`, `psnr_gain_x2` and
        `psnr_gain_x4` over bicubic interpolation, and `identity_x2` and `identity_x4`.
    """
    smalls = [Image.fromarray(pair.small) for pair in pairs]
    each: dict[str, np.ndarray] = {}
    for factor in FACTORS:
        originals = [Image.fromarray(pair.large).reduce(FACTOR // factor) for pair in pairs]
        enlarged = {"": enlarge(smalls, upscalers[factor], factor)} if factor in upscalers else {}
        enlarged |= {f"_{method}": upscale(smalls, factor, method) for method in REFERENCES}
        embedded = _embed(originals, pairs, factor)
        for label, pictures in enlarged.items():
            psnr_db, ssim = _fidelity(pictures, originals)
            each |= {f"psnr_db_x{factor}{label}": psnr_db, f"ssim_x{factor}{label}": ssim}
            each[f"identity_x{factor}{label}"] = (_embed(pictures, pairs, factor) * embedded).sum(dim=1).numpy()
    metrics = {name: float(values.mean()) for name, values in each.items()}
    parts = {f"identity_x{factor}": each[f"identity_x{factor}"] for factor in upscalers}
    parts |= {f"psnr_gain_x{f}": each[f"psnr_db_x{f}"] - each[f"psnr_db_x{f}_bicubic"] for f in upscalers}
    groups = groups_of(pd.DataFrame([pair.facts for pair in pairs]))
    return metrics | {"pictures": len(pairs), "groups": by_group(groups, **parts)}


def as_photograph(pair: SizePair) -> SizePair:
    """The small picture as a family photograph holds it: after JPEG."""
    return replace(pair, small=compress_pixels(pair.small, QUALITY))


def as_bad_photograph(pair: SizePair, number: int) -> SizePair:
    """The small picture with Real-ESRGAN's degradation, at a random strength from none to the paper's."""
    return replace(pair, small=Degradation(FACTOR)(pair.large, np.random.default_rng([number, 5])))


def _fidelity(pictures: list[Image.Image], originals: list[Image.Image]) -> np.ndarray:
    """PSNR in dB and SSIM of every picture, [2, N]."""
    from torchmetrics.functional.image import peak_signal_noise_ratio as psnr
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    rows = []
    for picture, original in zip(pictures, originals, strict=True):
        found, wanted = to_tensor(picture), to_tensor(original)
        rows.append([float(measure(found, wanted, data_range=2.0)) for measure in (psnr, ssim)])
    return np.transpose(rows)


@torch.no_grad()
def _embed(pictures: list[Image.Image], pairs: list[SizePair], factor: int) -> torch.Tensor:
    """Embeddings [N, 512] of the faces, cropped by the true landmarks."""
    crops = []
    for picture, pair in zip(pictures, pairs, strict=True):
        # Pixel centres: a point (x, y) of the small picture lies at ((x, y) + 0.5) factor - 0.5 in the enlarged one.
        left_eye, right_eye, _, *mouth = five_from_68((pair.landmarks + 0.5) * factor - 0.5)
        crops.append(cut_quad(picture, crop_quad(left_eye, right_eye, *mouth), 128, extend=False))
    net = load_identity().cpu()  # training may have moved it
    return torch.cat([net(part) for part in to_tensor(crops).split(50)])
