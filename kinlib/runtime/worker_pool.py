"""Work spread over all cores, in processes of one thread each.

Results come in the order of the jobs, so that what is written does not depend on the number of processes. The processes
only compute: whoever takes the results writes them, so that everything can be stopped at any moment and no file is left
half done. When the caller stops, fails or dies, the processes end too.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

from kinlib.runtime.errors import KinlibError

__all__ = ["check_workers", "cores", "spread"]

Job, Result = TypeVar("Job"), TypeVar("Result")
Team = dict[Connection, BaseProcess]

MOST = 256  # processes; more are a slip of the finger
AHEAD = 4  # jobs begun per process before the oldest is taken, so that results do not pile up in memory


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int | None) -> None:
    """Check a number of processes that somebody asked for; None leaves the choice here.

    Raises:
        KinlibError: if it is out of its range.
    """
    if workers is not None and not 1 <= workers <= MOST:
        raise KinlibError(f"--workers must be from 1 to {MOST}, not {workers}")


def spread(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None = None) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order of the jobs.

    Args:
        function: at the top level of a module, so that other processes find it.
        jobs: small picklable things, taken as they are needed.
        workers: number of processes; all cores by default, 1 computes here.

    Raises:
        KinlibError: if a process dies, which is most often a lack of memory.
    """
    workers = workers or cores()
    if workers == 1:
        yield from map(function, jobs)
        return
    team: Team = {}
    try:
        yield from _in_order(function, jobs, workers, team)
    finally:
        _dismiss(team)


def _in_order(function: Callable, jobs: Iterable, workers: int, team: Team) -> Iterator:
    """Results as their turn comes; a process is started when there is work for it."""
    waiting = enumerate(jobs)
    at_work: dict[Connection, int] = {}
    idle: list[Connection] = []
    results: dict[int, object] = {}  # done, but it is not their turn yet
    due = 0
    while True:
        while (
            len(at_work) < workers
            and len(at_work) + len(results) < workers * AHEAD
            and (job := next(waiting, None)) is not None
        ):
            connection = idle.pop() if idle else _hire(function, team)
            _send(connection, job[1])
            at_work[connection] = job[0]
        if not at_work:
            return
        for connection in wait(list(at_work)):
            results[at_work.pop(connection)] = _receive(connection)
            idle.append(connection)
        while due in results:
            yield results.pop(due)
            due += 1


def _hire(function: Callable, team: Team) -> Connection:
    """Start one process; returns the line to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(function, theirs), daemon=True)
    with _deaf_to_interrupts():
        process.start()
    theirs.close()  # so that the line breaks if the process dies
    team[ours] = process
    return ours


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started meanwhile never hears of Ctrl-C, which a terminal sends to all: the caller alone answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _dismiss(team: Team) -> None:
    for process in team.values():
        process.terminate()
    for connection, process in team.items():
        process.join()
        connection.close()


def _send(connection: Connection, job: object) -> None:
    with _alive():
        connection.send(job)


def _receive(connection: Connection) -> object:
    with _alive():
        result, error = connection.recv()
    if error is not None:
        raise error
    return result


@contextlib.contextmanager
def _alive() -> Iterator[None]:
    """Say in a sentence that the process at the other end is gone."""
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise KinlibError(
            "a worker process died, most likely for lack of memory: run the same again with fewer --workers"
        ) from error


def _work(function: Callable, connection: Connection) -> None:
    """Life of a process: job after job until the caller is gone."""
    import cv2
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # not inherited everywhere
    os.environ["OMP_NUM_THREADS"] = "1"  # for libraries that are loaded later
    cv2.setNumThreads(1)
    threadpool_limits(1)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(_attempt(function, connection.recv()))


def _attempt(function: Callable, job: object) -> tuple[object, Exception | None]:
    try:
        return function(job), None
    except Exception as error:
        error.add_note(traceback.format_exc())  # the trace does not travel with the exception
        return None, error
