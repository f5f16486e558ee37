"""A pool of single-threaded processes, one per core, that a function is mapped over.

Results come in the order of the jobs, so that what is written does not depend on the number of processes. The processes
only compute; the caller writes what they return. It can be stopped at any moment, and no file is left half written.

The pool is our own because none of the usual ones kept all of five promises when each was tried (Linux, Python 3.11,
joblib 1.6.0 with its loky, two workers, jobs of 5 s or results of 1 MB):

| promise | `joblib.Parallel` as a generator | loky's executor | `ProcessPoolExecutor` | `multiprocessing.Pool.imap` |
|---|---|---|---|---|
| results in the order of the jobs | kept | kept | kept | kept |
| flat memory with a slow reader | took all 400 jobs, 438 MB | kept | kept | took all 400 jobs, 398 MB |
| a worker that dies raises | kept | kept | kept | no answer within 60 s |
| workers end with a killed caller | 4 processes left after 60 s | ended after 55 s | 3 left after 60 s | kept |
| Ctrl-C: at once, one traceback | kept | two tracebacks | waited 5 s for its jobs | two tracebacks |

The two executors were given jobs through a sliding window, without which they take all jobs at once as well. Here the
pipe to a worker breaks when its caller dies, and the worker ends after the job in hand (4 s in the same trial).
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
from typing import Any, TypeVar

from kinlib.runtime.errors import KinlibError

__all__ = ["JOBS_AHEAD", "check_workers", "cores", "in_order", "one_thread", "single_threaded", "spread"]

Job, Result = TypeVar("Job"), TypeVar("Result")
Pool = dict[Connection, BaseProcess]  # each worker by the caller's end of its pipe

MAX_WORKERS = 256  # processes; more are a slip of the finger
DYING = 5.0  # seconds that a process may take from closing its pipe to its exit code
# A worker's own errors come back through the pipe; it ends with 1 only if it cannot import the caller's script, which
# starts workers again.
UNGUARDED = "a worker process cannot import this script: put `if __name__ == '__main__':` above what starts it"
OUT_OF_MEMORY = "a worker process died, most likely for lack of memory: run the same again with fewer --workers"
JOBS_AHEAD = 4  # per worker, started before the oldest result is taken: keeps workers busy, and memory flat


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int | None) -> None:
    """Check a number of processes given by the user; None leaves the choice to `spread`.

    Raises:
        KinlibError: if it is out of its range.
    """
    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise KinlibError(f"--workers must be from 1 to {MAX_WORKERS}, not {workers}")


def spread(function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None = None) -> Iterator[Result]:
    """Yield `function(job)` for each job, in the order of the jobs.

    Args:
        function: at the top level of a module, so that other processes find it.
        jobs: small picklable objects, taken from the iterator as they are needed.
        workers: number of processes; all cores by default. 1 computes in this process.

    Raises:
        KinlibError: if a worker dies, which is most often a lack of memory.
        Exception: what `function` raises is raised here, with the worker's traceback as a note.
    """
    workers = workers or cores()
    if workers == 1:
        yield from map(function, jobs)
        return
    pool: Pool = {}
    try:
        yield from _in_order(function, jobs, workers, pool)
    finally:
        _stop(pool)


def _in_order(function: Callable, jobs: Iterable, workers: int, pool: Pool) -> Iterator:
    def begin(job: object, worker: Connection | None) -> tuple[Connection, Connection]:
        connection = _start(function, pool) if worker is None else worker
        _send(connection, job, pool[connection])
        return connection, connection

    def collect(busy: list[Connection]) -> Iterator[tuple[Connection, object]]:
        for connection in wait(busy):
            yield connection, _receive(connection, pool[connection])

    return in_order(jobs, workers, begin, collect)


def in_order(
    jobs: Iterable[Job],
    workers: int,
    begin: Callable[[Job, Any], tuple[Any, Any]],
    collect: Callable[[list], Iterable[tuple[Any, Result]]],
) -> Iterator[Result]:
    """Yield results in the order of the jobs; each worker has one job, and gets the next when it hands over the last.

    Args:
        jobs: taken as they are needed, a few ahead of the oldest result.
        workers: how many at most; one is started only when there is a job for it.
        begin: gives a job to a worker, or to a new one for None; returns what stands for the work under way, and the
            worker.
        collect: waits until some of the work under way is done; gives (what stands for it, its result) of each.
    """
    queue = enumerate(jobs)
    busy: dict[Any, tuple[int, Any]] = {}  # number of its job, and the worker, by what stands for the work
    idle: list[Any] = []
    results: dict[int, Result] = {}  # of finished jobs that an earlier job holds up
    due = 0  # number of the next job to be yielded
    while True:
        while (
            len(busy) < workers
            and len(busy) + len(results) < workers * JOBS_AHEAD
            and (job := next(queue, None)) is not None
        ):
            work, worker = begin(job[1], idle.pop() if idle else None)
            busy[work] = job[0], worker
        if not busy:
            return
        for work, result in collect(list(busy)):
            number, worker = busy.pop(work)
            results[number] = result
            idle.append(worker)
        while due in results:
            yield results.pop(due)
            due += 1


def _start(function: Callable, pool: Pool) -> Connection:
    """Start one worker; returns the caller's end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(function, theirs), daemon=True)
    with _ignore_interrupts():
        process.start()
    theirs.close()  # so that reading from our end fails when the worker dies
    pool[ours] = process
    return ours


@contextlib.contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Processes started within ignore SIGINT, which a terminal sends to the whole group: only the caller answers it."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is None:  # Python may not set, or cannot restore, the handler
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(pool: Pool) -> None:
    for process in pool.values():
        process.terminate()
    for connection, process in pool.items():
        process.join()
        connection.close()


def _send(connection: Connection, job: object, process: BaseProcess) -> None:
    with _death_in_words(process):
        connection.send(job)


def _receive(connection: Connection, process: BaseProcess) -> object:
    with _death_in_words(process):
        result, error = connection.recv()
    if error is not None:
        raise error
    return result


@contextlib.contextmanager
def _death_in_words(process: BaseProcess) -> Iterator[None]:
    """Raise a KinlibError when the worker at the other end of the pipe has died."""
    try:
        yield
    except (EOFError, ConnectionError) as error:
        process.join(DYING)
        raise KinlibError(UNGUARDED if process.exitcode == 1 else OUT_OF_MEMORY) from error


def _work(function: Callable, connection: Connection) -> None:
    """Main function of a worker: one job after another until the caller closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # `_ignore_interrupts` does not reach Windows, nor other threads
    single_threaded()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(_attempt(function, connection.recv()))


def single_threaded() -> None:
    """Let libraries compute in one thread, in a process that shares its machine with others of its kind."""
    import cv2
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"  # for libraries that are loaded later
    cv2.setNumThreads(1)
    threadpool_limits(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread within the block, as workers do: the last bits of a sum depend on the number of threads."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()  # PyTorch may have been told a number of its own
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def _attempt(function: Callable, job: object) -> tuple[object, Exception | None]:
    try:
        return function(job), None
    except Exception as error:
        error.add_note(traceback.format_exc())  # the trace does not travel with the exception
        return None, error
