"""Every loader and reader is given mutated files: a result or one sentence, no traceback, no hang, no write elsewhere.

A quick share of the inputs runs with all tests, the same ones each time. The long run draws new ones:

    KINLIB_FUZZ_INPUTS=20000 pytest tests/reliability/test_fuzzing.py

What it finds is printed as the mutation that hypothesis has reduced it to, and belongs, as a value, into the tests of
the module concerned.
"""

import contextlib
import io
import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import byte_edits, edited_bytes, edited_json, edited_tensors, json_edits, tensor_edits
from readers import READERS

from kinlib.runtime.errors import KinlibError

INPUTS = int(os.environ.get("KINLIB_FUZZ_INPUTS", 450))
LONG = "KINLIB_FUZZ_INPUTS" in os.environ
PATIENCE = 20.0  # seconds for one input; the slowest good one takes a tenth of one
MEMORY = 4 << 30  # bytes that one input may take beyond what the tests have: more is a size that a file only claims
EDITS = {"bytes": byte_edits, "json": json_edits, "tensors": tensor_edits}
TOTAL_SHARE = sum(reader.share for reader in READERS.values())


@pytest.fixture(scope="module", autouse=True)
def limited_memory() -> Iterator[None]:
    """A file that claims to hold more than there is must not bring the machine down."""
    resource = pytest.importorskip("resource", reason="needs POSIX's limits")
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Whatever does not end raises."""

    def late(*_) -> None:
        raise AssertionError(f"no answer after {PATIENCE:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder within a folder of things that nobody may touch; the working folder is another one."""
    place = tmp_path / "outside" / "inside"
    place.mkdir(parents=True)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    (place.parent / "precious.jpg").write_bytes(b"precious")
    return place


def read_in_peace(read, folder: Path) -> str | None:
    """The sentence of a refusal; None where it was read."""
    state = torch.get_rng_state()
    try:
        with in_time(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            read(folder)
    except KinlibError as problem:
        assert str(problem).strip() and "Traceback" not in str(problem)
        return str(problem)
    finally:
        torch.set_rng_state(state)
    return None


@pytest.mark.parametrize("name", READERS)
def test_mutated_files(name, place):
    reader, number = READERS[name], count()
    good, folder = place / "good", place / "current"
    folder.mkdir()
    reader.make(folder)
    shutil.copytree(folder, good)
    assert read_in_peace(reader.read, folder) is None
    shutil.rmtree(folder)
    names = sorted(path.relative_to(good) for path in good.glob(reader.names) if path.is_file())
    assert names
    before = files_in(place.parent)
    seen = {"read": 0, "refused": 0}

    @settings(
        max_examples=max(2, round(INPUTS * reader.share / TOTAL_SHARE)),
        deadline=None,
        derandomize=not LONG,
        database=None,
        phases=list(Phase) if LONG else [Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(which=st.integers(0, len(names) - 1), edits=EDITS[reader.kind])
    def check(which: int, edits: list) -> None:
        # Networks are remembered by their paths; other folders note where they lie.
        folder = place / (f"try{next(number)}" if reader.kind == "tensors" else "current")
        shutil.copytree(good, folder)
        file = folder / names[which]
        if reader.kind == "tensors":
            file.write_bytes(edited_tensors(torch.load(file, weights_only=True), edits))
        else:
            edited = edited_json if reader.kind == "json" else edited_bytes
            file.write_bytes(edited(file.read_bytes(), edits))
        try:
            seen["read" if read_in_peace(reader.read, folder) is None else "refused"] += 1
        finally:
            shutil.rmtree(folder)
            after = files_in(place.parent)
            assert after == before, f"touched: {set(after.items()) ^ set(before.items())}"

    check()
    assert not list(Path.cwd().iterdir())
    print(f"{name}: {seen['read']} read, {seen['refused']} refused")
