"""The landmark predictor: regression trees (Kazemi and Sullivan, 2014) trained on studio renders.

The renders come with exact landmarks. Each is cropped as at inference, by the five points that MTCNN detects, once with
the detected points and once with jittered ones, mirrored half of the time. So that the predictor generalises to
photographs, which it never sees, pixels are augmented: exposure, contrast, one-sided shade, blur, noise and JPEG.
People, not pictures, are held out for the metrics.

The file takes about 1.8 bytes x 136 numbers x 2^depth leaves x trees x cascades, rounded
(`kinlib.training.engine.dlib_file`) and compressed: 1.1 MB with the settings below.
"""

import io
import logging
import lzma
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from kinlib.evaluation.groups import by_group, groups_of
from kinlib.faces import landmarks as faces
from kinlib.faces.keypoints import Keypoints, detect
from kinlib.io.crop import map_to_crop
from kinlib.io.files import write_bytes
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.renders import HELD_OUT_EVERY, read_part
from kinlib.training.engine import record
from kinlib.training.engine.dlib_file import rounded
from kinlib.training.engine.settings import RecipeSettings

if TYPE_CHECKING:
    import os

    import dlib
    import pandas as pd

__all__ = ["LandmarkSettings", "measure", "read_renders", "train"]

FILE = "landmarks.dat.xz"
COLUMNS = ["person", "view", "image", "landmarks"]
log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class LandmarkSettings(RecipeSettings):
    """Train the landmark predictor."""

    pictures: int = 3000
    """renders to train on, at most; held-out people come on top"""
    chips: int = 2
    """crops of each render"""
    jitter: float = 0.04
    """standard deviation of the five points in all crops but the first, in face scales"""
    # These three set the size of the file.
    depth: int = 3
    """of a tree"""
    trees: int = 58
    """in a cascade"""
    cascades: int = 15
    """rounds of correction"""
    oversampling: int = 10
    """random initial shapes of each crop"""
    shrinkage: float = 0.25
    """share of each tree's correction that is applied (nu), 0 to 1"""
    threads: int = 2
    """of the trainer"""
    seed: int = 0
    """of every random choice"""


def train(settings: LandmarkSettings) -> dict:
    """Train a predictor, write landmarks.dat.xz and landmarks.json into `settings.out`, and return the latter.

    Raises:
        KinlibError: if there are no renders in `settings.data`.
    """
    import dlib

    renders = read_renders(settings.data)
    held_out = renders["person"] % HELD_OUT_EVERY == 0  # the same people as for all networks
    chosen = renders[~held_out].sample(frac=1.0, random_state=settings.seed).head(settings.pictures)
    settings.out.mkdir(parents=True, exist_ok=True)  # fails now rather than after the work
    rng = np.random.default_rng(settings.seed)
    log.info("cropping %d renders", len(chosen))
    chips, shapes = [], []
    for chip, points in _training_chips(chosen, settings, rng):
        chips.append(chip)
        shapes.append([dlib.full_object_detection(faces.chip_rectangle(), _as_parts(points))])
    log.info("training on %d crops", len(chips))
    model = dlib.train_shape_predictor(chips, shapes, _options(settings))
    path = settings.out / FILE
    # Measured from the file, so that its rounding counts.
    _save(model, path)
    record.register(path)
    used = {"pictures_used": len(chosen), "people": int(chosen["person"].nunique()), "cut_outs": len(chips)}
    recipe = asdict(settings) | used
    return record.write_report(settings.out, "landmarks", recipe, measure(renders[held_out], path))


def read_renders(folder: Path) -> "pd.DataFrame":
    """All renders of a folder's part-*.parquet, with the columns that landmarks and groups need.

    Raises:
        KinlibError: if there are none.
    """
    import pandas as pd

    parts = sorted(Path(folder).glob("part-*.parquet"))
    if not parts:
        raise KinlibError(f"there are no renders part-*.parquet in '{folder}': check the path of the training data")
    return pd.concat([read_part(part, COLUMNS) for part in parts], ignore_index=True)


def measure(renders: "pd.DataFrame", predictor: "dlib.shape_predictor | str | os.PathLike | None" = None) -> dict:
    """Normalised error of a predictor on renders: mean distance of 68 points in percent of the outer-eye distance.

    Returns:
        `pictures`, `found` (share in which MTCNN finds a face), and in percent the `mean`, `median`, `percentile_95`
        and `mean_without_jaw`, since the jaw's points are not visible features. Under `groups`, `found` and `mean`.
    """
    images = [_decode(content) for content in renders["image"]]
    errors, inner = np.full((2, len(images)), np.nan)  # [N] each, NaN where no face is found
    for number, (image, truth, face) in enumerate(zip(images, renders["landmarks"], detect(images), strict=True)):
        if face is None:
            continue
        truth = np.asarray(truth, dtype=np.float64).reshape(68, 2)  # px
        distance = np.linalg.norm(faces.predict(image, face, predictor) - truth, axis=1)
        unit = np.linalg.norm(truth[45] - truth[36]) / 100  # a percent of the distance of the outer eye corners
        # Points 0 to 16 are the jaw.
        errors[number], inner[number] = distance.mean() / unit, distance[17:].mean() / unit
    found = np.isfinite(errors)
    return {
        "pictures": len(images),
        "found": round(float(found.mean()), 4),
        "mean": round(float(np.nanmean(errors)), 3),
        "median": round(float(np.nanmedian(errors)), 3),
        "percentile_95": round(float(np.nanpercentile(errors, 95)), 3),
        "mean_without_jaw": round(float(np.nanmean(inner)), 3),
        "groups": by_group(groups_of(renders), found=found, mean=errors),
    }


def _training_chips(
    renders: "pd.DataFrame", settings: LandmarkSettings, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Crops uint8 [256, 256] with their landmarks [68, 2]; renders in which no face is detected are left out."""
    images = [_decode(content) for content in renders["image"]]
    for image, flat, face in zip(images, renders["landmarks"], detect(images), strict=True):
        if face is None:
            continue
        truth = np.asarray(flat, dtype=np.float64).reshape(68, 2)
        for number in range(settings.chips):
            framed = face if number == 0 else _jitter(face, settings.jitter, rng)
            quad = faces.face_quad(framed)
            chip = faces.cut_chip(_augment(image, rng), quad)
            yield _mirror_sometimes(chip, map_to_crop(truth, quad, faces.CHIP), rng)


def _decode(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _jitter(face: Keypoints, jitter: float, rng: np.random.Generator) -> Keypoints:
    """Move the five points as a detector's errors do: all together, and each by itself."""
    quad = faces.face_quad(face)
    # The quad's side is four face scales.
    scale = np.hypot(*(quad[3] - quad[0])) / 4
    points = face.points + rng.normal(0, jitter * scale, (1, 2)) + rng.normal(0, jitter * scale, (5, 2))
    return Keypoints(face.box, face.score, np.float32(points))


def _mirror_sometimes(chip: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if rng.random() < 0.5:
        return chip, points
    # x becomes side - 1 - x, and points of the left and the right side change places.
    return np.ascontiguousarray(chip[:, ::-1]), (points * [-1, 1] + [faces.CHIP - 1, 0])[list(faces.MIRRORED)]


def _augment(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Random light, shade, sharpness, noise and compression, as photographs have them; ranges by eye."""
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.6, 1.4))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.6, 1.4))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.2)))  # px
    # In float, so that shade and noise do not clip between them.
    pixels = np.float32(image) * _shade(image.size, rng)[..., None]
    pixels += rng.normal(0, rng.uniform(0, 8), pixels.shape)  # of 255
    image = Image.fromarray(np.uint8(np.clip(np.rint(pixels), 0, 255)))
    if rng.random() < 0.5:
        return image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(30, 90)))
    return _decode(buffer.getvalue())


def _shade(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A linear gradient of light across the picture in a random direction, factors [H, W] around 1."""
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]))
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    # Divided by the root of 2, the largest distance from the centre: the factor stays within 1 +- strength.
    return np.float32(1 + strength * (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2))


def _as_parts(points: np.ndarray) -> list["dlib.point"]:
    import dlib

    return [dlib.point(int(x), int(y)) for x, y in np.rint(points)]  # dlib's parts are whole pixels, of 256


def _options(settings: LandmarkSettings) -> "dlib.shape_predictor_training_options":
    import dlib

    options = dlib.shape_predictor_training_options()  # what is not set here keeps dlib's default
    options.tree_depth = settings.depth
    options.num_trees_per_cascade_level = settings.trees
    options.cascade_depth = settings.cascades
    options.oversampling_amount = settings.oversampling
    options.oversampling_translation_jitter = 0.05  # initial shapes are shifted as well, in shares of the box
    options.feature_pool_region_padding = 0.1  # pixels are compared in the box around the mean shape and a tenth beyond
    options.nu = settings.shrinkage
    options.num_threads = settings.threads
    options.random_seed = str(settings.seed)
    return options


def _save(model: "dlib.shape_predictor", path: Path) -> None:
    """Rounded and compressed: a fifth of what dlib writes."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "landmarks.dat"
        model.save(str(plain))
        write_bytes(path, lzma.compress(rounded(plain.read_bytes()), preset=9 | lzma.PRESET_EXTREME))
