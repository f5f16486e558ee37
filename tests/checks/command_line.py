"""What holds for several commands of `kinlib`: how they refuse, and how they end when Ctrl-C stops them."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kinlib.cli import main
from kinlib.runtime import config

__all__ = ["as_in_the_foreground", "check_ctrl_c", "check_refusal"]


@contextmanager
def as_in_the_foreground() -> Iterator[None]:
    """Programs started within get SIGINT's default, also where the tests run in the background.

    A shell has its background jobs ignore SIGINT, and their children inherit that. The program respects it, as it
    should; so a test that stops it by Ctrl-C starts it as a foreground job would be started.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a handler is not inherited, ignoring is
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_refusal(command: str, arguments: tuple, folder: Path, capsys: pytest.CaptureFixture) -> str:
    """Run a command; see that it ends with code 2 and one line, and changes nothing in `folder`; returns that line."""
    before = sorted(folder.rglob("*"))
    capsys.readouterr()
    assert main([command, *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("kinlib: ") and err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
    return err


def check_ctrl_c(arguments: list[str], total: int, folder: Path) -> None:
    """Stop a command in the middle of its work; see that it ends with one line and leaves no process behind.

    The real thing, in processes of its own; a terminal's Ctrl-C goes to the workers too. Linux only.

    Args:
        arguments: of the command line, with at least two workers.
        total: number of pictures that its bar ends at.
        folder: where to run it.
    """
    with as_in_the_foreground():
        program = subprocess.Popen(
            [sys.executable, "-m", "kinlib.cli", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(config.project_root())},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    with program:
        seen = b""
        while not re.search(rb"[1-9]\d*/%d" % total, seen) and (byte := program.stderr.read(1)):
            seen += byte
        workers = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        os.killpg(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert len(workers) >= 2 and program.returncode == 130 and out == b""
    assert err.decode().rstrip().endswith("kinlib: stopped") and b"Traceback" not in err
    assert not [pid for pid in workers if b"spawn_main" in _command(pid)]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
