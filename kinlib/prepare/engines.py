"""Who does the work: the processes of this machine, or a Ray cluster. Both give the same bytes."""

import math
from collections.abc import Callable, Iterator

from kinlib.prepare.parts import Part, PreparedPart, prepare_part
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import cores, spread

__all__ = ["ENGINES", "Engine"]

ON_ONE_CARD = 4  # processes that share a graphics card, so that it computes while others read and cut
NO_ANSWER = "Ray does not start or answer: check RAY_ADDRESS, or unset it to start a cluster here"
MISSING = "ray is not installed: run `pip install 'kinlib[scale]'`, or leave out --engine"

Engine = Callable[[list[Part], int | None], Iterator[PreparedPart]]


def on_this_machine(parts: list[Part], workers: int | None = None) -> Iterator[PreparedPart]:
    """Prepare parts on all cores, or with a few processes on one graphics card.

    Args:
        parts: of one folder.
        workers: number of processes; 1 works in this one.

    Raises:
        KinlibError: if a process dies, or the networks cannot be loaded.
    """
    most = cores() if parts and parts[0].device == "cpu" else min(cores(), ON_ONE_CARD)
    yield from spread(prepare_part, parts, workers or most)


def on_ray(parts: list[Part], workers: int | None = None) -> Iterator[PreparedPart]:
    """Prepare parts on the Ray cluster that `RAY_ADDRESS` names, or else on one that is started here and now.

    Every machine of the cluster must have kinlib, its weights, and the pictures under the same path.

    Args:
        parts: of one folder.
        workers: number of actors, at most as many as the cluster has room for; None takes all the room.

    Raises:
        KinlibError: if Ray is not installed, does not start or has no room, an actor dies, or the networks cannot be
            loaded.
    """
    if not parts:
        return
    try:
        import ray
    except ImportError as error:
        raise KinlibError(MISSING) from error
    own = not ray.is_initialized()
    try:
        if own:
            _connect()
        yield from _from_actors(parts, workers)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
        raise KinlibError(
            "a Ray worker died, most likely for lack of memory: run the same again with fewer --workers"
        ) from error
    finally:
        if own:
            ray.shutdown()


def _connect() -> None:
    import ray

    try:
        ray.init(log_to_driver=False, logging_level="error", include_dashboard=False)
    except Exception as error:  # Ray has no class for it
        raise KinlibError(f"{NO_ANSWER} ({type(error).__name__})") from error


def _from_actors(parts: list[Part], workers: int | None) -> Iterator[PreparedPart]:
    """Each actor has one part at a time and gets the next when it hands over the last."""
    import ray
    from ray.util import ActorPool

    cards = 0 if parts[0].device == "cpu" else 1 / ON_ONE_CARD
    room = ray.cluster_resources()
    most = int(min(room.get("CPU", 0), room.get("GPU", 0) / cards if cards else math.inf))
    if most < 1:
        raise KinlibError(f"the Ray cluster has no room for the device '{parts[0].device}': choose another --device")
    actor = ray.remote(num_cpus=1, num_gpus=cards)(_Preparer)
    count = min(workers or most, most, len(parts))  # an actor without room would keep its part waiting for ever
    pool = ActorPool([actor.remote() for _ in range(count)])
    yield from pool.map_unordered(lambda worker, part: worker.prepare.remote(part), parts)


class _Preparer:
    """A process of the cluster; it keeps the networks from part to part."""

    def prepare(self, part: Part) -> PreparedPart:
        return prepare_part(part)


ENGINES: dict[str, Engine] = {"local": on_this_machine, "ray": on_ray}
