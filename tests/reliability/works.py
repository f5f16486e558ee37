"""Long work in small: each is done in a folder, is resumed by a later call, and always ends with the same files.

Networks and the renderer are replaced by arithmetic, since what is tried is what surrounds them: files, notes,
checkpoints, parts.
"""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from readers import imitate, toy_space

__all__ = ["CONTENT", "WORKS", "served"]

PICTURES = 9
GENERATIONS = 30
STEPS = 40
CONTENT = np.random.default_rng(0).bytes(1 << 20)


def prepare_folder(folder: Path) -> None:
    """`kinlib prepare` of nine files, two in a part."""
    from kinlib.prepare import engines, list_photos, parts, prepare

    with patch.object(engines, "prepare_part", imitate), patch.object(parts, "PHOTOS_PER_PART", 2):
        photos = list_photos(folder.parent / "photos", "folder")
        assert list(prepare(photos, folder, workers=1, device="cpu"))[-1] == PICTURES


def render_set(folder: Path) -> None:
    """`kinlib render` of nine people, one in a part."""
    from kinlib.studio.datasets import batch, parts

    with ExitStack() as block:
        for name in ("load_head", "warm_up"):
            block.enter_context(patch.object(parts, name, lambda: None))
        block.enter_context(patch.object(batch, "PICTURES_PER_PART", 1))
        block.enter_context(patch.object(batch, "_render_person", _rows))
        assert list(batch.render_people(batch.RenderSettings(PICTURES, 2, 64), folder, workers=1))[-1] == 2 * PICTURES


def _rows(job: tuple) -> list[dict]:
    settings, number = job
    return [{"person": number, "view": view, "image": bytes([settings.seed, number, view])} for view in (0, 1)]


def generate_children(folder: Path) -> None:
    """`kinlib couples` of nine couples, of whom one has no children."""
    from kinlib.couples import ChildSettings, Couple, generate_all, run

    couples = [Couple(f"{n}", f"{n}.jpg", f"{n}.jpg", folder.parent / "photos") for n in range(PICTURES)]
    with patch.object(run, "generate_couple", _children):
        settings = ChildSettings(n=2, seed=5)
        assert list(generate_all(couples, folder, settings, workers=1, device="cpu"))[-1] == PICTURES


def _children(job):
    from kinlib.couples.generate import MadeCouple, child_files, stamp

    own = {"couple": job.couple.name, "stamp": stamp(job.couple)}
    if job.number == 4:
        return MadeCouple(job.number, job.couple.name, [own | {"error": "no face"}])
    rows = [own | {"child": number, "notes": []} for number in range(job.settings.n)]
    pictures = {name: job.couple.photo("father").read_bytes() * 3000 for name in child_files(job.settings.n)}
    return MadeCouple(job.number, job.couple.name, rows, pictures)


def search_picture(folder: Path) -> None:
    """`kinlib search` for thirty generations, with a state every three."""
    from kinlib.search import by_picture

    target = torch.linspace(-1, 1, 3 * 16 * 16).reshape(3, 16, 16)
    with patch.object(by_picture, "EVERY", 3):
        settings = by_picture.SearchSettings(population=6, parents=3)
        list(by_picture.PictureSearch(toy_space(), target, settings, folder).run(GENERATIONS))


def train_network(folder: Path) -> None:
    """`kinlib train`: forty steps on all samples at once, with a checkpoint at each."""
    from kinlib.training.engine.loop import Run
    from kinlib.training.engine.processes import accelerator_for

    x = torch.linspace(-1, 1, 24).reshape(8, 3)
    net = torch.nn.Linear(3, 1)
    with torch.no_grad():
        net.weight.fill_(0.1), net.bias.zero_()
    optimizer = torch.optim.AdamW(net.parameters(), 0.05)
    run = Run(folder, accelerator_for("cpu", "no"), minutes=5.0, total_steps=STEPS, every=0.0)
    run.restore(net=net, optimizer=optimizer)
    run.record_call({"lr": 0.05})
    with patch("kinlib.training.engine.loop.LOG_EVERY", 5):
        while run.going():
            loss = (net(x) - x.sum(dim=1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log_losses({"loss": loss})
            run.advance()


def fetch_weights(folder: Path) -> None:
    """`kinlib weights fetch` of one file from the server of `served`."""
    import hashlib
    import os

    from kinlib.checkpoints import registry, weights

    entry = registry.Checkpoint(
        **{"name": "toy", "preset": "ffhq", "role": "toy", "file": "toy.bin", "licence": "", "purpose": ""},
        **{"source": "", "mirrors": (f"{_Server.address}/toy.bin",), "size": len(CONTENT)},
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    with patch.dict(os.environ, KINLIB_CACHE=str(folder)), patch.object(weights, "PUBLISHED", (entry,)):
        assert weights.fetch("toy", progress=False)["toy"].read_bytes() == CONTENT


@dataclass(frozen=True)
class Work:
    """One kind of long work.

    Attributes:
        do: does it, or goes on with it, in a folder.
        moments: about how many files it renames into place.
        largest: bytes of a file that a disk must hold at least; for a full disk.
    """

    do: Callable[[Path], None]
    moments: int
    largest: int


WORKS = {
    "couples": Work(generate_children, 3 * PICTURES, 2_000),
    "prepare": Work(prepare_folder, 2 * PICTURES, 1_500),
    "render": Work(render_set, PICTURES, 700),
    "search": Work(search_picture, GENERATIONS // 3, 700),
    "train": Work(train_network, STEPS, 1_000),
    "weights": Work(fetch_weights, 3, 300_000),
}


class _Handler(BaseHTTPRequestHandler):
    """Serves CONTENT from where it is asked for, slowly enough to be killed on the way."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        source = io.BytesIO(CONTENT[start:])
        while chunk := source.read(1 << 16):
            try:
                self.wfile.write(chunk)
            except OSError:  # who asked was killed
                return
            self.server.sent += len(chunk)
            self.server.pause.wait(0.005)

    def log_message(self, *args):
        """Stay quiet."""


class _Server:
    address = ""


@contextmanager
def served() -> Iterator[ThreadingHTTPServer]:
    """A server of CONTENT on this machine; `sent` counts its bytes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.sent, server.pause = True, 0, threading.Event()
    _Server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def result_of(folder: Path) -> dict[str, object]:
    """What work has left, in a form that can be compared: checkpoints by their tensors, other files by their bytes."""
    found: dict[str, object] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".pt":
            found[name] = json.dumps(torch.load(path, weights_only=True), default=lambda value: value.tolist())
        else:
            found[name] = path.read_bytes()
    return found
