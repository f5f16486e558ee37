"""`kinlib pool`: of a prepared folder, of random samples, and what it refuses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command_line import check_refusal
from PIL import Image

from kinlib.cli import main
from kinlib.faces.demography import analyse
from kinlib.inheritance.genes.pool import age_names, load_pool
from kinlib.prepare.table import TABLE
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError

PORTRAITS = config.data_dir() / "studio" / "portraits"


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder as `kinlib prepare` leaves it: two faces, and a picture without one."""
    folder = tmp_path / "set"
    (folder / "aligned").mkdir(parents=True)
    codes = torch.randn(2, 12, 512, generator=torch.Generator().manual_seed(0)).half().numpy()
    rows = []
    for i, name in enumerate(("couple_1_father", "couple_1_mother")):
        picture = Image.open(PORTRAITS / f"{name}.jpg").convert("RGB").resize((256, 256))
        picture.save(folder / "aligned" / f"{name}.jpg")
        rows.append({"status": "ok", "aligned": f"aligned/{name}.jpg", "latent": codes[i].tobytes()})
    rows.append({"status": "no face", "aligned": None, "latent": None})
    pd.DataFrame(rows).to_parquet(folder / TABLE)
    (folder / "prepare.json").write_text('{"preset": "studio"}')
    return folder


def test_a_prepared_folder_becomes_a_pool(prepared: Path, tmp_path: Path, capsys):
    out = tmp_path / "pool.safetensors"
    assert main(["pool", str(prepared), "--out", str(out), "--device", "cpu"]) == 0
    assert "2 people in" in capsys.readouterr().out
    pool = load_pool(out, num_layers=12)
    table = pd.read_parquet(prepared / TABLE)
    codes = [np.frombuffer(content, "<f2").reshape(12, 512) for content in table.latent[:2]]
    assert np.array_equal(pool.latents, np.stack(codes))
    said = analyse([Image.open(prepared / name) for name in table.aligned[:2]], device="cpu")
    for i in range(2):
        names = {kind: pool.names[kind][pool.labels[kind][i]] for kind in pool.names}
        sex = {"Woman": "female", "Man": "male"}[said.dominant_gender[i]]
        assert names == {"age": age_names(said.age)[i], "sex": sex, "group": said.dominant_race[i]}


def test_random_samples_become_a_pool(tmp_path: Path):
    for name in ("one", "again"):
        out = tmp_path / f"{name}.safetensors"
        assert main(["pool", "--samples", "3", "--seed", "5", "--out", str(out), "--device", "cpu"]) == 0
    pool = load_pool(tmp_path / "one.safetensors", num_layers=12)
    assert len(pool) == 3 and np.isfinite(pool.latents).all() and len(np.unique(pool.latents[:, 0, 0])) == 3
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either a folder that `kinlib prepare` wrote or --samples"),
        (("set", "--samples", 3), "give either a folder"),
        (("absent",), "'absent' holds no prepared.parquet: make it with `kinlib prepare"),
        (("--samples", 0), "needs 1 person or more, not 0"),
        (("set", "--out", "pool.txt"), "'pool.txt' must end in .safetensors"),
        (("set", "--out", "nowhere/pool.safetensors"), "there is no folder 'nowhere'"),
        (("--samples", 3, "--preset", "best"), "unknown preset 'best'"),
        (("--samples", 3, "--device", "abacus"), "the device 'abacus' is not available here"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, monkeypatch, capsys, arguments: tuple, words: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    assert words in check_refusal("pool", [*map(str, arguments)], tmp_path, capsys)


def test_a_folder_without_faces_and_one_that_lacks_a_picture_are_refused(prepared: Path, tmp_path: Path):
    from kinlib.prepare.pool import pool_of_folder

    (prepared / "aligned" / "couple_1_mother.jpg").unlink()
    with pytest.raises(KinlibError, match=r"couple_1_mother\.jpg' cannot be read"):
        list(pool_of_folder(prepared, tmp_path / "pool.safetensors", "cpu"))
    table = pd.read_parquet(prepared / TABLE)
    table[table.status != "ok"].to_parquet(prepared / TABLE)
    with pytest.raises(KinlibError, match="holds no face with a code"):
        list(pool_of_folder(prepared, tmp_path / "pool.safetensors", "cpu"))
    assert not (tmp_path / "pool.safetensors").exists()
