"""Couples of a kin set for the weight network: both parents' codes, and the embeddings of their true children's faces.

The targets are embeddings of the children's rendered portraits themselves, not of what the generator makes of their
codes: the true face is what a child is to be like. They are computed once and kept in a file of the run's folder.
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.evaluation.embedding import embed_pictures
from kinlib.io.files import write_bytes
from kinlib.io.tables import read_table
from kinlib.training.data.kin_codes import KinCodes

__all__ = ["EMBEDDINGS", "Couples", "couples_of", "embed_children"]

EMBEDDINGS = "embeddings.safetensors"


@dataclass(frozen=True)
class Couples:
    """Parents and their true children.

    Attributes:
        father, mother: float32 [C, L, 512], codes of one portrait each.
        children: float32 [C, T, 512], identity embeddings of T true children, of unit length.
        number: int64 [C], which couples of the set these are.
    """

    father: Tensor
    mother: Tensor
    children: Tensor
    number: Tensor

    def __len__(self) -> int:
        return len(self.father)

    def __getitem__(self, index: Tensor | slice) -> "Couples":
        """Some of the couples."""
        return Couples(self.father[index], self.mother[index], self.children[index], self.number[index])

    def trios(self) -> "Couples":
        """With the first child only, as families of three are."""
        return replace(self, children=self.children[:, :1])


def couples_of(kin: KinCodes, embeddings: Tensor) -> tuple[Couples, Couples]:
    """The couples to train on, and the held-out ones.

    Args:
        kin: from `load_codes`.
        embeddings: from `embed_children`.
    """
    table = kin.table
    portraits = table.kind == "portrait"
    codes = [
        kin.codes[torch.from_numpy(np.flatnonzero(portraits & (table.role == role)))].float()
        for role in ("father", "mother")
    ]
    number = table.couple[portraits & (table.role == "father")].to_numpy(np.int64, copy=True)
    everybody = Couples(*codes, embeddings.unflatten(0, (len(number), -1)), torch.from_numpy(number))
    held_out = torch.from_numpy(np.isin(number, table.couple[kin.held_out].unique()))  # bool [C]
    return everybody[~held_out], everybody[held_out]


def embed_children(folder: Path, kin: KinCodes, cache: Path) -> Tensor:
    """Identity embeddings of the children's portraits, in the order of the table: float32 [N, 512], unit length.

    Args:
        folder: the kin set's.
        kin: its codes; parts of the set without codes are left out.
        cache: folder in which the embeddings are kept, by the file of pictures that they belong to.
    """
    network = weights.sha256(weights.path("studio_identity"))
    known = _read(cache / EMBEDDINGS, network)
    couples = set(kin.table.couple)
    found, new = [], False
    for part in sorted(Path(folder).glob("part-*.parquet")):
        # A part holds whole couples, and codes are made part by part.
        if not couples.issuperset(read_table(part, ["couple"]).couple):
            continue  # it has no codes yet
        if part.stem not in known:
            known[part.stem], new = _embed(part), True
        found.append(known[part.stem])
    if new:
        write_bytes(cache / EMBEDDINGS, save(known, {"identity": network}))
    return torch.cat(found)  # parts are in the order of the table, [C * T, 512]


def _embed(part: Path) -> Tensor:
    facts = read_table(part, ["role", "image"])
    pictures = facts.image[facts.role == "child"]
    return torch.from_numpy(embed_pictures([Image.open(io.BytesIO(data)).convert("RGB") for data in pictures]))


def _read(path: Path, network: str) -> dict[str, Tensor]:
    """The embeddings of a file; none if it is absent, damaged, or by another network."""
    try:
        with safe_open(path, "pt") as file:
            if file.metadata()["identity"] != network:
                return {}
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError):
        return {}
