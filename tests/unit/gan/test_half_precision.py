"""16 bits in every network that may be asked to compute in them: near to 32 bits, and not the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinlib.cli import main
from kinlib.faces.bisenet import BiSeNet
from kinlib.faces.demography import EMOTIONS, DemographyNet, analyse
from kinlib.faces.parsing import ParsingNet, parse
from kinlib.faces.upscale import upscale
from kinlib.faces.upscale_networks import Compact
from kinlib.io import images
from kinlib.io.photos import read_photo
from kinlib.prepare import read_prepared
from kinlib.prepare.table import latents
from kinlib.runtime import config, memory
from kinlib.runtime.compat import patch_torchvision
from kinlib.runtime.errors import KinlibError

CPU = torch.device("cpu")
PORTRAITS = config.data_dir() / "studio" / "portraits"
BOUNDS = {torch.float16: 0.01, torch.bfloat16: 0.06}  # of the answers' spread; the types keep 11 and 8 digits


def small_bisenet() -> nn.Module:
    net = BiSeNet()
    net.input_size = 64  # a 64th of the work
    return net


def small_rrdb() -> nn.Module:
    """RealESRGAN_x2plus with fewer blocks and channels."""
    patch_torchvision()
    arch = pytest.importorskip("basicsr.archs.rrdbnet_arch", reason="basicsr does not build on Python 3.13 and newer")
    return arch.RRDBNet(3, 3, 2, 16, 3, 8)


NETWORKS = {
    "BiSeNet": (small_bisenet, 64),
    "ParsingNet": (lambda: ParsingNet(input_size=64), 64),
    "DemographyNet": (lambda: DemographyNet(input_size=64), 64),
    "upscaler": (lambda: Compact(64, 16, 4), 24),
    "RRDBNet": (small_rrdb, 24),
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


def decibels(one: Tensor, other: Tensor) -> float:
    """PSNR of values whose range is 1."""
    return -10 * float(torch.log10((one - other).square().mean()))


@pytest.mark.parametrize(("dtype", "least_db"), [("float16", 75.0), ("bfloat16", 55.0)])
def test_parsing_in_16_bits(portraits: Tensor, dtype: str, least_db: float):
    wanted, found = (parse(portraits[:2], device="cpu", dtype=one) for one in (None, dtype))
    for kind in ("class", "region"):
        mine, theirs = (getattr(one, f"{kind}_probabilities") for one in (found, wanted))
        assert mine.dtype == torch.float32 and least_db < decibels(mine, theirs) < 120
    assert (found.classes == wanted.classes).mean() > 0.995 and (found.regions == wanted.regions).mean() > 0.99


@pytest.mark.parametrize(("dtype", "years", "percent"), [("float16", 0.05, 0.1), ("bfloat16", 0.4, 1.5)])
def test_demography_in_16_bits(portraits: Tensor, dtype: str, years: float, percent: float):
    wanted, found = (analyse(portraits[:4], device="cpu", dtype=one) for one in (None, dtype))
    shares = [f"emotion.{name}" for name in EMOTIONS]
    assert 0 < np.abs(found["age"] - wanted["age"]).max() < years
    assert 0 < np.abs(found[shares] - wanted[shares]).max().max() < percent
    assert found.dtypes.equals(wanted.dtypes)


@pytest.mark.parametrize(("dtype", "least_db"), [(torch.float16, 55.0), (torch.bfloat16, 45.0)])
@pytest.mark.parametrize("large", [False, True], ids=["bundled", "RRDBNet"])
def test_upscaling_in_16_bits(portraits: Tensor, tmp_path: Path, dtype: torch.dtype, least_db: float, large: bool):
    path = tmp_path / "upscaler.pth" if large else None
    if path:
        net = seeded("RRDBNet", images.resize(portraits, 24))
        net.conv_last.weight *= 10  # so that what it draws is neither black nor one grey
        net.conv_last.bias += 0.5
        torch.save(net.state_dict(), path)
    photo = images.to_pil(images.resize(portraits[:1], 48))[0]
    wanted, found = (upscale(photo, 2, path=path, device="cpu", dtype=one) for one in (None, dtype))
    mine, theirs = (torch.from_numpy(np.array(one)).float() / 255 for one in (found, wanted))
    assert theirs.std() > 0.1 and least_db < decibels(mine, theirs) < 120


@pytest.mark.parametrize("work", [parse, analyse, upscale])
def test_other_types_are_refused(portraits: Tensor, work):
    photo = images.to_pil(portraits[:1])[0]
    with pytest.raises(KinlibError, match="choose one of float32, float16, bfloat16"):
        work(photo, dtype="float8")


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
