"""Reading photographs: whatever people hand in becomes an upright 8-bit sRGB picture, or one sentence says why not.

Phone photos carry a rotation tag and a wide-gamut profile, scans come in 16-bit grey, prints in CMYK, cut-outs with a
transparent ground. Sizes are checked from the file's header, so a hostile file costs neither time nor memory, and only
formats are opened whose decoder runs inside this process. HEIC, the format of most phones, needs pillow-heif.

Rule for alpha: transparent parts are laid over mid grey, which favours neither dark nor fair hair. Metadata (place,
time, camera) is dropped. What was handed in is never changed.
"""

import contextlib
import io
import os
import re
import stat
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np
from PIL import Image, ImageCms, ImageOps

from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import torch

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "MIN_SIDE", "PhotoSource", "photo_name", "read_photo", "to_rgb"]

MIN_SIDE = 16  # px; no face can be told in less
MAX_PIXELS = 100_000_000  # 300 MB once decoded
MAX_BYTES = 500_000_000  # of a file; a 16-bit scan of `MAX_PIXELS` is smaller than that when it is compressed
NEUTRAL = (128, 128, 128)
READABLE = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"),
    *(".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k"),
)
"""Endings, in lower case, of files that may hold a photograph; what a file really is, its content tells."""
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # bytes 8 to 12 of a file
AVIF_BRANDS = (b"avif", b"avis")
ADDRESS = re.compile(r"(https?|ftp|file|data|s3|gs):", re.IGNORECASE)
ACCEPTED = (
    "a path, bytes, an open binary file, a PIL image, an array [H, W, 3] (uint8, or float from 0 to 1) "
    "or a float tensor [3, H, W] from -1 to 1"
)

PhotoSource = Union[str, os.PathLike, bytes, BinaryIO, Image.Image, np.ndarray, "torch.Tensor"]
"""What `read_photo` takes."""


def read_photo(source: PhotoSource, max_side: int | None = None) -> Image.Image:
    """Read a photograph as an upright RGB picture.

    Args:
        source: path of an image file; its content as bytes; a file opened for reading bytes, which is read from its
            start; a PIL image; an array, uint8 or float in [0, 1], [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]; or a
            float tensor [3, H, W] or [1, 3, H, W] in [-1, 1].
        max_side: scale the picture down, if need be, so that neither side is longer than this many pixels.

    Returns:
        A new RGB image in sRGB, at least 16 px in width and height. Of an animation, the first frame.

    Raises:
        KinlibError: if there is no such file, it cannot be read, is no whole image, or is too small or too large, or
            an array or a tensor has another layout, type or range.
    """
    name = photo_name(source)
    if isinstance(source, Image.Image):
        return _decode(source, name, max_side)
    if isinstance(source, np.ndarray):
        return _decode(_from_array(source), name, max_side)
    if _is_tensor(source):
        return _decode(_from_tensor(source), name, max_side)
    if isinstance(source, (str, os.PathLike)):
        with _open_file(source, name) as file:
            return _decode_file(file, name, max_side)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode_file(io.BytesIO(source), name, max_side)
    if callable(getattr(source, "read", None)):
        return _decode_file(io.BytesIO(_content(source, name)), name, max_side)
    raise KinlibError(f"a photo cannot be read from {type(source).__name__}: give {ACCEPTED}")


def photo_name(source: PhotoSource) -> str:
    """What to call a photo in messages: its path in quotes where it has one."""
    if isinstance(source, (str, os.PathLike)):
        return f"'{os.fsdecode(source)}'"
    path = getattr(source, "name", None) if callable(getattr(source, "read", None)) else None
    return f"'{path}'" if isinstance(path, str) and path else "the picture"


def _is_tensor(source: object) -> bool:
    """Whether this is a tensor, without importing PyTorch: who has one has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _content(file: BinaryIO, name: str) -> bytes:
    """All bytes of an open file, from its start where it can be rewound; its position is put back."""
    before = None
    try:
        if getattr(file, "seekable", lambda: False)():
            before = file.tell()
            file.seek(0)
        content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError, TypeError) as error:  # closed, written only, or no file after all
        raise KinlibError(f"{name} cannot be read from the open file: give {ACCEPTED}") from error
    finally:
        if before is not None:
            with contextlib.suppress(OSError, ValueError):
                file.seek(before)
    if not isinstance(content, bytes):
        raise KinlibError(f"{name} was opened as text: open it with mode 'rb'")
    return content


def _decode_file(file: BinaryIO, name: str, max_side: int | None) -> Image.Image:
    """Check and decode an open image file."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise KinlibError(f"{name} is empty (0 bytes): copy or download the photo again")
    if size > MAX_BYTES:
        raise KinlibError(f"{name} has more than {MAX_BYTES // 10**6} MB: scale it down first")
    try:
        picture = _open_header(file)
    except Image.DecompressionBombError as error:
        raise KinlibError(_too_large(name)) from error
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise KinlibError(_not_an_image(file, name)) from error
    with picture:
        if max_side is not None and picture.format == "JPEG":
            _check_size(picture.size, name)
            picture.draft(None, (max_side, max_side))  # decodes at 1/2, 1/4 or 1/8, never below what was asked
        return _decode(picture, name, max_side)


def _open_file(source: str | os.PathLike, name: str) -> BinaryIO:
    """Open a regular, non-empty file for reading."""
    if isinstance(source, str) and ADDRESS.match(source):
        raise KinlibError(f"{name} is an address, and nothing is downloaded here: save the photo and give {ACCEPTED}")
    try:
        path = Path(os.fsdecode(source))
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise KinlibError(f"{name} is a folder: give the path of one photo")
        if not stat.S_ISREG(status.st_mode):
            raise KinlibError(f"{name} is not a regular file: give the path of one photo")
        return path.open("rb")
    except KinlibError:
        raise
    except FileNotFoundError as error:
        raise KinlibError(f"there is no file {name}: check the path") from error
    except PermissionError as error:
        raise KinlibError(f"{name} may not be read: change its permissions") from error
    except (OSError, ValueError) as error:  # a name that is too long, or holds a zero byte
        raise KinlibError(f"{name} cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def _open_header(file: BinaryIO) -> Image.Image:
    """Read the header only, and only of formats without outside helpers (PostScript would start one)."""
    Image.init()
    if _brand(file) in HEIC_BRANDS:
        _register_heif()
    formats = [known for known in READABLE if known in Image.OPEN]
    with warnings.catch_warnings():
        # Of sizes, for which our own limit follows, and of odd metadata, which is dropped anyway.
        warnings.simplefilter("ignore")
        return Image.open(file, formats=formats)


def _decode(picture: Image.Image, name: str, max_side: int | None) -> Image.Image:
    """Pixels of an opened picture: size checked first, then upright, 8-bit, RGB, scaled down."""
    _check_size(picture.size, name)
    try:
        picture.load()
    except Exception as error:
        raise KinlibError(f"{name} is damaged or cut short: copy or download the photo again") from error
    upright = _turn_upright(picture)
    upright = _to_srgb(upright) or to_rgb(upright)
    if max_side is not None and max(upright.size) > max_side:
        scale = max_side / max(upright.size)
        upright = upright.resize([max(1, round(side * scale)) for side in upright.size], Image.Resampling.LANCZOS)
    upright.info = {}
    return upright


def _check_size(size: tuple[int, int], name: str) -> None:
    """Refuse what is too small to hold a face or too large to decode."""
    if min(size) < MIN_SIDE:
        raise KinlibError(f"{name} is {size[0]}x{size[1]} px: a photo needs at least {MIN_SIDE} px on each side")
    if size[0] * size[1] > MAX_PIXELS:
        raise KinlibError(_too_large(name, f" ({size[0]}x{size[1]} px)"))


def _too_large(name: str, detail: str = "") -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} million pixels{detail}: scale it down first"


def _not_an_image(file: BinaryIO, name: str) -> str:
    """What to say of bytes that no decoder knows."""
    brand = _brand(file)
    if brand in HEIC_BRANDS and "HEIF" not in Image.OPEN:
        return f"{name} is a HEIC photo: run `pip install pillow-heif` to read it here, or save it as JPEG"
    if brand in AVIF_BRANDS and "AVIF" not in Image.OPEN:
        return f"{name} is an AVIF photo: run `pip install 'pillow>=11.3'` to read it here, or save it as JPEG"
    if brand in HEIC_BRANDS + AVIF_BRANDS:
        return f"{name} is damaged or cut short: copy or download the photo again"
    return f"{name} is not an image that can be read: use JPEG, PNG, HEIC, WebP, AVIF, TIFF, BMP or GIF"


def _brand(file: BinaryIO) -> bytes:
    """Kind of a file in the container of HEIC and AVIF (ISO/IEC 14496-12); b"" of any other file."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    return start[8:12] if start[4:8] == b"ftyp" else b""


def _register_heif() -> None:
    """Make Pillow read HEIC, where pillow-heif is installed; once, because it is a global registry."""
    if "HEIF" not in Image.OPEN:
        with contextlib.suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()


def _turn_upright(picture: Image.Image) -> Image.Image:
    """Obey the EXIF orientation; a picture whose EXIF is garbage stays as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ImageOps.exif_transpose(picture)
    except Exception:  # the tag is advice from the camera, not worth refusing a photo for
        return picture.copy()


def to_rgb(picture: Image.Image | np.ndarray) -> Image.Image:
    """8-bit RGB from a PIL image of any mode, or from an array as `read_photo` takes it.

    An RGB picture is returned as it is; only `read_photo` applies its colour profile.

    Raises:
        KinlibError: if an array is no picture.
    """
    if isinstance(picture, np.ndarray):
        picture = _from_array(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_deep(picture)
    if picture.has_transparency_data:
        cutout = picture.convert("RGBA")
        ground = Image.new("RGBA", cutout.size, (*NEUTRAL, 255))
        return Image.alpha_composite(ground, cutout).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _to_srgb(picture: Image.Image) -> Image.Image | None:
    """Apply an embedded colour profile (wide-gamut phones, CMYK prints); None where there is none that fits."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "CMYK", "L") or picture.has_transparency_data:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _from_deep(picture: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey, scaled so that the depth's white is white.

    Pillow's own conversion clips at 255, which turns a 16-bit scan white. A 16-bit mode says what white is; the 32-bit
    and float modes do not, so the smallest customary white that holds the brightest pixel is taken.
    """
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    whites = (65535.0,) if picture.mode.startswith("I;16") else (255.0, 65535.0, 2.0**32)
    if picture.mode == "F":
        whites = (1.0, *whites)
    white = next((level for level in whites if values.max() <= level), max(whites[-1], values.max()))
    grey = np.rint(np.clip(values / white, 0.0, 1.0) * 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    """A picture from a uint8 or unit-range float array."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise KinlibError(f"an array of shape {list(array.shape)} is no photo: give {ACCEPTED}")
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0.0 and array.max() <= 1.0):  # also false for NaN
            raise KinlibError("a float array must hold values from 0 to 1: divide by 255, or convert to uint8")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise KinlibError(f"an array of {array.dtype} is no photo: use uint8 (0 to 255) or float (0 to 1)")
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _from_tensor(tensor: "torch.Tensor") -> Image.Image:
    """A picture from a float tensor in the project's own convention."""
    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 3 or tensor.shape[0] != 3 or not tensor.is_floating_point() or not tensor.numel():
        kind = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        raise KinlibError(f"a tensor of {kind} is no photo: give {ACCEPTED}")
    values = tensor.detach().float().cpu().numpy()  # [3, H, W]
    if not (values.min() >= -1.0 and values.max() <= 1.0):  # also false for NaN
        raise KinlibError("a tensor must hold values from -1 to 1: scale 0..255 by x / 127.5 - 1, or clamp it")
    if values.min() >= 0.0:  # no photograph is that bright, so its range is another
        raise KinlibError("a tensor must hold values from -1 to 1, and this one has 0 to 1: give 2 * x - 1")
    return Image.fromarray(np.uint8(np.rint((values + 1.0) * 127.5)).transpose(1, 2, 0).copy())
