"""`kinlib demo` and `kinlib search --interactive`: what they refuse, and the page that they open."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import as_in_the_foreground, check_refusal

from kinlib.demo.uploads import PREFIX
from kinlib.runtime import config
from kinlib.studio.datasets import sample_parents

FATHER, _ = sample_parents.couple(1)


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("demo", ("--port", "70000"), "--port must be from 0 to 65535"),
        ("demo", ("--port", "-1"), "--port must be from 0 to 65535"),
        ("demo", ("--preset", "anime"), "unknown preset 'anime'"),
        ("demo", ("--device", "abacus"), "'abacus' is not available"),
        ("demo", ("--share",), "unknown options: --share"),
        ("search", ("--interactive", "--target", FATHER), "leave out --target"),
        ("search", ("--interactive", "--seed", "3", "--out", "x"), "leave out --out, --seed"),
        ("search", ("--interactive", "--port", "70000"), "--port must be"),
    ],
)
def test_refused_in_one_sentence(command, arguments, words, capsys, tmp_path):
    assert words in check_refusal(command, arguments, tmp_path, capsys)


def test_without_gradio_the_page_says_how_to_get_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install gradio" in check_refusal("demo", (), tmp_path, capsys)


def test_a_port_that_is_taken(capsys, tmp_path):
    pytest.importorskip("gradio")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"the port {port} of 127.0.0.1 is not free" in check_refusal("demo", ("--port", port), tmp_path, capsys)


@pytest.mark.slow
def test_the_search_opens_on_this_machine_only_and_ctrl_c_leaves_nothing(tmp_path):
    pytest.importorskip("gradio")
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no browser: chromium is not installed")
    with as_in_the_foreground():
        page = subprocess.Popen(
            [sys.executable, "-m", "kinlib.cli", "search", "--interactive", "--port", "0"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(config.project_root()), "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        address, port = re.search(r"(http://127\.0\.0\.1:(\d+)/)", page.stdout.readline()).groups()
        assert len(list(tmp_path.glob(f"{PREFIX}{page.pid}-*"))) == 1
        assert f"127.0.0.1:{port}" in listening(int(port)) and "0.0.0.0" not in listening(int(port))
        with playwright.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
            shown = browser.new_page()
            shown.goto(address)
            shown.wait_for_selector("#kin-search-screen img", timeout=120_000)
            browser.close()
        page.send_signal(signal.SIGINT)
        out, err = page.communicate(timeout=120)
    finally:
        page.kill()
    assert page.returncode == 130 and err.strip() == "kinlib: stopped" and out == ""
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def listening(port: int) -> str:
    """The addresses at which anybody listens at a port, from Linux's own table."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        host, number = address.split(":")
        if state == "0A" and int(number, 16) == port:
            found.append(f"{socket.inet_ntoa(bytes.fromhex(host)[::-1])}:{port}")
    return ", ".join(found)
