"""MTCNN (Zhang et al., 2016) on many pictures at once: its three networks, and what lies between them.

The first network scans the pictures at many sizes, the second sifts what it found, the third places box and points.
facenet-pytorch's way from one to the next cuts crop after crop out of a tensor of floats, which on a CPU takes longer
than the networks; here the crops of all pictures are averaged in one go, from sums over their bytes. What is found is
the same but for rounding.

Candidates are the rows of one tensor; the columns are named below. Boxes and points count as in the library: see
`kinlib.faces.keypoints` for where that is in a picture.
"""

import numpy as np
import torch
from torch import Tensor, nn

from kinlib.faces.mtcnn import networks
from kinlib.runtime import memory

__all__ = ["BOX", "PICTURE", "POINTS", "SCORE", "Cascade", "area_means", "area_sums"]

PICTURE, BOX, SCORE = 0, slice(1, 5), 5  # number of the picture; left, top, right, bottom; 0 to 1
SHIFT, POINTS = slice(6, 10), slice(10, 20)  # of the four sides, in sizes of the box; five times x and y

CELL, STRIDE = 12, 2  # px, what the first network sees and how far apart
SHRINK = 0.709  # from one size of the scan to the next: half the area
SIFTED, PLACED = 24, 48  # px, what the second and the third network see
SURE = (0.6, 0.7, 0.7)  # scores that the three networks ask for
OVERLAP_OF_CELLS, OVERLAP = 0.5, 0.7  # shares from which two boxes count as one: within one size, and altogether
TOGETHER = {"cpu": (8, 64), "cuda": (64, 4096)}  # pictures, and crops, in one go; on a CPU more would leave the cache


class Cascade:
    """The detector.

    Args:
        device: where the networks compute, which are there only meanwhile; all else is done on the CPU.
        least: side of the smallest face that is looked for, in pixels.
    """

    def __init__(self, device: torch.device, least: int):
        self.device, self.least = device, least
        self.pictures, self.crops = TOGETHER.get(device.type, TOGETHER["cpu"])
        self.nets = nn.ModuleList(map(networks.load, networks.LAYOUTS)).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """All faces in pictures of one size.

        Args:
            pictures: uint8 [B, H, W, 3].

        Returns:
            float32 [N, 20], one row a face, of which the columns `PICTURE`, `BOX`, `SCORE` and `POINTS` are meant.
        """
        sums = area_sums(pictures)
        with memory.on_device(self.nets, self.device) as (scan, sift, place):
            rows = self._scanned(scan, sums)
            rows = self._sifted(sift, sums, rows)
            return _distinct(self._placed(place, sums, rows).numpy())

    def _scanned(self, net: nn.Module, sums: np.ndarray) -> Tensor:
        """What the first network takes for faces, of any size: squares, rows of 10 columns."""
        shortest, scale = min(sums.shape[1:3]) - 1, CELL / self.least
        found = [torch.empty(0, SHIFT.stop, dtype=torch.float32)]
        while shortest * scale >= CELL:
            for first in range(0, len(sums), self.pictures):
                cells = self._scanned_at(net, sums[first : first + self.pictures], scale)
                cells[:, PICTURE] += first
                found.append(_apart(cells, OVERLAP_OF_CELLS))
            scale *= SHRINK
        rows = _apart(torch.cat(found), OVERLAP)
        return _squared(_shifted(rows, 0.0))

    def _scanned_at(self, net: nn.Module, sums: np.ndarray, scale: float) -> Tensor:
        height, width = sums.shape[1] - 1, sums.shape[2] - 1
        whole = np.array([[0, 0, width, height]])
        small = area_means(sums, slice(None), whole, int(height * scale + 1), int(width * scale + 1))
        shifts, scores = self._run(net, small)  # [B, 4, h, w] and [B, 2, h, w]
        sure = scores[:, 1] >= SURE[0]
        place = sure.nonzero()  # [N, 3]: picture, row, column
        corner = place[:, [2, 1]].float() * STRIDE
        boxes = torch.cat([(corner + 1) / scale, (corner + CELL) / scale], dim=1).floor()
        return torch.cat([place[:, :1], boxes, scores[:, 1][sure][:, None], shifts.permute(0, 2, 3, 1)[sure]], dim=1)

    def _sifted(self, net: nn.Module, sums: np.ndarray, rows: Tensor) -> Tensor:
        """What the second network takes for faces, too."""
        rows, crops = _cut(sums, rows, SIFTED)
        if not len(rows):
            return rows
        shifts, scores = self._run(net, crops)
        rows = torch.cat([rows[:, BOX.start - 1 : BOX.stop], scores[:, 1:], shifts], dim=1)
        rows = _apart(rows[rows[:, SCORE] > SURE[1]], OVERLAP)
        return _squared(_shifted(rows, 1.0))

    def _placed(self, net: nn.Module, sums: np.ndarray, rows: Tensor) -> Tensor:
        """What the third network takes for faces, with its points: rows of 20 columns."""
        rows, crops = _cut(sums, rows, PLACED)
        if not len(rows):
            return torch.empty(0, POINTS.stop, dtype=torch.float32)
        shifts, points, scores = self._run(net, crops)
        size = rows[:, None, 3:5] - rows[:, None, 1:3] + 1
        points = points.unflatten(1, (2, 5)).transpose(1, 2) * size + rows[:, None, 1:3] - 1  # [N, 5, 2]
        rows = torch.cat([rows[:, : BOX.stop], scores[:, 1:], shifts, points.flatten(1)], dim=1)
        return _shifted(rows[rows[:, SCORE] > SURE[2]], 1.0)

    def _run(self, net: nn.Module, crops: np.ndarray) -> list[Tensor]:
        """What a network says of crops [N, h, w, 3]: its results, each [N, ...], on the CPU."""
        inputs = torch.from_numpy(crops).permute(0, 3, 1, 2)  # in memory, channels come last
        results = [net(part.to(self.device)) for part in inputs.split(self.crops)]
        return [torch.cat(parts).cpu() for parts in zip(*results, strict=True)]


def _apart(rows: Tensor, overlap: float) -> Tensor:
    """The best of the boxes of a picture that overlap by more than a share of what both cover, from the highest score.

    torchvision's `batched_nms` is left out for the time that importing torchvision takes.
    """
    rows = rows[rows[:, SCORE].argsort(descending=True, stable=True)]
    pictures, boxes = rows[:, PICTURE].numpy(), rows[:, BOX].numpy()
    kept = [
        found for number in np.unique(pictures) for found in _best(boxes, np.flatnonzero(pictures == number), overlap)
    ]
    return rows[sorted(kept)]


def _best(boxes: np.ndarray, left: np.ndarray, overlap: float) -> list[int]:
    """Of the boxes [N, 4] with the numbers `left`, the best first, those that none before them overlaps."""
    areas, kept = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(int(first))
        sides = np.minimum(boxes[first, 2:], boxes[left, 2:]) - np.maximum(boxes[first, :2], boxes[left, :2])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        left = left[shared <= overlap * (areas[first] + areas[left] - shared)]
    return kept


def _shifted(rows: Tensor, rim: float) -> Tensor:
    """The sides of boxes moved to where a network says; `rim` is added to a box's size."""
    size = rows[:, 3:5] - rows[:, 1:3] + rim
    boxes = rows[:, BOX] + rows[:, SHIFT] * torch.cat([size, size], dim=1)
    return torch.cat([rows[:, :1], boxes, rows[:, BOX.stop :]], dim=1)


def _squared(rows: Tensor) -> Tensor:
    """Boxes grown to squares about their centres."""
    size = rows[:, 3:5] - rows[:, 1:3]
    side = size.amax(dim=1, keepdim=True)
    corner = rows[:, 1:3] + size * 0.5 - side * 0.5
    return torch.cat([rows[:, :1], corner, corner + side, rows[:, BOX.stop :]], dim=1)


def _cut(sums: np.ndarray, rows: Tensor, side: int) -> tuple[Tensor, np.ndarray]:
    """The rows whose box lies in its picture, and the pictures' part in each: float32 [N, side, side, 3]."""
    height, width = sums.shape[1] - 1, sums.shape[2] - 1
    windows = rows[:, BOX].numpy().astype(np.int64)  # towards zero
    windows[:, :2] = np.maximum(windows[:, :2], 1) - 1
    windows[:, 2:] = np.minimum(windows[:, 2:], (width, height))
    inside = (windows[:, 2:] > windows[:, :2]).all(axis=1)
    rows = rows[torch.from_numpy(inside)]
    which = rows[:, PICTURE].numpy().astype(np.int64)
    return rows, area_means(sums, which, windows[inside], side, side)


def _distinct(rows: np.ndarray) -> np.ndarray:
    """The best of faces of which one covers most of the other's box, however small that is."""
    kept: list[np.ndarray] = []
    for row in rows[np.argsort(-rows[:, SCORE], kind="stable")]:
        rivals = [other for other in kept if other[PICTURE] == row[PICTURE]]
        if all(_covered(row[BOX], other[BOX]) <= OVERLAP for other in rivals):
            kept.append(row)
    return np.array(kept, np.float32).reshape(-1, rows.shape[1])


def _covered(box: np.ndarray, other: np.ndarray) -> float:
    """How much of the smaller box lies in the other, as a share."""
    shared = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2]) + 1
    areas = [np.prod(one[2:] - one[:2] + 1) for one in (box, other)]
    return float(np.prod(np.maximum(shared, 0)) / min(areas))


def area_sums(pictures: np.ndarray) -> np.ndarray:
    """Sums over all that lies above and left of a pixel, uint8 [B, H, W, 3] -> int32 [B, H + 1, W + 1, 3].

    The sum over any rectangle is then four of them. They may overflow, which cancels out as long as the sum over the
    rectangle itself does not: up to eight million pixels.
    """
    count, height, width = pictures.shape[:3]
    sums = np.zeros((count, height + 1, width + 1, 3), np.int32)
    inner = sums[:, 1:, 1:]
    np.cumsum(pictures, axis=1, dtype=np.int32, out=inner)
    np.cumsum(inner, axis=2, out=inner)
    return sums


def area_means(sums: np.ndarray, which: np.ndarray | slice, windows: np.ndarray, height: int, width: int) -> np.ndarray:
    """Parts of pictures brought to one size by averaging areas, with values as the networks expect them.

    Args:
        sums: of the pictures, as `area_sums` gives them.
        which: int64 [N], number of the picture of each part; or a slice of the pictures, for one window of all.
        windows: int64 [N, 4], left, top, right, bottom edge of each part, inside the picture.
        height, width: of the results.

    Returns:
        float32 [N, height, width, 3], (mean - 127.5) / 128. A mean is over all pixels that a result's pixel touches,
        as in PyTorch's adaptive pooling.
    """
    left, top, right, bottom = windows.T[..., None]  # [N, 1] each
    first, last = _edges(top, bottom, height)  # [N, height]
    begin, end = _edges(left, right, width)  # [N, width]
    pixels = (last - first)[:, :, None] * (end - begin)[:, None, :]  # [N, height, width]
    if isinstance(which, slice):
        rows = sums[which][:, last[0]] - sums[which][:, first[0]]  # [B, height, W + 1, 3]
        totals = rows[:, :, end[0]] - rows[:, :, begin[0]]
    else:
        picture, columns = which[:, None, None], (begin[:, None, :], end[:, None, :])
        above, below = ([sums[picture, row[:, :, None], column] for column in columns] for row in (first, last))
        totals = below[1] - below[0] - above[1] + above[0]
    return ((totals / pixels[..., None] - 127.5) * 0.0078125).astype(np.float32)


def _edges(low: np.ndarray, high: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel of each of `count` parts of a side, and the one behind its last: int64 [N, count] each."""
    parts, size = np.arange(count), high - low
    return low + parts * size // count, low - (-(parts + 1) * size // count)
