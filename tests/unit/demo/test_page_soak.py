"""Many visitors at once, without a browser; `tests/checks/soak_page.py` does the same for longer."""

import pytest
import requests

pytest.importorskip("gradio")
from soak_page import REQUESTS, Visitor, soak


def test_visitors_come_and_go_at_once(server):
    found = soak(server, 4 * REQUESTS, at_once=4)
    assert (found["requests"], found["visitors"]) == (4 * REQUESTS, 4)
    assert found["visits_left"] == found["files_left"] == 0


def test_a_broken_connection_leaves_no_face(server, photographs, wait_until):
    """The visitor is gone between the upload and the answer; and another one before anything was asked for."""
    from pathlib import Path

    described = requests.get(f"{server.address}config", timeout=60).json()
    visitor = Visitor(server.address, described)
    content = Path(photographs[0]).read_bytes()
    sent = requests.post(f"{server.address}gradio_api/upload", files={"files": ("a.jpg", content)}, timeout=60)
    visitor.leave()
    (path,) = map(Path, sent.json())
    assert path.exists() and path.is_relative_to(server.uploads.path)
    server.uploads.sweep(age=0)
    assert not list(server.uploads.path.rglob("*"))
    wait_until(lambda: len(server.visits) == 0)


def test_the_server_itself_refuses_large_files(server):
    content = bytes(server.visits.limits.upload_bytes + 1000)
    sent = requests.post(f"{server.address}gradio_api/upload", files={"files": ("a.jpg", content)}, timeout=60)
    assert sent.status_code == 413
    server.uploads.sweep(age=0)
    assert not [path for path in server.uploads.path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("path", ["/etc/hostname", "../../../etc/hostname", "gradio_api/file=/etc/hostname"])
def test_no_file_of_the_machine_is_served(server, path):
    found = requests.get(f"{server.address}gradio_api/file={path}", timeout=60)
    assert found.status_code in (403, 404)
