"""Genetic search over latent vectors: the essay's algorithm, with the operators that it leaves open.

A chromosome is a latent vector, an individual the picture that it decodes to. Each generation keeps its best, picks
parents, and fills up with their children by crossover and mutation. Fitness is a function of pictures, never of latent
vectors: the essay's is the inverse of the mean squared error to a target picture.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["CROSSOVERS", "MUTATIONS", "SELECTIONS", "Generation", "SearchResult", "evolve", "inverse_mse", "search"]

Draw = Callable[[np.random.Generator, int], np.ndarray]

TOURNAMENT = 3  # individuals in a tournament, of which the best becomes a parent
OVERSHOOT = 0.25  # of the distance between parents, by which blended genes may lie outside it; keeps the spread
STEP = 0.3  # standard deviation of a Gaussian mutation; latent vectors have a standard deviation of 1
RATE = 0.05  # share of the genes that a Gaussian mutation changes
EPSILON = 1e-12  # of a squared error; the fitness of the target itself would be infinite


@dataclass(frozen=True)
class Generation:
    """One generation, from the fittest to the least fit.

    Attributes:
        number: 0 for the first.
        population: chromosomes, float32 [P, D].
        fitness: float64 [P], falling.
        evaluations: pictures decoded up to here.
    """

    number: int
    population: Tensor
    fitness: np.ndarray
    evaluations: int


@dataclass
class SearchResult:
    """What a search found.

    Attributes:
        generations: all of them, the first population included.
    """

    generations: list[Generation]
    _decode: Callable[[Tensor], Tensor] = field(repr=False)

    @property
    def best(self) -> Tensor:
        """The fittest chromosome, float32 [D]."""
        return self.generations[-1].population[0]

    @property
    def best_fitness(self) -> float:
        """Its fitness."""
        return float(self.generations[-1].fitness[0])

    @property
    def history(self) -> list[float]:
        """The best fitness in each generation; it never falls."""
        return [float(generation.fitness[0]) for generation in self.generations]

    @property
    def population(self) -> Tensor:
        """The last population, float32 [P, D], from the fittest to the least fit."""
        return self.generations[-1].population

    def pictures(self, generation: int = -1, count: int = 10) -> Tensor:
        """The fittest individuals of a generation, as `decode` gives them.

        Raises:
            KinlibError: if there is no such generation.
        """
        try:
            population = self.generations[generation].population
        except IndexError:
            raise KinlibError(f"there are generations 0 to {len(self.generations) - 1}, not {generation}") from None
        return self._decode(population[:count])


def inverse_mse(target: Tensor) -> Callable[[Tensor], Tensor]:
    """The essay's fitness: 1 / (mean squared error to a target [3, H, W]), of pictures [B, 3, H, W]."""

    def fitness(pictures: Tensor) -> Tensor:
        return 1 / ((pictures - target).square().flatten(1).mean(dim=1) + EPSILON)  # [B, 3, H, W] -> [B]

    return fitness


# ---- operators ------------------------------------------------------------------------------------------------------
# Selection: fitness [P], falling, and a count to the numbers of parents [count]. Crossover: two parents [N, D] each to
# children [N, D]. Mutation: children [N, D] and fresh chromosomes [N, D] to children.


def _top(rng: np.random.Generator, fitness: np.ndarray, count: int) -> np.ndarray:
    return np.arange(count)


def _tournament(rng: np.random.Generator, fitness: np.ndarray, count: int) -> np.ndarray:
    return rng.integers(len(fitness), size=(count, TOURNAMENT)).min(axis=1)  # the lowest number is the fittest


def _roulette(rng: np.random.Generator, fitness: np.ndarray, count: int) -> np.ndarray:
    """In proportion to how much fitter than the least fit they are, each once at most."""
    shares = fitness - fitness.min()
    shares = shares + (shares.max() or 1) * 1e-6  # none is impossible, and equally fit ones are equally likely
    return rng.choice(len(fitness), size=count, replace=False, p=shares / shares.sum())


def _uniform(rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.where(rng.random(first.shape) < 0.5, first, second)


def _segment(rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A contiguous segment of the second parent in the first; its ends are drawn uniformly."""
    dimensions = first.shape[1]
    start, end = np.sort(rng.integers(dimensions + 1, size=(2, len(first), 1)), axis=0)
    genes = np.arange(dimensions)
    return np.where((genes >= start) & (genes < end), second, first)


def _blend(rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """BLX-alpha (Eshelman and Schaffer 1993): each gene uniformly between the parents', and a little beyond."""
    share = rng.uniform(-OVERSHOOT, 1 + OVERSHOOT, size=first.shape)
    return first + share * (second - first)


def _one_gene(rng: np.random.Generator, children: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """The essay's: one gene of each child is drawn anew."""
    rows, genes = np.arange(len(children)), rng.integers(children.shape[1], size=len(children))
    children[rows, genes] = fresh[rows, genes]
    return children


def _gaussian(rng: np.random.Generator, children: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    changed = rng.random(children.shape) < RATE
    return children + changed * rng.normal(scale=STEP, size=children.shape)


def _none(rng: np.random.Generator, children: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    return children


SELECTIONS = {"top": _top, "tournament": _tournament, "roulette": _roulette}
CROSSOVERS = {"uniform": _uniform, "segment": _segment, "blend": _blend}
MUTATIONS = {"gene": _one_gene, "gaussian": _gaussian, "none": _none}


# ---- search ---------------------------------------------------------------------------------------------------------


def search(
    decode: Callable[[Tensor], Tensor],
    fitness: Callable[[Tensor], Tensor],
    num_dimensions: int,
    *,
    population: int = 100,
    parents: int = 10,
    generations: int = 100,
    crossover: str = "uniform",
    mutation: str = "gene",
    selection: str = "top",
    seed: int = 0,
    **more,
) -> SearchResult:
    """Search for the latent vector whose picture is fittest.

    Args:
        decode: latent vectors, float32 [B, D], to pictures.
        fitness: pictures to [B] finite numbers, the larger the better.
        num_dimensions: D.
        population: individuals in a generation.
        parents: individuals that have children; the essay's k.
        generations: after the first population.
        crossover: "uniform", "segment" or "blend".
        mutation: "gene" (one of a child's genes is drawn anew), "gaussian" or "none".
        selection: "top", "tournament" or "roulette".
        seed: of all draws.
        **more: of `evolve`.

    Raises:
        KinlibError: for numbers or operators that cannot be, more parents than individuals, or a fitness that is no
            number for each picture.
    """
    if generations < 0:
        raise KinlibError(f"the number of generations must be 0 or more, not {generations}")
    steps = evolve(
        *(decode, fitness, num_dimensions),
        population=population,
        parents=parents,
        crossover=crossover,
        mutation=mutation,
        selection=selection,
        seed=seed,
        **more,
    )
    return SearchResult([next(steps) for _ in range(generations + 1)], decode)


def evolve(
    decode: Callable[[Tensor], Tensor],
    fitness: Callable[[Tensor], Tensor],
    num_dimensions: int,
    *,
    population: int = 100,
    parents: int = 10,
    crossover: str = "uniform",
    mutation: str = "gene",
    selection: str = "top",
    elite: int = 1,
    draw: Draw | None = None,
    begin: Generation | None = None,
    seed: int = 0,
) -> Iterator[Generation]:
    """The generations of a search, one after the other and without end.

    What a generation draws depends on the seed and its number alone, so that a search goes on from any of them as if it
    had never stopped.

    Args:
        decode, fitness, num_dimensions, population, parents, crossover, mutation, selection, seed: as of `search`.
        elite: individuals that live on unchanged, at least 1.
        draw: random generator and count to fresh chromosomes [count, D]; the standard normal distribution by default.
        begin: the generation to go on from; None draws a first one, which is yielded.

    Raises:
        KinlibError: as `search`.
    """
    _check(num_dimensions, population, parents, elite, begin)
    operators = (
        _known("selection", selection, SELECTIONS),
        _known("crossover", crossover, CROSSOVERS),
        _known("mutation", mutation, MUTATIONS),
    )
    draw = draw or (lambda rng, count: rng.standard_normal((count, num_dimensions)))
    now = begin
    while True:
        rng = np.random.default_rng([seed, 0 if now is None else now.number + 1])
        if now is None:
            now = _ranked(0, draw(rng, population), np.empty(0), np.empty((0, num_dimensions)), 0, decode, fitness)
        else:
            chromosomes = now.population.numpy()
            children = _children(rng, chromosomes, now.fitness, population - elite, parents, draw, operators)
            kept = now.fitness[:elite], chromosomes[:elite]
            now = _ranked(now.number + 1, children, *kept, now.evaluations, decode, fitness)
        yield now


def _children(rng, chromosomes, fitness, count, parents, draw, operators) -> np.ndarray:
    """The next generation's new individuals, [count, D]."""
    select, cross, mutate = operators
    chosen = chromosomes[select(rng, fitness, parents)]
    first = rng.integers(parents, size=count)
    second = (first + rng.integers(1, max(parents, 2), size=count)) % parents  # another one, if there are two
    return mutate(rng, cross(rng, chosen[first], chosen[second]), draw(rng, count))


def _ranked(number, chromosomes, kept_fitness, kept, evaluations, decode, fitness) -> Generation:
    """A generation of new chromosomes, which are decoded and judged, and kept ones, whose fitness is known."""
    new = torch.from_numpy(np.ascontiguousarray(chromosomes, dtype=np.float32))
    values = np.concatenate([kept_fitness, _judge(new, decode, fitness)])
    everybody = torch.cat([torch.from_numpy(np.ascontiguousarray(kept, dtype=np.float32)), new])
    order = np.argsort(-values, kind="stable")
    return Generation(number, everybody[torch.from_numpy(order)], values[order], evaluations + len(new))


def _judge(chromosomes: Tensor, decode, fitness) -> np.ndarray:
    with torch.no_grad():
        values = torch.as_tensor(fitness(decode(chromosomes))).detach().cpu().double().numpy()
    if values.shape != (len(chromosomes),):
        raise KinlibError(f"the fitness must be one number a picture, [{len(chromosomes)}], not {list(values.shape)}")
    if not np.isfinite(values).all():
        raise KinlibError(
            f"the fitness of {(~np.isfinite(values)).sum()} of {len(values)} pictures is no finite number"
        )
    return values


def _known(kind: str, name: str, table: dict[str, Callable]) -> Callable:
    if name not in table:
        raise KinlibError(f"there is no {kind} '{name}': {', '.join(table)}")
    return table[name]


def _check(num_dimensions: int, population: int, parents: int, elite: int, begin: Generation | None) -> None:
    for name, value in (("dimensions", num_dimensions), ("individuals", population), ("parents", parents)):
        if value < 1:
            raise KinlibError(f"the number of {name} must be 1 or more, not {value}")
    if parents > population:
        raise KinlibError(f"there cannot be more parents ({parents}) than individuals ({population})")
    if not 1 <= elite <= population:
        raise KinlibError(f"the elite must be 1 to {population} individuals, not {elite}")
    if begin is not None and tuple(begin.population.shape) != (population, num_dimensions):
        shape = list(begin.population.shape)
        raise KinlibError(f"the population to go on from must be [{population}, {num_dimensions}], not {shape}")
