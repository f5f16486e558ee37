"""What holds for every test: two threads at most, nothing outside the machine, nothing in the user's home."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("command_line")  # so that its failures say what was there

LOCAL = ("127.0.0.1", "::1", "localhost")


def pytest_configure(config):
    """Set the environment before anything is imported; subprocesses and notebook kernels inherit it."""
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    os.environ["MPLBACKEND"] = "Agg"
    scratch = tempfile.TemporaryDirectory(prefix="kinlib-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(scratch.cleanup)
    for name in (
        "KINLIB_CACHE",
        "TORCH_HOME",
        "HF_HOME",
        "DEEPFACE_HOME",
        "MPLCONFIGDIR",
        "IPYTHONDIR",
        "XDG_CACHE_HOME",
        "HYPOTHESIS_STORAGE_DIRECTORY",
    ):
        folder = Path(scratch.name, name.lower())
        folder.mkdir()
        os.environ[name] = str(folder)
    os.environ.pop("KINLIB_PRESET", None)
    os.environ.pop("KINLIB_FAMILY101", None)
    os.environ.pop("KINLIB_DATA", None)


def pytest_collection_modifyitems(items):
    """Skip GPU tests where there is no CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A headless Chromium; without one, what needs it is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pages are tested with playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    with playwright.sync_playwright() as running:
        # --no-sandbox: as root in a container, Chromium starts no other way
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter):
    """Show what tests measured (`record_property`), since pytest keeps what passing tests print to itself."""
    passed = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    lines = [f"{report.nodeid}: {name}: {value}" for report in passed for name, value in report.user_properties]
    if lines:
        terminalreporter.section("measured")
        terminalreporter.write("\n".join([*lines, ""]))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any connection that would leave the machine fails at once, as it does offline."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            raise OSError(f"tests stay offline: {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


class Cluster:
    """A Ray cluster of two cores, and a way to kill its workers."""

    def __init__(self):
        import ray

        self.ray = ray
        # Ray's own limits are for machines with nothing else to do.
        patient = {"agent_register_timeout_ms": 600_000, "worker_register_timeout_seconds": 600}
        options = {"log_to_driver": False, "logging_level": "error", "include_dashboard": False}
        ray.init(num_cpus=2, _system_config=patient, **options)

    @staticmethod
    def killed_once(function, marker: Path):
        """The function; but the first worker that calls it is killed, and leaves the marker."""

        def deadly(job):
            with contextlib.suppress(FileExistsError):
                marker.touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(job)

        return deadly


@pytest.fixture(scope="session")
def cluster():
    """The cluster of all tests that need one: it takes seconds to start."""
    pytest.importorskip("ray", reason="ray is an optional extra")
    before = os.environ.get("PYTHONPATH", "")
    # Workers import what their jobs name, from this checkout.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), before]))
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "600")
    cluster = Cluster()
    yield cluster
    cluster.ray.shutdown()
    os.environ["PYTHONPATH"] = before


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder for one test, and no installed package that brings weights along."""
    from kinlib.checkpoints import packaged

    folder = tmp_path / "cache"
    monkeypatch.setenv("KINLIB_CACHE", str(folder))
    monkeypatch.setattr(packaged, "find_in_package", lambda entry: None)
    return folder
