"""Latent directions: the bundled ones by name, the published ones by file, and files that are neither."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bad_weights import Malicious
from safetensors.torch import save_file

from kinlib.gan.directions import Direction, find, load_direction, load_directions
from kinlib.runtime.errors import KinlibError

LAYERS = 10
PUBLISHED = [(512,), (1, 512), (18, 512), (1, 18, 512)]


@pytest.fixture
def codes() -> torch.Tensor:
    return torch.randn(4, LAYERS, 512, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def direction() -> Direction:
    """A direction and a probe that reads one unit for one step."""
    source = torch.Generator().manual_seed(1)
    step, probe = torch.randn(2, LAYERS, 512, generator=source)
    return Direction(step, probe / (probe * step).sum(), offset=30.0, low=0.0, high=80.0)


# --- moving and setting ---


def test_move_and_read(direction: Direction, codes):
    before = direction.read(codes)
    moved = direction.move(codes, 7)
    assert before.shape == (4,) and moved.shape == codes.shape
    torch.testing.assert_close(direction.read(moved), before + 7, atol=1e-3, rtol=0)
    each = torch.tensor([0.0, 1.0, -2.0, 3.0])
    torch.testing.assert_close(direction.read(direction.move(codes, each)), before + each, atol=1e-3, rtol=0)
    assert torch.equal(direction.move(codes, 0), codes)


def test_set_brings_everyone_to_the_value(direction: Direction, codes):
    torch.testing.assert_close(direction.read(direction.set(codes, 40)), torch.full((4,), 40.0), atol=1e-3, rtol=0)
    for asked, kept in ((-50, 0.0), (500, 80.0)):
        reading = direction.read(direction.set(codes, asked))
        torch.testing.assert_close(reading, torch.full((4,), kept), atol=1e-3, rtol=0)


def test_without_a_probe_nothing_can_be_read(codes):
    direction = Direction(torch.ones(1, 512))
    torch.testing.assert_close(direction.move(codes, 2), codes + 2)
    for act in (direction.read, lambda code: direction.set(code, 1)):
        with pytest.raises(ValueError, match="no probe"):
            act(codes)


# --- bundled ---


def test_bundled_directions():
    directions = load_directions()
    assert {"age", "sex", "smile", "yaw", "glasses"} <= set(directions)
    for name, direction in directions.items():
        step = load_direction(name)
        assert torch.equal(step, direction.step) and step.dtype == torch.float32
        assert step.ndim == 2 and step.shape[1] == 512 and step.isfinite().all() and step.abs().max() > 0
        assert direction.probe.shape == step.shape and direction.probe.isfinite().all()
        assert direction.low < direction.high
        assert torch.broadcast_shapes(step.shape, (2, len(step), 512)) == (2, len(step), 512)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(KinlibError, match=r"unknown direction 'shoe size': there are age, .*sex"):
        load_direction("shoe size")
    with pytest.raises(KinlibError, match="there are none"):
        find({}, "age")


def test_missing_bundle(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    with pytest.raises(KinlibError, match=r"there is no file .*directions\.safetensors"):
        load_direction("age")


@pytest.mark.parametrize(
    "tensors",
    [
        {"age.step": torch.zeros(1, 512)},
        {"age.step": torch.zeros(1, 512), "age.probe": torch.zeros(1, 512), "age.range": torch.zeros(3)},
        {"age.step": torch.zeros(1, 512), "age.probe": torch.zeros(1, 512), "age.range": torch.tensor(3.0)},
        {"conv1.weight": torch.zeros(1, 512)},
    ],
)
def test_bundle_in_another_layout(tmp_path: Path, tensors: dict):
    path = tmp_path / "directions.safetensors"
    save_file(tensors, path)
    with pytest.raises(KinlibError, match="holds no directions in our layout") as caught:
        load_directions(path)
    assert "\n" not in str(caught.value)


# --- files ---


@pytest.mark.parametrize("shape", PUBLISHED)
@pytest.mark.parametrize("suffix", [".pt", ".npy"])
@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_published_shapes(tmp_path: Path, shape: tuple[int, ...], suffix: str, kind: torch.dtype):
    path = tmp_path / f"age{suffix}"
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(kind)
    if suffix == ".pt":
        torch.save(values, path)
    else:
        np.save(path, values.numpy())
    direction = load_direction(path)
    assert direction.dtype == torch.float32 and direction.ndim == 2
    assert torch.equal(direction, values.float().reshape(-1, 512))
    assert torch.equal(load_direction(str(path)), direction)
    assert (torch.zeros(2, 18, 512) + direction).shape == (2, 18, 512)


def test_old_format_and_named_tensor(tmp_path: Path):
    values = torch.randn(1, 512, generator=torch.Generator().manual_seed(0))
    torch.save(values, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"direction": values}, tmp_path / "named.pth")
    save_file({"direction": values}, tmp_path / "named.safetensors")
    for name in ("old.pt", "named.pth", "named.safetensors"):
        assert torch.equal(load_direction(tmp_path / name), values)


@pytest.mark.parametrize(
    "shape", [(), (0, 512), (256,), (18, 256), (512, 1), (2, 18, 512), (1, 1, 18, 512)], ids=lambda shape: str(shape)
)
@pytest.mark.parametrize("suffix", [".pt", ".npy"])
def test_other_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...], suffix: str):
    path = tmp_path / f"age{suffix}"
    if suffix == ".pt":
        torch.save(torch.zeros(shape), path)
    else:
        np.save(path, np.zeros(shape, np.float32))
    with pytest.raises(KinlibError, match=r"a direction is \[512\], \[1, 512\] or \[L, 512\]"):
        load_direction(path)


def write_bad_file(way: str, path: Path, victim: Path) -> Path:
    """A file that is no direction; returns its path."""
    if way == "missing":
        return path.with_suffix(".npy")
    if way == "folder":
        path.mkdir()
    elif way == "empty":
        path.touch()
    elif way == "text":
        path.write_text("age: 1, 2, 3\n")
    elif way == "two tensors":
        torch.save({"age": torch.zeros(1, 512), "smile": torch.zeros(1, 512)}, path)
    elif way == "no tensor":
        torch.save({"age": "old"}, path)
    elif way == "not finite":
        torch.save(torch.full((1, 512), float("nan")), path)
    elif way == "code":
        torch.save(Malicious(victim), path)
    else:
        path = path.with_suffix(".npy")
        content = {
            "npy with code": np.array([Malicious(victim)], dtype=object),
            "npy of text": np.array(["age"] * 512),
            "npy of complex numbers": np.zeros(512, dtype=[("a", float), ("b", float)]),
        }
        if way in content:
            np.save(path, content[way], allow_pickle=True)
        elif way == "npz":
            with path.open("wb") as file:
                np.savez(file, age=np.zeros(512))
        elif way == "npy cut short":
            np.save(path, np.zeros((18, 512)))
            path.write_bytes(path.read_bytes()[:1000])
        elif way == "empty npy":
            path.touch()
    return path


@pytest.mark.parametrize(
    "way",
    [
        *("missing", "folder", "empty", "text", "two tensors", "no tensor", "not finite", "code"),
        *("npy with code", "npy of text", "npy of complex numbers", "npz", "npy cut short", "empty npy"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, way: str):
    victim = tmp_path / "code-was-run"
    path = write_bad_file(way, tmp_path / "age.pt", victim)
    with pytest.raises(KinlibError) as caught:
        load_direction(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not victim.exists()
