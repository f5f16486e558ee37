"""The table of methods: a method with trained files and an option of its own fits in like any other."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kinlib.checkpoints import weights
from kinlib.checkpoints.checksums import sha256
from kinlib.cli.children import ChildCommand, with_method_options
from kinlib.inheritance import registry
from kinlib.inheritance.registry import Method, Option
from kinlib.kinship.kinship import Kinship
from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents

LAYERS = 10
ETA = Option("eta", "strength of the trained shift", 1.0, registry.number("eta", 0, 2))


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Path:
    """A copy of the bundled data, to which weights may be added."""
    shutil.copytree(config.data_dir(), tmp_path / "data")
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def add_weights(data: Path, value: float) -> Path:
    """A trained file of the studio, with its record in the manifest, as `kinlib train` would leave it."""
    folder = data / "weights" / "studio"
    file = folder / "shifted.safetensors"
    save_file({"shift": torch.full((512,), value)}, file)
    records = json.loads((folder / "manifest.json").read_text())
    records[file.name] = {"sha256": sha256(file), "size": file.stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(records))
    return file


@pytest.fixture
def built() -> Iterator[list[str]]:
    """A method with trained files; the presets for which it has been built."""
    built: list[str] = []

    def build(preset: str):
        built.append(preset)
        path = weights.path(weights.for_role(preset, "shifted").name)
        shift = weights.open_checkpoint(path)["shift"]

        def inherit(father, mother, generator, eta):
            return torch.lerp(mother, father, 0.5) + eta * shift * torch.rand(1, generator=generator)

        return inherit

    registry.register(Method("shifted", "the mean of both, shifted", build, needs=("shifted",), options=(ETA,)))
    yield built
    registry.unregister("shifted")


def codes(value: float) -> torch.Tensor:
    return torch.full((1, LAYERS, 512), float(value))


def test_every_method_is_described():
    assert registry.names()[:5] == ["average", "per_layer", "per_dimension", "mask", "slerp"]
    assert len(set(registry.names())) == len(registry.names())
    for name in registry.names():
        method = registry.find(name)
        assert method.name == name and method.summary and "\n" not in method.summary and method.summary[-1] != "."
        assert f"{name} ({method.summary})" in registry.describe()
        assert set(method.options) <= set(registry.all_options())


def test_methods_without_files_are_always_available(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path))
    for preset in config.PRESETS:
        assert registry.available(preset)[:2] == ["average", "per_layer"]
    with pytest.raises(KinlibError, match="unknown preset 'cartoon'"):
        registry.available("cartoon")


def test_a_trained_method_is_built_when_it_is_used_and_once(data: Path, built: list[str]):
    add_weights(data, 3.0)
    inherit = registry.create("shifted", "studio")
    assert built == []
    child = inherit(codes(1), codes(0), torch.Generator().manual_seed(0))
    assert built == ["studio"] and child.shape == (1, LAYERS, 512)
    again = registry.create("shifted", "studio", eta=2)(codes(1), codes(0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(again - 0.5, 2 * (child - 0.5))
    assert built == ["studio"]
    assert "shifted" in registry.available("studio") and "shifted" not in registry.available("ffhq")


def test_another_data_folder_has_other_networks(data: Path, built: list[str], tmp_path: Path, monkeypatch):
    add_weights(data, 3.0)
    one = registry.create("shifted")(codes(0), codes(0), torch.Generator().manual_seed(0))
    shutil.copytree(data, tmp_path / "other")
    monkeypatch.setenv("KINLIB_DATA", str(tmp_path / "other"))
    add_weights(tmp_path / "other", 6.0)
    other = registry.create("shifted")(codes(0), codes(0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(other, 2 * one)


def test_absent_files_are_told_before_anything_is_built(built: list[str]):
    assert "shifted" not in registry.available("studio")
    with pytest.raises(KinlibError, match="'studio' has no weights for the role 'shifted'"):
        registry.create("shifted")
    assert built == []


def test_absent_files_of_the_table_are_named(data: Path, built: list[str]):
    add_weights(data, 1.0).unlink()
    with pytest.raises(KinlibError, match="the weights 'studio_shifted' are not here") as caught:
        registry.create("shifted")
    assert "\n" not in str(caught.value) and built == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("shifted", {"father_share": 0.5}, "the method 'shifted' has no option 'father_share': it takes eta"),
        ("average", {"eta": 0.5}, "the method 'average' has no option 'eta': it takes father_share"),
        ("shifted", {"eta": 3}, "eta must be a number from 0 to 2, not 3"),
        ("shifted", {"eta": float("nan")}, "eta must be a number from 0 to 2, not nan"),
        ("shifted", {"eta": "much"}, "eta must be a number from 0 to 2, not much"),
        ("shifted", {"eta": None}, "eta must be a number from 0 to 2, not None"),
    ],
)
def test_options_that_a_method_does_not_take(built: list[str], name: str, options: dict, message: str):
    with pytest.raises(KinlibError, match=message) as caught:
        registry.create(name, **options)
    assert "\n" not in str(caught.value) and built == []


def test_a_method_without_options_says_so():
    plain = Method("plain", "the father", lambda preset: lambda father, mother, generator: father)
    with pytest.raises(KinlibError, match="the method 'plain' has no option 'share': it takes none"):
        plain.check({"share": 1})
    assert plain.check({}) == {}


def test_the_whole_way_knows_the_method(data: Path, built: list[str]):
    """`Kinship` and the command line need not be told of a new method."""
    add_weights(data, 0.1)
    kin = Kinship.load("studio", device="cpu")
    faces = [kin.encode(photo) for photo in sample_parents.couple(1)]
    weak, strong = (kin.child(*faces, method="shifted", eta=eta, seed=3) for eta in (0.5, 1.0))
    assert built == ["studio"] and not torch.equal(weak.latent, strong.latent)
    with pytest.raises(KinlibError, match="has no option 'father_share'"):
        kin.child(*faces, method="shifted", father_share=0.5)
    with pytest.raises(KinlibError, match="the method 'average' has no option 'agee': it takes father_share"):
        kin.child(*faces, agee=5)
    fields = with_method_options(ChildCommand).__dataclass_fields__
    assert {"eta", "father_share"} <= set(fields) and fields["eta"].default is None


def test_the_table_costs_no_pytorch():
    code = "import sys; from kinlib.inheritance import registry; registry.describe(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=config.project_root(), check=True, timeout=60)
