"""Enlarging small photographs: by interpolation, or with a network that has learnt what faces look like.

    upscale(photo, 2)                                        # the preset's Real-ESRGAN network
    upscale([photo, another], 4, method="lanczos")

Interpolation follows from the pixels alone. A network adds what is likely: it looks sharper, and what it adds is its
training pictures', not the person's. Pictures of a data set have to be treated alike.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from kinlib.checkpoints import weights
from kinlib.faces.upscale_networks import Compact, Upscaler, load_upscaler, missing
from kinlib.io.photos import MAX_PIXELS, PhotoSource, read_photo
from kinlib.runtime import config, memory
from kinlib.runtime.compat import patch_torchvision
from kinlib.runtime.errors import KinlibError

__all__ = ["FACTORS", "METHODS", "OVERLAP", "TILE", "enlarge", "upscale", "upscaler_path"]

FACTORS = (2, 4)
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
METHODS = (*INTERPOLATIONS, "esrgan", "real-esrgan")
NETWORKS = {
    ("studio", "real-esrgan", 2): "studio_upscaler",
    ("studio", "real-esrgan", 4): "studio_upscaler",
    ("studio", "esrgan", 2): "studio_upscaler_esrgan",
    ("studio", "esrgan", 4): "studio_upscaler_esrgan",
    ("ffhq", "real-esrgan", 2): "realesrgan_x2",
    ("ffhq", "real-esrgan", 4): "realesrgan_x4",
    ("ffhq", "esrgan", 2): "esrgan_x4",
    ("ffhq", "esrgan", 4): "esrgan_x4",
}
LEAST_TILE = 16  # pixels
TILE, OVERLAP = 400, 20  # pixels of the small picture; the compact network sees 18 pixels far
MARGIN = 10  # pixels by which a picture is mirrored outwards first, since networks see black beyond the border

Engine = Callable[[np.ndarray], np.ndarray]  # uint8 RGB [H, W, 3] -> [factor H, factor W, 3]


def upscale(
    images: PhotoSource | Sequence[PhotoSource],
    factor: int = 2,
    method: str = "real-esrgan",
    preset: str = "studio",
    path: str | Path | None = None,
    device: "torch.device | str | None" = None,
    tile: int = TILE,
    overlap: int = OVERLAP,
    dtype: str | torch.dtype | None = None,
) -> Image.Image | list[Image.Image]:
    """Enlarge photographs.

    Args:
        images: a photo (path, PIL image or array, as `read_photo` takes it), or several of any sizes.
        factor: 2 or 4.
        method: one of `METHODS`. "esrgan" is trained on cleanly reduced pictures, "real-esrgan" on degraded ones.
        preset: whose networks, "studio" or "ffhq".
        path: a network of your own instead of the preset's (.pth or .safetensors, see `upscale_networks`).
        device: where the networks compute, which are there only meanwhile; None picks the best.
        tile: side of the parts that a network enlarges one by one, in pixels of the small picture; less needs less
            memory.
        overlap: how many pixels of its neighbours each part is given to see.
        dtype: "float32", "float16" or "bfloat16" (or PyTorch's own), what a network computes in; None is float32.

    Returns:
        RGB pictures, exactly `factor` times as wide and high: one for one photo, a list for several.

    Raises:
        KinlibError: if the factor, the method, the preset, the tiles, the type or a photo is impossible, the result
            would have more than 100 million pixels, or the network is not here or does not fit.
    """
    _check(factor, method, tile, overlap)
    config.check_preset(preset)
    if not isinstance(images, (list, tuple)):
        return upscale([images], factor, method, preset, path, device, tile, overlap, dtype)[0]
    pictures = [_read(image, factor) for image in images]
    if method in INTERPOLATIONS:
        return [_resize(picture, factor, INTERPOLATIONS[method]) for picture in pictures]
    file = Path(path) if path else upscaler_path(preset, method, factor)
    place = config.pick_device(device)
    engine, steps = _network(file, factor, place, tile, overlap, memory.pick_dtype(dtype, place))
    return [_enlarge(engine, steps, picture, factor) for picture in pictures]


def enlarge(
    pictures: Sequence[Image.Image], upscaler: Upscaler, factor: int = 2, tile: int = TILE, overlap: int = OVERLAP
) -> list[Image.Image]:
    """Enlarge RGB pictures with a network in memory, on the CPU, as `upscale` does with one from a file.

    `tile` is the side of the parts that are enlarged one by one, `overlap` what they see of their neighbours; pixels
    of the small picture.
    """
    engine, steps = _plain_engine(upscaler, "cpu", tile, overlap), 1 if upscaler.factor >= factor else 2
    return [_enlarge(engine, steps, picture, factor) for picture in pictures]


def upscaler_path(preset: str, method: str, factor: int) -> Path:
    """Where the weights of a preset's network are.

    Raises:
        KinlibError: if they are not here.
    """
    return weights.path(NETWORKS[preset, method, factor])


def _check(factor: int, method: str, tile: int, overlap: int) -> None:
    if not isinstance(factor, (int, np.integer)) or factor not in FACTORS:
        raise KinlibError(f"photos can be enlarged 2 or 4 times, not {factor!r} times")
    if method not in METHODS:
        raise KinlibError(f"unknown method '{method}': choose one of {', '.join(METHODS)}")
    if tile < LEAST_TILE or overlap < 0:
        raise KinlibError(f"tiles must be {LEAST_TILE} px or more and overlap by 0 or more, not {tile} and {overlap}")


def _read(image: PhotoSource, factor: int) -> Image.Image:
    picture = read_photo(image)
    width, height = picture.size
    if width * height * factor**2 > MAX_PIXELS:
        most = MAX_PIXELS // 10**6
        raise KinlibError(
            f"a photo of {width}x{height} px would have more than {most} million pixels when enlarged {factor} times: "
            "it is large enough as it is, or scale it down first"
        )
    return picture


def _resize(picture: Image.Image, factor: int, how: Image.Resampling) -> Image.Image:
    return picture.resize((picture.width * factor, picture.height * factor), how)


def _enlarge(engine: Engine, steps: int, picture: Image.Image, factor: int) -> Image.Image:
    """Through the network as often as need be; what is too large then is averaged down, pixel by pixel."""
    pixels = np.pad(np.asarray(picture), ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
    size = (picture.width * factor, picture.height * factor)
    for _ in range(steps):
        pixels = engine(pixels)
    grown = pixels.shape[1] // (picture.width + 2 * MARGIN)
    inside = (slice(MARGIN * grown, -MARGIN * grown),) * 2
    return Image.fromarray(np.ascontiguousarray(pixels[inside])).resize(size, Image.Resampling.BOX)


def _network(
    path: Path, factor: int, device: torch.device, tile: int, overlap: int, dtype: torch.dtype
) -> tuple[Engine, int]:
    """The network of a file and how often it has to be used to reach `factor`."""
    if not path.is_file():
        raise KinlibError(f"there is no file '{path}' with an upscaler: check the path")
    file = str(path.resolve()), path.stat().st_mtime_ns
    engine, own = _engine(*file, factor, str(device), tile, overlap, dtype)
    if own < 2:
        raise KinlibError(f"the network in '{path}' enlarges {own} times: one of 2 or 4 is needed")
    return engine, 1 if own >= factor else 2


@lru_cache(maxsize=4)
def _engine(
    path: str, modified: int, factor: int, device: str, tile: int, overlap: int, dtype: torch.dtype
) -> tuple[Engine, int]:
    """A loaded network, ready to run; `modified` makes a replaced file a new entry."""
    upscaler = load_upscaler(path, factor)
    how = (device, tile, overlap, dtype)
    return _library_engine(upscaler, *how) or _plain_engine(upscaler, *how), upscaler.factor


class _Careful(nn.Module):
    """A network whose failures are not swallowed: RealESRGANer goes on after a RuntimeError with the last tile.

    Whatever the network computes in, pictures are float32.
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.net, self.dtype = net, dtype

    def forward(self, x: Tensor) -> Tensor:
        try:
            with memory.autocast(x.device, self.dtype):
                return self.net(x).float()
        except RuntimeError as error:
            raise KinlibError("the upscaler failed, most likely for lack of memory: scale the photo down") from error


def _library_engine(
    upscaler: Upscaler, device: str, tile: int = TILE, overlap: int = OVERLAP, dtype: torch.dtype = torch.float32
) -> Engine | None:
    """Real-ESRGAN's own handler with our network; None where it is not installed and the network can do without."""
    patch_torchvision()
    try:
        from realesrgan import RealESRGANer
    except ImportError as error:
        if isinstance(upscaler.net, Compact):
            return None
        raise missing() from error
    net = _Careful(upscaler.net, dtype)
    with tempfile.TemporaryDirectory() as folder:  # the handler reads its weights from a file of one layout only
        file = f"{folder}/upscaler.pth"
        torch.save({"params": net.state_dict()}, file)
        tiles = {"tile": tile, "tile_pad": overlap, "pre_pad": 0}
        handler = RealESRGANer(upscaler.factor, file, model=net, device="cpu", **tiles)
    handler.device = torch.device(device)  # the network itself is lent

    def run(pixels: np.ndarray) -> np.ndarray:
        quiet = contextlib.redirect_stdout(io.StringIO())  # it prints a line for every tile
        with quiet, memory.on_device(net, device):
            enlarged, _ = handler.enhance(np.ascontiguousarray(pixels[..., ::-1]))
            handler.img = handler.output = None  # or they would stay on the device
        return np.ascontiguousarray(enlarged[..., ::-1])

    return run


def _plain_engine(
    upscaler: Upscaler, device: str, tile: int = TILE, overlap: int = OVERLAP, dtype: torch.dtype = torch.float32
) -> Engine:
    """The same in tiles of our own."""
    net, factor = _Careful(upscaler.net, dtype), upscaler.factor

    @torch.no_grad()
    def run(pixels: np.ndarray) -> np.ndarray:
        with memory.on_device(net, device):
            return enlarged(pixels)

    def enlarged(pixels: np.ndarray) -> np.ndarray:
        whole = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255  # [1, 3, H, W]
        height, width = whole.shape[2:]
        result = np.empty((height * factor, width * factor, 3), np.uint8)
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                above, before = min(top, overlap), min(left, overlap)
                part = whole[..., top - above : top + tile + overlap, left - before : left + tile + overlap]
                drawn = net(part.to(device))[0, :, above * factor :, before * factor :]
                drawn = drawn[:, : tile * factor, : tile * factor].clamp(0, 1).mul(255).round().byte()
                rows, columns = (slice(start * factor, (start + tile) * factor) for start in (top, left))
                result[rows, columns] = drawn.permute(1, 2, 0).cpu().numpy()
        return result

    return run
