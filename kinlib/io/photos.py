"""Reading photographs: whatever people hand in becomes an upright 8-bit sRGB picture, or one sentence says why not.

Phone photos carry a rotation tag and a wide-gamut profile, scans come in 16-bit grey, prints in CMYK, cut-outs with a
transparent ground. Sizes are checked from the file's header, so a hostile file costs neither time nor memory, and only
formats are opened whose decoder runs inside this process. Transparent parts are laid over mid grey, which favours
neither dark nor fair hair. Metadata (place, time, camera) is dropped.
"""

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from kinlib.runtime.errors import KinlibError

__all__ = ["MAX_PIXELS", "MIN_SIDE", "Photo", "read_photo", "to_rgb"]

MIN_SIDE = 16  # px; no face can be told in less
MAX_PIXELS = 100_000_000  # 300 MB once decoded
NEUTRAL = (128, 128, 128)
READABLE = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

Photo = str | os.PathLike | Image.Image | np.ndarray


def read_photo(source: Photo, max_side: int | None = None) -> Image.Image:
    """Read a photograph as an upright RGB picture.

    Args:
        source: path of an image file, a PIL image, or an array: uint8 [H, W], [H, W, 3], [H, W, 4] or float in [0, 1].
        max_side: scale the picture down, if need be, so that neither side is longer than this many pixels.

    Returns:
        A new RGB image in sRGB, at least 16 px in width and height. Of an animation, the first frame.

    Raises:
        KinlibError: if there is no such file, it cannot be read, is no whole image, or is too small or too large.
    """
    if isinstance(source, Image.Image):
        picture, name = source, "the picture"
    elif isinstance(source, np.ndarray):
        picture, name = _from_array(source), "the array"
    elif isinstance(source, (str, os.PathLike)):
        return _read_file(source, max_side)
    else:
        raise KinlibError(f"a photo must be a path, a PIL image or an array, not {type(source).__name__}")
    return _decode(picture, name, max_side)


def _read_file(source: str | os.PathLike, max_side: int | None) -> Image.Image:
    """Open, check and decode one file; it is closed whatever happens."""
    name = f"'{os.fspath(source)}'"
    with _open_file(source, name) as file:
        try:
            picture = _open_header(file)
        except Image.DecompressionBombError as error:
            raise KinlibError(_too_large(name)) from error
        except Exception as error:  # decoders raise nearly anything on damaged bytes
            raise KinlibError(_not_an_image(file, name)) from error
        with picture:
            return _decode(picture, name, max_side)


def _open_file(source: str | os.PathLike, name: str) -> io.BufferedReader:
    """Open a regular, non-empty file for reading."""
    try:
        path = Path(os.fsdecode(source))
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise KinlibError(f"{name} is a folder: give the path of one photo")
        if not stat.S_ISREG(status.st_mode):
            raise KinlibError(f"{name} is not a regular file: give the path of one photo")
        if status.st_size == 0:
            raise KinlibError(f"{name} is empty (0 bytes): copy or download the photo again")
        return path.open("rb")
    except KinlibError:
        raise
    except FileNotFoundError as error:
        raise KinlibError(f"there is no file {name}: check the path") from error
    except PermissionError as error:
        raise KinlibError(f"{name} may not be read: change its permissions") from error
    except (OSError, ValueError) as error:  # a name that is too long, or holds a zero byte
        raise KinlibError(f"{name} cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def _open_header(file: io.BufferedReader) -> Image.Image:
    """Read the header only, and only of formats without outside helpers (PostScript would start one)."""
    Image.init()
    formats = [known for known in READABLE if known in Image.OPEN]
    with warnings.catch_warnings():
        # Of sizes, for which our own limit follows, and of odd metadata, which is dropped anyway.
        warnings.simplefilter("ignore")
        return Image.open(file, formats=formats)


def _decode(picture: Image.Image, name: str, max_side: int | None) -> Image.Image:
    """Pixels of an opened picture: size checked first, then upright, 8-bit, RGB, scaled down."""
    _check_size(picture.size, name)
    if max_side is not None and picture.format == "JPEG":
        picture.draft(None, (max_side, max_side))  # decodes at 1/2, 1/4 or 1/8, never below what was asked
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


def _not_an_image(file: io.BufferedReader, name: str) -> str:
    """What to say of bytes that no decoder knows."""
    file.seek(0)
    if file.read(12)[4:] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1"):
        return f"{name} is a HEIC photo, which cannot be read here: save it as JPEG first"
    return f"{name} is not an image that can be read: use JPEG, PNG, WebP, TIFF, BMP or GIF"


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

    An RGB picture is returned as it is, its colour profile unread: that is the business of `read_photo`.

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
        raise KinlibError(f"an array of shape {array.shape} is no photo: use [H, W], [H, W, 3] or [H, W, 4]")
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0.0 and array.max() <= 1.0):  # also false for NaN
            raise KinlibError("a float array must hold values from 0 to 1: divide by 255, or convert to uint8")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise KinlibError(f"an array of {array.dtype} is no photo: use uint8 (0-255) or float (0-1)")
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))
