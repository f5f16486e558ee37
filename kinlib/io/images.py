"""Pictures in, pictures out: the one image convention, conversions, and files written whole.

Convention, used by every module: inside, a batch of pictures is a float32 RGB tensor [B, 3, H, W] in [-1, 1]; at the
edges it is a `PIL.Image` or a uint8 array [H, W, 3]. Points are (x, y) in pixels, a whole number being the centre of a
pixel, origin top left. `read_photo` (from `kinlib.io.photos`) is the way in for everything people hand in.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from kinlib.io.files import cannot_write, write_whole
from kinlib.io.photos import read_photo, to_rgb
from kinlib.runtime.errors import KinlibError

if TYPE_CHECKING:
    import torch

__all__ = [
    "FORMATS",
    "check_writable",
    "read_photo",
    "resize",
    "to_pil",
    "to_tensor",
    "to_uint8",
    "write_image",
]

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def to_tensor(images: Image.Image | np.ndarray | Sequence[Image.Image | np.ndarray]) -> "torch.Tensor":
    """Pictures of one size as a float32 tensor [B, 3, H, W] in [-1, 1].

    Args:
        images: one picture or several; PIL images of any mode, or arrays as `read_photo` takes them.

    Raises:
        KinlibError: if there are none, they differ in size, or one is no picture.
    """
    import torch

    several = [images] if isinstance(images, (Image.Image, np.ndarray)) else list(images)
    arrays = [np.asarray(to_rgb(one)) for one in several]
    if len({array.shape for array in arrays}) != 1:
        sizes = sorted({f"{array.shape[1]}x{array.shape[0]}" for array in arrays})
        raise KinlibError(f"pictures of one batch must share one size, these have {', '.join(sizes) or 'none'}")
    stacked = torch.from_numpy(np.stack(arrays))  # [B, H, W, 3]
    return stacked.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1.0


def to_uint8(images: "torch.Tensor") -> np.ndarray:
    """Tensor [B, 3, H, W] or [3, H, W] in [-1, 1] (what lies outside is clipped) as uint8 [B, H, W, 3].

    Raises:
        KinlibError: if the shape is another or a value is not finite.
    """
    batch = images[None] if images.ndim == 3 else images
    if batch.ndim != 4 or batch.shape[1] != 3:
        raise KinlibError(f"images must have the shape [B, 3, H, W] or [3, H, W], not {list(images.shape)}")
    values = batch.detach().float().cpu()
    if not bool(values.isfinite().all()):
        raise KinlibError("the images hold values that are not finite numbers: the network that made them has diverged")
    return ((values.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def to_pil(images: "torch.Tensor") -> list[Image.Image]:
    """Tensor [B, 3, H, W] or [3, H, W] in [-1, 1] as a list of RGB pictures; raises as `to_uint8` does."""
    return [Image.fromarray(array) for array in to_uint8(images)]


def resize(images: "torch.Tensor", size: int | tuple[int, int]) -> "torch.Tensor":
    """Scale a batch [B, 3, H, W] to `size` (a square's side, or height and width); antialiased, range kept."""
    from torch.nn.functional import interpolate

    target = (size, size) if isinstance(size, int) else tuple(size)
    if tuple(images.shape[-2:]) == target:
        return images
    return interpolate(images, target, mode="bilinear", align_corners=False, antialias=True)


def check_writable(path: str | os.PathLike) -> Path:
    """Make sure, before long work begins, that a picture can be written to `path`; nothing is left behind.

    Returns:
        `path` as a `Path`.

    Raises:
        KinlibError: if the suffix is unknown, the folder is missing or may not be written to, or `path` is a folder.
    """
    path = _check_target(path)
    write_whole(path, None)
    return path


def write_image(image: Image.Image | np.ndarray, path: str | os.PathLike, quality: int = 95) -> Path:
    """Write a picture whole: first under a temporary name in the same folder, then renamed.

    Args:
        image: PIL image, or array as `read_photo` takes it.
        path: where to; the suffix chooses the format (.png, .jpg, .jpeg, .webp, .bmp, .tif, .tiff).
        quality: of JPEG and WebP, 1 to 100.

    Returns:
        `path` as a `Path`.

    Raises:
        KinlibError: as `check_writable`, or if the disk is full. No half-written file stays behind.
    """
    path = _check_target(path)
    kind = FORMATS[path.suffix.lower()]
    keeps_alpha = kind in ("PNG", "WEBP", "TIFF") and isinstance(image, Image.Image) and image.mode == "RGBA"
    picture = image if keeps_alpha else to_rgb(image)
    options = {"quality": quality} if kind in ("JPEG", "WEBP") else {}
    write_whole(path, lambda file: picture.save(file, format=kind, **options))
    return path


def _check_target(path: str | os.PathLike) -> Path:
    """Refuse targets that cannot work, whatever the disk says."""
    path = Path(os.fsdecode(path))
    try:
        if path.is_dir():
            raise KinlibError(f"'{path}' is a folder: add a file name such as child.png")
        if path.suffix.lower() not in FORMATS:
            raise KinlibError(f"'{path}' does not end in a known image suffix: use one of {', '.join(FORMATS)}")
        if not path.parent.is_dir():
            raise KinlibError(f"'{path}' cannot be written: the folder '{path.parent}' does not exist")
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # fails for a name longer than the file system allows
    except KinlibError:
        raise
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from error
    return path
