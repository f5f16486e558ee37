"""Conversion of ICT-FaceKit's .obj files, one per mode, to a single .npz file.

Each .obj file repeats the whole mesh as text; all 155 differ from the neutral one in vertex positions only. The
differences are stored as float16: a displacement of 1 cm is exact to 0.005 mm.
"""

import json
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from kinlib.runtime.errors import KinlibError

__all__ = ["FIELDS", "FIRST_POLYGONS", "FIRST_VERTICES", "INDICES", "NEUTRAL", "convert", "read_mesh", "read_vertices"]

NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"

# Arrays of a converted file: the neutral mesh, modes as differences from it, parts, landmarks.
FIELDS = ("v", "uv", "tri", "tri_uv", "tri_part", "vert_part", "id_delta", "ex_delta", "ex_names", "lmk68")

# First vertex and first polygon of each part of the head (ICT-FaceKit's README).
FIRST_VERTICES = (
    *(0, 9409, 11248, 13294, 13678, 14062, 17039, 21451, 22221, 23021),
    *(23791, 24591, 24795, 24999, 25023, 25047, 25199, 25351, 26035),
)
FIRST_POLYGONS = (
    *(0, 9230, 11144, 13226, 13630, 14034, 17006, 21496, 22296, 23094),
    *(23894, 24692, 24855, 25018, 25033, 25048, 25176, 25304, 25844),
)


def read_vertices(path: Path) -> np.ndarray:
    """Vertex positions float32 [V, 3] of an .obj file.

    Raises:
        KinlibError: if it is not a valid .obj file.
    """
    try:
        with path.open("rb") as file:
            return np.array([line.split()[1:4] for line in file if line.startswith(b"v ")]).astype(np.float32)
    except ValueError as error:
        raise KinlibError(f"{path} is not an .obj file of the head model: get it again") from error


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Positions float32 [V, 3], texture coordinates float32 [U, 2], and polygons of an .obj file.

    Each polygon is int [corners, 2]: rows of positions and of texture coordinates.

    Raises:
        KinlibError: if it is not a valid .obj file.
    """
    texture, polygons = [], []
    try:
        with path.open() as file:
            for line in file:
                kind, *words = line.split() or [""]
                if kind == "vt":
                    texture.append(words[:2])
                elif kind == "f":
                    polygons.append(np.array([word.split("/")[:2] for word in words], dtype=int) - 1)
        return read_vertices(path), np.array(texture, np.float32).reshape(-1, 2), polygons
    except (ValueError, UnicodeDecodeError) as error:
        raise KinlibError(f"{path} is not an .obj file of the head model: get it again") from error


def convert(
    folder: Path,
    target: Path,
    expressions: Sequence[str],
    identities: Sequence[str],
    first_vertices: Sequence[int] = FIRST_VERTICES,
    first_polygons: Sequence[int] = FIRST_POLYGONS,
) -> None:
    """Write `target` (.npz) from the .obj files in `folder`.

    Args:
        folder: holds `generic_neutral_mesh.obj`, `vertex_indices.json` and one .obj for each mode.
        target: the file to write, atomically.
        expressions, identities: names of the modes, without ".obj".
        first_vertices, first_polygons: first index of each part.

    Raises:
        KinlibError: if a file is missing or cannot be understood.
        OSError: if `target` cannot be written.
    """
    missing = [name for name in (NEUTRAL, INDICES) if not (folder / name).is_file()]
    if missing:
        raise KinlibError(f"{folder} lacks {', '.join(missing)} of ICT-FaceKit's FaceXModel: get it again")
    arrays = _mesh_arrays(folder / NEUTRAL, first_vertices, first_polygons)
    arrays |= {
        "id_delta": _differences(folder, identities, arrays["v"], "identities"),
        "ex_delta": _differences(folder, expressions, arrays["v"], "expressions"),
        "ex_names": np.array(expressions),
        "lmk68": _landmarks(folder / INDICES),
    }
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _mesh_arrays(path: Path, first_vertices: Sequence[int], first_polygons: Sequence[int]) -> dict[str, np.ndarray]:
    """The neutral mesh in triangles, and the part of each vertex and triangle."""
    vertices, uv, polygons = read_mesh(path)
    if len(vertices) <= first_vertices[-1] or len(polygons) <= first_polygons[-1]:
        raise KinlibError(f"{path} is not ICT-FaceKit's head: get it again")
    parts = np.searchsorted(first_polygons, np.arange(len(polygons)), side="right") - 1
    corners, owner = _triangulate(polygons)
    return {
        "v": vertices,
        "uv": uv,
        "tri": corners[..., 0],
        "tri_uv": corners[..., 1],
        "tri_part": parts[owner].astype(np.uint8),
        "vert_part": (np.searchsorted(first_vertices, np.arange(len(vertices)), side="right") - 1).astype(np.uint8),
    }


def _triangulate(polygons: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Triangle fans int32 [T, 3, 2] (corner; vertex and texture row), and the polygon of each, int [T]."""
    triangles, owner = [], []
    for number, corners in enumerate(polygons):
        for second, third in pairwise(corners[1:]):
            triangles.append((corners[0], second, third))
            owner.append(number)
    return np.array(triangles, np.int32), np.array(owner)


def _differences(folder: Path, names: Sequence[str], neutral: np.ndarray, what: str) -> np.ndarray:
    """Displacements of each mode from the neutral vertices, float16 [modes, V, 3], cm."""
    from tqdm.auto import tqdm

    found = np.empty((len(names), *neutral.shape), np.float16)
    for row, name in enumerate(tqdm(names, desc=f"Converting {what}", leave=False)):
        path = folder / f"{name}.obj"
        if not path.is_file():
            raise KinlibError(f"{path} is missing: get ICT-FaceKit's FaceXModel again")
        vertices = read_vertices(path)
        if vertices.shape != neutral.shape:
            raise KinlibError(f"{path} has {len(vertices):,} vertices instead of {len(neutral):,}: get it again")
        found[row] = vertices - neutral
    return found


def _landmarks(path: Path) -> np.ndarray:
    """Vertices of the 68 landmarks, int32 [68]."""
    try:
        return np.array(json.loads(path.read_text())["idx_to_landmark_verts"], np.int32)
    except (ValueError, KeyError, TypeError) as error:
        raise KinlibError(f"{path} is damaged: get it again") from error
