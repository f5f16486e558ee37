"""Codes of rendered parents and children by the bundled encoder, in one file beside the pictures.

Children's pictures are encoded as `Kinship.encode` does it, with all corrections: they are what a sampler has to give.
Parents' pictures are encoded as they are and in degraded views, as encoders are trained, because photographs are noisy,
small and badly aligned. Their codes take no corrections: in the leading principal components, which a sampler reads,
these move a code by a tenth of the spread between people, and take thirty times as long.

A set of unrelated people (`kinlib render`) can be encoded as well: all of them are possible parents.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kinlib.checkpoints import weights
from kinlib.gan.encoder import Encoder, load_encoder
from kinlib.io.files import write_bytes
from kinlib.io.resume import read_note
from kinlib.io.tables import column_names, decode_picture, read_table
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.kin import NOTE
from kinlib.studio.datasets.renders import SET_NOTE
from kinlib.training.data.augment import Augmentation

__all__ = ["CODES", "HELD_OUT_EVERY", "KinCodes", "encode_corrections", "encode_set", "load_codes"]

CODES = "codes.safetensors"
PICTURES = ("image", "mask")
LEFT_OUT = (*PICTURES, "regions", "landmarks")  # columns that are large and not needed
VIEWS = 1  # degraded views of each of the parents' pictures: half of what a sampler is shown
ENCODED = 256  # px, what encoders take
BATCH = 32
CORRECTED = (7, 113)  # parts, of 32 pictures of parents each, from which the corrections of codes are measured
HELD_OUT_EVERY = 21  # couples divisible by this are held out; not a multiple of 5, the number of populations


@dataclass(frozen=True)
class KinCodes:
    """A kin set, or a set of unrelated people, without its pictures.

    Attributes:
        table: one row a picture, as `kinlib.studio.datasets.kin`, or `batch`, describes them.
        codes: float16 [N, L, 512]; of children with all corrections.
        degraded: float16 [P, V, L, 512], V degraded views of each picture of a parent, in the order of the table.
        seed: of the set.
    """

    table: pd.DataFrame
    codes: Tensor
    degraded: Tensor
    seed: int

    @property
    def held_out(self) -> np.ndarray:
        """Rows of couples that are not to be trained on, bool [N]."""
        return (self.table.couple % HELD_OUT_EVERY == 0).to_numpy()


def encode_set(folder: Path, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Encode the parts of a set that have no codes yet; yields (parts done, parts in all).

    Args:
        folder: that `kinlib render --kin`, or `kinlib render`, wrote; it may still be growing.
        seed: of the degraded views.

    Raises:
        KinlibError: if the folder holds no such set.
    """
    parts = _parts(folder)
    network = weights.sha256(weights.path("studio_encoder"))
    known = _read(folder / CODES, network, seed)
    missing = [part for part in parts if f"{part.stem}/codes" not in known]
    yield len(parts) - len(missing), len(parts)
    if not missing:
        return
    encoder = load_encoder(weights.path("studio_encoder"))
    for number, part in enumerate(missing, 1):
        known |= _encode_part(part, encoder, seed)
        if number == len(missing) or number % 10 == 0:  # the file is written whole: not after every part
            metadata = {"encoder": network, "seed": str(seed)}
            write_bytes(folder / CODES, save(known, metadata))
        yield len(parts) - len(missing) + number, len(parts)


@torch.inference_mode()
def encode_corrections(folder: Path, parts: Sequence[int] = CORRECTED) -> Tensor:
    """What an encoder's corrections add to the codes of parents' pictures: float32 [N, L, 512].

    `Kinship.encode` corrects a code by comparing pictures. That costs ten times as much as the code itself, too much
    for every picture of a set; what it adds is measured for some.

    Args:
        folder: of a kin set.
        parts: which of its parts, counted round.
    """
    encoder, found = load_encoder(weights.path("studio_encoder")), []
    every = _parts(folder)
    for part in dict.fromkeys(every[number % len(every)] for number in parts):
        table = read_table(part, ["image", "role"])
        # [n, S, S, 3] uint8 -> [n, 3, S, S] in [-1, 1]
        pictures = _decoded(table.image[table.role != "child"], "RGB").permute(0, 3, 1, 2).float() / 127.5 - 1
        found.append(_encode(encoder, pictures, passes=None) - _encode(encoder, pictures, passes=0))
    return torch.cat(found)


def load_codes(folder: Path) -> KinCodes:
    """The parts of a set that have codes.

    Raises:
        KinlibError: if the folder holds no set, or no codes by the encoder in use.
    """
    parts, note = _parts(folder), _note(folder) or {}
    known = _read(folder / CODES, weights.sha256(weights.path("studio_encoder")))
    parts = [part for part in parts if f"{part.stem}/codes" in known]
    if not parts:
        raise KinlibError(f"there are no codes in '{folder}': encode it first")
    facts = [read_table(part, _facts(part)) for part in parts]  # without pictures
    codes, degraded = (torch.cat([known[f"{part.stem}/{kind}"] for part in parts]) for kind in ("codes", "degraded"))
    return KinCodes(pd.concat(facts, ignore_index=True), codes, degraded, int(note["seed"]))


def _note(folder: Path) -> dict | None:
    return read_note(folder / NOTE) or read_note(folder / SET_NOTE)


def _parts(folder: Path) -> list[Path]:
    parts = sorted(Path(folder).glob("part-*.parquet"))
    if not parts or "seed" not in (_note(Path(folder)) or {}):
        raise KinlibError(f"'{folder}' holds no kin set: render one with `kinlib render --kin`")
    return parts


def _facts(part: Path) -> list[str]:
    return [name for name in column_names(part) if name not in LEFT_OUT]


def _read(path: Path, network: str, seed: int | None = None) -> dict[str, Tensor]:
    """The tensors of a file of codes; none if it is absent, damaged, or by another encoder or seed."""
    try:
        with safe_open(path, "pt") as file:
            made = file.metadata()
            if made["encoder"] != network or (seed is not None and made["seed"] != str(seed)):
                return {}
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError):
        return {}


@torch.inference_mode()
def _encode_part(part: Path, encoder: Encoder, seed: int) -> dict[str, Tensor]:
    table = read_table(part, [*PICTURES, *(["role"] if "role" in _facts(part) else [])])
    pictures, masks = (_decoded(table[name], mode) for name, mode in zip(PICTURES, ("RGB", "L"), strict=True))
    pictures = pictures.permute(0, 3, 1, 2)  # [n, 3, S, S]
    child = torch.tensor([role == "child" for role in table.get("role", [None] * len(table))])
    clean = pictures.float() / 127.5 - 1
    codes = _encode(encoder, clean, passes=0)  # [n, L, 512]
    if child.any():
        codes[child] = _encode(encoder, clean[child], passes=None)  # as many as users get
    # Each part has a generator of its own, so that views do not depend on which parts were encoded before.
    augment, rng = Augmentation(pictures.shape[-1]), torch.Generator().manual_seed(seed + int(part.stem[-5:]))
    parents = pictures[~child], masks[~child]  # the mask keeps the face where backgrounds change
    views = [_encode(encoder, augment(*parents, rng).source, passes=0) for _ in range(VIEWS)]
    # Half precision is enough for codes (notebook 06).
    return {f"{part.stem}/codes": codes.half(), f"{part.stem}/degraded": torch.stack(views, 1).half()}


def _decoded(column: pd.Series, mode: str) -> Tensor:
    return torch.from_numpy(np.stack([decode_picture(data, mode) for data in column]))


def _encode(encoder: Encoder, pictures: Tensor, passes: int | None) -> Tensor:
    """Codes [n, L, 512] of pictures [n, 3, S, S] in [-1, 1]."""
    large = (F.interpolate(some, (ENCODED, ENCODED), mode="bilinear") for some in pictures.split(BATCH))
    return torch.cat([encoder(some, passes=passes).float() for some in large])
