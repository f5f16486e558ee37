"""One process at a time in a folder, also where one is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kinlib.io.locks import only_one
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

pytest.importorskip("fcntl", reason="there are no such locks here")

HOLDER = """
import sys, time
from pathlib import Path
from kinlib.io.locks import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    environment = os.environ | {"PYTHONPATH": str(config.project_root())}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_another_process_is_told_until_the_first_is_killed(holder, tmp_path):
    with (
        pytest.raises(KinlibError, match=r"another process is at work in .*: wait until it has ended"),
        only_one(tmp_path),
    ):
        pass
    holder.kill()
    holder.wait()
    with only_one(tmp_path), only_one(tmp_path):  # the same process may hold it twice
        assert not list(tmp_path.iterdir())


def test_who_waits_gets_it(holder, tmp_path, capsys):
    import threading

    threading.Timer(0.3, holder.kill).start()
    with only_one(tmp_path, wait=True):
        assert "waiting for another process" in capsys.readouterr().err


def test_a_folder_that_is_absent_cannot_be_held(tmp_path):
    with pytest.raises(KinlibError, match="cannot be written"), only_one(tmp_path / "absent"):
        pass
    assert not Path(tmp_path, "absent").exists()
