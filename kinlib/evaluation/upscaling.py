"""Enlarged photographs against those that were taken large: pixels, detail, whose face it is, whether one is found.

PSNR and SSIM (Wang et al., 2004) ask whether the pixels are right. A network may lose there and look better, or win
there and show somebody else, so the face is asked too: by the cosine of its identity embedding with that of its own
original, and with those of strangers. Faces are cut out where the truth says that they are, so that no detector's
mistake is taken for the upscaler's.

Every function takes pictures in the same order and gives one row for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from kinlib.evaluation.alignment import RIGHT, five_error
from kinlib.evaluation.bootstrap import draw_weights, estimate, mean
from kinlib.evaluation.embedding import embed_pictures
from kinlib.faces.keypoints import detect
from kinlib.faces.landmarks import quad_of
from kinlib.faces.upscale import upscale
from kinlib.io.crop import cut_quad
from kinlib.io.photos import read_photo
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets.family_album import FamilyAlbum

if TYPE_CHECKING:
    from kinlib.faces.identity import IdentityNet

__all__ = ["Gallery", "Photograph", "cut_faces", "detail", "fidelity", "find_faces", "gains", "likeness"]
__all__ += ["photographs", "restore", "strangers"]

FACE = 128  # px, side of the faces that are compared


@dataclass(frozen=True, eq=False)
class Gallery:
    """One picture each of many people, for asking who resembles a face most.

    Attributes:
        files: the pictures, paths in the families' folder.
        families: of the people.
        embeddings: float32 [N, 512], unit length.
    """

    files: list[str]
    families: list[str]
    embeddings: np.ndarray


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph of which there is no larger one; otherwise like the studio's `Original`.

    Attributes:
        name: whose it is.
        small: RGB.
        corners: float [2, 2], top left and bottom right of the face, x and y in its pixels.
    """

    name: str
    small: Image.Image
    corners: np.ndarray

    def larger(self, factor: int) -> None:
        """What enlarging it should give, which nobody knows."""

    def landmarks_in(self, width: int) -> np.ndarray:
        """The face's corners in a copy of the picture that is `width` px wide."""
        return (self.corners + 0.5) * (width / self.small.width) - 0.5


def photographs(pictures: Sequence[Image.Image], names: Sequence[str]) -> list[Photograph]:
    """Photographs without an original, RGB, with the largest face that MTCNN finds; the whole picture without one."""
    found = []
    for picture, name, face in zip(pictures, names, detect(list(pictures)), strict=True):
        box = np.array([0, 0, *picture.size]) if face is None else face.box
        found.append(Photograph(name, picture, np.float64(box).reshape(2, 2) - 0.5))
    return found


def restore(
    pictures: Sequence[Image.Image], factor: int, methods: Sequence[str], preset: str = "studio"
) -> dict[str, pd.DataFrame]:
    """Make photographs smaller, enlarge them again, and ask how much of them is left: the only test without originals.

    Reducing is clean (areas are averaged), which photographs of few pixels are not: what is well restored here need not
    be well enlarged.

    Args:
        pictures: RGB, of any sizes; what does not divide by `factor` is cut off on the right and below.
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
    """How right the pixels are: columns `psnr_db` and `ssim`.

    Args:
        pictures: RGB.
        originals: what each of them should be, of the same size.

    Raises:
        KinlibError: if numbers or sizes differ.
    """
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio as psnr
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    from kinlib.io.images import to_tensor

    rows = []
    for picture, original in _pairs(pictures, originals):
        drawn, wanted = to_tensor(picture), to_tensor(original)
        with torch.no_grad():
            rows.append([float(measure(drawn, wanted, data_range=2.0)) for measure in (psnr, ssim)])
    return pd.DataFrame(rows, columns=["psnr_db", "ssim"])


def detail(
    pictures: Sequence[Image.Image], plain: Sequence[Image.Image], originals: Sequence[Image.Image]
) -> pd.DataFrame:
    """What a method adds to plain interpolation, against what is missing there.

    With d = picture - plain and t = original - plain, over all pixels and channels.

    Returns:
        `amount`: |d| / |t|, 0 where nothing is added, 1 where as much as is missing; `agreement`: the cosine of d and
        t, 1 where the right thing is added, 0 where it has nothing to do with what is missing.

    Raises:
        KinlibError: if numbers or sizes differ.
    """
    rows = []
    for (picture, original), (base, _) in zip(_pairs(pictures, originals), _pairs(plain, originals), strict=True):
        below = np.float32(base)
        added, missing = (np.float32(one).ravel() - below.ravel() for one in (picture, original))
        lengths = np.linalg.norm(added), np.linalg.norm(missing)
        product = float(lengths[0] * lengths[1])
        rows.append([lengths[0] / max(lengths[1], 1e-9), float(added @ missing) / product if product else 0.0])
    return pd.DataFrame(rows, columns=["amount", "agreement"], dtype=float)


def cut_faces(pictures: Sequence[Image.Image], landmarks: Sequence[np.ndarray], size: int = FACE) -> list[Image.Image]:
    """The FFHQ crops of faces whose landmarks [68, 2] are known, in pixels of each picture."""
    pairs = zip(pictures, landmarks, strict=True)
    return [cut_quad(picture, quad_of(points), size, extend=False) for picture, points in pairs]


def strangers(album: FamilyAlbum, identity: "IdentityNet | None" = None) -> Gallery:
    """Everybody in the families, by the photograph nearest to the front; embedded by `identity`, or the bundled one.

    Raises:
        KinlibError: if a photograph is missing or damaged.
    """
    sound = album.truth[album.truth["fault"].isna()]
    first = sound.loc[sound["yaw"].abs().groupby(sound["name"]).idxmin()]
    pictures = [read_photo(album.folder / "families" / file) for file in first["file"]]
    faces = cut_faces(pictures, [np.reshape(points, (68, 2)) for points in first["landmarks"]])
    return Gallery(first["file"].tolist(), first["family"].tolist(), embed_pictures(faces, identity))


def likeness(embeddings: np.ndarray, own: np.ndarray, families: Sequence[str], gallery: Gallery) -> pd.DataFrame:
    """Whose face it is.

    Args:
        embeddings: of the faces in question, [N, 512] of unit length.
        own: of the same faces in the originals, [N, 512].
        families: of the N people; nobody of their own family counts as a stranger.
        gallery: strangers, and perhaps relatives.

    Returns:
        `own`: cosine with the original's face; `stranger`: largest cosine with a stranger's; `margin`: their
        difference, below 0 where the face is nearer to a stranger than to itself; `nearest`: that stranger's file.

    Raises:
        KinlibError: if there are no strangers.
    """
    to_all = embeddings @ gallery.embeddings.T  # [N, M]
    of_kin = np.equal.outer(np.asarray(families), np.asarray(gallery.families))
    if of_kin.all(axis=1).any():
        raise KinlibError("there is nobody of another family to compare with: give a larger gallery")
    to_all[of_kin] = -np.inf
    nearest = to_all.argmax(axis=1)
    table = pd.DataFrame({"own": (embeddings * own).sum(axis=1), "stranger": to_all.max(axis=1)}, dtype=float)
    return table.assign(margin=table["own"] - table["stranger"], nearest=[gallery.files[index] for index in nearest])


def find_faces(pictures: Sequence[Image.Image], landmarks: Sequence[np.ndarray]) -> pd.DataFrame:
    """Whether MTCNN finds the face, and how far off it puts eyes and mouth corners.

    Args:
        pictures: RGB, of any sizes.
        landmarks: the true [68, 2] in pixels of each picture.

    Returns:
        `found`: 1 where the largest face found is the right one (its four points lie within one eye distance of the
        true ones on average), else 0; `off`: that mean distance in eye distances, NaN where it is not.
    """
    rows = []
    for face, points in zip(detect(list(pictures)), landmarks, strict=True):
        off = np.inf if face is None else five_error(face.points, points)
        rows.append((float(off <= RIGHT), off if off <= RIGHT else np.nan))
    return pd.DataFrame(rows, columns=["found", "off"], dtype=float)


def gains(tables: Mapping[str, pd.DataFrame], over: str, column: str, seed: int = 0) -> pd.DataFrame:
    """What every method gains over one of them, photograph by photograph.

    Args:
        tables: by method, one row a photograph, in one order.
        over: the method to compare with.
        column: the measure.
        seed: of the bootstrap.

    Returns:
        One row for each other method: `value`, the mean difference, with its 95% interval `low` and `high` (NaN for
        fewer than three photographs).

    Raises:
        KinlibError: if there is no such method, or no photograph.
    """
    if over not in tables or not len(tables[over]):
        raise KinlibError(f"there is nothing measured for '{over}': choose one of {', '.join(tables)}")
    base = tables[over][column].to_numpy()
    weights = draw_weights(len(base), seed=seed)
    others = {name: table[column].to_numpy() - base for name, table in tables.items() if name != over}
    rows = {name: estimate(mean(differences), weights) for name, differences in others.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def _pairs(pictures: Sequence[Image.Image], originals: Sequence[Image.Image]) -> list[tuple[Image.Image, Image.Image]]:
    """Pictures with their originals."""
    if len(pictures) != len(originals):
        raise KinlibError(f"every picture needs its original: there are {len(pictures)} and {len(originals)}")
    for picture, original in zip(pictures, originals, strict=True):
        if picture.size != original.size:
            raise KinlibError(f"a picture of {picture.size} px cannot be compared with one of {original.size} px")
    return list(zip(pictures, originals, strict=True))
