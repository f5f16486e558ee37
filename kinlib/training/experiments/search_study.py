"""The experiments of notebook 12 that take longer than a notebook may: about an hour on a CPU core.

    python -m kinlib.training.experiments.search_study --data FACES --gallery MORE --run DIR [--record]

FACES and MORE are sets of `kinlib render`. Targets and witnesses' faces are the held-out people of FACES, which no
network of the search has seen; MORE, of another seed, adds people to the gallery in which composites are to find their
person. Each part is kept in DIR, so that a study that was stopped is resumed. `--record` keeps the results beside the
bundled data, where the notebook reads them (`recorded`).
"""

import argparse
import io
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from kinlib.evaluation.autoencoder import psnr_db
from kinlib.evaluation.bootstrap import mean_interval
from kinlib.evaluation.witness_search import (
    Searches,
    embed,
    identification,
    morphed_ranks,
    ranks_of,
    run_searches,
)
from kinlib.faces.identity import load_identity
from kinlib.io.files import make_folder, write_json
from kinlib.io.images import resize, to_tensor
from kinlib.io.resume import read_note, read_record
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.search.baselines import METHODS, genetic
from kinlib.search.fitness import make_fitness
from kinlib.search.genetic import CROSSOVERS, MUTATIONS, SELECTIONS
from kinlib.search.inference import InferredStep
from kinlib.search.learned_step import load_step
from kinlib.search.spaces import SPACES, SearchSpace, load_space
from kinlib.search.steps import Step, genetic_step
from kinlib.search.vae import load_vae
from kinlib.search.witness import WitnessFaults
from kinlib.studio.datasets.renders import HELD_OUT_EVERY, SET_NOTE

__all__ = ["LINES", "PARTS", "PICKS", "People", "record_path", "recorded", "study"]

GRID = (100, 200, 300, 400, 600)  # pictures decoded, at which searches are compared
SEEDS = 10  # each with a target of its own
FEW_SEEDS = 3  # of the ablations
ABLATED = 600  # pictures of a search of the ablations
GENERATIONS = 500  # of the essay's search, for which sizes are compared
SIZES = ((20, 2), (20, 10), (50, 2), (50, 10), (100, 10))  # population and parents
SIZE_SEEDS = 3
WITNESSES, ROUNDS, COUNT, PICKS = 100, 15, 16, 4
FEW_WITNESSES = 25  # of the searches that only one sentence rests on
MORPHED = 4  # witnesses of one face whose composites are morphed into one
LINES = {
    "autoencoder, inferred": "vae_inferred",
    "autoencoder, genetic": "vae_genetic",
    "autoencoder, learned": "vae_learned",
    "W, genetic": "w_genetic",
}
"""What the notebook calls the parts that compare searches by picks."""
FAULTY = {
    "perfect": WitnessFaults(1.0, 0.0, 0.0),
    "bad": WitnessFaults(0.6, 0.003, 0.25),
}


@dataclass(frozen=True)
class People:
    """Held-out people, and a gallery.

    Attributes:
        pictures: the first picture of each of M people, [M, 3, S, S] in [-1, 1].
        seen: their embeddings, [M, 512].
        gallery: embeddings of one other picture of each of P people, the M first, [P, 512].
    """

    pictures: Tensor
    seen: Tensor
    gallery: Tensor


def study(data: Path, gallery: Path | None, run: Path, parts: Iterable[str] | None = None) -> dict:
    """All parts, by name; those that the folder `run` holds are read from it.

    Raises:
        KinlibError: if a part is unknown, or data or weights are missing.
    """
    make_folder(run)
    people = _people(data, gallery)
    found = {"people": len(people.seen), "gallery": len(people.gallery), "count": COUNT, "picks": PICKS}
    for name in PARTS if parts is None else parts:
        if name not in PARTS:
            raise KinlibError(f"there is no part '{name}': {', '.join(PARTS)}")
        path = run / f"{name}.json"
        known = read_note(path)
        if known is None:
            known = PARTS[name](people)
            write_json(path, known)
        found[name] = known
    return found


def record_path() -> Path:
    """Where the record lies, beside the bundled data."""
    return config.data_dir() / "studio" / "search_study.json"


def recorded() -> dict:
    """The study's results.

    Raises:
        KinlibError: if the record is missing or damaged.
    """
    return read_record(record_path())


@torch.no_grad()
def _people(data: Path, gallery: Path | None) -> People:
    identity = load_identity()
    held_out, first, second = _views(data, held_out=True)
    known = [_embed(identity, second)]
    if gallery is not None:
        others, more, _ = _views(gallery, held_out=None)
        if others == held_out:
            raise KinlibError(f"'{gallery}' shows the people of '{data}': render a set with another seed")
        known.append(_embed(identity, more))
    return People(first, _embed(identity, first), torch.cat(known))


def _views(folder: Path, held_out: bool | None) -> tuple[int | None, Tensor, Tensor]:
    """Seed of a set of renders, and the first and the second picture of each person, [N, 3, S, S] in [-1, 1]."""
    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        raise KinlibError(f"there is no *.parquet file with pictures in '{folder}'")
    table = pd.concat(pd.read_parquet(part, columns=["person", "view", "image"]) for part in parts)
    if held_out is not None:
        table = table[(table.person % HELD_OUT_EVERY == 0) == held_out]
    some = [table[table["view"] == view].sort_values("person").image for view in (0, 1)]
    pictures = [
        to_tensor([Image.open(io.BytesIO(data)) for data in one]) if len(one) else torch.empty(0) for one in some
    ]
    return (read_note(folder / SET_NOTE) or {}).get("seed"), *pictures


def _embed(identity, pictures: Tensor) -> Tensor:
    return torch.cat([identity(resize(part, identity.input_size)) for part in pictures.split(200)])


# ---- by picture -----------------------------------------------------------------------------------------------------


def _methods(kind: str, seeds: int) -> Callable[[People], dict]:
    """A part: fitness against pictures decoded, method -> `evaluations`, `mean`, `low`, `high` over seeds."""

    def part(people: People) -> dict:
        net = load_vae()
        found = {"seeds": seeds, "encoder": _encoder(people, kind, seeds)}
        for name, method in METHODS.items():
            curves = []
            for seed in tqdm(range(seeds), desc=f"{kind}, {name}", mininterval=10):
                fitness = make_fitness(kind, people.pictures[seed], net.size)
                trace = method(net.decode, fitness, net.latent, max(GRID), seed=seed)
                at = np.searchsorted(trace.evaluations, GRID, side="right") - 1
                curves.append(_in_units(kind, trace.fitness[at]))
            by_count = zip(GRID, np.array(curves).T, strict=True)
            found[name] = _rounded(
                pd.DataFrame([{"evaluations": count} | mean_interval(some) for count, some in by_count])
            )
        return found

    return part


def _encoder(people: People, kind: str, seeds: int) -> dict:
    """What one pass through the encoder reaches on the same targets: the yardstick of all searches."""
    net, identity = load_vae(), load_identity()
    targets = resize(people.pictures[:seeds], net.size)
    with torch.no_grad():
        rebuilt = net.decode(net.coordinates(targets))
        likeness = (identity(rebuilt) * people.seen[:seeds]).sum(dim=1)
    return mean_interval(psnr_db(rebuilt, targets).numpy() if kind == "pixels" else likeness.numpy())


def _in_units(kind: str, fitness: np.ndarray) -> np.ndarray:
    """PSNR in dB of an inverse squared error of values in [-1, 1]; a cosine as it is."""
    return 10 * np.log10(4 * fitness) if kind == "pixels" else fitness


def _operators(people: People) -> dict:
    """PSNR in dB of the best after `ABLATED` pictures, by crossover, mutation and selection: mean and interval."""
    net = load_vae()
    essay = {"crossover": "uniform", "mutation": "gene", "selection": "top"}
    cases = [essay | {"crossover": cross, "mutation": change} for cross in CROSSOVERS for change in MUTATIONS]
    cases += [essay | {"mutation": "gaussian", "selection": one} for one in SELECTIONS if one != "top"]
    rows = []
    for case in tqdm(cases, desc="operators", mininterval=10):
        reached = [_final(net, people, seed, evaluations=ABLATED, **case) for seed in range(FEW_SEEDS)]
        rows.append(case | mean_interval(np.array(reached)))
    return {"pictures": ABLATED, "seeds": FEW_SEEDS, **_rounded(pd.DataFrame(rows))}


def _sizes(people: People) -> dict:
    """PSNR in dB after `GENERATIONS` generations, by population and parents."""
    net, rows = load_vae(), []
    for population, parents in tqdm(SIZES, desc="sizes", mininterval=10):
        evaluations = population + GENERATIONS * (population - 1)
        options = {"evaluations": evaluations, "population": population, "parents": parents}
        reached = [_final(net, people, seed, **options) for seed in range(SIZE_SEEDS)]
        rows.append(
            {"population": population, "parents": parents, "pictures": evaluations} | mean_interval(np.array(reached))
        )
    return {"generations": GENERATIONS, "seeds": SIZE_SEEDS, **_rounded(pd.DataFrame(rows))}


def _final(net, people: People, seed: int, **options) -> float:
    fitness = make_fitness("pixels", people.pictures[seed], net.size)
    trace = genetic(net.decode, fitness, net.latent, seed=seed, **options)
    return float(_in_units("pixels", trace.fitness[-1]))


# ---- by picks -------------------------------------------------------------------------------------------------------


def _step(name: str, space: SearchSpace) -> Step:
    """A step by name: "genetic", "inferred" or "learned"."""
    steps = {"genetic": lambda: genetic_step, "inferred": lambda: InferredStep(space)}
    return (steps | {"learned": lambda: load_step(space)})[name]()


def _identified(space_name: str, step: str, witnesses: int = WITNESSES) -> Callable[[People], dict]:
    """A part: how soon witnesses identify the face that they saw, in a space, by a step."""

    def part(people: People) -> dict:
        space = load_space(space_name)
        return _described(_searched(people, space, _step(step, space), witnesses))

    return part


def _faults(people: People) -> dict:
    """The same for the first few witnesses with other faults, bred and inferred: faults -> step -> shares."""
    space, found = load_space("vae"), {}
    for name, faults in FAULTY.items():
        found[name] = asdict(faults)
        for step in ("genetic", "inferred"):
            found[name][step] = _described(_searched(people, space, _step(step, space), FEW_WITNESSES, faults))
    return found


def _other_eyes(people: People) -> dict:
    """The same for witnesses who judge likeness by another network than the search and the identification do.

    Their embedding of a picture is the direction of its coordinates in the autoencoder's space, where hair, light and
    pose count as the face does.
    """
    space = load_space("vae")

    def eyes(pictures: Tensor) -> Tensor:
        return F.normalize(space.encode(pictures), dim=1)

    few = people.pictures[:FEW_WITNESSES]
    others = replace(people, seen=torch.cat([eyes(part) for part in few.split(50)]))
    steps = ("genetic", "inferred")
    return {name: _described(_searched(others, space, _step(name, space), FEW_WITNESSES, eyes=eyes)) for name in steps}


def _morphs(people: People) -> dict:
    """Ranks of single composites, and of the morphs of `MORPHED` witnesses' composites of the same face."""
    space, right, identity = load_space("vae"), np.arange(FEW_WITNESSES), load_identity()
    several = [_searched(people, space, genetic_step, FEW_WITNESSES, seed=number) for number in range(MORPHED)]
    alone = np.concatenate([searches.ranks[:, -1] for searches in several])
    ranks = {"alone": alone, "morphed": morphed_ranks(space, identity, several, people.gallery, right)}
    return {"witnesses": MORPHED} | {
        name: {"rank_1": mean_interval(some <= 1), "top_10": mean_interval(some <= 10)} for name, some in ranks.items()
    }


def _searched(
    people: People,
    space: SearchSpace,
    step: Step,
    witnesses: int,
    faults: WitnessFaults | None = None,
    seed: int = 0,
    eyes: Callable[[Tensor], Tensor] | None = None,
) -> Searches:
    right = np.arange(min(witnesses, len(people.seen)))
    seen = people.seen[: len(right)]
    # Witnesses count their seeds up from the search's: 1000 apart, none is shared.
    return run_searches(
        *(space, step, load_identity(), seen, people.gallery, right, faults),
        **{"rounds": ROUNDS, "count": COUNT, "picks": PICKS, "seed": 1000 * seed, "eyes": eyes},
    )


def _described(searches: Searches) -> dict:
    tables = {name: identification(searches.ranks, within) for name, within in (("rank_1", 1), ("top_10", 10))}
    return {
        "witnesses": len(searches.ranks),
        "viewed": searches.viewed.tolist(),
        **{name: _rounded(table) for name, table in tables.items()},
        "median_rank": np.median(searches.ranks, axis=0).tolist(),
    }


def _ceilings(people: People) -> dict:
    """Identification without a search: of the face itself, and of what each space's encoder makes of it."""
    identity, right = load_identity(), np.arange(min(WITNESSES, len(people.seen)))
    looks = {"the picture that was seen": people.seen[: len(right)]}
    for name in SPACES:
        space = load_space(name)
        coordinates = torch.cat([space.encode(part) for part in people.pictures[: len(right)].split(50)])
        looks[f"encoded into {name}"] = embed(space, identity, coordinates)
    ranks = {name: ranks_of(look, people.gallery, right) for name, look in looks.items()}
    return {
        name: {"rank_1": mean_interval(some <= 1), "top_10": mean_interval(some <= 10)} for name, some in ranks.items()
    }


def _rounded(table: pd.DataFrame) -> dict:
    return table.round(4).to_dict("list")


PARTS: dict[str, Callable[[People], dict]] = {
    "ceilings": _ceilings,
    "vae_genetic": _identified("vae", "genetic"),
    "vae_inferred": _identified("vae", "inferred"),
    "vae_learned": _identified("vae", "learned"),
    "w_genetic": _identified("w", "genetic", FEW_WITNESSES),  # a face of W costs three times as much
    "faults": _faults,
    "other_eyes": _other_eyes,
    "morphs": _morphs,
    "pixels": _methods("pixels", SEEDS),
    "identity": _methods("identity", SEEDS),
    "operators": _operators,
    "sizes": _sizes,
}


def main(arguments: list[str] | None = None) -> None:
    """Run the study, and keep its results if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="set whose held-out people are searched for")
    parser.add_argument("--gallery", type=Path, help="set of another seed, whose people fill the gallery")
    parser.add_argument("--run", type=Path, required=True, help="folder for the parts")
    parser.add_argument("--parts", nargs="*", default=None, help="which parts: " + ", ".join(PARTS))
    parser.add_argument("--record", action="store_true", help="keep the results beside the bundled data")
    given = parser.parse_args(arguments)
    found = study(given.data, given.gallery, given.run, given.parts)
    if given.record:
        write_json(record_path(), found)


if __name__ == "__main__":
    main()
