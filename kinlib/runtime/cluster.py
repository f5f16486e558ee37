"""A function mapped over jobs on a Ray cluster, with the promises of `kinlib.runtime.worker_pool`.

Results come in the order of the jobs, a few jobs are under way per worker, and the caller alone writes files. A worker
that dies, or whose machine does, is started again elsewhere and given its job once more, so that nothing is lost.

The workers are Ray's actors, each with its networks from job to job, and `in_order` keeps the order. The same jobs were
tried as a pipeline of Ray Data, which keeps order, bytes and killed jobs as well, but not all that is promised here:
`from_items(jobs, override_num_blocks=len(jobs)).map_batches(Actor, batch_size=1, concurrency=2)` with `preserve_order`,
read by `iter_rows` (Linux, Python 3.11, Ray 2.60.0, pyarrow 26.0.1, pandas 3.1.1; two cores; for the flat memory an
object store of 1 GB).

| promise | here | Ray Data |
|---|---|---|
| results in the order of the jobs | kept | kept |
| the same objects back: bytes, arrays, tables | kept | kept |
| a killed worker's job is done again, none is lost | kept | kept |
| the first result before the last job has run | after 2 of 200 | after 4 of 200 |
| jobs are taken as they are needed | 3 of 200 at the first result | all 200: it takes a list |
| flat memory with a slow reader, results of 1 MB | 8 of 400 jobs | 478 of 1,500, half of the store |
| a job that kills every worker ends in an error | after 4 deaths, 7 s | none in 150 s; 80 s with `max_task_retries=3` |
| what the function raises arrives as itself | kept | as a `UserCodeException` with the traceback's text |
| 200 empty jobs, workers started | 3 s | 12 s |
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import cores, in_order, single_threaded, spread

__all__ = ["ENGINES", "check_engine", "spread_by", "spread_on_ray"]

Job, Result = TypeVar("Job"), TypeVar("Result")

ENGINES = ("local", "ray")
ON_ONE_CARD = 4  # processes that share a graphics card, so that it computes while others read and write
RETRIES = 3  # of a job whose worker died; one that kills four workers would kill a fifth
NO_ANSWER = (
    "Ray does not start or answer: check RAY_ADDRESS, and set RAY_AUTH_MODE=token for a cluster that asks for a token, "
    "or unset the address to start a cluster here"
)
MISSING = "ray is not installed: run `pip install 'kinlib[scale]'`, or leave out --engine"
DIED = "a Ray worker died again and again, most likely for lack of memory: run the same again with fewer --workers"


def check_engine(name: str) -> None:
    """Raises KinlibError for an unknown engine, or one whose package is not here."""
    if name not in ENGINES:
        raise KinlibError(f"unknown engine '{name}': choose one of {', '.join(ENGINES)}")


def spread_by(
    engine: str,
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    workers: int | None = None,
    device: str = "cpu",
) -> Iterator[Result]:
    """`spread` by the engine of that name: the processes of this machine, or those of a Ray cluster.

    Args:
        engine: one of `ENGINES`.
        function, jobs: as `spread` takes them.
        workers: number of processes or actors; None takes all cores or all the room, and a few for a graphics card.
        device: where the jobs compute.

    Raises:
        KinlibError: as `spread` and `spread_on_ray`, or if there is no such engine.
    """
    check_engine(engine)
    on_card = device != "cpu"
    if engine == "ray":
        yield from spread_on_ray(function, jobs, workers, 1 / ON_ONE_CARD if on_card else 0.0)
    else:
        yield from spread(function, jobs, workers or (min(cores(), ON_ONE_CARD) if on_card else None))


def spread_on_ray(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None = None, cards: float = 0.0
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in their order, computed by a Ray cluster.

    It is the cluster that `RAY_ADDRESS` names, or else one that is started here and now. Every machine of it must have
    kinlib, its weights, and the files that jobs name, under the same paths.

    Args:
        function: at the top level of a module.
        jobs: small picklable objects, taken from the iterator as they are needed.
        workers: number of actors, at most as many as the cluster has room for; None takes all the room.
        cards: share of a graphics card that each actor takes; 0 for a CPU core.

    Raises:
        KinlibError: if Ray is not installed, does not start or has no room, or a job has killed several workers.
        Exception: what `function` raises.
    """
    try:
        import ray
    except ImportError as error:
        raise KinlibError(MISSING) from error
    own = not ray.is_initialized()
    try:
        if own:
            _connect()
        yield from _in_order(function, jobs, workers, cards)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
        raise KinlibError(DIED) from error
    finally:
        if own:
            ray.shutdown()


def _connect() -> None:
    import ray

    try:
        ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    except Exception as error:  # Ray has no class for it
        raise KinlibError(f"{NO_ANSWER} ({type(error).__name__})") from error


def _room(workers: int | None, cards: float) -> int:
    """How many actors: one without room would keep its job waiting for ever."""
    import ray

    room = ray.cluster_resources()
    most = int(min(room.get("CPU", 0), room.get("GPU", 0) / cards if cards else math.inf))
    if most < 1:
        device = "cuda" if cards else "cpu"
        raise KinlibError(f"the Ray cluster has no room for the device '{device}': choose another --device")
    return min(workers or most, most)


def _in_order(function: Callable, jobs: Iterable, workers: int | None, cards: float) -> Iterator:
    import ray

    # A dead actor is started again, as often as needed, and repeats its job.
    actor = ray.remote(num_cpus=1, num_gpus=cards, max_restarts=-1, max_task_retries=RETRIES)(_Worker)

    def begin(job: object, worker: Any) -> tuple[Any, Any]:
        worker = actor.remote(function) if worker is None else worker
        return worker.call.remote(job), worker

    def collect(busy: list) -> Iterator[tuple[Any, object]]:
        (finished, *_), _ = ray.wait(busy, num_returns=1)
        yield finished, ray.get(finished)

    yield from in_order(jobs, _room(workers, cards), begin, collect)


class _Worker:
    """A process of the cluster."""

    def __init__(self, function: Callable):
        single_threaded()  # the other cores have jobs of their own
        self.function = function

    def call(self, job: object) -> object:
        return self.function(job)
