"""The studio's family photographs with their true attributes as numbers, aligned by true landmarks, and encoded."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from kinlib.evaluation.edits.readers import proportions
from kinlib.faces.align import align_face
from kinlib.gan.encoder import Encoder, RefiningEncoder
from kinlib.io.images import to_tensor
from kinlib.io.photos import read_photo
from kinlib.studio.datasets.family_album import YAW_YEARS, FamilyAlbum
from kinlib.studio.datasets.renders import read_attributes

__all__ = ["LONG_HAIR", "aligned", "couples_with_children", "encode", "nearest", "true_attributes"]

BATCH = 32  # pictures encoded at a time
LONG_HAIR = ("mid", "bob", "long", "wavy", "curly", "braids")  # styles that reach at least to the ears
SAME = ("age", "smile", "mouth_open", "glasses", "hair_light", "hat", "earrings", "necklace", "lipstick", "freckles")


def true_attributes(album: FamilyAlbum) -> pd.DataFrame:
    """True attributes of all photographs without a fault.

    Returns:
        One row a photograph: `file`, `family`, `name` and `landmarks`, then float64: `age` (years), `sex` (1 male),
        `smile`, `mouth_open`, `yaw` and `pitch` (degrees), `glasses`, `hair_length` (1 long), `hair_light` (0 black to
        1 white), `beard` (1 for any), `skin_light` (0 dark to 1), `roundness` (as `readers` have it), `hat`,
        `earrings`, `necklace`, `lipstick` and `freckles`.
    """
    rows = album.truth[album.truth["fault"].isna()].reset_index(drop=True)
    known = pd.DataFrame([read_attributes(text) for text in rows["attributes"]])
    points = np.stack([np.reshape(one, (68, 2)) for one in rows["landmarks"]]).astype(float)
    numbers = {name: known[name] for name in SAME} | {
        "sex": known["male"],
        "yaw": rows["yaw"],
        "pitch": rows["pitch"],
        "hair_length": known["hair_style"].isin(LONG_HAIR),
        "beard": known["beard"] != "none",
        "skin_light": 1 - known["melanin"],
        "roundness": proportions(points)["roundness"],
    }
    return pd.concat([rows[["file", "family", "name", "landmarks"]], pd.DataFrame(numbers).astype(float)], axis=1)


def aligned(album: FamilyAlbum, rows: pd.DataFrame, size: int) -> Tensor:
    """FFHQ crops [N, 3, size, size] in [-1, 1] of photographs of `true_attributes`, by their true landmarks."""
    return to_tensor(
        [
            align_face(read_photo(album.folder / "families" / file), np.reshape(points, (68, 2)), size)
            for file, points in zip(rows["file"], rows["landmarks"], strict=True)
        ]
    )


def nearest(table: pd.DataFrame, names: Sequence[str], age: float) -> pd.DataFrame:
    """The photograph of each person that is nearest to an age and a frontal pose, in the order of the names."""
    rows = table[table["name"].isin(names)]
    apart = (rows["age"] - age).abs() + YAW_YEARS * rows["yaw"].abs()
    best = apart.groupby(rows["name"]).idxmin()
    return table.loc[best[list(names)]].reset_index(drop=True)


def couples_with_children(album: FamilyAlbum, table: pd.DataFrame) -> pd.DataFrame:
    """Couples whose both parents and a child have photographs: `family`, `father`, `mother`, `child`, each couple once.

    The child is the couple's first.
    """
    pictured, rows = set(table["name"]), []
    for family in album.families():
        for father, mother, children in album.couples(family):
            seen = [child for child in children if child in pictured]
            if seen and {father, mother} <= pictured:
                rows.append({"family": family, "father": father, "mother": mother, "child": seen[0]})
    return pd.DataFrame(rows)


@torch.no_grad()
def encode(encoder: Encoder, pictures: Tensor, passes: int | None = None) -> Tensor:
    """W+ codes [N, L, 512] of aligned faces [N, 3, S, S] in [-1, 1], both on the CPU, wherever the encoder is.

    Args:
        encoder: any of `kinlib.gan.encoder`.
        pictures: in any number; a few at a time are encoded.
        passes: corrections, of an encoder that has them; None for as many as it was trained with.
    """
    options = {"passes": passes} if isinstance(encoder, RefiningEncoder) else {}
    place = encoder.latent_avg.device
    return torch.cat([encoder(part.to(place), **options).float().cpu() for part in pictures.split(BATCH)])
