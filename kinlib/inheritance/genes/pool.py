"""A gene pool: codes of many people by age, sex and group, from which mutated genes are taken (Li et al. 2023, 3.2).

The published pool keeps genes, two tensors of 18 x 34 x 512 numbers for each of 11,000 people: 27.8 GB on disk and in
memory. This one keeps codes in half precision, reads from disk those that are drawn, and derives genes of these only.

Its file is safetensors: `latents` float16 [P, L, 512], or [P, 1, 512] for codes in W, the same for all layers; `age`,
`sex` and `group` uint8 [P], indices of the names that its metadata hold. Which ages, sexes and groups there are is the
file's: the paper has 9 x 2 x 7.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from kinlib.io.files import parse_json, write_bytes
from kinlib.runtime.errors import KinlibError

__all__ = ["AGES", "SEXES", "GenePool", "Selection", "age_names", "load_pool", "save_pool"]

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
"""The nine ages of FairFace (Karkkainen and Joo 2021), in years, both ends included."""

SEXES = ("female", "male")
KINDS = ("age", "sex", "group")
FORMAT = "kinlib gene pool 2"
ABOUT = "pool"  # the only entry of the metadata: safetensors writes several in an order of chance


@dataclass(frozen=True)
class Selection:
    """People of a pool.

    Attributes:
        people: their indices, int64 [P].
        note: how they differ from what was asked for; None where they do not.
    """

    people: Tensor
    note: str | None = None


@dataclass(frozen=True)
class GenePool:
    """People's codes on disk, and what they are sorted by.

    Attributes:
        latents: float16 [P, L, 512], read from the file when it is indexed; [P, 1, 512] for codes in W.
        num_layers: L.
        labels: uint8 [P] by kind: "age", "sex" and "group".
        names: of these labels, by kind.
    """

    latents: np.ndarray
    num_layers: int
    labels: dict[str, np.ndarray]
    names: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.latents)

    def select(self, age: str | None = None, sex: str | None = None, group: str | None = None) -> Selection:
        """The people of an age, sex and group; None for any.

        Where there are none, first the group, then the age, then the sex no longer counts; a note says so.

        Raises:
            KinlibError: if the pool knows no such age, sex or group.
        """
        wanted = {kind: name for kind, name in zip(KINDS, (age, sex, group), strict=True) if name is not None}
        for kind, name in wanted.items():
            if name not in self.names[kind]:
                raise KinlibError(f"unknown {kind} '{name}' of a gene pool: choose from {', '.join(self.names[kind])}")
        kept = dict(wanted)
        for dropped in (None, "group", "age", "sex"):
            if dropped is not None and kept.pop(dropped, None) is None:
                continue
            people = self._matching(kept)
            if len(people):
                note = None
                if kept != wanted:
                    there = f"those of {_words(kept)}" if kept else "all people in it"
                    note = f"the gene pool has nobody of {_words(wanted)}: {there} take their place"
                return Selection(torch.from_numpy(people), note)
        raise KinlibError("the gene pool is empty")

    def codes(self, people: Tensor) -> Tensor:
        """Codes of people, float32 [..., L, 512] for indices [...]."""
        found = self.latents[people.flatten().numpy()].astype(np.float32)  # reads these rows only
        return torch.from_numpy(found).unflatten(0, tuple(people.shape)).expand(*people.shape, self.num_layers, -1)

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many people there are of each (age, sex, group) that occurs."""
        rows, counts = np.unique(np.stack([self.labels[kind] for kind in KINDS]), axis=1, return_counts=True)
        names = [tuple(self.names[kind][i] for kind, i in zip(KINDS, row, strict=True)) for row in rows.T]
        return dict(zip(names, counts.tolist(), strict=True))

    def _matching(self, wanted: dict[str, str]) -> np.ndarray:
        there = np.ones(len(self), bool)
        for kind, name in wanted.items():
            there &= self.labels[kind] == self.names[kind].index(name)
        return np.flatnonzero(there)


def age_names(years: Sequence[float], ages: Sequence[str] = AGES) -> list[str]:
    """The age of each number of years; ages are written "LOW-HIGH" or "LOW+".

    Raises:
        KinlibError: if a number is below the first age.
    """
    lows = np.array([float(name.rstrip("+").split("-")[0]) for name in ages])
    found = np.searchsorted(lows, np.asarray(years, float), side="right") - 1
    if (found < 0).any():
        raise KinlibError(f"the ages of a gene pool begin with {ages[0]} years, not with {min(years):g}")
    return [ages[i] for i in found]


def save_pool(
    path: str | Path,
    codes: Tensor,
    labels: dict[str, Sequence[str]],
    names: dict[str, Sequence[str]],
    source: dict[str, Any] | None = None,
) -> None:
    """Write a pool, whole or not at all.

    Args:
        path: of the file.
        codes: W+ [P, L, 512].
        labels: P names of each kind: "age", "sex" and "group".
        names: all names of each kind, which may be more than those that occur.
        source: where the people are from, to be kept with them; values as JSON has them.

    Raises:
        KinlibError: if there is nobody, a label is unknown, or there are not as many labels as codes.
    """
    if codes.ndim != 3 or not len(codes):
        raise KinlibError(f"a gene pool needs codes of the shape [P, L, 512], not {list(codes.shape)}")
    kept = codes[:, :1] if (codes == codes[:, :1]).all() else codes
    tensors = {"latents": kept.half().contiguous()}
    for kind in KINDS:
        if len(labels[kind]) != len(codes):
            raise KinlibError(f"there are {len(labels[kind])} labels of {kind} for {len(codes)} people")
        unknown = set(labels[kind]) - set(names[kind])
        if unknown:
            raise KinlibError(f"unknown {kind} '{min(unknown)}' of a gene pool: choose from {', '.join(names[kind])}")
        order = {name: i for i, name in enumerate(names[kind])}
        tensors[kind] = torch.tensor([order[name] for name in labels[kind]], dtype=torch.uint8)
    about: dict = {"format": FORMAT, "layers": codes.shape[1], "source": source or {}}
    about |= {kind: list(names[kind]) for kind in KINDS}
    write_bytes(Path(path), save(tensors, {ABOUT: json.dumps(about)}))


def load_pool(path: str | Path, num_layers: int | None = None) -> GenePool:
    """Open a pool; codes stay on disk until they are asked for.

    Args:
        path: a file of `save_pool`.
        num_layers: L of the codes that are expected; None takes any.

    Raises:
        KinlibError: if the file is absent or no gene pool, or its codes have other layers.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = parse_json(file.read(length))
        about = parse_json(header["__metadata__"][ABOUT])
        names = {kind: tuple(about[kind]) for kind in KINDS}
        if about["format"] != FORMAT:
            raise ValueError("another format")
        layers = int(about["layers"])
        latents = _mapped(path, header["latents"], 8 + length, "F16", np.float16)
        labels = {kind: np.array(_mapped(path, header[kind], 8 + length, "U8", np.uint8)) for kind in KINDS}
    except OSError as error:
        raise KinlibError(f"the gene pool '{path}' cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, struct.error, MemoryError, OverflowError) as error:
        raise KinlibError(f"'{path}' is no gene pool, or damaged: make one with `kinlib pool`") from error
    sizes_fit = latents.ndim == 3 and latents.shape[1] in (1, layers)
    sizes_fit = sizes_fit and all(len(labels[kind]) == len(latents) for kind in KINDS)
    if not sizes_fit or any(len(labels[kind]) and labels[kind].max() >= len(names[kind]) for kind in KINDS):
        raise KinlibError(f"'{path}' is no gene pool, or damaged: make one with `kinlib pool`")
    if num_layers is not None and layers != num_layers:
        raise KinlibError(f"the gene pool '{path}' has codes of {layers} layers instead of {num_layers}")
    return GenePool(latents, layers, labels, names)


def _mapped(path: Path, entry: dict, start: int, dtype: str, kind: type) -> np.ndarray:
    """A tensor of a safetensors file, mapped into memory; its offsets count from the header's end."""
    if entry["dtype"] != dtype:
        raise ValueError(f"{entry['dtype']} in place of {dtype}")
    return np.memmap(path, kind, "r", start + entry["data_offsets"][0], tuple(entry["shape"]))


def _words(wanted: dict[str, str]) -> str:
    """("20-29", "female", "amber") in words."""
    return ", ".join(f"{kind} {name}" for kind, name in wanted.items())
