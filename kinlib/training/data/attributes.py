"""The attributes of renders as numbers, from which training targets are made.

A few pictures of a person are a weak signal of identity, and an autoencoder is slow to represent what covers few
pixels. Of renders both are known exactly: the inherited traits of every face, and how it was photographed.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

__all__ = ["inherited_traits", "picture_attributes"]

# Columns of a set's table: numbers, numbers that older sets lack, and words that become one-hot columns.
NUMBERS = ("age", "male", "melanin", "redness", "smile", "mouth_open", "glasses", "hat", "hair_light", "pitch")
MORE = ("hair_curl", "grey", "fringe", "recede", "earrings", "necklace", "lipstick", "freckles", "cleft_chin")
WORDS = ("hair_style", "hair_colour", "beard", "iris", "background", "clothes")


def inherited_traits(table: pd.DataFrame) -> Tensor:
    """The inherited traits of each face, as far as the table has them: [N, T], every column of mean 0.

    Sex, the skin's pigments, the proportions, and the head model's coefficients (`identity`), whose scale falls with
    their number as their effect on the shape does; the mean square of all is 1.
    """
    parts = [table[["male", "melanin", "redness"]].to_numpy(dtype=float)]
    parts += [np.stack(table[name]) for name in ("proportions", "identity") if name in table]
    values = np.concatenate(parts, axis=1)
    scaled = _standard(values)
    # Coefficient k is scaled by (1 + k / 10)^-0.5. By hand: standardised, the last of 100 would weigh as the first,
    # although it moves no vertex visibly.
    plain = values.shape[1] - (parts[-1].shape[1] if "identity" in table else 0)
    scaled *= (1 + np.clip(np.arange(values.shape[1]) - plain, 0, None) / 10) ** -0.5
    return torch.from_numpy(scaled / np.sqrt(np.square(scaled).mean())).float()


def picture_attributes(table: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Attributes of each picture: those that a mirror image shares, and those whose sign it changes.

    Returns:
        (traits, age, expression, hair, clothes and background [N, F]; yaw and roll [N, 2]), every column of mean 0 and,
        if it varies, of variance 1, except the inherited traits (see `inherited_traits`).
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
