"""Attributes read off pictures, by networks that know nothing of latent codes.

An edit along a latent direction has to be judged by something else than the plane or the probe that the direction came
from: that one says by construction that the edit succeeded. The readers here see pictures only, never codes.

| attribute | unit | read by |
|---|---|---|
| `age` | years | demography network |
| `sex` | 0 (female) to 1 (male) | demography network |
| `smile` | how sure it is of a happy face, 0 to 1 | demography network |
| `mouth_open` | eye distances between the lips | 68 landmarks |
| `yaw`, `pitch` | degrees | 68 landmarks, PnP on a head model |
| `glasses` | share of the head's pixels | parser |
| `hair_length` | share of the picture's lower half that is hair | parser |
| `hair_light` | CIELAB lightness of the hair, 0 to 100 | parser and colour |
| `beard` | fine contrast of lightness on upper lip and chin | parser and colour |
| `skin_light` | lightness of the cheeks, 0 to 100 | parser and colour |
| `roundness` | width of the face at the cheeks over its height | 68 landmarks |

In the `studio` preset all of them were trained on renders; `reliability` says how well each follows the truth. The
generator's training used the parser as a loss, so what the parser sees is the generator's strong side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.bootstrap import Statistic, draw_weights, estimate
from kinlib.faces.landmarks import predict
from kinlib.faces.parsing import Parser, Parsing, parse
from kinlib.faces.points import five_points
from kinlib.faces.pose import estimate_many
from kinlib.io.face_labels import HEAD
from kinlib.io.images import resize, to_uint8

__all__ = ["ATTRIBUTES", "AttributeReaders", "proportions", "reliability"]

ATTRIBUTES = (
    *("age", "sex", "smile", "mouth_open", "yaw", "pitch", "glasses", "hair_length", "hair_light", "beard"),
    *("skin_light", "roundness"),
)
SIDE = 128  # px at which all is read: what the studio's networks see, and enough for BiSeNet's coarse shares
BATCH = 64  # pictures at a time, which bounds the memory
LEAST = 8  # px of 128 x 128; the median colour of fewer is noise
PEOPLE = {"age": ("age", 1.0), "sex": ("gender.Man", 0.01), "smile": ("emotion.happy", 0.01)}  # DeepFace's columns


@dataclass(frozen=True)
class AttributeReaders:
    """The networks of one preset that see pictures.

    Attributes:
        demography: aligned faces [B, 3, S, S] in [-1, 1] -> table with DeepFace's columns.
        parser: for `kinlib.faces.parsing.parse`.
        predictor: of the 68 landmarks; None for the bundled one.
    """

    demography: Callable[[Tensor], pd.DataFrame]
    parser: Parser
    predictor: Any = None

    @classmethod
    def of(cls, network: Callable[[str], Any]) -> "AttributeReaders":
        """The readers of a preset, from what gives a network by its role, such as `Kinship.network`."""
        return cls(network("demography"), network("parsing"), network("landmarks"))

    @torch.no_grad()
    def read(self, pictures: Tensor) -> pd.DataFrame:
        """Attributes of aligned faces.

        Args:
            pictures: FFHQ crops [B, 3, S, S] in [-1, 1].

        Returns:
            One row a picture, one column of float64 for each of `ATTRIBUTES`; NaN where a part was not found.
        """
        return pd.concat([self._read(part) for part in pictures.clamp(-1, 1).split(BATCH)], ignore_index=True)

    def _read(self, pictures: Tensor) -> pd.DataFrame:
        people = self.demography(pictures)
        small = resize(pictures, SIDE)
        # One look is enough: an error of the parser that mirroring would average out is the same before and after.
        found = parse(small, parser=self.parser, mirror=False)
        shown = to_uint8(small)  # uint8 [B, 128, 128, 3]
        points = self._landmarks(small, shown)  # [B, 68, 2]
        poses = estimate_many(points, (SIDE, SIDE))  # [B, 3]: yaw, pitch, roll
        columns = {name: people[source].to_numpy(dtype=float) * unit for name, (source, unit) in PEOPLE.items()}
        columns |= proportions(points) | {"yaw": poses[:, 0], "pitch": poses[:, 1]}
        return pd.DataFrame(columns | _parts(found, shown))[list(ATTRIBUTES)]

    def _landmarks(self, small: Tensor, shown: np.ndarray) -> np.ndarray:
        """The 68 points [B, 68, 2], pixels; the crop is known to hold a face, so none is searched for."""
        five = five_points(small).numpy() * SIDE - 0.5  # shares of the side -> pixel centres
        return np.stack([predict(one, place, self.predictor) for one, place in zip(shown, five, strict=True)])


def reliability(
    read: pd.DataFrame, truth: Mapping[str, Sequence[float]], groups: Sequence, seed: int = 0
) -> pd.DataFrame:
    """How well what the readers read follows the truth.

    Args:
        read: from `AttributeReaders.read`, N rows.
        truth: true values [N] by attribute, in any unit.
        groups: who is in each picture, [N]; the intervals resample whole people or families.
        seed: of the bootstrap.

    Returns:
        Index attribute; `correlation` over all pictures, with its 95% interval `low`, `high`.
    """
    names = [name for name in read.columns if name in truth]
    rows = {name: _correlation(read[name], np.asarray(truth[name], dtype=float), groups, seed) for name in names}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["correlation", "low", "high"])


def _correlation(read: pd.Series, true: np.ndarray, groups: Sequence, seed: int) -> tuple[float, float, float]:
    table = pd.DataFrame({"x": read.to_numpy(), "y": true, "group": np.asarray(groups)}).dropna()
    moments = pd.DataFrame(
        {"n": 1.0, "x": table.x, "y": table.y, "xx": table.x**2, "yy": table.y**2, "xy": table.x * table.y}
    )
    sums = moments.groupby(table["group"].to_numpy()).sum().to_numpy()  # [G, 6], one row a person

    def correlation(n, x, y, xx, yy, xy):
        variances = (xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2)
        # Rounding leaves a trace of variance in what is constant, such as the mean sex of a couple.
        return (xy / n - x * y / n**2) / np.sqrt(np.where(variances > 1e-12, variances, np.nan))

    return estimate(Statistic(sums, correlation), draw_weights(len(sums), seed=seed))


def proportions(points: np.ndarray) -> dict[str, np.ndarray]:
    """Lengths between landmarks [B, 68, 2] in eye distances, which neither size nor roll changes; [B] each."""

    def apart(first: int, second: int) -> np.ndarray:
        return np.linalg.norm(points[:, first] - points[:, second], axis=1)

    eyes = np.linalg.norm(points[:, 36:42].mean(axis=1) - points[:, 42:48].mean(axis=1), axis=1)
    return {
        "mouth_open": apart(62, 66) / eyes,
        "roundness": apart(1, 15) / apart(27, 8),  # cheek to cheek; root of the nose to the chin
    }


def _parts(found: Parsing, shown: np.ndarray) -> dict[str, np.ndarray]:
    """What the parser's masks say of B pictures uint8 [B, 128, 128, 3]; [B] each."""
    from scipy.ndimage import uniform_filter
    from skimage.color import rgb2lab

    light = rgb2lab(shown)[..., 0]  # [B, 128, 128], 0 to 100
    # Stubble and beards are textures of a pixel or two; shade, make-up and dark skin are smooth.
    fine = np.abs(light - uniform_filter(light, (1, 3, 3)))
    hair, skin = found.mask("hair"), found.mask("skin")
    return {
        "glasses": found.mask("eye_g").sum(axis=(1, 2)) / np.maximum(found.mask(*HEAD).sum(axis=(1, 2)), 1),
        "hair_length": hair[:, SIDE // 2 :].mean(axis=(1, 2)),
        "hair_light": _within(np.median, light, hair),
        "beard": _within(np.mean, fine, found.mask("chin", "moustache", of="regions")),
        "skin_light": _within(np.median, light, found.mask("cheek", of="regions") & skin),
    }


def _within(statistic: Callable, values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """A statistic of [B, H, W] within masks [B, H, W]: [B]; NaN where a mask has too few pixels."""
    pairs = zip(values, masks, strict=True)
    return np.array([statistic(one[mask]) if mask.sum() >= LEAST else np.nan for one, mask in pairs])
