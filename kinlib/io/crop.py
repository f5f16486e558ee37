"""The FFHQ crop: which square of a photo shows the face, and how its pixels are cut out.

The square was devised for CelebA-HQ (Karras et al., 2018, "Progressive Growing of GANs", appendix C) and kept for FFHQ
(Karras et al., 2019). It is upright with respect to both the line between the eyes and the line from eyes to mouth, and
as wide as four eye distances or 3.6 eye-to-mouth distances, whichever is more. Where it reaches beyond the photo,
the photo is continued by reflection, blurred and faded into its median colour. Generators and encoders trained on such
crops expect exactly these pixels, so every constant below is part of the format.

Convention: a quad is float64 [4, 2], the corners top left, bottom left, bottom right, top right, as (x, y) with whole
numbers at pixel centres.
"""

import numpy as np
from PIL import Image

from kinlib.runtime.errors import KinlibError

__all__ = ["continue_photo", "crop_quad", "cut_quad", "map_from_crop", "map_to_crop"]

EXACT_BLUR = 21.0  # px, standard deviation
MIN_QUAD = 4.0  # px; the points of a smaller square coincide


def crop_quad(
    eye_left: np.ndarray, eye_right: np.ndarray, mouth_left: np.ndarray, mouth_right: np.ndarray
) -> np.ndarray:
    """The square of the FFHQ crop around a face.

    Args:
        eye_left: centre of the eye at the image's left, (x, y).
        eye_right: centre of the eye at the image's right.
        mouth_left: corner of the mouth at the image's left.
        mouth_right: corner of the mouth at the image's right.

    Returns:
        Quad [4, 2].

    Raises:
        KinlibError: if a point is missing or not finite, or the points do not form a face.
    """
    points = np.asarray([eye_left, eye_right, mouth_left, mouth_right], dtype=np.float64)
    if points.shape != (4, 2) or not np.isfinite(points).all():
        raise KinlibError("the crop needs four finite points (x, y): two eye centres and two mouth corners")
    eyes = (points[0] + points[1]) * 0.5
    eye_to_eye = points[1] - points[0]
    eye_to_mouth = (points[2] + points[3]) * 0.5 - eyes
    right = eye_to_eye - _quarter_turn(eye_to_mouth)  # from the centre to the middle of the right side
    half = max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    if np.hypot(*right) < 0.1 * half or 2 * half < MIN_QUAD:
        raise KinlibError("the points do not form a face: eyes and mouth coincide, or the eyes are swapped")
    right = right / np.hypot(*right) * half
    down = _quarter_turn(right)
    centre = eyes + eye_to_mouth * 0.1
    return np.stack([centre - right - down, centre - right + down, centre + right + down, centre + right - down])


def cut_quad(image: Image.Image, quad: np.ndarray, size: int, oversample: int = 1, extend: bool = True) -> Image.Image:
    """Cut a quad out of a photo and bring it to `size` x `size` px.

    Args:
        image: RGB photo.
        quad: corners [4, 2].
        size: side of the result in pixels.
        oversample: sample this many times finer in each direction and average; 1 is what the users of e4e get, 4 is
            how FFHQ itself was made.
        extend: continue the photo beyond its borders as FFHQ does; otherwise what lies outside is black.

    Returns:
        RGB picture of `size` x `size` px.

    Raises:
        KinlibError: if the quad lies beside the photo.
    """
    image, quad = continue_photo(image, quad, size) if extend else _part(image, quad, size)[:2]
    fine = size * oversample
    corners = (quad + 0.5).flatten()  # Pillow counts from pixel edges
    picture = image.transform((fine, fine), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return picture if oversample == 1 else picture.resize((size, size), Image.Resampling.LANCZOS)


def continue_photo(
    image: Image.Image, quad: np.ndarray, size: int, blur: bool = True, fade: bool = True
) -> tuple[Image.Image, np.ndarray]:
    """All but the last step of `cut_quad`: the part of a photo that a crop comes from, continued beyond its borders.

    Args:
        image: RGB photo.
        quad: corners [4, 2].
        size: side of the crop that is to be cut; a photo that is much finer is reduced first.
        blur: soften what was continued by reflection, as FFHQ does.
        fade: blend it into the photo's median colour, as FFHQ does.

    Returns:
        The continued part, and the corners in its pixels. A part that reaches far enough on all sides stays as it is.

    Raises:
        KinlibError: if the quad lies beside the photo.
    """
    image, quad, border = _part(image, quad, size)
    return _extend(image, quad, border, blur, fade)


def map_to_crop(points: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """Where points (x, y) [N, 2] of the photo lie in the crop that `cut_quad` makes; float64 [N, 2]."""
    origin, right, down = _axes(quad, size)
    offset = np.asarray(points, dtype=np.float64) - origin
    across = offset @ right / (right @ right)
    along = offset @ down / (down @ down)
    return np.stack([across, along], axis=-1) * size - 0.5


def map_from_crop(points: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """Where points (x, y) [N, 2] of the crop lie in the photo; the inverse of `map_to_crop`."""
    origin, right, down = _axes(quad, size)
    share = (np.asarray(points, dtype=np.float64) + 0.5) / size
    return origin + share[..., :1] * right + share[..., 1:] * down


def _axes(quad: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Top left corner, the way to the right and the way down.

    Shrinking divides coordinates without minding that pixel centres lie half a pixel in; the corner is moved to where
    the pixels really come from.
    """
    quad = np.asarray(quad, dtype=np.float64)
    factor = _shrink_factor(quad, size)
    return quad[0] + (factor - 1) * 0.5, quad[3] - quad[0], quad[1] - quad[0]


def _quarter_turn(vector: np.ndarray) -> np.ndarray:
    """Clockwise in the image."""
    return np.array([-vector[1], vector[0]])


def _side(quad: np.ndarray) -> float:
    return float(np.hypot(*(quad[3] - quad[0])))


def _shrink_factor(quad: np.ndarray, size: int) -> int:
    """Whole factor by which the photo is reduced before cutting, so that the cut never skips pixels by the dozen."""
    return max(int(np.floor(_side(quad) / size * 0.5)), 1)


def _part(image: Image.Image, quad: np.ndarray, size: int) -> tuple[Image.Image, np.ndarray, int]:
    """What lies around the quad, not finer than the crop needs; the quad in it; and the width of the border kept."""
    quad = np.array(quad, dtype=np.float64)
    low, high = quad.min(axis=0), quad.max(axis=0)
    if (high < 0).any() or (low >= image.size).any():
        raise KinlibError(f"the face's points lie outside the photo of {image.width}x{image.height} px")
    image, quad = _shrink(image, quad, size)
    border = max(int(np.rint(_side(quad) * 0.1)), 3)
    return *_trim(image, quad, border), border


def _shrink(image: Image.Image, quad: np.ndarray, size: int) -> tuple[Image.Image, np.ndarray]:
    factor = _shrink_factor(quad, size)
    if factor == 1:
        return image, quad
    reduced = [max(1, int(np.rint(side / factor))) for side in image.size]
    return image.resize(reduced, Image.Resampling.LANCZOS), quad / factor


def _bounds(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole pixels that enclose the quad: lowest and highest (x, y)."""
    return np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int)


def _trim(image: Image.Image, quad: np.ndarray, border: int) -> tuple[Image.Image, np.ndarray]:
    """Drop what lies far from the quad."""
    low, high = _bounds(quad)
    low = np.maximum(low - border, 0)
    high = np.minimum(high + border, image.size)
    if (high - low >= image.size).all():
        return image, quad
    return image.crop((*low.tolist(), *high.tolist())), quad - low


def _extend(
    image: Image.Image, quad: np.ndarray, border: int, blur: bool, fade: bool
) -> tuple[Image.Image, np.ndarray]:
    """Continue the photo on all sides if the quad reaches beyond it: reflected, blurred, faded into the median."""
    low, high = _bounds(quad)
    before = np.maximum(border - low, 0)
    after = np.maximum(high - image.size + border, 0)
    if max(before.max(), after.max()) <= border - 4:
        return image, quad
    least = int(np.rint(_side(quad) * 0.3))
    before, after = np.maximum(before, least), np.maximum(after, least)
    pixels = np.pad(np.float32(image), ((before[1], after[1]), (before[0], after[0]), (0, 0)), "reflect")
    depth = _depth_outside(pixels.shape[:2], before, after)
    blurred_share, faded_share = np.clip(depth * 3.0 + 1.0, 0.0, 1.0), np.clip(depth, 0.0, 1.0)
    for channel in range(3):  # one at a time: large crops fill the memory soon enough
        plane = np.ascontiguousarray(pixels[..., channel])
        if blur:
            plane += (_blur(plane, _side(quad) * 0.02) - plane) * blurred_share
        if fade:
            plane += (np.median(plane) - plane) * faded_share
        pixels[..., channel] = np.clip(np.rint(plane), 0, 255)
    return Image.fromarray(np.uint8(pixels)), quad + before


def _blur(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of float32 [H, W].

    Crops of 256 px, which must match e4e's to the pixel, never need more than `EXACT_BLUR`. Wider blurs are computed on
    a reduced plane: the difference is not visible, and it takes seconds instead of minutes.
    """
    from scipy.ndimage import gaussian_filter

    if sigma <= EXACT_BLUR:
        return gaussian_filter(plane, sigma)
    reduced = Image.fromarray(plane).reduce(factor := int(sigma // 5))
    soft = Image.fromarray(gaussian_filter(np.asarray(reduced), sigma / factor))
    height, width = plane.shape
    full = soft.resize((soft.width * factor, soft.height * factor), Image.Resampling.BILINEAR)
    return np.asarray(full)[:height, :width]


def _depth_outside(shape: tuple[int, int], before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far each pixel lies outside the photo: 1 at the outer rim, 0 at the photo's edge, below 0 inside; [H, W]."""

    def along(length: int, start: int, end: int) -> np.ndarray:
        position = np.arange(length, dtype=np.float32)
        return 1.0 - np.minimum(position / start, (length - 1 - position) / end)

    vertical = along(shape[0], before[1], after[1])
    horizontal = along(shape[1], before[0], after[0])
    return np.maximum(vertical[:, None], horizontal[None, :])
