"""What a browser may do with the page."""

import pytest

pytest.importorskip("gradio")
import requests

from kinlib.demo.headers import HEADERS


def test_every_answer_forbids_other_places(server):
    for path in ("", "config", "gradio_api/info", "no-such-page", "static/img/logo.svg"):
        found = requests.get(server.address + path, timeout=30)
        assert {name: found.headers.get(name) for name in HEADERS} == HEADERS, path
        assert ("no-store" in found.headers.get("cache-control", "")) == (not path.startswith("static")), path
    allowed = " ".join(HEADERS["content-security-policy"].replace(";", " ").split())
    assert "http" not in allowed and "*" not in allowed


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("localhost", 200), ("evil.example", 400)])
def test_a_page_elsewhere_cannot_call_this_one_by_another_name(server, host, status):
    port = server.address.rstrip("/").rpartition(":")[2]
    assert requests.get(server.address, headers={"Host": f"{host}:{port}"}, timeout=30).status_code == status


def test_nothing_of_the_page_can_be_called_by_programs(server):
    described = requests.get(f"{server.address}gradio_api/info", timeout=30).json()
    assert described["named_endpoints"] == {} and described["unnamed_endpoints"] == {}
