"""The head model: neutral face, identity and expression modes, the rendered parts, and the landmarks.

ICT-FaceKit light (USC Institute for Creative Technologies, MIT licence): 26,719 vertices fitted to scans, 100 identity
modes whose coefficients are about standard normal, and 53 expressions (plus two that widen the pupils).

    load_head()     from a folder named by KINLIB_ICT_DIR, else from the cache, else from the internet

Lengths are centimetres in the head's frame: x to the image's right when the face looks at the camera (the person's
left), y up, z towards the camera. `_l` and `_r` in names are the person's left and right.
"""

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from kinlib.runtime import config
from kinlib.runtime.errors import KinlibError
from kinlib.studio.head import convert, files

__all__ = ["CONVERTED", "HeadModel", "have_head", "load_head"]
__all__ += ["FACE", "HEAD", "MOUTH_SOCKET", "EYE_SOCKETS", "GUMS", "TEETH", "EYEBALLS", "TEARS", "LASHES", "DRAWN"]

CONVERTED = "ict_face_model.npz"  # all modes in one file

# Parts of the head: values of `vertex_part` and `triangle_part`.
FACE = 0  # with the ears; its texture covers u, v in 0..1
HEAD = 1  # back of the head, neck and bust; its texture lies at u in 1..2
MOUTH_SOCKET = 2
EYE_SOCKETS = (3, 4)  # left, right, as in all pairs below
GUMS = 5  # with the tongue
TEETH = 6
EYEBALLS = (7, 9)  # the outer, clear surface, on which the iris is painted
TEARS = (11, 12)  # meniscus between lid and eyeball, and the caruncle
LASHES = (17, 18)  # flat sheets
DRAWN = (FACE, HEAD, MOUTH_SOCKET, *EYE_SOCKETS, GUMS, TEETH, *EYEBALLS)

BUST = -20.0  # cm; triangles below this y are not rendered (with this value none)


@dataclass(frozen=True, eq=False)
class HeadModel:
    """The generic head and its modes. V = 26,719 vertices; arrays are shared and read-only.

    Attributes:
        vertices: float32 [V, 3], the neutral, generic head in cm.
        identity: float32 [100, V, 3], displacement in cm per unit of each identity coefficient.
        expressions: float32 [E, V, 3], displacement of each expression at strength 1.
        expression_names: [E] names such as "jawOpen" and "mouthSmile_L".
        triangles: int32 [T, 3], vertices of the rendered parts (`DRAWN`).
        triangle_uv: int32 [T, 3], their rows of `uv`.
        triangle_part: uint8 [T], part of each triangle.
        uv: float32 [U, 2], texture coordinates, v upwards; the back of the head lies at u in 1..2.
        vertex_part: uint8 [V], part of each vertex.
        landmarks: int32 [68], vertices of the iBUG landmarks; 0 is at the image's left.
        lash_triangles, lash_uv: int32 [N, 3], the sheets of the eyelashes, as `triangles` and `triangle_uv`.
        tear_triangles, tear_uv: int32 [N, 3], the tear lines and caruncles.
        fingerprint: hexadecimal SHA-256 of everything except the modes.
    """

    vertices: np.ndarray
    identity: np.ndarray
    expressions: np.ndarray
    expression_names: tuple[str, ...]
    triangles: np.ndarray
    triangle_uv: np.ndarray
    triangle_part: np.ndarray
    uv: np.ndarray
    vertex_part: np.ndarray
    landmarks: np.ndarray
    lash_triangles: np.ndarray
    lash_uv: np.ndarray
    tear_triangles: np.ndarray
    tear_uv: np.ndarray
    fingerprint: str

    def expression(self, name: str) -> np.ndarray:
        """Displacements float32 [V, 3] of one expression.

        Raises:
            KinlibError: if the name is unknown.
        """
        if name not in self.expression_names:
            raise KinlibError(f"unknown expression '{name}': choose one of {', '.join(self.expression_names)}")
        return self.expressions[self.expression_names.index(name)]


def have_head() -> bool:
    """Whether the head model can be loaded without downloading anything."""
    folder = _named_folder()
    if folder is not None:
        return folder.is_dir() and (_find(folder, CONVERTED) or files.find_in(folder)) is not None
    return _converted().is_file()


@lru_cache(maxsize=1)
def load_head() -> HeadModel:
    """The head model: from KINLIB_ICT_DIR if it is set, else from the cache, else downloaded (about 400 MB) and cached.

    KINLIB_ICT_DIR names a folder with the .obj files of ICT-FaceKit's `FaceXModel`, or with a converted
    `ict_face_model.npz`.

    Raises:
        KinlibError: if the files are absent or damaged, or cannot be downloaded.
    """
    folder = _named_folder()
    if folder is not None:
        return _from_folder(folder)
    if (model := _from_cache()) is not None:
        return model
    place = config.cache_dir() / "studio" / "ict-facekit"
    objects = files.download(place)
    _convert_into_cache(objects)
    files.discard(place)
    return _read(_converted())


def _named_folder() -> Path | None:
    name = os.environ.get("KINLIB_ICT_DIR")
    return Path(name).expanduser() if name else None


def _converted() -> Path:
    return config.cache_dir() / "studio" / CONVERTED


def _find(folder: Path, name: str) -> Path | None:
    return folder / name if (folder / name).is_file() else None


def _from_folder(folder: Path) -> HeadModel:
    if not folder.is_dir():
        raise KinlibError(f"KINLIB_ICT_DIR names {folder}, which is not a folder: correct it, or unset it to download")
    if (converted := _find(folder, CONVERTED)) is not None:
        return _read(converted)
    objects = files.find_in(folder)
    if objects is None:
        raise KinlibError(
            f"KINLIB_ICT_DIR names {folder}, which holds neither {CONVERTED} nor ICT-FaceKit's FaceXModel: "
            "correct it, or unset it to download"
        )
    model = _from_cache()
    if model is None:
        files.verify(objects)
        _convert_into_cache(objects)
        model = _read(_converted())
    return model


def _from_cache() -> HeadModel | None:
    """The converted model in the cache; None if it is missing or damaged (it is then converted again)."""
    try:
        return _read(_converted()) if _converted().is_file() else None
    except KinlibError:
        return None


def _convert_into_cache(objects: Path) -> None:
    target = _converted()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        convert.convert(objects, target, files.expression_names(), files.identity_names())
    except OSError as error:
        raise KinlibError(f"cannot write {target}: {error.strerror or error}") from error


def _read(path: Path) -> HeadModel:
    """Read a converted model and select the rendered parts."""
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in convert.FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise KinlibError(f"{path} is damaged or not a converted head model: get it again or delete it") from error
    part = data["tri_part"]
    drawn = np.isin(part, DRAWN) & (data["v"][data["tri"], 1].min(axis=1) > BUST)
    lashes, tears = np.isin(part, LASHES), np.isin(part, TEARS)
    still = ("v", "uv", "tri", "tri_uv", "tri_part", "vert_part", "lmk68")
    model = HeadModel(
        vertices=data["v"].astype(np.float32),
        identity=data["id_delta"].astype(np.float32),
        expressions=data["ex_delta"].astype(np.float32),
        expression_names=tuple(str(name) for name in data["ex_names"]),
        triangles=_rows(data["tri"], drawn),
        triangle_uv=_rows(data["tri_uv"], drawn),
        triangle_part=part[drawn].astype(np.uint8),
        uv=data["uv"].astype(np.float32),
        vertex_part=data["vert_part"].astype(np.uint8),
        landmarks=data["lmk68"].astype(np.int32),
        lash_triangles=_rows(data["tri"], lashes),
        lash_uv=_rows(data["tri_uv"], lashes),
        tear_triangles=_rows(data["tri"], tears),
        tear_uv=_rows(data["tri_uv"], tears),
        fingerprint=hashlib.sha256(b"".join(np.ascontiguousarray(data[name]).tobytes() for name in still)).hexdigest(),
    )
    for value in vars(model).values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return model


def _rows(array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[chosen], dtype=np.int32)
