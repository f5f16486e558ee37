"""16 bits in every network that may be asked to compute in them: near to 32 bits, and not the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinlib import config, images, memory
from kinlib.cli import main
from kinlib.faces.bisenet import BiSeNet
from kinlib.faces.demography import DemographyNet
from kinlib.faces.parsing import ParsingNet
from kinlib.faces.upscale_networks import Compact
from kinlib.photos import read_photo
from kinlib.prepare import read_prepared
from kinlib.prepare.table import latents

CPU = torch.device("cpu")
PORTRAITS = config.data_dir() / "studio" / "portraits"
BOUNDS = {torch.float16: 0.01, torch.bfloat16: 0.06}  # of the answers' spread; the types keep 11 and 8 digits


def small_bisenet() -> nn.Module:
    net = BiSeNet()
    net.input_size = 64  # a 64th of the work
    return net


NETWORKS = {
    "BiSeNet": (small_bisenet, 64),
    "ParsingNet": (lambda: ParsingNet(input_size=64), 64),
    "DemographyNet": (lambda: DemographyNet(input_size=64), 64),
    "upscaler": (lambda: Compact(64, 16, 4), 24),
}


@pytest.fixture(scope="module")
def portraits() -> Tensor:
    """All sample parents: [12, 3, 256, 256]."""
    return torch.cat([images.to_tensor(read_photo(photo)) for photo in sorted(PORTRAITS.glob("*.jpg"))])


def seeded(name: str, pictures: Tensor) -> nn.Module:
    """A network that has learnt nothing, whose running averages know the pictures, as after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = NETWORKS[name][0]().requires_grad_(False).train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = None  # averages of all that was seen
    with torch.no_grad():
        net(pictures)
    return net.eval()


def answers(found: Tensor | tuple | dict) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return list(found.values() if isinstance(found, dict) else found)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_in_16_bits(name: str, dtype: torch.dtype, portraits: Tensor):
    pictures = images.resize(portraits, NETWORKS[name][1])
    net = seeded(name, pictures)
    with torch.inference_mode():
        wanted = answers(net(pictures[:2]))
        with memory.autocast(CPU, dtype):
            found = answers(net(pictures[:2]))
    assert len(found) == len(wanted) >= 1
    for one, other in zip(found, wanted, strict=True):
        assert one.isfinite().all() and other.std() > 0
        error = (one.float() - other).square().mean().sqrt() / other.std()
        assert 0 < float(error) < BOUNDS[dtype]  # not zero: it was really computed in 16 bits


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_prepare_in_16_bits(dtype: str, tmp_path: Path, capsys):
    (tmp_path / "photos").mkdir()
    for photo in sorted(PORTRAITS.glob("couple_1_*.jpg")):
        (tmp_path / "photos" / photo.name).write_bytes(photo.read_bytes())
    tables = {}
    for kind in ("float32", dtype):
        options = ["--workers", "1", "--device", "cpu", "--dtype", kind, "--out", str(tmp_path / kind)]
        assert main(["prepare", str(tmp_path / "photos"), *options]) == 0
        tables[kind] = read_prepared(tmp_path / kind)
    wanted, found = tables["float32"], tables[dtype]
    assert found["status"].tolist() == wanted["status"].tolist() == ["ok", "ok"]
    codes, exact = latents(found), latents(wanted)
    spread = (exact - exact.mean(dim=0)).square().mean().sqrt()
    error = (codes - exact).square().mean().sqrt() / spread
    assert codes.isfinite().all() and 0 < float(error) < BOUNDS[getattr(torch, dtype)]
    people = [np.stack(table["embedding"]) for table in (found, wanted)]
    assert (people[0] * people[1]).sum(axis=1).min() > 0.99
