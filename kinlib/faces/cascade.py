"""MTCNN (Zhang et al., 2016) on many pictures at once: its three networks, and what lies between them.

The first network scans the pictures at many sizes, the second sifts what it found, the third places box and points.
Networks and weights are those of facenet-pytorch. Its way from one to the next cuts crop after crop out of a tensor of
floats, which on a CPU takes longer than the networks; here the crops of all pictures are averaged from their bytes in
one go. What is found is the same but for rounding.

Candidates are the rows of one tensor; the columns are named below. Boxes and points count as in the library: see
`kinlib.faces.keypoints` for where that is in a picture.
"""

import numpy as np
import torch
from torch import Tensor, nn

from kinlib.runtime import memory
from kinlib.runtime.compiled import njit

__all__ = ["BOX", "PICTURE", "POINTS", "SCORE", "Cascade", "area_means"]

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
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        self.device, self.least = device, least
        self.pictures, self.crops = TOGETHER.get(device.type, TOGETHER["cpu"])
        with torch.random.fork_rng(devices=[]):  # initialising draws random numbers; the caller's stay
            self.nets = nn.ModuleList(net() for net in (PNet, RNet, ONet)).float().eval().requires_grad_(False)
        self.nets.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """All faces in pictures of one size.

        Args:
            pictures: uint8 [B, H, W, 3].

        Returns:
            float32 [N, 20], one row a face, of which the columns `PICTURE`, `BOX`, `SCORE` and `POINTS` are meant.
        """
        with memory.on_device(self.nets, self.device) as (scan, sift, place):
            rows = self._scanned(scan, pictures)
            rows = self._sifted(sift, pictures, rows)
            return _distinct(self._placed(place, pictures, rows).numpy())

    def _scanned(self, net: nn.Module, pictures: np.ndarray) -> Tensor:
        """What the first network takes for faces, of any size: squares, rows of 10 columns."""
        shortest, scale = min(pictures.shape[1:3]), CELL / self.least
        found = [torch.empty(0, SHIFT.stop, dtype=torch.float32)]
        while shortest * scale >= CELL:
            for first in range(0, len(pictures), self.pictures):
                cells = self._scanned_at(net, pictures[first : first + self.pictures], scale)
                cells[:, PICTURE] += first
                found.append(_apart(cells, OVERLAP_OF_CELLS))
            scale *= SHRINK
        rows = _apart(torch.cat(found), OVERLAP)
        return _squared(_shifted(rows, 0.0))

    def _scanned_at(self, net: nn.Module, pictures: np.ndarray, scale: float) -> Tensor:
        count, height, width = pictures.shape[:3]
        whole = np.tile(np.array([0, 0, width, height]), (count, 1))
        small = area_means(pictures, np.arange(count), whole, int(height * scale + 1), int(width * scale + 1))
        shifts, scores = self._run(net, small)  # [B, 4, h, w] and [B, 2, h, w]
        sure = scores[:, 1] >= SURE[0]
        place = sure.nonzero()  # [N, 3]: picture, row, column
        corner = place[:, [2, 1]].float() * STRIDE
        boxes = torch.cat([(corner + 1) / scale, (corner + CELL) / scale], dim=1).floor()
        return torch.cat([place[:, :1], boxes, scores[:, 1][sure][:, None], shifts.permute(0, 2, 3, 1)[sure]], dim=1)

    def _sifted(self, net: nn.Module, pictures: np.ndarray, rows: Tensor) -> Tensor:
        """What the second network takes for faces, too."""
        rows, crops = _cut(pictures, rows, SIFTED)
        if not len(rows):
            return rows
        shifts, scores = self._run(net, crops)
        rows = torch.cat([rows[:, BOX.start - 1 : BOX.stop], scores[:, 1:], shifts], dim=1)
        rows = _apart(rows[rows[:, SCORE] > SURE[1]], OVERLAP)
        return _squared(_shifted(rows, 1.0))

    def _placed(self, net: nn.Module, pictures: np.ndarray, rows: Tensor) -> Tensor:
        """What the third network takes for faces, with its points: rows of 20 columns."""
        rows, crops = _cut(pictures, rows, PLACED)
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
    """The best of the boxes that overlap by more than a share of what both cover."""
    from torchvision.ops import batched_nms

    return rows[batched_nms(rows[:, BOX], rows[:, SCORE], rows[:, PICTURE].long(), overlap)]


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


def _cut(pictures: np.ndarray, rows: Tensor, side: int) -> tuple[Tensor, np.ndarray]:
    """The rows whose box lies in its picture, and the pictures' part in each: float32 [N, side, side, 3]."""
    height, width = pictures.shape[1:3]
    windows = rows[:, BOX].numpy().astype(np.int64)  # towards zero
    windows[:, :2] = np.maximum(windows[:, :2], 1) - 1
    windows[:, 2:] = np.minimum(windows[:, 2:], (width, height))
    inside = (windows[:, 2:] > windows[:, :2]).all(axis=1)
    rows = rows[torch.from_numpy(inside)]
    which = rows[:, PICTURE].numpy().astype(np.int64)
    return rows, area_means(pictures, which, windows[inside], side, side)


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


@njit(cache=True, nogil=True)
def area_means(pictures: np.ndarray, which: np.ndarray, windows: np.ndarray, height: int, width: int) -> np.ndarray:
    """Parts of pictures brought to one size by averaging areas, with values as the networks expect them.

    Args:
        pictures: uint8 [B, H, W, 3].
        which: int64 [N], number of the picture of each part.
        windows: int64 [N, 4], left, top, right, bottom edge of each part, inside the picture.
        height, width: of the results.

    Returns:
        float32 [N, height, width, 3], (mean - 127.5) / 128. A mean is over all pixels that a result's pixel touches,
        as in PyTorch's adaptive pooling.
    """
    means = np.empty((len(which), height, width, 3), np.float32)
    for n in range(len(which)):
        left, top, right, bottom = windows[n]
        part = pictures[which[n], top:bottom, left:right]
        tall, wide = bottom - top, right - left
        columns = np.empty((wide, 3), np.int64)
        for y in range(height):
            first, last = y * tall // height, -(-(y + 1) * tall // height)
            columns[:] = 0
            for row in range(first, last):
                for x in range(wide):
                    for c in range(3):
                        columns[x, c] += part[row, x, c]
            for x in range(width):
                begin, end = x * wide // width, -(-(x + 1) * wide // width)
                pixels = (last - first) * (end - begin)
                for c in range(3):
                    total = 0
                    for column in range(begin, end):
                        total += columns[column, c]
                    means[n, y, x, c] = (total / pixels - 127.5) * 0.0078125
    return means
