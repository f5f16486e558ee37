"""Who does the work: the processes of this machine, or a Ray cluster. Both give the same bytes."""

from collections.abc import Callable, Iterator

from kinlib.prepare.parts import Part, PreparedPart, prepare_part
from kinlib.runtime.cluster import spread_by

__all__ = ["ENGINES", "Engine"]

Engine = Callable[[list[Part], int | None], Iterator[PreparedPart]]


def on_this_machine(parts: list[Part], workers: int | None = None) -> Iterator[PreparedPart]:
    """Prepare parts on all cores, or with a few processes on one graphics card.

    Args:
        parts: of one folder.
        workers: number of processes; 1 works in this one.

    Raises:
        KinlibError: if a process dies, or the networks cannot be loaded.
    """
    if parts:
        yield from spread_by("local", prepare_part, parts, workers, parts[0].device)


def on_ray(parts: list[Part], workers: int | None = None) -> Iterator[PreparedPart]:
    """Prepare parts on a Ray cluster, whose machines have the pictures under the same path; see `spread_on_ray`.

    Args:
        parts: of one folder.
        workers: number of actors, at most as many as the cluster has room for; None takes all the room.

    Raises:
        KinlibError: as `spread_on_ray`, or if the networks cannot be loaded.
    """
    if parts:
        yield from spread_by("ray", prepare_part, parts, workers, parts[0].device)


ENGINES: dict[str, Engine] = {"local": on_this_machine, "ray": on_ray}
