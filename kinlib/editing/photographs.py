"""Edits of photographs at their own size.

The networks edit small pictures. Enlarged, such a picture would be soft. Taken over instead is what the edit adds to
the small picture, its residual, which is smooth where hair or skin change colour; the photograph's own detail stays
under it. Where it is added, the mask decides. It has to follow the outlines of hair and glasses in the photograph,
which the small one only knows roughly. A guided filter (He, Sun and Tang 2013, eq 5 and 8) says by how much the mask
changes with the luminance around each place; this slope is computed at the small size and applied to the large picture
(He and Sun 2015, "Fast guided filter"). The filter's own offset (eq 6) is a mean over a window, in which the rims of
new glasses would fade: nothing in the photograph tells where they will be. Ours leaves the small mask as it is.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinlib.io.crop import map_to_crop
from kinlib.io.images import resize
from kinlib.runtime.errors import KinlibError

__all__ = ["NETWORK_SIZE", "PhotoEdit", "edit_photo", "guided_slope", "luminance"]

NETWORK_SIZE = 64  # px, of the pictures that the bundled network was trained on
RADIUS = 2  # px of the small picture, half the side of the filter's window
EPSILON = 1e-3  # of squared luminance in [0, 1]: what varies by less than 0.03 is no outline
BORDER = 0.04  # share of the crop's side over which an edit fades out at its edge
BAND = 512  # rows of a photograph at a time, which bounds the memory
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class PhotoEdit:
    """An edited photograph.

    Attributes:
        image: [B, 3, H, W] in [-1, 1].
        mask: what was taken of the edit, [B, 1, H, W] in [0, 1]: the attention without clothing.
        attention, clothing: the network's masks, [B, 1, s, s].
    """

    image: Tensor
    mask: Tensor
    attention: Tensor
    clothing: Tensor


@torch.no_grad()
def edit_photo(
    net: nn.Module,
    photo: Tensor,
    difference: Tensor,
    aligned: Tensor | None = None,
    quad: np.ndarray | None = None,
    size: int = NETWORK_SIZE,
) -> PhotoEdit:
    """Edit a face in a photograph of any size, or a batch of aligned faces.

    Args:
        net: the editing network.
        photo: [B, 3, H, W] in [-1, 1]; B is 1 for a photograph with a crop.
        difference: changes of the attributes (Eq 7), [B, A].
        aligned: the FFHQ crop of the face, [1, 3, S, S]; None where the photograph is that crop.
        quad: the crop's corners in the photograph [4, 2], as `kinlib.io.crop` has them; given together with `aligned`.
        size: px at which the network computes.

    Raises:
        KinlibError: if shapes do not fit, or one of `aligned` and `quad` is missing.
    """
    if photo.ndim != 4 or photo.shape[1] != 3:
        raise KinlibError(f"photographs must be [B, 3, H, W], not {list(photo.shape)}")
    if (aligned is None) != (quad is None) or (quad is not None and len(photo) != 1):
        raise KinlibError("a crop and its corners must be given together, for one photograph at a time")
    place = next(net.parameters()).device
    small = resize(photo if aligned is None else aligned, size)
    edit = net(small.to(place), difference.to(place))
    attention, clothing, edited = (part.cpu() for part in (edit.attention, edit.clothing, edit.edited))
    mask = attention * (1 - clothing)  # Eq 9 and 10
    if aligned is None and photo.shape[2:] == (size, size):
        return PhotoEdit(edit.image.cpu(), mask, attention, clothing)
    guide = luminance(small)
    slope = guided_slope(guide, mask)
    maps = torch.cat([slope, mask - slope * guide, edited - small], dim=1)  # [B, 5, s, s]
    image, taken = _apply(photo, maps, None if aligned is None else aligned.shape[-1], quad)
    return PhotoEdit(image, taken, attention, clothing)


def _apply(photo: Tensor, maps: Tensor, side: int | None, quad: np.ndarray | None) -> tuple[Tensor, Tensor]:
    """Add the residual to a photograph, where the mask takes it.

    Args:
        photo: [B, 3, H, W].
        maps: slope and offset of the mask over luminance, and the residual, at the small size, [B, 5, s, s].
        side: px of the crop that they were computed from; None for the whole photograph.
        quad: the crop's corners [4, 2]; None with `side`.

    Returns:
        (edited photograph, mask [B, 1, H, W]).
    """
    image, large = photo.clone(), torch.zeros_like(photo[:, :1])
    rows, columns = _bounds(photo.shape[2:], quad)
    for top in range(rows.start, rows.stop, BAND):
        band = slice(top, min(top + BAND, rows.stop))
        where = _whole(photo, band, columns) if quad is None else _in_crop(band, columns, quad, side)
        slope, offset, residual = _sample(maps, where).split([1, 1, 3], dim=1)
        part = photo[..., band, columns]
        taken = (slope * luminance(part) + offset).clamp(0, 1) * (1.0 if quad is None else _inside(where))
        image[..., band, columns] = (part + taken * residual).clamp(-1, 1)
        large[..., band, columns] = taken
    return image, large


def guided_slope(guide: Tensor, mask: Tensor, radius: int = RADIUS, epsilon: float = EPSILON) -> Tensor:
    """The guided filter's a: by how much the mask changes with the guide around a pixel, [B, 1, H, W].

    Args:
        guide: luminance [B, 1, H, W] in [0, 1].
        mask: [B, 1, H, W].
        radius: px; a window has a side of 2 * radius + 1.
        epsilon: how much the guide must vary in a window for the mask to follow it.
    """

    def mean(values: Tensor) -> Tensor:
        side = 2 * radius + 1
        return F.avg_pool2d(values, side, 1, radius, count_include_pad=False)

    mean_guide = mean(guide)
    variance = mean(guide.square()) - mean_guide.square()
    slope = (mean(guide * mask) - mean_guide * mean(mask)) / (variance + epsilon)  # eq 5
    return mean(slope)  # over the windows that hold a pixel (eq 8)


def luminance(images: Tensor) -> Tensor:
    """[B, 3, H, W] in [-1, 1] to [B, 1, H, W] in [0, 1]."""
    weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
    return ((images * weights).sum(dim=1, keepdim=True) + 1) / 2


def _bounds(shape: torch.Size, quad: np.ndarray | None) -> tuple[slice, slice]:
    """Rows and columns of a photograph of (H, W) that a crop reaches."""
    if quad is None:
        return slice(0, shape[0]), slice(0, shape[1])
    low = np.floor(quad.min(axis=0)).clip(0, None).astype(int)
    high = np.ceil(quad.max(axis=0)).clip(None, (shape[1] - 1, shape[0] - 1)).astype(int) + 1
    if (high <= low).any():
        raise KinlibError("the face's crop lies outside of the photograph")
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _whole(photo: Tensor, rows: slice, columns: slice) -> Tensor:
    """Where pixels of a photograph lie in it, [1, h, w, 2] as `grid_sample` takes it: (x, y) in [-1, 1]."""
    y, x = (
        (2 * torch.arange(some.start, some.stop) + 1) / count - 1
        for some, count in zip((rows, columns), photo.shape[2:], strict=True)
    )
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]


def _in_crop(rows: slice, columns: slice, quad: np.ndarray, side: int) -> Tensor:
    """Where they lie in a crop of `side` px with the corners `quad`, otherwise the same."""
    x, y = np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop))
    shares = (map_to_crop(np.stack([x, y], axis=-1), quad, side) + 0.5) / side  # [h, w, 2]
    return torch.from_numpy(2 * shares - 1).float()[None]


def _sample(maps: Tensor, grid: Tensor) -> Tensor:
    grid = grid.expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _inside(grid: Tensor) -> Tensor:
    """1 within the crop, falling to 0 at its edge, [1, 1, H, W]: an edit that is cut off there would show a line."""
    depth = (1 - grid.abs().amax(dim=-1)) / 2  # share of the side
    return (depth / BORDER).clamp(0, 1)[:, None]
