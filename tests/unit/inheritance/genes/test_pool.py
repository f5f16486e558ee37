"""The gene pool: its file, who is found in it, and what falls back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kinlib.inheritance.genes.pool import AGES, SEXES, age_names, load_pool, save_pool
from kinlib.runtime.errors import KinlibError

NAMES = {"age": AGES, "sex": SEXES, "group": ("amber", "birch", "cedar")}
LABELS = {
    "age": ["20-29", "20-29", "3-9", "70+"],
    "sex": ["male", "female", "male", "male"],
    "group": ["amber", "amber", "birch", "amber"],
}


@pytest.fixture
def codes() -> torch.Tensor:
    return torch.randn(4, 3, 512, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def path(tmp_path: Path, codes) -> Path:
    save_pool(tmp_path / "pool.safetensors", codes, LABELS, NAMES)
    return tmp_path / "pool.safetensors"


def test_codes_stay_on_disk_and_come_back(path, codes):
    pool = load_pool(path, num_layers=3)
    assert len(pool) == 4 and isinstance(pool.latents, np.memmap)
    found = pool.codes(torch.tensor([[3, 0], [1, 1]]))
    assert found.shape == (2, 2, 3, 512) and found.dtype == torch.float32
    torch.testing.assert_close(found, codes[torch.tensor([[3, 0], [1, 1]])].half().float())
    assert torch.equal(load_file(path)["latents"], codes.half())


def test_codes_in_w_are_kept_once(tmp_path, codes):
    repeated = codes[:, :1].expand(-1, 18, -1)
    save_pool(tmp_path / "w.safetensors", repeated, LABELS, NAMES)
    assert load_file(tmp_path / "w.safetensors")["latents"].shape == (4, 1, 512)
    pool = load_pool(tmp_path / "w.safetensors", num_layers=18)
    torch.testing.assert_close(pool.codes(torch.tensor([2, 0])), repeated[[2, 0]].half().float())
    with pytest.raises(KinlibError, match="codes of 18 layers instead of 12"):
        load_pool(tmp_path / "w.safetensors", num_layers=12)


def test_people_are_found(path):
    pool = load_pool(path)
    assert pool.select("20-29", "male", "amber").people.tolist() == [0]
    assert pool.select(sex="male").people.tolist() == [0, 2, 3]
    assert pool.select().people.tolist() == [0, 1, 2, 3] and pool.select().note is None
    assert pool.counts() == {
        ("20-29", "male", "amber"): 1,
        ("20-29", "female", "amber"): 1,
        ("3-9", "male", "birch"): 1,
        ("70+", "male", "amber"): 1,
    }


@pytest.mark.parametrize(
    ("wanted", "people", "note"),
    [
        (("20-29", "male", "birch"), [0], "age 20-29, sex male, group birch: those of age 20-29, sex male"),
        (("0-2", "male", "cedar"), [0, 2, 3], "those of sex male take their place"),
        (("0-2", None, None), [0, 1, 2, 3], "nobody of age 0-2: all people in it take their place"),
        (("3-9", "female", None), [1], "those of sex female"),
    ],
)
def test_an_empty_group_falls_back_with_a_note(path, wanted: tuple, people: list[int], note: str):
    found = load_pool(path).select(*wanted)
    assert found.people.tolist() == people and note in found.note and "\n" not in found.note


def test_unknown_names_are_refused(path, codes, tmp_path: Path):
    with pytest.raises(KinlibError, match="unknown group 'east' of a gene pool: choose from amber, birch, cedar"):
        load_pool(path).select(group="east")
    with pytest.raises(KinlibError, match="unknown sex 'other'"):
        save_pool(tmp_path / "other", codes, LABELS | {"sex": ["other"] * 4}, NAMES)
    with pytest.raises(KinlibError, match="3 labels of age for 4 people"):
        save_pool(tmp_path / "other", codes, LABELS | {"age": ["3-9"] * 3}, NAMES)
    with pytest.raises(KinlibError, match=r"\[P, L, 512\]"):
        save_pool(tmp_path / "other", codes[:0], {kind: [] for kind in LABELS}, NAMES)
    assert not (tmp_path / "other").exists()


def test_other_files_are_refused(path, tmp_path: Path):
    with pytest.raises(KinlibError, match="codes of 3 layers instead of 12"):
        load_pool(path, num_layers=12)
    with pytest.raises(KinlibError, match="cannot be read"):
        load_pool(tmp_path / "absent")
    save_file({"latents": torch.zeros(2, 3, 512)}, tmp_path / "other.safetensors")
    (tmp_path / "text").write_text("no pool")
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-5000])
    for name in ("other.safetensors", "text", "cut"):
        with pytest.raises(KinlibError, match="is no gene pool, or damaged"):
            load_pool(tmp_path / name)


def test_years_have_ages():
    assert age_names([0, 2.9, 3, 9.99, 25, 69.9, 70, 101]) == [
        "0-2",
        "0-2",
        "3-9",
        "3-9",
        "20-29",
        "60-69",
        *["70+"] * 2,
    ]
    assert age_names([5, 40], ("0-17", "18+")) == ["0-17", "18+"]
    with pytest.raises(KinlibError, match="begin with 0-2 years, not with -1"):
        age_names([-1])
