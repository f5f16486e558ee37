"""Meshes of worn objects: the record `Solid`, and the sheets, tubes and balls that it is built from."""

from dataclasses import dataclass

import numpy as np

from kinlib.studio.colour import to_linear
from kinlib.studio.labels import NONE
from kinlib.studio.vectors import unit

__all__ = ["EXPOSED", "Material", "Solid", "ball", "joined", "sheet", "solid", "tube"]


@dataclass
class Solid:
    """One piece of clothing, glasses or jewellery as a triangle mesh in the head's frame.

    Attributes:
        vertices: float32 [v, 3], cm.
        triangles: int32 [t, 3].
        colour: float32 [v, 3], linear RGB.
        specular: strength of highlights relative to skin, about 0 to 2.
        roughness: 0 (mirror) to 1.
        bump: height of the folds in bump mapping, cm.
        label: class written into the label map, `labels.NONE` for none.
        region: region written into the region map, `labels.NONE` for none.
        opacity: below 1 for a lens.
        fixed: whether it ignores the rotation of the head.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colour: np.ndarray
    specular: float
    roughness: float
    bump: float
    label: int
    region: int
    opacity: float = 1.0
    fixed: bool = False


@dataclass(frozen=True)
class Material:
    """Reflection parameters; see `Solid`."""

    specular: float
    roughness: float
    bump: float = 0.0


EXPOSED = 0.76  # factor on a cloth's colour: pictures are exposed for skin, which makes cloth too light

Mesh = tuple[np.ndarray, np.ndarray]  # vertices [v, 3] and triangles [t, 3]


def solid(mesh: Mesh, colour, material: Material, label: int, opacity: float = 1.0) -> Solid:
    """A piece of one material.

    Args:
        mesh: vertices [v, 3] and triangles [t, 3].
        colour: sRGB in 0..1, [3] for the whole piece or [v, 3] per vertex.
        material: reflection parameters.
        label: class written into the label map.
        opacity: below 1 for a lens.
    """
    vertices, triangles = mesh
    colours = np.broadcast_to(to_linear(colour), vertices.shape)
    return Solid(
        np.ascontiguousarray(vertices, np.float32),
        np.ascontiguousarray(triangles, np.int32),
        np.ascontiguousarray(colours, np.float32),
        material.specular,
        material.roughness,
        material.bump,
        label,
        NONE,
        opacity,
    )


def sheet(points: np.ndarray, closed: bool = False) -> Mesh:
    """A grid of points [rows, columns, 3] as a mesh; `closed` joins the last column to the first.

    Its normals point along (direction of growing rows) x (direction of growing columns).
    """
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    if closed:
        index = np.column_stack([index, index[:, 0]])
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    # [2 (rows - 1) (columns - 1), 3]
    triangles = np.stack([np.stack([a, b, c], -1), np.stack([c, b, d], -1)]).reshape(-1, 3)
    return points.reshape(-1, 3), triangles


def tube(path: np.ndarray, radius, closed: bool = False, sides: int = 8, up=(0.1, 0.2, 1.0)) -> Mesh:
    """A tube along a path [n, 3]; open ends are closed by caps.

    Args:
        path: [n, 3], cm.
        radius: one number, or [n, 2]: towards `up` and across.
        closed: whether the path is a loop.
        sides: corners of the cross-section.
        up: a direction that the path is never parallel to.
    """
    path = np.asarray(path, np.float64)
    ahead = unit(np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0))
    across = unit(np.cross(np.asarray(up, np.float64), ahead))
    upwards = np.cross(ahead, across)
    radii = np.broadcast_to(radius, (len(path), 2))[:, None]  # [n, 1, 2]
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    spokes = np.cos(angle) * radii[..., :1] * upwards[:, None] + np.sin(angle) * radii[..., 1:] * across[:, None]
    rings = path[:, None] + spokes  # [n, sides, 3]
    if closed:
        return _welded(sheet(np.concatenate([rings, rings[:1]]), closed=True), len(path) * sides)
    return sheet(np.concatenate([_point(rings[:1]), rings, _point(rings[-1:])]), closed=True)


def _point(ring: np.ndarray) -> np.ndarray:
    """A ring [1, n, 3] collapsed to its centre: the cap of a tube."""
    return np.broadcast_to(ring.mean(1, keepdims=True), ring.shape)


def _welded(mesh: Mesh, count: int) -> Mesh:
    """The mesh with vertices from `count` on replaced by the first ones."""
    return mesh[0][:count], mesh[1] % count


def ball(middle: np.ndarray, radius: float, sides: int = 8) -> Mesh:
    """A sphere of `radius` cm about `middle` [3], with `sides` meridians."""
    height = np.cos(np.linspace(0, np.pi, sides // 2 + 1))
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.sqrt(1 - height**2)
    points = np.stack(
        [
            ring[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (len(height), sides)),
            ring[:, None] * np.cos(angle),
        ],
        -1,
    )
    return sheet(np.asarray(middle) + radius * points, closed=True)


def joined(meshes: list[Mesh]) -> Mesh:
    """Concatenate meshes."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    triangles = [triangles + start for (_, triangles), start in zip(meshes, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(triangles)
