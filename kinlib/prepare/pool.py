"""Gene pools: of a folder that `kinlib prepare` wrote, or of random samples of the generator.

Age, sex and group are what the preset's demography network says, for photographs of unknown people have no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from kinlib.faces.demography import POPULATIONS, analyse
from kinlib.gan.generator import load_generator
from kinlib.inheritance.genes.pool import AGES, SEXES, age_names, save_pool
from kinlib.io.resume import read_note
from kinlib.prepare.run import NOTE
from kinlib.prepare.table import latents, read_prepared
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GROUPS", "pool_of_folder", "pool_of_samples"]

GROUPS = {
    "studio": POPULATIONS,
    "ffhq": ("asian", "indian", "black", "white", "middle eastern", "latino hispanic"),  # of DeepFace
}
"""Groups of a pool, by preset."""

SEX = {"Woman": "female", "Man": "male"}  # of the demography table
BATCH = 32
TRUNCATION = 0.8  # of random samples, by which benchmarks of the generator are measured as well


@dataclass
class _People:
    """Codes and labels, gathered batch by batch."""

    codes: list[Tensor] = field(default_factory=list)
    labels: dict[str, list[str]] = field(default_factory=lambda: {"age": [], "sex": [], "group": []})

    def add(self, codes: Tensor, table: "pd.DataFrame") -> None:
        """Add people by what `kinlib.faces.demography.analyse` says of them."""
        self.codes.append(codes.cpu())
        self.labels["age"] += age_names(table.age.clip(lower=0))
        self.labels["sex"] += [SEX[name] for name in table.dominant_gender]
        self.labels["group"] += list(table.dominant_race)

    def save(self, path: Path, preset: str, **source: Any) -> None:
        """Write the pool; `source` says where the people are from."""
        names = {"age": AGES, "sex": SEXES, "group": GROUPS[preset]}
        save_pool(path, torch.cat(self.codes), self.labels, names, {"preset": preset} | source)


def pool_of_folder(folder: str | Path, out: str | Path, device: str | None = None) -> Iterator[int]:
    """Write the pool of the people in a prepared folder; yields how many pictures are done.

    Args:
        folder: that `kinlib prepare` wrote; its preset is the pool's.
        out: file to write, when all is done.
        device: where the demography network computes.

    Raises:
        KinlibError: if the folder is not prepared, holds no face, or lacks an aligned picture.
    """
    folder = Path(folder)
    table = read_prepared(folder, ["status", "aligned", "latent"])
    preset = config.check_preset((read_note(folder / NOTE) or {}).get("preset", "studio"))
    table = table[table.status == "ok"]
    if not len(table):
        raise KinlibError(f"'{folder}' holds no face with a code, which a gene pool is made of")
    codes, people = latents(table), _People()
    yield 0
    for begin in range(0, len(table), BATCH):
        pictures = [_opened(folder / name) for name in table.aligned.iloc[begin : begin + BATCH]]
        people.add(codes[begin : begin + BATCH], analyse(pictures, preset, device=device))
        yield min(begin + BATCH, len(table))
    people.save(Path(out), preset)


def pool_of_samples(
    generator_path: str | Path,
    count: int,
    out: str | Path,
    preset: str = "studio",
    seed: int = 0,
    device: str | None = None,
) -> Iterator[int]:
    """Write a pool of random samples; yields how many are done.

    Args:
        generator_path: weights of the generator.
        count: P, how many people.
        out: file to write, when all is done.
        preset: whose demography network labels them.
        seed: of the samples.
        device: where the networks compute.

    Raises:
        KinlibError: if `count` is below 1, or the weights cannot be used.
    """
    if count < 1:
        raise KinlibError(f"a gene pool needs 1 person or more, not {count}")
    place = config.pick_device(device)
    generator, rng = load_generator(generator_path).to(place), torch.Generator().manual_seed(seed)
    people = _People()
    yield 0
    for begin in range(0, count, BATCH):
        noise = torch.randn(min(BATCH, count - begin), generator.latent_avg.shape[1], generator=rng).to(place)
        with torch.no_grad():
            codes = generator.truncate(generator.broadcast(generator.mapping(noise)), TRUNCATION)
            pictures = generator.synthesis(codes, batch_size=BATCH).clamp(-1, 1)
        people.add(codes, analyse(pictures, preset, device=device))
        yield min(begin + BATCH, count)
    people.save(Path(out), preset, samples=count, seed=seed, truncation=TRUNCATION)


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except OSError as error:
        raise KinlibError(f"the aligned picture '{path}' cannot be read: run `kinlib prepare` again") from error
