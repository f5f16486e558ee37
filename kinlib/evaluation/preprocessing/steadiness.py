"""How far do crop and code move when a photo changes as little as a file does on its way?

A photo is saved as JPEG again by every service that it passes, scaled down for a message, cut by a pixel. Nobody sees
that, so neither the aligned face nor its code should. Each change is made to the whole photo, which then goes the whole
way, and to the aligned face alone; the second shows what the encoder contributes, the difference what the alignment
adds. Distances of codes are shares of the median distance between the codes of two people.

    table = measure_steadiness(photos, encoder)       one row for each photo and change
    summarise(table)                                  median and 90th percentile by change

`python -m kinlib.evaluation.preprocessing.steadiness [--record]` measures the bundled portraits and originals.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from kinlib.evaluation.preprocessing.alignment import CROP
from kinlib.faces.align import align_found
from kinlib.faces.landmarks import five_from_68, quad_of
from kinlib.faces.orientation import find_upright
from kinlib.faces.points import read_five
from kinlib.io.crop import cut_quad, map_to_crop
from kinlib.io.files import write_json
from kinlib.io.images import to_tensor
from kinlib.io.photos import read_photo
from kinlib.io.resume import read_note
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    from kinlib.faces.landmarks import Predictor

__all__ = ["CHANGES", "RECORD", "bundled_photos", "measure_steadiness", "point_offsets", "recorded", "summarise"]

RECORD = "steadiness.json"  # beside the bundled data
COMMAND = "python -m kinlib.evaluation.preprocessing.steadiness"
BATCH = 16  # faces encoded together
SHARE_OF_BRIGHTNESS = 1.08
SMALLER, LARGER = 0.95, 1.04


def _as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    return picture.resize([round(side * scale) for side in picture.size], Image.Resampling.LANCZOS)


def _shifted(picture: Image.Image) -> Image.Image:
    return picture.crop((1, 0, *picture.size))


def _brighter(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(SHARE_OF_BRIGHTNESS)


CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg_75": partial(_as_jpeg, quality=75),
    "smaller": partial(_scaled, scale=SMALLER),
    "larger": partial(_scaled, scale=LARGER),
    "shifted": _shifted,
    "brighter": _brighter,
}
"""Changes that are small to the eye: JPEG at quality 75, 5% smaller, 4% larger, the left column cut off, 8% brighter.

The last one is no noise: a code holds brightness, so of it only the crop, not the code, should stay."""
GEOMETRY = {"smaller": (SMALLER, 0), "larger": (LARGER, 0), "shifted": (1.0, 1)}  # scale, columns cut off


def measure_steadiness(
    photos: Sequence[Image.Image],
    encode: Callable[[Tensor], Tensor],
    changes: Sequence[str] = tuple(CHANGES),
    predictor: "Predictor" = None,
    device: torch.device | str | None = None,
) -> pd.DataFrame:
    """Change photos a little, and see how far crop and code move.

    Args:
        photos: RGB, each of another person.
        encode: aligned faces [B, 3, 256, 256] in [-1, 1] -> codes [B, L, 512].
        changes: keys of `CHANGES`.
        predictor: of the 68 landmarks, as `kinlib.faces.align` takes it.
        device: where detector and encoder compute; None picks the best there is.

    Returns:
        One row for each photo and change: `photo` (number), `change`; `crop`, the mean distance by which the crop's
        corners move, in px of a crop of 256; `code`, the distance of the two codes; `aligned`, the same where the
        aligned face is changed instead of the photo. Both are shares of the median distance of two people's codes.

    Raises:
        KinlibError: if there are fewer than two photos, a change is unknown, or a photo shows no face.
    """
    unknown = next((name for name in changes if name not in CHANGES), None)
    if unknown is not None:
        raise KinlibError(f"unknown change '{unknown}': choose of {', '.join(CHANGES)}")
    if len(photos) < 2:
        raise KinlibError("steadiness is measured in distances between people: at least 2 photos are needed")
    place = config.pick_device(device)
    found, rows, pictures = [], [], []
    for number, photo in enumerate(photos):
        whole = align_found(find_upright(photo, predictor, place), CROP, f"photo {number}")
        found.append(whole.aligned)
        for change in changes:
            other = align_found(find_upright(CHANGES[change](photo), predictor, place), CROP)
            rows.append({"photo": number, "change": change, "crop": _crop_moved(whole.quad, other.quad, photo, change)})
            # A changed face may have another size; it is brought back to the encoder's.
            pictures += [other.aligned, CHANGES[change](whole.aligned).resize((CROP, CROP), Image.Resampling.LANCZOS)]
    start, moved = (_codes(several, encode, place) for several in (found, pictures))
    unit = float(torch.pdist(start).median())
    whole, aligned = moved[::2], moved[1::2]
    own = start[[row["photo"] for row in rows]]
    return pd.DataFrame(rows).assign(
        code=((whole - own).norm(dim=1) / unit).numpy(), aligned=((aligned - own).norm(dim=1) / unit).numpy()
    )


def summarise(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Of a table of `measure_steadiness`, by change: `crop_median`, `crop_p90`, `code_median`, `code_p90`, ..."""
    groups = table.groupby("change", sort=False)
    return {
        change: {
            f"{name}_{word}": float(group[name].quantile(share))
            for name in ("crop", "code", "aligned")
            for word, share in (("median", 0.5), ("p90", 0.9))
        }
        for change, group in groups
    }


def point_offsets(photos: Sequence[Image.Image], truths: Sequence[np.ndarray]) -> np.ndarray:
    """True eye centres, tips of the nose and mouth corners minus MTCNN's, in the true crop.

    Args:
        photos: RGB.
        truths: their true landmarks [68, 2].

    Returns:
        float64 [N, 5, 2] in pixels of a crop of 256; the mean is what `kinlib.faces.consensus.OFFSETS` removes.
    """
    offsets = []
    for photo, truth in zip(photos, truths, strict=True):
        quad = quad_of(truth)
        chip = np.asarray(cut_quad(photo, quad, CROP, extend=False))
        offsets.append(five_from_68(map_to_crop(truth, quad, CROP)) - read_five(chip))
    return np.stack(offsets)


def bundled_photos() -> list[Image.Image]:
    """The studio's portraits and originals, each of another person, 12 and 24."""
    from kinlib.studio.datasets.originals import load_originals

    portraits = sorted((config.data_dir() / "studio" / "portraits").glob("*.jpg"))
    return [*map(read_photo, portraits), *(original.image for original in load_originals())]


def recorded() -> dict:
    """What `--record` has kept: `preset`, `photos` (how many) and `changes`, as `summarise` gives them.

    Raises:
        KinlibError: if nothing was kept.
    """
    kept = read_note(_record_path())
    if kept is None:
        raise KinlibError(
            "steadiness was not measured: run `python -m kinlib.evaluation.preprocessing.steadiness --record`"
        )
    return kept


def _record_path() -> Path:
    return config.data_dir() / "studio" / RECORD


def _crop_moved(quad: np.ndarray, other: np.ndarray, photo: Image.Image, change: str) -> float:
    """Mean distance of the corners, in px of the crop, after the change of the photo's geometry is undone."""
    scale, cut = GEOMETRY.get(change, (1.0, 0))
    scales = np.array([round(side * scale) / side for side in photo.size])
    back = (other + 0.5) / scales - 0.5 + [cut, 0]
    return float(np.linalg.norm(back - quad, axis=1).mean() / np.hypot(*(quad[3] - quad[0])) * CROP)


@torch.inference_mode()
def _codes(pictures: Sequence[Image.Image], encode: Callable[[Tensor], Tensor], device: torch.device) -> Tensor:
    """Codes [N, L * 512] on the CPU."""
    parts = [
        encode(to_tensor(pictures[first : first + BATCH]).to(device)).float().cpu()
        for first in range(0, len(pictures), BATCH)
    ]
    return torch.cat(parts).flatten(1)


def main(arguments: list[str] | None = None) -> None:
    """The script: see the module's first lines."""
    import argparse

    from kinlib.checkpoints import weights
    from kinlib.gan.encoder import load_encoder

    parser = argparse.ArgumentParser(
        prog="python -m kinlib.evaluation.preprocessing.steadiness", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--record", action="store_true", help=f"keep the numbers as {RECORD}")
    chosen = parser.parse_args(arguments)
    encoder = load_encoder(weights.path("studio_encoder"))
    table = measure_steadiness(bundled_photos(), encoder, device="cpu")
    summary = {"preset": "studio", "photos": int(table["photo"].nunique()), "changes": summarise(table)}
    print(pd.DataFrame(summary["changes"]).T.round(3).to_string())
    if chosen.record:
        write_json(_record_path(), summary)


if __name__ == "__main__":
    try:
        main()
    except KinlibError as problem:
        raise SystemExit(f"kinlib: {problem}") from None
