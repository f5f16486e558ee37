"""Upscaled photographs evaluated against high-resolution originals: fidelity, detail, identity, face detection.

PSNR and SSIM (Wang et al., 2004) measure fidelity of pixels. They say little about identity: the cosine similarity of
embeddings is measured too, to the face's own original and to the nearest of many strangers. Faces are cropped at their
true landmarks, so that errors of a detector do not count as errors of the upscaler.

Functions take pictures in the same order and return one row for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.evaluation.bootstrap import draw_weights, estimate, mean
from kinlib.evaluation.embedding import embed_pictures
from kinlib.evaluation.preprocessing.alignment import MAX_OFFSET, five_error
from kinlib.faces.keypoints import detect
from kinlib.faces.landmarks import quad_of
from kinlib.faces.upscale import upscale
from kinlib.io.crop import cut_quad
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import FamilyAlbum

if TYPE_CHECKING:
    from kinlib.faces.identity import IdentityNet

__all__ = ["Gallery", "UnpairedPhotograph", "build_gallery", "cut_faces", "detail", "detect_labelled", "fidelity"]
__all__ += ["gains", "identity_similarity", "restore", "unpaired_photographs"]

FACE = 128  # px, side of the face crops that are embedded
SSIM_WINDOW = 11  # px, of the Gaussian window (Wang et al. 2004)


@dataclass(frozen=True, eq=False)
class Gallery:
    """One picture each of many people, to find the stranger most similar to a face.

    Attributes:
        files: the pictures, paths in the families' folder.
        families: of the people.
        embeddings: float32 [N, 512], unit length.
    """

    files: list[str]
    families: list[str]
    embeddings: np.ndarray


@dataclass(frozen=True, eq=False)
class UnpairedPhotograph:
    """A photograph without a high-resolution original, with the interface of the studio's `Original`.

    Attributes:
        name: of the person.
        small: RGB.
        corners: float [2, 2], top left and bottom right of the face, x and y in its pixels.
    """

    name: str
    small: Image.Image
    corners: np.ndarray

    def larger(self, factor: int) -> None:
        """The original at this factor: None, there is none."""

    def landmarks_in(self, width: int) -> np.ndarray:
        """The face's corners [2, 2] in a copy of the picture that is `width` px wide."""
        return (self.corners + 0.5) * (width / self.small.width) - 0.5


def unpaired_photographs(pictures: Sequence[Image.Image], names: Sequence[str]) -> list[UnpairedPhotograph]:
    """RGB photographs with the box of the largest face that MTCNN finds; with the whole picture if it finds none."""
    found = []
    for picture, name, face in zip(pictures, names, detect(list(pictures)), strict=True):
        box = np.array([0, 0, *picture.size]) if face is None else face.box
        found.append(UnpairedPhotograph(name, picture, np.float64(box).reshape(2, 2) - 0.5))
    return found


def restore(
    pictures: Sequence[Image.Image], factor: int, methods: Sequence[str], preset: str = "studio"
) -> dict[str, pd.DataFrame]:
    """Downsample photographs, upscale them again and measure fidelity: a test that needs no originals.

    Downsampling averages areas, without blur, noise or JPEG. A method that does well here need not do well on real
    small photographs.

    Args:
        pictures: RGB, of any sizes; cropped on the right and at the bottom to multiples of `factor`.
        factor: 2 or 4.
        methods: some of `kinlib.faces.upscale.METHODS`.
        preset: whose networks.

    Returns:
        By method, one row a photograph: `psnr_db` and `ssim` (see `fidelity`).

    Raises:
        KinlibError: as `upscale`.
    """
    whole = [one.crop((0, 0, one.width // factor * factor, one.height // factor * factor)) for one in pictures]
    small = [one.reduce(factor) for one in whole]
    return {method: fidelity(upscale(small, factor, method, preset), whole) for method in methods}


def fidelity(pictures: Sequence[Image.Image], originals: Sequence[Image.Image]) -> pd.DataFrame:
    """Fidelity of pixels: columns `psnr_db` and `ssim`.

    Args:
        pictures: RGB.
        originals: the reference for each, of the same size.

    Raises:
        KinlibError: if numbers or sizes differ, or pictures are smaller than SSIM's window.
    """
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio as psnr
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    from kinlib.io.images import to_tensor

    rows = []
    for picture, original in _pairs(pictures, originals):
        if min(picture.size) < SSIM_WINDOW:
            raise KinlibError(f"SSIM needs pictures of {SSIM_WINDOW} px or more, not {picture.size}")
        upscaled, reference = to_tensor(picture), to_tensor(original)
        with torch.no_grad():
            rows.append([float(measure(upscaled, reference, data_range=2.0)) for measure in (psnr, ssim)])
    return pd.DataFrame(rows, columns=["psnr_db", "ssim"])


def detail(
    pictures: Sequence[Image.Image], plain: Sequence[Image.Image], originals: Sequence[Image.Image]
) -> pd.DataFrame:
    """Detail that a method adds to an interpolated picture, compared with the detail missing there.

    With d = picture - plain and t = original - plain, over all pixels and channels.

    Returns:
        `amount`: |d| / |t|, the added detail relative to the missing one; `agreement`: the cosine of d and t, 1 where
        the missing detail is restored, 0 where the added detail is unrelated to it.

    Raises:
        KinlibError: if numbers or sizes differ.
    """
    rows = []
    for (picture, original), (base, _) in zip(_pairs(pictures, originals), _pairs(plain, originals), strict=True):
        base = np.float32(base).ravel()
        added, missing = (np.float32(one).ravel() - base for one in (picture, original))
        lengths = np.linalg.norm(added), np.linalg.norm(missing)
        product = float(lengths[0] * lengths[1])
        rows.append([lengths[0] / max(lengths[1], 1e-9), float(added @ missing) / product if product else 0.0])
    return pd.DataFrame(rows, columns=["amount", "agreement"], dtype=float)


def cut_faces(pictures: Sequence[Image.Image], landmarks: Sequence[np.ndarray], size: int = FACE) -> list[Image.Image]:
    """The FFHQ crops of faces whose landmarks [68, 2] are known, in pixels of each picture."""
    pairs = zip(pictures, landmarks, strict=True)
    return [cut_quad(picture, quad_of(points), size, extend=False) for picture, points in pairs]


def build_gallery(album: FamilyAlbum, identity: "IdentityNet | None" = None) -> Gallery:
    """The most frontal photograph of each person in the families, embedded by `identity` or the bundled network.

    Raises:
        KinlibError: if a photograph is missing or damaged.
    """
    sound = album.truth[album.truth["fault"].isna()]
    first = sound.loc[sound["yaw"].abs().groupby(sound["name"]).idxmin()]
    pictures = [read_photo(album.folder / "families" / file) for file in first["file"]]
    faces = cut_faces(pictures, [np.reshape(points, (68, 2)) for points in first["landmarks"]])
    return Gallery(first["file"].tolist(), first["family"].tolist(), embed_pictures(faces, identity))


def identity_similarity(
    embeddings: np.ndarray, own: np.ndarray, families: Sequence[str], gallery: Gallery
) -> pd.DataFrame:
    """Similarity of faces to their own originals and to the nearest stranger.

    Args:
        embeddings: of the faces under test, [N, 512] of unit length.
        own: of the same faces in the originals, [N, 512].
        families: of the N people; members of the same family are not strangers.
        gallery: people to compare with.

    Returns:
        `own`: cosine similarity to the original's face; `stranger`: largest cosine similarity to a stranger; `margin`:
        own - stranger, negative where a stranger is more similar than the original; `nearest`: that stranger's file.

    Raises:
        KinlibError: if there are no strangers.
    """
    to_all = embeddings @ gallery.embeddings.T  # [N, M]
    of_kin = np.equal.outer(np.asarray(families), np.asarray(gallery.families))
    if of_kin.all(axis=1).any():
        raise KinlibError("the gallery has nobody of another family to compare with: give a larger one")
    to_all[of_kin] = -np.inf
    nearest = to_all.argmax(axis=1)
    table = pd.DataFrame({"own": (embeddings * own).sum(axis=1), "stranger": to_all.max(axis=1)}, dtype=float)
    return table.assign(margin=table["own"] - table["stranger"], nearest=[gallery.files[index] for index in nearest])


def detect_labelled(pictures: Sequence[Image.Image], landmarks: Sequence[np.ndarray]) -> pd.DataFrame:
    """Whether MTCNN detects the labelled face, and the error of its eyes and mouth corners.

    Args:
        pictures: RGB, of any sizes.
        landmarks: the true [68, 2] in pixels of each picture.

    Returns:
        `found`: 1 where the largest detected face is the labelled one (mean error of its four points at most
        `MAX_OFFSET`), else 0; `off`: that error in eye distances, NaN where it is not.
    """
    rows = []
    for face, points in zip(detect(list(pictures)), landmarks, strict=True):
        off = np.inf if face is None else five_error(face.points, points)
        rows.append((float(off <= MAX_OFFSET), off if off <= MAX_OFFSET else np.nan))
    return pd.DataFrame(rows, columns=["found", "off"], dtype=float)


def gains(tables: Mapping[str, pd.DataFrame], over: str, column: str, seed: int = 0) -> pd.DataFrame:
    """Paired differences of all methods to a reference method.

    Args:
        tables: by method, one row a photograph, in one order.
        over: the reference method.
        column: the measure.
        seed: of the bootstrap.

    Returns:
        One row for each other method: `value`, the mean difference, with its 95% interval `low` and `high` (NaN for
        fewer than three photographs).

    Raises:
        KinlibError: if there is no such method, no photograph, or tables differ in length.
    """
    if over not in tables or not len(tables[over]):
        raise KinlibError(f"there are no measurements for '{over}': choose one of {', '.join(tables)}")
    if len({len(table) for table in tables.values()}) > 1:
        raise KinlibError("the methods' tables must have one row for each of the same pictures, but differ in length")
    base = tables[over][column].to_numpy()
    weights = draw_weights(len(base), seed=seed)
    others = {name: table[column].to_numpy() - base for name, table in tables.items() if name != over}
    rows = {name: estimate(mean(differences), weights) for name, differences in others.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def _pairs(pictures: Sequence[Image.Image], originals: Sequence[Image.Image]) -> list[tuple[Image.Image, Image.Image]]:
    """Pictures with their originals, checked."""
    if len(pictures) != len(originals):
        raise KinlibError(f"every picture needs its original: there are {len(pictures)} and {len(originals)}")
    for picture, original in zip(pictures, originals, strict=True):
        if picture.size != original.size:
            raise KinlibError(f"a picture of {picture.size} px cannot be compared with one of {original.size} px")
    return list(zip(pictures, originals, strict=True))
