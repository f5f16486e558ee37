"""Work that is killed, finds the disk full, or meets another process: resumed, it ends as if nothing had happened.

A process is killed (SIGKILL) before it renames a file into place, after it, with half of the file written, or at a
moment of a clock. A few deaths are tried with all tests; the long run has as many as are asked for:

    KINLIB_DEATHS=300 pytest tests/reliability/test_interrupted_work.py
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from works import CONTENT, PICTURES, WORKS, result_of, served

from kinlib.runtime.errors import KinlibError

DEATHS = int(os.environ.get("KINLIB_DEATHS", 6))  # of each kind of work
WAYS = ("before", "after", "half", "clock")
LEAST = 0.02  # seconds before a death by the clock
REFUSED = 2
BEGUN = {"couples": ".work/couple*", "prepare": ".work/part*"}  # files that are there once a process holds its folder

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork") or not hasattr(signal, "SIGKILL"), reason="needs POSIX's fork and signals"
)


@pytest.fixture(autouse=True)
def threads():
    """A forked process must not wait for threads that it does not have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def server():
    with served() as server:
        yield server


@pytest.fixture
def place(tmp_path, server) -> Path:
    """A folder with what the work is done on."""
    (tmp_path / "photos").mkdir()
    for number in range(PICTURES):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(bytes([number]))
    return tmp_path


def in_a_process(work: Callable[[Path], None], folder: Path, prelude: Callable[[], None] = lambda: None):
    """Start work in a forked process; it exits with 0, or with 2 after a KinlibError."""

    def run() -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        prelude()
        try:
            work(folder)
        except KinlibError:
            os._exit(REFUSED)
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def dying(way: str, moment: int, seconds: float) -> Callable[[], None]:
    """Makes the process that calls it die in one way."""

    def prelude() -> None:
        replace, calls = os.replace, iter(range(1, 10**6))

        def deadly(source, target, **options):
            if next(calls) != moment:
                return replace(source, target, **options)
            if way == "after":
                replace(source, target, **options)
            if way == "half":
                os.truncate(source, os.path.getsize(source) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

        if way == "clock":
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        else:
            os.replace = deadly

    return prelude


@pytest.mark.parametrize("name", WORKS)
def test_killed_again_and_again(name, place):
    work, rng = WORKS[name], random.Random(name)
    begun = time.monotonic()
    work.do(place / "whole")
    took = time.monotonic() - begun
    deaths = 0
    for number in range(DEATHS):
        way = WAYS[number % len(WAYS)]
        prelude = dying(way, 1 + rng.randrange(max(1, work.moments // 3)), LEAST + rng.random() * took)
        process = in_a_process(work.do, place / "killed", prelude)
        process.join(120)
        assert process.exitcode in (0, -signal.SIGKILL)
        deaths += process.exitcode != 0
        if process.exitcode == 0:  # it was done before its moment came: once more from the beginning
            assert result_of(place / "killed") == result_of(place / "whole")
            (place / "killed").rename(place / f"done{number}")
    assert deaths
    work.do(place / "killed")
    assert result_of(place / "killed") == result_of(place / "whole")


@pytest.mark.parametrize("name", WORKS)
def test_a_full_disk(name, place):
    """One sentence, and later the same as ever."""
    import resource

    work = WORKS[name]

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (work.largest, work.largest))

    process = in_a_process(work.do, place / "out", full)
    process.join(120)
    assert process.exitcode == REFUSED
    work.do(place / "out")
    work.do(place / "whole")
    assert result_of(place / "out") == result_of(place / "whole")


@pytest.mark.parametrize("name", WORKS)
def test_a_file_in_place_of_a_folder(name, place):
    """As a folder that may not be written, which root would write to all the same."""
    (place / "file").write_text("no folder")
    for folder in (place / "file", place / "file" / "below"):
        with pytest.raises(KinlibError, match="file"):
            WORKS[name].do(folder)
    assert (place / "file").read_text() == "no folder"


def test_two_downloads_into_one_cache(place, server):
    """The second waits, finds the file and asks for nothing."""
    server.sent = 0
    processes = [in_a_process(WORKS["weights"].do, place / "cache") for _ in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (place / "cache" / "weights" / "toy.bin").read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert [path.name for path in (place / "cache" / "weights").iterdir()] == ["toy.bin"]


@pytest.mark.parametrize("name", ["couples", "prepare", "render", "search", "train"])
def test_two_processes_in_one_folder(name, place):
    """Whichever comes second is told, and does no harm to the first."""
    work = WORKS[name]
    work.do(place / "whole")
    slow = threading.Event()

    def hesitant() -> None:
        replace = os.replace
        os.replace = lambda *names, **options: (slow.wait(0.05), replace(*names, **options))

    first = in_a_process(work.do, place / "shared", hesitant)
    while not any((place / "shared").glob(BEGUN.get(name, "*"))):
        assert first.is_alive()
        time.sleep(0.01)
    second = in_a_process(work.do, place / "shared")
    second.join(120)
    first.join(120)
    # The folder is there a moment before its lock, so that either may get it.
    assert sorted((first.exitcode, second.exitcode)) == sorted((0, REFUSED))
    assert result_of(place / "shared") == result_of(place / "whole")
