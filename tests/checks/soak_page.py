"""Many visitors at once on the web page, without a browser: they upload, make children and leave; memory is watched.

python tests/checks/soak_page.py --requests 500 --at-once 4 [--record]

Every visitor speaks to the page as gradio's script in a browser does: an upload, a request for the queue, the stream of
its answers, and a heartbeat whose end says that the visitor has left. What comes back is compared with the visitor's
own photograph, so that a face of another visitor would be found.
"""

import argparse
import base64
import io
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from kinlib.demo.server import PageServer
from kinlib.kinship.kinship import Kinship
from kinlib.runtime import config
from kinlib.session import ROLES
from kinlib.studio.datasets import sample_parents

__all__ = ["Visitor", "soak"]

PATIENCE = 300  # s until an answer; a busy machine is no failure
MAKES = 3  # times that a visitor asks for children
REQUESTS = 2 + MAKES + 1  # of one visitor: two photographs, children, one picture of all
WARM = 0.2  # of the requests, after which memory must no longer grow


class Visitor:
    """One open page.

    Args:
        address: of the server.
        config: what the server tells a browser of the page's components and events.
    """

    def __init__(self, address: str, config: dict):
        self.address, self.config, self.key = address, config, secrets.token_hex(6)
        self._heartbeat = requests.get(f"{address}gradio_api/heartbeat/{self.key}", stream=True, timeout=PATIENCE)
        self._components = {one["id"]: one for one in config["components"]}

    def leave(self) -> None:
        """Close the page."""
        self._heartbeat.close()

    def photograph(self, role: str, path: Path) -> list:
        """Upload a photograph, fitted closely or not as the page has it at first."""
        files = {"files": (path.name, path.read_bytes(), "image/jpeg")}
        answer = requests.post(f"{self.address}gradio_api/upload", files=files, timeout=PATIENCE)
        answer.raise_for_status()
        data = {"path": answer.json()[0], "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
        return self.act(f"kin-{role}-photo", "input", {f"kin-{role}-photo": data})

    def act(self, name: str, event: str, given: dict | None = None) -> list:
        """Trigger an event of a component, with other values than those of the page at first; returns its outputs."""
        call = next(
            one
            for one in self.config["dependencies"]
            for target, kind in one["targets"]
            if kind == event and self._components[target]["props"].get("elem_id") == name and one["backend_fn"]
        )
        data = [self._value(number, given or {}) for number in call["inputs"]]
        body = {"data": data, "fn_index": call["id"], "session_hash": self.key, "trigger_id": call["targets"][0][0]}
        joined = requests.post(f"{self.address}gradio_api/queue/join", json=body, timeout=PATIENCE)
        joined.raise_for_status()
        for message in self._messages():
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError(message["output"].get("error") or "the page has failed")
                return message["output"]["data"]
        raise RuntimeError("the stream ended without an answer")

    def _value(self, number: int, given: dict):
        props = self._components[number]["props"]
        return given.get(props.get("elem_id"), props.get("value"))

    def _messages(self) -> Iterator[dict]:
        address = f"{self.address}gradio_api/queue/data?session_hash={self.key}"
        with requests.get(address, stream=True, timeout=PATIENCE) as stream:
            for line in stream.iter_lines():
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])


def soak(server: PageServer, requests_wanted: int, at_once: int) -> dict[str, float]:
    """Let visitors come and go until they have made enough requests; raises what goes wrong for any of them.

    Returns:
        Requests, visitors, seconds, median and 95th percentile of an answer's seconds, and memory in MB: when a fifth
        of the requests was answered, at the end, and at most.
    """
    described = requests.get(f"{server.address}config", timeout=PATIENCE).json()
    people = [path for couple in sample_parents.couples() for path in couple]
    own = {path: np.asarray(server.visits.kin.separate().encode(path).aligned) for path in people}
    took, memory, lock = [], [], threading.Lock()

    def visit(number: int) -> None:
        couple = [people[(number * 5 + i * 3) % len(people)] for i in range(2)]
        visitor = Visitor(server.address, described)

        def timed(*call, **given) -> list:
            began = time.monotonic()
            answer = visitor.photograph(*call) if call[0] in ROLES else visitor.act(*call, **given)
            with lock:
                took.append(time.monotonic() - began)
                memory.append(_resident_mb())
            return answer

        try:
            for place, (role, path) in enumerate(zip(ROLES, couple, strict=True)):
                card = timed(role, path)[1 + place]
                assert np.array_equal(_first_picture(card), own[path]), "a face of somebody else"
            for seed in range(MAKES):
                timed("kin-make", "click", given={"kin-seed": seed, "kin-count": 4})
            assert "data:image" in timed("kin-save-sheet", "click")[0]
        finally:
            visitor.leave()

    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(visit, range(-(-requests_wanted // REQUESTS))))  # whole visits, rounded up
    seconds = time.monotonic() - began
    end = time.monotonic() + 60
    while len(server.visits) and time.monotonic() < end:
        time.sleep(0.1)
    warm = int(WARM * len(memory))
    return {
        "requests": len(took),
        "visitors": len(took) // REQUESTS,
        "at_once": at_once,
        "seconds": seconds,
        "median_seconds": float(np.median(took)),
        "slow_seconds": float(np.quantile(took, 0.95)),
        "warm_mb": float(np.median(memory[warm : warm + 20])),
        "last_mb": float(np.median(memory[-20:])),
        "most_mb": max(memory),
        "visits_left": len(server.visits),
        "files_left": sum(path.is_file() for path in server.uploads.path.rglob("*")),
    }


def _first_picture(card: str) -> np.ndarray:
    link = re.search(r'src="data:image/png;base64,([^"]+)"', card)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(link))))


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Run it and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--refine", type=int, default=0, help="steps of fitting each photograph")
    parser.add_argument("--record", action="store_true", help="store the result in report/numbers/web_page.json")
    given = parser.parse_args()
    with PageServer(Kinship.load("studio", "cpu"), refine=given.refine) as server:
        found = soak(server, given.requests, given.at_once)
    print(json.dumps(found, indent=1))
    if given.record:
        from kinlib.io.files import write_json

        write_json(config.project_root() / "report" / "numbers" / "web_page.json", {"soak": found})


if __name__ == "__main__":
    main()
