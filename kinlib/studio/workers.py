"""Work spread over all cores, in processes of one thread each.

Each process compiles nothing itself: the renderer is warmed up once before they start, and numba keeps what it compiled
on disk. Results come in the order of the jobs, so that what is written does not depend on the number of processes.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from kinlib.errors import KinlibError

__all__ = ["cores", "spread"]

Job, Result = TypeVar("Job"), TypeVar("Result")

AHEAD = 4  # jobs handed out per process, so that finished results do not pile up in memory


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None = None, ready: Callable | None = None
) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order of the jobs.

    Args:
        function: at the top level of a module, so that other processes find it.
        jobs: small picklable things, taken as they are needed.
        workers: number of processes; all cores by default, 1 computes here.
        ready: called once here before the processes start, and once in each of them.

    Raises:
        KinlibError: if a process dies, which is most often a lack of memory.
    """
    workers = workers or cores()
    if ready:
        ready()
    if workers == 1:
        yield from map(function, jobs)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(ready,))
    try:
        yield from _in_order(pool, function, iter(jobs), workers * AHEAD)
    except BrokenProcessPool as error:
        raise KinlibError("a worker process died, perhaps for lack of memory: try again with fewer workers") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, function: Callable, jobs: Iterator, ahead: int) -> Iterator:
    waiting: list[Future] = []
    for job in jobs:
        waiting.append(pool.submit(function, job))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    while waiting:
        yield waiting.pop(0).result()


def _begin(ready: Callable | None) -> None:
    """One thread for each process; Ctrl-C is answered by the parent alone."""
    import signal

    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    if ready:
        ready()
