"""What made a picture, as numbers: second tasks for networks that must notice it.

A few pictures a person say little about what makes a person, and an autoencoder is slow to notice what covers few
pixels. The studio knows both: the inherited traits behind every face, and how it was photographed.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

__all__ = ["inherited_traits", "picture_factors"]

NUMBERS = ("age", "male", "melanin", "redness", "smile", "mouth_open", "glasses", "hat", "hair_light", "pitch")
MORE = ("hair_curl", "grey", "fringe", "recede", "earrings", "necklace", "lipstick", "freckles", "cleft_chin")
WORDS = ("hair_style", "hair_colour", "beard", "iris", "background", "clothes")


def inherited_traits(table: pd.DataFrame) -> Tensor:
    """What of each face is inherited, as far as the table tells it: [N, T], every column of mean 0.

    Sex, the skin's pigments, the proportions, and the head model's coefficients (`identity`), whose importance falls as
    their effect on the shape does; the mean square of all is 1.
    """
    parts = [table[["male", "melanin", "redness"]].to_numpy(dtype=float)]
    parts += [np.stack(table[name]) for name in ("proportions", "identity") if name in table]
    values = np.concatenate(parts, axis=1)
    scaled = _standard(values)
    plain = values.shape[1] - (parts[-1].shape[1] if "identity" in table else 0)
    scaled *= (1 + np.clip(np.arange(values.shape[1]) - plain, 0, None) / 10) ** -0.5
    return torch.from_numpy(scaled / np.sqrt(np.square(scaled).mean())).float()


def picture_factors(table: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """What is seen in each picture: first what stays when a picture is mirrored, then what changes its sign.

    Returns:
        (traits, age, expression, hair, clothes and surroundings [N, F]; yaw and roll [N, 2]), every column of mean 0;
        what varies has variance 1, but for the inherited traits, see there.
    """
    numbers = table[[name for name in (*NUMBERS, *MORE) if name in table]].astype(float)
    words = [pd.get_dummies(table[name]).astype(float) for name in WORDS if name in table]
    looks = torch.from_numpy(_standard(pd.concat([numbers, *words], axis=1).to_numpy()))
    sides = torch.from_numpy(_standard(table[["yaw", "roll"]].to_numpy(dtype=float)))
    return torch.cat([looks, inherited_traits(table)], dim=1), sides


def _standard(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1 (0 where nothing varies)."""
    spread = values.std(axis=0)
    return ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
