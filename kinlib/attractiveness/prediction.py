"""Predicted ratings of many pictures, in batches.

A predicted rating says what one panel of raters would be expected to prefer among pictures like those it rated. It
depends on light, camera and expression as well, and it is no property of a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from kinlib.attractiveness.losses import expectation
from kinlib.attractiveness.network import ComboNet, SmallBackbone, normalise
from kinlib.faces.align import find_and_align
from kinlib.io.images import resize, to_tensor
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError

__all__ = ["CAUTION", "Predictions", "input_size", "predict", "rate_files", "square"]

CAUTION = (
    "a score is the rating that one panel of raters would be expected to give a picture; it changes with light, camera "
    "and expression, differs between groups of raters, and is no measure of a person"
)
LARGE = 224  # px, input of the large backbones
BATCH = 64


@dataclass(frozen=True, eq=False)
class Predictions:
    """Of N pictures.

    Attributes:
        scores: float64 [N], predicted mean rating.
        levels: float64 [N, C], probability of each level by the classification branch.
    """

    scores: np.ndarray
    levels: np.ndarray


@torch.no_grad()
def predict(net: ComboNet, images: Tensor, batch: int = BATCH, by_levels: bool = False) -> Predictions:
    """Predict ratings.

    Args:
        net: in evaluation mode.
        images: [N, 3, S, S] in [-1, 1].
        batch: pictures at a time.
        by_levels: the score is the expected level of the classification branch, for a network trained by label
            distributions, whose regression branch is not trained.

    Raises:
        KinlibError: if there are no pictures, or a score is not finite.
    """
    if not len(images):
        raise KinlibError("there are no pictures to score")
    place, side = next(net.parameters()).device, input_size(net)
    scores, levels = [], []
    for part in images.split(batch):
        found, logits = net(normalise(resize(part, side).to(place)))
        scores.append(expectation(logits) if by_levels else found)
        levels.append(logits.softmax(dim=1))
    result = Predictions(torch.cat(scores).double().cpu().numpy(), torch.cat(levels).double().cpu().numpy())
    if not np.isfinite(result.scores).all():
        raise KinlibError("the network gives scores that are no finite numbers: its weights are damaged")
    return result


def input_size(net: ComboNet) -> int:
    """Side in pixels of what a network was trained on."""
    return net.backbone.input_size if isinstance(net.backbone, SmallBackbone) else LARGE


def rate_files(
    net: ComboNet, paths: Sequence[Path], batch: int = BATCH, by_levels: bool = False, align: bool = False
) -> Iterator[pd.DataFrame]:
    """Predict the ratings of picture files, a batch at a time.

    Args:
        net: in evaluation mode.
        paths: of pictures of faces, cropped as the network's training pictures were.
        batch: pictures at a time.
        by_levels: as for `predict`.
        align: find and align the faces first; otherwise the middle of a picture that is not square is taken.

    Yields:
        A table for each batch, one row a file: `score`, the probabilities `level_1` to `level_C`, and `problem`, the
        sentence that says why a file could not be read or shows no face (its numbers are missing).
    """
    side = input_size(net)
    names = [f"level_{number}" for number in range(1, net.classification_branch.out_features + 1)]
    for start in range(0, len(paths), batch):
        read = [_read(path, side, align) for path in paths[start : start + batch]]
        table = pd.DataFrame(np.nan, index=range(len(read)), columns=["score", *names])
        images = [one for one in read if isinstance(one, Tensor)]
        if images:
            found = predict(net, torch.cat(images), batch, by_levels)
            rows = [isinstance(one, Tensor) for one in read]
            table.loc[rows] = np.column_stack([found.scores, found.levels])
        yield table.assign(problem=pd.Series([None if isinstance(one, Tensor) else one for one in read], dtype=object))


def _read(path: Path, side: int, align: bool) -> Tensor | str:
    """A picture [1, 3, side, side], or the sentence that says why there is none."""
    try:
        photo = find_and_align(path).aligned if align else square(read_photo(path))
    except KinlibError as problem:
        return str(problem)
    return resize(to_tensor(photo), side)


def square(photo: Image.Image) -> Image.Image:
    """The middle of a picture, as wide as it is high."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side))
