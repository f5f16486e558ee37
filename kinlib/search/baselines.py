"""Other ways to search the same space with the same fitness: chance, CMA-ES (Hansen 2016), and gradients.

Each returns the best fitness after every so many decoded pictures, so that all can be held against the genetic
algorithm's by what they cost. A gradient needs a pass back beside the one forward, which costs about twice as much: a
step counts as three pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from kinlib.runtime.errors import KinlibError

__all__ = ["METHODS", "Trace", "available", "cma_es", "genetic", "gradient", "random_search"]

STEP_COST = 3  # pictures, of one step along a gradient
LR = 0.1  # of Adam; coordinates have a standard deviation of 1
PULL = 1e-3  # of the coordinates' mean square on the loss: they stay where faces are
SIGMA = 0.5  # first step of CMA-ES; the faces' own standard deviation is 1

Decode = Callable[[Tensor], Tensor]
Fitness = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Trace:
    """What a search found, and at what price.

    Attributes:
        best: coordinates, float32 [D].
        evaluations: pictures decoded, int64 [T], rising.
        fitness: the best fitness until then, float64 [T], never falling.
    """

    best: Tensor
    evaluations: np.ndarray
    fitness: np.ndarray


def genetic(
    decode: Decode,
    fitness: Fitness,
    num_dimensions: int,
    evaluations: int,
    seed: int = 0,
    population: int = 100,
    **more,
) -> Trace:
    """The genetic algorithm with what `kinlib.search.genetic.search` takes in `more`."""
    from kinlib.search.genetic import search

    new = population - more.get("elite", 1)  # the elite is not decoded again
    found = search(
        *(decode, fitness, num_dimensions),
        population=population,
        generations=max((evaluations - population) // new, 0),
        seed=seed,
        **more,
    )
    counts = [generation.evaluations for generation in found.generations]
    return Trace(found.best, np.array(counts), np.array(found.history))


def random_search(
    decode: Decode, fitness: Fitness, num_dimensions: int, evaluations: int, seed: int = 0, batch: int = 100
) -> Trace:
    """Independent draws of faces."""
    rng = torch.Generator().manual_seed(seed)
    return _asked(
        lambda best: torch.randn(batch, num_dimensions, generator=rng), None, decode, fitness, evaluations, batch
    )


def cma_es(
    decode: Decode, fitness: Fitness, num_dimensions: int, evaluations: int, seed: int = 0, batch: int = 20
) -> Trace:
    """CMA-ES from the average face.

    Raises:
        KinlibError: if the package `cma` is not installed.
    """
    try:
        import cma
    except ImportError as error:
        raise KinlibError("CMA-ES needs the package cma: pip install cma") from error
    options = {"seed": seed + 1, "popsize": batch, "verbose": -9, "maxfevals": np.inf, "tolfun": 0, "tolx": 0}
    strategy = cma.CMAEvolutionStrategy(np.zeros(num_dimensions), SIGMA, options)  # its seed 0 means the clock's

    def ask(best: Tensor | None) -> Tensor:
        return torch.from_numpy(np.stack(strategy.ask())).float()

    def tell(asked: Tensor, values: np.ndarray) -> None:
        strategy.tell(list(asked.double().numpy()), list(-values))

    return _asked(ask, tell, decode, fitness, evaluations, batch)


def _asked(ask, tell, decode: Decode, fitness: Fitness, evaluations: int, batch: int) -> Trace:
    """Draw, judge and learn in batches."""
    best, highest, trace = None, -np.inf, []
    for done in range(batch, evaluations + 1, batch):
        asked = ask(best)
        with torch.no_grad():
            values = fitness(decode(asked)).double().numpy()
        if tell is not None:
            tell(asked, values)
        if values.max() > highest:
            best, highest = asked[int(values.argmax())], float(values.max())
        trace.append((done, highest))
    counts, history = zip(*trace, strict=True)
    return Trace(best, np.array(counts), np.array(history))


def gradient(decode: Decode, fitness: Fitness, num_dimensions: int, evaluations: int, seed: int = 0) -> Trace:
    """Adam on the logarithm of the fitness, from one random face; `decode` has to be differentiable.

    Where the fitness may be negative, as a cosine, the fitness itself is taken.
    """
    rng = torch.Generator().manual_seed(seed)
    with torch.inference_mode(False), torch.enable_grad():
        coordinates = torch.randn(1, num_dimensions, generator=rng).requires_grad_(True)
        optimizer = torch.optim.Adam([coordinates], LR)
        best, highest, trace = coordinates.detach()[0].clone(), -np.inf, []
        for done in range(STEP_COST, evaluations + 1, STEP_COST):
            value = fitness(decode(coordinates))[0]
            reached = float(value.detach())
            if reached > highest:
                best, highest = coordinates.detach()[0].clone(), reached
            trace.append((done, highest))
            gain = value.log() if reached > 1 else value  # inverse errors of any size, or a cosine
            loss = PULL * coordinates.square().mean() - gain
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    counts, history = zip(*trace, strict=True)
    return Trace(best, np.array(counts), np.array(history))


METHODS = {"genetic": genetic, "random": random_search, "cma": cma_es, "gradient": gradient}


def available() -> dict[str, Callable[..., Trace]]:
    """Those of `METHODS` whose packages are installed: all, or all but CMA-ES."""
    return {name: method for name, method in METHODS.items() if name != "cma" or find_spec("cma") is not None}
