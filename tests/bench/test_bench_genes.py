"""Forty children of a couple in one call against forty calls, and against the published loop: `make bench`.

The published inference code makes children one by one, and derives both parents' genes anew for each. Here a couple's
genes are derived once, and all children pass through the decoder together. Ratios are of one run; seconds and bytes are
printed.
"""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kinlib.inheritance.genes.methods import GeneMethod, load_method
from kinlib.kinship.kinship import Kinship
from kinlib.studio.datasets.sample_parents import couple

NUM = 40
LEAST_RATIO = {"one by one": 4.0, "published loop": 4.0}
LOOK_UP = 0.05  # seconds for the codes of 34 people
MOST_MEMORY = 200e6  # bytes; the published pool alone takes 27.8e9
OPTIONS = {"region_shares": {}, "kept_layers": 8, "gene_spread": 1.0}

Made = Callable[[], Tensor]


@pytest.fixture(scope="module")
def parents() -> tuple[Tensor, Tensor]:
    kin = Kinship.load("studio", "cpu")
    father, mother = (kin.encode(photo).latent for photo in couple(1))
    return father, mother


def sources() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(NUM)]


def published_loop(method: GeneMethod, father: Tensor, mother: Tensor) -> Tensor:
    """The loop of the published code: for every child, every region by itself, from means and log-variances."""
    children = []
    for source in sources():
        genes = [method.encoder(code) for code in (father, mother)]
        means, log_variances = ([one[part].clone() for one in genes] for part in (0, 1))
        for region in range(means[0].shape[2]):
            weight = float(torch.rand((), generator=source))
            for parts in (means, log_variances):
                parts[0][:, :, region] = weight * parts[0][:, :, region] + (1 - weight) * parts[1][:, :, region]
        noise = torch.randn(means[0].shape, generator=source)
        codes = method.decoder(means[0] + torch.exp(log_variances[0] / 2) * noise)
        children.append(torch.cat([codes[:, :8], ((father + mother) / 2)[:, 8:]], dim=1))
    return torch.cat(children)


def best_seconds(functions: list[Made], repeats: int = 4) -> list[float]:
    """Of functions that take turns, so that other work on the machine disturbs all alike; the first round warms up."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats + 1):
        for function, kept in zip(functions, times, strict=True):
            begun = time.perf_counter()
            function()
            kept.append(time.perf_counter() - begun)
    return [min(kept[1:]) for kept in times]


@torch.no_grad()
def test_children_at_once(parents):
    method = load_method("studio")
    father, mother = parents
    many = [code.expand(NUM, -1, -1) for code in parents]
    together, apart, loop = best_seconds(
        [
            lambda: method.cross(*many, sources(), **OPTIONS),
            lambda: torch.cat([method.cross(father, mother, source, **OPTIONS) for source in sources()]),
            lambda: published_loop(method, father, mother),
        ]
    )
    print(f"\n{NUM} children: one call {together:.3f} s, one by one {apart:.3f} s, published loop {loop:.3f} s")
    print(f"ratios {apart / together:.1f} and {loop / together:.1f}")
    assert apart >= LEAST_RATIO["one by one"] * together
    assert loop >= LEAST_RATIO["published loop"] * together


@torch.no_grad()
def test_codes_of_the_pool_are_read_from_disk():
    method = load_method("studio", with_pool=True)
    people = method.pool.select("20-29").people[:34]
    (look_up,) = best_seconds([lambda: method.pool.codes(people)])
    size = method.pool.latents.nbytes
    print(f"\npool of {len(method.pool)} people, {size / 1e6:.2f} MB on disk: 34 codes in {1e3 * look_up:.1f} ms")
    assert look_up <= LOOK_UP


PEAK = """
import torch
from kinlib.inheritance.genes.methods import load_method

def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])

begun = peak()
method = load_method("studio", with_pool=True)
codes = torch.zeros(40, method.encoder.sizes.num_layers, 512)
sources = [torch.Generator().manual_seed(seed) for seed in range(40)]
method.cross(codes, codes + 1, sources, {}, 8, 1.0, 0.4, 0.47)
print(peak() - begun)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
def test_memory_of_networks_pool_and_children():
    ended = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    peak = int(ended.stdout)
    print(f"\nnetworks, pool and {NUM} children with mutation: {peak / 1e6:.0f} MB")
    assert peak <= MOST_MEMORY
