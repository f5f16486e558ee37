"""Trains the ideas of StyleDNA and ChildPredictor on a kin set and measures them on the reference couples.

    python -m kinlib.benchmark.baselines --data KIN --record

keeps the results beside the bundled data, apart from those of the bundled methods: the networks are not bundled, and
what they reach depends on the number of couples that they have seen.
"""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kinlib import Kinship
from kinlib.benchmark.measure import CHILDREN, SEED, measure
from kinlib.evaluation import heredity
from kinlib.inheritance import registry
from kinlib.io.files import write_json
from kinlib.io.resume import read_record
from kinlib.runtime import config
from kinlib.training.data.kin_codes import encode_corrections, encode_set, load_codes
from kinlib.training.experiments.kin_baselines import Baseline, GeneticFactors, SharedGenes, couples_of, train

__all__ = ["NAMES", "record_path", "recorded", "registered", "study"]

NAMES = {
    "StyleDNA's idea, sampled": SharedGenes,
    "ChildPredictor's idea": GeneticFactors,
    "StyleDNA's idea": lambda *parts: SharedGenes(*parts, sampled=False),
}
"""What is trained, by the name in tables; StyleDNA twice, as in Li et al. (2023, Table 3)."""


def study(folder: Path, kin: Kinship) -> Iterator[dict]:
    """Train all of `NAMES` and measure them as the bundled methods are measured; yields what is known after each.

    Args:
        folder: of a kin set; what has no codes yet is encoded.
        kin: the networks.

    Yields:
        `couples` that were trained on, and for each name its losses (`losses`) and, as far as it has been measured, its
        measures as `measure` has them (`entries`).
    """
    for _ in encode_set(folder):
        pass
    couples, aside = couples_of(load_codes(folder))
    corrections = encode_corrections(folder)
    nets, losses = {}, {}
    for name, build in NAMES.items():
        nets[name], losses[name] = train(build, couples, aside, corrections)
        print(name, losses[name], flush=True)
    found: dict = {"preset": kin.preset, "children": CHILDREN, "seed": SEED}
    found |= {"couples": len(couples), "aside": len(aside), "losses": losses, "entries": {}}
    with registered(nets):
        for name, summary in measure(kin, heredity.load_reference(), list(nets)):
            found["entries"][name] = summary
            print(name, *(f"{part} {value[0]:.3f}" for part, value in summary.items()), sep="  ", flush=True)
            yield found


@contextmanager
def registered(nets: Mapping[str, Baseline]) -> Iterator[None]:
    """Within the block, trained networks are methods of the registry."""
    try:
        for name, net in nets.items():
            registry.register(registry.Method(name, "trained for comparison", lambda preset, net=net: net.inherit))
        yield
    finally:
        for name in nets:
            registry.unregister(name)


def record_path() -> Path:
    """Where the numbers are kept, beside the bundled data."""
    return config.data_dir() / "studio" / "kin_baselines.json"


def recorded() -> dict:
    """The numbers that were kept.

    Raises:
        KinlibError: if they are missing or damaged.
    """
    return read_record(record_path(), "entries")


def main(arguments: list[str] | None = None) -> None:
    """Train and measure, print, and keep the numbers if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that `kinlib render --kin` wrote")
    parser.add_argument("--record", action="store_true", help="keep the numbers beside the bundled data")
    given = parser.parse_args(arguments)
    for found in study(given.data, Kinship.load("studio", device="cpu")):
        if given.record:
            write_json(record_path(), found)


if __name__ == "__main__":
    main()
