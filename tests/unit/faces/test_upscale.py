"""Enlarging: exact sizes, every published layout of weights, tiles without seams, and sentences for what cannot be."""

import builtins
import re

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from kinlib.checkpoints.registry import PUBLISHED, STUDIO
from kinlib.faces import upscale as module
from kinlib.faces import upscale_networks
from kinlib.faces.upscale import METHODS, enlarge, upscale
from kinlib.faces.upscale_networks import RENAMED, Compact, Upscaler, load_upscaler
from kinlib.runtime.compat import patch_torchvision
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.sample_parents import couples
from kinlib.training.recipes.upscaler import TwoHeads

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


def rrdb(factor: int, blocks: int = 2):
    """The large network as its authors' library makes it, small."""
    patch_torchvision()
    arch = pytest.importorskip("basicsr.archs.rrdbnet_arch", reason="basicsr does not build on Python 3.13 and newer")
    torch.manual_seed(factor)
    return arch.RRDBNet(3, 3, factor, 8, blocks, 4)


def older_names(state: dict, release: int) -> dict:
    """BasicSR's names turned back into those of ESRGAN's repository (1) or of the first release (0)."""
    forms = {
        1: [(r"^body\.(\d+)\.rdb(\d)\.", r"RRDB_trunk.\1.RDB\2."), (r"^conv_body\.", "trunk_conv."),
            (r"^conv_up(\d)\.", r"upconv\1."), (r"^conv_hr\.", "HRconv.")],
        0: [(r"^body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."), (r"^conv_first\.", "model.0."),
            (r"^conv_body\.", "model.1.sub.2."), (r"^conv_up1\.", "model.3."), (r"^conv_up2\.", "model.6."),
            (r"^conv_hr\.", "model.8."), (r"^conv_last\.", "model.10.")],
    }  # fmt: skip
    renamed = {}
    for name, value in state.items():
        for old, new in forms[release]:
            name = re.sub(old, new, name)
        renamed[name] = value
    return renamed


@pytest.fixture
def photo() -> Image.Image:
    return Image.open(couples()[0][0]).convert("RGB").resize((37, 29), Image.Resampling.LANCZOS)


@pytest.fixture
def two_heads(tmp_path):
    """Our own file, half precision as training writes it; the network starts as bilinear interpolation."""
    torch.manual_seed(0)
    path = tmp_path / "upscaler.safetensors"
    save_file({name: value.half() for name, value in TwoHeads(8, 2).state_dict().items()}, path)
    return path


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_interpolation(photo, method, factor):
    enlarged = upscale(photo, factor, method)
    assert enlarged.size == (37 * factor, 29 * factor) and enlarged.mode == "RGB"
    back = np.float32(enlarged.reduce(factor))
    assert np.abs(back - np.float32(photo)).mean() < 6
    if method == "nearest":
        np.testing.assert_array_equal(back, photo)


def test_one_photo_gives_one_and_several_give_a_list(photo, two_heads):
    grey = Image.new("L", (16, 40), 90)
    array = np.full((17, 21, 3), 200, np.uint8)
    enlarged = upscale([photo, grey, array], 2, path=two_heads)
    assert [picture.size for picture in enlarged] == [(74, 58), (32, 80), (42, 34)]
    assert np.abs(np.int32(enlarged[1]) - 90).max() <= 2 and np.abs(np.int32(enlarged[2]) - 200).max() <= 2
    assert upscale([], 2, path=two_heads) == []


def test_the_preset_does_not_depend_on_the_environment(photo, monkeypatch):
    """`KINLIB_PRESET` is for notebooks, which name the preset in every call."""
    wanted = upscale(photo, 2)
    monkeypatch.setenv("KINLIB_PRESET", "ffhq")
    assert upscale(photo, 2).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("factor", [2, 4])
def test_our_file_serves_both_factors(photo, two_heads, factor):
    ours, bilinear = upscale(photo, factor, path=two_heads), upscale(photo, factor, "bilinear")
    assert ours.size == bilinear.size
    assert np.abs(np.int32(ours) - np.int32(bilinear)).max() <= 3  # the border included, though networks pad with zeros
    assert load_upscaler(two_heads, factor).factor == factor
    assert load_upscaler(two_heads).factor == 4


def test_compact_weights_are_real_esrgans(tmp_path):
    """Same names, same function as the published class; a factor that its file does not have costs nothing more."""
    patch_torchvision()
    published = pytest.importorskip("realesrgan.archs.srvgg_arch").SRVGGNetCompact(num_feat=8, num_conv=3, upscale=4)
    path = tmp_path / "realesr-general.pth"
    torch.save({"params": published.state_dict()}, path)
    upscaler = load_upscaler(path, 2)
    x = torch.rand(1, 3, 9, 11)
    assert upscaler.factor == 4
    with torch.no_grad():
        torch.testing.assert_close(upscaler.net(x), published(x))


def test_number_of_weights_of_the_published_networks():
    assert len(Compact(64, 32).state_dict()) == 101  # realesr-general-x4v3
    assert len(rrdb(4, blocks=23).state_dict()) == 702  # RealESRGAN_x4plus


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("wrapper", ["params_ema", "params", None])
def test_large_network(tmp_path, photo, factor, wrapper):
    """RealESRGAN_x2plus and _x4plus: the file alone says which of them it is."""
    net = rrdb(factor).eval()
    path = tmp_path / "official.pth"
    torch.save({wrapper: net.state_dict(), "other": {}} if wrapper else net.state_dict(), path)
    assert load_upscaler(path, 2).factor == factor
    enlarged = upscale(photo.resize((36, 28)), factor, path=path)
    assert enlarged.size == (36 * factor, 28 * factor)
    padded = np.pad(np.asarray(photo.resize((36, 28))), ((10, 10), (10, 10), (0, 0)), mode="symmetric")
    with torch.no_grad():
        wanted = net(torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255)[0].clamp(0, 1) * 255
    inside = wanted[:, 10 * factor : -10 * factor, 10 * factor : -10 * factor].permute(1, 2, 0).numpy()
    assert np.abs(np.float32(enlarged) - inside).max() <= 0.51


def test_averaged_weights_come_first(tmp_path):
    """As in Real-ESRGAN's own loader, whatever the order in the file."""
    averaged, last = Compact(8, 2, 2), Compact(8, 2, 2)
    for content in (
        {"params_ema": averaged.state_dict(), "params": last.state_dict()},
        {"params": last.state_dict(), "params_ema": averaged.state_dict()},
    ):
        torch.save(content, tmp_path / "both.pth")
        loaded = load_upscaler(tmp_path / "both.pth").net
        torch.testing.assert_close(dict(loaded.state_dict()), dict(averaged.state_dict()))
    assert not torch.equal(averaged.body[0].weight, last.body[0].weight)


@pytest.mark.parametrize("release", [0, 1])
def test_older_names_of_the_large_network(tmp_path, release):
    net = rrdb(4)
    state = older_names(net.state_dict(), release)
    assert not set(state) & {name for name in net.state_dict() if name not in ("conv_first.weight", "conv_first.bias",
                             "conv_last.weight", "conv_last.bias")}  # fmt: skip
    torch.save(state, tmp_path / "esrgan.pth")
    loaded = load_upscaler(tmp_path / "esrgan.pth")
    torch.testing.assert_close(dict(loaded.net.state_dict()), dict(net.state_dict()))
    assert len(RENAMED) == 11


def test_a_factor_that_the_network_lacks(tmp_path, photo):
    """Larger results are averaged down, smaller ones go through twice."""
    for own, factor in ((4, 2), (2, 4)):
        path = tmp_path / f"{own}.safetensors"
        state = {name: value for name, value in TwoHeads(8, 2).state_dict().items() if f"heads.{factor}" not in name}
        save_file(state, path)
        enlarged = upscale(photo, factor, path=path)
        assert enlarged.size == (37 * factor, 29 * factor)
        assert np.abs(np.int32(enlarged) - np.int32(upscale(photo, factor, "bilinear"))).mean() < 3


def test_tiles_leave_no_seams_and_both_engines_agree(photo):
    torch.manual_seed(1)
    net = Compact(8, 4, 2).eval()
    large = photo.resize((90, 70))
    whole = enlarge([large], Upscaler(net, 2))[0]
    np.testing.assert_array_equal(whole, enlarge([large], Upscaler(net, 2), tile=32)[0])
    blind = np.int32(enlarge([large], Upscaler(net, 2), tile=32, overlap=0)[0])
    seams = np.abs(blind - whole)  # the picture was mirrored outwards by 10 px before it was divided
    assert seams[42:46].max() > 1 and seams[:30, :30].max() == 0
    pytest.importorskip("basicsr")
    library = module._library_engine(Upscaler(net, 2), "cpu", 32)
    pixels = np.asarray(large)
    assert np.abs(np.int32(library(pixels)) - module._plain_engine(Upscaler(net, 2), "cpu", 32)(pixels)).max() <= 1


def test_upscale_in_tiles_of_ones_own_size(tmp_path, photo):
    """Through the library's handler where it is installed: overlap hides what tiles alone show."""
    torch.manual_seed(1)
    torch.save({"params": Compact(8, 4, 2).state_dict()}, tmp_path / "compact.pth")
    large, own = photo.resize((90, 70)), {"path": tmp_path / "compact.pth"}
    whole = np.int32(upscale(large, 2, **own))
    assert np.abs(np.int32(upscale(large, 2, tile=32, **own)) - whole).max() <= 1
    seams = np.abs(np.int32(upscale(large, 2, tile=32, overlap=0, **own)) - whole)
    assert seams[42:46].max() > 1 and seams[:30, :30].max() <= 1


def test_without_realesrgan_ours_works_and_others_say_why(monkeypatch, tmp_path, photo, two_heads):
    net = rrdb(2)
    torch.save(net.state_dict(), tmp_path / "large.pth")
    found = builtins.__import__

    def refuse(name, *arguments, **more):
        if name.split(".")[0] in ("realesrgan", "basicsr"):
            raise ImportError(name)
        return found(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    module._engine.cache_clear()
    assert upscale(photo, 2, path=two_heads).size == (74, 58)
    assert upscale_networks.NOT_BUILT == (3, 13)
    for first, words in (((99, 0), "not installed: run `pip install --no-deps"), ((3, 0), r"not build on Python 3\.0")):
        monkeypatch.setattr(upscale_networks, "NOT_BUILT", first)
        with pytest.raises(KinlibError, match=words) as caught:
            upscale(photo, 2, path=tmp_path / "large.pth")
        assert "\n" not in str(caught.value)


def test_a_failing_network_is_heard(tmp_path, photo):
    """RealESRGANer alone would print the error and go on with another tile."""

    class Failing(torch.nn.Module):
        def forward(self, x):
            raise RuntimeError("out of memory")

    for engine in (module._library_engine, module._plain_engine):
        if engine is module._library_engine:
            pytest.importorskip("basicsr")
        with pytest.raises(KinlibError, match="lack of memory"):
            engine(Upscaler(Failing(), 2), "cpu")(np.asarray(photo))


@pytest.mark.parametrize(
    ("images", "options", "words"),
    [
        (Image.new("RGB", (20, 20)), {"factor": 3}, "2 or 4 times, not 3"),
        (Image.new("RGB", (20, 20)), {"factor": 2.0}, "2 or 4 times"),
        (Image.new("RGB", (20, 20)), {"factor": "2"}, "2 or 4 times"),
        (Image.new("RGB", (20, 20)), {"method": "waifu"}, "choose one of nearest"),
        (Image.new("RGB", (20, 20)), {"preset": "best"}, "unknown preset"),
        (Image.new("RGB", (20, 15)), {"method": "bicubic"}, "at least 16 px"),
        (Image.new("L", (6000, 6000)), {"method": "bicubic"}, "more than 100 million pixels when enlarged 2 times"),
        ("nowhere.jpg", {"method": "bicubic"}, "no file 'nowhere.jpg'"),
        (Image.new("RGB", (20, 20)), {"tile": 8}, "tiles must be 16 px or more"),
        (Image.new("RGB", (20, 20)), {"overlap": -1}, "overlap by 0 or more"),
        ([Image.new("RGB", (20, 20)), None], {"method": "bicubic"}, "cannot be read from NoneType"),
        (Image.new("RGB", (20, 20)), {"path": "nowhere.pth"}, "no file 'nowhere.pth'"),
        (Image.new("RGB", (20, 20)), {"preset": "ffhq"}, "kinlib weights fetch realesrgan_x2"),
        (Image.new("RGB", (20, 20)), {"preset": "ffhq", "factor": 4}, "kinlib weights fetch realesrgan_x4"),
        (Image.new("RGB", (20, 20)), {"preset": "ffhq", "method": "esrgan"}, "kinlib weights fetch esrgan_x4"),
    ],
)
def test_what_cannot_be(cache, images, options, words):
    with pytest.raises(KinlibError, match=re.escape(words)):
        upscale(images, **options)


def test_files_that_are_no_upscalers(tmp_path, photo):
    state = Compact(8, 2, 2).state_dict()
    heads, stray = TwoHeads(8, 2).state_dict(), {"body.extra.weight": torch.zeros(3, 8, 3, 3)}
    for name, content, words in (
        ("wrapper", {"params_ema": torch.zeros(3), "other": 1}, "none of the known layouts"),
        ("list", {"params": [1, 2]}, "none of the known layouts"),
        ("numbers", {1: torch.zeros(3), 2: state}, "none of the known layouts"),
        ("number", state | {1: torch.zeros(3)}, "has unknown '1'"),
        ("stray", state | stray, "does not fit Compact: it has unknown 'body.extra.weight'"),
        ("stray head", heads | stray, "does not fit Compact: it has unknown 'body.extra.weight'"),
        ("no bias", {key: value for key, value in heads.items() if key != "heads.2.bias"}, "lacks 'body.6.bias'"),
        ("other", {"fc.weight": torch.zeros(3, 3)}, "none of the known layouts"),
        ("uneven", state | {"body.6.weight": torch.zeros(13, 8, 3, 3)}, "13 channels at its end"),
        ("short", {key: value for key, value in state.items() if key != "body.3.weight"}, "does not fit Compact"),
        ("same", Compact(8, 2, 1).state_dict(), "enlarges 1 times"),
    ):
        torch.save(content, tmp_path / f"{name}.pth")
        with pytest.raises(KinlibError, match=words):
            upscale(photo, 2, path=tmp_path / f"{name}.pth")


@pytest.mark.parametrize("name", ["body.extra.weight", "body.999999999.weight", "heads"])
def test_large_network_with_a_stray_tensor(tmp_path, name):
    torch.save(rrdb(2).state_dict() | {name: torch.zeros(3, 8, 3, 3)}, tmp_path / "large.pth")
    with pytest.raises(KinlibError, match=f"does not fit RRDBNet: it has unknown '{name}'"):
        load_upscaler(tmp_path / "large.pth")


def test_every_network_is_in_the_table():
    names = {entry.name for entry in (*PUBLISHED, *STUDIO)}
    assert set(module.NETWORKS.values()) <= names
    assert {method for _, method, _ in module.NETWORKS} | set(INTERPOLATIONS) == set(METHODS)
