"""A genetic search for the face of a photograph, in a folder: it can be stopped at any time and goes on from there.

DIR/settings.json       what is searched for: another search is refused
DIR/state.safetensors   the last generation kept, and the best fitness of all generations
DIR/best.png            the fittest face so far
DIR/target.png          the aligned photograph, as the search sees it
DIR/top.png             the ten fittest, at the beginning and at the generations that were kept for it
DIR/search.json         the fitness of the best by generation
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from kinlib.io.files import make_folder, sweep, write_bytes, write_json
from kinlib.io.images import resize, to_pil, write_image
from kinlib.io.locks import only_one
from kinlib.io.resume import check_folder, read_note
from kinlib.runtime.errors import KinlibError
from kinlib.search.fitness import FITNESSES, make_fitness
from kinlib.search.genetic import CROSSOVERS, MUTATIONS, SELECTIONS, Generation, evolve
from kinlib.search.spaces import SPACES, SearchSpace

__all__ = ["PictureSearch", "SearchSettings"]

SETTINGS, STATE, LOG = "settings.json", "state.safetensors", "search.json"
EVERY = 25  # generations between two files of the state
TOP = 10  # pictures of a generation that are shown, as in the essay
SHOWN = (0, 100, 500)  # generations of the essay's figures


@dataclass(frozen=True)
class SearchSettings:
    """What decides a search, beside the target and the number of generations.

    Attributes:
        space: "vae" or "w".
        fitness: "pixels" or "identity".
        population: individuals in a generation.
        parents: individuals that have children; the essay's k.
        crossover, mutation, selection: names of operators.
        seed: of all draws.
    """

    space: str = "vae"
    fitness: str = "pixels"
    population: int = 100
    parents: int = 10
    crossover: str = "uniform"
    mutation: str = "gene"
    selection: str = "top"
    seed: int = 0

    def check(self) -> None:
        """Raises KinlibError for what cannot be, before networks are loaded."""
        tables = {"space": SPACES, "fitness": FITNESSES, "crossover": CROSSOVERS, "mutation": MUTATIONS}
        for name, table in {**tables, "selection": SELECTIONS}.items():
            if getattr(self, name) not in table:
                raise KinlibError(f"there is no {name} '{getattr(self, name)}': {', '.join(table)}")
        for name in ("population", "parents"):
            if getattr(self, name) < 1:
                raise KinlibError(f"the number of {name} must be 1 or more, not {getattr(self, name)}")
        if self.parents > self.population:
            raise KinlibError(f"there cannot be more parents ({self.parents}) than individuals ({self.population})")


class PictureSearch:
    """A search for one target, kept in a folder.

    Args:
        space: where to search.
        target: an aligned face [3, H, W] in [-1, 1].
        settings: of the search.
        out: the folder; it is made if need be.

    Raises:
        KinlibError: if the folder holds another search, or a damaged one.
    """

    def __init__(self, space: SearchSpace, target: Tensor, settings: SearchSettings, out: Path):
        settings.check()
        self.space, self.settings, self.out = space, settings, Path(out)
        self.target = resize(target[None], space.size)[0]
        check_folder(self.out)
        make_folder(self.out)
        self._begin()
        self.generation, self.history, self._top = self._resumed()

    def run(self, generations: int) -> Iterator[int]:
        """Search up to a generation; yields the number of each one done.

        Whatever ends it, Ctrl-C for instance, the best so far is written.

        Raises:
            KinlibError: if another process searches in the same folder, or it cannot be written to.
        """
        fitness = make_fitness(self.settings.fitness, self.target, self.space.size)
        steps = evolve(
            *(self.space.decode, fitness, self.space.num_dimensions),
            population=self.settings.population,
            parents=self.settings.parents,
            crossover=self.settings.crossover,
            mutation=self.settings.mutation,
            selection=self.settings.selection,
            begin=self.generation,
            seed=self.settings.seed,
        )
        with only_one(self.out):
            try:
                while self.generation is None or self.generation.number < generations:
                    self._take(next(steps))
                    if self.generation.number % EVERY == 0:
                        self._write_state()
                    yield self.generation.number
            finally:
                if self.generation is not None:
                    self.write()
            sweep(self.out.glob(".*.part"))

    def _take(self, generation: Generation) -> None:
        self.generation = generation
        self.history.append(float(generation.fitness[0]))
        if generation.number in SHOWN:
            self._top[generation.number] = generation.population[:TOP].clone()  # a view would be saved twice

    @property
    def best(self) -> Tensor:
        """The fittest face so far, [3, S, S] in [-1, 1]."""
        return self.space.decode(self.generation.population[:1])[0]

    def write(self) -> None:
        """Write state, pictures and log."""
        self._write_state()
        write_image(to_pil(self.best)[0], self.out / "best.png")
        now = {self.generation.number: self.generation.population[:TOP]}
        write_image(_rows(self.space, self._top | now), self.out / "top.png")
        numbers = {"generations": self.generation.number, "evaluations": self.generation.evaluations}
        write_json(self.out / LOG, {**numbers, "fitness": self.settings.fitness, "history": self.history})

    def _begin(self) -> None:
        note = {**asdict(self.settings), "network": self.space.fingerprint, "target": _digest(self.target)}
        found = read_note(self.out / SETTINGS)
        if found is None:
            write_image(to_pil(self.target)[0], self.out / "target.png")
            write_json(self.out / SETTINGS, note)
            return
        other = next((key for key in note if found.get(key) != note[key]), None)
        if other is not None:
            raise KinlibError(f"'{self.out}' holds a search with another {other}: choose another folder, or delete it")

    def _resumed(self) -> tuple[Generation | None, list[float], dict[int, Tensor]]:
        """Generation, history, and the top of the generations to show, of the folder's state."""
        path = self.out / STATE
        if not path.exists():
            return None, [], {}
        try:
            state = load(path.read_bytes())
            number, evaluations = map(int, state["counts"].tolist())
            population, fitness = state["population"], state["fitness"].numpy()
            history = state["history"].tolist()
            top = {int(key.removeprefix("top.")): value for key, value in state.items() if key.startswith("top.")}
            dimensions = self.space.num_dimensions
            wanted = (self.settings.population, dimensions)
            if tuple(population.shape) != wanted or fitness.shape != wanted[:1] or len(history) != number + 1:
                raise ValueError("it does not fit the settings")
            if any(some.ndim != 2 or some.shape[1] != dimensions or len(some) > TOP for some in top.values()):
                raise ValueError("its pictures do not fit the space")
            if not all(some.isfinite().all() for some in state.values()):
                raise ValueError("it holds what is no finite number")
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
            raise KinlibError(f"'{path}' is damaged: delete the folder, or choose another one") from error
        return Generation(number, population, fitness, evaluations), history, top

    def _write_state(self) -> None:
        now = self.generation
        state = {
            "counts": torch.tensor([now.number, now.evaluations]),
            "population": now.population.contiguous(),
            "fitness": torch.from_numpy(np.ascontiguousarray(now.fitness)),
            "history": torch.tensor(self.history, dtype=torch.float64),
            **{f"top.{number}": some.contiguous() for number, some in self._top.items()},
        }
        write_bytes(self.out / STATE, save(state))


def _digest(target: Tensor) -> str:
    return hashlib.sha256(target.contiguous().numpy().tobytes()).hexdigest()


def _rows(space: SearchSpace, chosen: dict[int, Tensor]) -> Image.Image:
    """The top of several generations, one row each."""
    rows = [np.concatenate([np.asarray(one) for one in to_pil(space.decode(some))], axis=1) for some in chosen.values()]
    width = max(row.shape[1] for row in rows)
    return Image.fromarray(np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]))
