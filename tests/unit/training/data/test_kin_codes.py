"""Codes of a kin set: children's as `Kinship.encode` gives them, resumed, and only by the encoder in use."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kinlib.checkpoints import weights
from kinlib.gan.encoder import load_encoder
from kinlib.io.files import write_json
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.encoding import array_to_jpeg, array_to_png
from kinlib.studio.datasets.kin import NOTE
from kinlib.training.data import kin_codes
from kinlib.training.data.kin_codes import CODES, VIEWS, encode_set, load_codes

ROLES = ["father", "father", "mother", "mother", "child"]


def add_part(folder: Path, number: int) -> None:
    """A part with one couple: smooth pictures of 64 px."""
    rng = np.random.default_rng(number)
    rows = []
    for view, role in enumerate(ROLES):
        colours = rng.integers(0, 256, (2, 2, 3))
        image = colours.repeat(32, 0).repeat(32, 1).astype(np.uint8)
        mask = np.ones((64, 64), np.uint8)
        facts = {"couple": number, "role": role, "number": 0, "kind": "portrait", "view": view}
        rows.append(facts | {"image": array_to_jpeg(image, 93), "mask": array_to_png(mask)})
    pd.DataFrame(rows).to_parquet(folder / f"part-{number:05d}.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An encoded set of one part."""
    folder = tmp_path_factory.mktemp("kin")
    write_json(folder / NOTE, {"couples": 2, "seed": 3})
    add_part(folder, 0)
    assert list(encode_set(folder)) == [(0, 1), (1, 1)]
    return folder


def test_codes_of_children_have_all_corrections(folder):
    kin = load_codes(folder)
    assert kin.codes.shape[0] == 5 and kin.degraded.shape[:2] == (4, VIEWS) and kin.seed == 3
    assert kin.table.role.tolist() == ROLES and "image" not in kin.table
    table = pd.read_parquet(folder / "part-00000.parquet")
    pictures = kin_codes._decoded(table.image, "RGB").permute(0, 3, 1, 2).float() / 127.5 - 1
    large = torch.nn.functional.interpolate(pictures, (256, 256), mode="bilinear")
    encoder = load_encoder(weights.path("studio_encoder"))
    with torch.inference_mode():
        for row, passes in ((0, 0), (4, None)):
            expected = encoder(large[row : row + 1], passes=passes)[0]
            assert torch.allclose(kin.codes[row].float(), expected, atol=0.02)
    assert (kin.degraded[:, 0] != kin.codes[:4]).any()


def test_corrections_lead_from_plain_codes_to_what_users_have(folder):
    added = kin_codes.encode_corrections(folder)
    assert added.shape == (4, 12, 512)  # of parents only; of the one part there is, once
    table = pd.read_parquet(folder / "part-00000.parquet")
    pictures = kin_codes._decoded(table.image, "RGB").permute(0, 3, 1, 2).float() / 127.5 - 1
    large = torch.nn.functional.interpolate(pictures[:1], (256, 256), mode="bilinear")
    with torch.inference_mode():
        wanted = load_encoder(weights.path("studio_encoder"))(large)[0]
    assert torch.allclose(load_codes(folder).codes[0].float() + added[0], wanted, atol=0.02)
    assert added.abs().max() > 0.05


def test_only_new_parts_are_encoded(folder, monkeypatch):
    before = load_codes(folder).codes.clone()
    monkeypatch.setattr(kin_codes, "load_encoder", lambda path: pytest.fail("the encoder is not needed"))
    assert list(encode_set(folder)) == [(1, 1)]
    monkeypatch.undo()
    add_part(folder, 1)
    assert list(encode_set(folder)) == [(1, 2), (2, 2)]
    kin = load_codes(folder)
    assert len(kin.codes) == 10 and torch.equal(kin.codes[:5], before)
    assert kin.held_out.tolist() == [True] * 5 + [False] * 5


def test_codes_of_another_encoder_are_not_used(folder, monkeypatch):
    monkeypatch.setattr(kin_codes.weights, "sha256", lambda path: "another")
    with pytest.raises(KinlibError, match="there are no codes in"):
        load_codes(folder)


def test_folders_without_a_set(tmp_path):
    with pytest.raises(KinlibError, match="holds no kin set: render one with `kinlib render --kin`"):
        next(encode_set(tmp_path))
    add_part(tmp_path, 0)  # without the note
    with pytest.raises(KinlibError, match="holds no kin set"):
        load_codes(tmp_path)


def test_a_damaged_file_is_made_again(tmp_path):
    write_json(tmp_path / NOTE, {"couples": 1, "seed": 0})
    add_part(tmp_path, 0)
    (tmp_path / CODES).write_bytes(b"no tensors")
    assert list(encode_set(tmp_path))[-1] == (1, 1)
    assert len(load_codes(tmp_path).codes) == 5


def test_unrelated_people_are_encoded_as_parents(tmp_path):
    write_json(tmp_path / "render.json", {"people": 5, "seed": 4})
    add_part(tmp_path, 0)
    part = tmp_path / "part-00000.parquet"
    table = pd.read_parquet(part).drop(columns="role").assign(person=range(5), regions=b"")
    table.to_parquet(part)
    list(encode_set(tmp_path))
    found = load_codes(tmp_path)
    assert found.seed == 4 and len(found.degraded) == len(found.codes) == 5
    assert "person" in found.table and "regions" not in found.table
