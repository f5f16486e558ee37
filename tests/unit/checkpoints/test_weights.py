"""The table of checkpoints, downloads from a local server that misbehaves, and files that are not what they seem."""

import bz2
import hashlib
import json
import random
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from bad_weights import BODIES, Malicious, write_bad_file
from safetensors.torch import save_file

from kinlib.checkpoints import download, weights
from kinlib.checkpoints.registry import PUBLISHED, STUDIO
from kinlib.checkpoints.state_dicts import load_state
from kinlib.checkpoints.tensor_files import read_tensors
from kinlib.cli import main
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

CONTENT = random.Random(0).randbytes(1 << 21)
PACKED = bz2.compress(CONTENT)
BOMB = bz2.compress(bytes(1 << 24))


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT, or what is none, in the way that the path names; `server.log` keeps (path, Range header)."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.log.append((self.path, asked))
        way = self.path.strip("/").split(".")[0]
        if way in BODIES:
            self.answer(BODIES[way], kind="text/html")
        else:
            getattr(self, f"serve_{way}")(int(asked[6:-1]) if asked else 0)

    def log_message(self, *args):
        """Stay quiet."""

    def answer(self, content, start=0, status=200, stop=None, kind="application/octet-stream"):
        """Send `content` from `start`, and hang up at `stop`."""
        self.send_response(206 if start else status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:stop])
        if stop is not None:
            self.wfile.flush()
            self.close_connection = True

    def serve_good(self, start):
        self.answer(CONTENT, start)

    def serve_wrong(self, start):
        self.answer(CONTENT[::-1], start)

    def serve_short(self, start):
        self.answer(CONTENT[:1000])

    def serve_unrecorded(self, start):
        """Weights whose sum is in no table."""
        self.answer(self.server.unrecorded, start)

    def serve_half(self, start):
        """Half of them, called the whole."""
        self.answer(self.server.unrecorded[: len(self.server.unrecorded) // 2])

    def serve_code(self, start):
        """Weights, and code that runs when it is unpickled."""
        self.answer(self.server.armed)

    def serve_gone(self, start):
        self.answer(b"no", status=404)

    def serve_drops(self, start):
        """Hang up after every 600,000 bytes."""
        self.answer(CONTENT, start, stop=start + 600_000)

    def serve_norange(self, start):
        """Ignore ranges; hang up once."""
        first = [path for path, _ in self.server.log].count(self.path) == 1
        self.answer(CONTENT, stop=700_000 if first else None)

    def serve_dead(self, start):
        """Hang up before the first byte."""
        self.answer(CONTENT, stop=0)

    def serve_longer(self, start):
        """Another file, from wherever it is asked for."""
        self.answer(CONTENT + b"more", start)

    def serve_flood(self, start):
        """More than there should be, without saying how much."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(CONTENT + b"more")

    def serve_nothing(self, start):
        self.answer(b"")

    def serve_shorter(self, start):
        """A file that ends before what is asked for."""
        if start < 1000:
            return self.answer(CONTENT[:1000], start)
        self.send_response(416)
        self.send_header("Content-Range", "bytes */1000")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve_packed(self, start):
        self.answer(PACKED, start)

    def serve_bomb(self, start):
        self.answer(BOMB, start)

    def serve_notpacked(self, start):
        self.answer(CONTENT, start)


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.log = []
    httpd.handle_error = lambda *_: None  # whoever has seen that it is another file hangs up
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def offer(server, cache, monkeypatch):
    """Put one checkpoint, mirrored by some of the server's ways, into the table; returns where its file belongs."""
    monkeypatch.setattr(download.Downloader.__init__, "__defaults__", (None, None, 10, 5, 0.01, None))

    def put(*ways, **changes):
        base = f"http://127.0.0.1:{server.server_address[1]}"
        facts = {"name": "toy", "file": "toy.dat", "sha256": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT)}
        mirrors = tuple(f"{base}/{way}" for way in ways)
        monkeypatch.setattr(weights, "PUBLISHED", (replace(PUBLISHED[0], **facts | {"mirrors": mirrors} | changes),))
        return cache / "weights" / "toy.dat"

    return put


def test_table_is_complete():
    names = [entry.name for entry in (*PUBLISHED, *STUDIO)]
    assert len(set(names)) == len(names)
    assert len({(entry.preset, entry.role) for entry in (*PUBLISHED, *STUDIO)}) == len(names)
    for entry in PUBLISHED:
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in entry.hashes)
        assert entry.hashes or entry.name.startswith("deepface_")  # whose sums nobody has published
        assert entry.mirrors and all(url.startswith("https://") for url in entry.mirrors)
        assert entry.licence and entry.purpose and entry.source
    assert not set(PUBLISHED[0].also) & {entry.sha256 for entry in PUBLISHED}


def test_rows_tell_what_is_here(cache):
    rows = {row["name"]: row for row in weights.table()}
    assert rows["e4e_ffhq"]["size"] == 1_201_649_680
    assert rows["e4e_ffhq"]["present"] is False
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "e4e_ffhq_encode.pt").write_bytes(b"x")
    assert {row["name"] for row in weights.table() if row["present"]} - {f"studio_{e.role}" for e in STUDIO} == {
        "e4e_ffhq"
    }


def test_absent_weights_say_how_to_get_them(cache):
    with pytest.raises(KinlibError, match=r"'e4e_ffhq' are not here: run `kinlib weights fetch e4e_ffhq` \(1.2 GB; .*"):
        weights.path("e4e_ffhq")


def test_unknown_name_is_answered_with_a_guess():
    with pytest.raises(KinlibError, match="did you mean 'e4e_ffhq'"):
        weights.path("e4e_fhq")
    with pytest.raises(KinlibError, match="kinlib weights list"):
        weights.fetch("zzz")


def test_roles():
    assert weights.for_role("ffhq", "encoder").name == "e4e_ffhq"
    assert weights.for_role("studio", "encoder").file == "encoder.safetensors"
    with pytest.raises(KinlibError, match="unknown preset"):
        weights.for_role("cartoon", "encoder")
    with pytest.raises(KinlibError, match="role"):
        weights.for_role("ffhq", "barber")


def test_fetch_good(offer, server):
    place = offer("good")
    assert weights.fetch("toy", progress=False) == {"toy": place}
    assert place.read_bytes() == CONTENT
    assert [path.name for path in place.parent.iterdir()] == ["toy.dat"]
    weights.fetch(["ffhq", "toy"], progress=False)  # by preset, and offline: the file is here
    assert len(server.log) == 1
    assert weights.path("toy") == place
    assert weights.verify("toy") == [{"name": "toy", "file": str(place), "state": "good"}]


def test_fetch_replaces_a_damaged_file(offer):
    place = offer("good")
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT[:-1])
    assert weights.verify(["toy"])[0]["state"] == "damaged"
    weights.fetch(["toy"], progress=False)
    assert weights.verify(["toy"])[0]["state"] == "good"


def test_bad_mirrors_are_passed_over(offer, server):
    place = offer("gone", "page", "short", "dead", "wrong", "good")
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT
    assert [path for path, _ in server.log] == ["/gone", "/page", "/short", "/dead", "/wrong", "/good"]
    assert [path.name for path in place.parent.iterdir()] == ["toy.dat"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("gone", "answered 404"),
        ("page", "web page"),
        ("short", "1,000 bytes instead"),
        ("wrong", "another SHA-256"),
        ("dead", "dropped"),
    ],
)
def test_one_sentence_when_no_mirror_works(offer, way, reason):
    place = offer(way)
    with pytest.raises(KinlibError) as caught:
        weights.fetch("toy", progress=False)
    message = str(caught.value)
    assert reason in message and str(place) in message and "by hand" in message and "\n" not in message
    assert not place.exists()


def test_mirrors_are_tried_in_order():
    urls = [f"https://{place}/f" for place in ("one", "two", "three")]
    answers = dict(zip(urls, ("answered 404", None, None), strict=True))
    asked = []
    assert download.try_mirrors(urls, lambda url: asked.append(url) or answers[url]) is None
    assert asked == urls[:2]


@pytest.fixture
def unrecorded(offer, server, tmp_path):
    """As `offer`, for a file of weights of which neither sum nor size is known."""
    for name, content in (("unrecorded", {"w": torch.arange(5.0)}), ("armed", {"w": Malicious(tmp_path / "code-ran")})):
        torch.save(content, tmp_path / "file")
        setattr(server, name, (tmp_path / "file").read_bytes())
    return lambda *ways: offer(*ways, sha256=None, also=(), size=None)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        *(("json", "not a file of weights"), ("bomjson", "not a file of weights"), ("text", "not a file of weights")),
        *(("lfs", "a note of Git LFS"), ("xml", "a web page"), ("page", "a web page")),
        *(("half", "is damaged"), ("code", "was not opened")),
    ],
)
def test_without_a_sum_what_is_no_weights_is_not_stored(unrecorded, tmp_path, way, reason):
    place = unrecorded(way)
    with pytest.raises(KinlibError, match=reason) as caught:
        weights.fetch("toy", progress=False)
    assert "127.0.0.1" in str(caught.value) and "by hand" in str(caught.value) and "\n" not in str(caught.value)
    assert not list(place.parent.iterdir()) and not (tmp_path / "code-ran").exists()


def test_sum_of_the_first_good_download_is_noted(unrecorded, server):
    place = unrecorded("json", "half", "lfs", "unrecorded")
    weights.fetch("toy", progress=False)
    assert [path for path, _ in server.log] == ["/json", "/half", "/lfs", "/unrecorded"]
    assert sorted(path.name for path in place.parent.iterdir()) == ["toy.dat", "toy.dat.sha256"]
    assert place.with_name("toy.dat.sha256").read_text() == f"{weights.sha256(place)}  toy.dat\n"
    assert weights.verify("toy")[0]["state"] == "good"
    weights.fetch("toy", progress=False)
    assert len(server.log) == 4 and weights.to_fetch("toy") == []

    other = torch.arange(6.0)
    torch.save({"w": other}, place)  # opens as well, but is not what came
    assert weights.verify("toy")[0]["state"] == "damaged" and [e.name for e in weights.to_fetch("toy")] == ["toy"]
    with pytest.raises(KinlibError, match=r"not the file that was downloaded for 'toy'.*kinlib weights fetch toy"):
        weights.open_checkpoint(place)
    weights.fetch("toy", progress=False)
    assert weights.verify("toy")[0]["state"] == "good" and len(weights.open_checkpoint(place)["w"]) == 5


def test_file_put_there_by_hand_is_unrecorded(unrecorded, server):
    place = unrecorded("unrecorded")
    place.parent.mkdir(parents=True)
    place.write_bytes(server.unrecorded)
    weights.fetch("toy", progress=False)
    assert server.log == [] and weights.verify("toy")[0]["state"] == "unrecorded"
    place.write_bytes(BODIES["json"])  # what fetching stored before it looked
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == server.unrecorded and weights.verify("toy")[0]["state"] == "good"


@pytest.mark.parametrize("note", [b"", b"soon", b"\xff\xfe", b"0" * 10])
def test_spoilt_note_is_none(unrecorded, server, note):
    place = unrecorded("unrecorded")
    weights.fetch("toy", progress=False)
    place.with_name("toy.dat.sha256").write_bytes(note)
    assert weights.verify("toy")[0]["state"] == "unrecorded"


def test_fetching_is_announced_and_shows_its_progress(offer, monkeypatch, capsys):
    offer("good")
    toy = weights.find("toy")
    assert main(["weights", "fetch", "toy"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "downloading 1 file: 2.1 MB in all"
    assert err.rsplit("\r", 1)[-1].startswith("toy.dat: 100%") and "2.10M/2.10M" in err
    twins = tuple(replace(toy, name=name, file=f"{name}.dat") for name in ("one", "two"))
    monkeypatch.setattr(weights, "PUBLISHED", (*twins, replace(twins[1], name="three", file="three.dat", size=None)))
    assert main(["weights", "fetch", "one", "two", "three"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "downloading 3 files: 4.19 MB in all, and 1 whose size nobody has recorded"
    assert all(f"{name}.dat: 100%" in err for name in ("one", "two", "three"))
    assert main(["weights", "fetch", "one", "two", "three"]) == 0  # all are here: nothing to announce
    out, err = capsys.readouterr()
    assert "downloading" not in out and err == ""


def test_groups(cache):
    child = ["stylegan2_ffhq", "e4e_ffhq", "dlib_68", "vggface2", "direction_age"]
    assert [entry.name for entry in weights.to_fetch()] == [entry.name for entry in weights.to_fetch("child")] == child
    assert [entry.name for entry in weights.to_fetch("all")] == [entry.name for entry in PUBLISHED]
    assert [entry.name for entry in weights.to_fetch(["child", "e4e_ffhq", "bisenet"])] == [*child, "bisenet"]
    assert weights.to_fetch("studio") == []
    assert [row["name"] for row in weights.table("child")] == child


def test_why_no_mirror_worked():
    urls = ["https://one/a", "https://one/b", "https://two/a"]
    reasons = iter(("answered 404", "dropped the connection", download.UNREACHABLE))
    assert download.try_mirrors(urls, lambda _: next(reasons)) == "one answered 404; two cannot be reached"
    assert download.try_mirrors(urls, lambda _: download.UNREACHABLE) == "no network connection to one, two"


def test_dropped_connections_are_resumed(offer, server):
    place = offer("drops")
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT
    starts = [int(asked[6:-1]) for _, asked in server.log[1:]]
    assert len(starts) == 3
    assert all(550_000 < later - earlier <= 600_000 for earlier, later in pairwise([0, *starts]))


def test_server_without_ranges_starts_again(offer, server):
    place = offer("norange")
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT
    assert len(server.log) == 2 and server.log[1][1].startswith("bytes=6")


def test_download_goes_on_in_a_later_run(offer, server):
    place = offer("good")
    place.parent.mkdir(parents=True)
    place.with_name("toy.dat.part").write_bytes(CONTENT[:123_456])
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT
    assert server.log == [("/good", "bytes=123456-")]


def begun(place) -> Path:
    """An incomplete download of an earlier run."""
    place.parent.mkdir(parents=True)
    part = place.with_name("toy.dat.part")
    part.write_bytes(CONTENT[:123_456])
    return part


@pytest.mark.parametrize("way", ["page", "short", "longer", "shorter", "nothing", "dead", "gone"])
def test_mirror_that_sends_something_else_costs_nothing(offer, server, way):
    place = offer(way, "good")
    begun(place)
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT
    assert server.log[0] == (f"/{way}", "bytes=123456-") and server.log[-1] == ("/good", "bytes=123456-")


@pytest.mark.parametrize("way", ["page", "short", "longer", "shorter", "nothing", "dead", "gone"])
def test_what_has_arrived_survives_a_failure(offer, way):
    place = offer(way)
    part = begun(place)
    with pytest.raises(KinlibError, match="by hand"):
        weights.fetch("toy", progress=False)
    assert part.read_bytes() == CONTENT[:123_456] and not place.exists()


def test_too_much_is_thrown_away(offer):
    place = offer("flood")
    with pytest.raises(KinlibError, match=r"sent more than 2,097,152 bytes"):
        weights.fetch("toy", progress=False)
    assert not list(place.parent.iterdir())


@pytest.mark.parametrize("left", [b"rubbish" * 1000, CONTENT[::-1], CONTENT + b"more"])
def test_spoilt_beginning_is_thrown_away(offer, left):
    place = offer("good")
    place.parent.mkdir(parents=True)
    place.with_name("toy.dat.part").write_bytes(left)
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT


def test_packed_mirror_is_unpacked(offer):
    place = offer("notpacked.bz2", "bomb.bz2", "packed.bz2")
    weights.fetch("toy", progress=False)
    assert place.read_bytes() == CONTENT
    assert [path.name for path in place.parent.iterdir()] == ["toy.dat"]


def test_archive_that_unpacks_to_too_much_is_stopped(offer):
    place = offer("bomb.bz2")
    with pytest.raises(KinlibError, match="archive of more than"):
        weights.fetch("toy", progress=False)
    assert not list(place.parent.iterdir())


def test_offline(cache):
    with pytest.raises(KinlibError) as caught:
        weights.fetch("direction_age", progress=False)
    assert re.search(r"no network connection to raw\.githubusercontent\.com.*age\.pt.*by hand", str(caught.value))
    assert str(cache / "weights" / "interfacegan_age.pt") in str(caught.value)


def test_folder_that_cannot_be_written(offer, cache):
    offer("good")
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(KinlibError, match="cannot be written"):
        weights.fetch("toy", progress=False)


def test_studio_files_follow_the_manifest(tmp_path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    folder = tmp_path / "weights" / "studio"
    folder.mkdir(parents=True)
    with pytest.raises(KinlibError, match="kinlib train generator"):
        weights.path("studio_generator")
    with pytest.raises(KinlibError, match="kinlib train generator"):
        weights.fetch("studio", progress=False)
    save_file({"w": torch.ones(2)}, folder / "generator.safetensors")
    assert weights.verify("studio_generator")[0]["state"] == "unrecorded"
    assert set(weights.open_checkpoint(weights.path("studio_generator"))) == {"w"}

    records = {name: {"sha256": "0" * 64, "size": 1} for name in ("generator.safetensors", "extra.safetensors")}
    (folder / "manifest.json").write_text(json.dumps(records))
    assert weights.verify("studio_generator")[0]["state"] == "damaged"
    assert weights.find("studio_extra").file == "extra.safetensors"
    with pytest.raises(KinlibError, match="SHA-256 differs"):
        weights.open_checkpoint(folder / "generator.safetensors")

    (folder / "manifest.json").write_text("{broken")
    with pytest.raises(KinlibError, match="damaged"):
        weights.table()


def test_bundled_weights_are_the_recorded_ones():
    """Whatever of the studio's weights is in the project must be what its manifest says."""
    rows = weights.verify("studio")
    if all(row["state"] == "absent" for row in rows):
        pytest.skip("no bundled weights yet")
    assert {row["state"] for row in rows} <= {"good", "absent"}
    present = [row["file"] for row in rows if row["state"] == "good"]
    assert sum((config.data_dir() / "weights" / "studio" / file).stat().st_size for file in present) <= 50e6


def test_swapped_and_altered_files_are_refused(offer, cache, tmp_path, monkeypatch):
    place = offer("good", file="toy.pt")
    place = place.with_name("toy.pt")
    place.parent.mkdir(parents=True)
    torch.save({"w": torch.zeros(3)}, place)
    other = tmp_path / "other.pt"
    torch.save({"w": torch.ones(3)}, other)
    toy = weights.find("toy")
    twin = replace(toy, name="twin", file="twin.pt", sha256=weights.sha256(other))
    monkeypatch.setattr(weights, "PUBLISHED", (toy, twin))

    assert weights.check_known(other) == twin
    with pytest.raises(KinlibError, match="holds the weights 'twin', not 'toy'"):
        weights.open_checkpoint(other, expect=toy)
    with pytest.raises(KinlibError, match=r"not the published file of 'toy'.*kinlib weights fetch toy"):
        weights.open_checkpoint(place)  # it lies where 'toy' belongs
    mine = tmp_path / "toy.pt"
    torch.save({"w": torch.zeros(3)}, mine)
    assert weights.check_known(mine) is None  # somebody's own file, fine-tuned perhaps
    monkeypatch.setattr(weights, "PUBLISHED", (replace(toy, size=mine.stat().st_size),))
    with pytest.raises(KinlibError, match="not the published file"):
        weights.check_known(mine)


def test_other_published_variants_are_accepted(cache, tmp_path, monkeypatch):
    file = tmp_path / "variant.pt"
    torch.save({"g_ema": {"w": torch.ones(2)}}, file)
    entry = replace(PUBLISHED[0], also=(weights.sha256(file),))
    monkeypatch.setattr(weights, "PUBLISHED", (entry,))
    assert weights.open_checkpoint(file, expect=entry)["g_ema"]["w"].shape == (2,)


def test_sum_is_computed_again_when_the_file_changes(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = weights.sha256(file)
    file.write_bytes(b"three")
    assert weights.sha256(file) == hashlib.sha256(b"three").hexdigest() != first


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("missing", "no file"),
        ("folder", "a folder"),
        ("empty", "is empty"),
        ("text", "neither PyTorch nor safetensors"),
        ("lfs", "note of Git LFS .*: download the file itself"),
        ("bare page", "web page"),
        ("code in zip", "could run code"),
        ("code in old format", "could run code"),
        ("plain pickle", "could run code|damaged"),
        ("truncated", "damaged"),
        ("truncated old format", "damaged"),
        ("other zip", "not a file of weights"),
        ("script module", "not a file of weights"),
        ("list", "a list instead"),
        ("truncated safetensors", "damaged"),
        ("huge safetensors header", "damaged"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, cache, way, reason):
    path, victim = tmp_path / "weights.pt", tmp_path / "code-was-run"
    if way != "missing":
        write_bad_file(way, path, victim)
    with pytest.raises(KinlibError, match=reason) as caught:
        weights.open_checkpoint(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not victim.exists()


def test_malicious_file_is_malicious(tmp_path):
    """The test above proves something: without weights_only the same file does run code."""
    write_bad_file("code in zip", tmp_path / "weights.pt", tmp_path / "code-was-run")
    torch.load(tmp_path / "weights.pt", weights_only=False)
    assert (tmp_path / "code-was-run").exists()


def test_good_files_open_whatever_their_suffix(tmp_path, cache):
    from argparse import Namespace

    save_file({"w": torch.ones(2).half()}, tmp_path / "a.pt")
    assert weights.open_checkpoint(tmp_path / "a.pt")["w"].dtype == torch.float16
    torch.save({"state_dict": {"w": torch.ones(2)}, "opts": Namespace(size=256)}, tmp_path / "b.ckpt")
    assert weights.open_checkpoint(str(tmp_path / "b.ckpt"))["opts"].size == 256
    torch.save({"w": torch.ones(2)}, tmp_path / "c.pth", _use_new_zipfile_serialization=False)
    assert weights.open_checkpoint(tmp_path / "c.pth")["w"].sum() == 2
    torch.save(torch.ones(1, 512), tmp_path / "d.pt")
    assert weights.open_checkpoint(tmp_path / "d.pt")["tensor"].shape == (1, 512)


def test_load_state(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    state = {key: value.half() for key, value in net.state_dict().items() if "num_batches" not in key}
    load_state(net, state, "x.pt", optional=("num_batches_tracked",))
    with pytest.raises(KinlibError, match="num_batches_tracked"):
        load_state(net, state, "x.pt")
    for broken in (dict(list(state.items())[1:]), state | {"more": torch.ones(1)}, state | {"0.bias": torch.ones(3)}):
        with pytest.raises(KinlibError, match=r"x\.pt does not fit Sequential"):
            load_state(net, broken, "x.pt", optional=("num_batches_tracked",))
    with pytest.raises(KinlibError, match=r"has unknown '1' \(1 in all\)"):
        load_state(net, state | {1: torch.ones(1)}, "x.pt", optional=("num_batches_tracked",))
    load_state(net, state | {2: "a note", None: 3}, "x.pt", optional=("num_batches_tracked",))


def test_safetensors_whose_header_begins_as_a_pickle_does(tmp_path):
    """One header in 256 has a length whose first byte is 0x80, with which pickles begin."""
    path = tmp_path / "odd.safetensors"
    for words in range(400):
        save_file({"x": torch.ones(2)}, path, metadata={"note": "x" * words})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert read_tensors(path)["x"].tolist() == [1, 1]
