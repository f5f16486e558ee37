"""The head model: converting, downloading from a local server, choosing among sources, and what the real one holds."""

import hashlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from studio_head import needs_head

from kinlib.runtime.errors import KinlibError
from kinlib.studio.head import convert as head_convert
from kinlib.studio.head import files as head_files
from kinlib.studio.head import model as head
from kinlib.studio.head.model import FACE, HEAD, LASHES, TEARS, TEETH, have_head

# A small "head": two quads of part 0, a triangle of part 1. The second quad has texture rows of its own.
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0.5], [2, 1, 0.5], [3, 0, 1], [3, 1, 1]], float)
UV = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1], [1, 0], [1, 1], [1.2, 0], [1.8, 0.5]])
POLYGONS = ("1/1/1 2/2/1 3/3/1 4/4/1", "2/2 5/5 6/6 3/3", "6/6 7/7 8/8")
PARTS = {"first_vertices": (0, 6), "first_polygons": (0, 2)}
MODES = {"smile": 0.1, "frown": -0.2, "identity000": 0.3, "identity001": 0.4}  # how far each lifts vertex 2


def write_obj(path: Path, corners: np.ndarray, faces: bool = True) -> None:
    lines = ["# a comment", "mtllib some.mtl", "o head"]
    lines += ["v " + " ".join(f"{value:.6f}" for value in corner) for corner in corners]
    lines += ["vt " + " ".join(f"{value:.6f}" for value in pair) for pair in UV]
    lines += ["vn 0 0 1", "usemtl skin", "s 1"]
    lines += [f"f {polygon}" for polygon in POLYGONS] if faces else []
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def objects(tmp_path) -> Path:
    """A folder in the layout of the repository: LICENSE and FaceXModel/ with .obj files of the small head."""
    folder = tmp_path / "repository" / "FaceXModel"
    folder.mkdir(parents=True)
    (folder.parent / "LICENSE").write_text("free\n")
    write_obj(folder / head_convert.NEUTRAL, CORNERS)
    (folder / head_convert.INDICES).write_text(json.dumps({"idx_to_landmark_verts": [2, 0] * 34}))
    for name, lift in MODES.items():
        moved = CORNERS.copy()
        moved[2, 2] += lift
        write_obj(folder / f"{name}.obj", moved, faces=name == "smile")
    return folder


@pytest.fixture
def published(objects, monkeypatch) -> Path:
    """The small head's files stand in the table as if they were ICT-FaceKit's."""
    names = [f"FaceXModel/{name}" for name in (head_convert.NEUTRAL, head_convert.INDICES)]
    names += [f"FaceXModel/{name}.obj" for name in MODES]
    files = []
    for name in ["LICENSE", *names]:
        content = (objects.parent / name).read_bytes()
        files.append(head_files.RemoteFile(name, hashlib.sha256(content).hexdigest(), len(content)))
    monkeypatch.setattr(head_files, "table", lambda: tuple(files))
    monkeypatch.setattr(head_convert.convert, "__defaults__", tuple(PARTS.values()))
    return objects


@pytest.fixture
def alone(cache, monkeypatch) -> Path:
    """An empty cache and no KINLIB_ICT_DIR; returns where the converted model belongs."""
    monkeypatch.delenv("KINLIB_ICT_DIR", raising=False)
    return cache / "studio" / head.CONVERTED


def load():
    """`load_head` without its memory."""
    return head.load_head.__wrapped__()


def convert(objects: Path, target: Path) -> dict:
    head_convert.convert(objects, target, ["smile", "frown"], ["identity000", "identity001"], **PARTS)
    with np.load(target) as file:
        return {name: file[name] for name in file.files}


def test_converted_mesh(objects, tmp_path):
    data = convert(objects, tmp_path / "out.npz")
    assert set(data) == set(head_convert.FIELDS)
    np.testing.assert_allclose(data["v"], CORNERS)
    np.testing.assert_allclose(data["uv"], UV, atol=1e-6)
    assert data["tri"].tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2], [5, 6, 7]]
    assert data["tri_uv"].tolist() == data["tri"].tolist()
    assert data["tri_part"].tolist() == [0, 0, 0, 0, 1]
    assert data["vert_part"].tolist() == [0] * 6 + [1] * 2
    assert data["lmk68"].tolist() == [2, 0] * 34


def test_converted_modes_are_differences(objects, tmp_path):
    data = convert(objects, tmp_path / "out.npz")
    assert data["ex_names"].tolist() == ["smile", "frown"]
    np.testing.assert_allclose(data["ex_delta"][:, 2, 2], [0.1, -0.2], atol=1e-3)
    np.testing.assert_allclose(data["id_delta"][:, 2, 2], [0.3, 0.4], atol=1e-3)
    assert np.count_nonzero(data["id_delta"]) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("identity001.obj", None, "identity001.obj is missing"),
        ("smile.obj", "v 1 2 3\n", "has 1 vertices instead of 8"),
        ("smile.obj", "v 1 2 3\nv 1 2\n", "smile.obj is not an .obj file"),
        (head_convert.NEUTRAL, None, "lacks generic_neutral_mesh.obj"),
        (head_convert.NEUTRAL, "v 1 2 3\nf 1/x 2/2 3/3\n", "not an .obj file"),
        (head_convert.NEUTRAL, "v 1 2 3\n", "not ICT-FaceKit's head"),
        (head_convert.INDICES, "{", "vertex_indices.json is damaged"),
    ],
)
def test_bad_files_are_told_and_leave_nothing(objects, tmp_path, name, content, message):
    (objects / name).unlink()
    if content is not None:
        (objects / name).write_text(content)
    with pytest.raises(KinlibError, match=message):
        convert(objects, tmp_path / "out.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_folder_with_a_converted_model(objects, tmp_path, alone, monkeypatch):
    place = tmp_path / "mine"
    place.mkdir()
    monkeypatch.setenv("KINLIB_ICT_DIR", str(place))
    assert not have_head()
    convert(objects, place / head.CONVERTED)
    assert have_head()
    model = load()
    assert model.vertices.dtype == model.identity.dtype == model.expressions.dtype == np.float32
    assert model.expression_names == ("smile", "frown")
    assert model.expression("frown")[2, 2] == pytest.approx(-0.2, abs=1e-3)
    assert not alone.parent.exists()
    with pytest.raises(KinlibError, match="unknown expression 'grin'"):
        model.expression("grin")
    with pytest.raises(ValueError, match="read-only"):
        model.vertices[0] = 0


def test_folder_with_obj_files_is_converted_once(published, alone, monkeypatch):
    monkeypatch.setenv("KINLIB_ICT_DIR", str(published.parent))
    assert have_head()
    first = load()
    assert [path.name for path in alone.parent.iterdir()] == [head.CONVERTED]
    monkeypatch.setattr(head_convert, "convert", None)  # would fail if it were called
    np.testing.assert_array_equal(load().identity, first.identity)


def test_altered_obj_file_is_refused(published, alone, monkeypatch):
    (published / "smile.obj").write_text((published / "smile.obj").read_text() + "\n")
    monkeypatch.setenv("KINLIB_ICT_DIR", str(published))
    with pytest.raises(KinlibError, match=r"smile.obj is not ICT-FaceKit's file .*SHA-256"):
        load()
    (published / "smile.obj").unlink()
    with pytest.raises(KinlibError, match=r"smile.obj is missing"):
        load()


def test_wrong_folders_are_told(tmp_path, alone, monkeypatch):
    monkeypatch.setenv("KINLIB_ICT_DIR", str(tmp_path / "nowhere"))
    assert not have_head()
    with pytest.raises(KinlibError, match="which is not a folder"):
        load()
    monkeypatch.setenv("KINLIB_ICT_DIR", str(tmp_path))
    assert not have_head()
    with pytest.raises(KinlibError, match=r"holds neither ict_face_model.npz nor"):
        load()


@pytest.mark.parametrize("damage", ["text", "cut", "fields"])
def test_damaged_model_is_told(objects, tmp_path, alone, monkeypatch, damage):
    place = tmp_path / head.CONVERTED
    convert(objects, place)
    if damage == "text":
        place.write_text("not an archive")
    elif damage == "cut":
        place.write_bytes(place.read_bytes()[:-200])
    else:
        np.savez(place, v=CORNERS)
    monkeypatch.setenv("KINLIB_ICT_DIR", str(tmp_path))
    with pytest.raises(KinlibError, match=r"ict_face_model.npz is damaged or not a converted head model"):
        load()


class Handler(BaseHTTPRequestHandler):
    """Serves the files of `server.folder`; those in `server.broken` answer with other bytes or not at all."""

    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.log.append(name)
        content = (self.server.folder / name).read_bytes()
        broken = self.server.broken.get(name)
        self.send_response(404 if broken == "gone" else 200)
        content = content.replace(b"0", b"1") if broken == "other" else content
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if broken != "gone":
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(published, monkeypatch):
    """The small head's repository on this machine, as the only mirror."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.folder, httpd.log, httpd.broken = published.parent, [], {}
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(head_files, "MIRRORS", (f"http://127.0.0.1:{httpd.server_address[1]}/",))
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def test_download_and_conversion(server, alone):
    assert not have_head()
    model = load()
    assert model.identity[1, 2, 2] == pytest.approx(0.4, abs=1e-3)
    assert have_head() and len(server.log) == 7
    left = sorted(str(path.relative_to(alone.parent)) for path in alone.parent.rglob("*") if path.is_file())
    assert left == ["ict-facekit/LICENSE", head.CONVERTED]
    load()
    assert len(server.log) == 7


def test_damaged_cache_is_made_again(server, alone):
    alone.parent.mkdir(parents=True)
    alone.write_bytes(b"PK\x03\x04 something else")
    assert load().vertices.shape == (8, 3)
    assert alone.stat().st_size > 1000


def test_interrupted_download_goes_on(server, alone):
    server.broken["FaceXModel/identity000.obj"] = "gone"
    with pytest.raises(KinlibError, match=r"identity000.obj: 127.0.0.1:\d+ answered 404"):
        load()
    before = len(server.log)
    server.broken.clear()
    load()
    assert server.log[before:] == ["FaceXModel/identity000.obj", "FaceXModel/identity001.obj"]


def test_wrong_bytes_are_refused(server, alone):
    server.broken["FaceXModel/smile.obj"] = "other"
    with pytest.raises(KinlibError, match=r"smile.obj: 127.0.0.1:\d+ sent a file with another SHA-256"):
        load()
    assert not alone.exists()


def test_second_mirror_is_tried(server, alone, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setattr(head_files, "MIRRORS", (dead, *head_files.MIRRORS))
    assert load().vertices.shape == (8, 3)
    monkeypatch.setattr(head_files, "MIRRORS", (dead,))
    alone.unlink()
    with pytest.raises(KinlibError, match=r"no network connection to 127.0.0.1:\d+\): try again later"):
        load()


def test_offline(alone):
    with pytest.raises(KinlibError, match=r"no network connection to raw.githubusercontent.com, github.com"):
        load()


def test_silent_server_is_given_up(published, alone, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, never answers
        monkeypatch.setattr(head_files, "MIRRORS", (f"http://127.0.0.1:{mute.getsockname()[1]}/",))
        monkeypatch.setattr(head_files, "TIMEOUT", 0.2)
        with pytest.raises(KinlibError, match="no network connection"):
            load()


def test_cache_that_cannot_be_written(published, alone, monkeypatch):
    monkeypatch.setenv("KINLIB_ICT_DIR", str(published))
    alone.parent.parent.mkdir(parents=True)
    alone.parent.write_text("in the way")
    with pytest.raises(KinlibError, match="cannot write"):
        load()


def test_table_is_complete():
    table = head_files.table()
    assert len({file.path for file in table}) == len(table) == 158
    assert all(len(file.sha256) == 64 and 500 < file.size < 10_000_000 for file in table)
    assert head_files.identity_names() == [f"identity{number:03d}" for number in range(100)]
    names = head_files.expression_names()
    assert len(names) == 55 and {"jawOpen", "mouthSmile_L", "eyeBlink_R", "PupilDilate_L"} <= set(names)
    assert all(head_files.COMMIT in mirror and mirror.startswith("https://") for mirror in head_files.MIRRORS)
    assert len(head_convert.FIRST_VERTICES) == len(head_convert.FIRST_POLYGONS) == 19


@needs_head
def test_real_model_has_the_promised_shapes():
    model = head.load_head()
    count = len(model.vertices)
    assert model.vertices.shape == (26719, 3) and model.vertices.dtype == np.float32
    assert model.identity.shape == (100, count, 3) and model.expressions.shape == (55, count, 3)
    assert list(model.expression_names) == head_files.expression_names()
    assert model.triangles.shape == model.triangle_uv.shape == (len(model.triangle_part), 3)
    assert model.triangles.max() < count and model.triangle_uv.max() < len(model.uv)
    assert head.load_head() is model


@needs_head
def test_real_model_keeps_what_is_drawn():
    model = head.load_head()
    assert set(np.unique(model.triangle_part)) == set(head.DRAWN)
    assert model.vertices[model.triangles, 1].min() > head.BUST
    assert set(model.vertex_part[model.lash_triangles].ravel()) == set(LASHES)
    assert set(model.vertex_part[model.tear_triangles].ravel()) == set(TEARS)
    uv = model.uv[model.triangle_uv]
    for part in (FACE, HEAD):
        inside = uv[model.triangle_part == part] - [part, 0]
        assert inside.min() >= 0 and inside.max() <= 1
    assert (model.triangle_part == TEETH).sum() > 1000


@needs_head
def test_real_model_stands_in_the_head_frame():
    model = head.load_head()
    landmarks = model.vertices[model.landmarks]
    assert (model.vertex_part[model.landmarks] == FACE).all()
    mirrored = [*range(16, -1, -1), *range(26, 16, -1)]
    np.testing.assert_allclose(landmarks[mirrored][:, 0], -landmarks[:27, 0], atol=0.05)
    assert landmarks[0, 0] < -6 and landmarks[30, 2] == landmarks[:, 2].max()
    assert landmarks[8, 1] < landmarks[57, 1] < landmarks[30, 1] < landmarks[27, 1] < landmarks[19, 1]
    blink = model.expression("eyeBlink_L")[model.landmarks[36:48], 1]  # the person's left eye is at the image's right
    assert blink[6:].min() < -0.3 and abs(blink[:6]).max() < 0.05
