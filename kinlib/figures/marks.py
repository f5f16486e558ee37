"""Boxes, keypoints and head axes drawn into photographs."""

import numpy as np
from PIL import Image, ImageDraw

__all__ = ["mark_face", "mark_pose"]

BOX, DOT, EDGE = "#F0E442", "#56B4E9", "#000000"
AXES = ("#D55E00", "#009E73", "#FFFFFF")  # to the head's right as seen, up, and forward
AXIS_LENGTH = 1.0  # of the distance between the outermost points


def mark_face(
    picture: Image.Image,
    points: np.ndarray | None = None,
    box: np.ndarray | None = None,
    axes: np.ndarray | None = None,
    factor: int = 3,
) -> Image.Image:
    """An enlarged copy of a photograph with the box, points and axes of its face.

    Args:
        picture: the photograph.
        points: [K, 2], (x, y) in its pixels.
        box: [4], left, top, right, bottom.
        axes: [3, 3], columns are the head's right, up and forward directions (x right, y up, z to the camera); drawn
            from the mean of the points in orange, green and white.
        factor: how many times to enlarge.
    """
    large = picture.convert("RGB").resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    if box is not None:
        draw.rectangle([float(edge) * factor for edge in box], outline=BOX, width=max(1, factor - 1))
    if points is not None:
        places = (np.asarray(points, dtype=np.float64) + 0.5) * factor
        if axes is not None:
            _draw_axes(draw, places, np.asarray(axes), 2 * factor)
        for x, y in places:
            draw.ellipse([x - factor, y - factor, x + factor, y + factor], fill=DOT, outline=EDGE)
    return large


def mark_pose(
    picture: Image.Image, points: np.ndarray, axes: np.ndarray, side: int = 280, factor: int = 3
) -> Image.Image:
    """A square around a face, enlarged, with its points and the axes of its head.

    Args:
        picture: the photograph.
        points: [K, 2], (x, y) in its pixels.
        axes: [3, 3], as for `mark_face`.
        side: of the square in enlarged pixels; cut down to the enlarged photograph where that is smaller.
        factor: how many times to enlarge.
    """
    marked = mark_face(picture, points, axes=axes, factor=factor)
    size = np.minimum(side, marked.size)
    left, top = np.clip(factor * np.mean(points, axis=0) - side // 2, 0, marked.size - size).astype(int).tolist()
    return marked.crop((left, top, left + int(size[0]), top + int(size[1])))


def _draw_axes(draw: ImageDraw.ImageDraw, places: np.ndarray, axes: np.ndarray, width: int) -> None:
    """The three axes from the mean of the points; the one closest to the camera is drawn last."""
    middle = places.mean(axis=0)
    length = AXIS_LENGTH * np.ptp(places, axis=0).max()
    for index in np.argsort(axes[2]):
        end = middle + length * axes[:2, index] * [1, -1]
        draw.line([*middle, *end], fill=EDGE, width=width + 2)
        draw.line([*middle, *end], fill=AXES[index], width=width)
