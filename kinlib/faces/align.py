"""From a photo to the aligned face that generators and encoders were trained on: the FFHQ crop.

`align_face` makes, pixel for pixel, the crop that the users of e4e (Tov et al., 2021) feed to the encoder. Of the 68
landmarks it needs only the eyes and the mouth's corners, so MTCNN's five points can drive it as well: that is
`align_from_five`. `find_and_align` is the whole way from a photo: it finds the face (`kinlib.faces.orientation`),
places the crop by both sets of points (`kinlib.faces.consensus`), and says in its notes what a user should know. The
geometry is in `kinlib.io.crop`.
"""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from kinlib.faces import landmarks as shape
from kinlib.faces.consensus import DISAGREE
from kinlib.faces.keypoints import Keypoints
from kinlib.faces.orientation import UprightPhoto, find_upright
from kinlib.io.crop import crop_quad, cut_quad, map_from_crop, map_to_crop
from kinlib.io.photos import PhotoSource, photo_name, read_photo, to_rgb
from kinlib.runtime.errors import KinlibError

__all__ = [
    "AlignedFace",
    "align_face",
    "align_found",
    "align_from_five",
    "crop_quad",
    "find_and_align",
    "map_from_crop",
    "map_to_crop",
    "turn_degrees",
]

# px, width of the detector's box. Notebook 06 reduces aligned faces, whose box is half as wide: at 32 px as much
# of the person is encoded as at full size (cosine of identity 0.91), at 16 px a little less (0.87), at 8 px 0.61.
LEAST_FACE, SMALL_FACE = 16, 32
UNSURE = 0.97  # detector's score below which the user is told
CUT_OFF = 0.08  # share of the face's box that lies beyond the photo's edge
FAR_TURNED = 40.0  # degrees of yaw; encoders were trained on few faces beyond
NOSE_DEPTH = 0.56  # how far the nose's tip stands out before eyes and mouth, in eye distances


@dataclass(frozen=True)
class AlignedFace:
    """What `find_and_align` found in a photo.

    Attributes:
        aligned: the FFHQ crop, RGB.
        keypoints: the face's box, score and five points in the upright photo.
        landmarks: float32 [68, 2] in the upright photo, or None if there was no predictor or it disagreed with the five
            points.
        quad: float64 [4, 2], the crop's corners in the upright photo; for `map_to_crop` and `map_from_crop`.
        used: which points drove the crop: "68+5", both; or "5".
        rotated: degrees, clockwise, by which the photo was rotated first: 0, 90, 180 or 270.
        notes: sentences for the user: a rotated photo, other faces, an uncertain detection, a small face, large yaw, a
            face cut off.
    """

    aligned: Image.Image
    keypoints: Keypoints
    landmarks: np.ndarray | None
    quad: np.ndarray
    used: str
    rotated: int = 0
    notes: list[str] = field(default_factory=list)


def align_face(image: Image.Image, landmarks: np.ndarray, size: int = 256, oversample: int = 1) -> Image.Image:
    """The FFHQ crop of a face whose 68 landmarks are known.

    Args:
        image: the photo.
        landmarks: [68, 2], (x, y) in pixels of the photo, iBUG order; dlib's whole numbers will do.
        size: side of the result in pixels.
        oversample: 1 for the pixels that the users of e4e get, 4 for those of FFHQ itself.

    Returns:
        RGB picture of `size` x `size` px.

    Raises:
        KinlibError: if the landmarks have another shape, are not finite, do not form a face or lie outside the photo.
    """
    return cut_quad(to_rgb(image), shape.quad_of(landmarks), size, oversample)


def align_from_five(image: Image.Image, points: np.ndarray, size: int = 256, oversample: int = 1) -> Image.Image:
    """The FFHQ crop of a face of which only MTCNN's five points [5, 2] are known; otherwise as `align_face`."""
    return cut_quad(to_rgb(image), shape.face_quad(points), size, oversample)


def find_and_align(
    photo: PhotoSource,
    size: int = 256,
    predictor: "shape.Predictor" = None,
    name: str | None = None,
    device: "str | None" = None,
) -> AlignedFace:
    """Find the largest face of a photo and cut the FFHQ crop.

    Args:
        photo: anything that `read_photo` takes.
        size: side of the crop in pixels.
        predictor: of the 68 landmarks; a loaded one, a path, or None for the bundled one.
        name: what to call the photo in messages; None takes its path, or "the picture".
        device: where the detector computes; None picks the best there is.

    Raises:
        KinlibError: if the photo cannot be read, shows no face or one that is less than 16 px wide, or the predictor
            named cannot be loaded.
    """
    upright = find_upright(read_photo(photo), predictor, device)
    return align_found(upright, size, name or photo_name(photo))


def align_found(photo: UprightPhoto, size: int = 256, name: str = "the picture", enlarged: int = 1) -> AlignedFace:
    """Cut the FFHQ crop of the first face of a photo from `kinlib.faces.orientation`; otherwise `find_and_align`.

    Args:
        photo: with its faces.
        size: side of the crop in pixels.
        name: what to call the photo in messages.
        enlarged: how many times it was enlarged after it was read; its face counts at the size that it had.

    Raises:
        KinlibError: if there is no face, it is less than 16 px wide, or its points form none or lie outside.
    """
    if not photo.faces:
        raise KinlibError(f"no face found in {name}: use a photo that shows one face from the front, well lit")
    if (width := photo.faces[0].width / enlarged) < LEAST_FACE:
        raise KinlibError(
            f"the face in {name} is only about {int(width)} px wide, and at least {LEAST_FACE} px are needed: "
            "use a larger picture, or one taken from nearer"
        )
    if photo.points is None:
        raise KinlibError(f"the points found in {name} do not form a face: use a photo that shows one from the front")
    return AlignedFace(
        notes=_notes(photo, name, enlarged),
        aligned=cut_quad(photo.image, photo.points.quad, size),
        keypoints=photo.faces[0],
        landmarks=photo.points.landmarks,
        quad=photo.points.quad,
        used="5" if photo.points.landmarks is None else "68+5",
        rotated=photo.rotated,
    )


def turn_degrees(points: np.ndarray) -> float:
    """Rough yaw of a face from five points [5, 2]: degrees, > 0 to the image's right.

    The tip of the nose stands out before the plane of eyes and mouth, so it moves sideways as the head turns. Enough
    for a warning; `kinlib.faces.pose` estimates the whole pose.
    """
    points = np.asarray(points, dtype=np.float64)
    quad = crop_quad(points[0], points[1], points[3], points[4])
    right = (quad[3] - quad[0]) / np.hypot(*(quad[3] - quad[0]))
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    eye_distance = np.hypot(*(quad[3] - quad[0])) / 4  # of the same face seen from the front
    sideways = (points[2] - (eyes + mouth) / 2) @ right / eye_distance
    return float(np.degrees(np.arcsin(np.clip(sideways / NOSE_DEPTH, -1.0, 1.0))))


def _notes(photo: UprightPhoto, name: str, enlarged: int) -> list[str]:
    """What the user should know about the detection."""
    face, notes = photo.faces[0], []
    if photo.rotated:
        notes.append(f"{name} was rotated by {photo.rotated} degrees clockwise, in which its face stands upright")
    if len(photo.faces) > 1:
        notes.append(f"{len(photo.faces)} faces found in {name}: the largest is used")
    beyond = np.concatenate([-face.box[:2], face.box[2:] - photo.image.size]) / np.tile(face.box[2:] - face.box[:2], 2)
    if face.score < UNSURE:
        notes.append(f"the face in {name} was found with little certainty ({face.score:.2f}): check the crop")
    if (width := face.width / enlarged) < SMALL_FACE:
        notes.append(f"the face in {name} is only about {int(width)} px wide: below {SMALL_FACE} px likeness is lost")
    if abs(turn_degrees(face.points)) > FAR_TURNED:
        notes.append(f"the face in {name} is turned far to the side: the result will be poor")
    if beyond.max() > CUT_OFF:
        notes.append(f"the face in {name} is cut off by the photo's edge: the result will be poor")
    if photo.points.disagreement > DISAGREE and face.score >= UNSURE and beyond.max() <= CUT_OFF:
        notes.append(f"two ways to place the points of the face in {name} disagree: check the crop")
    return notes
