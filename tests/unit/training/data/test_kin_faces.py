"""Targets of the weight network: embeddings of true children's portraits, computed once and in the table's order."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kinlib.evaluation.embedding import embed_pictures
from kinlib.training.data import kin_faces
from kinlib.training.data.kin_codes import KinCodes

LAYERS, CHILDREN = 2, 2
ROLES = [("father", 0), ("mother", 0), *(("child", number) for number in range(CHILDREN))]


def picture(seed: int) -> bytes:
    colours = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).resize((64, 64)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def kin(tmp_path: Path) -> KinCodes:
    """Three parts of one couple each, of which the last has no codes yet; couple 0 is held out."""
    rows = [
        {"couple": couple, "role": role, "number": number, "kind": "portrait", "image": picture(10 * couple + place)}
        for couple in range(3)
        for place, (role, number) in enumerate(ROLES)
    ]
    table = pd.DataFrame(rows)
    for couple, part in table.groupby("couple"):
        part.to_parquet(tmp_path / f"part-{couple:05d}.parquet")
    known = table[table.couple < 2].reset_index(drop=True)
    codes = torch.arange(len(known)).view(-1, 1, 1).expand(-1, LAYERS, 512).half()
    parents = torch.from_numpy((known.role != "child").to_numpy())
    return KinCodes(known, codes, codes[parents][:, None], seed=0)


def test_every_child_has_its_embedding_and_keeps_it(kin, tmp_path, monkeypatch):
    cache = tmp_path / "run"
    cache.mkdir()
    found = kin_faces.embed_children(tmp_path, kin, cache)
    images = [
        Image.open(io.BytesIO(data))
        for data in pd.concat([pd.read_parquet(tmp_path / f"part-{part:05d}.parquet") for part in (0, 1)])
        .query("role == 'child'")
        .image
    ]
    np.testing.assert_allclose(found.numpy(), embed_pictures(images), atol=1e-5)
    monkeypatch.setattr(kin_faces, "embed_pictures", None)  # it is not needed again
    assert torch.equal(kin_faces.embed_children(tmp_path, kin, cache), found)


def test_couples_are_split_and_keep_their_children(kin, tmp_path):
    count = int((kin.table.role == "child").sum())
    embeddings = torch.arange(count).float().view(-1, 1).expand(-1, 512)
    train, held_out = kin_faces.couples_of(kin, embeddings)
    assert held_out.number.tolist() == [0] and train.number.tolist() == [1]
    assert train.father[0, 0, 0] == 4 and train.mother[0, 0, 0] == 5  # rows of the table
    assert train.children[0, :, 0].tolist() == [2, 3]
    trios = train.trios()
    assert trios.children.shape == (1, 1, 512) and trios.children[0, 0, 0] == 2
    assert len(train[:1]) == 1


def test_a_damaged_cache_is_made_again(kin, tmp_path):
    (tmp_path / kin_faces.EMBEDDINGS).write_bytes(b"damaged")
    assert len(kin_faces.embed_children(tmp_path, kin, tmp_path)) == 4
