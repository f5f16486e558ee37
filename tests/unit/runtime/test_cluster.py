"""Work spread over a Ray cluster of two workers: in order, whoever dies."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from kinlib.runtime.cluster import spread_by, spread_on_ray
from kinlib.runtime.errors import KinlibError

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def in_a_worker(job: int) -> tuple[int, int]:
    """Jobs end out of order; (its square, the worker's process)."""
    time.sleep(0.05 * (job % 3))
    return job * job, os.getpid()


def kill_itself(job: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return job


def die_at(marker: Path, job: int) -> tuple[int, int]:
    if job == 4 and not marker.exists():
        marker.touch()
        kill_itself(job)
    return in_a_worker(job)


def refuse(job: int) -> int:
    raise KinlibError("three is not to be had")


def local(function):
    """Functions of this module as the workers get them: by value, for they cannot import it."""
    import sys

    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return function


@posix
def test_a_worker_is_killed_and_nothing_is_lost(cluster, tmp_path):
    found = list(spread_on_ray(local(partial(die_at, tmp_path / "killed")), range(9), workers=2))
    assert [square for square, _ in found] == [job * job for job in range(9)]
    assert (tmp_path / "killed").exists() and 2 <= len({process for _, process in found}) <= 3


def test_few_jobs_are_taken_ahead(cluster):
    taken = []
    jobs = (taken.append(job) or job for job in range(100))
    results = spread_on_ray(local(in_a_worker), jobs, workers=2)
    next(results)
    assert len(taken) <= 9
    results.close()


@posix
def test_a_job_that_kills_every_worker_is_told(cluster):
    with pytest.raises(KinlibError, match="a Ray worker died again and again"):
        list(spread_on_ray(local(kill_itself), range(1)))


def test_an_error_arrives_as_it_was_raised(cluster):
    with pytest.raises(KinlibError, match="three is not to be had"):
        list(spread_by("ray", local(refuse), [3]))


def test_unknown_engines_are_named():
    with pytest.raises(KinlibError, match="unknown engine 'spark': choose one of local, ray"):
        list(spread_by("spark", refuse, []))
