"""The camera: rotation of the head, and projection of its points into the picture.

A pinhole 75 cm in front of the head at the height of the eyes, roughly the perspective of a portrait lens. The picture
plane passes through the front of the face and is measured in cm, y down; an affine frame maps it to pixels. The same
view can thus be framed loosely, as a photograph, or exactly as the FFHQ crop, without resampling.

Convention: pixels (x, y) with whole numbers at pixel centres, the origin in the top left one; depth in cm from the
camera. Angles in degrees: yaw > 0 turns the face to the image's right, pitch > 0 up, roll > 0 clockwise in the image.
"""

from dataclasses import dataclass

import numpy as np

from kinlib.io.crop import crop_quad
from kinlib.runtime.compiled import njit
from kinlib.studio.person import Shot

__all__ = ["DISTANCE", "EYE_LEVEL", "Camera", "crop_camera", "on_plane", "photo_camera", "rotate_head"]
__all__ += ["rotation_matrix"]

DISTANCE = 75.0  # cm from the head's origin
EYE_LEVEL = 2.9  # cm, y of the lens: slightly below the pupils (3.6)
FACE_DEPTH = 8.0  # cm, z of the picture plane, in which a picture's width is measured
PIVOT = np.array([0.0, -4.0, 0.0], np.float32)  # cm, centre of rotation in the neck
NECK_TOP, NECK_BOTTOM = -8.5, -17.0  # cm, y between which the rotation fades from the whole to none
STEPS = 16  # rotation matrices from none to the whole rotation; interpolated in between


@dataclass(frozen=True)
class Camera:
    """A frame on the picture plane.

    Attributes:
        frame: float64 [2, 3], affine map from the picture plane (cm, y down) to pixels.
        height, width: pixels.
    """

    frame: np.ndarray
    height: int
    width: int

    @property
    def scale(self) -> float:
        """Pixels per cm on the picture plane."""
        return float(np.sqrt(abs(np.linalg.det(self.frame[:, :2]))))

    def supersampled(self, factor: int) -> "Camera":
        """The same picture with `factor` times more pixels in each direction."""
        frame = self.frame * factor
        # whole numbers are pixel centres: the centre of a block of n x n subpixels lies (n - 1) / 2 from its first
        frame[:, 2] += (factor - 1) / 2
        return Camera(frame, self.height * factor, self.width * factor)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels and depth, float32 [..., 3] (x, y, cm), of points [..., 3] in the head's frame."""
        plane = on_plane(points)  # [..., 2]
        pixels = plane @ self.frame[:, :2].T.astype(np.float32) + self.frame[:, 2].astype(np.float32)
        depth = DISTANCE - points[..., 2:]  # [..., 1]
        return np.ascontiguousarray(np.concatenate([pixels, depth], axis=-1), np.float32)


def on_plane(points: np.ndarray) -> np.ndarray:
    """Perspective projection of points [..., 3] to the picture plane: float32 [..., 2], cm, y down from `EYE_LEVEL`."""
    shrink = (DISTANCE - FACE_DEPTH) / (DISTANCE - points[..., 2])
    return np.stack([points[..., 0] * shrink, (EYE_LEVEL - points[..., 1]) * shrink], axis=-1).astype(np.float32)


def photo_camera(shot: Shot, height: int, width: int) -> Camera:
    """The frame of a photograph: `shot.width` cm fill the shorter side, `shot.shift` offsets the head."""
    scale = min(height, width) / shot.width
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = middle + scale * np.array([shot.shift[0], -shot.shift[1]])
    return Camera(np.column_stack([np.eye(2) * scale, offset]), height, width)


def crop_camera(landmarks: np.ndarray, size: int) -> Camera:
    """The frame that is exactly the FFHQ crop of landmarks [68, 3] of the posed head."""
    points = on_plane(landmarks).astype(np.float64)
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    quad = crop_quad(*eyes, points[48], points[54])  # [4, 2]: top left, bottom left, bottom right, top right
    right, down = quad[3] - quad[0], quad[1] - quad[0]
    # inverse of the map that sends (0, 0), (0, 1), (1, 0) to the corners; the sides are orthogonal
    frame = np.stack([right / (right @ right), down / (down @ down)]) * size
    return Camera(np.column_stack([frame, -frame @ quad[0] - 0.5]), size, size)


def rotation_matrix(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation float32 [3, 3] of the head: pitch, then yaw, then roll, so that roll is the angle seen in the image."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, pitch, roll])) for f in (np.cos, np.sin))
    yawed = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitched = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    rolled = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return (rolled @ yawed @ pitched).astype(np.float32)


def rotate_head(points: np.ndarray, shot: Shot) -> np.ndarray:
    """Rotate points float32 [..., 3] with the head: rigidly above `NECK_TOP`, not at all below `NECK_BOTTOM`."""
    shares = np.linspace(0, 1, STEPS)
    matrices = np.stack([rotation_matrix(shot.yaw * s, shot.pitch * s, shot.roll * s) for s in shares])  # [STEPS, 3, 3]
    flat = np.ascontiguousarray(points.reshape(-1, 3), np.float32)  # [P, 3]
    return _rotate_head(flat, matrices, PIVOT).reshape(points.shape)


@njit(cache=True, fastmath=True)
def _rotate_head(points, matrices, pivot):
    """Blend the two nearest matrices by the height of each point; a smoothstep hides the seams."""
    rotated = np.empty_like(points)
    last = len(matrices) - 1
    for i in range(len(points)):
        share = min(1.0, max(0.0, (points[i, 1] - NECK_BOTTOM) / (NECK_TOP - NECK_BOTTOM)))
        place = share * share * (3 - 2 * share) * last  # 0..last
        low = min(last - 1, int(place))
        mix = place - low
        x, y, z = points[i, 0] - pivot[0], points[i, 1] - pivot[1], points[i, 2] - pivot[2]
        for c in range(3):
            a = matrices[low, c, 0] * x + matrices[low, c, 1] * y + matrices[low, c, 2] * z
            b = matrices[low + 1, c, 0] * x + matrices[low + 1, c, 1] * y + matrices[low + 1, c, 2] * z
            rotated[i, c] = a + (b - a) * mix + pivot[c]
    return rotated
