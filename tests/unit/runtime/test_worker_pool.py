"""Work spread over processes: in order, not too far ahead, and nothing left behind however it ends."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
from command_line import as_in_the_foreground

from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import JOBS_AHEAD, cores, spread

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def slow_square(number: int) -> int:
    """The first jobs take longest, so that results arrive out of order."""
    time.sleep(0.2 / (1 + number))
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise KinlibError("three is not to be had")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def lifeless(pids: list[int]) -> bool:
    """Whether all these processes have ended; waits for them for a while."""
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{pid}") for pid in pids):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_jobs(workers):
    assert list(spread(slow_square, range(8), workers)) == [n * n for n in range(8)]
    assert not active_children()


@pytest.mark.parametrize("workers", [1, 2])
def test_no_jobs_no_processes(workers):
    assert list(spread(slow_square, [], workers)) == []


def test_no_more_processes_than_jobs():
    results = spread(slow_square, range(2), workers=5)
    assert next(results) == 0 and len(active_children()) <= 2
    assert list(results) == [1]


def test_jobs_are_taken_as_they_are_needed():
    taken = []
    results = spread(slow_square, (taken.append(n) or n for n in range(1000)), workers=2)
    for _ in range(5):
        next(results)
    assert len(taken) <= 5 + 2 * JOBS_AHEAD
    results.close()
    assert not active_children()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_as_it_was_raised(workers):
    results = spread(fail_at_three, range(100), workers)
    with pytest.raises(KinlibError, match="three is not to be had") as caught:
        list(results)
    if workers > 1:
        assert "fail_at_three" in caught.value.__notes__[0]  # where it happened
    assert not active_children()


@posix
def test_a_process_that_dies_is_told_in_a_sentence():
    with pytest.raises(KinlibError, match=r"a worker process died.* fewer --workers"):
        list(spread(die_at_three, range(100), 2))
    assert not active_children()


PROGRAM = """
from jobs import job
from kinlib.runtime.worker_pool import spread
if __name__ == "__main__":
    for pid in spread(job, {jobs}, 2):
        print(pid, flush=True)
"""


def start_program(folder: Path, jobs: list[float]) -> subprocess.Popen:
    """Start a program, in a session of its own, that prints the process of each job when the job is done."""
    (folder / "jobs.py").write_text("import os, time\ndef job(n):\n    time.sleep(n)\n    return os.getpid()\n")
    (folder / "program.py").write_text(PROGRAM.format(jobs=jobs))
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


@posix
@pytest.mark.parametrize(("how", "seconds"), [("Ctrl-C", 600), ("killed", 2)])
def test_processes_end_with_their_caller(tmp_path, how, seconds):
    """Ctrl-C goes to all processes of a terminal, and only the caller may answer; kill -9 reaches the caller alone."""
    with as_in_the_foreground():
        running = start_program(tmp_path, [0, 0] + [seconds] * 9)
    with running:
        workers = [int(running.stdout.readline()) for _ in range(2)]
        if how == "killed":
            running.kill()  # those at work notice when they have done their jobs
        else:
            os.killpg(running.pid, signal.SIGINT)
        err = running.communicate(timeout=30)[1]
        assert lifeless(workers)
    assert err.count("Traceback") == (how == "Ctrl-C")  # the caller's own


@posix
def test_a_background_job_goes_on_after_ctrl_c(tmp_path):
    """A shell has its background jobs ignore SIGINT; neither the caller nor its workers may bring it back."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = start_program(tmp_path, [0, 0, 2, 2])
    finally:
        signal.signal(signal.SIGINT, before)
    with running:
        workers = [running.stdout.readline() for _ in range(2)]
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 0 and err == ""
    assert len(out.splitlines()) == 2 and all(workers)


def test_cores_are_those_that_may_be_used():
    assert 1 <= cores() <= (os.cpu_count() or 1)


UNGUARDED = """
from kinlib.runtime.errors import KinlibError
from kinlib.runtime.worker_pool import spread
try:
    print(list(spread(abs, [-1, -2], workers=2)))
except KinlibError as problem:
    print(problem)
"""


def test_a_script_without_a_guard_is_told_so(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and done.returncode == 0
    assert "cannot import this script: put `if __name__ == '__main__':` above what starts it" in done.stdout


FORKED = """
import multiprocessing
import torch
import kinlib

torch.set_num_threads(2)
weights = torch.randn(512, 512)

def work(number):
    return float((weights @ weights).sum())

if __name__ == "__main__":
    work(0)  # starts OpenMP's threads
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(len(pool.map_async(work, range(4)).get(timeout=60)))
"""


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="needs fork")
def test_a_forked_pool_can_use_networks_that_its_caller_has_used(tmp_path):
    (tmp_path / "script.py").write_text(FORKED)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout == "4\n", done.stderr[-500:]
