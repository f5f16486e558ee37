"""Inputs that once ended in a traceback, or worse; fuzzing found them, and each stands for its kind."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from readers import READERS, imitate
from safetensors.torch import load, save

from kinlib.prepare import engines, list_photos, prepare
from kinlib.runtime.errors import KinlibError

Change = Callable[[bytes], bytes]


def said(**values) -> Change:
    """JSON with other values."""
    return lambda content: json.dumps(json.loads(content) | values).encode()


def tensors(**changed) -> Change:
    """A PyTorch file with other tensors."""

    def change(content: bytes) -> bytes:
        state = torch.load(io.BytesIO(content), weights_only=True) | changed
        buffer = io.BytesIO()
        torch.save(state, buffer)
        return buffer.getvalue()

    return change


def state(**changed) -> Change:
    """A safetensors file with other tensors."""
    return lambda content: save(load(content) | changed)


def _table(content: bytes, change: Callable[[pd.DataFrame], pd.DataFrame]) -> bytes:
    return change(pd.read_parquet(io.BytesIO(content))).to_parquet(None, index=False)


def _archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("age.npy", content)
    return buffer.getvalue()[:-9]


def _unknown_compression(content: bytes) -> bytes:
    at = content.index(b"PK\x01\x02") + 10
    return content[:at] + b"\x63\x00" + content[at + 2 :]


HUGE = torch.zeros(1).expand(2**40, 1)  # as the file says; it holds four bytes
NOTHING = torch.empty(2**40, 0)
DEEP = b"[" * 100_000

FAULTS: dict[str, tuple[str, str, Change, str]] = {
    # what: (reader, file, how it differs from a good one, what is said)
    "a note nested too deeply": ("note", "begun.json", lambda _: DEEP, "is damaged"),
    "blend weights nested too deeply": ("blend_weights", "blend.json", lambda _: DEEP, "not JSON"),
    "a pool whose header is nested too deeply": (
        *("gene_pool", "pool.safetensors"),
        lambda _: len(DEEP).to_bytes(8, "little") + DEEP,
        "no gene pool, or damaged",
    ),
    "a session on an endless screen": ("session", "session.json", said(shown=float("inf")), "damaged session"),
    "a session beyond its screens": ("session", "session.json", said(shown=10**6), "damaged session"),
    "a face of enormous numbers": ("session", "session.json", said(faces=[[10**400] * 6]), "damaged session"),
    "a search without counts": (
        *("picture_search", "found/state.safetensors"),
        state(counts=torch.tensor(1)),
        "is damaged",
    ),
    "a search with another type": (
        *("picture_search", "found/state.safetensors"),
        state(fitness=torch.zeros(4, dtype=torch.bfloat16)),
        "is damaged",
    ),
    "half a part of renders": ("renders", "part-00000.parquet", lambda content: content[:-50], "is damaged"),
    "renders without people": (
        *("renders", "part-00000.parquet"),
        lambda content: _table(content, lambda table: table.drop(columns="person")),
        "lacks the column 'person'",
    ),
    "a damaged picture among renders": (
        *("renders", "part-00000.parquet"),
        lambda content: _table(content, lambda table: table.assign(image=[b"\xff\xd8\xff", b""])),
        "a picture of the set is damaged",
    ),
    "label maps of another size": (
        *("labelled", "part-00000.parquet"),
        lambda content: _table(content, lambda table: table.assign(image=[_png(16), _png(8)])),
        "have not one size",
    ),
    "a line that a kill has cut": ("training_run", "run/calls.jsonl", lambda line: line[:9], "is damaged"),
    "a checkpoint of other things": ("training_run", "run/state.pt", tensors(net=[1], step=None), "is damaged"),
    "an archive in place of an array": ("direction_npy", "age.npy", _archive, "not a NumPy array"),
    "an array with half a header": ("direction_npy", "age.npy", lambda c: c.replace(b"}", b"("), "not a NumPy array"),
    "a direction that is sparse": ("direction", "net.pt", tensors(direction=HUGE[:1].to_sparse()), "no direction"),
    "directions of any size": ("directions", "net.pt", tensors(**{"age.step": HUGE}), "no directions"),
    "directions of another length": ("directions", "net.pt", tensors(**{"age.step": torch.ones(3)}), "no directions"),
    "a generator of any size": ("generator", "net.pt", tensors(**{"input.input": HUGE}), "does not fit Generator"),
    "a sampler of any size": ("sampler", "net.pt", tensors(axes=NOTHING), "does not fit Sampler"),
    "an editor of any size": ("editor", "net.pt", tensors(**{"encoder.0.0.weight": HUGE}), "cannot be|does not fit"),
    "a step of any size": ("learned_step", "net.pt", tensors(**{"out.weight": NOTHING}), "cannot be|does not fit"),
    "a quotation that never ends": (
        *("scut_fbp_csv", "SCUT-FBP.csv"),
        lambda content: content + b'\n4,"' + b"x" * 140_000,
        "is no table",
    ),
    "the same of other ratings": (
        *("hotornot", "eccv2010_split1.csv"),
        lambda content: content + b'\n"' + b"x" * 140_000,
        "is no table",
    ),
    "a sheet in an unknown compression": ("scut_fbp_xlsx", "SCUT-FBP.xlsx", _unknown_compression, "no Excel sheet"),
    "attributes in no encoding": ("celeba", "list_attr_celeba.txt", lambda _: b"3\n\xff\xfe\x80", "cannot be read"),
}


def _png(side: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("what", FAULTS)
def test_one_sentence(what, tmp_path):
    name, file, change, sentence = FAULTS[what]
    READERS[name].make(tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(KinlibError, match=sentence):
        READERS[name].read(tmp_path)


@pytest.mark.parametrize("aligned", ["../precious.jpg", "photos/a.jpg", "aligned/../../precious.jpg", "{absolute}"])
def test_no_other_file_is_deleted(aligned, tmp_path, monkeypatch):
    """A prepared folder may come from anybody; its table names the faces that go when their photographs have gone."""
    monkeypatch.setattr(engines, "prepare_part", imitate)
    (tmp_path / "photos").mkdir()
    (tmp_path / "precious.jpg").write_bytes(b"precious")
    for name in "ab":
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(name.encode())

    def run() -> None:
        list(prepare(list_photos(tmp_path / "photos", "folder"), tmp_path / "out", workers=1, device="cpu"))

    run()
    table = tmp_path / "out" / "prepared.parquet"
    rows = pq.read_table(table)
    named = [aligned.replace("{absolute}", str(tmp_path / "precious.jpg")), *rows["aligned"].to_pylist()[1:]]
    pq.write_table(rows.set_column(rows.schema.get_field_index("aligned"), "aligned", [named]), table)
    (tmp_path / "photos" / "c.jpg").write_bytes(b"c")
    run()
    assert Path(tmp_path, "precious.jpg").read_bytes() == b"precious"
    assert Path(tmp_path, "photos", "a.jpg").read_bytes() == b"a"


def test_a_log_that_a_kill_has_cut_goes_on_where_the_checkpoint_is(tmp_path):
    READERS["training_run"].make(tmp_path)
    log = tmp_path / "run" / "log.jsonl"
    log.write_text('{"step": 0, "loss": 1.0}\n{"step": 2, "loss": 0.5}\n{"step": 3, "loss": 0.4}\n{"step": 5, "lo')
    READERS["training_run"].read(tmp_path)  # the checkpoint is of step 3
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [0, 2]
