"""The atlas: maps of the generic head, in the head model's texture space, that serve every person.

It holds soft masks (lips, cheeks, beard), wrinkles, noise, the label of each texel, and the ambient occlusion of each
vertex. Building it takes some seconds; it is then cached beside the head model.
"""

import contextlib
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from kinlib.runtime import config
from kinlib.studio.atlas import regions
from kinlib.studio.atlas.features import brow_curve
from kinlib.studio.atlas.masks import paint_back_masks, paint_masks
from kinlib.studio.atlas.noise import paint_noise
from kinlib.studio.atlas.occlusion import occlusion as sky_seen
from kinlib.studio.atlas.uv import Finder, interpolate, make_chart, make_finder
from kinlib.studio.atlas.wrinkles import paint_wrinkles
from kinlib.studio.head.model import FACE, GUMS, HEAD, MOUTH_SOCKET, TEETH, HeadModel, load_head
from kinlib.studio.rendering.raster import vertex_normals

__all__ = ["SIZE", "Atlas", "Brow", "build_atlas", "load_atlas"]

VERSION = 7  # of the maps; to be raised when they change, so that cached ones are rebuilt
SIZE = 512  # texels along each side of the face's map
OPEN_MOUTH = {"jawOpen": 0.6} | {  # expression for the occlusion inside the mouth
    f"{name}_{side}": share
    for name, share in (("mouthUpperUp", 1.0), ("mouthLowerDown", 1.0), ("mouthSmile", 0.8))
    for side in "LR"
}


@dataclass(frozen=True, eq=False)
class Brow:
    """The curve of a brow, from its head beside the nose to its tail.

    Attributes:
        uv: float32 [60, 2], midline in texture coordinates of the face.
        half_width: float32 [60], cm.
    """

    uv: np.ndarray
    half_width: np.ndarray


@dataclass(frozen=True, eq=False)
class Atlas:
    """Maps of the generic head. S texels along each side of the face's map, B of the back's; row 0 is v = 0.

    Attributes:
        face_positions: float32 [S, S, 3], position of each texel on the neutral head, cm; outside the chart, the
        nearest.
        face_covered: bool [S, S], whether the texel belongs to the face.
        back_positions, back_covered: the same for the back of the head and the neck (u in 1..2).
        masks: float32 [S, S] in 0..1 by name, see `masks.paint_masks`.
        back_masks: float32 [B, B] in 0..1: "scalp", "neck", "ears".
        wrinkles: float32 [S, S] by group, 0 smooth to about 1 deepest.
        noise: float32 [S, S], tileable: "pore", "fine", "middle", "low" with mean 0 and variance 1; "freckles" in 0..1.
        face_labels, back_labels: uint8, class of `labels.CLASSES`.
        face_regions, back_regions: uint8, region of `labels.REGIONS`.
        brows: "left" and "right", the person's.
        occlusion: float32 [V] in 0..1, visible share of the sky per vertex; inside the mouth, with the mouth open.
        landmark_uv: float32 [68, 2].
    """

    face_positions: np.ndarray
    face_covered: np.ndarray
    back_positions: np.ndarray
    back_covered: np.ndarray
    masks: dict[str, np.ndarray]
    back_masks: dict[str, np.ndarray]
    wrinkles: dict[str, np.ndarray]
    noise: dict[str, np.ndarray]
    face_labels: np.ndarray
    face_regions: np.ndarray
    back_labels: np.ndarray
    back_regions: np.ndarray
    brows: dict[str, Brow]
    occlusion: np.ndarray
    landmark_uv: np.ndarray
    head: HeadModel = field(repr=False)

    @property
    def size(self) -> int:
        """Texels along each side of the face's map."""
        return len(self.face_covered)

    @cached_property
    def _finder(self) -> Finder:
        return make_finder(self.head)

    def surface(self, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Surface points at texture coordinates [n, 2] (u in 0..1 the face, 1..2 the back of the head).

        Returns:
            Rows int32 [n] of `HeadModel.triangles` and barycentric weights float32 [n, 3]. A coordinate outside the
            chart gets the nearest border.
        """
        return self._finder.locate(uv)

    def place(self, uv: np.ndarray, vertices: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points and unit normals float32 [n, 3] at texture coordinates [n, 2] of any head.

        Args:
            uv: as for `surface`.
            vertices, normals: float32 [V, 3], the head in any shape and pose.
        """
        rows, weights = self.surface(uv)
        triangles = self.head.triangles[rows]
        normal = interpolate(normals, triangles, weights)
        normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        return interpolate(vertices, triangles, weights).astype(np.float32), normal.astype(np.float32)


@lru_cache(maxsize=2)
def load_atlas(size: int = SIZE) -> Atlas:
    """The atlas from the cache, or built and cached; arrays are shared and read-only.

    Args:
        size: texels along each side of the face's map; the back of the head gets three quarters of it.

    Raises:
        KinlibError: if the head model cannot be loaded.
    """
    head = load_head()
    path = config.cache_dir() / "studio" / f"atlas-{VERSION}-{size}-{head.fingerprint[:12]}.npz"
    atlas = _read(head, path)
    if atlas is None:
        arrays = build_atlas(head, size)
        _write(path, arrays)
        atlas = _from_arrays(head, arrays)
    return atlas


def build_atlas(head: HeadModel, size: int = SIZE) -> dict[str, np.ndarray]:
    """Build all maps: arrays by attribute of `Atlas`, or "masks/lip" for entries of a dictionary."""
    normals = vertex_normals(head.vertices, head.triangles)
    occlusion = _occlusion(head, normals)
    face, back = make_chart(head, normals, FACE, size), make_chart(head, normals, HEAD, size * 3 // 4)
    landmarks, landmark_uv = head.vertices[head.landmarks], _landmark_uv(head)
    masks = paint_masks(face, landmarks, landmark_uv, face.spread(occlusion))
    back_masks, wrinkles = paint_back_masks(back), paint_wrinkles(face)
    labels = regions.label_face(face, masks, wrinkles), regions.label_back(back, back_masks)
    arrays = {"face_positions": face.position, "face_covered": face.covered}
    arrays |= {"back_positions": back.position, "back_covered": back.covered}
    arrays |= {"occlusion": occlusion, "landmark_uv": landmark_uv}
    arrays |= {"face_labels": labels[0][0], "face_regions": labels[0][1]}
    arrays |= {"back_labels": labels[1][0], "back_regions": labels[1][1]}
    for group, maps in {"masks": masks, "back_masks": back_masks, "wrinkles": wrinkles}.items():
        arrays |= {f"{group}/{name}": _rounded(values) for name, values in maps.items()}
    arrays |= {f"noise/{name}": _rounded(values) for name, values in paint_noise(size).items()}
    for side in ("left", "right"):
        _, uv, half_width = brow_curve(face, landmarks, side == "left")
        arrays |= {f"brows/{side}/uv": uv, f"brows/{side}/half_width": half_width}
    return arrays


def _occlusion(head: HeadModel, normals: np.ndarray) -> np.ndarray:
    """Ambient occlusion float32 [V]: of the closed mouth, but inside it of the open one; 1 for vertices not drawn."""
    closed = sky_seen(head.vertices, head.triangles, normals)
    opened = head.vertices + sum(share * head.expression(name) for name, share in OPEN_MOUTH.items())
    opened = opened.astype(np.float32)
    seen = sky_seen(opened, head.triangles, vertex_normals(opened, head.triangles))
    return np.where(np.isin(head.vertex_part, (MOUTH_SOCKET, GUMS, TEETH)), seen, closed)


def _landmark_uv(head: HeadModel) -> np.ndarray:
    """Texture coordinates of the landmarks, float32 [68, 2]."""
    face = head.triangle_part == FACE
    rows = np.zeros(len(head.vertices), int)
    rows[head.triangles[face]] = head.triangle_uv[face]
    return head.uv[rows[head.landmarks]]


def _rounded(values: np.ndarray) -> np.ndarray:
    """A map as it is stored, so that a cached atlas equals a new one."""
    return values.astype(np.float16)


def _from_arrays(head: HeadModel, arrays: dict[str, np.ndarray]) -> Atlas:
    """The record from named arrays; half precision becomes float32, and all arrays read-only."""
    parts: dict = {}
    for name, values in arrays.items():
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        values.setflags(write=False)
        *groups, last = name.split("/")
        place = parts
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = values
    parts["brows"] = {side: Brow(**curve) for side, curve in parts["brows"].items()}
    return Atlas(head=head, **parts)


def _read(head: HeadModel, path: Path) -> Atlas | None:
    """The cached atlas; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _from_arrays(head, {name: file[name] for name in file.files})
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the cache atomically; failure is ignored, since the atlas can be rebuilt."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
